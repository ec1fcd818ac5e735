"""Benchmarks: the timed cases, the programs that time them, and results."""
