"""Settings of a refinement: target, limits, search, and the largest chi-squared of a solution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.checks import finite, whole
from cupysim.models.tolerance import Tolerance
from cupysim.refine.free_parameters import free_parameters
from cupysim.refine.problem import TARGETS

UNLIKELY = 5.0
"""Number of standard deviations by which chi-squared exceeds 1 if the model does not describe the
image."""

LARGEST_SEARCH = 20.0
"""Largest search range (degrees). If the start is further away, the image must be indexed."""

EVALUATIONS = 60
"""Default for the largest number of evaluations of the last fit."""


@dataclass(frozen=True)
class Settings:
    """Settings of a refinement.

    Parameters
    ----------
    target : str
        Function to minimise; see `cupysim.refine.problem.TARGETS`.
    within : mapping
        Largest changes from the start, by name of a parameter or group, in the shown units of
        `PARAMETERS`. Other parameters have the limits of `PARAMETERS`.
    search : float
        Range (degrees) of the search for the orientation, to either side of the start; 0 for no
        search.
    evaluations : int
        Largest number of evaluations of the last fit.
    largest_misfit : float, optional
        Largest chi-squared of a solution. By default, `UNLIKELY` standard deviations above 1.
    tolerance : Tolerance, float or str, optional
        Tolerance of the images of all fits but the last, as `Tolerance.read` reads it. By default,
        all images are exact.

    Raises
    ------
    ModelError
        If a setting is impossible, or `within` names no parameter.
    """

    target: str = "poisson"
    within: Mapping[str, float] | None = None
    search: float = 1.0
    evaluations: int = EVALUATIONS
    largest_misfit: float | None = None
    tolerance: Tolerance | float | str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "search", finite(self.search, "search"))
        object.__setattr__(self, "tolerance", Tolerance.read(self.tolerance))
        object.__setattr__(self, "evaluations", whole(self.evaluations, "evaluations"))
        if self.target not in TARGETS:
            raise ModelError(f"target: expected {' or '.join(TARGETS)}, got {self.target!r}")
        if not 0.0 <= self.search <= LARGEST_SEARCH:
            raise ModelError(
                f"search: from 0 to {LARGEST_SEARCH:g} degrees are possible, got {self.search:g}"
            )
        if self.largest_misfit is not None and not self.largest_misfit > 0.0:
            raise ModelError(
                f"chi-squared: expected a number above zero, got {self.largest_misfit:g}"
            )
        if self.evaluations < 1:
            raise ModelError(f"evaluations: must be at least 1, got {self.evaluations}")
        limits: dict[str, float] = {}
        if not isinstance(self.within or {}, Mapping):
            raise ModelError(f"within: expected names with numbers, got {self.within!r}")
        for name, limit in (self.within or {}).items():
            limit = finite(limit, f"within: {name}")
            if not 0.0 < limit < np.inf:
                raise ModelError(f"within: {name}: expected a number above zero, got {limit:g}")
            limits |= dict.fromkeys(free_parameters(name), float(limit))
        object.__setattr__(self, "within", limits)

    def largest(self, sigma: float) -> float:
        """Largest chi-squared of a solution, if noise gives it the standard deviation `sigma`."""
        return self.largest_misfit or 1.0 + UNLIKELY * sigma
