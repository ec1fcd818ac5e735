"""The image that a fit is for, and its used pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cupysim.maths.arrays import array_namespace, on_host

if TYPE_CHECKING:
    from cupysim.refine.detector_model import DetectorModel


@dataclass(frozen=True, eq=False)
class Observation:
    """The measured image.

    Parameters
    ----------
    counts : ndarray of float64, shape ([n_panels,] n_slow, n_fast)
        Counted photons, without offset; lower limits for overloads.
    used : ndarray of bool, shape ([n_panels,] n_slow, n_fast)
        True for pixels to use.
    detector : DetectorModel, optional
        The detector's response. By default, pixels count photons and no photon spreads.
    limited : ndarray of bool, shape ([n_panels,] n_slow, n_fast), optional
        True for overloads, which have at least as many photons as `counts`. By default none.
    """

    counts: np.ndarray
    used: np.ndarray
    detector: DetectorModel | None = None
    limited: np.ndarray | None = None

    def within(self, used: np.ndarray) -> Observation:
        """The same observation with other used pixels."""
        return Observation(self.counts, used, self.detector, self.limited)


@dataclass(frozen=True, eq=False)
class PixelArrays:
    """Counts and weights of the used pixels, in the same memory as the images of the model.

    Parameters
    ----------
    places : array of int, shape (n_pixels,)
        Numbers of the used pixels in the flattened image.
    counts : array, shape (n_pixels,)
        Counted photons.
    weights : array, shape (n_pixels,)
        Weights of the target "squares": one divided by the variance.
    """

    places: Any
    counts: Any
    weights: Any

    def beside(self, other: Any) -> PixelArrays:
        """The same arrays, in the memory (host or device) that holds another array."""
        xp = array_namespace(other)
        if array_namespace(self.counts) is xp:
            return self
        here = [on_host(array) for array in (self.places, self.counts, self.weights)]
        return PixelArrays(*(xp.asarray(array) for array in here))
