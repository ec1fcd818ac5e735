"""Families of parameters, each with its own module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cupysim.models import background_parameters as background
from cupysim.models import cell_spread_parameters as cells
from cupysim.models import diffuse_parameters as diffuse
from cupysim.models import polarization_parameters as light
from cupysim.models import sample_parameters as sample
from cupysim.models import source_parameters as sources

if TYPE_CHECKING:
    from cupysim.models.experiment import Experiment


@dataclass(frozen=True)
class Family:
    """Parameters of one part of an experiment.

    Parameters
    ----------
    names : tuple of str
        Their names.
    current, without_effect, changed : callable
        Functions as those of `cupysim.models.parameters`, for these names.
    """

    names: tuple[str, ...]
    current: Callable[[Experiment, str], float]
    without_effect: Callable[[Experiment, str], str]
    changed: Callable[[Experiment, str, float], Experiment]


FAMILIES = (
    Family(
        sample.OF_SAMPLE, sample.current_of_sample, sample.without_sample,
        sample.with_changed_sample,
    ),
    Family(
        diffuse.OF_DIFFUSE, diffuse.current_diffuse, diffuse.without_diffuse,
        diffuse.with_changed_diffuse,
    ),
    Family(
        light.STOKES, light.current_stokes_parameter, light.without_stokes,
        light.with_changed_stokes,
    ),
    Family(
        (background.BACKGROUND_SCALE,), background.current_background_scale,
        background.reason_for_no_background, background.with_changed_background,
    ),
    Family(
        cells.EDGE_SPREADS, cells.current_edge_spread, cells.without_edge_spreads,
        cells.with_changed_edge_spread,
    ),
    Family(
        sources.OF_SOURCES, sources.current_of_sources, sources.without_sources,
        sources.with_changed_sources,
    ),
)  # fmt: skip
"""Parameters that are not in `cupysim.models.parameters` itself."""


def family_of(name: str) -> Family | None:
    """Family of a parameter; None if it has none."""
    return next((family for family in FAMILIES if name in family.names), None)
