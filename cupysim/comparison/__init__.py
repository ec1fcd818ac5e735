"""Comparing images."""
