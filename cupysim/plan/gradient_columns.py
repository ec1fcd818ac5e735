"""Columns of the kernel's derivatives, and their values for motions of panels."""

from __future__ import annotations

import numpy as np

from cupysim.maths.arrays import cross, dot
from cupysim.models.experiment import Experiment
from cupysim.models.panel_motion import TURNS, axis_of, motion_of, panels_of

INDICES, ORIGIN, AXES = 0, 9, 13
WAVELENGTH, BANDWIDTH, HORIZONTAL, VERTICAL = 22, 23, 24, 25
SIZES, SPREAD, PHOTONS = 26, 33, 42
FORMS, LOG_SCALE, COLUMNS = 43, 55, 56
"""First column of each group of the kernel's columns, and their number; see
`cuda_src/gradient.cuh`."""


def motion_rows(experiment: Experiment, name: str) -> np.ndarray:
    """Derivatives of the panels' geometry with respect to a motion of a group or panel.

    A shift along e moves the origin o by e. A turn about e through the group's centre c moves it
    by e x (o - c), and each axis v by e x v. The close distance is o.n.

    Parameters
    ----------
    experiment : Experiment
        Experiment with a detector of panels.
    name : str
        Name of a motion.

    Returns
    -------
    ndarray, shape (n_panels, 56)
        Rows of `GradientPlan.rows`; zero for panels that do not move.

    Raises
    ------
    ModelError
        If there is no such group or panel.
    """
    motion, detector = motion_of(name), panels_of(experiment, name)
    assert motion is not None
    kind, group = motion
    axis, centre = axis_of(kind), detector.centre(group)
    rows = np.zeros((len(detector), COLUMNS))
    for number in detector.group_panels(group):
        panel = detector.panels[number]
        origin, normal = np.array(panel.origin), panel.axes[2]
        moved, turned = axis, np.zeros((3, 3))
        if kind in TURNS:
            moved, turned = cross(axis, origin - centre), cross(axis, panel.axes)
        close = dot(moved, normal) + dot(origin, turned[2])
        rows[number, ORIGIN:WAVELENGTH] = np.concatenate([moved, [close], turned.reshape(-1)])
    return rows
