"""Refinement: fitting parameters of an experiment to a measured image, with derivatives."""
