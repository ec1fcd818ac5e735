"""A figure of a detector's panels, as seen from the crystal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cupysim.maths.arrays import cross
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector

MILLIMETRES = 1e3
"""Millimetres in a metre."""

ARROW, INSET = 0.3, 0.06
"""Length of an arrow and its distance from the first corner, relative to the edges of its panel."""

FILL, EDGE, FAST, SLOW, BEAM = "#d8e2ea", "#41607a", "#c03028", "#2060c0", "black"
"""Colours: existing pixels, outlines, fast axis, slow axis, direct beam."""

LARGEST_TEXT, SMALLEST_TEXT = 10.0, 3.0
"""Sizes of the names of panels (points)."""


def draw_detector(figure: Any, detector: PanelDetector, title: str) -> None:
    """Draw outlines, existing pixels, names and axes of all panels.

    The plane is perpendicular to the beam: x along the spindle, which is to the left, and y = beam
    cross spindle upwards.

    Parameters
    ----------
    figure : matplotlib figure
        Empty figure.
    detector : PanelDetector
        Detector to draw.
    title : str
        Title of the figure.
    """
    axes = figure.add_subplot()
    size = max(SMALLEST_TEXT, min(LARGEST_TEXT, 60.0 / len(detector) ** 0.7))
    for panel in detector:
        for outline in _blocks(panel):
            axes.fill(*_seen(detector, outline), facecolor=FILL, edgecolor=EDGE, linewidth=0.3)
        corners = panel.corners[[0, 1, 3, 2]]
        axes.fill(*_seen(detector, corners), fill=False, edgecolor=EDGE, linewidth=0.8)
        inset = INSET * min(panel.n_fast, panel.n_slow)
        for end, colour in (
            ((ARROW * panel.n_fast, 0.0), FAST),
            ((0.0, ARROW * panel.n_slow), SLOW),
        ):
            fast, slow = inset + np.array([(0.0, 0.0), end]).T
            (x0, x1), (y0, y1) = _seen(detector, panel.position(fast, slow))
            axes.annotate(
                "", xy=(x1, y1), xytext=(x0, y0),
                arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 0.8,
                            "shrinkA": 0, "shrinkB": 0, "mutation_scale": size},
            )  # fmt: skip
        # a single panel has the direct beam in its middle
        down = 0.25 if len(detector) == 1 else 0.5
        middle = np.array([0.5 * panel.n_fast]), np.array([down * panel.n_slow])
        x, y = _seen(detector, panel.position(*middle))
        axes.text(x[0], y[0], panel.name, ha="center", va="center", fontsize=size)
    axes.plot(0.0, 0.0, "+", color=BEAM, markersize=12)
    axes.plot([], [], color=FAST, label="fast")
    axes.plot([], [], color=SLOW, label="slow")
    axes.plot([], [], "+", color=BEAM, label="direct beam")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=7)
    axes.set_aspect("equal")
    # the spindle is to the left if one looks along the beam
    axes.invert_xaxis()
    axes.set(xlabel="x (mm)", ylabel="y (mm)", title=title)


def _seen(detector: PanelDetector, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (mm) of points in the plane perpendicular to the beam."""
    beam, right = np.array(detector.beam), np.array(detector.spindle)
    return MILLIMETRES * points @ right, MILLIMETRES * points @ cross(beam, right)


def _blocks(panel: Panel) -> Iterator[np.ndarray]:
    """Outlines of the existing pixels: positions (m), shape (corners, 3)."""
    mask = panel.mask
    if mask is None:
        yield panel.corners[[0, 1, 3, 2]]
        return
    rows, columns = np.asarray(mask.any(axis=1)), np.asarray(mask.any(axis=0))
    if np.array_equal(mask, rows[:, None] & columns):
        for first_row, last_row in _runs(rows):
            for first, last in _runs(columns):
                yield panel.position(
                    np.array([first, last, last, first]),
                    np.array([first_row, first_row, last_row, last_row]),
                )
        return
    # other shapes, such as a circle: from the first to the last pixel of each row
    numbers = np.flatnonzero(rows)
    left = mask[numbers].argmax(axis=1)
    right = mask.shape[1] - mask[numbers, ::-1].argmax(axis=1)
    yield panel.position(
        np.concatenate([left, right[::-1]]), np.concatenate([numbers, numbers[::-1]]) + 0.5
    )


def _runs(exists: np.ndarray) -> list[tuple[int, int]]:
    """Begins and ends of the runs of True."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], exists, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in changes.reshape(-1, 2)]
