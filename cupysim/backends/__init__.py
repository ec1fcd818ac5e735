"""Backends: the code that computes an image, or its derivatives, from a render plan."""
