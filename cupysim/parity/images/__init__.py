"""Comparison of images: their agreement, and typical causes of their difference."""
