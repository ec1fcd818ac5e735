"""Panels of a detector, assembled as seen along the beam: places of pixels, and a flat array.

The view is a parallel projection along the beam. The viewer stands at the source. Coordinates of
the view are metres to the right of the direct beam and above it. The distance of a panel does not
matter; a tilted panel becomes a parallelogram.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cupysim.errors import CupysimError
from cupysim.maths.arrays import cross, dot, norm, unit
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PARALLEL_TO_BEAM, PanelDetector

MOST_CELLS = 2**25
"""Largest number of cells of an assembled array, unless a size of the cells is given."""

CELLS_AT_ONCE = 2**18
"""Number of cells or pixels whose places are computed at a time."""

FLATTEST = 1e-3
"""Area of a panel in the view, relative to its own area, below which it is seen edge-on."""

ROUNDING = 1e-6
"""Part of a cell that may be an error of rounding."""


@dataclass(frozen=True, eq=False)
class View:
    """Directions of a view along the beam, from the source.

    Parameters
    ----------
    right, up, beam : ndarray, shape (3,)
        Unit vectors: to the right and up in the view, and the direction of the photons, which
        points away from the viewer.
    """

    right: np.ndarray
    up: np.ndarray
    beam: np.ndarray


def view_of(detector: PanelDetector, up: Sequence[float] | None = None) -> View:
    """Choose the directions of the view of a detector.

    The spindle points to the right, or the electric field if the spindle is along the beam. Their
    parts along the beam are ignored.

    Parameters
    ----------
    detector : PanelDetector
        Detector with beam, spindle and polarization.
    up : sequence of 3 float, optional
        Laboratory direction that points up instead. Its part along the beam is ignored.

    Returns
    -------
    View
        Directions of the view.

    Raises
    ------
    CupysimError
        If `up` is not a vector of three numbers, or along the beam.
    """
    beam = np.array(detector.beam)
    if up is not None:
        given = np.asarray(up, dtype=np.float64)
        if given.shape != (3,) or not np.isfinite(given).all() or not given.any():
            raise CupysimError(f"up: expected three numbers, not all zero, got {up}")
        across = _across(unit(given), beam)
        if across is None:
            raise CupysimError("up: the direction is along the beam")
        return View(cross(beam, across), across, beam)
    assert detector.polarization is not None
    right = _across(np.array(detector.spindle), beam)
    if right is None:
        right = _across(np.array(detector.polarization), beam)
    assert right is not None  # a detector has no polarization along its beam
    return View(right, cross(right, beam), beam)


def _across(vector: np.ndarray, beam: np.ndarray) -> np.ndarray | None:
    """Direction of the part of a unit vector perpendicular to the beam; None if there is none."""
    part = vector - dot(vector, beam) * beam
    return unit(part) if float(norm(part)) > PARALLEL_TO_BEAM else None


def affine(panel: Panel, right: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Matrix from pixel coordinates of a panel to places in the view.

    Parameters
    ----------
    panel : Panel
        Panel in the laboratory.
    right, up : ndarray, shape (3,)
        Unit vectors of the view.

    Returns
    -------
    ndarray, shape (2, 3)
        Matrix that turns (fast, slow, 1) into places to the right and up (m). Fast and slow are
        pixels from the outer corner of the first pixel.
    """
    view = np.stack([right, up])
    columns = (panel.axes[0] * panel.edges[0], panel.axes[1] * panel.edges[1], panel.origin)
    return np.asarray(view @ np.stack(columns, axis=1))


def is_edge_on(panel: Panel, matrix: np.ndarray) -> bool:
    """Whether a panel is seen edge-on, so that it has no area in the view.

    Parameters
    ----------
    panel : Panel
        Panel in the laboratory.
    matrix : ndarray, shape (2, 3)
        Its matrix from `affine`.
    """
    return bool(abs(np.linalg.det(matrix[:, :2])) < FLATTEST * panel.pixel_area)


def far_to_near(panels: Sequence[Panel], beam: np.ndarray) -> list[int]:
    """Numbers of panels, the panel farthest along the beam first.

    Parameters
    ----------
    panels : sequence of Panel
        Panels in the laboratory.
    beam : ndarray, shape (3,)
        Direction of the photons.

    Returns
    -------
    list of int
        Numbers in the order in which panels are drawn: nearer panels cover farther ones.
    """
    depths = [float((panel.corners @ beam).mean()) for panel in panels]
    return sorted(range(len(panels)), key=lambda number: -depths[number])


