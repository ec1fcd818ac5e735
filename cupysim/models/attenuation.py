"""What weakens scattered photons on their way: the sample, air, and the beamstop."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.absorption import slab_transmission, sphere_transmission
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
        Fraction of the photons that pass through. By default none.

    Raises
    ------
    ModelError
        If a number is impossible.
    """

    distance: float
    diameter: float
    transmission: float = 0.0

    def __post_init__(self) -> None:
        _positive(self, "distance", "diameter")
        assign(self, transmission=finite(self.transmission, "beamstop: transmission"))
        if not 0.0 <= self.transmission <= 1.0:
            raise ModelError(
                f"beamstop: transmission must be from 0 to 1, got {self.transmission:g}"
            )

    def fraction(self, position: np.ndarray, beam: np.ndarray) -> np.ndarray:
        """Fraction of the photons that reach positions, shape (...,); see `Attenuator`."""
        along = position @ beam
        across = np.sqrt(np.maximum((position**2).sum(axis=-1) - along**2, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            shadow = (along > 0.0) & (across * self.distance <= 0.5 * self.diameter * along)
        return np.where(shadow, self.transmission, 1.0)


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
        _not_negative(self, "attenuation")

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
        _not_negative(self, "attenuation", "thickness")

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
        If a number is negative.
    """

    attenuation: float
    diameter: float

    def __post_init__(self) -> None:
        _not_negative(self, "attenuation", "diameter")

    def fraction(self, position: np.ndarray, beam: np.ndarray) -> np.ndarray:
        """Fraction of the photons that reach positions, shape (...,); see `Attenuator`."""
        radius = 0.5 * self.attenuation * self.diameter
        return sphere_transmission(radius, _cosine(position, beam))


Attenuator: TypeAlias = Beamstop | FlightPath | Slab | Sphere
"""Anything that weakens scattered photons. Its method ``fraction(position, beam)`` takes positions
on the detector relative to the sample (m, shape (..., 3)) and the direction of the beam."""


def attenuator_tuple(given: Iterable[Attenuator]) -> tuple[Attenuator, ...]:
    """Attenuators as a tuple.

    Raises
    ------
    ModelError
        If one of them is of another type.
    """
    found = tuple(given)
    for each in found:
        if not isinstance(each, Attenuator):
            raise ModelError(
                "experiment: attenuators must be a Beamstop, FlightPath, Slab or Sphere, got "
                f"{each!r}"
            )
    return found


def _cosine(position: np.ndarray, beam: np.ndarray) -> np.ndarray:
    """Cosine of the scattering angle."""
    return np.asarray((position @ beam) / np.sqrt((position**2).sum(axis=-1)))


def _not_negative(model: Attenuator, *names: str) -> None:
    kind = type(model).__name__.lower()
    for name in names:
        value = finite(getattr(model, name), f"{kind}: {name}")
        if value < 0.0:
            raise ModelError(f"{kind}: {name} must not be negative, got {value:g}")
        assign(model, **{name: value})


def _positive(model: Attenuator, *names: str) -> None:
    _not_negative(model, *names)
    for name in names:
        if getattr(model, name) == 0.0:
            raise ModelError(f"{type(model).__name__.lower()}: {name} must be positive")
