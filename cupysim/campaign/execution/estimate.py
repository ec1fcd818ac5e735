"""Estimate of the time, disk space and memory of a campaign, from a few of its shots."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from cupysim.campaign.definition.campaign import CampaignDefinition
from cupysim.campaign.execution.rendering import (
    detector_of,
    open_renderer,
    pixels_of,
    render_shot,
)
from cupysim.formats.nexus.series import Series
from cupysim.prediction.spots import predict_spots
from cupysim.storage.patient_file import PatientFile
from cupysim.storage.safe_writing import OutputError

TRIALS = 5
"""Number of shots that are rendered, spread over the campaign."""


@dataclass(frozen=True)
class Estimate:
    """Estimated time, disk space and memory of a campaign.

    Parameters
    ----------
    shots : int
        Number of shots of the campaign.
    render, noise, spots, write : float
        Times for each shot (s): rendering, noise, predicted spots, writing.
    bytes_each : float
        Disk space for each shot (bytes).
    memory : int
        Memory of a process (bytes).
    """

    shots: int
    render: float
    noise: float
    spots: float
    write: float
    bytes_each: float
    memory: int

    @property
    def seconds_each(self) -> float:
        """Time of a process for each shot (s). Rendering overlaps with writing of earlier shots."""
        return max(self.render + self.spots, self.noise + self.write)


def estimate(campaign: CampaignDefinition, threads: int | None = None) -> Estimate:
    """Render a few shots, and estimate time, disk space and memory of all.

    Parameters
    ----------
    campaign : CampaignDefinition
        Campaign to estimate.
    threads : int, optional
        Number of threads of the host backend.

    Returns
    -------
    Estimate
        Means of the measured times and sizes, and the number of all shots.

    Raises
    ------
    CupysimError
        If a shot cannot be rendered.
    """
    backend = open_renderer(campaign, threads)
    numbers = np.unique(np.linspace(0, campaign.n_shots - 1, TRIALS).astype(int)).tolist()
    render_shot(campaign, numbers[0], backend)  # the first rendering may compile the kernels
    render = noise = spots = write = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trial.h5")
        base = campaign.experiment
        with (
            _patient_file(path) as file,
            Series(
                file,
                base,
                len(numbers),
                campaign.has_integers,
                campaign.expected and campaign.counts,
                threads,
                detector_of(campaign),
            ) as series,
        ):
            empty = os.path.getsize(path)
            for place, number in enumerate(numbers):
                began = time.perf_counter()
                rendered = render_shot(campaign, number, backend)
                ready = time.perf_counter()
                image, shot = rendered.image, rendered.shot
                pixels = pixels_of(campaign, shot, image, threads)
                noisy = time.perf_counter()
                series.put(place, pixels, image.array)
                file.check()
                render, noise = render + ready - began, noise + noisy - ready
                written = time.perf_counter()
                if campaign.spots is not None:
                    predict_spots(image.plan, fewest=campaign.spots)
                write, spots = write + written - noisy, spots + time.perf_counter() - written
            began = time.perf_counter()
        write += time.perf_counter() - began
        size = os.path.getsize(path) - empty
    count = len(numbers)
    memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Estimate(
        campaign.n_shots, render / count, noise / count, spots / count, write / count,
        size / count, memory,
    )  # fmt: skip


@contextmanager
def _patient_file(path: str) -> Iterator[PatientFile]:
    """Open a file that is not kept; an error of the system becomes an `OutputError`."""
    try:
        with PatientFile(path) as file:
            yield file
            file.check()
    except OSError as error:
        raise OutputError(path, error.strerror or str(error)) from error
