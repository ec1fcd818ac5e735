"""Flat mosaics: panels whose pixels are on one grid, for formats that hold a single panel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.rendering import Rendering

SAME = 1e-9
"""Largest difference of unit vectors, and of lengths (m), that count as equal."""

ON_GRID = 1e-3
"""Largest distance (pixels) of a panel from the common grid of pixels."""

LARGEST_FILLING = 8.0
"""Largest ratio of the pixels of the whole grid to those of the panels."""


@dataclass(frozen=True, eq=False)
class Mosaic:
    """A detector of panels as one panel with gaps.

    Parameters
    ----------
    detector : Detector
        The panel that has all pixels.
    panels : PanelDetector
        The panels.
    corners : tuple of tuple of 2 int
        First fast and slow pixel of each panel in the whole panel.
    """

    detector: Detector
    panels: PanelDetector
    corners: tuple[tuple[int, int], ...]

    def assembled(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels of all panels in the array of the whole panel; zero in gaps.

        Parameters
        ----------
        pixels : ndarray, shape (n_panels, n_slow, n_fast)
            Pixels of the panels, in numbers of any type.

        Returns
        -------
        ndarray, shape (n_slow, n_fast) of `detector`
            The same numbers.
        """
        whole = np.zeros((self.detector.n_slow, self.detector.n_fast), dtype=pixels.dtype)
        for (fast, slow), panel, array in zip(self.corners, self.panels, pixels, strict=True):
            part = array[: panel.n_slow, : panel.n_fast]
            whole[slow : slow + panel.n_slow, fast : fast + panel.n_fast] = part
        return whole

    def experiment(self, experiment: Experiment) -> Experiment:
        """The experiment with this detector. Gaps are masked.

        Parameters
        ----------
        experiment : Experiment
            Experiment with the detector of panels.
        """
        mask = self.assembled(experiment.rendered_pixels)
        rendering = replace(experiment.rendering, region=None, mask=mask)
        assert isinstance(rendering, Rendering)
        return replace(experiment, detector=self.detector, rendering=rendering)


def mosaic_of(detector: PanelDetector) -> Mosaic | None:
    """A detector of panels as one panel with gaps.

    Parameters
    ----------
    detector : PanelDetector
        The detector.

    Returns
    -------
    Mosaic or None
        None if the panels are not in one plane with the same axes, if their pixels are not squares
        of one size on one grid, if their sensors differ, if panels overlap, or if nearly all of the
        grid is empty.
    """
    first = detector.panels[0]
    edge = first.edges[0]
    if abs(float(first.axes[0] @ first.axes[1])) > SAME:
        return None
    corners = []
    for panel in detector:
        away = np.array(panel.origin) - np.array(first.origin)
        fast, slow, depth = first.axes @ away
        column, row = (round(float(way) / edge) for way in (fast, slow))
        off = max(abs(fast / edge - column), abs(slow / edge - row))
        same_axes = np.abs(panel.axes - first.axes).max() < SAME
        same_size = max(abs(size - edge) for size in panel.edges) < SAME * edge
        is_alike = same_axes and same_size and panel.sensor == first.sensor
        if not (is_alike and abs(depth) < SAME and off < ON_GRID):
            return None
        corners.append((column, row))
    left, top = (min(place) for place in zip(*corners, strict=True))
    placed = tuple((column - left, row - top) for column, row in corners)
    n_fast = max(fast + panel.n_fast for (fast, _), panel in zip(placed, detector, strict=True))
    n_slow = max(slow + panel.n_slow for (_, slow), panel in zip(placed, detector, strict=True))
    n_pixels = sum(panel.n_fast * panel.n_slow for panel in detector)
    if n_fast * n_slow > LARGEST_FILLING * n_pixels:
        return None
    origin = np.array(first.origin) + edge * (left * first.axes[0] + top * first.axes[1])
    whole = Detector.from_axes(
        origin, first.axes[0], first.axes[1], edge, n_fast, n_slow, beam=detector.beam,
        spindle=detector.spindle, polarization=detector.polarization, sensor=first.sensor,
    )  # fmt: skip
    found = Mosaic(replace(whole, point_pixel=detector.point_pixel), detector, placed)
    counts = found.assembled(_ones(detector)).sum()
    return found if counts == n_pixels else None


def _ones(detector: PanelDetector) -> np.ndarray:
    """One for each pixel of each panel, shape (n_panels, n_slow, n_fast)."""
    return np.ones((len(detector), detector.n_slow, detector.n_fast), dtype=np.int64)
