"""Where the sources of compiled code are."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def folder() -> Traversable:
    """The folder ``cuda_src``: of the checkout which this file is in, or of the installation.

    Returns
    -------
    Traversable
        What `importlib.resources` knows of it.
    """
    # a checkout on PYTHONPATH must not take the sources of another one which is installed
    beside = Path(__file__).parents[2] / "cuda_src"
    return beside if (beside / "launch.cuh").exists() else files("cupysim.cuda_src")
