"""The sources of a beam: from divergence and bandwidth, a spectrum, or a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.constants import SOURCE_DISTANCE
from cupysim.errors import ModelError
from cupysim.maths import divergence as divergence_maths
from cupysim.maths.arrays import unit
from cupysim.models.sampling import Sweep
from cupysim.models.spectrum import Spectrum

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
    stokes : ndarray, shape (n, 2), optional
        Relative Stokes parameters Q/I and U/I of each source.
    """

    positions: np.ndarray
    wavelengths: np.ndarray
    weights: np.ndarray
    brightness: np.ndarray
    deviations: np.ndarray | None = None
    spectrum: np.ndarray | None = None
    stokes: np.ndarray | None = None

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

    @property
    def mean_stokes(self) -> np.ndarray | None:
        """Q/I and U/I of all photons together, shape (2,); None without Stokes parameters."""
        if self.stokes is None:
            return None
        return np.asarray(self.brightness @ self.stokes / self.brightness.sum())


def with_spectrum(swept: Sources, spectrum: Spectrum) -> Sources:
    """Give each of some sources all wavelengths of a spectrum.

    Parameters
    ----------
    swept : Sources
        Sources of one wavelength.
    spectrum : Spectrum
        Wavelengths and their shares of the photons.

    Raises
    ------
    ModelError
        If there are too many sources.
    """
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
        None if spectrum.stokes is None else np.tile(spectrum.stokes, (n_directions, 1)),
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
