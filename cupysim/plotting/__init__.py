"""Figures of images, and what shows them: a window, a notebook, or a file."""
