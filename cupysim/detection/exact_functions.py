"""Elementary functions with the operations of the compiled code, in the same order.

Counts and readings of NumPy and of the compiled code are therefore equal. The compiled code has
these functions in `cuda_src/photon_noise.cuh` and `cuda_src/normal.cuh`.
"""

from __future__ import annotations

import numpy as np

WHOLE = 1.5 * 2.0**52
"""Adding this number to a smaller one leaves the nearest integer in the low bits."""


def polynomial(coefficients: list[float], x: np.ndarray) -> np.ndarray:
    """A polynomial by Horner's rule, the highest power first."""
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value


FACTORIALS = [
    1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0,
    1.0 / 40320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0,
]  # fmt: skip
"""Coefficients of the exponential series, from the 13th power on."""


def exp_of_mean(m: np.ndarray) -> np.ndarray:
    """exp(-m) for 0 <= m < 64, with the operations of the compiled code."""
    n = (m * 1.4426950408889634 + WHOLE) - WHOLE
    r = (n * 6.93147180369123816490e-01 - m) + n * 1.90821492927058770002e-10
    return np.asarray(polynomial(FACTORIALS, r) * np.exp2(-n))


def log_of(x: np.ndarray) -> np.ndarray:
    """Logarithm of positive normal numbers, with the operations of the compiled code."""
    fraction, exponent = np.frexp(x)
    small = fraction < 0.70710678118654755
    fraction, exponent = np.where(small, 2.0 * fraction, fraction), exponent - small
    f = (fraction - 1.0) / (fraction + 1.0)
    z = f * f
    p = polynomial([1.0 / odd for odd in range(21, 1, -2)], z)
    return np.asarray(exponent * 0.69314718055994531 + (2.0 * f + 2.0 * (f * z * p)))


SINE = [
    -1.0 / 1307674368000.0, 1.0 / 6227020800.0, -1.0 / 39916800.0, 1.0 / 362880.0, -1.0 / 5040.0,
    1.0 / 120.0, -1.0 / 6.0,
]  # fmt: skip
"""Coefficients of the sine's series, from the 15th power to the third."""

COSINE = [
    1.0 / 20922789888000.0, -1.0 / 87178291200.0, 1.0 / 479001600.0, -1.0 / 3628800.0,
    1.0 / 40320.0, -1.0 / 720.0, 1.0 / 24.0, -0.5,
]  # fmt: skip
"""Coefficients of the cosine's series, from the 16th power to the second."""


def normal_pair(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two independent normal deviates from two uniform ones.

    The method is that of Box and Muller (1958) Ann. Math. Stat. 29, 610.

    Parameters
    ----------
    u, v : ndarray of float64
        Uniform deviates between 0 and 1.

    Returns
    -------
    first, second : ndarray of float64
        Normal deviates.
    """
    length = np.sqrt(-2.0 * log_of(u))
    quarters = 4.0 * v
    turns = np.rint(quarters)
    r = (quarters - turns) * 1.5707963267948966
    z = r * r
    sine = r + r * (z * polynomial(SINE, z))
    cosine = 1.0 + z * polynomial(COSINE, z)
    is_odd = (turns == 1.0) | (turns == 3.0)
    across, up = np.where(is_odd, sine, cosine), np.where(is_odd, cosine, sine)
    across = np.where((turns == 1.0) | (turns == 2.0), -across, across)
    up = np.where((turns == 2.0) | (turns == 3.0), -up, up)
    return length * across, length * up
