"""Tolerance of images: photons that a pixel may lack because weak terms are left out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cupysim.errors import ModelError

OF_PEAK = "peak"
"""End of the text of a tolerance that is relative to the brightest Bragg pixel."""


@dataclass(frozen=True)
class Tolerance:
    """The difference that a pixel may have from the exact image.

    Parameters
    ----------
    value : float
        Photons, or a fraction of the photons of the brightest Bragg pixel.
    of_peak : bool, optional
        Whether `value` is such a fraction.

    Raises
    ------
    ModelError
        If the value is negative or not finite, or a fraction is not below 1.

    Examples
    --------
    >>> Tolerance.read("0.01")
    Tolerance(value=0.01, of_peak=False)
    >>> print(Tolerance.read("1e-6peak"))
    1e-06peak
    """

    value: float
    of_peak: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value >= 0.0):
            raise ModelError(f"tolerance: must be finite and not negative, got {self.value}")
        if self.of_peak and self.value >= 1.0:
            raise ModelError(f"tolerance: a fraction must be below 1, got {self}")

    def __str__(self) -> str:
        return f"{self.value:g}{OF_PEAK if self.of_peak else ''}"

    @classmethod
    def read(cls, given: Tolerance | float | str | None) -> Tolerance | None:
        """Read a tolerance as users give it.

        Parameters
        ----------
        given : Tolerance, float, str or None
            Photons, as a number or a text such as "0.01"; or a text such as "1e-6peak", a fraction
            of the brightest Bragg pixel.

        Returns
        -------
        Tolerance or None
            The tolerance; None for None.

        Raises
        ------
        ModelError
            If it is neither photons nor such a fraction, or the number is not possible.
        """
        if given is None or isinstance(given, Tolerance):
            return given
        text = str(given).strip()
        of_peak = text.endswith(OF_PEAK)
        try:
            value = float(text.removesuffix(OF_PEAK))
        except ValueError:
            raise ModelError(
                f"tolerance: expected photons, such as 0.01, or a fraction of the brightest Bragg "
                f"pixel, such as 1e-6peak; got {text!r}"
            ) from None
        return cls(value, of_peak)
