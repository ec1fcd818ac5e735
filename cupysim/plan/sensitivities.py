"""Largest errors of derivatives within a tolerance, for each parameter.

`docs/tolerance.md` derives the formula.
"""

from __future__ import annotations

import itertools

import numpy as np

from cupysim.plan.gradient_columns import AXES, INDICES, ORIGIN, PHOTONS, SIZES, SPREAD, WAVELENGTH
from cupysim.plan.gradient_plan import GradientPlan
from cupysim.plan.render_plan import RenderPlan, Use
from cupysim.plan.size_slopes import size_weights
from cupysim.plan.spot_shapes import SPOT_SHAPES, spot_size
from cupysim.plan.weights import largest_polarization, plane_distance

LARGEST_DIRECTION_CHANGE = 2.0
"""Largest length of q times the wavelength."""

POLARIZATION_CHANGE = 2.0
"""Largest |dK/dd|, divided by the bound of K: max(1, |k|) divided by max(1, (1 + |k|)/2)."""


def sensitivities(gradient_plan: GradientPlan) -> np.ndarray:
    """Largest error of each derivative for a tolerance of one photon.

    T is a term that is left out, and w its weight. B is an upper bound of T, of |dT/dh|/S with the
    sharpness S along h, and of |dT/ds|/W for each size s with its weight W. Then

        |dT/dp| <= B (sum over i of Si |dhi/dp| + sum over s of W |ds/dp| + |dlog w/dp|).

    The sum in parentheses is bounded for all pixels of all panels.

    Parameters
    ----------
    gradient_plan : GradientPlan
        Plan of the derivatives.

    Returns
    -------
    ndarray, shape (n_parameters,)
        Bounds, in photons per unit of each parameter and photon of the tolerance.
    """
    plan = gradient_plan.plan
    shape, size = plan.crystals.shape, spot_size(plan.crystals, (0, 0))
    sharpness = SPOT_SHAPES[shape].sharpness(size)
    # rotations keep the lengths of a, b, c
    lengths = np.linalg.norm(plan.crystals.phi_cells[0, 0], axis=-1).max(axis=0) * (1.0 + 1e-9)
    shortest_wave = float(plan.sources.wavelength[0].min())
    largest_q = LARGEST_DIRECTION_CHANGE / shortest_wave
    largest_indices = lengths * largest_q
    # columns other than those of a panel's position are the same for all panels
    rows = gradient_plan.rows[0]
    changes = _index_changes(gradient_plan) @ largest_indices
    sources, of_sources = gradient_plan.sources, np.abs(rows[:, WAVELENGTH:SIZES])
    relative = np.abs(sources.wavelengths).max(axis=1)
    changes += np.outer(of_sources @ relative, largest_indices)
    turned_sources = of_sources @ np.linalg.norm(sources.incident, axis=2).max(axis=1)
    changes += np.outer(turned_sources, lengths / shortest_wave)
    found = np.abs(rows[:, PHOTONS]) + np.abs(rows[:, SIZES:SPREAD]) @ size_weights(shape, size)
    if plan.polar_use is Use.EACH:
        found += of_sources @ _largest_form(sources.polarization) / largest_polarization(plan)
    for number, of_spread in enumerate(_changes_with_spreads(gradient_plan, largest_indices)):
        changes += np.outer(np.abs(rows[:, SPREAD + number]), of_spread)
    largest = found + changes @ sharpness
    for panel, rows_of_panel in enumerate(gradient_plan.rows):
        for number, row in enumerate(rows_of_panel):
            if row[ORIGIN:WAVELENGTH].any():
                turned, weight = _panel_changes(plan, panel, row)
                moved = changes[number] + lengths * turned / shortest_wave
                largest[number] = max(largest[number], found[number] + weight + moved @ sharpness)
    return np.asarray(largest)


