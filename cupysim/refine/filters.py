"""Sizes of SciPy's image filters that leave the panels of an image apart."""

from __future__ import annotations


def sigmas(n_axes: int, sigma: float) -> tuple[float, ...]:
    """Standard deviations of a Gaussian filter along each axis of an image.

    Parameters
    ----------
    n_axes : int
        Number of the image's axes: 2, or 3 if the first one counts panels.
    sigma : float
        Standard deviation along fast and slow (pixels).

    Examples
    --------
    >>> sigmas(3, 2.5)
    (0.0, 2.5, 2.5)
    """
    return (*[0.0] * (n_axes - 2), sigma, sigma)


def sizes(n_axes: int, size: int) -> tuple[int, ...]:
    """Sizes of a window filter along each axis of an image.

    Parameters
    ----------
    n_axes : int
        Number of the image's axes: 2, or 3 if the first one counts panels.
    size : int
        Size along fast and slow (pixels).
    """
    return (*[1] * (n_axes - 2), size, size)
