"""Fitting an experiment to an image which was measured, with derivatives."""
