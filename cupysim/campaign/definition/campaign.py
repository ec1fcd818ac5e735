"""Data classes with the contents of a campaign file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cupysim.campaign.definition.detection import CampaignDetection
from cupysim.campaign.definition.distributions import (
    Distribution,
)
from cupysim.campaign.definition.spectra import Spectra
from cupysim.models.experiment import Experiment
from cupysim.models.tolerance import Tolerance


@dataclass(frozen=True)
class Variation:
    """A parameter that varies from shot to shot.

    Parameters
    ----------
    name : str
        Name of the parameter, one of `VARIABLE`.
    distribution : Distribution
        Distribution of the numbers, in the units of the campaign file.
    mode : str
        How a number changes the base's value, one of `MODES`.
    """

    name: str
    distribution: Distribution
    mode: str


@dataclass(frozen=True)
class Orientations:
    """Orientations of the crystals.

    Parameters
    ----------
    kind : str
        "base": that of the base; "uniform": random, all equally likely; "spread": the base turned
        by at most an angle; "list": missetting angles, one shot after the other; "columns":
        missetting angles from the table.
    spread : float
        Largest angle (rad), for "spread".
    angles : tuple of tuple of 3 float
        Missetting angles (rad), for "list".
    columns : tuple of str
        Names of the table's columns with missetting angles (degrees), for "columns".
    """

    kind: str = "base"
    spread: float = 0.0
    angles: tuple[tuple[float, float, float], ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CampaignDefinition:
    """Contents of a campaign file.

    Parameters
    ----------
    path : str
        Name of the file.
    text : str
        Text of the file.
    name : str
        Name of the campaign, and beginning of the names of its files.
    n_shots, chunk : int
        Number of shots, and number of shots in a chunk (an HDF5 file).
    seed : int
        Seed of everything that is drawn.
    backend, precision : str
        Backend and precision that compute the images.
    tolerance : Tolerance or None
        Photons that each pixel may lack; None for exact images.
    counts, expected : bool
        Whether counted photons are written, and whether expected photons are.
    spots : float or None
        Smallest number of expected photons of predicted spots that are written; None: no spots.
    noise : str
        Generator of the counted photons, one of `NOISES`.
    words : tuple of str
        Options of the base.
    variations : tuple of Variation
        Parameters that vary.
    orientations : Orientations
        Orientations of the crystals.
    n_crystals : Distribution
        Distribution of the number of crystals in a shot.
    spectra : Spectra or None
        Spectra of the shots; None for the sources of the base.
    table : mapping of str to ndarray, shape (n_shots,)
        Columns by name, with a number for each shot.
    files : tuple of str
        Names of the input files.
    experiment : Experiment
        Experiment of the base.
    detection : CampaignDetection, optional
        How shots are detected; without one, photons are counted by `noise`.
    """

    path: str
    text: str
    name: str
    n_shots: int
    chunk: int
    seed: int
    backend: str
    precision: str
    tolerance: Tolerance | None
    counts: bool
    expected: bool
    spots: float | None
    noise: str
    words: tuple[str, ...]
    variations: tuple[Variation, ...]
    orientations: Orientations
    n_crystals: Distribution
    spectra: Spectra | None
    table: Mapping[str, np.ndarray]
    files: tuple[str, ...]
    experiment: Experiment
    detection: CampaignDetection | None = None

    @property
    def has_integers(self) -> bool:
        """Whether images are integers, not photons as decimal numbers."""
        return self.counts and (self.detection is None or self.detection.has_integers)

    @property
    def n_chunks(self) -> int:
        """Number of chunks (HDF5 files with images)."""
        return -(-self.n_shots // self.chunk)

    def shots_of(self, chunk: int) -> range:
        """Numbers of the shots in a chunk."""
        return range(chunk * self.chunk, min((chunk + 1) * self.chunk, self.n_shots))

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 digests of the input files, by name."""
        return {path: _digest(path) for path in self.files}


def _digest(path: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
