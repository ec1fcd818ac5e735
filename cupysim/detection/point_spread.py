"""Point spread: the light of a photon also reaches pixels around the one where it arrives."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np

from cupysim.detection.pixel_grid import PixelGrid
from cupysim.errors import ModelError
from cupysim.maths import point_spread
from cupysim.models.checks import finite

LOST_LIGHT = 1e-7
"""Light of a Gaussian that its automatic radius leaves out."""

LARGEST_RADIUS = 1024
"""Largest automatic radius (pixels) of the fibre function, which has a long tail."""

FIBRE_LOST_LIGHT = 1e-3
"""Light of the fibre function that its automatic radius leaves out, below `LARGEST_RADIUS`."""

FUNCTIONS = (point_spread.GAUSSIAN, point_spread.FIBRE, "kernel")
"""Names of point spread functions."""

LARGEST_WIDTH = 1000.0
"""Largest width (pixels)."""

SMALLEST_WIDTH = 1e-9
"""Widths below this number of pixels are computed as this one."""

LARGEST_KERNEL = 4097
"""Largest edge of a kernel from a file (pixels)."""


class Border(StrEnum):
    """What happens to light that leaves the panel."""

    LOST = "lost"
    """It is lost."""
    MIRRORED = "mirrored"
    """The image continues beyond the edge as its mirror image."""
    KEPT = "kept"
    """It stays: the light of each pixel is divided by the fraction that reaches the panel."""


@dataclass(frozen=True)
class PointSpread:
    """A point spread function, integrated over pixels and normalised to 1.

    Parameters
    ----------
    function : {"gaussian", "fibre", "kernel"}
        Gaussian; the function of a fibre-optic taper (Holton et al. (2012) J. Synchrotron Rad. 19,
        1006); or a kernel.
    width : float, optional
        Full width at half maximum (m) of the Gaussian or of the fibre function.
    radius : int, optional
        Radius (pixels). The default leaves out 1e-7 of the light of a Gaussian, or 1e-3 of that of
        the fibre function; for the latter, it is at most 1024 pixels. Light beyond the radius is
        spread within it.
    border : Border or str, optional
        What happens to light that leaves the panel.
    after_counting : bool, optional
        Whether photons are counted before their light spreads, as in a phosphor. The noise of
        neighbouring pixels is then correlated. Otherwise, expected photons spread.
    kernel : ndarray, shape (odd, odd), optional
        Fractions of light [slow, fast]; they are divided by their sum.

    Raises
    ------
    ModelError
        If a number is impossible.
    """

    function: str
    width: float = 0.0
    radius: int = 0
    border: Border = Border.LOST
    after_counting: bool = False
    kernel: np.ndarray | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            raise ModelError(
                f"point spread: expected one of {', '.join(FUNCTIONS)}, got {self.function!r}"
            )
        try:
            object.__setattr__(self, "border", Border(self.border))
        except ValueError:
            raise ModelError(
                f"point spread: border: expected one of {', '.join(Border)}, got {self.border!r}"
            ) from None
        if self.radius < 0:
            raise ModelError(f"point spread: radius must not be negative, got {self.radius} pixels")
        if self.function == "kernel":
            object.__setattr__(self, "kernel", _checked_kernel(self.kernel))
        elif not finite(self.width, "point spread: width") > 0.0:
            raise ModelError(f"point spread: width must be above zero, got {self.width:g} m")

    @property
    def is_separable(self) -> bool:
        """Whether light spreads along both axes independently."""
        return self.function == point_spread.GAUSSIAN

    def _width(self, edge: float) -> float:
        """Width in pixels of an edge (m)."""
        if not self.width <= LARGEST_WIDTH * edge:
            raise ModelError(
                f"point spread: a width of {self.width:g} m is more than {LARGEST_WIDTH:g} pixels "
                f"of {edge:g} m"
            )
        # narrower functions are equal to no spread; their numbers would not be finite
        return max(self.width / edge, SMALLEST_WIDTH)

    def _radius(self, width: float) -> int:
        """Radius for a width in pixels."""
        if self.radius > 0:
            return self.radius
        if self.function == point_spread.GAUSSIAN:
            return math.ceil(width * math.sqrt(-math.log(LOST_LIGHT) / math.log(16.0)) + 0.5)
        g = point_spread.FIBRE_RADIUS * width
        return min(math.ceil(g / FIBRE_LOST_LIGHT), LARGEST_RADIUS)

    def weights(self, grid: PixelGrid) -> tuple[np.ndarray, np.ndarray]:
        """Fractions of light along the axes, for a separable function.

        Parameters
        ----------
        grid : PixelGrid
            The pixels.

        Returns
        -------
        slow, fast : ndarray of float32, shape (2 radius + 1,)
            Fractions, with the larger of the two radii.
        """
        widths = self._width(grid.pixel_slow), self._width(grid.pixel_fast)
        radius = max(self._radius(width) for width in widths)
        slow, fast = (point_spread.gaussian_weights(width, radius) for width in widths)
        return (slow / slow.sum()).astype(np.float32), (fast / fast.sum()).astype(np.float32)

    def table(self, grid: PixelGrid) -> np.ndarray:
        """Fractions of light in the pixels around one.

        Parameters
        ----------
        grid : PixelGrid
            The pixels, which are square for the fibre function.

        Returns
        -------
        ndarray of float64, shape (odd, odd)
            Fractions [slow, fast]. Their sum is 1, or less by the light far beyond the panel.

        Raises
        ------
        ModelError
            If the fibre function meets pixels that are not square.
        """
        if self.is_separable:
            slow, fast = (each.astype(np.float64) for each in self.weights(grid))
            return np.outer(slow, fast)
        if self.kernel is not None:
            return self.kernel
        if not math.isclose(grid.pixel_slow, grid.pixel_fast, rel_tol=1e-6):
            raise ModelError("point spread: the fibre function needs square pixels")
        width = self._width(grid.pixel_fast)
        radius = self._radius(width)
        kernel = _fibre_kernel(width, radius)
        # light that is spread beyond the panel needs no place, but is lost
        beyond = 0 if self.border is Border.MIRRORED else max(radius - max(grid.shape), 0)
        inside = slice(beyond, len(kernel) - beyond)
        return kernel[inside, inside]

    def apply(self, image: Any, grid: PixelGrid, *, overwrite: bool = False) -> Any:
        """Spread the light of an image.

        Parameters
        ----------
        image : array of float32, shape (n_slow, n_fast)
            Photons; a NumPy array, or a CuPy array if the function is not separable.
        grid : PixelGrid
            Its pixels.
        overwrite : bool, optional
            Whether the result may take the place of the image, to save memory.

        Returns
        -------
        array of float32, shape (n_slow, n_fast)
            Photons after the point spread. A separable function is summed in the order of the
            offsets, as in `cuda_src/blur.cuh`. Other functions are applied by FFT.
        """
        if not self.is_separable:
            from cupysim.detection.wide_spread import spread

            return spread(image, self.table(grid), self.border, overwrite=overwrite)
        slow, fast = self.weights(grid)
        if self.border is Border.KEPT:
            image = image / (kept_light(fast, grid.n_fast) * kept_light(slow, grid.n_slow)[:, None])
        across = _weighted_sums(image, fast, 1, self.border)
        return _weighted_sums(across, slow, 0, self.border)


@lru_cache(maxsize=4)
def _fibre_kernel(width: float, radius: int) -> np.ndarray:
    """Fractions of light of the fibre function, kept for the next image."""
    # the FFT of a kernel that is its own mirror image, to the last bit, needs less memory
    quarter = point_spread.fibre_quarter(width, radius)
    lower = np.concatenate([quarter[:, :0:-1], quarter], axis=1)
    kernel = np.concatenate([lower[:0:-1], lower])
    kernel /= kernel.sum()
    kernel.flags.writeable = False
    return kernel


def kept_light(weights: np.ndarray, n: int) -> np.ndarray:
    """Fraction of the light of each row or column that stays on the panel.

    Parameters
    ----------
    weights : ndarray of float32, shape (2 radius + 1,)
        Fractions of light along the axis.
    n : int
        Number of pixels.

    Returns
    -------
    ndarray of float32, shape (n,)
        Fractions.
    """
    ones = np.ones(n)
    whole = np.convolve(ones, weights.astype(np.float64))
    radius = len(weights) // 2
    return np.minimum(whole[radius : radius + n], 1.0).astype(np.float32)


def _weighted_sums(image: np.ndarray, weights: np.ndarray, axis: int, border: Border) -> np.ndarray:
    radius, n = len(weights) // 2, image.shape[axis]
    widths = [(0, 0), (0, 0)]
    widths[axis] = (radius, radius)
    padded = np.pad(image, widths, "symmetric" if border is Border.MIRRORED else "constant")
    sums = np.zeros_like(image)
    for k, weight in enumerate(weights):
        part = [slice(None), slice(None)]
        part[axis] = slice(k, k + n)
        sums = sums + weight * padded[tuple(part)]
    return sums


def _checked_kernel(kernel: np.ndarray | None) -> np.ndarray:
    if kernel is None:
        raise ModelError("point spread: the kernel is missing")
    given = np.asarray(kernel)
    if given.dtype.kind not in "biuf":
        raise ModelError(f"point spread: a kernel has real numbers, not {given.dtype}")
    table = given.astype(np.float64)
    if table.ndim != 2 or table.shape[0] % 2 == 0 or table.shape[1] % 2 == 0:
        raise ModelError(
            f"point spread: a kernel needs odd numbers of rows and columns, got {table.shape}"
        )
    if max(table.shape) > LARGEST_KERNEL:
        raise ModelError(
            f"point spread: a kernel has at most {LARGEST_KERNEL} rows, got {table.shape}"
        )
    if not np.isfinite(table).all() or table.min() < 0.0 or not table.max() > 0.0:
        raise ModelError("point spread: a kernel needs fractions from 0 up, and not only zeros")
    table = table / table.max()
    return np.asarray(table / table.sum())
