"""Noise of photons and detectors."""
