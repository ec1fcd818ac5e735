"""Bounds of the photons that orientations contribute to tiles of pixels.

The NumPy backend and the search for the brightest pixel use this module. The compiled kernels have
the same bounds in `cuda_src/tiles.cuh` and `cuda_src/culled_block.cuh`. `docs/tolerance.md`
derives them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.maths.detector_geometry import bend, pixel_position
from cupysim.maths.interpolation import nearest_index
from cupysim.maths.pixel_factors import solid_angle
from cupysim.plan.culling import TILE_EDGE
from cupysim.plan.factor_table import FactorTable
from cupysim.plan.render_plan import RenderPlan, Use
from cupysim.plan.spot_shapes import SPOT_SHAPES, spot_size
from cupysim.plan.weights import largest_polarization, plane_distance

CUBIC_WEIGHTS = 1.25
"""Largest sum of the absolute weights of cubic interpolation along an axis, at x = 1/2."""

CUBIC_STEEPNESS = 2.0 * (7.0 / 3.0) / CUBIC_WEIGHTS * (1.0 + 1e-9)
"""Largest |dF^2/dh| = 2 |F dF/dh|, divided by the bound of F^2. The largest sum of the absolute
derivatives of the weights along an axis is 7/3."""

ROUNDING = 1e-12
"""Rounding of Miller indices, relative to |a| |q|."""


@dataclass(frozen=True)
class TileDirections:
    """Directions of the sub-pixels of tiles in one layer: d = centre + s u + t v + e.

    s and t are positions from -1 to 1 in the tile, and |e| is at most `error`.

    Parameters
    ----------
    centre, u, v : ndarray, shape (n, 3)
        Direction of the centre of each tile, and its changes along the fast and the slow axis.
    error : ndarray, shape (n,)
        Upper bound of the error of the linear function.
    shortest : ndarray, shape (n,)
        Lower bound of the distance from the sample (m).
    """

    centre: np.ndarray
    u: np.ndarray
    v: np.ndarray
    error: np.ndarray
    shortest: np.ndarray


def tile_directions(
    plan: RenderPlan, image: tuple[int, int], layer: int, corners: tuple[np.ndarray, np.ndarray]
) -> TileDirections:
    """Directions of the sub-pixels of tiles.

    `rate` is the largest second derivative of d along a line of the panel (1/m^2), and rho is half
    the tile's diagonal. The remainder of the first-order series is at most rate rho^2/2. The
    differences u and v have at most the same error. For a line at the distance R, the second
    derivative is at most sqrt(4/3)/R^2. For two rotations, it is at most the square of the sum of
    their rates.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    image : tuple of 2 int
        Numbers of the shot and of the panel.
    layer : int
        Number of the sensor layer.
    corners : tuple of 2 ndarray of int, shape (n,)
        First row and first column of each tile.
    """
    panels = plan.panels
    axes = np.stack([panels.fast[image], panels.slow[image], panels.normal[image]])
    sizes = float(panels.pixel_fast[image]), float(panels.pixel_slow[image])
    half_fast, half_slow = (0.5 * (TILE_EDGE - 1.0 / plan.oversample) * size for size in sizes)
    fast, slow = (
        (corner + 0.5 * TILE_EDGE) * size
        for corner, size in zip(reversed(corners), sizes, strict=True)
    )
    points, lengths = [], []
    for f, s in ((0, 0), (half_fast, 0), (-half_fast, 0), (0, half_slow), (0, -half_slow)):
        depth = layer * float(panels.layer_step[image])
        position = pixel_position(fast + f, slow + s, depth, axes, panels.origin[image])
        point = np.stack(position, axis=-1) if panels.bend is None else bend(position, panels.bend)
        length = np.linalg.norm(point, axis=-1)
        points.append(point / length[:, None])
        lengths.append(length)
    skew = abs(float(axes[0] @ axes[1]))
    rho_squared = half_fast**2 + half_slow**2 + 2.0 * half_fast * half_slow * skew
    if panels.bend is None:
        shortest = lengths[0] - np.sqrt(rho_squared)
        rate = np.sqrt(4.0 / 3.0) / shortest**2
    else:
        shortest = lengths[0] * (1.0 - ROUNDING)
        way = np.linalg.norm(panels.bend.measures, axis=-1).sum() / panels.bend.radius
        rate = np.full_like(shortest, way * way)
    # directions and their differences are never farther apart than 4
    error = np.where(shortest > 0.0, np.minimum(rate * rho_squared, 4.0), 4.0)
    u, v = 0.5 * (points[1] - points[2]), 0.5 * (points[3] - points[4])
    return TileDirections(points[0], u, v, error, shortest)


def largest_weights(
    plan: RenderPlan,
    image: tuple[int, int],
    layer: int,
    here: TileDirections,
    front: TileDirections,
) -> np.ndarray:
    """Upper bounds of solid angle times polarization factor times absorbed fraction.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    image : tuple of 2 int
        Numbers of the shot and of the panel.
    layer : int
        Number of the sensor layer.
    here, front : TileDirections
        Directions in this layer, and in the first one.

    Returns
    -------
    ndarray, shape (n,)
        Bounds for each tile (sr); infinite if a tile has none.
    """
    panels = plan.panels
    each = plan.omega_use is Use.EACH
    shortest = (here if each else front).shortest
    close = abs(plane_distance(plan, *image, layer if each else 0))
    omega = solid_angle(float(panels.pixel_area[image]), shortest, close, panels.point_pixel)
    polar = largest_polarization(plan)
    if panels.absorbs_all:
        return np.where(shortest > 0.0, omega * polar, np.inf)
    # exp(-n t) - exp(-(n+1) t) is at most t, and at most n^n/(n+1)^(n+1)
    n = layer if plan.capture_use is Use.EACH else panels.n_layers - 1
    cosine = np.ones(len(shortest))
    if panels.bend is None or not panels.bend.radial:
        change = np.linalg.norm(here.u, axis=-1) + np.linalg.norm(here.v, axis=-1) + here.error
        cosine = here.centre @ panels.normal[image] - change
    usable = (shortest > 0.0) & (cosine > 0.0)
    of_layer = float(panels.layer_step[image] * panels.attenuation[image])
    thickness = of_layer / np.where(usable, cosine, 1.0)
    capture = np.minimum(thickness, (n / (n + 1.0)) ** n / (n + 1.0))
    return np.where(usable, omega * polar * capture, np.inf)


def index_boxes(
    here: TileDirections,
    tile: int | slice,
    incident: np.ndarray,
    wavelength: float,
    cells: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of the Miller indices that tiles reach, for several orientations or several tiles.

    Parameters
    ----------
    here : TileDirections
        Directions of tiles.
    tile : int or slice
        One tile, with the axis of the orientations; or several tiles, with one orientation.
    incident : ndarray, shape (3,)
        Direction of the source.
    wavelength : float
        Wavelength (m).
    cells : ndarray, shape (n, 3, 3) or (3, 3)
        Rows a, b, c (m) of the orientations, or of one orientation.

    Returns
    -------
    tuple of 2 ndarray, shape (3, n)
        Centres and half widths of h, k, l.
    """
    q = (here.centre[tile] - incident) / wavelength
    rows = np.moveaxis(cells, -2, 0)
    centres, widths = [], []
    for row in rows:
        length = np.linalg.norm(row, axis=-1)
        centre = (row * q).sum(axis=-1)
        linear = np.abs((row * here.u[tile]).sum(axis=-1)) + np.abs(
            (row * here.v[tile]).sum(axis=-1)
        )
        margin = length * (here.error[tile] + 4.0 * ROUNDING)
        centres.append(centre)
        widths.append((linear + margin) / wavelength)
    return np.stack(centres), np.stack(widths)


