"""Check that the folder of a campaign contains what the campaign file describes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cupysim.campaign.execution.chunks import open_chunk
from cupysim.campaign.execution.export import read_image
from cupysim.campaign.execution.folder import Folder
from cupysim.campaign.execution.rendering import open_renderer, pixels_of, render_shot
from cupysim.errors import CupysimError, FileFormatError
from cupysim.formats.nexus.reader import hdf5_file
from cupysim.formats.nexus.series import SHOTS
from cupysim.formats.nexus.tree import DATA
from cupysim.formats.pixels import with_gaps


@dataclass(frozen=True)
class Verified:
    """Result of the check of a campaign.

    Parameters
    ----------
    chunks, shots : int
        Numbers of chunks and of images that were read.
    rendered : int
        Number of shots that were rendered again.
    problems : tuple of str
        Descriptions of what is wrong.
    """

    chunks: int
    shots: int
    rendered: int
    problems: tuple[str, ...]


def verify(
    folder: Folder, samples: int, threads: int | None, tell: Callable[[str], object]
) -> Verified:
    """Read all chunks of a campaign, and render some of its shots again.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.
    samples : int
        Number of shots to render again, spread over the campaign.
    threads : int or None
        Number of threads of the host backend.
    tell : callable
        Function that prints a line of progress.

    Returns
    -------
    Verified
        Result of the check. Images that are rendered again must be equal in each pixel.
    """
    campaign = folder.campaign
    problems, shots, readable = [], 0, []
    for number in range(campaign.n_chunks):
        if not folder.is_done(number):
            problems.append(f"chunk {number} is missing")
            continue
        found = list(_problems(folder, number))
        problems += found
        if not found:
            readable += list(campaign.shots_of(number))
        shots += len(campaign.shots_of(number))
    tell(f"{campaign.n_chunks} chunks read")
    problems += _master_problems(folder)
    places = np.linspace(0, len(readable) - 1, samples if readable else 0).astype(int)
    chosen = [readable[place] for place in np.unique(places).tolist()]
    failed = {failure["shot"] for failure in folder.failures()}
    # without samples no backend is needed: the images may come from another machine
    backend = None
    if chosen:
        backend = open_renderer(campaign, threads)
    for number in chosen:
        tell(f"shot {number} is rendered again")
        if difference := _difference(folder, number, number in failed, backend):
            problems.append(f"shot {number}: {difference}")
    done = campaign.n_chunks - sum("missing" in problem for problem in problems)
    return Verified(done, shots, len(chosen), tuple(problems))


def _problems(folder: Folder, number: int) -> Iterator[str]:
    """Describe what is wrong with a chunk."""
    try:
        with open_chunk(folder, number) as file:
            for place in range(len(folder.campaign.shots_of(number))):
                file[DATA][place]
            for item in file[SHOTS].values():
                if hasattr(item, "shape"):
                    item[()]
    except FileFormatError as error:
        yield str(error)


def _master_problems(folder: Folder) -> Iterator[str]:
    """Describe what is wrong with the file that shows all images."""
    campaign, path = folder.campaign, folder.master
    if not os.path.exists(path):
        yield f"{path} is missing; resume makes it"
        return
    try:
        with hdf5_file(path) as file:
            parts = [os.path.normpath(each.file_name) for each in file[DATA].virtual_sources()]
            count = file[DATA].shape[0]
            wavelengths = file["/entry/instrument/beam/incident_wavelength"][()]
    except FileFormatError as error:
        yield str(error)
        return
    wanted = [os.path.relpath(folder.chunk(n), folder.path) for n in range(campaign.n_chunks)]
    if parts != wanted or count != campaign.n_shots or np.shape(wavelengths) != (count,):
        yield f"{path} does not show the images of this campaign; delete it and resume"


def _difference(folder: Folder, number: int, failed: bool, backend: object) -> str:
    """Describe how a shot differs when it is rendered again; empty if it does not differ."""
    campaign = folder.campaign
    there = read_image(folder, number)
    try:
        rendered = render_shot(campaign, number, backend)  # type: ignore[arg-type]
    except CupysimError as error:
        return "" if failed else f"it cannot be rendered any more: {error}"
    image = rendered.image
    again = pixels_of(campaign, rendered.shot, image, None)
    if campaign.has_integers:
        again = with_gaps(again, campaign.experiment.rendered_pixels)
    # pixels without a value are not-a-number in both
    different = int(np.count_nonzero((there != again) & ~(np.isnan(there) & np.isnan(again))))
    return f"{different} pixels differ" if different else ""
