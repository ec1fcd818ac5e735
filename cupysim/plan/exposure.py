"""Parts of a rotation that see the beam differently: illumination, absorption, decay.

The photons of the crystals are multiplied by a fraction for each pixel and spindle angle. Each
angle is a plan of its own. The background, which does not turn, has a plan without crystals.
"""

from __future__ import annotations

from dataclasses import replace
from operator import is_

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.interpolation_smooth import interpolated
from cupysim.maths.rotations import rotate_axis
from cupysim.models.body import Body
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel
from cupysim.plan.attenuation import pixel_fractions
from cupysim.plan.factor_table import FactorTable
from cupysim.plan.render_plan import RenderPlan
from cupysim.quirks import Quirk

SMOOTH_POINTS, EDGE_PARTS = 10, 16
"""Points of the quadrature along each axis of a body for smooth profiles, and equal parts for those
with edges."""

COARSE = 16
"""Number of intervals along each edge of a panel between which fractions are interpolated: paths in
a body vary slowly."""


def varies(experiment: Experiment) -> bool:
    """Whether the crystals see the beam differently than their surroundings do."""
    return experiment.body is not None or experiment.decay is not None


def parts_of_rotation(experiment: Experiment, plan: RenderPlan, first: bool) -> list[RenderPlan]:
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
    list of RenderPlan
        The plan alone if all angles are alike. Otherwise the background, and each angle.

    Raises
    ------
    ModelError
        If quirk Q3 is not corrected, or the detector is curved.
    """
    if not varies(experiment):
        return [plan]
    if not experiment.corrects(Quirk.STALE_ORIENTATION):
        raise ModelError(
            "body, decay: not possible with nanoBragg's orientation at angle zero; correct quirk "
            f"Q{Quirk.STALE_ORIENTATION.value}"
        )
    crystals = plan.crystals
    fractions = _of_all_angles(experiment)
    each = crystals.phi_cells.shape[2] // len(fractions)
    found = [_background(plan)] if first and plan.has_background else []
    for number, of_angle in enumerate(fractions):
        angles = slice(number * each, (number + 1) * each)
        crystal = replace(crystals, phi_cells=crystals.phi_cells[:, :, angles])
        found.append(replace(plan, crystals=crystal, fractions=of_angle))
    return found


_last: list[tuple[tuple[object, ...], list[np.ndarray]]] = []
"""Parts of the last experiment that its fractions depend on, and the fractions, for other crystals
and the next shots."""


def _of_all_angles(experiment: Experiment) -> list[np.ndarray]:
    """Fractions of the crystals' photons that reach each pixel, at each spindle angle."""
    key = (
        experiment.body, experiment.decay, experiment.beam, experiment.detector, experiment.scan,
        experiment.attenuators, experiment.policy,
    )  # fmt: skip
    if _last and all(map(is_, _last[0][0], key)):
        return _last[0][1]
    attenuated, n_angles = pixel_fractions(experiment), len(experiment.spindle_angles)
    found = []
    for number in range(n_angles):
        fractions = _fractions(experiment, number, n_angles)
        if attenuated is not None:
            fractions *= attenuated
        fractions.setflags(write=False)
        found.append(fractions)
    _last[:] = [(key, found)]
    return found


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
    return replace(plan, crystals=one, factors=nothing)


def _fractions(experiment: Experiment, number: int, n_angles: int) -> np.ndarray:
    """Fractions of the crystal's photons at a spindle angle, for all panels."""
    panels, detector = experiment.flat_panels, experiment.detector
    if isinstance(detector, Detector) and detector.curved:
        raise ModelError("body, decay: not possible with a curved detector")
    found = np.ones((len(panels), detector.n_slow, detector.n_fast), np.float32)
    angle = float(experiment.spindle_angles[number])
    for panel, fractions in zip(panels, found, strict=True):
        slow, fast = np.arange(panel.n_slow) + 0.5, np.arange(panel.n_fast) + 0.5
        part = fractions[: panel.n_slow, : panel.n_fast]
        if experiment.body is not None:
            part *= _of_body(experiment, experiment.body, panel, angle, slow, fast)
        if experiment.decay is not None:
            squares = _stol_squared(experiment, panel, slow, fast)
            part *= experiment.decay.factor(squares, number / n_angles, (number + 1) / n_angles)
    return found


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
    body: Body,
    panel: Panel,
    angle: float,
    slow: np.ndarray,
    fast: np.ndarray,
) -> np.ndarray:
    """Mean over a body of the fluence times the transmission, for each pixel."""
    frame, profile = experiment.frame, experiment.beam.profile
    axes = np.stack([frame.beam, frame.polarization, frame.vertical])
    turned = np.stack([rotate_axis(axis, frame.spindle, angle) for axis in axes])
    is_smooth = profile is None or profile.is_smooth
    points, weights = body.points(SMOOTH_POINTS if is_smooth else EDGE_PARTS, is_smooth)
    if profile is not None:
        places = (points + body.position) @ turned
        weights = weights * profile.relative(places @ axes[1], places @ axes[2])
    if body.attenuation == 0.0:
        return np.full((len(slow), len(fast)), weights.sum())
    points, weights = points[weights > 0.0], weights[weights > 0.0]
    weights = weights * np.exp(-body.attenuation * body.distance(points, -turned @ frame.beam))
    nodes = [np.unique(np.linspace(each[0], each[-1], COARSE + 1)) for each in (slow, fast)]
    rays = _directions(panel, *nodes) @ turned.T
    coarse = np.zeros(rays.shape[:2])
    for place in np.ndindex(*coarse.shape):
        paths = body.distance(points, rays[place])
        coarse[place] = weights @ np.exp(-body.attenuation * paths)
    return interpolated(coarse, nodes, slow, fast)
