"""Families of parameters, each with its own module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cupysim.models import absorber_parameters as absorbers
from cupysim.models import background_parameters as background
from cupysim.models import cell_spread_parameters as cells
from cupysim.models import diffuse_parameters as diffuse
from cupysim.models import polarization_parameters as light
from cupysim.models import sample_parameters as sample
from cupysim.models import source_parameters as sources
from cupysim.models.crystal_names import numbered

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
    has_numbers : bool, optional
        Whether a number may follow a name (``around_width:2``) that is not that of a crystal.
    """

    names: tuple[str, ...]
    current: Callable[[Experiment, str], float]
    without_effect: Callable[[Experiment, str], str]
    changed: Callable[[Experiment, str, float], Experiment]
    has_numbers: bool = False


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
    Family(
        absorbers.OF_AROUND, absorbers.current_around, absorbers.without_around,
        absorbers.with_changed_around, has_numbers=True,
    ),
    Family(
        (absorbers.ABSORPTION_SIZE,), absorbers.current_absorber, absorbers.without_absorber,
        absorbers.with_changed_absorber,
    ),
)  # fmt: skip
"""Parameters that are not in `cupysim.models.parameters` itself."""


def family_of(name: str) -> Family | None:
    """Family of a parameter, with or without a number; None if it has none."""
    base, _ = numbered(name)
    return next((family for family in FAMILIES if base in family.names), None)


def has_own_numbers(name: str) -> bool:
    """Whether the number after a name is not that of a crystal."""
    family = family_of(name)
    return family is not None and family.has_numbers
