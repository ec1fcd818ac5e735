"""Places in a body that the beam reaches, for means over the body."""

from __future__ import annotations

import math
import warnings

import numpy as np

from cupysim.errors import CupysimWarning
from cupysim.models.beam_profile import BeamProfile
from cupysim.models.body import Body, BodyForm

PARTS_ACROSS = 12
"""Number of equal parts across the beam, along both axes. Each has two Gauss-Legendre points."""

MOST_PARTS_ACROSS = 200
"""Largest number of these parts, which are the cells of a profile from a table."""

POINTS_ALONG = 6
"""Gauss-Legendre points of a chord along the beam."""

REACH = 2.0
"""Range of a Gaussian profile to either side, in full widths at half maximum: 4.7 standard
deviations."""

SAME_CORNER = 1e-9
"""Distance of corners that count as one, relative to the range of the parts."""


def illuminated_points(
    body: Body, profile: BeamProfile | None, axes: np.ndarray, turned: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find places in a body that the beam reaches, and weights of a mean over the body.

    Lines along the beam cross the body at places across the beam, and each has points between its
    ends. The mean of the fluence is thus right also for a narrow beam.

    Parameters
    ----------
    body : Body
        The body.
    profile : BeamProfile or None
        Fluence across the beam; None for a fluence of 1.
    axes, turned : ndarray, shape (3, 3)
        Rows beam, horizontal and vertical, of the laboratory and of the turned body.

    Returns
    -------
    points : ndarray, shape (n, 3)
        Places relative to the centre, along the body's axes (m).
    weights : ndarray, shape (n,)
        Shares of the volume times the fluence.
    """
    centre = np.array(body.position) @ turned @ axes.T
    half = 0.5 * np.array(body.size)
    # half of the body's extent along the axes of the laboratory
    to_axes = turned @ axes.T
    reach = np.abs(to_axes).T @ half
    if body.form is BodyForm.ELLIPSOID:
        reach = np.sqrt((to_axes.T**2) @ half**2)
    edges = []
    for axis in (1, 2):
        low, high = centre[axis] - reach[axis], centre[axis] + reach[axis]
        if profile is not None:
            size = (profile.horizontal, profile.vertical)[axis - 1]
            most = REACH * size if profile.is_smooth else 0.5 * size
            low, high = max(low, -most), min(high, most)
        if low >= high:
            return np.empty((0, 3)), np.zeros(1)
        edges.append(_edges(low, high, centre[axis] + body.corners @ to_axes[:, axis]))
        if profile is not None and profile.table is not None:
            cells = size * (np.linspace(0.0, 1.0, profile.table.shape[2 - axis] + 1) - 0.5)
            edges[-1] = _thinned(np.unique([*edges[-1], *cells[(cells > low) & (cells < high)]]))
    nodes, shares = zip(*map(_two_points, edges), strict=True)
    across, up = (each.ravel() for each in np.meshgrid(*nodes, indexing="ij"))
    area = np.outer(*shares).ravel()
    if profile is not None:
        area = area * profile.relative(across, up)
    lines = np.stack([np.full_like(across, centre[0]), across, up], axis=1) - centre
    lines = lines @ axes @ turned.T
    beam = turned @ axes[0]
    enter, leave = body.chords(lines, beam)
    used = (leave > enter) & (area > 0.0)
    lines, enter, leave, area = lines[used], enter[used], leave[used], area[used]
    abscissas, lengths = np.polynomial.legendre.leggauss(POINTS_ALONG)
    middle, wide = 0.5 * (enter + leave), 0.5 * (leave - enter)
    along = middle[:, None] + wide[:, None] * abscissas
    points = lines[:, None] + along[..., None] * beam
    weights = (area * wide)[:, None] * lengths / body.volume
    return points.reshape(-1, 3), weights.ravel()


def _edges(low: float, high: float, kinks: np.ndarray) -> np.ndarray:
    """Edges of `PARTS_ACROSS` parts, or a few more, in a range; kinks in the range are edges too.

    Between kinks, the length of a box along the beam is a linear function.
    """
    inside = kinks[(kinks > low) & (kinks < high)]
    fixed = np.unique(np.concatenate([[low, high], inside]))
    # corners that nearly coincide count once
    fixed = fixed[np.append(True, np.diff(fixed) > SAME_CORNER * (high - low))]
    fixed[-1] = high
    counts = np.maximum(np.rint(PARTS_ACROSS * np.diff(fixed) / (high - low)), 1).astype(int)
    parts = [
        np.linspace(first, last, count, endpoint=False)
        for first, last, count in zip(fixed[:-1], fixed[1:], counts, strict=True)
    ]
    return np.append(np.concatenate(parts), high)


def _thinned(edges: np.ndarray) -> np.ndarray:
    """Some of the edges of parts, if they are too many."""
    count = len(edges) - 1
    if count <= MOST_PARTS_ACROSS:
        return edges
    told = (
        f"beam profile: the body covers {count} cells of the table along an axis; its mean takes "
        f"two places in each of {MOST_PARTS_ACROSS} parts"
    )
    warnings.warn(CupysimWarning(told), stacklevel=2)
    return np.asarray(edges[np.linspace(0, count, MOST_PARTS_ACROSS + 1).astype(np.int64)])


def _two_points(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two Gauss-Legendre points between neighbouring edges, and their lengths."""
    centres, lengths = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    offsets = 0.5 * lengths[:, None] * np.array([-1.0, 1.0]) / math.sqrt(3.0)
    return (centres[:, None] + offsets).ravel(), np.repeat(0.5 * lengths, 2)
