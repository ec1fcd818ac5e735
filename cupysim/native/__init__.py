"""Compiled code for the CPU: how it is built, found and called."""
