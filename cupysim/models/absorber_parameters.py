"""Parameters of what absorbs: matter around the body of the sample, and a sample of -absorption.

The matter around the body has a number after a colon: ``around_width:2`` is the width of the second
body of `Experiment.around`; no number means the first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cupysim.errors import ModelError
from cupysim.models.attenuation import Slab, Sphere
from cupysim.models.crystal_names import numbered

if TYPE_CHECKING:
    from cupysim.models.body import Body
    from cupysim.models.experiment import Experiment

AROUND_PLACE = ("around_along", "around_horizontal", "around_vertical")
"""Place of matter around the body along the beam and across it."""

AROUND_SIZES = ("around_length", "around_width", "around_height")
"""Size of this matter along these axes."""

AROUND_ATTENUATION = "around_attenuation"
"""Attenuation coefficient of this matter."""

OF_AROUND = (*AROUND_PLACE, *AROUND_SIZES, AROUND_ATTENUATION)
"""Parameters of the matter around the body."""

ABSORPTION_SIZE = "absorption_size"
"""Thickness of a plate or diameter of a sphere of -absorption."""


def without_around(experiment: Experiment, name: str) -> str:
    """Reason why a parameter of the matter around the body has no effect; empty if it has one.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `OF_AROUND`, with or without a number.
    """
    _, number = numbered(name)
    if number <= len(experiment.around):
        return ""
    return f"there is no body {number} around the body of the sample (option -around)"


def current_around(experiment: Experiment, name: str) -> float:
    """Value of a parameter of the matter around the body; 0 if there is no such matter.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `OF_AROUND`, with or without a number.
    """
    base, number = numbered(name)
    if number > len(experiment.around):
        return 0.0
    return _values(experiment.around[number - 1])[base]


def with_changed_around(experiment: Experiment, name: str, by: float) -> Experiment:
    """The experiment with other matter around the body.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `OF_AROUND`, with or without a number.
    by : float
        Change (m or 1/m).

    Raises
    ------
    ModelError
        If there is no such matter, or the change is impossible.
    """
    if reason := without_around(experiment, name):
        raise ModelError(f"parameter {name!r}: it has no effect: {reason}")
    base, number = numbered(name)
    bodies = list(experiment.around)
    values = _values(bodies[number - 1])
    values[base] += by
    along, horizontal, vertical = (values[each] for each in AROUND_PLACE)
    length, width, height = (values[each] for each in AROUND_SIZES)
    bodies[number - 1] = replace(
        bodies[number - 1],
        size=(length, width, height),
        position=(along, horizontal, vertical),
        attenuation=values[AROUND_ATTENUATION],
    )
    return replace(experiment, around=tuple(bodies))


def _values(body: Body) -> dict[str, float]:
    numbers = (*body.position, *body.size, body.attenuation)
    return dict(zip(OF_AROUND, numbers, strict=True))


def without_absorber(experiment: Experiment, _: str) -> str:
    """Reason why the size of an absorbing sample has no effect; empty if it has one."""
    return "" if _absorber(experiment) is not None else "there is no -absorption"


def current_absorber(experiment: Experiment, _: str) -> float:
    """Thickness or diameter of an absorbing sample (m); 0 if there is none."""
    sample = _absorber(experiment)
    if sample is None:
        return 0.0
    return sample.thickness if isinstance(sample, Slab) else sample.diameter


def with_changed_absorber(experiment: Experiment, name: str, by: float) -> Experiment:
    """The experiment with another size of the absorbing sample.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        `ABSORPTION_SIZE`.
    by : float
        Change (m).

    Raises
    ------
    ModelError
        If there is no such sample, or the change is impossible.
    """
    sample = _absorber(experiment)
    if sample is None:
        reason = without_absorber(experiment, name)
        raise ModelError(f"parameter {name!r}: it has no effect: {reason}")
    size = current_absorber(experiment, name) + by
    other: Slab | Sphere
    if isinstance(sample, Slab):
        other = replace(sample, thickness=size)
    else:
        other = replace(sample, diameter=size)
    attenuators = tuple(other if each is sample else each for each in experiment.attenuators)
    return replace(experiment, attenuators=attenuators)


def _absorber(experiment: Experiment) -> Slab | Sphere | None:
    """The first plate or sphere among the attenuators."""
    samples = (each for each in experiment.attenuators if isinstance(each, Slab | Sphere))
    return next(samples, None)
