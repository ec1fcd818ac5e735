"""The folder of the sources of compiled code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

NAME = "cuda_src"


def folder() -> Traversable:
    """The folder ``cuda_src`` of this checkout, or of the installation.

    Returns
    -------
    Traversable
        The folder, for `importlib.resources`.
    """
    # a checkout on PYTHONPATH must not use the sources of another, installed version
    for above in Path(__file__).parents[2:0:-1]:
        if (above / NAME / "launch.cuh").exists():
            return above / NAME
    from importlib.resources import files

    return files(f"cupysim.{NAME}")


@contextmanager
def folder_on_disk() -> Iterator[Path]:
    """The folder as files on the disk. From an installation inside an archive, it is unpacked."""
    found = folder()
    if isinstance(found, Path):
        yield found
        return
    from importlib.resources import as_file

    with as_file(found) as copied:
        yield copied
