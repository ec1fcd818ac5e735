"""What weakens scattered photons on their way: the sample, air, and the beamstop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.absorption import LARGEST_SPHERE, slab_transmission, sphere_transmission
from cupysim.models.background import Amorphous
from cupysim.models.checks import assign, finite


@dataclass(frozen=True)
class Beamstop:
    """A round disc, perpendicular to the beam, that casts a shadow on the detector.

    Parameters
    ----------
    distance : float
        Distance from the sample along the beam (m).
    diameter : float
        Diameter (m).
    transmission : float, optional
        Fraction of the photons that pass through; by default none. Not with matter.
    matter : Amorphous, optional
        What the disc consists of. The direct beam scatters in it. By default, it does not scatter.
    attenuation : float, optional
        Attenuation coefficient of the matter (1/m), which it needs.

    Raises
    ------
    ModelError
        If a number is impossible or missing, or the matter has a transmission of its own.
    """

    distance: float
    diameter: float
    transmission: float = 0.0
    matter: Amorphous | None = None
    attenuation: float | None = None

    def __post_init__(self) -> None:
        _positive(self, "beamstop", "distance", "diameter")
        assign(self, transmission=finite(self.transmission, "beamstop: transmission"))
        if not 0.0 <= self.transmission <= 1.0:
            raise ModelError(
                f"beamstop: transmission must be from 0 to 1, got {self.transmission:g}"
            )
        if self.matter is None:
            if self.attenuation is not None:
                raise ModelError("beamstop: attenuation needs matter; or give a transmission")
            return
        if not isinstance(self.matter, Amorphous):
            raise ModelError(f"beamstop: matter must be Amorphous, got {self.matter!r}")
        if self.attenuation is None:
            raise ModelError("beamstop: its matter needs an attenuation; 0 if it absorbs nothing")
        _not_negative(self, "beamstop", "attenuation")
        if self.matter.begin is not None or self.matter.thickness == 0.0:
            raise ModelError(
                "beamstop: the thickness of its matter must be above 0, and its begin None"
            )
        if self.transmission != 0.0:
            raise ModelError("beamstop: give matter or a transmission, not both")

    @property
    def depth(self) -> float:
        """Attenuation coefficient of the matter times its thickness; 0 without matter."""
        if self.matter is None or self.attenuation is None:
            return 0.0
        return self.attenuation * self.matter.thickness

    @property
    def passed(self) -> float:
        """Fraction of the photons that pass through."""
        return self.transmission if self.matter is None else math.exp(-self.depth)

    def fraction(self, position: np.ndarray, beam: np.ndarray) -> np.ndarray:
        """Fraction of the photons that reach positions, shape (...,); see `Attenuator`."""
        along = position @ beam
        across = np.sqrt(np.maximum((position**2).sum(axis=-1) - along**2, 0.0))
        # pixels between the sample and the disc are not in its shadow
        shadow = (along >= self.distance) & (across * self.distance <= 0.5 * self.diameter * along)
        return np.where(shadow, self.passed, 1.0)


@dataclass(frozen=True)
class FlightPath:
    """Matter between the sample and the detector, such as air or helium.

    Parameters
    ----------
    attenuation : float
        Attenuation coefficient (1/m), see `cupysim.models.sensor.attenuation`.

    Raises
    ------
    ModelError
        If it is negative.
    """

    attenuation: float

    def __post_init__(self) -> None:
        _not_negative(self, "flight path", "attenuation")

    def fraction(
        self,
        position: np.ndarray,
        beam: np.ndarray,  # noqa: ARG002  # the way does not depend on it
    ) -> np.ndarray:
        """Fraction of the photons that reach positions, shape (...,); see `Attenuator`."""
        return np.asarray(np.exp(-self.attenuation * np.sqrt((position**2).sum(axis=-1))))


@dataclass(frozen=True)
class Slab:
    """A sample between parallel planes perpendicular to the beam, such as a liquid sheet.

    Crystals and background are anywhere in its depth.

    Parameters
    ----------
    attenuation : float
        Attenuation coefficient (1/m).
    thickness : float
        Thickness along the beam (m).

    Raises
    ------
    ModelError
        If a number is negative.
    """

    attenuation: float
    thickness: float

    def __post_init__(self) -> None:
        _not_negative(self, "slab", "attenuation", "thickness")
        finite(self.attenuation * self.thickness, "slab: attenuation times thickness")

    def fraction(self, position: np.ndarray, beam: np.ndarray) -> np.ndarray:
        """Fraction of the photons that reach positions, shape (...,); see `Attenuator`."""
        return slab_transmission(self.attenuation * self.thickness, _cosine(position, beam))


@dataclass(frozen=True)
class Sphere:
    """A spherical sample that the beam illuminates as a whole.

    Parameters
    ----------
    attenuation : float
        Attenuation coefficient (1/m).
    diameter : float
        Diameter (m).

    Raises
    ------
    ModelError
        If a number is negative, or the attenuation times the radius is above
        `cupysim.maths.absorption.LARGEST_SPHERE`.
    """

    attenuation: float
    diameter: float

    def __post_init__(self) -> None:
        _not_negative(self, "sphere", "attenuation", "diameter")
        if self._radius > LARGEST_SPHERE:
            raise ModelError(
                f"sphere: attenuation times radius must be at most {LARGEST_SPHERE:g}, got "
                f"{self._radius:g}; such a sphere absorbs nearly all photons"
            )

    @property
    def _radius(self) -> float:
        """Attenuation coefficient times radius."""
        return 0.5 * self.attenuation * self.diameter

    def fraction(self, position: np.ndarray, beam: np.ndarray) -> np.ndarray:
        """Fraction of the photons that reach positions, shape (...,); see `Attenuator`."""
        return sphere_transmission(self._radius, _cosine(position, beam))


Attenuator: TypeAlias = Beamstop | FlightPath | Slab | Sphere
"""Anything that weakens scattered photons. Its method ``fraction(position, beam)`` takes positions
on the detector relative to the sample (m, shape (..., 3)) and the direction of the beam."""


def _cosine(position: np.ndarray, beam: np.ndarray) -> np.ndarray:
    """Cosine of the scattering angle."""
    return np.asarray((position @ beam) / np.sqrt((position**2).sum(axis=-1)))


def _not_negative(model: Attenuator, kind: str, *names: str) -> None:
    for name in names:
        value = finite(getattr(model, name), f"{kind}: {name}")
        if value < 0.0:
            raise ModelError(f"{kind}: {name} must not be negative, got {value:g}")
        assign(model, **{name: value})


def _positive(model: Attenuator, kind: str, *names: str) -> None:
    _not_negative(model, kind, *names)
    for name in names:
        if getattr(model, name) == 0.0:
            raise ModelError(f"{kind}: {name} must be positive")
