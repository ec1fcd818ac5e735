"""Background: scattering from the water around the crystal."""

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
    """Water around the crystal. Its scattering amplitude is the same at all angles.

    Parameters
    ----------
    size : float
        Edge of a cube of water (m). 0 for no water.

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
        """Squared amplitude of all molecules together (electron^2).

        It is F^2 size^3 density Avogadro / molar mass.
        """
        molecules = self.size**3 * WATER_DENSITY * AVOGADRO / WATER_MOLAR_MASS
        return WATER_STRUCTURE_FACTOR**2 * molecules

    def intensity(self, fluence: float) -> float:
        """Start value of each pixel's sum in the C program.

        Parameters
        ----------
        fluence : float
            Fluence (photons/m^2).

        Returns
        -------
        float
            F^2 r_e^2 fluence size^3 density Avogadro / molar mass. The C program then multiplies
            the sum by r_e^2 fluence again, and divides it by the number of steps (quirk Q17).
        """
        amplitude = WATER_STRUCTURE_FACTOR
        scattering = amplitude * amplitude * CLASSICAL_ELECTRON_RADIUS_SQUARED * fluence
        volume_term = scattering * self.size * self.size * self.size * WATER_DENSITY
        return volume_term * AVOGADRO / WATER_MOLAR_MASS