def _index_changes(gradient_plan: GradientPlan) -> np.ndarray:
    """Largest elements of the matrices E of dh = E h, shape (n_parameters, 3, 3)."""
    rows = gradient_plan.rows[0]
    turns = rows[:, INDICES:ORIGIN].reshape(-1, 3, 3)
    strains = gradient_plan.domains.strains
    if not len(strains):
        return np.abs(turns)
    # for a strained cell, the matrix is strain E strain^-1
    return np.abs(strains @ turns[:, None] @ np.linalg.inv(strains)).max(axis=1)


def _changes_with_spreads(gradient_plan: GradientPlan, largest_indices: np.ndarray) -> np.ndarray:
    """Largest changes of h, k, l per unit of each spread, shape (n_spreads, 3).

    A rotation R(s) moves a vector by at most the norm of dR/ds times its length. An edge changes h
    to (dS/ds) S^-1 h, with the strain S.
    """
    domains = gradient_plan.domains
    of_turns = np.linalg.norm(domains.rotation_slopes, ord=2, axis=(2, 3)).max(axis=1)
    of_edges = np.abs(domains.strain_slopes).max(axis=1, initial=0.0) @ largest_indices
    return np.concatenate([np.outer(of_turns, largest_indices), of_edges])


def _largest_form(forms: np.ndarray) -> np.ndarray:
    """Largest absolute values of quadratic forms for unit vectors, for each parameter."""
    xx, yy, zz, xy, xz, yz = np.moveaxis(forms, -1, 0)
    matrices = np.stack([xx, xy / 2, xz / 2, xy / 2, yy, yz / 2, xz / 2, yz / 2, zz], axis=-1)
    eigenvalues = np.linalg.eigvalsh(matrices.reshape(*forms.shape[:2], 3, 3))
    return np.asarray(np.abs(eigenvalues).max(axis=(1, 2)))


def _panel_changes(plan: RenderPlan, panel: int, row: np.ndarray) -> tuple[float, float]:
    """Largest changes of the direction d (1/unit), and of log w, with a parameter of a panel."""
    panels, at = plan.panels, (0, panel)
    close = row[ORIGIN + 3]
    fast, slow, normal = row[AXES:WAVELENGTH].reshape(3, 3)
    # the length of a change is a convex function of the position, so its maximum is at a corner
    moved = max(
        float(np.linalg.norm(row[ORIGIN : ORIGIN + 3] + f * fast + s * slow + depth * normal))
        for f, s, depth in _corners(plan, panel)
    )
    points = [
        panels.origin[at] + f * panels.fast[at] + s * panels.slow[at] + depth * panels.normal[at]
        for f, s, depth in _corners(plan, panel)
    ]
    upright = np.cross(panels.fast[at], panels.slow[at])
    upright /= np.linalg.norm(upright)
    nearest = min(abs(float(point @ upright)) for point in points)
    if nearest == 0.0:
        return np.inf, np.inf
    turned = moved / nearest
    weight = (2.0 if panels.point_pixel else 3.0) * turned
    if not panels.point_pixel:
        weight += abs(close / plane_distance(plan, *at, 0))
    if plan.polar_use is Use.EACH:
        weight += POLARIZATION_CHANGE * turned
    if plan.capture_use is Use.EACH:
        # t is proportional to 1/cos, and |t dA/dt| is at most the bound of A
        cosine = min(
            abs(float(point @ panels.normal[at])) / float(np.linalg.norm(point)) for point in points
        )
        weight += (turned + float(np.linalg.norm(normal))) / cosine
    return turned, weight


def _corners(plan: RenderPlan, panel: int) -> list[tuple[float, float, float]]:
    """Positions along the axes and depths of the corners of the first and the last layer (m)."""
    panels, at = plan.panels, (0, panel)
    n_slow, n_fast = plan.shape[2:]
    depths = (0.0, (panels.n_layers - 1) * float(panels.layer_step[at]))
    edges = float(panels.pixel_fast[at]) * n_fast, float(panels.pixel_slow[at]) * n_slow
    return list(itertools.product((0.0, edges[0]), (0.0, edges[1]), depths))
