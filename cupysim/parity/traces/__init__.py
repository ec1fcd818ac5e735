"""Traces of the computation of a pixel: writing, reading and comparing them."""
