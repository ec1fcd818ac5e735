"""Point spread functions, integrated over pixels.

A point spread function is the density of light around the point where a photon arrives. Its
integral over a pixel is the difference of a primitive function at the four corners. The functions
are those of noisify and simtbx:

* Gaussian: a product of two normal distributions;
* fibre: the point spread of a fibre-optic taper, a Moffat function with the exponent 3/2 (Holton et
  al. (2012) J. Synchrotron Rad. 19, 1006): g/(2 pi) (g^2 + r^2)^(-3/2).

Lengths are in pixels. The order of the operations is that of noisify, so that kernels are equal
bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

GAUSSIAN, FIBRE = "gaussian", "fibre"
"""Names of the functions."""

FIBRE_RADIUS = 0.652383013252053
"""Radius g of the fibre function, divided by its full width at half maximum:
1/(2 sqrt(2^(2/3) - 1))."""

LOST_NOISE = 0.1
"""Light that a pixel may lose beyond an automatic radius, as a fraction of its photon noise."""


def _with_c_library(function: Callable[[float], float], values: np.ndarray) -> np.ndarray:
    """Values of a function of the C library; NumPy's and SciPy's may differ in the last bit."""
    return np.asarray(np.frompyfunc(function, 1, 1)(values), dtype=np.float64)


def gaussian_primitive(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Primitive function of the Gaussian.

    Parameters
    ----------
    x, y : ndarray
        Position, in units of the full width at half maximum.

    Returns
    -------
    ndarray
        Integral of the density from the centre to (x, y).
    """
    first = _with_c_library(math.erf, 2.0 * x * math.sqrt(math.log(2.0)))
    second = _with_c_library(math.erf, y * math.sqrt(math.log(16.0)))
    return np.asarray(0.125 * (first * second * math.sqrt(math.log(16.0) / math.log(2.0))))


def fibre_primitive(x: np.ndarray, y: np.ndarray, g: float) -> np.ndarray:
    """Primitive function of the fibre function.

    Parameters
    ----------
    x, y : ndarray
        Position (pixels).
    g : float
        Radius of the function (pixels).

    Returns
    -------
    ndarray
        Integral of the density from the centre to (x, y).
    """
    angles = _with_c_library(math.atan, (x * y) / (g * np.sqrt(g * g + x * x + y * y)))
    return np.asarray(angles / 2.0 / math.pi)


