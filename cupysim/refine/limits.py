"""Residuals of overloads: pixels with only a lower limit of their photons.

The likelihood of such a pixel is the probability of a signal above the limit (Tobin (1958)
Econometrica 26, 24). Its residual is sqrt(-2 log(probability)).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import log_ndtr

SMALLEST = 1e-300
"""Smallest squared residual in slopes. It avoids a division by zero."""


def limit_residuals(mean: np.ndarray, limit: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Residuals of pixels that are known to be above a limit.

    Parameters
    ----------
    mean, limit, deviation : ndarray, shape (n,)
        Means of the model, limits, and standard deviations of pixels at the limit (photons).

    Returns
    -------
    ndarray, shape (n,)
        Residuals, from 0 up.
    """
    return np.sqrt(np.maximum(-2.0 * log_ndtr((mean - limit) / deviation), 0.0))


def limit_slopes(mean: np.ndarray, limit: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Derivatives of `limit_residuals` with respect to the means."""
    z = (mean - limit) / deviation
    log_probability = log_ndtr(z)
    # the density divided by the probability, by logarithms: both underflow far below the limit
    ratio = np.exp(-0.5 * z * z - 0.5 * math.log(2.0 * math.pi) - log_probability)
    residual = np.sqrt(np.maximum(-2.0 * log_probability, SMALLEST))
    return np.asarray(-ratio / (residual * deviation))
