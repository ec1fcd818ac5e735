"""The effect of a detector on the photons of a model: means and variances of pixels.

The mean of a pixel is linear in the expected photons. Its derivatives are therefore the derivatives
of the photons, spread in the same way. If photons spread after they are counted, neighbouring
pixels share their noise. The weights remain those of single pixels. The covariance of the fitted
parameters is then that of weighted least squares for the true covariance of the pixels (White
(1980) Econometrica 48, 817).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cupysim.detection.analogue import MEAN_SHOT, switched_gains
from cupysim.detection.calibration import detected_fraction, largest_photons, photons_of
from cupysim.detection.counter import Counter
from cupysim.detection.dead_layer import transmission
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.point_spread import Border
from cupysim.detection.response import Response
from cupysim.detection.wide_spread import convolved
from cupysim.maths.arrays import with_panel_axis
from cupysim.refine.deviance import FEWEST
from cupysim.refine.observation import Observation

WHOLE_PHOTONS = 0.2
"""Read-out noise (photons rms) below which signals of pixels are rounded to whole photons."""

OWN_VARIANCE = 0.02
"""Largest variance of the read-out, divided by the photons, that a Poisson likelihood neglects."""


@dataclass(frozen=True, eq=False)
class DetectorModel:
    """The response of a detector, for fits.

    Parameters
    ----------
    response : Response
        The response.
    exposure : Exposure
        Photon energy and exposure time.
    grids : sequence of PixelGrid
        The panels, or the only one. Small panels are at the beginning of their part of the image.
    """

    response: Response
    exposure: Exposure
    grids: Sequence[PixelGrid]

    def observed(self, raw: np.ndarray, used: np.ndarray | None = None) -> Observation:
        """Make an observation of raw numbers.

        Parameters
        ----------
        raw : ndarray of int, shape ([n_panels,] n_slow, n_fast)
            Raw numbers.
        used : ndarray of bool, same shape, optional
            Pixels to use. By default all pixels with a value.

        Returns
        -------
        Observation
            Photons, the used pixels, and the overloads among them. For an overload, only a lower
            limit of the photons is known. Fits without overloads would be biased, because they
            would lack bright pixels whose counts are high by chance.
        """
        photons, has_value, is_overload = self._measured(raw)
        taken = has_value if used is None else has_value & used
        most = self._largest_photons
        # the converter of a pixel may end below the largest number of photons
        photons[is_overload] = np.minimum(photons[is_overload], most / self._fraction)
        return Observation(np.where(taken, photons, 0.0), taken, self, is_overload & taken)

    @property
    def _largest_photons(self) -> float:
        """Smallest number of photons of an overload, before the division by `_fraction`."""
        most, readout = largest_photons(self.response, self.exposure), self.response.readout
        if isinstance(readout, Counter) and not readout.rate_correction:
            times = readout.pulse_times(self.exposure)
            most = most if times is None else float(times.corrected(np.array(most)))
        return most

    @property
    def _fraction(self) -> float:
        return detected_fraction(self.response, self.grids[0])

    def _measured(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Photons of raw numbers, pixels with a value, and overloads.

        Photons are rounded to whole numbers where the read-out noise is below `WHOLE_PHOTONS`.
        """
        photons, has_value = np.zeros(raw.shape), np.zeros(raw.shape, dtype=bool)
        is_overload = np.zeros(raw.shape, dtype=bool)
        for number, grid in enumerate(self.grids):
            part = number, slice(0, grid.n_slow), slice(0, grid.n_fast)
            found = photons_of(self.response, with_panel_axis(raw)[part], grid, self.exposure)
            usable = np.isfinite(found.photons)
            whole = found.noise < WHOLE_PHOTONS if self.counts_photons else False
            values = np.where(whole, np.maximum(np.rint(found.photons), 0.0), found.photons)
            with_panel_axis(photons)[part] = np.where(usable, values, 0.0)
            with_panel_axis(has_value)[part] = usable
            with_panel_axis(is_overload)[part] = found.is_overload
        return photons, has_value, is_overload

    def log_likelihood(self, raw: np.ndarray, expected: np.ndarray) -> float:
        """Log of the likelihood of expected photons, given raw numbers.

        Parameters
        ----------
        raw : ndarray of int, shape ([n_panels,] n_slow, n_fast)
            Raw numbers.
        expected : ndarray, same shape
            Expected photons.

        Returns
        -------
        float
            Sum over pixels with a value. If the noise is that of Poisson, a pixel adds the
            log-probability of its count. Otherwise, it adds the log-density of a normal
            distribution with the mean and the variance of the pixel. An overload adds the
            log-probability of at least as many photons. The sum neglects noise that neighbouring
            pixels share.
        """
        from scipy.special import gammaln, log_ndtr, xlogy

        observation = self.observed(raw)
        means = self.mean(np.asarray(expected, dtype=np.float64))
        used, counts = observation.used, observation.counts[observation.used]
        assert observation.limited is not None
        limited, mean = observation.limited[used], np.maximum(means[used], FEWEST)
        if self.target(counts) == "poisson":
            logs = xlogy(counts, mean) - mean - gammaln(counts + 1.0)
        else:
            variance = np.maximum(self.variance(expected, means)[used], FEWEST)
            logs = -0.5 * ((counts - mean) ** 2 / variance + np.log(2.0 * np.pi * variance))
        above = (mean - counts) / self.limit_deviations(np.maximum(counts, 0.0) + FEWEST)
        return float(np.where(limited, log_ndtr(above), logs).sum())

    def limit_deviations(self, limits: np.ndarray) -> np.ndarray:
        """Standard deviations (photons) of pixels whose means are equal to the limits."""
        return np.sqrt(limits + self._own_variance(limits))

    @property
    def counts_photons(self) -> bool:
        """Whether signals are whole photons with Poisson noise, if the signal is weak."""
        if isinstance(self.response.readout, Counter):
            return True
        return self._first_noise < WHOLE_PHOTONS and not self.shares_noise

    def target(self, photons: np.ndarray) -> str:
        """The target that fits the noise of an image: one of `cupysim.refine.problem.TARGETS`."""
        if not self.counts_photons:
            return "squares"
        most = np.array([float(photons.max(initial=1.0))])
        return "poisson" if self._own_variance(most)[0] < OWN_VARIANCE * most[0] else "squares"

    @property
    def _first_noise(self) -> float:
        """Read-out noise of a pixel without signal (photons rms)."""
        readout = self.response.readout
        if isinstance(readout, Counter):
            return 0.0
        return readout.in_photons(self.exposure.photon_energy, MEAN_SHOT)[0].noise

    @property
    def spreads(self) -> bool:
        """Whether photons give signals in pixels other than the one where they arrive."""
        return self.response.point_spread is not None or self.response.sharing is not None

    def _at_sensor(self, image: np.ndarray, grid: PixelGrid) -> np.ndarray:
        """Photons that pass the dead layer."""
        absorption = self.response.absorption(self.exposure.photon_energy)
        return image * transmission(absorption, grid) if absorption > 0.0 else image

    @property
    def shares_noise(self) -> bool:
        """Whether neighbouring pixels share the noise of counted photons."""
        spread = self.response.point_spread
        return (spread is not None and spread.after_counting) or self.response.sharing is not None

    def mean(self, images: np.ndarray) -> np.ndarray:
        """Mean photons of pixels, by the calibration of the detector.

        Parameters
        ----------
        images : ndarray, shape (..., [n_panels,] n_slow, n_fast)
            Expected photons, or derivatives of them.

        Returns
        -------
        ndarray of float64, same shape
            Means, or derivatives of them.
        """
        if not self.spreads and self.response.dead_layer is None:
            return images
        return self._by_panels(images, self._mean_of_panel)

    def _mean_of_panel(self, image: np.ndarray, grid: PixelGrid) -> np.ndarray:
        image, spread = self._at_sensor(image, grid), self.response.point_spread
        if spread is not None:
            image = spread.apply(image, grid)
        if self.response.sharing is None:
            return image
        ways = self.response.ways(grid)
        shares = np.einsum("w,wyx->yx", ways.probabilities.astype(np.float64), ways.shares)
        return convolved(image, shares / detected_fraction(self.response, grid), Border.LOST)

    def _by_panels(
        self, images: np.ndarray, change: Callable[[np.ndarray, PixelGrid], np.ndarray]
    ) -> np.ndarray:
        shape = images.shape
        stack = images.reshape(-1, len(self.grids), *shape[-2:])
        result = np.empty(stack.shape)
        for number, grid in enumerate(self.grids):
            for place, image in enumerate(stack[:, number]):
                part = image[: grid.n_slow, : grid.n_fast]
                result[place, number] = 0.0
                result[place, number, : grid.n_slow, : grid.n_fast] = change(part, grid)
        return result.reshape(shape)

    def variance(self, expected: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Variance of the photons of pixels.

        Parameters
        ----------
        expected : ndarray, shape ([n_panels,] n_slow, n_fast)
            Expected photons of the model.
        mean : ndarray, same shape
            Means of pixels, as from `mean`.

        Returns
        -------
        ndarray of float64, same shape
            Variances (photons^2).
        """
        mean = np.maximum(mean, 0.0)
        counting = mean
        if self.shares_noise:
            counting = self._by_panels(self._counted(expected), self._shared_variance)
        return counting + self._own_variance(mean)

    def _counted(self, expected: np.ndarray) -> np.ndarray:
        """Mean numbers of photons that are counted, before their light spreads."""
        spread, photons = self.response.point_spread, expected
        if self.response.dead_layer is not None:
            photons = self._by_panels(photons, self._at_sensor)
        if spread is not None and not spread.after_counting:
            photons = self._by_panels(photons, spread.apply)
        return np.maximum(photons, 0.0)

    def _shared_variance(self, counted: np.ndarray, grid: PixelGrid) -> np.ndarray:
        total = np.zeros(counted.shape)
        for probability, kernel in self._kernels(grid):
            total += probability * convolved(counted, kernel**2, Border.LOST)
        return np.maximum(total, 0.0)

    def _kernels(self, grid: PixelGrid) -> list[tuple[float, np.ndarray]]:
        """Signals that one photon makes around its pixel, with the probability of each way."""
        from scipy.signal import convolve2d

        ways, spread = self.response.ways(grid), self.response.point_spread
        fraction = detected_fraction(self.response, grid)
        kernels = [shares.astype(np.float64) / fraction for shares in ways.shares]
        if spread is not None and spread.after_counting:
            table = spread.table(grid)
            if ways.is_whole:
                kernels = [table]
            else:
                kernels = [convolve2d(table, kernel) for kernel in kernels]
        return list(zip(ways.probabilities.tolist(), kernels, strict=True))

    def _own_variance(self, mean: np.ndarray) -> np.ndarray:
        """Variance of the read-out or of the dead time, which each pixel has by itself."""
        readout, energy = self.response.readout, self.exposure.photon_energy
        if isinstance(readout, Counter):
            times = readout.pulse_times(self.exposure)
            if times is None:
                return np.zeros(mean.shape)
            return np.asarray(times.moments(mean)[1] / times.slope(mean) ** 2)
        gains = readout.in_photons(energy, MEAN_SHOT)
        which = switched_gains(mean, gains)
        noise = np.array([gain.noise**2 + 1.0 / (12.0 * gain.adu**2) for gain in gains])[which]
        result = noise + readout.variance_per_photon(energy) * mean
        if not readout.knows_pixels:
            spreads = [(gain.gain_spread, gain.pedestal_spread / gain.adu) for gain in gains]
            error = np.array(spreads)[which]
            result = result + (error[..., 0] * mean) ** 2 + error[..., 1] ** 2
        return np.asarray(result)

    def correlation_of_squares(self) -> float:
        """Sum of squared correlations of a pixel's noise with the noise of all pixels.

        It is at least 1. The variance of chi-squared is larger by this factor.
        """
        if not self.shares_noise:
            return 1.0
        from scipy.signal import fftconvolve

        covariance = None
        for probability, kernel in self._kernels(self.grids[0]):
            own = probability * fftconvolve(kernel, kernel[::-1, ::-1])
            covariance = own if covariance is None else covariance + own
        assert covariance is not None
        return float((covariance**2).sum() / covariance.max() ** 2)

    def covariance_of_scores(
        self, weighted: np.ndarray, expected: np.ndarray, mean: np.ndarray
    ) -> np.ndarray:
        """Covariance of sums of weighted pixels.

        Parameters
        ----------
        weighted : ndarray, shape (n_sums, [n_panels,] n_slow, n_fast)
            Weights of pixels in each sum.
        expected, mean : ndarray, shape ([n_panels,] n_slow, n_fast)
            As for `variance`.

        Returns
        -------
        ndarray, shape (n_sums, n_sums)
            Covariance.
        """
        count = len(weighted)
        own = self._own_variance(np.maximum(mean, 0.0))
        flat = weighted.reshape(count, -1)
        total = (flat * own.reshape(-1)) @ flat.T
        source = self._counted(expected)
        stack = weighted.reshape(count, len(self.grids), *weighted.shape[-2:])
        for number, grid in enumerate(self.grids):
            counted = with_panel_axis(source)[number][: grid.n_slow, : grid.n_fast].reshape(-1)
            for probability, kernel in self._kernels(grid):
                back = np.stack([
                    convolved(each[: grid.n_slow, : grid.n_fast], kernel[::-1, ::-1], Border.LOST)
                    for each in stack[:, number]
                ]).reshape(count, -1)  # fmt: skip
                total += probability * (back * counted) @ back.T
        return np.asarray(total)
