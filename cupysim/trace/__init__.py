"""Pixel traces: every intermediate number of a pixel, with its unit."""
