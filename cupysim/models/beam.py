"""The X-ray beam: wavelength, fluence, polarization, and its source points."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np

from cupysim.constants import CLASSICAL_ELECTRON_RADIUS_SQUARED, SOURCE_DISTANCE
from cupysim.errors import CupysimWarning, ModelError
from cupysim.maths import divergence as divergence_maths
from cupysim.maths.arrays import unit
from cupysim.models.checks import assign, finite, frozen
from cupysim.models.conventions import UnitFrame
from cupysim.models.sampling import Sweep
from cupysim.quirks import CORRECTED, Quirk, Quirks, warn_quirk

DEFAULT_FLUENCE = 125932015286227086360700780544.0
"""Photons/m^2 for which the fluence cancels r_e^2."""

LARGEST_SOURCE_COUNT = 1_000_000
"""More source points than this do not fit into a table."""

PLAUSIBLE_WAVELENGTHS = (1e-12, 1e-8)
"""Wavelengths (m) outside of which the unit is most likely another."""


@dataclass(frozen=True, eq=False)
class Sources:
    """A table of point sources, each of one wavelength.

    Parameters
    ----------
    positions : ndarray, shape (n, 3)
        From the sample to the source (m); only the direction counts.
    wavelengths : ndarray, shape (n,)
        Wavelengths (m).
    weights : ndarray, shape (n,)
        Relative brightness, which is reported but not used unless quirk Q13 is corrected.
    brightness : ndarray, shape (n,)
        What their terms are multiplied by, 1 on average: all 1, or the weights over their mean
        where quirk Q13 is corrected.
    deviations : ndarray, shape (m, 2), optional
        Horizontal and vertical deviations (rad) a divergence was made of.
    spectrum : ndarray, shape (k,), optional
        Wavelengths (m) a bandwidth was made of.
    """

    positions: np.ndarray
    wavelengths: np.ndarray
    weights: np.ndarray
    brightness: np.ndarray
    deviations: np.ndarray | None = None
    spectrum: np.ndarray | None = None

    @property
    def mean_wavelength(self) -> float:
        """The mean over the photons (m), which files with one wavelength are given."""
        first = self.wavelengths[0]
        if (self.wavelengths == first).all():
            return float(first)
        return float((self.wavelengths * self.brightness).sum() / self.brightness.sum())

    @property
    def incident(self) -> np.ndarray:
        """Directions of the photons, unit vectors, shape (n, 3)."""
        return -unit(self.positions)


@dataclass(frozen=True, eq=False)
class Beam:
    """An X-ray beam.

    Parameters
    ----------
    wavelength : float
        Central wavelength (m).
    fluence : float
        Photons per area (1/m^2); the default makes r_e^2 times fluence one.
    polarization : float
        Kahn factor, from 1 (fully along the frame's polarization axis) to -1.
    polarized : bool
        Whether there is a polarization factor at all.
    horizontal, vertical : Sweep
        Divergence (rad).
    dispersion : Sweep
        Relative bandwidth.
    round_divergence : bool
        Cut the grid of source points to an ellipse.
    source_table : ndarray, shape (n, 5), optional
        Columns x, y, z (m), weight, wavelength (m) in place of divergence and
        dispersion; NaN where a default is wanted.
    weights_count : bool
        The weights of the table multiply whatever quirk Q13 is, as those of a spectrum from a
        file do.

    Raises
    ------
    ModelError
        If wavelength or fluence are impossible.
    """

    wavelength: float = 1e-10
    fluence: float = DEFAULT_FLUENCE
    polarization: float = 0.0
    polarized: bool = True
    horizontal: Sweep = field(default_factory=Sweep)
    vertical: Sweep = field(default_factory=Sweep)
    dispersion: Sweep = field(default_factory=Sweep)
    round_divergence: bool = True
    source_table: np.ndarray | None = None
    weights_count: bool = False

    def __post_init__(self) -> None:
        for name in ("wavelength", "fluence", "polarization"):
            assign(self, **{name: finite(getattr(self, name), f"beam: {name}")})
        if not 0.0 < self.wavelength < np.inf:
            raise ModelError(f"wavelength: must be positive, got {self.wavelength:g} m")
        table = None if self.source_table is None else frozen(self.source_table, np.float64)
        if table is not None and (table.ndim != 2 or table.shape[1] != 5 or len(table) == 0):
            raise ModelError(
                f"beam: a source table has five columns and some rows, not the shape {table.shape}"
            )
        assign(self, source_table=table)
        shortest, longest = PLAUSIBLE_WAVELENGTHS
        if not shortest <= self.wavelength <= longest:
            warnings.warn(
                CupysimWarning(f"a wavelength of {self.wavelength:g} m is not that of X-rays"),
                stacklevel=4,
            )
        if not 0.0 <= self.fluence < np.inf:
            raise ModelError(
                f"fluence: must be finite and not negative, got {self.fluence:g} photons/m^2"
            )
        if self.dispersion.range >= 2.0:
            raise ModelError(
                f"dispersion: {100 * self.dispersion.range:g} % reaches wavelength zero; "
                "it must be less than 200 %"
            )

    @property
    def photons_per_squared_electron(self) -> float:
        """Scattering of an electron, r_e^2 times fluence (1/sr)."""
        return CLASSICAL_ELECTRON_RADIUS_SQUARED * self.fluence

    def sources(self, frame: UnitFrame, quirks: Quirks = CORRECTED) -> Sources:
        """The source points.

        Parameters
        ----------
        frame : UnitFrame
            Directions of beam, polarization and the vertical.
        quirks : Quirks, optional
            Which quirks of nanoBragg are corrected.

        Returns
        -------
        Sources
            From the table if there is one, else from divergence and
            dispersion, wavelength varying fastest.

        Raises
        ------
        ModelError
            If a source of the table has no direction or no wavelength, or
            there are too many.
        """
        if self.source_table is not None:
            return self._tabulated(frame, quirks)
        horizontal, vertical, dispersion = (
            (sweep.range, sweep.step, sweep.count)
            for sweep in (self.horizontal, self.vertical, self.dispersion)
        )
        count = horizontal[2] * vertical[2] * dispersion[2]
        if count > LARGEST_SOURCE_COUNT:
            raise ModelError(
                f"sources: {horizontal[2]} x {vertical[2]} directions with {dispersion[2]} "
                f"wavelengths are {count} sources; at most {LARGEST_SOURCE_COUNT} are possible"
            )
        deviations = divergence_maths.deviations(horizontal, vertical, self.round_divergence)
        spectrum = divergence_maths.wavelengths(self.wavelength, dispersion)
        positions = divergence_maths.source_positions(
            deviations, frame.beam, frame.polarization, frame.vertical
        )
        count = len(deviations) * len(spectrum)
        if count == 0:
            raise ModelError(
                "sources: the round divergence cuts off every source point; -square_div keeps them"
            )
        return Sources(
            np.repeat(positions, len(spectrum), axis=0),
            np.tile(spectrum, len(deviations)),
            np.full(count, 1.0 / count),
            np.ones(count),
            deviations,
            spectrum,
        )

    def _tabulated(self, frame: UnitFrame, quirks: Quirks) -> Sources:
        given = np.array(self.source_table, dtype=np.float64)
        defaults = [*(-SOURCE_DISTANCE * frame.beam), 1.0, self.wavelength]
        table = np.where(np.isnan(given), defaults, given)
        positions, weights, wavelengths = table[:, :3], table[:, 3], table[:, 4]
        for row, (position, wavelength) in enumerate(zip(positions, wavelengths, strict=True), 1):
            if not position.any() or not np.isfinite(position).all():
                raise ModelError(f"source {row}: the position {position} has no direction")
            if not 0.0 < wavelength < np.inf:
                raise ModelError(f"source {row}: the wavelength must be positive: {wavelength} m")
        brightness = np.ones(len(weights))
        if self.weights_count or quirks.corrects(Quirk.SOURCE_WEIGHTS_IGNORED):
            if not (np.isfinite(weights).all() and weights.min() >= 0.0 and weights.any()):
                raise ModelError("sources: the weights must not be negative, nor all be zero")
            if np.ptp(weights) > 0.0:
                brightness = weights / weights.mean()
        elif np.ptp(weights) > 0.0:
            warn_quirk(
                Quirk.SOURCE_WEIGHTS_IGNORED, "the weights of the sources differ but are not used"
            )
        shortest, longest = PLAUSIBLE_WAVELENGTHS
        if wavelengths.min() < shortest or wavelengths.max() > longest:
            warn_quirk(
                Quirk.SOURCE_FILE,
                f"source wavelengths from {wavelengths.min():g} to {wavelengths.max():g} m: "
                "the fifth column is in metres",
            )
        return Sources(positions, wavelengths, weights, brightness)
