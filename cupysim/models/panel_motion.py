"""Motions of panels and groups as parameters: shifts and turns in the laboratory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.panel_detector import PanelDetector

if TYPE_CHECKING:
    from cupysim.models.experiment import Experiment

SHIFTS = ("shift_x", "shift_y", "shift_z")
"""Shifts along the laboratory axes (m)."""

TURNS = ("turn_x", "turn_y", "turn_z")
"""Rotations about the laboratory axes, through the centre of the panel or group (rad)."""

SEVERAL = {"shift": SHIFTS, "turn": TURNS, "motion": SHIFTS + TURNS}
"""Names that stand for several motions."""


def motion_of(name: str) -> tuple[str, str] | None:
    """Kind of a motion, and the group or panel that it moves; None for other parameters.

    Parameters
    ----------
    name : str
        Name of a parameter, such as "shift_x:q0" for the group or panel q0.
    """
    kind, colon, group = name.partition(":")
    return (kind, group) if colon and kind in SHIFTS + TURNS and group else None


def expanded(name: str) -> tuple[str, ...]:
    """Names of the single motions that a name stands for; empty if it names no motion.

    Examples
    --------
    >>> expanded("shift:q0")
    ('shift_x:q0', 'shift_y:q0', 'shift_z:q0')
    """
    kind, colon, group = name.partition(":")
    if colon and group and kind in SEVERAL:
        return tuple(f"{each}:{group}" for each in SEVERAL[kind])
    return () if motion_of(name) is None else (name,)


def panels_of(experiment: Experiment, name: str) -> PanelDetector:
    """The detector that a motion moves.

    Raises
    ------
    ModelError
        If the detector has no panels, or no such group or panel.
    """
    motion, detector = motion_of(name), experiment.detector
    assert motion is not None
    if not isinstance(detector, PanelDetector):
        raise ModelError(f"parameter {name!r}: the detector is one panel without groups")
    detector.group_panels(motion[1])
    return detector


def moved(experiment: Experiment, name: str, by: float) -> Experiment:
    """Return the experiment with a group or panel moved.

    Parameters
    ----------
    experiment : Experiment
        Experiment to start from.
    name : str
        Name of a motion, see `motion_of`.
    by : float
        Shift (m) or angle (rad).
    """
    motion, detector = motion_of(name), panels_of(experiment, name)
    assert motion is not None
    kind, group = motion
    vector = by * axis_of(kind)
    turn = kind in TURNS
    other = detector.moved(
        group,
        shift=np.zeros(3) if turn else vector,
        rotation=vector if turn else np.zeros(3),
    )
    return replace(experiment, detector=other)


def axis_of(kind: str) -> np.ndarray:
    """Laboratory axis of a kind of motion: a unit vector, shape (3,)."""
    return np.asarray(np.eye(3)["xyz".index(kind[-1])])
