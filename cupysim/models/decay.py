"""Decay of the crystal with dose."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.checks import assign, finite

SMALL = 1e-2
"""Exponent below which a series is used. Its next term is 1e-10 of the result."""


@dataclass(frozen=True)
class Decay:
    """Loss of diffraction with dose: an exponential decay of all intensities, and a growing B.

    After a dose D, intensities are multiplied by exp(-ln 2 D/half_dose) exp(-2 b_per_gray D s^2),
    with s = sin(theta)/lambda (Holton (2009) J. Synchrotron Rad. 16, 133, for the first factor;
    Kmetko et al. (2006) Acta Cryst. D62, 1030, for the second).

    Parameters
    ----------
    dose : float
        Dose during the image (Gy), which grows evenly with the spindle angle.
    half_dose : float, optional
        Dose that halves all intensities (Gy); infinite if not given.
    b_per_gray : float, optional
        Growth of the B factor with dose (m^2/Gy). About 1e-26 for protein crystals, which is
        1 Angstrom^2/MGy.
    dose_before : float, optional
        Dose before the image (Gy).

    Raises
    ------
    ModelError
        If a number is negative, or the half dose is zero.
    """

    dose: float
    half_dose: float = math.inf
    b_per_gray: float = 0.0
    dose_before: float = 0.0

    def __post_init__(self) -> None:
        for name in ("dose", "b_per_gray", "dose_before"):
            assign(self, **{name: finite(getattr(self, name), f"decay: {name}")})
            if getattr(self, name) < 0.0:
                raise ModelError(f"decay: {name} must not be negative, got {getattr(self, name):g}")
        if self.half_dose != math.inf:
            assign(self, half_dose=finite(self.half_dose, "decay: half_dose"))
        if not self.half_dose > 0.0:
            raise ModelError(f"decay: half_dose must be positive, got {self.half_dose:g} Gy")

    def slopes(self, stol_squared: np.ndarray, first: float, last: float) -> dict[str, np.ndarray]:
        """Derivatives of `factor`.

        Parameters
        ----------
        stol_squared, first, last
            As for `factor`.

        Returns
        -------
        dict of str to ndarray, shape (...)
            Derivatives with respect to ``dose``, ``dose_before`` and ``half_dose`` (1/Gy), and to
            ``b_per_gray`` (Gy/m^2).
        """
        rate = self._rate(stol_squared)
        exponent = rate * (last - first) * self.dose
        # of (1 - exp(-x))/x; the series for small x, where the difference cancels
        near = -0.5 + exponent * (1.0 / 3.0 + exponent * (-0.125 + exponent / 30.0))
        safe = np.where(exponent > SMALL, exponent, 1.0)
        far = (np.exp(-safe) * (1.0 + safe) - 1.0) / safe**2
        of_mean = np.where(exponent > SMALL, far, near)
        factor = self.factor(stol_squared, first, last)
        before, length = self.dose_before + first * self.dose, last - first
        at_begin = np.exp(-rate * before)
        of_rate = at_begin * of_mean * length * self.dose - before * factor
        return {
            "dose": rate * (at_begin * of_mean * length - first * factor),
            "dose_before": -rate * factor,
            "half_dose": of_rate * (-math.log(2.0) / self.half_dose**2),
            "b_per_gray": of_rate * 2.0 * np.asarray(stol_squared),
        }

    def _rate(self, stol_squared: np.ndarray) -> np.ndarray:
        """Decrease of the logarithm of intensities with dose (1/Gy)."""
        return math.log(2.0) / self.half_dose + 2.0 * self.b_per_gray * np.asarray(stol_squared)

    def factor(self, stol_squared: np.ndarray, first: float, last: float) -> np.ndarray:
        """Mean factor of the intensities during a part of the image.

        Parameters
        ----------
        stol_squared : ndarray, shape (...)
            Squares of sin(theta)/lambda (1/m^2).
        first, last : float
            Beginning and end of the part, as fractions of the image (0 to 1).

        Returns
        -------
        ndarray, shape (...)
            Factors from 0 to 1.
        """
        rate = self._rate(stol_squared)
        begin, length = self.dose_before + first * self.dose, (last - first) * self.dose
        exponent = rate * length
        # (1 - exp(-x))/x, which is 1 at zero
        mean = np.where(
            exponent > 0.0, -np.expm1(-exponent) / np.where(exponent > 0, exponent, 1), 1
        )
        return np.asarray(np.exp(-rate * begin) * mean)
