"""The X-ray beam: wavelength, fluence, polarization, and sources."""

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
from cupysim.models.spectrum import Spectrum
from cupysim.quirks import CORRECTED, Quirk, Quirks, warn_quirk

DEFAULT_FLUENCE = 125932015286227086360700780544.0
"""Fluence (photons/m^2) whose product with r_e^2 is 1."""

LARGEST_SOURCE_COUNT = 1_000_000
"""Largest number of sources; a table cannot hold more."""

PLAUSIBLE_WAVELENGTHS = (1e-12, 1e-8)
"""Shortest and longest plausible wavelength (m). Beyond them, the unit is probably wrong."""


@dataclass(frozen=True, eq=False)
class Sources:
    """The sources of a beam: each has one wavelength and one direction.

    Parameters
    ----------
    positions : ndarray, shape (n, 3)
        Vectors from the sample to the sources (m). Only their directions matter.
    wavelengths : ndarray, shape (n,)
        Wavelengths (m).
    weights : ndarray, shape (n,)
        Source weights as given, for reports.
    brightness : ndarray, shape (n,)
        Factors of the sources' intensities, 1 on average. They are the weights divided by their
        mean if the weights count (quirk Q13 corrected, or `Beam.weights_count`), otherwise 1.
    deviations : ndarray, shape (m, 2), optional
        Horizontal and vertical deviations (rad) of a divergent beam.
    spectrum : ndarray, shape (k,), optional
        Wavelengths (m) of a bandwidth.
    """

    positions: np.ndarray
    wavelengths: np.ndarray
    weights: np.ndarray
    brightness: np.ndarray
    deviations: np.ndarray | None = None
    spectrum: np.ndarray | None = None

    @property
    def mean_wavelength(self) -> float:
        """Mean wavelength of the photons (m), for files that store one wavelength."""
        first = self.wavelengths[0]
        if (self.wavelengths == first).all():
            return float(first)
        return float((self.wavelengths * self.brightness).sum() / self.brightness.sum())

    @property
    def incident(self) -> np.ndarray:
        """Directions of flight of the photons: unit vectors, shape (n, 3)."""
        return -unit(self.positions)