class Extent(NamedTuple):
    """Outer edges of an assembled array in the view (m).

    Parameters
    ----------
    left, right, bottom, top : float
        Edges (m), to the right of the direct beam and above it.
    """

    left: float
    right: float
    bottom: float
    top: float


def extent_of(panels: Sequence[Panel], right: np.ndarray, up: np.ndarray) -> Extent:
    """Smallest rectangle of the view that holds all panels.

    Parameters
    ----------
    panels : sequence of Panel
        Panels in the laboratory.
    right, up : ndarray, shape (3,)
        Unit vectors of the view.
    """
    corners = np.concatenate([panel.corners for panel in panels])
    x, y = corners @ right, corners @ up
    return Extent(float(x.min()), float(x.max()), float(y.min()), float(y.max()))


def cell_size(
    panels: Sequence[Panel], right: np.ndarray, up: np.ndarray, largest_edge: int | None = None
) -> float:
    """Size of the cells of an assembled array that is neither too coarse nor too large.

    Parameters
    ----------
    panels : sequence of Panel
        Panels in the laboratory.
    right, up : ndarray, shape (3,)
        Unit vectors of the view.
    largest_edge : int, optional
        Largest number of cells along the longer edge. By default only `MOST_CELLS` is the limit.

    Returns
    -------
    float
        Edge of the cells (m): that of the smallest pixels, or more.
    """
    extent = extent_of(panels, right, up)
    width, height = extent.right - extent.left, extent.top - extent.bottom
    size = max(min(min(panel.edges) for panel in panels), (width * height / MOST_CELLS) ** 0.5)
    if largest_edge is not None:
        size = max(size, max(width, height) / largest_edge)
    return size


def assemble(
    panels: Sequence[Panel],
    images: np.ndarray | Sequence[np.ndarray],
    beam: np.ndarray,
    right: np.ndarray,
    up: np.ndarray,
    pixel: float | None = None,
    masked: np.ndarray | Sequence[np.ndarray] | None = None,
) -> tuple[np.ndarray, Extent]:
    """Assemble the pixels of panels on a flat grid perpendicular to the beam.

    Parameters
    ----------
    panels : sequence of Panel
        Panels in the laboratory.
    images : ndarray, shape (n_panels, n_slow, n_fast), or sequence of ndarray
        Pixels of each panel. Pixels beyond a small panel are ignored.
    beam, right, up : ndarray, shape (3,)
        Unit vectors of the view, as of `View`.
    pixel : float, optional
        Edge of the cells (m). By default that of `cell_size`.
    masked : ndarray of bool, shape (n_panels, n_slow, n_fast), or sequence of ndarray, optional
        True for pixels that are left out. Pixels that a panel's own mask excludes, and NaN, are
        left out too.

    Returns
    -------
    array : ndarray of float32, shape (n_rows, n_columns)
        Cells, the topmost row first; NaN between panels and in pixels that are left out. A cell
        has the value of the pixel at its centre, or the largest of the pixels whose centres lie in
        the cell, so that no bright pixel is lost. Nearer panels cover farther ones. Panels that
        are seen edge-on are left out.
    extent : Extent
        Outer edges of the array (m).

    Raises
    ------
    CupysimError
        If the size of the cells is not positive, or would make too many cells.
    """
    whole = extent_of(panels, right, up)
    size = cell_size(panels, right, up) if pixel is None else float(pixel)
    if not 0.0 < size < np.inf:
        raise CupysimError(f"pixel: the edge of a cell must be positive, got {size:g} m")
    width, height = (whole.right - whole.left) / size, (whole.top - whole.bottom) / size
    if width * height > 2 * MOST_CELLS:
        raise CupysimError(
            f"pixel: cells of {size:g} m make an array of {width * height:.1e} cells"
        )
    n_rows, n_columns = (max(int(np.ceil(n - ROUNDING)), 1) for n in (height, width))
    array = np.full((n_rows, n_columns), np.nan, dtype=np.float32)
    # from metres in the view to columns and rows from the upper left corner
    to_cells = np.array([[1.0, 0.0, -whole.left], [0.0, -1.0, whole.top]]) / size
    for number in far_to_near(panels, beam):
        panel, matrix = panels[number], affine(panels[number], right, up)
        if is_edge_on(panel, matrix):
            continue
        left_out = None if masked is None else masked[number]
        pixels = visible_pixels(panel, images[number], left_out)
        place = to_cells[:, :2] @ matrix
        place[:, 2] += to_cells[:, 2]
        _insert(array, pixels, place)
    extent = Extent(whole.left, whole.left + n_columns * size, whole.top - n_rows * size, whole.top)
    return array, extent


