"""Derivatives of images with what describes an experiment."""