def kernel(name: str, width: float, radius: int) -> np.ndarray:
    """Fractions of a pixel's light that pixels around it get.

    Parameters
    ----------
    name : str
        `GAUSSIAN` or `FIBRE`.
    width : float
        Full width at half maximum (pixels), above zero.
    radius : int
        Radius of the kernel (pixels). Fractions beyond the circle are zero.

    Returns
    -------
    ndarray, shape (2 radius + 1, 2 radius + 1)
        Fractions [slow, fast]. Their sum is below 1.
    """
    offsets = np.arange(-radius, radius + 1, dtype=np.float64)
    if name == GAUSSIAN:
        places, half = offsets / width, 1.0 / width / 2.0
        low, high = places - half, places + half

        def primitive(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            return gaussian_primitive(x[None, :], y[:, None])

        fractions = (
            primitive(high, high) - primitive(high, low)
            - primitive(low, high) + primitive(low, low)
        )  # fmt: skip
    elif name == FIBRE:
        edges = np.arange(radius + 1) + 0.5
        quadrant = fibre_primitive(edges[None, :], edges[:, None], FIBRE_RADIUS * width)
        fractions = _between_corners(_mirrored(quadrant))
    else:
        raise ValueError(f"unknown point spread function {name!r}")
    is_outside = offsets**2 + offsets[:, None] ** 2 > radius * radius
    return np.where(is_outside, 0.0, fractions)


def fibre_quarter(width: float, radius: int) -> np.ndarray:
    """The quarter of the fibre function's kernel where no offset is negative.

    Parameters
    ----------
    width : float
        Full width at half maximum (pixels), above zero.
    radius : int
        Radius of the kernel (pixels).

    Returns
    -------
    ndarray, shape (radius + 1, radius + 1)
        Fractions, equal to those of `kernel`.
    """
    edges, offsets = np.arange(-1, radius + 1) + 0.5, np.arange(radius + 1.0)
    corners = fibre_primitive(edges[None, :], edges[:, None], FIBRE_RADIUS * width)
    is_outside = offsets**2 + offsets[:, None] ** 2 > radius * radius
    return np.where(is_outside, 0.0, _between_corners(corners))


def _mirrored(quadrant: np.ndarray) -> np.ndarray:
    """Values of a function that is odd along both axes, from those in the positive quadrant."""
    right = np.concatenate([-quadrant[:, ::-1], quadrant], axis=1)
    return np.concatenate([-right[::-1], right])


def _between_corners(corners: np.ndarray) -> np.ndarray:
    """Integrals over pixels from a primitive function at their corners."""
    return np.asarray(corners[1:, 1:] - corners[:-1, 1:] - corners[1:, :-1] + corners[:-1, :-1])


def wide_kernel(name: str, width: float, n_slow: int, n_fast: int) -> np.ndarray:
    """Fractions of a pixel's light at all offsets between two pixels of an image.

    They are accurate, but their bits may differ from those of `kernel`.

    Parameters
    ----------
    name : str
        `GAUSSIAN` or `FIBRE`.
    width : float
        Full width at half maximum (pixels), above zero.
    n_slow, n_fast : int
        Size of the image.

    Returns
    -------
    ndarray, shape (2 n_slow - 1, 2 n_fast - 1)
        Fractions [slow, fast].
    """
    if name == GAUSSIAN:
        return np.outer(gaussian_weights(width, n_slow - 1), gaussian_weights(width, n_fast - 1))
    if name != FIBRE:
        raise ValueError(f"unknown point spread function {name!r}")
    g = FIBRE_RADIUS * width
    y, x = np.arange(n_slow)[:, None] + 0.5, np.arange(n_fast) + 0.5
    quadrant = np.arctan((x * y) / (g * np.sqrt(g * g + x * x + y * y))) / (2.0 * math.pi)
    return _between_corners(_mirrored(quadrant))


def gaussian_weights(width: float, radius: int) -> np.ndarray:
    """Fractions of light along one axis.

    The kernel of the Gaussian is the product of the fractions along fast and slow.

    Parameters
    ----------
    width : float
        Full width at half maximum (pixels), above zero.
    radius : int
        Largest distance (pixels).

    Returns
    -------
    ndarray, shape (2 radius + 1,)
        Fractions.
    """
    edges = (np.arange(2 * radius + 2) - radius - 0.5) * (2.0 * math.sqrt(math.log(2.0)) / width)
    return np.asarray(np.diff(_with_c_library(math.erf, edges)) / 2.0)


def light_outside(name: str, width: float, radius: float) -> float:
    """Fraction of the light of a point that is farther away than a radius.

    Parameters
    ----------
    name : str
        `GAUSSIAN` or `FIBRE`.
    width : float
        Full width at half maximum (pixels).
    radius : float
        Radius (pixels).

    Returns
    -------
    float
        Fraction.
    """
    if name == GAUSSIAN:
        return math.exp(-math.log(16.0) * (radius / width) ** 2)
    if name == FIBRE:
        g = FIBRE_RADIUS * width
        return g / math.sqrt(g * g + radius * radius)
    raise ValueError(f"unknown point spread function {name!r}")


def automatic_radius(name: str, width: float, photons: float) -> int:
    """Radius beyond which a pixel loses a tenth of its photon noise.

    Parameters
    ----------
    name : str
        `GAUSSIAN` or `FIBRE`.
    width : float
        Full width at half maximum (pixels).
    photons : float
        Photons in the pixel, above zero.

    Returns
    -------
    int
        Radius (pixels), at least 1.
    """
    lost = LOST_NOISE * math.sqrt(photons)
    if lost >= photons:
        return 1
    if name == GAUSSIAN:
        return 1 + math.ceil(math.sqrt(-math.log(lost / photons) / math.log(16.0)) * width)
    if name == FIBRE:
        return 1 + math.ceil(FIBRE_RADIUS * width * photons / lost)
    raise ValueError(f"unknown point spread function {name!r}")
