"""Flicker of the beam: the fluence differs from shot to shot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.detection.pixel_grid import Exposure
from cupysim.detection.random_numbers import Stage, stage_normals
from cupysim.errors import ModelError
from cupysim.models.checks import finite


@dataclass(frozen=True)
class BeamFlicker:
    """A Gaussian factor of the fluence. All pixels of a shot have the same factor.

    noisify and simtbx draw a factor for each pixel instead (NQ5). Their factors act as calibration
    errors.

    Parameters
    ----------
    rms : float
        Relative standard deviation of the fluence.

    Raises
    ------
    ModelError
        If it is negative or above 1.
    """

    rms: float

    def __post_init__(self) -> None:
        if not 0.0 <= finite(self.rms, "flicker: rms") <= 1.0:
            raise ModelError(f"flicker: rms must be from 0 to 1, got {self.rms:g}")

    def factor(self, exposure: Exposure) -> float:
        """Factor of a shot; zero if the deviate would make it negative."""
        pixel = np.zeros(1, dtype=np.uint64)
        normal, _ = stage_normals(pixel, Stage.FLICKER, 0, exposure.shot, exposure.seed)
        return max(1.0 + self.rms * float(normal[0]), 0.0)
