"""How to refine, and what is taken for a solution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.checks import finite, whole
from cupysim.refine.free_parameters import free_parameters
from cupysim.refine.problem import TARGETS

UNLIKELY = 5.0
"""Standard deviations by which chi-squared exceeds that of noise where a model is not the
image's."""

LARGEST_SEARCH = 20.0
"""Degrees; further away an image wants to be indexed."""

EVALUATIONS = 60
"""Of the last fit, at most."""


@dataclass(frozen=True)
class Settings:
    """How to refine.

    Parameters
    ----------
    target : str
        What is minimised, see `cupysim.refine.problem.TARGETS`.
    within : mapping
        How far parameters, or those of a group, may go from their start, in the shown units of
        `PARAMETERS`; the others as far as there.
    search : float
        How far (degrees) the orientation is scanned to either side; 0 for not at all.
    evaluations : int
        Of the last fit, at most.
    largest_misfit : float, optional
        Chi-squared up to which a fit is taken for a solution; without it, up to `UNLIKELY`
        standard deviations above 1.

    Raises
    ------
    ModelError
        If one of them is impossible, or names no parameter.
    """

    target: str = "poisson"
    within: Mapping[str, float] | None = None
    search: float = 1.0
    evaluations: int = EVALUATIONS
    largest_misfit: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "search", finite(self.search, "search"))
        object.__setattr__(self, "evaluations", whole(self.evaluations, "evaluations"))
        if self.target not in TARGETS:
            raise ModelError(f"target: expected {' or '.join(TARGETS)}, got {self.target!r}")
        if not 0.0 <= self.search <= LARGEST_SEARCH:
            raise ModelError(
                f"search: from 0 to {LARGEST_SEARCH:g} degrees are possible, got {self.search:g}"
            )
        if self.largest_misfit is not None and not self.largest_misfit > 0.0:
            raise ModelError(f"chi-squared: above zero is expected, got {self.largest_misfit:g}")
        if self.evaluations < 1:
            raise ModelError(f"evaluations: at least 1, got {self.evaluations}")
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
        """Chi-squared of a solution, at most, if noise makes it vary so much."""
        return self.largest_misfit or 1.0 + UNLIKELY * sigma
