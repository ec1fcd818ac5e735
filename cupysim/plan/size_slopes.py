"""Derivatives of the sizes of spots with respect to numbers of cells and to the unit cell."""

from __future__ import annotations

import numpy as np

from cupysim.maths.lattice_factor import GAUSS_WIDTH, METRIC, STAR_WIDTH
from cupysim.maths.spot_bounds import distance_factors
from cupysim.models.parameters import GROUPS
from cupysim.models.spot_shape import Shape
from cupysim.plan.render_plan import CrystalTable
from cupysim.plan.spot_shapes import SPOT_SHAPES, Measure, SpotSize

N_SIZES = 7
"""Number of the kernel's columns for sizes, see `cuda_src/spot_shapes.cuh`."""

ALL_COUNTS = (*GROUPS["n_cells"], *GROUPS["n_cells_off_diagonal"])
"""Parameters that are elements of the matrix of numbers of cells, in the order of `METRIC`."""


def size_slopes(
    crystals: CrystalTable, upright: np.ndarray, cell_slopes: np.ndarray
) -> dict[str, np.ndarray]:
    """Derivatives of the sizes of a crystal's spots with respect to parameters.

    Parameters
    ----------
    crystals : CrystalTable
        The crystal of a plan with quirk Q6 corrected.
    upright : ndarray, shape (3, 3)
        Rows a, b, c (Angstrom) in any orientation.
    cell_slopes : ndarray, shape (6, 3, 3)
        Their derivatives with respect to edges (Angstrom) and angles (rad).

    Returns
    -------
    dict of ndarray, shape (7,)
        By the parameter's name. The sizes of square and round crystals are Na, Nb, Nc. Those of
        Gaussian spots are the elements of the metric M, in the order of `METRIC`, and log H.
    """
    shape = crystals.shape
    if SPOT_SHAPES[shape].measure is not Measure.DISTANCE:
        return dict(zip(GROUPS["n_cells"], np.eye(N_SIZES)[:3], strict=True))
    if shape is Shape.GAUSS_STAR:
        return _star_slopes(crystals.n_cells[0, 0], upright, cell_slopes)
    # M = N N, H = det N
    size = crystals.spot_axes[0, 0]
    inverse = np.linalg.inv(size)
    found = {}
    for name, (i, j) in zip(ALL_COUNTS, METRIC, strict=True):
        slope = np.zeros((3, 3))
        slope[i, j] = slope[j, i] = 1.0
        found[name] = _sizes(slope @ size + size @ slope, float(np.trace(inverse @ slope)))
    return found


def _star_slopes(
    counts: np.ndarray, upright: np.ndarray, cell_slopes: np.ndarray
) -> dict[str, np.ndarray]:
    """Derivatives of M = 1.9 0.63 (H V)^(2/3) (B B^T)^-1, and of log H = log(Na Nb Nc)."""
    volume = np.prod(counts) * abs(float(np.linalg.det(upright)))
    reciprocal = np.linalg.inv(upright @ upright.T)
    scale = STAR_WIDTH * GAUSS_WIDTH * volume ** (2.0 / 3.0)
    metric = scale * reciprocal
    found = {
        name: _sizes(2.0 / 3.0 / count * metric, 1.0 / count)
        for name, count in zip(GROUPS["n_cells"], counts, strict=True)
    }
    for name, slope in zip(GROUPS["cell"], cell_slopes, strict=True):
        growth = float(np.trace(np.linalg.solve(upright, slope)))
        turned = reciprocal @ (slope @ upright.T + upright @ slope.T) @ reciprocal
        found[name] = _sizes(2.0 / 3.0 * growth * metric - scale * turned, 0.0)
    return found


def _sizes(metric: np.ndarray, height: float) -> np.ndarray:
    return np.array([*(metric[i, j] for i, j in METRIC), height])


def size_weights(shape: Shape, size: SpotSize) -> np.ndarray:
    """The largest derivatives of F_latt^2 with respect to sizes, relative to their bounds.

    Parameters
    ----------
    shape : Shape
        Spot shape.
    size : SpotSize
        Size of the spots.

    Returns
    -------
    ndarray, shape (7,)
        Factors of the bound of `SpotShape.slopes_bound`. 1/Na, 1/Nb, 1/Nc for square and round
        crystals. For Gaussian spots, a lower bound d^2 >= s_i dh_i^2 of the squared distance gives
        |dF^2/dM_ij| <= 4 y F^2 (1 or 2)/(2 sqrt(s_i s_j)); `docs/tolerance.md` has the proof.
    """
    if SPOT_SHAPES[shape].measure is not Measure.DISTANCE:
        counts = np.asarray(size.n_cells, dtype=np.float64)
        return np.concatenate([1.0 / counts, np.zeros(N_SIZES - 3)])
    _, alone = distance_factors(size.scaled_axes)
    weights = [(0.5 if i == j else 1.0) / np.sqrt(alone[i] * alone[j]) for i, j in METRIC]
    return np.array([*weights, 1.0])
