"""Spectra of a beam: wavelengths and their shares of the photons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.checks import assign, checked_stokes, finite, frozen

SAMPLES = 64
"""Default number of wavelengths of a continuous spectrum."""

REACH = 3.0
"""Range of a Gaussian to either side of its centre, in standard deviations; 0.3 % is beyond."""

SIGMA_PER_WIDTH = 1.0 / math.sqrt(8.0 * math.log(2.0))
"""Standard deviation of a Gaussian, relative to its full width at half maximum."""

FEW = 1e-3
"""Part of the photons at each end of a spectrum that does not count for its range."""

GAUSSIAN_REACH = 4.0
"""Reach of the Gaussian that smooths random amplitudes, in standard deviations."""

FINE_SAMPLES = 2**14
"""Number of wavelengths of a random spectrum, before neighbours are merged."""

LARGEST_SAMPLES = 100_000
"""Largest number of wavelengths."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Wavelengths of a beam, and their shares of the photons.

    Parameters
    ----------
    wavelengths : ndarray, shape (n,)
        Wavelengths (m).
    weights : ndarray, shape (n,)
        Photons at each wavelength, in any unit. They are divided by their sum.
    stokes : ndarray, shape (n, 2), optional
        Relative Stokes parameters Q/I and U/I at each wavelength, in place of the beam's
        polarization (see `Beam`).

    Raises
    ------
    ModelError
        If a wavelength is not positive, the weights are negative or all zero, or Stokes parameters
        are impossible.
    """

    wavelengths: np.ndarray
    weights: np.ndarray
    stokes: np.ndarray | None = None

    def __post_init__(self) -> None:
        wavelengths, weights = (
            np.atleast_1d(np.asarray(each, dtype=np.float64))
            for each in (self.wavelengths, self.weights)
        )
        if wavelengths.ndim != 1 or wavelengths.shape != weights.shape or not len(weights):
            raise ModelError("spectrum: wavelengths and weights must be lists of one length")
        if len(wavelengths) > LARGEST_SAMPLES:
            raise ModelError(
                f"spectrum: {len(wavelengths)} wavelengths; at most {LARGEST_SAMPLES} are possible"
            )
        if not (np.isfinite(wavelengths).all() and (wavelengths > 0.0).all()):
            raise ModelError("spectrum: wavelengths must be positive")
        if not (np.isfinite(weights).all() and (weights >= 0.0).all() and weights.any()):
            raise ModelError("spectrum: weights must not be negative, nor all be zero")
        assign(self, wavelengths=frozen(wavelengths), weights=frozen(weights / weights.sum()))
        if self.stokes is not None:
            stokes = checked_stokes(self.stokes, "spectrum")
            if stokes.shape != (len(weights), 2):
                raise ModelError("spectrum: stokes must have a row for each wavelength")
            assign(self, stokes=stokes)

    @property
    def mean_wavelength(self) -> float:
        """Mean wavelength (m), weighted by photons."""
        return float(self.wavelengths @ self.weights)

    @property
    def central_wavelength(self) -> float:
        """Wavelength of the mean energy (m), weighted by photons."""
        return 1.0 / float(self.weights @ (1.0 / self.wavelengths))

    @property
    def width(self) -> float:
        """Standard deviation of the energies, weighted by photons, relative to their mean."""
        offsets = self.energy_offsets
        return math.sqrt(float(self.weights @ offsets**2))

    @property
    def energy_offsets(self) -> np.ndarray:
        """Differences of the energies from their mean, relative to it, shape (n,)."""
        return np.asarray(self.central_wavelength / self.wavelengths - 1.0)

    def stretched(self, factor: float) -> Spectrum:
        """Return the spectrum with another width and the same mean energy.

        Parameters
        ----------
        factor : float
            Factor of the differences of the energies from their mean.

        Raises
        ------
        ModelError
            If an energy would not be positive.
        """
        offsets = self.energy_offsets
        wider = 1.0 + factor * offsets
        if not wider.min() > 0.0:
            raise ModelError(f"spectrum: {factor:g} times its width would reach the energy zero")
        wavelengths = self.wavelengths * (1.0 + offsets) / wider
        return Spectrum(wavelengths, self.weights, self.stokes)

    @classmethod
    def lines(cls, wavelengths: Sequence[float], weights: Sequence[float] = ()) -> Spectrum:
        """Make a spectrum of single wavelengths.

        Parameters
        ----------
        wavelengths : sequence of float
            Wavelengths (m).
        weights : sequence of float, optional
            Their shares of the photons; by default equal.
        """
        return cls(np.array(wavelengths), np.array(weights or np.ones(len(wavelengths))))

    @classmethod
    def tophat(cls, wavelength: float, bandwidth: float, samples: int = SAMPLES) -> Spectrum:
        """Make a top-hat spectrum: equal photons at all energies of a range.

        Parameters
        ----------
        wavelength : float
            Central wavelength (m).
        bandwidth : float
            Full width in energy, relative to the centre.
        samples : int, optional
            Number of wavelengths, in the middles of equal parts.
        """
        places = _middles(samples, 0.5 * _width(bandwidth))
        return cls(wavelength / (1.0 + places), np.ones(samples))

    @classmethod
    def gaussian(cls, wavelength: float, bandwidth: float, samples: int = SAMPLES) -> Spectrum:
        """Make a spectrum with a Gaussian distribution of energies.

        Parameters
        ----------
        wavelength : float
            Central wavelength (m).
        bandwidth : float
            Full width at half maximum in energy, relative to the centre.
        samples : int, optional
            Number of wavelengths, within three standard deviations.
        """
        sigma = _width(bandwidth) * SIGMA_PER_WIDTH
        places = _middles(samples, REACH * sigma)
        return cls(wavelength / (1.0 + places), np.exp(-0.5 * (places / sigma) ** 2))

    @classmethod
    def two_colours(
        cls, wavelength: float, separation: float, bandwidth: float, samples: int = SAMPLES
    ) -> Spectrum:
        """Make a spectrum with two equal Gaussian distributions of energies.

        Parameters
        ----------
        wavelength : float
            Wavelength (m) of the mean of the two energies.
        separation : float
            Difference of the two energies, relative to their mean.
        bandwidth : float
            Full width at half maximum of each, relative to the mean energy.
        samples : int, optional
            Number of wavelengths of both together.
        """
        half = cls.gaussian(1.0, bandwidth, max(samples // 2, 1))
        places = 1.0 / half.wavelengths - 1.0
        shift = 0.5 * _width(separation)
        both = np.concatenate([places - shift, places + shift])
        return cls(wavelength / (1.0 + both), np.tile(half.weights, 2))

    @classmethod
    def sase(
        cls,
        wavelength: float,
        bandwidth: float,
        spikes: float = 20.0,
        seed: int = 1,
        samples: int = SAMPLES,
    ) -> Spectrum:
        """Make a random spectrum of self-amplified spontaneous emission.

        Parameters
        ----------
        wavelength : float
            Central wavelength (m).
        bandwidth : float
            Full width at half maximum of the mean spectrum in energy, relative to the centre.
        spikes : float, optional
            Mean number of spikes within that width.
        seed : int, optional
            Seed of the random numbers.
        samples : int, optional
            Number of wavelengths. The spectrum itself does not depend on it: neighbouring
            wavelengths of a fine spectrum are merged.

        Notes
        -----
        The spectrum is the squared modulus of smoothed random complex amplitudes, times a Gaussian,
        as in campaigns (Saldin, Schneidmiller & Yurkov (1998) Opt. Commun. 148, 383).
        """
        if not spikes > 0.0:
            raise ModelError(f"spectrum: the number of spikes must be positive, got {spikes:g}")
        sigma = _width(bandwidth) * SIGMA_PER_WIDTH
        places = _middles(FINE_SAMPLES, REACH * sigma)
        generator = np.random.Generator(np.random.Philox(seed))
        field = generator.normal(size=(2, FINE_SAMPLES))
        # width of a spike in samples
        width = FINE_SAMPLES / (2.0 * REACH * SIGMA_PER_WIDTH * spikes) * SIGMA_PER_WIDTH
        smooth = _smoothed(field, width)
        weights = np.exp(-0.5 * (places / sigma) ** 2) * (smooth**2).sum(axis=0)
        fine = cls(wavelength / (1.0 + places), weights)
        _check_samples(samples)
        if samples >= FINE_SAMPLES:
            return fine
        # the same parts for all seeds
        edges = (1.0 + REACH * sigma * np.array([-1.0, 1.0])) / wavelength
        return fine._merged(samples, float(edges[0]), float(edges[1]))

    def _range_of_energies(self) -> tuple[float, float]:
        """Range of energies (1/m) without those at its ends that have few photons."""
        energies = 1.0 / self.wavelengths
        order = np.argsort(energies)
        before = np.cumsum(self.weights[order])
        first = int(np.searchsorted(before, FEW))
        last = int(np.searchsorted(before, 1.0 - FEW))
        found = energies[order]
        low, high = found[first], found[min(last, len(found) - 1)]
        # half a step on each side, so that evenly spaced energies are in the middles of parts
        margin = 0.5 * (high - low) / max(last - first, 1)
        return (low - margin, high + margin) if high > low else (found[0], found[-1])

    def reduced(self, samples: int) -> Spectrum:
        """Merge neighbouring wavelengths. The photons and the mean energy do not change.

        Parameters
        ----------
        samples : int
            Largest number of wavelengths.

        Returns
        -------
        Spectrum
            Equal parts of the range of energies that has nearly all photons, each with its mean
            energy. The first and the last part also have the photons beyond this range.

        Raises
        ------
        ModelError
            If the number is not from 1 to `LARGEST_SAMPLES`.
        """
        _check_samples(samples)
        if len(self.wavelengths) <= samples:
            return self
        return self._merged(samples, *self._range_of_energies())

    def _merged(self, samples: int, low: float, high: float) -> Spectrum:
        """Merge the wavelengths in equal parts of a range of energies (1/m)."""
        energies = 1.0 / self.wavelengths
        part = np.clip((energies - low) / (high - low) * samples, 0, samples - 1).astype(int)
        weights = np.bincount(part, self.weights, samples)
        means = np.bincount(part, self.weights * energies, samples)
        used = weights > 0.0
        stokes = None
        if self.stokes is not None:
            sums = [np.bincount(part, self.weights * each, samples)[used] for each in self.stokes.T]
            stokes = np.stack(sums, axis=1) / weights[used, None]
        return Spectrum(weights[used] / means[used], weights[used], stokes)


def _width(value: float) -> float:
    number = finite(value, "spectrum: bandwidth")
    if not 0.0 < number < 1.0:
        raise ModelError(f"spectrum: a width must be between 0 and 100 %, got {100 * number:g} %")
    return number


def _smoothed(rows: np.ndarray, sigma: float) -> np.ndarray:
    """Periodic rows, smoothed with a Gaussian of a standard deviation in samples.

    The Gaussian ends at `GAUSSIAN_REACH` standard deviations.
    """
    count, radius = rows.shape[1], int(GAUSSIAN_REACH * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    values = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = np.bincount(offsets % count, values / values.sum(), count)
    return np.asarray(np.fft.irfft(np.fft.rfft(rows) * np.fft.rfft(kernel), count))


def _middles(samples: int, half: float) -> np.ndarray:
    """Middles of equal parts of a range around zero."""
    _check_samples(samples)
    if half >= 1.0:
        raise ModelError(f"spectrum: a range of {200 * half:.0f} % reaches the energy zero")
    return np.asarray(half * (2.0 * np.arange(samples) + 1.0 - samples) / samples)


def _check_samples(samples: int) -> None:
    if not 1 <= samples <= LARGEST_SAMPLES:
        raise ModelError(
            f"spectrum: the number of samples must be from 1 to {LARGEST_SAMPLES}, got {samples}"
        )
