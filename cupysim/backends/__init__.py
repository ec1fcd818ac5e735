"""Backends: they turn a render plan into an image."""
