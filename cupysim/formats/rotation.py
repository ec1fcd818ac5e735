"""Rotation of the crystal in image files: sign of the width, and fixed goniometer angles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SETTING = 1e-3
"""Angle (degrees) of a goniometer axis up to which it counts as zero."""


def forward(
    spindle: np.ndarray, start: float | None, width: float | None
) -> tuple[np.ndarray, float | None, float | None]:
    """The same rotation with a width that is not negative.

    Parameters
    ----------
    spindle : ndarray, shape (3,)
        Rotation axis.
    start, width : float, optional
        First angle and width of an image, in any unit of angle.

    Returns
    -------
    spindle : ndarray, shape (3,)
        The axis, or the opposite axis.
    start, width : float or None
        First angle and width about the returned axis.
    """
    if width is None or not is_backward(width):
        return spindle, start, width
    return -spindle, None if start is None else -start, -width


def is_backward(width: float | None) -> bool:
    """Whether `forward` takes the opposite axis."""
    return width is not None and width < 0.0


def settings_remark(angles: Mapping[str, float]) -> str:
    """Warning about fixed goniometer axes that orient the crystal.

    Parameters
    ----------
    angles : mapping of str to float
        Angles (degrees) of the axes that do not turn during the image, by name.

    Returns
    -------
    str
        Warning; empty if all axes are at zero.
    """
    set_ = [f"{name} {angle:g}" for name, angle in angles.items() if abs(angle) > SETTING]
    if not set_:
        return ""
    return (
        f"its goniometer stands at {', '.join(set_)} degrees. These angles orient the crystal: "
        "give its orientation at these angles"
    )
