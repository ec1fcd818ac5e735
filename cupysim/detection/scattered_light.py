"""Light that pixels scatter to their neighbours, as noisify computes it, and as it should be.

noisify gives each pixel a radius that grows with its light. It adds the pixel's light to all pixels
within the radius, one source after the other in storage order, and rounds each sum to single
precision. It then estimates the light beyond the radii, and spreads it evenly. `scatter` gives the
same bits: each target collects its light in the same order. The compiled code is
`cuda_src/scattered_light.cuh`. `convolved` gives the right image: each pixel scatters its light to
the whole detector.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cupysim.maths import point_spread
from cupysim.maths.arrays import serial_sum
from cupysim.maths.point_spread import FIBRE, FIBRE_RADIUS, GAUSSIAN
from cupysim.native import tools
from cupysim.native.cores import usable_cores


@dataclass(frozen=True)
class Spread:
    """A point spread function.

    Parameters
    ----------
    name : str
        `GAUSSIAN` or `FIBRE`.
    width : float
        Full width at half maximum (pixels), above zero.
    radius : int, optional
        Radius of all pixels (pixels). By default each pixel has its own, from its light.
    """

    name: str
    width: float
    radius: int | None = None

    @property
    def length(self) -> float:
        """Length in the formulas: the width of a Gaussian, or the radius g of a fibre (pixels)."""
        return self.width if self.name == GAUSSIAN else self.width * FIBRE_RADIUS

    def kernel_radius(self, brightest: float) -> int:
        """Radius of the table of fractions (pixels), before it is limited to the image.

        Parameters
        ----------
        brightest : float
            Light of the brightest pixel (photons), above zero. Below 0.01, the radius of a Gaussian
            is not a number. The C program then uses the least integer (NQ23).
        """
        if self.radius is not None:
            return self.radius
        lost = math.sqrt(brightest) / 10.0
        if self.name == FIBRE:
            return 1 + math.ceil(self.length * (brightest / lost))
        root = -math.log(lost / brightest) / math.log(4.0) / 2.0
        return -(2**31) if root < 0.0 else 1 + math.ceil(math.sqrt(root) * self.width)


@dataclass(frozen=True, eq=False)
class Scattered:
    """An image after scattering.

    Parameters
    ----------
    image : ndarray of float32, shape (n_slow, n_fast)
        Photons.
    brightest : float
        Light of the brightest pixel before scattering (photons).
    radius : int
        Radius of the table of fractions, before it was limited to the image (pixels).
    lost : float
        Light that pixels lost beyond their radii, which was spread evenly (photons).
    has_wrapped : bool
        Whether light beyond the right edge came to the first column (NQ18).
    n_vanished : int
        Number of pixels with light that scatter nothing (NQ23).
    """

    image: np.ndarray
    brightest: float
    radius: int
    lost: float
    has_wrapped: bool
    n_vanished: int


def scatter(
    light: np.ndarray,
    spread: Spread,
    wraps: bool = True,
    keeps_weak: bool = False,
    threads: int | None = None,
) -> Scattered:
    """Scatter the light of an image as noisify does.

    Parameters
    ----------
    light : ndarray of float32, shape (n_slow, n_fast)
        Photons. Pixels that are not above zero scatter nothing.
    spread : Spread
        Point spread function.
    wraps : bool, optional
        Let light that goes one column beyond the right edge come to the first column of the next
        row, as in noisify.
    keeps_weak : bool, optional
        Let pixels with less than 0.01 photons scatter their light within one pixel. In noisify,
        they vanish.
    threads : int, optional
        Number of threads; by default one on each core. It does not change the result.

    Returns
    -------
    Scattered
        The image. It is empty if no pixel has light.
    """
    light = np.ascontiguousarray(light, dtype=np.float32)
    threads = usable_cores() if threads is None else threads
    brightest = float(max(light.max(initial=0.0), 0.0))
    if brightest <= 0.0:
        return Scattered(np.zeros_like(light), 0.0, spread.radius or 0, 0.0, False, 0)
    wanted, largest = spread.kernel_radius(brightest), max(light.shape)
    radius = min(max(wanted, 1), largest)
    reach, lost = find_reach(light, spread, largest, keeps_weak)
    np.minimum(reach, radius, out=reach)
    everywhere = lost / light.size
    if tools.available():
        table = spread.name == FIBRE, spread.length, radius
        image, has_wrapped = tools.scatter_light(light, reach, table, everywhere, wraps, threads)
    else:
        fractions = point_spread.kernel(spread.name, spread.width, radius)
        image, has_wrapped = _scatter(light, reach, fractions, everywhere, wraps)
    vanished = 0 if spread.name == FIBRE else int(np.count_nonzero((reach == 0) & (light > 0.0)))
    return Scattered(image, brightest, wanted, lost, has_wrapped, vanished)


def find_reach(
    light: np.ndarray, spread: Spread, largest: int, keeps_weak: bool
) -> tuple[np.ndarray, float]:
    """Find the radii within which pixels scatter light, and the light beyond them.

    Parameters
    ----------
    light : ndarray of float32, shape (n_slow, n_fast)
        Photons; contiguous.
    spread : Spread
        Point spread function.
    largest : int
        Largest radius (pixels).
    keeps_weak : bool
        Whether pixels whose radius is not a number have a radius of 1. Otherwise they have none.

    Returns
    -------
    reach : ndarray of int32, shape (n_slow, n_fast)
        Radii (pixels); 0 for pixels that scatter nothing.
    lost : float
        Light beyond the radii (photons), added in storage order.
    """
    given = spread.radius or 0
    if tools.available():
        return tools.find_reach(
            spread.name == FIBRE, spread.length, given, largest, keeps_weak, light
        )
    reach = np.zeros(light.shape, dtype=np.int32)
    values = light[light > 0.0].astype(np.float64)
    distinct, places = np.unique(values, return_inverse=True)
    radii = np.array([_radius(spread, value, largest, keeps_weak) for value in distinct.tolist()])
    radii = radii.astype(np.int32)[places.reshape(-1)]
    reach[light > 0.0] = radii
    has_reach = radii > 0
    values, radii = values[has_reach], radii[has_reach].astype(np.float64)
    if spread.name == GAUSSIAN:
        ratios, places = np.unique(radii / spread.width, return_inverse=True)
        beyond = np.array(
            [math.exp(-math.log(16.0) * (ratio * ratio)) for ratio in ratios.tolist()]
        )
        return reach, serial_sum(0.0, values * beyond[places.reshape(-1)])
    g = spread.length
    return reach, serial_sum(0.0, values * g / np.sqrt(g * g + radii * radii))


def _radius(spread: Spread, photons: float, largest: int, keeps_weak: bool) -> int:
    if spread.radius is not None:
        return min(spread.radius, largest)
    lost = math.sqrt(photons) / 10.0
    if spread.name == FIBRE:
        far = spread.length * (photons / lost)
    elif lost > photons:
        return int(keeps_weak)
    else:
        far = math.sqrt(-math.log(lost / photons) / math.log(16.0)) * spread.width
    return largest if far >= largest else min(1 + math.ceil(far), largest)


def _scatter(
    light: np.ndarray, reach: np.ndarray, fractions: np.ndarray, everywhere: float, wraps: bool
) -> tuple[np.ndarray, bool]:
    """Add the light of one source after the other."""
    n_slow, n_fast = light.shape
    radius = len(fractions) // 2
    # the last column takes what goes one column beyond the right edge
    sums = np.zeros(n_slow * n_fast + n_fast + 1, dtype=np.float32)
    has_wrapped = False
    distances = np.arange(-radius, radius + 1) ** 2
    for y, x in np.argwhere(reach > 0).tolist():
        r, photons = int(reach[y, x]), float(light[y, x])
        rows = np.arange(max(y - r, 0), min(y + r, n_slow - 1) + 1)
        columns = np.arange(max(x - r, 0), min(x + r, n_fast - (0 if wraps else 1)) + 1)
        part = fractions[np.ix_(rows - y + radius, columns - x + radius)]
        squared = distances[rows - y + radius, None] + distances[None, columns - x + radius]
        targets = rows[:, None] * n_fast + columns
        chosen = squared <= r * r
        has_wrapped |= bool(chosen[rows < n_slow - 1][:, columns == n_fast].any())
        # a source may reach a pixel twice: in its own row, and by wrapping from the row above
        beyond = np.broadcast_to(columns == n_fast, chosen.shape)
        for some in (chosen & ~beyond, chosen & beyond):
            where = targets[some]
            sums[where] = sums[where].astype(np.float64) + photons * part[some]
    image = (sums[: n_slow * n_fast].astype(np.float64) + everywhere).astype(np.float32)
    return image.reshape(n_slow, n_fast), has_wrapped


def convolved(light: np.ndarray, spread: Spread) -> np.ndarray:
    """Scatter the light of each pixel to the whole detector.

    Parameters
    ----------
    light : ndarray of float32, shape (n_slow, n_fast)
        Photons.
    spread : Spread
        Point spread function. With a radius, all light stays within it.

    Returns
    -------
    ndarray of float32, shape (n_slow, n_fast)
        Photons. Only light beyond the edges of the detector is missing.
    """
    n_slow, n_fast = light.shape
    if spread.radius is None:
        fractions = point_spread.wide_kernel(spread.name, spread.width, n_slow, n_fast)
    else:
        disc = point_spread.kernel(spread.name, spread.width, spread.radius)
        # the part of the disc that is on the detector for some source
        rows, columns = (_common(n, spread.radius) for n in (n_slow, n_fast))
        fractions = np.zeros((2 * n_slow - 1, 2 * n_fast - 1))
        fractions[rows[0], columns[0]] = disc[rows[1], columns[1]] / disc.sum()
    # larger than the image, so that light beyond one edge does not come back at the other one
    shape = 2 * n_slow, 2 * n_fast
    wrapped = np.zeros(shape)
    wrapped[: 2 * n_slow - 1, : 2 * n_fast - 1] = fractions
    wrapped = np.roll(wrapped, (1 - n_slow, 1 - n_fast), (0, 1))
    product = np.fft.rfft2(light, shape) * np.fft.rfft2(wrapped)
    part = np.fft.irfft2(product, shape)[:n_slow, :n_fast]
    # rounding errors of the transform
    return np.maximum(part, 0.0).astype(np.float32)


def _common(n: int, radius: int) -> tuple[slice, slice]:
    """The offsets that an axis of n pixels and a disc have in common, as slices of both."""
    most = min(n - 1, radius)
    return slice(n - 1 - most, n + most), slice(radius - most, radius + most + 1)
