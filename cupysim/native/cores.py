"""How many threads this process may use."""

from __future__ import annotations

import os

MOST_THREADS = 1024
"""Largest number of threads. OpenMP ends the process if it cannot start as many as requested."""


def usable_cores() -> int:
    """Default number of threads: ``OMP_NUM_THREADS``, or the cores that this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if wanted.isdecimal() and int(wanted) > 0:
        return min(int(wanted), MOST_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MOST_THREADS)
    return os.cpu_count() or 1
