"""Figures of images, shown in a window or a notebook, or written to a file."""
