"""Simulate X-ray diffraction images of small crystals on an absolute scale."""

__version__ = "0.1.0"
