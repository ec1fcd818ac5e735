"""Background: scattering from water and other matter around the crystal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from cupysim.constants import (
    AVOGADRO,
    CLASSICAL_ELECTRON_RADIUS_SQUARED,
    WATER_DENSITY,
    WATER_MOLAR_MASS,
    WATER_STRUCTURE_FACTOR,
)
from cupysim.errors import ModelError
from cupysim.models.checks import assign, finite, frozen, member


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


class Beyond(StrEnum):
    """Structure factors beyond the ends of a material's table."""

    CONSTANT = "constant"
    """The structure factors of the first and the last point."""
    LINE = "line"
    """A straight line through the two outermost points, as in nonBragg and simtbx."""


@dataclass(frozen=True, eq=False)
class Amorphous:
    """Amorphous matter in the beam, with structure factors from a table.

    Its scattering adds to that of the crystal: molecules times F^2, at each scattering vector of
    each source. It has the same polarization, solid angle and absorption in the sensor.

    Parameters
    ----------
    stol : ndarray, shape (n,)
        sin(theta)/lambda (1/m), ascending.
    factors : ndarray, shape (n,)
        Structure factors of one molecule (electrons). They include the interference between
        neighbouring molecules.
    thickness : float
        Length along the beam (m).
    density : float
        Density (g/m^3).
    molar_mass : float
        Mass of a mole of molecules (g/mol).
    width, height : float
        Size across the beam (m), of the illuminated part only.
    beyond : Beyond
        What F is beyond the table.
    scale : float
        Factor of the scattering.
    begin : float, optional
        Where the matter begins along the beam, relative to the crystal (m); negative in front of
        it. Without a beginning, all matter scatters from the place of the crystal.

    Raises
    ------
    ModelError
        If the table is not ascending, or a number is impossible.
    """

    stol: np.ndarray
    factors: np.ndarray
    thickness: float
    density: float
    molar_mass: float
    width: float = 1e-4
    height: float = 1e-4
    beyond: Beyond = Beyond.CONSTANT
    scale: float = 1.0
    begin: float | None = None

    def __post_init__(self) -> None:
        stol, factors = (frozen(np.atleast_1d(x), np.float64) for x in (self.stol, self.factors))
        beyond = member(Beyond, self.beyond, "amorphous: beyond")
        assign(self, stol=stol, factors=factors, beyond=beyond)
        if stol.ndim != 1 or stol.shape != factors.shape or len(stol) == 0:
            raise ModelError("amorphous: stol and factors must be tables of one length")
        if not (np.isfinite(stol).all() and np.isfinite(factors).all()):
            raise ModelError("amorphous: the table has values that are not finite")
        if stol[0] < 0.0 or (np.diff(stol) <= 0.0).any():
            raise ModelError(
                "amorphous: sin(theta)/lambda must be ascending from 0 on, without repeats"
            )
        for name in ("thickness", "density", "width", "height", "scale"):
            value = finite(getattr(self, name), f"amorphous: {name}")
            if value < 0.0:
                raise ModelError(f"amorphous: {name} must not be negative, got {value:g}")
        if not finite(self.molar_mass, "amorphous: molar_mass") > 0.0:
            raise ModelError("amorphous: molar_mass must be positive")
        if self.begin is not None:
            assign(self, begin=finite(self.begin, "amorphous: begin"))
            if self.thickness == 0.0:
                raise ModelError("amorphous: matter along the beam needs a thickness")

    @property
    def molecules(self) -> float:
        """Number of illuminated molecules, times the scale."""
        volume = self.thickness * self.width * self.height
        return self.scale * volume * self.density * AVOGADRO / self.molar_mass

    def factor(self, stol: np.ndarray) -> np.ndarray:
        """F at values of sin(theta)/lambda.

        Parameters
        ----------
        stol : ndarray, shape (...)
            sin(theta)/lambda (1/m).

        Returns
        -------
        ndarray, shape (...)
            Structure factors (electrons).
        """
        begins, coefficients = self.polynomials()
        place = np.maximum(np.searchsorted(begins, stol, side="right") - 1, 0)
        t = stol - begins[place]
        c = np.moveaxis(coefficients[place], -1, 0)
        return np.asarray(((c[3] * t + c[2]) * t + c[1]) * t + c[0])

    def polynomials(self) -> tuple[np.ndarray, np.ndarray]:
        """F between the points of the table, as polynomials of sin(theta)/lambda.

        F is a cubic Lagrange polynomial through the two points on each side; next to the ends, a
        parabola through three, as in nonBragg. Beyond the ends it is what `beyond` says.

        Returns
        -------
        begins : ndarray, shape (m,)
            Where intervals begin (1/m). The first interval also holds below its beginning.
        coefficients : ndarray, shape (m, 4)
            Coefficients of the powers of sin(theta)/lambda minus the beginning of the interval.
        """
        return self._polynomials

    @cached_property
    def _polynomials(self) -> tuple[np.ndarray, np.ndarray]:
        nodes, values = self.stol, self.factors
        n = len(nodes)
        begins, coefficients = [nodes[0], *nodes], []
        is_line = self.beyond is Beyond.LINE and n > 1
        ends = (slice(0, 2), slice(n - 2, n)) if is_line else (slice(0, 1), slice(n - 1, n))
        coefficients.append(_taylor(nodes[ends[0]], values[ends[0]], nodes[0]))
        for place in range(n - 1):
            around = slice(max(place - 1, 0), min(place + 3, n))
            coefficients.append(_taylor(nodes[around], values[around], nodes[place]))
        coefficients.append(_taylor(nodes[ends[1]], values[ends[1]], nodes[-1]))
        return np.array(begins), np.array(coefficients)


def _taylor(nodes: np.ndarray, values: np.ndarray, at: float) -> np.ndarray:
    """Taylor coefficients about a point of the polynomial through some points; zeros up to four."""
    scale = max(float(np.ptp(nodes)), abs(float(nodes[0]))) or 1.0
    matrix = np.vander((nodes - at) / scale, increasing=True)
    found = np.linalg.solve(matrix, values) / scale ** np.arange(len(nodes))
    return np.pad(found, (0, 4 - len(nodes)))
