"""Places of panels in the axes of a figure: assembled in the laboratory, or below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from cupysim.maths.resolution import beam_spot
from cupysim.models.panel import Panel
from cupysim.plotting.assembled import View, affine, far_to_near, is_edge_on

MILLIMETRE = 1e-3
"""Unit of the axes of assembled panels (m)."""


class Layout(Protocol):
    """How panels are placed in the axes of a figure."""

    drawn: list[int]
    """Numbers of the panels that are drawn, in this order."""

    def place(self, number: int, fast: Any, slow: Any) -> tuple[np.ndarray, np.ndarray]:
        """Places of pixel coordinates of a panel in the axes."""

    def find(self, x: float, y: float) -> tuple[int, float, float] | None:
        """Number of the panel at a place in the axes, and its pixel coordinates there."""


class Assembled:
    """Panels as seen along the beam from the source, in millimetres from the direct beam.

    Parameters
    ----------
    panels : sequence of Panel
        Panels in the laboratory.
    view : View
        Directions of the view.
    """

    def __init__(self, panels: Sequence[Panel], view: View) -> None:
        self.panels = panels
        self.matrices = [affine(panel, view.right, view.up) / MILLIMETRE for panel in panels]
        self.drawn = [
            number
            for number in far_to_near(panels, view.beam)
            if not is_edge_on(panels[number], self.matrices[number] * MILLIMETRE)
        ]

    def place(self, number: int, fast: Any, slow: Any) -> tuple[np.ndarray, np.ndarray]:
        """Places of pixel coordinates of a panel (mm), to the right and up.

        Parameters
        ----------
        number : int
            Number of the panel.
        fast, slow : array_like, shape (...)
            Pixel coordinates from the outer corner of the first pixel.

        Returns
        -------
        tuple of 2 ndarray, shape (...)
            Places (mm).
        """
        fast, slow = np.asarray(fast), np.asarray(slow)
        x, y = (line[0] * fast + line[1] * slow + line[2] for line in self.matrices[number])
        return x, y

    def find(self, x: float, y: float) -> tuple[int, float, float] | None:
        """Find the panel at a place.

        Parameters
        ----------
        x, y : float
            Place (mm).

        Returns
        -------
        tuple of (int, float, float), or None
            Number of the nearest panel there, fast and slow pixel coordinate. None in gaps.
        """
        for number in reversed(self.drawn):
            matrix, panel = self.matrices[number], self.panels[number]
            fast, slow = np.linalg.solve(matrix[:, :2], np.array([x, y]) - matrix[:, 2])
            if 0.0 <= fast < panel.n_fast and 0.0 <= slow < panel.n_slow:
                return number, float(fast), float(slow)
        return None


class Stacked:
    """Panels below each other, as in the image's array, in pixels.

    Parameters
    ----------
    panels : sequence of Panel
        Panels in the laboratory.
    n_slow : int
        Number of rows of the array for each panel.
    """

    def __init__(self, panels: Sequence[Panel], n_slow: int) -> None:
        self.panels, self.n_slow = panels, n_slow
        self.drawn = list(range(len(panels)))

    def place(self, number: int, fast: Any, slow: Any) -> tuple[np.ndarray, np.ndarray]:
        """Places of pixel coordinates of a panel in the stack (pixels); see `Assembled.place`."""
        return np.asarray(fast), np.asarray(slow) + number * self.n_slow

    def find(self, x: float, y: float) -> tuple[int, float, float] | None:
        """Find the panel at a place (pixels); see `Assembled.find`."""
        number = int(y // self.n_slow)
        if not 0 <= number < len(self.panels):
            return None
        panel, slow = self.panels[number], y - number * self.n_slow
        inside = 0.0 <= x < panel.n_fast and slow < panel.n_slow
        return (number, x, slow) if inside else None


def beam_places(panels: Sequence[Panel], beam: np.ndarray) -> list[tuple[int, float, float]]:
    """Places where the direct beam meets panels.

    Parameters
    ----------
    panels : sequence of Panel
        Panels in the laboratory.
    beam : ndarray, shape (3,)
        Direction of the photons, unit vector.

    Returns
    -------
    list of tuple of (int, float, float)
        Number of the panel, fast and slow pixel coordinate; empty if the beam meets no panel.
    """
    found = []
    for number, panel in enumerate(panels):
        place = beam_spot(np.stack([panel.origin, *panel.axes[:2]]), beam)
        if place is None or place[2] <= 0.0:
            continue
        fast, slow = place[0] / panel.edges[0], place[1] / panel.edges[1]
        if 0.0 <= fast < panel.n_fast and 0.0 <= slow < panel.n_slow:
            found.append((number, fast, slow))
    return found
