"""What is minimised: how far the photons of a model are from those which were counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.backends.rendered import GradientFunction, Observer
from cupysim.errors import ModelError
from cupysim.maths.arrays import array_namespace, on_host
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import PARAMETERS
from cupysim.refine.deviance import (
    FEWEST,
    deviance_moments,
    deviance_residuals,
    least_likely,
)
from cupysim.refine.free_parameters import gradient_plan

TARGETS = ("poisson", "squares")
"""The likelihood of counts, or squares of differences which are weighted by their variance."""

BLUR = 5.0
"""Widths of a spot by which spots are blurred until there are none any more."""

WINDOWS = (1, 2, 3)
"""Edges (pixels) of what may hold a spot which is left over."""

DARK = 1e-3
"""Of the mean without spots: pixels which are darker do not count for more."""


@dataclass(frozen=True, eq=False)
class Observation:
    """What was measured.

    Parameters
    ----------
    counts : ndarray of float64, shape (n_slow, n_fast)
        Photons counted, without offset.
    used : ndarray of bool, shape (n_slow, n_fast)
        Pixels which take part.
    """

    counts: np.ndarray
    used: np.ndarray


@dataclass(frozen=True, eq=False)
class _PixelArrays:
    """What images are compared with, in the memory in which they lie.

    Parameters
    ----------
    places : array of int, shape (n_pixels,)
        Of the used pixels in a flat image.
    counts : array, shape (n_pixels,)
        Photons counted.
    weights : array, shape (n_pixels,)
        One over the variance, for the squares.
    """

    places: Any
    counts: Any
    weights: Any

    def beside(self, other: Any) -> _PixelArrays:
        """The same, where another array lies."""
        xp = array_namespace(other)
        if array_namespace(self.counts) is xp:
            return self
        here = [on_host(array) for array in (self.places, self.counts, self.weights)]
        return _PixelArrays(*(xp.asarray(array) for array in here))


class Problem:
    """A model with free parameters, and an image which it should become.

    Parameters
    ----------
    experiment : Experiment
        The start, whose mask are the pixels which take part.
    observation : Observation
        The image.
    names : sequence of str
        Free parameters.
    target : str
        One of `TARGETS`.
    differentiate : GradientFunction
        What computes photons and their derivatives.
    coarseness : float, optional
        Numbers of cells are divided by it.
    variances : ndarray, shape (n_slow, n_fast), optional
        Of the image's pixels, for the squares; without them the counts plus one.

    Notes
    -----
    Pixels stay where the backend computes them: on a GPU, counts and weights follow the first
    image there, and what is minimised is computed there. Only what judges a fit, once it has
    ended, is computed on the host.
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
        self.background = coarseness == 1.0  # wide spots would drown in it
        self.used = observation.used
        self.counts = observation.counts[observation.used]
        self.sizes = np.array([PARAMETERS[name].size for name in names])
        self.evaluations = 0
        self._last: tuple[bytes, Any, Any] | None = None
        if variances is None:
            variances = observation.counts + 1.0
        self.near = _PixelArrays(
            np.flatnonzero(observation.used), self.counts, 1.0 / variances[observation.used]
        )

    @property
    def has_counts(self) -> bool:
        """Whether all numbers of the image are whole."""
        return bool((self.counts == np.round(self.counts)).all())

    def model(self, x: np.ndarray) -> tuple[Any, Any]:
        """Photons of the used pixels, and their derivatives.

        Parameters
        ----------
        x : ndarray, shape (n_parameters,)
            Changes of the parameters, in units for people.

        Returns
        -------
        photons : array, shape (n_pixels,)
            What the model expects, where the backend computes it.
        slopes : array, shape (n_pixels, n_parameters)
            Its derivatives.
        """
        key = np.asarray(x, dtype=np.float64).tobytes()
        if self._last is None or self._last[0] != key:
            shifts = dict(zip(self.names, (np.asarray(x) * self.sizes).tolist(), strict=True))
            scale = 1.0 + shifts.get("scale", 0.0)
            plan = gradient_plan(
                self.experiment, shifts, self.names, self.coarseness, self.background
            )
            found = self.differentiate(plan, Observer())
            unscaled = self._of_used(found.photons)
            sizes = array_namespace(unscaled).asarray(scale * self.sizes)
            slopes = sizes * self._of_used(found.values).T
            if "scale" in self.names:
                slopes[:, self.names.index("scale")] = unscaled
            self.evaluations += 1
            self._last = key, scale * unscaled, slopes
        return self._last[1], self._last[2]

    def photons(self, x: np.ndarray) -> Any:
        """Photons of the used pixels alone, shape (n_pixels,)."""
        if self._last is not None and self._last[0] == np.asarray(x, dtype=np.float64).tobytes():
            return self._last[1]
        return self._render(x, self.background)

    def spots(self, x: np.ndarray) -> Any:
        """Photons of the used pixels without the background, shape (n_pixels,)."""
        return self._render(x, background=False)

    def _render(self, x: np.ndarray, background: bool) -> Any:
        shifts = dict(zip(self.names, (np.asarray(x) * self.sizes).tolist(), strict=True))
        plan = gradient_plan(self.experiment, shifts, ("scale",), self.coarseness, background)
        self.evaluations += 1
        found = self.differentiate(plan, Observer())
        return (1.0 + shifts.get("scale", 0.0)) * self._of_used(found.photons)

    def _judged(self, x: np.ndarray) -> np.ndarray:
        """Photons on the host, where a fit is judged."""
        return on_host(self.photons(x))

    def _of_used(self, images: Any) -> Any:
        """Their used pixels, shape (..., n_pixels); what is compared with them follows them."""
        self.near = self.near.beside(images)
        return images.reshape(*images.shape[:-2], -1)[..., self.near.places]

    def residuals(self, x: np.ndarray) -> Any:
        """Numbers whose squares are to become small, shape (n_pixels,).

        Of Poisson's likelihood the deviance residuals, else (n - m)/sqrt(v + 1), with the
        variance v of `reweigh`. Infinite where a model is impossible.
        """
        try:
            photons, _ = self.model(x)
        except ModelError:
            return np.full(len(self.counts), np.inf)
        counts, weights = self.near.counts, self.near.weights
        xp = array_namespace(photons)
        if self.target == "squares":
            return (counts - photons) * xp.sqrt(weights)
        return deviance_residuals(counts, xp.maximum(photons, FEWEST))

    def jacobian(self, x: np.ndarray) -> Any:
        """Derivatives of the residuals, shape (n_pixels, n_parameters)."""
        photons, slopes = self.model(x)
        counts, weights = self.near.counts, self.near.weights
        xp = array_namespace(photons)
        if self.target == "squares":
            return -slopes * xp.sqrt(weights)[:, None]
        expected = xp.maximum(photons, FEWEST)
        residuals = deviance_residuals(counts, expected)
        small = xp.abs(residuals) < 1e-6
        # d r/d m = (1 - n/m)/r, which is -1/sqrt(m) where n and m are the same
        steepness = xp.where(
            small,
            -1.0 / xp.sqrt(expected),
            (1.0 - counts / expected) / xp.where(small, 1.0, residuals),
        )
        return steepness[:, None] * slopes

    def reweigh(self, x: np.ndarray) -> None:
        """Take the variance of squares from a model, no more from the counts themselves.

        Low counts would else weigh more than high ones of the same pixel, and the scale become
        too small.
        """
        weights = 1.0 / (np.maximum(self._judged(x), 0.0) + 1.0)
        here = _PixelArrays(np.flatnonzero(self.used), self.counts, weights)
        self.near = here.beside(self.near.counts)

    def chance(self, x: np.ndarray) -> float:
        """How likely what is left over is noise, where it is least likely.

        Parameters
        ----------
        x : ndarray, shape (n_parameters,)
            Changes of the parameters.

        Returns
        -------
        float
            At most the probability of the strangest pixel, or 2 x 2 or 3 x 3 of them: a spot which
            the model lacks, or which the image lacks, stands out of a background in which
            chi-squared drowns.
        """
        from scipy.ndimage import uniform_filter

        images = np.zeros((2, *self.used.shape))
        images[0, self.used] = self.counts
        images[1, self.used] = np.maximum(self._judged(x), 0.0)
        found = 1.0
        for size in WINDOWS:
            sums = [size**2 * uniform_filter(image, size, mode="constant") for image in images]
            # of whole numbers, which the filter has rounded
            counts = np.maximum(np.round(sums[0][self.used], 6), 0.0)
            found = min(found, len(WINDOWS) * min(least_likely(counts, sums[1][self.used])))
        return found

    def misfit(self, x: np.ndarray, of: np.ndarray | None = None) -> tuple[float, float]:
        """Squares of the residuals over those which the noise of counting alone makes.

        Parameters
        ----------
        x : ndarray, shape (n_parameters,)
            Changes of the parameters.
        of : ndarray, shape (n_parameters,), optional
            Changes of the model whose noise is meant; the same without it.

        Returns
        -------
        chi_squared : float
            1 if nothing but noise is left, be photons many or few.
        sigma : float
            By how much it varies by chance.
        """
        expected = np.maximum(self._judged(x if of is None else of), FEWEST)
        if self.target == "squares":
            # moments of Poisson's distribution
            weights = on_host(self.near.weights)
            mean, variance = expected * weights, (2.0 * expected**2 + expected)
            variance = variance * weights**2
        else:
            mean, variance = deviance_moments(expected)
        freedom = 1.0 - len(self.names) / len(self.counts)
        noise = max(float(mean.sum()) * freedom, FEWEST)
        squares = float((self.residuals(x) ** 2).sum())
        return squares / noise, float(np.sqrt(variance.sum())) / noise

    def explained(self, x: np.ndarray, spot_pixels: float) -> tuple[float, float]:
        """How much of the model's spots the image has.

        Parameters
        ----------
        x : ndarray, shape (n_parameters,)
            Changes of the parameters.
        spot_pixels : float
            How wide spots are, roughly.

        Returns
        -------
        explained : float
            1 if the image has all of them, 0 if it has none, or other ones.
        sigma : float
            Its standard deviation, infinite where the model has no spots.

        Notes
        -----
        The image is fitted by weighted linear least squares as a sum of the background, the spots
        blurred until there are none, and what the spots are more than that; the last of the three
        coefficients is the answer. So a smooth background which is a little wrong is no spot.
        """
        from scipy.ndimage import gaussian_filter

        photons, spots = self._judged(x), on_host(self.spots(x))
        background = photons - spots
        image = np.zeros(self.used.shape)
        image[self.used] = spots
        blurred = gaussian_filter(image, BLUR * spot_pixels)
        weights = gaussian_filter(self.used.astype(np.float64), BLUR * spot_pixels)
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
        return float(inverse @ (self.counts * root)), float(doubt)
