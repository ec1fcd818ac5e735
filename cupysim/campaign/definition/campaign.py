"""A campaign: what is simulated, what varies from shot to shot, and what is written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cupysim.campaign.definition.distributions import (
    Distribution,
)
from cupysim.campaign.definition.spectra import Spectra
from cupysim.models.experiment import Experiment


@dataclass(frozen=True)
class Variation:
    """A parameter which varies.

    Parameters
    ----------
    name : str
        One of `VARIABLE`.
    distribution : Distribution
        Its numbers, in units for people.
    mode : str
        One of `MODES`.
    """

    name: str
    distribution: Distribution
    mode: str


@dataclass(frozen=True)
class Orientations:
    """How crystals are oriented.

    Parameters
    ----------
    kind : str
        "base": as the base is; "uniform": anyhow; "spread": the base turned by at most an angle;
        "list": missetting angles one after the other; "columns": those of the table.
    spread : float
        The angle (rad).
    angles : tuple of tuple of 3 float
        Missetting angles (rad).
    columns : tuple of str
        Columns of missetting angles (degrees).
    """

    kind: str = "base"
    spread: float = 0.0
    angles: tuple[tuple[float, float, float], ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CampaignDefinition:
    """All that a campaign file says.

    Parameters
    ----------
    path : str
        The file.
    text : str
        What is in it.
    name : str
        Of the campaign, and of its files.
    n_shots, chunk : int
        Shots, and how many of them are in a file.
    seed : int
        Of all that is drawn.
    backend, precision : str
        What computes the images.
    counts, expected : bool
        Write photons counted; expected photons.
    spots : float or None
        Write predicted spots with so many photons at least; None for none.
    noise : str
        Whose generator counts photons, one of `NOISES`.
    words : tuple of str
        Options of the base.
    variations : tuple of Variation
        What varies.
    orientations : Orientations
        Of the crystals.
    n_crystals : Distribution
        Crystals in a shot.
    spectra : Spectra, optional
        Of the shots.
    table : mapping
        Columns with a number for each shot.
    files : tuple of str
        Input files.
    experiment : Experiment
        The base.
    """

    path: str
    text: str
    name: str
    n_shots: int
    chunk: int
    seed: int
    backend: str
    precision: str
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

    @property
    def n_chunks(self) -> int:
        """Files of the campaign."""
        return -(-self.n_shots // self.chunk)

    def shots_of(self, chunk: int) -> range:
        """Shots which are in a file."""
        return range(chunk * self.chunk, min((chunk + 1) * self.chunk, self.n_shots))

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the input files."""
        return {path: _digest(path) for path in self.files}


def _digest(path: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
