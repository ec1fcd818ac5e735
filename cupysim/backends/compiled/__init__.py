"""Compiled backends: one kernel source serves GPUs and CPUs."""
