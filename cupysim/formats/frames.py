"""From a convention's lab frame to those of NeXus and of imgCIF.

NeXus has z along the beam and y up; imgCIF, which DIALS uses, has z towards the source
and x along the spindle. Both are right-handed, and y is the same.
"""

from __future__ import annotations

import numpy as np

from cupysim.maths.arrays import cross, dot, norm, unit
from cupysim.models.conventions import UnitFrame

FLIP = np.diag([-1.0, 1.0, -1.0])
"""Between NeXus and imgCIF, in both directions."""

PARALLEL = 1e-6
"""Length of a perpendicular component below which there is none."""


def to_imgcif(frame: UnitFrame, first: np.ndarray | None = None) -> np.ndarray:
    """The rotation from a lab frame to imgCIF's.

    Parameters
    ----------
    frame : UnitFrame
        The lab frame.
    first : ndarray, shape (3,), optional
        What x shall be along, in place of the spindle.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows x, y, z of imgCIF in the lab frame: x along the part of the spindle which is
        perpendicular to the beam, or where there is none, along the polarization's or the
        fast axis'.
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
    """The rotation from a lab frame to that of NeXus, shape (3, 3)."""
    return FLIP @ to_imgcif(frame)
