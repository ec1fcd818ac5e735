"""What is minimised: how far the photons of a model are from those which were counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cupysim.gradients.result import GradientBackend
from cupysim.models.experiment import Experiment
from cupysim.refine.parameters import KINDS, gradient_plan
from cupysim.render.result import Observer

TARGETS = ("poisson", "squares")
"""The likelihood of counts, or squares of differences which are weighted by them."""

BLUR = 5.0
"""Widths of a spot by which a model is blurred that has none any more."""

FEWEST = 1e-12
"""Photons expected in a pixel, at least, that its logarithm is finite."""


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
    backend : GradientBackend
        What computes photons and their derivatives.
    coarseness : float, optional
        Numbers of cells are divided by it.
    """

    def __init__(
        self,
        experiment: Experiment,
        observation: Observation,
        names: Sequence[str],
        target: str,
        backend: GradientBackend,
        coarseness: float = 1.0,
    ) -> None:
        self.experiment = experiment
        self.names = tuple(names)
        self.target = target
        self.backend = backend
        self.coarseness = coarseness
        self.used = observation.used
        self.counts = observation.counts[observation.used]
        self.sizes = np.array([KINDS[name].size for name in names])
        self.evaluations = 0
        self._last: tuple[bytes, np.ndarray, np.ndarray] | None = None

    @property
    def has_counts(self) -> bool:
        """Whether all numbers of the image are whole."""
        return bool((self.counts == np.round(self.counts)).all())

    def model(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Photons of the used pixels, and their derivatives.

        Parameters
        ----------
        x : ndarray, shape (n_parameters,)
            Changes of the parameters, in units for people.

        Returns
        -------
        photons : ndarray, shape (n_pixels,)
            What the model expects.
        slopes : ndarray, shape (n_pixels, n_parameters)
            Its derivatives.
        """
        key = np.asarray(x, dtype=np.float64).tobytes()
        if self._last is None or self._last[0] != key:
            shifts = dict(zip(self.names, np.asarray(x) * self.sizes, strict=True))
            scale = 1.0 + shifts.get("scale", 0.0)
            plan = gradient_plan(self.experiment, shifts, self.names, self.coarseness)
            found = self.backend(plan, Observer())
            photons = scale * found.photons[self.used]
            slopes = scale * self.sizes * found.values[:, self.used].T
            if "scale" in self.names:
                slopes[:, self.names.index("scale")] = found.photons[self.used]
            self.evaluations += 1
            self._last = key, photons, slopes
        return self._last[1], self._last[2]

    def photons(self, x: np.ndarray) -> np.ndarray:
        """Photons of the used pixels alone, shape (n_pixels,)."""
        if self._last is not None and self._last[0] == np.asarray(x, dtype=np.float64).tobytes():
            return self._last[1]
        shifts = dict(zip(self.names, np.asarray(x) * self.sizes, strict=True))
        plan = gradient_plan(self.experiment, shifts, ("scale",), self.coarseness)
        self.evaluations += 1
        found = self.backend(plan, Observer())
        return (1.0 + shifts.get("scale", 0.0)) * found.photons[self.used]

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """Numbers whose squares are to become small, shape (n_pixels,).

        Of Poisson's likelihood the deviance residuals, sign(n - m) sqrt(2 (m - n + n ln(n/m))),
        whose squares add up to -2 ln L but for a constant (McCullagh & Nelder (1989) Generalized
        Linear Models, 2.4); else (n - m)/sqrt(n + 1).
        """
        photons, _ = self.model(x)
        if self.target == "squares":
            return (self.counts - photons) / np.sqrt(self.counts + 1.0)
        return _deviance(self.counts, np.maximum(photons, FEWEST))

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Derivatives of the residuals, shape (n_pixels, n_parameters)."""
        photons, slopes = self.model(x)
        if self.target == "squares":
            return -slopes / np.sqrt(self.counts + 1.0)[:, None]
        expected = np.maximum(photons, FEWEST)
        residuals = _deviance(self.counts, expected)
        small = np.abs(residuals) < 1e-6
        # d r/d m = (1 - n/m)/r, which is -1/sqrt(m) where n and m are the same
        steepness = np.where(
            small,
            -1.0 / np.sqrt(expected),
            (1.0 - self.counts / expected) / np.where(small, 1.0, residuals),
        )
        return steepness[:, None] * slopes

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
            1 if the image has all of them, 0 if a model without spots is as good, -1 if the
            image has other ones.
        sigma : float
            Its standard deviation, infinite where the model has no spots.

        Notes
        -----
        With s the model blurred until it has no spots, sum [(n - s)^2 - (n - m)^2]/s over its
        expectation sum (m - s)^2/s where the image n is one of the model m; the variance of the
        former is then 4 sum (m - s)^2 m/s^2.
        """
        from scipy.ndimage import gaussian_filter

        photons = self.photons(x)
        image = np.zeros(self.used.shape)
        image[self.used] = photons
        blurred = gaussian_filter(image, BLUR * spot_pixels)
        weights = gaussian_filter(self.used.astype(np.float64), BLUR * spot_pixels)
        smooth = np.maximum((blurred / np.maximum(weights, 1e-6))[self.used], FEWEST)
        better = (self.counts - smooth) ** 2 - (self.counts - photons) ** 2
        expected = float(((photons - smooth) ** 2 / smooth).sum())
        if not expected > 0.0:
            return 0.0, np.inf
        variance = 4.0 * float((((photons - smooth) / smooth) ** 2 * photons).sum())
        return float((better / smooth).sum()) / expected, float(np.sqrt(variance)) / expected


def _deviance(counts: np.ndarray, expected: np.ndarray) -> np.ndarray:
    known = counts > 0.0
    ratio = np.where(known, counts, 1.0) / expected
    entropy = np.where(known, counts * np.log(ratio), 0.0)
    squares = np.maximum(2.0 * (expected - counts + entropy), 0.0)
    return np.sign(counts - expected) * np.sqrt(squares)
