"""Where the sources of compiled code are."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def folder() -> Traversable:
    """The folder ``cuda_src``: of the installation, or of a checkout which is not installed.

    Returns
    -------
    Traversable
        What `importlib.resources` knows of it.
    """
    try:
        return files("cupysim.cuda_src")
    except ModuleNotFoundError:
        return Path(__file__).parents[2] / "cuda_src"
