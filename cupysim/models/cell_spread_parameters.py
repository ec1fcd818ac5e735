"""Parameters of cells that vary among mosaic domains: spreads of the edges."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cupysim.errors import ModelError
from cupysim.models.crystal import LARGEST_CELL_SPREAD

if TYPE_CHECKING:
    from cupysim.models.experiment import Experiment

EDGE_SPREADS = ("edge_spread_a", "edge_spread_b", "edge_spread_c")
"""Standard deviations of the edges among the domains, relative to the edges."""


def without_edge_spreads(experiment: Experiment, _: str) -> str:
    """Reason why a spread of the edges has no effect; empty if it has one."""
    if any(experiment.crystal.cell_spreads):
        return ""
    return "all domains have the same cell (option -spread_edges)"


def current_edge_spread(experiment: Experiment, name: str) -> float:
    """Value of one of `EDGE_SPREADS`."""
    return experiment.crystal.cell_spreads[EDGE_SPREADS.index(name)]


def with_changed_edge_spread(experiment: Experiment, name: str, by: float) -> Experiment:
    """The experiment with a spread of the edges changed.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `EDGE_SPREADS`.
    by : float
        Change.

    Raises
    ------
    ModelError
        If the parameter has no effect, or the change is impossible.
    """
    if reason := without_edge_spreads(experiment, name):
        raise ModelError(f"parameter {name!r}: it has no effect: {reason}")
    crystal = experiment.crystal
    a, b, c = (
        spread + by if each == name else spread
        for each, spread in zip(EDGE_SPREADS, crystal.cell_spreads, strict=True)
    )
    if not 0.0 <= min(a, b, c) <= max(a, b, c) <= LARGEST_CELL_SPREAD:
        largest = 100.0 * LARGEST_CELL_SPREAD
        raise ModelError(f"parameter {name!r}: it must be from 0 to {largest:g} %")
    return replace(experiment, crystal=replace(crystal, cell_spreads=(a, b, c)))
