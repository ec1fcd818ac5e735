"""Simulated images: their statistics, counts, pictures and files."""

from cupysim.image.image import DEFAULT_OFFSET, Image

__all__ = ["DEFAULT_OFFSET", "Image"]
