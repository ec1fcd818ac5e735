"""Parts of a rotation with different illumination, absorption and decay.

The photons of the crystals are multiplied by a fraction for each pixel and spindle angle. Each
angle is a plan of its own. The background, which does not turn, has a plan without crystals.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from cupysim.errors import CupysimWarning, ModelError
from cupysim.maths.interpolation_smooth import interpolated
from cupysim.maths.rotations import rotate_axis
from cupysim.models.body import Body, optical_depth
from cupysim.models.decay import Decay
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel
from cupysim.plan.attenuation import pixel_fractions, warn_of_mean_wavelength
from cupysim.plan.body_quadrature import illuminated_points
from cupysim.plan.diffuse_table import NO_DIFFUSE
from cupysim.plan.factor_table import FactorTable
from cupysim.plan.last_result import LastResult
from cupysim.plan.render_plan import RenderPlan
from cupysim.quirks import Quirk

COARSE, FINEST = 16, 128
"""Numbers of intervals along each edge of a panel between which fractions are interpolated. The
first is doubled, at most to the second, until the interpolation is good."""

DecayFactor: TypeAlias = Callable[[Decay, np.ndarray, float, float], np.ndarray]
"""Function like `Decay.factor`."""

GOOD = 1e-3
"""Largest error of an interpolated fraction, relative to the largest one."""


def varies(experiment: Experiment) -> bool:
    """Whether a body or decay changes the photons of the crystals, but not of the background."""
    return experiment.body is not None or experiment.decay is not None


def parts_of_rotation(
    experiment: Experiment, plan: RenderPlan, first: bool
) -> list[tuple[RenderPlan, int | None]]:
    """Divide the plan of a crystal into its background and its spindle angles.

    Parameters
    ----------
    experiment : Experiment
        Experiment with one crystal.
    plan : RenderPlan
        Its plan, with the fractions of the attenuators.
    first : bool
        Whether the background is wanted too, in a plan of its own without crystals.

    Returns
    -------
    list of tuple of RenderPlan, and int or None
        Plans and the numbers of their spindle angles. The number is None for the whole plan
        (without body and decay), and for the background, which comes first.

    Raises
    ------
    ModelError
        If quirk Q3 is not corrected, or the detector is curved.
    """
    if not varies(experiment):
        return [(plan, None)]
    if not experiment.corrects(Quirk.STALE_ORIENTATION):
        raise ModelError(
            "body, decay: not possible with nanoBragg's orientation at angle zero; correct quirk "
            f"Q{Quirk.STALE_ORIENTATION.value}"
        )
    if experiment.decay is not None and experiment.decay.b_per_gray > 0.0:
        warn_of_mean_wavelength(experiment, "decay")
    crystals = plan.crystals
    fractions = angle_fractions(experiment)
    each = crystals.phi_cells.shape[2] // len(fractions)
    found: list[tuple[RenderPlan, int | None]] = []
    if first and plan.has_background:
        found.append((_background(plan), None))
    for number, of_angle in enumerate(fractions):
        angles = slice(number * each, (number + 1) * each)
        crystal = replace(crystals, phi_cells=crystals.phi_cells[:, :, angles])
        found.append((replace(plan, crystals=crystal, fractions=of_angle), number))
    return found


_last: LastResult[list[np.ndarray]] = LastResult()
"""Fractions of the last experiment, for other crystals and the next shots."""


def angle_fractions(experiment: Experiment) -> list[np.ndarray]:
    """Fractions of the crystals' photons that reach each pixel, at each spindle angle.

    Parameters
    ----------
    experiment : Experiment
        Experiment with a body or decay.

    Returns
    -------
    list of ndarray of float32, shape (n_panels, n_slow, n_fast)
        The fractions, also those of the attenuators.

    Raises
    ------
    ModelError
        If the detector is curved.
    """
    key = (
        experiment.bodies, experiment.decay, experiment.beam, experiment.detector, experiment.scan,
        experiment.attenuators, experiment.policy,
    )  # fmt: skip
    kept = _last.of(key)
    if kept is not None:
        return kept
    attenuated = pixel_fractions(experiment)
    found = []
    for number in range(len(experiment.spindle_angles)):
        fractions, _ = fractions_of_angle(experiment, number, np.float32)
        if attenuated is not None:
            fractions *= attenuated
        fractions.setflags(write=False)
        found.append(fractions)
    return _last.keep(found, key)


def _background(plan: RenderPlan) -> RenderPlan:
    """The plan with structure factors of zero, and one orientation."""
    crystals = plan.crystals
    one = replace(
        crystals,
        phi_cells=crystals.phi_cells[:, :, :1],
        mosaic_rotations=crystals.mosaic_rotations[:, :, :1],
    )
    channels = len(plan.factors.table)
    nothing = FactorTable(np.zeros((channels, 2, 2, 2)), (0, 0, 0), 0.0, True, False)
    return replace(plan, crystals=one, factors=nothing, diffuse=NO_DIFFUSE)


def fractions_of_angle(
    experiment: Experiment,
    number: int,
    dtype: type[np.floating],
    intervals: Sequence[int] | None = None,
    factor: DecayFactor = Decay.factor,
) -> tuple[np.ndarray, list[int]]:
    """Fractions of the crystal's photons at a spindle angle, without attenuators.

    Parameters
    ----------
    experiment : Experiment
        Experiment with a body or decay.
    number : int
        Number of the angle.
    dtype : type
        Type of the fractions.
    intervals : sequence of int, optional
        For each panel, the number of intervals between which fractions of a body are interpolated.
        By default, as many as are needed.
    factor : callable, optional
        Function that replaces `Decay.factor`, with the same arguments.

    Returns
    -------
    fractions : ndarray, shape (n_panels, n_slow, n_fast)
        Fractions that a body transmits, times `factor`.
    intervals : list of int
        The numbers of intervals; 0 without interpolation.

    Raises
    ------
    ModelError
        If the detector is curved.
    """
    panels, detector = experiment.flat_panels, experiment.detector
    if isinstance(detector, Detector) and detector.curved:
        raise ModelError("body, decay: not possible with a curved detector")
    found, counts = np.ones((len(panels), detector.n_slow, detector.n_fast), dtype), []
    angle, n_angles = float(experiment.spindle_angles[number]), len(experiment.spindle_angles)
    for place, (panel, fractions) in enumerate(zip(panels, found, strict=True)):
        slow, fast = np.arange(panel.n_slow) + 0.5, np.arange(panel.n_fast) + 0.5
        part = fractions[: panel.n_slow, : panel.n_fast]
        count = None if intervals is None else intervals[place]
        if experiment.body is not None:
            of_body, count = _of_body(experiment, panel, angle, (slow, fast), count)
            # splines overshoot where a body is opaque
            part *= np.maximum(of_body, 0.0)
        counts.append(count or 0)
        if experiment.decay is not None:
            squares = _stol_squared(experiment, panel, slow, fast)
            part *= factor(experiment.decay, squares, number / n_angles, (number + 1) / n_angles)
    return found, counts


def _directions(panel: Panel, slow: np.ndarray, fast: np.ndarray) -> np.ndarray:
    """Unit vectors from the sample to places of a panel, shape (n_slow, n_fast, 3)."""
    rows, columns = np.meshgrid(slow, fast, indexing="ij")
    position = panel.position(columns, rows)
    return np.asarray(position / np.sqrt((position**2).sum(axis=-1, keepdims=True)))


def _stol_squared(
    experiment: Experiment, panel: Panel, slow: np.ndarray, fast: np.ndarray
) -> np.ndarray:
    """(sin(theta)/lambda)^2 at the mean wavelength (1/m^2)."""
    cosine = _directions(panel, slow, fast) @ experiment.frame.beam
    return np.asarray(0.5 * (1.0 - cosine) / experiment.sources.mean_wavelength**2)


def _of_body(
    experiment: Experiment,
    panel: Panel,
    angle: float,
    pixels: tuple[np.ndarray, np.ndarray],
    intervals: int | None,
) -> tuple[np.ndarray, int]:
    """Mean over the body of the fluence times the transmission, and the number of intervals."""
    slow, fast = pixels
    frame, bodies = experiment.frame, experiment.bodies
    axes = np.stack([frame.beam, frame.horizontal, frame.vertical])
    turned = np.stack([rotate_axis(axis, frame.spindle, angle) for axis in axes])
    points, weights = illuminated_points(bodies[0], experiment.beam.profile, axes, turned)
    if not any(body.attenuation for body in bodies) or len(points) == 0:
        return np.full((len(slow), len(fast)), weights.sum()), 0
    weights = weights * np.exp(-optical_depth(bodies, points, -turned @ frame.beam))

    def at(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        rays = _directions(panel, rows, columns) @ turned.T
        found = np.zeros(rays.shape[:2])
        for place in np.ndindex(*found.shape):
            found[place] = weights @ np.exp(-optical_depth(bodies, points, rays[place]))
        return found

    if intervals:
        nodes = [_nodes(each, intervals) for each in pixels]
        return interpolated(at(*nodes), nodes, slow, fast), intervals
    first = max(
        _first_intervals(
            body, np.array(body.position) - np.array(bodies[0].position), panel, turned
        )
        for body in bodies
    )
    return _refined(at, slow, fast, first)


def _first_intervals(body: Body, offset: np.ndarray, panel: Panel, turned: np.ndarray) -> int:
    """Number of intervals along a panel's edge that do not step over changes of the paths.

    For rays along a plate or needle, paths change within an angle of its thickness over its length.
    The shadow of a body beside the sample is as wide as the body seen from there. `offset` is its
    place relative to the sample, along the body's axes (m).
    """
    if body.attenuation * max(body.size) <= GOOD:
        return COARSE
    extent = max(panel.n_fast * panel.edges[0], panel.n_slow * panel.edges[1])
    away = float(np.linalg.norm(offset))
    if (np.abs(offset) > 0.5 * np.array(body.size)).any():
        sight = offset / away
        across = np.diag(body.size) - np.outer(sight, sight * np.array(body.size))
        widest, narrowest, _ = np.linalg.svd(across, compute_uv=False) / away
        nodes = (
            np.linspace(0.0, panel.n_slow, COARSE + 1),
            np.linspace(0.0, panel.n_fast, COARSE + 1),
        )
        nearest = float((_directions(panel, *nodes) @ turned.T @ sight).max())
        spacing = extent / (COARSE * abs(panel.close_distance))
        if nearest < math.cos(min(0.5 * widest + spacing, math.pi)):
            return COARSE
        return max(COARSE, math.ceil(2.0 * extent / (abs(panel.close_distance) * narrowest)))
    angle = min(body.size) / max(body.size)
    corners = np.array([0.0, panel.n_slow]), np.array([0.0, panel.n_fast])
    across = (_directions(panel, *corners) @ turned.T)[..., int(np.argmin(body.size))]
    if across.min() > 2.0 * angle or across.max() < -2.0 * angle:
        return COARSE
    return max(COARSE, math.ceil(2.0 * extent / (abs(panel.close_distance) * angle)))


def _refined(
    at: Callable[[np.ndarray, np.ndarray], np.ndarray],
    slow: np.ndarray,
    fast: np.ndarray,
    first: int,
) -> tuple[np.ndarray, int]:
    """Compute values at all pixels by interpolation, and the number of intervals.

    The number is doubled from `first` until the error is small.
    """
    count = min(first, FINEST // 2)
    nodes = [_nodes(each, count) for each in (slow, fast)]
    values = at(*nodes)
    while True:
        if all(len(each) == len(pixels) for each, pixels in zip(nodes, (slow, fast), strict=True)):
            return values, count
        finer = [_nodes(each, 2 * count) for each in (slow, fast)]
        exact = at(*finer)
        error = float(np.abs(interpolated(values, nodes, *finer) - exact).max())
        count, nodes, values = 2 * count, finer, exact
        if error <= GOOD * float(values.max()) and first <= count:
            return interpolated(values, nodes, slow, fast), count
        if count >= FINEST:
            told = (
                f"body: fractions are computed at {count + 1} places along the edges of a panel; "
                "near directions along a thin body, or to a small body beside the sample, they may "
                "be wrong (last change "
                f"{100.0 * error:.2g} %)"
            )
            warnings.warn(CupysimWarning(told), stacklevel=2)
            return interpolated(values, nodes, slow, fast), count


def _nodes(pixels: np.ndarray, intervals: int) -> np.ndarray:
    """Evenly spaced coordinates between the first and the last pixel; all if they are few."""
    if len(pixels) <= intervals + 1:
        return pixels
    return np.linspace(pixels[0], pixels[-1], intervals + 1)