def visible_pixels(panel: Panel, image: np.ndarray, masked: np.ndarray | None = None) -> np.ndarray:
    """Pixels of a panel, with NaN in those that are left out.

    Parameters
    ----------
    panel : Panel
        Panel, which may have a mask.
    image : ndarray, shape (n_slow, n_fast)
        Pixels, possibly with more rows and columns than the panel.
    masked : ndarray of bool, shape of `image`, optional
        True for pixels that are left out.

    Returns
    -------
    ndarray of float32, shape (n_slow of the panel, n_fast of the panel)
        Copy of the pixels.
    """
    part = slice(panel.n_slow), slice(panel.n_fast)
    pixels = np.array(image[part], dtype=np.float32)
    if masked is not None:
        pixels[masked[part]] = np.nan
    if panel.mask is not None:
        pixels[~panel.mask] = np.nan
    return pixels


def _insert(array: np.ndarray, pixels: np.ndarray, place: np.ndarray) -> None:
    """Insert the pixels of a panel into an array.

    `place` turns (fast, slow, 1) into (column, row), both from outer corners.
    """
    n_slow, n_fast = pixels.shape
    corners = place @ np.array([[0, n_fast, 0, n_fast], [0, 0, n_slow, n_slow], [1, 1, 1, 1]])
    ends = zip(corners.min(axis=1), corners.max(axis=1), array.shape[::-1], strict=True)
    (left, right), (top, bottom) = (
        (max(int(low), 0), min(int(high) + 1, count)) for low, high, count in ends
    )
    box = np.full((bottom - top, right - left), np.nan, dtype=np.float32)
    shifted = place - np.array([[0, 0, left], [0, 0, top]])
    back = np.linalg.inv(np.vstack([shifted, [0.0, 0.0, 1.0]]))[:2]
    for rows in _bands(*box.shape):
        fast, slow = _places(back, rows, box.shape[1])
        inside = (fast >= 0) & (fast < n_fast) & (slow >= 0) & (slow < n_slow)
        box[rows][inside] = pixels[slow[inside], fast[inside]]
    flat = box.reshape(-1)
    for rows in [] if _every_pixel_has_a_cell(place) else _bands(*pixels.shape):
        column, row = _places(shifted, rows, n_fast)
        inside = (column >= 0) & (column < box.shape[1]) & (row >= 0) & (row < box.shape[0])
        cells = row[inside] * box.shape[1] + column[inside]
        np.fmax.at(flat, cells, pixels[rows][inside])
    target = array[top:bottom, left:right]
    np.copyto(target, box, where=~np.isnan(box))


def _every_pixel_has_a_cell(place: np.ndarray) -> bool:
    """Whether each pixel contains a cell's centre: edges are parallel, and cells not larger."""
    sizes = np.sort(np.abs(place[:, :2]), axis=1)
    across = np.argmax(np.abs(place[:, :2]), axis=1)
    parallel = bool((sizes[:, 0] < ROUNDING * sizes[:, 1]).all()) and across[0] != across[1]
    return parallel and bool((sizes[:, 1] > 1.0 - ROUNDING).all())


def _bands(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Slices of rows that hold about `CELLS_AT_ONCE` cells each."""
    step = max(CELLS_AT_ONCE // max(n_columns, 1), 1)
    return (slice(row, min(row + step, n_rows)) for row in range(0, n_rows, step))


def _places(matrix: np.ndarray, rows: slice, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Column and row numbers of the cells of another grid that contain cell centres.

    A centre on an edge belongs to the side of larger numbers, in spite of rounding errors.
    """
    column = np.arange(n_columns) + 0.5
    row = np.arange(rows.start, rows.stop)[:, None] + 0.5
    first, second = (
        np.floor(line[0] * column + line[1] * row + (line[2] + ROUNDING)).astype(np.int64)
        for line in matrix
    )
    return first, second
