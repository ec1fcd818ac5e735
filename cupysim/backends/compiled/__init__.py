"""Compiled backends: one kernel source for GPUs and CPUs."""
