"""Rotations of the crystal, as image files tell them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SETTING = 1e-3
"""Degrees; a goniometer axis which stands nearer to zero does not set the crystal."""


def forward(
    spindle: np.ndarray, start: float | None, width: float | None
) -> tuple[np.ndarray, float | None, float | None]:
    """The same rotation with a width which is not negative.

    Parameters
    ----------
    spindle : ndarray, shape (3,)
        Rotation axis.
    start, width : float, optional
        First angle and width of an image.

    Returns
    -------
    spindle : ndarray, shape (3,)
        The axis, or the opposite one.
    start, width : float or None
        As counted about that.
    """
    if width is None or width >= 0.0:
        return spindle, start, width
    return -spindle, None if start is None else -start, -width


def settings_remark(angles: Mapping[str, float]) -> str:
    """What to say of goniometer axes which set the crystal.

    Parameters
    ----------
    angles : mapping of str to float
        Axes which do not turn during the image, and where they stand (degrees).

    Returns
    -------
    str
        Empty if all stand at zero.
    """
    set_ = [f"{name} {angle:g}" for name, angle in angles.items() if abs(angle) > SETTING]
    if not set_:
        return ""
    return (
        f"its goniometer stands at {', '.join(set_)} degrees, which orient the crystal: the "
        "orientation given must be the one at these angles"
    )
