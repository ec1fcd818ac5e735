"""Rotations from a convention's laboratory frame to those of NeXus and of imgCIF.

NeXus has z along the beam and y up. imgCIF, and with it DIALS, has z towards the source and x
along the spindle. Both are right-handed and have the same y.
"""

from __future__ import annotations

import numpy as np

from cupysim.maths.arrays import cross, dot, norm, unit
from cupysim.models.conventions import UnitFrame

FLIP = np.diag([-1.0, 1.0, -1.0])
"""Rotation between NeXus and imgCIF, the same in both directions."""

PARALLEL = 1e-6
"""Length below which a unit vector has no component perpendicular to the beam."""


def to_imgcif(frame: UnitFrame, first: np.ndarray | None = None) -> np.ndarray:
    """The rotation from a laboratory frame to that of imgCIF.

    Parameters
    ----------
    frame : UnitFrame
        Laboratory frame.
    first : ndarray, shape (3,), optional
        Direction of x, in place of the spindle.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows x, y, z of imgCIF in the laboratory frame. x is along the component of the spindle
        perpendicular to the beam. If there is none, it is along that of the polarization, the fast
        axis or the slow axis.
    """
    z = -frame.beam
    wanted = frame.spindle if first is None else first
    for direction in (wanted, frame.polarization, frame.fast, frame.slow):
        across = direction - dot(direction, z) * z
        if norm(across) > PARALLEL:
            break
    x = unit(across)
    return np.stack([x, cross(z, x), z])


def to_nexus(frame: UnitFrame) -> np.ndarray:
    """The rotation from a laboratory frame to that of NeXus, shape (3, 3)."""
    return FLIP @ to_imgcif(frame)
