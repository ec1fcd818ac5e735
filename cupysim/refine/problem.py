"""The function that a refinement minimises: the misfit of expected and counted photons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cupysim.backends.rendered import GradientFunction, Observer
from cupysim.errors import ModelError
from cupysim.maths.arrays import array_namespace, on_host
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import parameter
from cupysim.models.tolerance import Tolerance
from cupysim.refine import filters
from cupysim.refine.deviance import (
    FEWEST,
    deviance_moments,
    deviance_residuals,
    least_likely,
    like_counts,
)
from cupysim.refine.free_parameters import gradient_plan
from cupysim.refine.limits import limit_residuals, limit_slopes
from cupysim.refine.observation import Observation, PixelArrays

TARGETS = ("poisson", "squares")
"""Targets of a fit: Poisson likelihood, or squares of differences divided by their variance."""

BLUR = 5.0
"""Standard deviation, in widths of a spot, of the blur that makes spots disappear."""

WINDOWS = (1, 2, 3)
"""Edges (pixels) of the squares that are searched for remaining spots."""

DARK = 1e-3
"""Smallest variance of a pixel, relative to the mean without spots. Darker pixels get no larger
weight."""


class Problem:
    """A model with free parameters, and the image to fit it to.

    Parameters
    ----------
    experiment : Experiment
        Experiment with the start values. Its mask selects the used pixels.
    observation : Observation
        The measured image.
    names : sequence of str
        Names of the free parameters.
    target : str
        One of `TARGETS`.
    differentiate : GradientFunction
        Function that computes photons and their derivatives.
    coarseness : float, optional
        Divisor of the numbers of cells.
    variances : ndarray, shape ([n_panels,] n_slow, n_fast), optional
        Variances of the image's pixels, for the target "squares". By default, the counts plus 1.

    Attributes
    ----------
    tolerance : Tolerance or None
        Tolerance of the photons and derivatives from now on; None for exact ones.

    Notes
    -----
    Pixels stay where the backend computes them. On a GPU, counts and weights are copied to the
    device with the first image, and residuals are computed there. Only the judgement at the end of
    a fit is computed on the host.
    """

    def __init__(
        self,
        experiment: Experiment,
        observation: Observation,
        names: Sequence[str],
        target: str,
        differentiate: GradientFunction,
        coarseness: float = 1.0,
        variances: np.ndarray | None = None,
    ) -> None:
        self.experiment = experiment
        self.names = tuple(names)
        self.target = target
        self.differentiate = differentiate
        self.coarseness = coarseness
        self.background = coarseness == 1.0  # with a background, wide spots would not show
        self.used = observation.used
        self.detector = observation.detector
        self.limited = (
            None if observation.limited is None else observation.limited[observation.used]
        )
        self.counts = observation.counts[observation.used]
        self.sizes = np.array([parameter(name).size for name in names])
        self.evaluations = 0
        self.tolerance: Tolerance | None = None
        self._last: tuple[object, Any, Any] | None = None
        self._last_expected: tuple[object, np.ndarray] | None = None
        if variances is None:
            variances = np.maximum(observation.counts, 0.0) + 1.0
        self.near = PixelArrays(
            np.flatnonzero(observation.used), self.counts, 1.0 / variances[observation.used]
        )

    @property
    def has_counts(self) -> bool:
        """Whether all values of the image are integers."""
        return bool((self.counts == np.round(self.counts)).all())

    def model(self, x: np.ndarray) -> tuple[Any, Any]:
        """Photons of the used pixels, and their derivatives.

        Parameters
        ----------
        x : ndarray, shape (n_parameters,)
            Changes of the parameters, in the shown units of `PARAMETERS`.

        Returns
        -------
        photons : array, shape (n_pixels,)
            Expected photons, in the memory of the backend.
        slopes : array, shape (n_pixels, n_parameters)
            Derivatives of the expected photons with respect to the parameters.
        """
        key = self._key(x)
        if self._last is None or self._last[0] != key:
            shifts = dict(zip(self.names, (np.asarray(x) * self.sizes).tolist(), strict=True))
            scale = 1.0 + shifts.get("scale", 0.0)
            plan = gradient_plan(
                self.experiment, shifts, self.names, self.coarseness, self.background
            )
            found = self.differentiate(plan.within(self.tolerance), Observer())
            unscaled = self._of_used(self._detected(found.photons))
            sizes = array_namespace(unscaled).asarray(scale * self.sizes)
            slopes = sizes * self._of_used(self._detected(found.values)).T
            if "scale" in self.names:
                slopes[:, self.names.index("scale")] = unscaled
            self.evaluations += 1
            self._last = key, scale * unscaled, slopes
        return self._last[1], self._last[2]

    def _key(self, x: np.ndarray) -> object:
        """Values that determine photons and derivatives."""
        return np.asarray(x, dtype=np.float64).tobytes(), self.tolerance

    def photons(self, x: np.ndarray) -> Any:
        """Expected photons of the used pixels, shape (n_pixels,), without derivatives."""
        if self._last is not None and self._last[0] == self._key(x):
            return self._last[1]
        return self._render(x, self.background)

    def spots(self, x: np.ndarray) -> Any:
        """Expected photons of the used pixels without the background, shape (n_pixels,)."""
        return self._render(x, background=False)

    def _render(self, x: np.ndarray, background: bool) -> Any:
        shifts = dict(zip(self.names, (np.asarray(x) * self.sizes).tolist(), strict=True))
        plan = gradient_plan(self.experiment, shifts, ("scale",), self.coarseness, background)
        self.evaluations += 1
        found = self.differentiate(plan.within(self.tolerance), Observer())
        return (1.0 + shifts.get("scale", 0.0)) * self._of_used(self._detected(found.photons))

    def _detected(self, images: Any) -> Any:
        """Mean photons of pixels for expected photons, or for their derivatives."""
        return images if self.detector is None else self.detector.mean(on_host(images))

    def expected(self, x: np.ndarray) -> np.ndarray:
        """Expected photons of all rendered pixels, before they spread, on the host."""
        key = self._key(x)
        if self._last_expected is not None and self._last_expected[0] == key:
            return self._last_expected[1]
        shifts = dict(zip(self.names, (np.asarray(x) * self.sizes).tolist(), strict=True))
        plan = gradient_plan(self.experiment, shifts, ("scale",), self.coarseness, self.background)
        self.evaluations += 1
        found = self.differentiate(plan.within(self.tolerance), Observer())
        photons = (1.0 + shifts.get("scale", 0.0)) * on_host(found.photons)
        self._last_expected = key, np.asarray(photons.reshape(self.used.shape))
        return self._last_expected[1]

    def variances(self, x: np.ndarray) -> np.ndarray:
        """Variances of the used pixels of the model, by the detector's response."""
        assert self.detector is not None
        expected = self.expected(x)
        return self.detector.variance(expected, self.detector.mean(expected))[self.used]

    def _judged(self, x: np.ndarray) -> np.ndarray:
        """Expected photons of the used pixels, copied to the host."""
        return on_host(self.photons(x))

    def _of_used(self, images: Any) -> Any:
        """The used pixels of images, shape (..., n_pixels). Counts and weights move with them."""
        self.near = self.near.beside(images)
        kept = images.shape[: images.ndim - self.used.ndim]
        return images.reshape(*kept, -1)[..., self.near.places]

    def residuals(self, x: np.ndarray) -> Any:
        """Residuals, shape (n_pixels,). The fit minimises the sum of their squares.

        For the target "poisson" they are deviance residuals. For "squares" they are
        (n - m)/sqrt(v + 1), with the variance v of `reweigh`. They are infinite if the model is
        impossible.
        """
        try:
            photons, _ = self.model(x)
        except ModelError:
            return np.full(len(self.counts), np.inf)
        counts, weights = self.near.counts, self.near.weights
        xp = array_namespace(photons)
        if self.target == "squares":
            residuals = (counts - photons) * xp.sqrt(weights)
        else:
            residuals = deviance_residuals(counts, xp.maximum(photons, FEWEST))
        if self.limited is not None and self.limited.any():
            residuals[self.limited] = limit_residuals(*self._limits(photons))
        return residuals

    def _limits(self, photons: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Means, limits and standard deviations of pixels that are overloads."""
        assert self.detector is not None
        limits = self.counts[self.limited]
        return photons[self.limited], limits, self.detector.limit_deviations(limits)

    def jacobian(self, x: np.ndarray) -> Any:
        """Derivatives of the residuals, shape (n_pixels, n_parameters)."""
        photons, slopes = self.model(x)
        counts, weights = self.near.counts, self.near.weights
        xp = array_namespace(photons)
        if self.target == "squares":
            return self._with_limits(-slopes * xp.sqrt(weights)[:, None], photons, slopes)
        expected = xp.maximum(photons, FEWEST)
        residuals = deviance_residuals(counts, expected)
        small = xp.abs(residuals) < 1e-6
        # dr/dm = (1 - n/m)/r; its limit is -1/sqrt(m) if n and m are equal
        steepness = xp.where(
            small,
            -1.0 / xp.sqrt(expected),
            (1.0 - counts / expected) / xp.where(small, 1.0, residuals),
        )
        return self._with_limits(steepness[:, None] * slopes, photons, slopes)

    def _with_limits(self, jacobian: Any, photons: Any, slopes: Any) -> Any:
        """Derivatives of the residuals; those of overloads are replaced by `limit_slopes`."""
        if self.limited is not None and self.limited.any():
            steepness = limit_slopes(*self._limits(photons))
            jacobian[self.limited] = steepness[:, None] * slopes[self.limited]
        return jacobian

    def reweigh(self, x: np.ndarray) -> None:
        """Use variances of the model for the target "squares", instead of those of the counts.

        With variances of the counts, low counts have larger weights than high counts, and the scale
        becomes too small.
        """
        if self.detector is None:
            weights = 1.0 / (np.maximum(self._judged(x), 0.0) + 1.0)
        else:
            weights = 1.0 / np.maximum(self.variances(x), FEWEST)
        here = PixelArrays(np.flatnonzero(self.used), self.counts, weights)
        self.near = here.beside(self.near.counts)

    def chance(self, x: np.ndarray) -> float:
        """Probability that noise causes the least likely of the remaining misfits.

        Parameters
        ----------
        x : ndarray, shape (n_parameters,)
            Changes of the parameters.

        Returns
        -------
        float
            Upper bound of the probability of the least likely pixel, or square of 2 x 2 or 3 x 3
            pixels. It reveals a single spot that the model or the image lacks. Chi-squared does
            not: a background of many pixels hides it.
        """
        from scipy.ndimage import uniform_filter

        images = np.zeros((2, *self.used.shape))
        images[:, self.used] = self._like_counts(x)
        found = 1.0
        # squares of several pixels are judged only if each pixel has its own noise
        shares = self.detector is not None and self.detector.shares_noise
        for size in WINDOWS[:1] if shares else WINDOWS:
            window = filters.sizes(self.used.ndim, size)
            sums = [size**2 * uniform_filter(image, window, mode="constant") for image in images]
            # sums of integers; the filter has rounding errors
            counts = np.maximum(np.round(sums[0][self.used], 6), 0.0)
            found = min(found, len(WINDOWS) * min(least_likely(counts, sums[1][self.used])))
        return found

    def _like_counts(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Measured photons and their means, as numbers with the noise of counts."""
        mean = np.maximum(self._judged(x), 0.0)
        counts = self._known(mean)
        if self.detector is None or self.target == "poisson":
            return counts, mean
        return like_counts(counts, mean, np.maximum(self.variances(x), FEWEST))

    def _known(self, mean: np.ndarray) -> np.ndarray:
        """Measured photons. Overloads have the model's photons if these are above the limit."""
        if self.limited is None:
            return self.counts
        return np.where(self.limited, np.maximum(self.counts, mean), self.counts)

    def misfit(self, x: np.ndarray, of: np.ndarray | None = None) -> tuple[float, float]:
        """Reduced chi-squared: squares of the residuals divided by those expected from noise alone.

        Parameters
        ----------
        x : ndarray, shape (n_parameters,)
            Changes of the parameters.
        of : ndarray, shape (n_parameters,), optional
            Changes of the parameters for the model that the noise is computed from; `x` by
            default.

        Returns
        -------
        chi_squared : float
            1 if only noise is left, for many and for few photons.
        sigma : float
            Standard deviation of `chi_squared`, caused by noise.
        """
        expected = np.maximum(self._judged(x if of is None else of), FEWEST)
        if self.target == "squares":
            weights = on_host(self.near.weights)
            # moments of the Poisson distribution; its fourth cumulant is its mean
            second = expected if self.detector is None else self.variances(x if of is None else of)
            mean, variance = second * weights, (2.0 * second**2 + expected)
            variance = variance * weights**2
            if self.detector is not None:
                variance = variance * self.detector.correlation_of_squares()
        else:
            mean, variance = deviance_moments(expected)
        freedom = 1.0 - len(self.names) / len(self.counts)
        # overloads are left out, because they say nothing about the noise
        counted = slice(None) if self.limited is None else ~self.limited
        mean, variance = mean[counted], variance[counted]
        noise = max(float(mean.sum()) * freedom, FEWEST)
        squares = float((self.residuals(x)[counted] ** 2).sum())
        return squares / noise, float(np.sqrt(variance.sum())) / noise

    def explained(self, x: np.ndarray, spot_pixels: float) -> tuple[float, float]:
        """Part of the model's spots that the image has.

        Parameters
        ----------
        x : ndarray, shape (n_parameters,)
            Changes of the parameters.
        spot_pixels : float
            Approximate width of spots (pixels).

        Returns
        -------
        explained : float
            1 if the image has all spots of the model, 0 if it has none or other ones.
        sigma : float
            Standard deviation of `explained`; infinite if the model has no spots.

        Notes
        -----
        Weighted linear least squares fit the image as a sum of three parts: the background, the
        blurred spots, and the spots minus the blurred spots. `explained` is the coefficient of the
        last part. So a slightly wrong smooth background does not count as a spot.
        """
        from scipy.ndimage import gaussian_filter

        photons, spots = self._judged(x), on_host(self.spots(x))
        background = photons - spots
        image = np.zeros(self.used.shape)
        image[self.used] = spots
        sigma = filters.sigmas(image.ndim, BLUR * spot_pixels)
        blurred = gaussian_filter(image, sigma)
        weights = gaussian_filter(self.used.astype(np.float64), sigma)
        smooth = (blurred / np.maximum(weights, 1e-6))[self.used]
        peaks = spots - smooth
        if not peaks.any():
            return 0.0, np.inf
        without = np.maximum(background + smooth, 0.0)
        root = 1.0 / np.sqrt(np.maximum(without, max(DARK * without.mean(), FEWEST)))
        parts = [part for part in (peaks, smooth, background) if part.any()]
        design = np.stack(parts, axis=1) * root[:, None]
        sizes = np.sqrt((design**2).sum(axis=0))
        inverse = np.linalg.pinv(design / sizes)[0] / sizes[0]
        doubt = np.sqrt((inverse**2) @ (photons * root**2))
        return float(inverse @ (self._known(photons) * root)), float(doubt)
