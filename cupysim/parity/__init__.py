"""Comparison with the C program: traces of pixels, images, whole runs."""
