"""The folder of the sources of compiled code."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def folder() -> Traversable:
    """The folder ``cuda_src`` of this checkout, or of the installation.

    Returns
    -------
    Traversable
        The folder, for `importlib.resources`.
    """
    # a checkout on PYTHONPATH must not use the sources of another, installed version
    beside = Path(__file__).parents[2] / "cuda_src"
    return beside if (beside / "launch.cuh").exists() else files("cupysim.cuda_src")
