"""Warnings: quirks which act on an image, and why an image is empty."""