def spot_bounds(
    plan: RenderPlan, at: tuple[int, int], centres: np.ndarray, widths: np.ndarray
) -> np.ndarray:
    """Upper bounds of F_latt^2 for Miller indices within boxes.

    The distance of an index from the nearest integer changes by at most the change of the index.
    So it is at least the distance of the box's centre from its nearest integer, minus the half
    width of the box.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    at : tuple of 2 int
        Numbers of the shot and of the crystal.
    centres, widths : ndarray, shape (3, n)
        Centres and half widths of h, k, l.

    Returns
    -------
    ndarray, shape (n,)
        Bounds.
    """
    crystals = plan.crystals
    size = spot_size(crystals, at)
    return SPOT_SHAPES[crystals.shape].square_bound(_least_offsets(centres, widths), size)


def slope_bounds(
    plan: RenderPlan,
    at: tuple[int, int],
    centres: np.ndarray,
    widths: np.ndarray,
    with_sizes: bool,
) -> np.ndarray:
    """Upper bounds of derivatives of F_cell^2 F_latt^2, divided by the bound of F_cell^2.

    Parameters
    ----------
    plan, at, centres, widths
        As for `spot_bounds`.
    with_sizes : bool
        Whether the bounds must also hold for derivatives with respect to sizes.

    Returns
    -------
    ndarray, shape (n,)
        Bounds that hold for F_latt^2, for its derivatives with respect to h, k, l divided by the
        sharpness of the shape, and with `with_sizes` for its derivatives with respect to sizes,
        relative to the sizes.
    """
    shape, size = SPOT_SHAPES[plan.crystals.shape], spot_size(plan.crystals, at)
    bounds = shape.slopes_bound(_least_offsets(centres, widths), size, with_sizes)
    if plan.factors.interpolate and not plan.factors.is_constant:
        steepness = CUBIC_STEEPNESS / float(np.min(shape.sharpness(size)))
        bounds = bounds + steepness * spot_bounds(plan, at, centres, widths)
    return bounds


