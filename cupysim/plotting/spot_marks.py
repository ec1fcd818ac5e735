"""Marks of predicted spots in a figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupysim.errors import CupysimError

MOST_LABELS = 400
"""Largest number of spots that are labelled with their Miller indices."""

MOST_MARKED = 500
"""Largest number of spots that are marked: the strongest. More would hide the image."""


def strongest(title: str, spots: np.ndarray | None) -> np.ndarray:
    """Choose the spots that are marked.

    Parameters
    ----------
    title : str
        Title of the image, for messages.
    spots : ndarray of `cupysim.prediction.spots.SPOT`, shape (n,), optional
        Predicted spots.

    Returns
    -------
    ndarray of `cupysim.prediction.spots.SPOT`, shape (n,)
        Up to `MOST_MARKED` spots, the strongest first.

    Raises
    ------
    CupysimError
        If there are no spots.
    """
    if spots is None:
        raise CupysimError(
            f"{title}: it holds no predicted spots that can be shown; -h5file writes them; "
            "for images of a campaign, use Campaign('FOLDER').truth['spots'] in Python"
        )
    if len(spots) == 0:
        raise CupysimError(
            f"{title}: no spots are predicted for it, as for curved detectors and point pixels"
        )
    return spots[np.argsort(-spots["photons"], kind="stable")[:MOST_MARKED]]


def draw_spots(
    axis: Any, spots: np.ndarray, x: np.ndarray, y: np.ndarray, with_indices: bool
) -> None:
    """Draw circles around spots, and label the strongest with their Miller indices.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Axes to draw in.
    spots : ndarray of `cupysim.prediction.spots.SPOT`, shape (n,)
        Spots, the strongest first.
    x, y : ndarray, shape (n,)
        Their places in the axes.
    with_indices : bool
        Write Miller indices.
    """
    axis.scatter(x, y, s=40, facecolors="none", edgecolors="tab:orange", linewidths=0.6)
    if with_indices:
        for spot, place in zip(spots[:MOST_LABELS], zip(x, y, strict=True), strict=False):
            axis.annotate(
                f"{spot['h']} {spot['k']} {spot['l']}", place,
                textcoords="offset points", xytext=(4, 3), fontsize=4, color="tab:orange",
                annotation_clip=True, clip_on=True,
            )  # fmt: skip
