"""Scattering from what surrounds the crystal."""

from __future__ import annotations

from dataclasses import dataclass

from cupysim.constants import (
    AVOGADRO,
    CLASSICAL_ELECTRON_RADIUS_SQUARED,
    WATER_DENSITY,
    WATER_MOLAR_MASS,
    WATER_STRUCTURE_FACTOR,
)
from cupysim.errors import ModelError


@dataclass(frozen=True)
class Water:
    """A droplet of water.

    Parameters
    ----------
    size : float
        Edge of the cube (m) which the formula takes; 0 for none.

    Raises
    ------
    ModelError
        If the size is negative or not finite.
    """

    size: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.size < float("inf"):
            raise ModelError(f"water: the size must not be negative, got {1e6 * self.size:g} um")

    @property
    def squared_amplitude(self) -> float:
        """F^2 size^3 density Avogadro / molar mass, of all molecules together (electron^2)."""
        molecules = self.size**3 * WATER_DENSITY * AVOGADRO / WATER_MOLAR_MASS
        return WATER_STRUCTURE_FACTOR**2 * molecules

    def intensity(self, fluence: float) -> float:
        """What each pixel's sum starts with in the C program.

        Parameters
        ----------
        fluence : float
            Photons/m^2.

        Returns
        -------
        float
            F^2 r_e^2 fluence size^3 density Avogadro / molar mass. r_e^2 fluence
            multiplies the sum once more, and the number of steps divides it (quirk Q17).
        """
        amplitude = WATER_STRUCTURE_FACTOR
        scattering = amplitude * amplitude * CLASSICAL_ELECTRON_RADIUS_SQUARED * fluence
        volume_term = scattering * self.size * self.size * self.size * WATER_DENSITY
        return volume_term * AVOGADRO / WATER_MOLAR_MASS
