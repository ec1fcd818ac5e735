"""Traces of a pixel: written, read and compared."""
