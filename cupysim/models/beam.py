"""The X-ray beam: wavelength, fluence, polarization, and sources."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace

import numpy as np

from cupysim.constants import CLASSICAL_ELECTRON_RADIUS_SQUARED
from cupysim.errors import CupysimWarning, ModelError
from cupysim.maths.polarization import linear_polarization
from cupysim.models.beam_profile import BeamProfile
from cupysim.models.checks import assign, checked_stokes, finite, frozen
from cupysim.models.conventions import UnitFrame
from cupysim.models.sampling import Sweep
from cupysim.models.sources import (
    PLAUSIBLE_WAVELENGTHS,
    Sources,
    swept_sources,
    tabulated_sources,
    with_spectrum,
)
from cupysim.models.spectrum import Spectrum
from cupysim.quirks import CORRECTED, Quirk, Quirks, warn_quirk

DEFAULT_FLUENCE = 125932015286227086360700780544.0
"""Fluence (photons/m^2) whose product with r_e^2 is 1."""


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
    stokes : ndarray, shape (2,) or (n, 2), optional
        Relative Stokes parameters Q/I and U/I of the beam, or of each row of the source table; in
        place of `polarization`. Q is positive for a field along the frame's polarization axis, and
        U for one at 45 degrees to it, towards the frame's vertical. A spectrum may have Stokes
        parameters for each wavelength instead.
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
    profile : BeamProfile, optional
        Fluence across the beam, relative to `fluence`. It needs an `Experiment` with a body.
    weights_count : bool
        Use the weights of the table even if quirk Q13 is not corrected, as for a spectrum from a
        file.

    Raises
    ------
    ModelError
        If wavelength, fluence, dispersion, source table, Stokes parameters or profile are
        impossible, or two of them exclude each other.
    """

    wavelength: float = 1e-10
    fluence: float = DEFAULT_FLUENCE
    polarization: float = 0.0
    polarized: bool = True
    stokes: np.ndarray | None = None
    horizontal: Sweep = field(default_factory=Sweep)
    vertical: Sweep = field(default_factory=Sweep)
    dispersion: Sweep = field(default_factory=Sweep)
    round_divergence: bool = True
    source_table: np.ndarray | None = None
    spectrum: Spectrum | None = None
    profile: BeamProfile | None = None
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
        if not isinstance(self.profile, BeamProfile | None):
            raise ModelError(f"beam: profile must be a BeamProfile, got {self.profile!r}")
        self._check_stokes()
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

    def _check_stokes(self) -> None:
        of_spectrum = self.spectrum is not None and self.spectrum.stokes is not None
        if self.stokes is None and not of_spectrum:
            return
        if self.polarization != 0.0:
            raise ModelError(
                "beam: give a Kahn factor (polarization) or Stokes parameters, not both"
            )
        if not self.polarized:
            raise ModelError("beam: Stokes parameters have no effect if polarized is False")
        if self.stokes is None:
            return
        if of_spectrum:
            raise ModelError("beam: the spectrum has Stokes parameters already")
        stokes = checked_stokes(self.stokes, "beam")
        rows = 1 if self.source_table is None else len(self.source_table)
        if len(np.atleast_2d(stokes)) not in {1, rows}:
            raise ModelError(
                f"beam: stokes has {len(stokes)} rows, but there are {rows} in the source table; "
                "those of wavelengths belong in the spectrum"
            )
        assign(self, stokes=stokes)

    @property
    def central_wavelength(self) -> float:
        """Wavelength of the beam or, with a spectrum, of its mean energy (m)."""
        return self.wavelength if self.spectrum is None else self.spectrum.central_wavelength

    def with_wavelength(self, wavelength: float) -> Beam:
        """Return the beam with another central wavelength.

        Parameters
        ----------
        wavelength : float
            Central wavelength (m), see `central_wavelength`. All wavelengths of a spectrum change
            in proportion.
        """
        spectrum = self.spectrum
        if spectrum is not None:
            moved = spectrum.wavelengths * (wavelength / spectrum.central_wavelength)
            spectrum = Spectrum(moved, spectrum.weights, spectrum.stokes)
        return replace(self, wavelength=wavelength, spectrum=spectrum)

    def mean_polarization(self, frame: UnitFrame, sources: Sources) -> tuple[float, np.ndarray]:
        """Kahn factor, and direction of the electric field, of all photons together.

        Parameters
        ----------
        frame : UnitFrame
            Directions of polarization and the vertical in the laboratory.
        sources : Sources
            Sources of this beam.

        Returns
        -------
        kahn : float
            Kahn factor; 0 if the beam has no polarization factor.
        axis : ndarray, shape (3,)
            Direction of the electric field, unit vector.
        """
        if not self.polarized:
            return 0.0, frame.polarization
        mean = sources.mean_stokes
        kahn, axes = self.linear_polarization(frame, None if mean is None else mean[None], 1)
        return float(kahn[0]), axes[0]

    def linear_polarization(
        self, frame: UnitFrame, stokes: np.ndarray | None, n: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Kahn factor and direction of the electric field of each source.

        Parameters
        ----------
        frame : UnitFrame
            Directions of polarization and the vertical in the laboratory.
        stokes : ndarray, shape (n, 2), or None
            Stokes parameters of the sources; None for the Kahn factor of the beam.
        n : int
            Number of sources.

        Returns
        -------
        kahn : ndarray, shape (n,)
            Kahn factors.
        axes : ndarray, shape (n, 3)
            Directions of the electric field, unit vectors.
        """
        if stokes is None:
            return np.full(n, self.polarization), np.tile(frame.polarization, (n, 1))
        return linear_polarization(stokes, frame.horizontal, frame.vertical)

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
            found = self._tabulated(frame, quirks)
            return self._with_stokes(found)
        sweeps = self.horizontal, self.vertical, self.dispersion
        directions = frame.beam, frame.polarization, frame.vertical
        swept = swept_sources(sweeps, self.wavelength, directions, self.round_divergence)
        if self.spectrum is not None:
            swept = with_spectrum(swept, self.spectrum)
        return self._with_stokes(swept)

    def _with_stokes(self, sources: Sources) -> Sources:
        """Give each source the Stokes parameters of the beam, if it has any."""
        if self.stokes is None:
            return sources
        shape = len(sources.wavelengths), 2
        return replace(sources, stokes=np.broadcast_to(self.stokes, shape))

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
