"""Reading of chunks, with a check that they belong to the campaign and have all their shots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cupysim.campaign.execution.folder import Folder
from cupysim.errors import FileFormatError
from cupysim.formats.nexus.chunks import stacked
from cupysim.formats.nexus.reader import hdf5_file
from cupysim.formats.nexus.series import SHOTS
from cupysim.formats.nexus.tree import DATA

NEEDED = ("failed", "crystals", "a_matrix", "wavelength", "phi", "photons", "noise_seed")
"""Columns that every chunk has."""

IDENTITY = "campaign"
"""Name of the attribute of the ground truth with the identity of its campaign."""


@contextmanager
def open_chunk(folder: Folder, number: int) -> Iterator[Any]:
    """Open a chunk for reading.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.
    number : int
        Number of the chunk.

    Yields
    ------
    h5py.File
        The open file.

    Raises
    ------
    FileFormatError
        If the file is damaged, or is not this chunk of the campaign.
    """
    path = folder.chunk(number)
    with hdf5_file(path) as file:
        if problem := _problem(folder, number, file):
            raise FileFormatError(path, problem)
        yield file


def _problem(folder: Folder, number: int, file: Any) -> str:
    campaign, truth = folder.campaign, file[SHOTS]
    wanted, size = campaign.shots_of(number), stacked(campaign.experiment.rendered_pixels).shape
    if truth.attrs.get(IDENTITY) != folder.identity:
        return f"it does not belong to the campaign in {folder.path}"
    if file[DATA].shape != (len(wanted), *size) or file[DATA].dtype.kind not in "if":
        return f"images are {file[DATA].dtype} {file[DATA].shape}, not {(len(wanted), *size)}"
    for name in NEEDED:
        if truth[name].shape[:1] != (len(wanted),) or truth[name].dtype.kind not in "iuf":
            return f"{name} are not the numbers of {len(wanted)} shots"
    if truth["shot"][()].tolist() != list(wanted):
        return f"its shots are not {wanted[0]} to {wanted[-1]}"
    return ""
