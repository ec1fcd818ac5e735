"""Simulated images: their statistics, counts, pictures and files."""

from cupysim.image.image import Image
from cupysim.image.pixels import DEFAULT_OFFSET

__all__ = ["DEFAULT_OFFSET", "Image"]
