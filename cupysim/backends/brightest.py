"""The brightest Bragg pixel of an image, to which a tolerance may be relative."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from cupysim.models.tolerance import Tolerance
from cupysim.plan.culling import Tiles

MOST_TILES = 64
"""Number of tiles of a panel that are rendered to find the brightest pixel."""

FIRST_TILES = 4
"""Number of tiles that are rendered exactly, to know the magnitude of spots."""

ACCURACY = 1e-3
"""Largest relative error of the brightest pixel of the rendered tiles."""


class TilePanel(Protocol):
    """A panel of a shot whose tiles a backend renders."""

    tiles: Tiles
    """All tiles of the panel that have pixels to compute."""

    def estimates(self) -> np.ndarray:
        """Estimates of the photons of each tile's brightest pixel, up to a common factor.

        They are zero near the direct beam, where 0 0 0 may be the nearest reflection.
        """

    def largest_of(self, tiles: Tiles, tolerance: float) -> float:
        """Photons of the brightest pixel of some tiles, without a background."""


def tolerance_in_photons(
    tolerance: Tolerance, panels: Sequence[TilePanel]
) -> tuple[float, float | None]:
    """The tolerance of a shot in photons.

    Parameters
    ----------
    tolerance : Tolerance
        Tolerance of the image.
    panels : sequence of TilePanel
        All panels of the shot.

    Returns
    -------
    tuple of float and float or None
        Photons, and the photons of the brightest Bragg pixel if they are needed.
    """
    if not tolerance.of_peak:
        return tolerance.value, None
    peak = brightest_pixel(panels)
    return tolerance.value * peak, peak


def brightest_pixel(panels: Sequence[TilePanel]) -> float:
    """Photons of the brightest Bragg pixel of a shot, without any background.

    The reflection 0 0 0 is left out. The pixels are those of the tiles that
    probably have the brightest spots, so the result is never above the right one.

    Parameters
    ----------
    panels : sequence of TilePanel
        All panels of the shot.

    Returns
    -------
    float
        Photons, at most `ACCURACY` below those of the brightest pixel of these tiles.
    """
    chosen = []
    for panel in panels:
        estimates = panel.estimates()
        order = np.argsort(-estimates, kind="stable")[:MOST_TILES]
        chosen.append(order[estimates[order] > 0.0])
    brightest = 0.0
    for first, last in ((0, FIRST_TILES), (FIRST_TILES, None)):
        tolerance = ACCURACY * brightest
        for panel, order in zip(panels, chosen, strict=True):
            if len(some := order[first:last]):
                photons = panel.largest_of(panel.tiles.some(some), tolerance)
                brightest = max(brightest, photons)
    return brightest
