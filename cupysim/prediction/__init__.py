"""Prediction of spots: positions and expected photons of the reflections in an image."""
