"""Absorption in a dead layer in front of the sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.constants import ANGSTROM, ELECTRONVOLT_ANGSTROM
from cupysim.detection.exact_functions import exp_of_mean
from cupysim.detection.pixel_grid import PixelGrid
from cupysim.errors import ModelError
from cupysim.models.checks import finite
from cupysim.models.sensor import attenuation

LARGEST_PATH = 63.0
"""Longest path (attenuation lengths); less than 1e-27 of the photons pass it."""


@dataclass(frozen=True)
class DeadLayer:
    """A layer that absorbs photons without a signal, for example an electrode or a window.

    Parameters
    ----------
    material : str
        Chemical formula, or a name that xraydb knows.
    thickness : float
        Thickness (m).

    Raises
    ------
    ModelError
        If the thickness is negative.
    """

    material: str
    thickness: float

    def __post_init__(self) -> None:
        if not finite(self.thickness, "dead layer: thickness") >= 0.0:
            raise ModelError(f"dead layer: thickness must not be negative, got {self.thickness:g}")

    def absorption(self, photon_energy: float) -> float:
        """Thickness divided by the attenuation length, from the tables of Elam et al. in xraydb.

        Parameters
        ----------
        photon_energy : float
            Photon energy (eV).

        Raises
        ------
        CupysimError
            If xraydb is not installed, or does not know the material.
        """
        wavelength = ELECTRONVOLT_ANGSTROM / photon_energy * ANGSTROM
        return self.thickness * attenuation(self.material, wavelength)


def transmission(absorption: float, grid: PixelGrid) -> np.ndarray:
    """Fraction of the photons that pass a layer, in each pixel.

    The path through the layer is longer by 1/cos of the angle of incidence.

    Parameters
    ----------
    absorption : float
        Thickness divided by the attenuation length.
    grid : PixelGrid
        The pixels.

    Returns
    -------
    ndarray of float64, shape (n_slow, n_fast)
        Fractions.
    """
    slope_slow, slope_fast = grid.slopes
    y = slope_slow * (np.arange(grid.n_slow, dtype=np.float64) - grid.normal_slow)
    x = slope_fast * (np.arange(grid.n_fast, dtype=np.float64) - grid.normal_fast)
    path = absorption * np.sqrt((1.0 + y * y)[:, None] + x * x)
    return exp_of_mean(np.minimum(path, LARGEST_PATH))
