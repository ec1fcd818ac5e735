"""Region, mask and sampling of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.checks import assign, finite, frozen, whole


@dataclass(frozen=True)
class Region:
    """A rectangle of pixels that are computed. It may extend beyond the image.

    Parameters
    ----------
    fast_min, fast_max, slow_min, slow_max : int
        First and last pixel numbers along fast and slow, from 0. The last ones are included.
    """

    fast_min: int
    fast_max: int
    slow_min: int
    slow_max: int

    @property
    def n_pixels(self) -> int:
        """Number of pixels, including those beyond the image."""
        return (self.fast_max - self.fast_min + 1) * (self.slow_max - self.slow_min + 1)

    def slices(self, n_slow: int, n_fast: int) -> tuple[slice, slice]:
        """Return the rows and columns of this region in an image.

        Parameters
        ----------
        n_slow, n_fast : int
            Size of the image (pixels).
        """
        return (
            slice(max(self.slow_min, 0), max(min(self.slow_max + 1, n_slow), 0)),
            slice(max(self.fast_min, 0), max(min(self.fast_max + 1, n_fast), 0)),
        )


@dataclass(frozen=True, eq=False)
class Rendering:
    """Which pixels of an image are computed, and how finely.

    Parameters
    ----------
    oversample : int, optional
        Number of sub-pixels along a pixel edge. By default it depends on the crystal's size.
    oversample_thick, oversample_polar, oversample_omega : bool
        Apply absorption, polarization and solid angle at each step, instead of once for a pixel
        (quirk Q14).
    region : Region or mapping of str to Region, optional
        Part of the image to compute. By default all of it. With a detector of panels, a `Region`
        holds for every panel; a mapping gives the regions of some panels by name, and the others
        are not computed.
    mask : ndarray of bool, shape ([n_panels,] n_slow, n_fast), optional
        True for pixels to compute. By default all pixels.
    dmin : float
        Resolution limit (m): nothing scatters at finer resolution. 0 for no limit.
    interpolate : bool, optional
        Interpolate structure factors. By default only if there is a table, and the crystal has
        one or two cells along any axis.

    Raises
    ------
    ModelError
        If there are no sub-pixels, or the resolution is not finite.
    """

    oversample: int | None = None
    oversample_thick: bool = False
    oversample_polar: bool = False
    oversample_omega: bool = False
    region: Region | Mapping[str, Region] | None = None
    mask: np.ndarray | None = None
    dmin: float = 0.0
    interpolate: bool | None = None

    def __post_init__(self) -> None:
        if self.oversample is not None and whole(self.oversample, "oversample") < 1:
            raise ModelError(f"rendering: oversample must be at least 1, got {self.oversample}")
        assign(self, dmin=finite(self.dmin, "rendering: dmin"))
        if self.mask is not None:
            mask = np.asarray(self.mask)
            assign(self, mask=frozen(mask if mask.dtype == bool else mask != 0))
