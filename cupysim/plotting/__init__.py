"""Figures and reports for commands and for Python."""
