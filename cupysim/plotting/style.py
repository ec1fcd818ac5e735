"""Choices for drawing images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cupysim.errors import CupysimError

LARGEST_RING = 1e6
"""Upper limit of a ring's resolution (Angstrom), far above what detectors reach."""

RINGS = 4
"""Number of resolution rings if the user names none."""

SCALES = ("log", "sqrt", "linear")
"""Scales of grey values, as functions of photons."""


@dataclass(frozen=True)
class Style:
    """Choices for drawing images.

    Parameters
    ----------
    scale : {"log", "sqrt", "linear"}
        Scale of grey values, as a function of photons.
    vmin, vmax : float, optional
        Photons that are white and black. By default, the median and a high percentile.
    cmap : str
        Name of a colour map of matplotlib.
    rings : sequence of float, optional
        Resolutions (Angstrom) of the rings. By default, there are four rings. An empty sequence
        draws none.
    spots : bool
        Mark predicted spots.
    indices : bool
        Mark predicted spots and label them with their Miller indices.
    same_scale : bool
        Draw several images on one scale.
    stacked : bool
        Draw the panels of a detector below each other, instead of assembled.
    names : bool
        Write the names of the panels.

    Raises
    ------
    CupysimError
        If the scale is unknown or a number is impossible.
    """

    scale: str = "log"
    vmin: float | None = None
    vmax: float | None = None
    cmap: str = "gray_r"
    rings: Sequence[float] | None = field(default=None)
    spots: bool = False
    indices: bool = False
    same_scale: bool = False
    stacked: bool = False
    names: bool = False

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise CupysimError(f"scale: expected one of {', '.join(SCALES)}, got {self.scale!r}")
        for name in ("vmin", "vmax"):
            number = getattr(self, name)
            if number is not None and not np.isfinite(number):
                raise CupysimError(f"{name}: expected a finite number, got {number}")
        if not all(0.0 < ring < LARGEST_RING for ring in self.rings or ()):
            raise CupysimError(f"rings: expected resolutions (A) between 0 and {LARGEST_RING:g}")

    @property
    def has_rings(self) -> bool:
        """Whether resolution rings are drawn."""
        return self.rings is None or len(self.rings) > 0

    def ring_levels(self, largest: float) -> np.ndarray:
        """Inverse resolutions of the rings.

        Parameters
        ----------
        largest : float
            Largest inverse resolution on the detector (1/Angstrom).

        Returns
        -------
        ndarray, shape (n_rings,)
            Inverse resolutions (1/Angstrom), in increasing order.
        """
        if self.rings is None:
            return np.linspace(0.0, largest, RINGS + 2)[1:-1]
        return np.unique([1.0 / ring for ring in self.rings])
