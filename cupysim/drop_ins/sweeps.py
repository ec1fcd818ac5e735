"""The C program's rules for sweeps that a user gives by range, step or count.

The rules fill in what is not given (quirk Q27). Those for the oscillation differ from the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.models.sampling import LARGEST_COUNT, Sweep
from cupysim.models.sensor import Sensor
from cupysim.quirks import NANOBRAGG, Quirk, Quirks, warn_quirk

DEFAULT_RANGE = 1.0
"""Range of a sweep that has only a count: one radian, or a 100 % bandwidth."""

DEFAULT_SENSOR = 0.5e-6
"""Sensor thickness (m) if the number of layers is given, and no thickness or a negative one."""

ROUNDING = 1e-9
"""Upper limit of the relative rounding error of a quotient of decimal numbers."""


def _tell_of_quirk(effect: str, can_be_corrected: bool) -> None:
    warn_quirk(Quirk.SWEEP_COMPLETION, effect, can_be_corrected)


def complete_sweep(
    range_: float | None,
    step: float | None,
    count: int | None,
    kind: Literal["hdiv", "vdiv", "dispersion", "sensor"],
    quirks: Quirks = NANOBRAGG,
    tell: Callable[[str, bool], None] = _tell_of_quirk,
) -> Sweep:
    """Complete the sweep of a divergence, of the dispersion or of the sensor.

    Parameters
    ----------
    range_, step : float, optional
        Range and step from the user (rad, relative width, or m); a negative number means "not
        given".
    count : int, optional
        Number of steps from the user; zero or less means "not given".
    kind : str
        Name of what is swept.
    quirks : Quirks, optional
        Corrected quirks: Q26 (spacing of sensor layers, single layer), Q27 (lost count, rounding
        up), Q46 (missing last point).
    tell : callable, optional
        Function that warns of an effect of quirk Q27. Its arguments are the effect, and whether a
        correction removes it. By default it warns of Q27.

    Returns
    -------
    Sweep
        The sweep; a single step of zero if range, step or count is zero.

    Raises
    ------
    ModelError
        If the sweep has too many steps.
    """
    has_count = count is not None and count > 0
    has_range = range_ is not None and range_ >= 0.0
    has_step = step is not None and step > 0.0
    range_, step = range_ or 0.0, step or 0.0
    steps = count or 0
    if not has_range and has_step:
        if has_count and steps != 2 and quirks.corrects(Quirk.SWEEP_COMPLETION):
            range_ = step * (steps - 1)
        else:
            if has_count and steps != 2:
                effect = f"{kind}: a step without a range is rendered as 2 steps, not {steps}"
                tell(effect, True)
            range_, steps = step, 2
    elif not has_range and has_count:
        range_ = DEFAULT_SENSOR if kind == "sensor" else DEFAULT_RANGE
        if kind != "sensor" and quirks.corrects(Quirk.DIVERGENCE_GRID):
            range_, step = (range_, range_ / (steps - 1)) if steps > 1 else (0.0, 0.0)
        else:
            step = range_ / steps
        if kind != "sensor":
            unit = "a 100 % bandwidth" if kind == "dispersion" else "1 radian"
            effect = f"{kind}: a number of steps without a range means {unit}"
            tell(effect, False)
    elif not has_range:
        range_, step, steps = 0.0, 0.0, 1
    elif not has_count and has_step:
        if quirks.corrects(Quirk.DIVERGENCE_GRID):
            steps = 1 + _count_steps(range_, step, nearest=True)
            if steps == 1:
                return Sweep()
            step = range_ / (steps - 1)
        else:
            steps = _count_steps(range_, step, exact=quirks.corrects(Quirk.SWEEP_COMPLETION))
    elif not has_count:
        steps = 2
        step = range_ / 2 if kind == "sensor" else range_
    elif not has_step and kind == "sensor" and quirks.corrects(Quirk.LAYER_SPACING):
        step = range_ / steps
    elif not has_step:
        steps = max(steps, 2)
        step = range_ / (steps - 1)
    if range_ <= 0.0 or step <= 0.0 or steps <= 0:
        return Sweep()
    return Sweep(range_, step, steps)


def complete_sensor(
    thickness: float | None, layers: int | None, attenuation: float | None, quirks: Quirks
) -> Sensor:
    """Complete the sensor of a detector.

    Parameters
    ----------
    thickness : float, optional
        Thickness from the user (m).
    layers : int, optional
        Number of layers from the user.
    attenuation : float, optional
        Attenuation coefficient (1/m); by default, or if negative, 1/thickness.
    quirks : Quirks
        Corrected quirks, see `complete_sweep`. With Q18, no attenuation means no thickness.
    """
    if quirks.corrects(Quirk.INFINITE_ABSORPTION) and attenuation == 0.0:
        # the attenuation depth is infinite, in whatever order the options come
        thickness = 0.0
    sweep = complete_sweep(thickness, None, layers, "sensor", quirks)
    coefficient = -1.0 if attenuation is None else attenuation
    if sweep.range > 0.0 and coefficient < 0.0:
        coefficient = 1.0 / sweep.range
    return Sensor(sweep, coefficient)


def complete_oscillation(
    osc: float | None, step: float | None, count: int | None, quirks: Quirks = NANOBRAGG
) -> tuple[Sweep, bool]:
    """Complete the oscillation about the spindle.

    Parameters
    ----------
    osc, step : float, optional
        Range and step (rad). A negative range means "not given". A step that is not above zero
        means "not given"; if range and count are given, only a negative step does.
    count : int, optional
        Number of steps; a negative number means "not given", zero means one.
    quirks : Quirks, optional
        Corrected quirks. With Q27, a count is kept, and nothing is rounded up.

    Returns
    -------
    sweep : Sweep
        Range, step (both rad) and count.
    lost : bool
        Whether the user's count was replaced.
    """
    has_osc = osc is not None and osc >= 0.0
    has_step = step is not None and step > 0.0
    osc, step = osc if has_osc and osc is not None else 0.0, step if step is not None else -1.0
    if count is None or count < 0:
        if not has_osc:
            return (Sweep(step, step, 2) if has_step else Sweep()), False
        if has_step:
            return Sweep(
                osc, step, _count_steps(osc, step, exact=quirks.corrects(Quirk.SWEEP_COMPLETION))
            ), False
        return Sweep(osc, osc / 2.0, 2), False
    count = max(count, 1)
    if not has_osc:
        if has_step and quirks.corrects(Quirk.SWEEP_COMPLETION):
            return Sweep(step * count, step, count), False
        if has_step:
            return Sweep(step, step, 2), count != 2
        osc = 1.0 / DEGREES_PER_RADIAN
        return Sweep(osc, osc / count, count), False
    if step < 0.0:
        step = osc / count
    return Sweep(osc, step, count), False


def turns_back(oscillation: float | None, quirks: Quirks) -> bool:
    """Whether a negative rotation is made positive by inverting the spindle axis (quirk Q27).

    Parameters
    ----------
    oscillation : float or None
        Width of the rotation (rad), if it is given.
    quirks : Quirks
        Corrected quirks.
    """
    is_negative = oscillation is not None and oscillation < 0.0
    return is_negative and quirks.corrects(Quirk.SWEEP_COMPLETION)


def _count_steps(range_: float, step: float, exact: bool = False, nearest: bool = False) -> int:
    """Number of steps that cover a range; a number above the limit if there are too many.

    With `exact`, rounding errors do not add a step. With `nearest`, the steps may end before the
    range does.
    """
    steps = min(range_ / step, 2.0 * LARGEST_COUNT)
    if nearest:
        return round(steps)
    return math.ceil(steps * (1.0 - ROUNDING) if exact else steps)