@dataclass(frozen=True, eq=False)
class Beam:
    """The X-ray beam: wavelength, fluence, polarization, divergence and spectrum.

    Parameters
    ----------
    wavelength : float
        Central wavelength (m).
    fluence : float
        Photons per area during the exposure (photons/m^2). With the default, r_e^2 times fluence
        is 1.
    polarization : float
        Kahn factor, from 1 (fully polarized along the frame's polarization axis) to -1.
    polarized : bool
        Whether intensities are multiplied by the polarization factor.
    horizontal, vertical : Sweep
        Horizontal and vertical divergence (rad).
    dispersion : Sweep
        Bandwidth, relative to the central wavelength.
    round_divergence : bool
        Cut the grid of sources to an ellipse.
    source_table : ndarray, shape (n, 5), optional
        Sources that replace divergence and dispersion. Columns: x, y, z (m), weight, wavelength
        (m). NaN stands for a default.
    spectrum : Spectrum, optional
        Wavelengths and their shares of the photons, for each direction of the divergence. It
        replaces the dispersion.
    weights_count : bool
        Use the weights of the table even if quirk Q13 is not corrected, as for a spectrum from a
        file.

    Raises
    ------
    ModelError
        If wavelength, fluence, dispersion or source table are impossible.
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
    spectrum: Spectrum | None = None
    weights_count: bool = False

    def __post_init__(self) -> None:
        for name in ("wavelength", "fluence", "polarization"):
            assign(self, **{name: finite(getattr(self, name), f"beam: {name}")})
        if not 0.0 < self.wavelength < np.inf:
            raise ModelError(f"wavelength: must be positive, got {self.wavelength:g} m")
        table = None if self.source_table is None else frozen(self.source_table, np.float64)
        if table is not None and (table.ndim != 2 or table.shape[1] != 5 or len(table) == 0):
            raise ModelError(
                "beam: expected a source table with five columns and at least one row, got the "
                f"shape {table.shape}"
            )
        assign(self, source_table=table)
        if self.spectrum is not None and (table is not None or self.dispersion.range > 0.0):
            raise ModelError("beam: give a spectrum, a dispersion or a source table, not two")
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
        """Photons scattered by one electron: r_e^2 times fluence (1/sr)."""
        return CLASSICAL_ELECTRON_RADIUS_SQUARED * self.fluence

    def sources(self, frame: UnitFrame, quirks: Quirks = CORRECTED) -> Sources:
        """Make the sources of this beam.

        Parameters
        ----------
        frame : UnitFrame
            Directions of beam, polarization and the vertical in the laboratory.
        quirks : Quirks, optional
            Corrected quirks of nanoBragg.

        Returns
        -------
        Sources
            Sources of the table if there is one, otherwise of divergence and dispersion. The
            wavelength varies fastest.

        Raises
        ------
        ModelError
            If a source of the table has no direction or no wavelength, or there are too many
            sources.
        """
        if self.source_table is not None:
            return self._tabulated(frame, quirks)
        sweeps = self.horizontal, self.vertical, self.dispersion
        directions = frame.beam, frame.polarization, frame.vertical
        swept = swept_sources(sweeps, self.wavelength, directions, self.round_divergence)
        return swept if self.spectrum is None else _with_spectrum(swept, self.spectrum)

    def _tabulated(self, frame: UnitFrame, quirks: Quirks) -> Sources:
        positions, weights, wavelengths = tabulated_sources(
            np.array(self.source_table), frame.beam, self.wavelength
        )
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


def _with_spectrum(swept: Sources, spectrum: Spectrum) -> Sources:
    """Give each of some sources all wavelengths of a spectrum."""
    n_directions, n = len(swept.wavelengths), len(spectrum.wavelengths)
    if n_directions * n > LARGEST_SOURCE_COUNT:
        raise ModelError(
            f"sources: {n_directions} directions with {n} wavelengths are {n_directions * n} "
            f"sources; at most {LARGEST_SOURCE_COUNT} are possible"
        )
    weights = np.tile(spectrum.weights, n_directions) / n_directions
    return Sources(
        np.repeat(swept.positions, n, axis=0),
        np.tile(spectrum.wavelengths, n_directions),
        weights,
        weights * len(weights),
        swept.deviations,
        spectrum.wavelengths,
    )


def swept_sources(
    sweeps: tuple[Sweep, Sweep, Sweep],
    wavelength: float,
    directions: tuple[np.ndarray, np.ndarray, np.ndarray],
    round_divergence: bool,
    distance: float = SOURCE_DISTANCE,
) -> Sources:
    """Make the sources of a divergence and a dispersion.

    Parameters
    ----------
    sweeps : tuple of 3 Sweep
        Horizontal and vertical divergence (rad), and relative bandwidth.
    wavelength : float
        Central wavelength (m).
    directions : tuple of 3 ndarray, shape (3,)
        Unit vectors of beam, polarization and the vertical in the laboratory.
    round_divergence : bool
        Cut the grid of sources to an ellipse.
    distance : float, optional
        Distance of the sources from the sample (m). It affects reports only.

    Returns
    -------
    Sources
        Sources of equal brightness. The wavelength varies fastest.

    Raises
    ------
    ModelError
        If there are no sources, or too many.
    """
    horizontal, vertical, dispersion = ((each.range, each.step, each.count) for each in sweeps)
    count = horizontal[2] * vertical[2] * dispersion[2]
    if count > LARGEST_SOURCE_COUNT:
        raise ModelError(
            f"sources: {horizontal[2]} x {vertical[2]} directions with {dispersion[2]} "
            f"wavelengths are {count} sources; at most {LARGEST_SOURCE_COUNT} are possible"
        )
    deviations = divergence_maths.deviations(horizontal, vertical, round_divergence)
    spectrum = divergence_maths.wavelengths(wavelength, dispersion)
    positions = divergence_maths.source_positions(deviations, *directions, distance)
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


def tabulated_sources(
    given: np.ndarray, beam: np.ndarray, wavelength: float, distance: float = SOURCE_DISTANCE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Replace the NaN of a table of sources by defaults, and check the sources.

    Parameters
    ----------
    given : ndarray, shape (n, 5)
        x, y, z (m), weight, wavelength (m); NaN stands for a default.
    beam : ndarray, shape (3,)
        Direction of the beam, for positions that are not given.
    wavelength : float
        Wavelength if none is given (m).
    distance : float, optional
        Distance of sources whose position is not given (m).

    Returns
    -------
    positions : ndarray, shape (n, 3)
        Vectors from the sample to the sources (m).
    weights, wavelengths : ndarray, shape (n,)
        Weights, and wavelengths (m).

    Raises
    ------
    ModelError
        If a source has no direction or no wavelength.
    """
    defaults = [*(-distance * beam), 1.0, wavelength]
    table = np.where(np.isnan(given), defaults, given)
    positions, weights, wavelengths = table[:, :3], table[:, 3], table[:, 4]
    for row, (position, of_row) in enumerate(zip(positions, wavelengths, strict=True), 1):
        if not position.any() or not np.isfinite(position).all():
            raise ModelError(f"source {row}: the position {position} has no direction")
        if not 0.0 < of_row < np.inf:
            raise ModelError(f"source {row}: the wavelength must be positive: {of_row} m")
    return positions, weights, wavelengths