def _least_offsets(centres: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Lower bounds of the offsets from the nearest reflection."""
    return np.asarray(np.maximum(np.abs(centres - nearest_index(centres)) - widths, 0.0))


def largest_factor(
    factors: FactorTable, channel: int, centres: np.ndarray, widths: np.ndarray
) -> float:
    """Upper bound of |F_cell| for Miller indices within any of several boxes.

    Parameters
    ----------
    factors : FactorTable
        Tables of structure factors.
    channel : int
        Number of the table.
    centres, widths : ndarray, shape (3, n)
        Centres and half widths of h, k, l.

    Returns
    -------
    float
        Bound (electrons).
    """
    if factors.is_constant:
        return abs(factors.default)
    table = factors.table[channel]
    low, high = (centres - widths).min(axis=1), (centres + widths).max(axis=1)
    first, last = np.floor(low + 0.5), np.floor(high + 0.5)
    if factors.interpolate:
        first, last = np.floor(low) - 1, np.floor(high) + 2
    slices = []
    for axis in range(3):
        places = np.array([first[axis], last[axis]]) - factors.first[axis] + 1
        begin, end = np.clip(places, 0, table.shape[axis] - 1).astype(int)
        slices.append(slice(begin, end + 1))
    largest = float(np.abs(table[tuple(slices)]).max())
    return largest * CUBIC_WEIGHTS**3 if factors.interpolate else largest


def left_out(bounds: np.ndarray, budget: float) -> np.ndarray:
    """Choose as many bounds as possible so that their sum stays within a budget.

    Parameters
    ----------
    bounds : ndarray, shape (n,)
        Upper bounds.
    budget : float
        Largest sum.

    Returns
    -------
    ndarray of bool, shape (n,)
        The smallest bounds, as many as the budget allows.
    """
    order = np.argsort(bounds, kind="stable")
    sums = np.cumsum(bounds[order])
    chosen = np.zeros(len(bounds), dtype=bool)
    # rounding of the sum
    chosen[order[sums * (1.0 + 1e-12) <= budget]] = True
    return chosen
