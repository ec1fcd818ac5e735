"""Comparing with the C program: traces, images, whole runs."""
