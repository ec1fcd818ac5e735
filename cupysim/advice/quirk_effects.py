"""Warnings about quirks of the C program that change an image, and about ranges left uncovered.

Other quirks act on a single option or model. The code that reads the option or model warns of them.
"""

from __future__ import annotations

import warnings

import numpy as np

from cupysim.backends.rendered import Rendered
from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import CupysimWarning
from cupysim.maths.arrays import dot, norm
from cupysim.maths.pixel_factors import capture_fraction, solid_angle
from cupysim.maths.polarization import polarization_form, polarization_of_form
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.sampling import Sweep
from cupysim.models.spot_shape import Shape
from cupysim.plan.render_plan import RenderPlan, Use
from cupysim.plan.spot_shapes import SPOT_SHAPES, Measure
from cupysim.quirks import Quirk, warn_quirk

NOTICEABLE = 1e-3
"""Relative change of an image's photons above which cupysim warns."""

NOTICEABLE_IN_CORNERS = 1e-2
"""Relative change of pixels in the corners above which cupysim warns. It is larger, because nearly
all images have a small change there."""

ROUNDING = 1e-9
"""Largest relative difference that counts as rounding."""

WIDE_SCAN = 5.0 / DEGREES_PER_RADIAN
"""Range of spindle angles (rad) above which cupysim warns that axes of mosaic spreads are fixed."""

COVERED = 1e-6
"""Largest relative difference of spindle angles that counts as rounding. It is larger, because
headers and files have rounded angles."""


def warn_of_effects(experiment: Experiment, plan: RenderPlan) -> None:
    """Warn of uncorrected quirks that change this image, and of steps that do not cover a range.

    Parameters
    ----------
    experiment : Experiment
        Experiment to simulate.
    plan : RenderPlan
        Render plan of the experiment.
    """
    texts = _scan(experiment), _layers_of_models(experiment), _axes_of_spreads(experiment)
    for text in filter(None, texts):
        warnings.warn(CupysimWarning(text), stacklevel=2)
    for quirk, effect in quirk_effects(experiment, plan).items():
        warn_quirk(quirk, effect)


def quirk_effects(experiment: Experiment, plan: RenderPlan) -> dict[Quirk, str]:
    """Find the effects of uncorrected quirks on this image.

    Parameters
    ----------
    experiment : Experiment
        Experiment to simulate.
    plan : RenderPlan
        Render plan of the experiment.

    Returns
    -------
    dict of Quirk to str
        Description of the effect for each quirk that changes the image.
    """
    if experiment.policy.is_right:
        return {}
    effects = (
        (Quirk.STALE_ORIENTATION, _stale_orientation(experiment)),
        (Quirk.SPOT_WIDTH, _spot_widths(experiment)),
        (Quirk.DISTANCE_RATIO, _distance(experiment)),
        (Quirk.RUNNING_PRODUCTS, _running_products(plan)),
        (Quirk.THICK_SENSOR, _thick_sensor(plan)),
        (Quirk.WATER_SCALE, _background(experiment)),
        (Quirk.FIRST_SUB_PIXEL, _kept_factors(plan)),
        (Quirk.LAYER_SPACING, _layers(experiment)),
        (Quirk.DIVERGENCE_GRID, _divergence(experiment)),
        (Quirk.BEGINNINGS_OF_STEPS, _beginnings_of_steps(experiment)),
    )
    return {quirk: effect for quirk, effect in effects if effect and not experiment.corrects(quirk)}


def warn_of_interpolation_stop(rendered: Rendered) -> None:
    """Warn of the step that ended interpolation, if there was one (quirk Q23).

    Parameters
    ----------
    rendered : Rendered
        Result of the backend.
    """
    for stop in rendered.interpolation_stops:
        if stop is not None:
            slow, fast = divmod(stop.pixel, rendered.image.shape[3])
            warn_quirk(
                Quirk.INTERPOLATION_STOPS,
                f"interpolation of structure factors ends at pixel {fast} {slow} (fast, slow), "
                "because its indices leave the table; -nointerpolate, or more structure factors, "
                "avoid this",
            )


def _stale_orientation(experiment: Experiment) -> str:
    angles = experiment.spindle_angles
    n_zero = int(np.count_nonzero(angles == 0.0))
    if n_zero in (0, len(angles)):
        return ""
    return (
        f"one of {len(angles)} spindle angles is exactly 0, where the crystal keeps the "
        "orientation of the step before"
    )


def _spot_widths(experiment: Experiment) -> str:
    crystal = experiment.crystal
    is_star = crystal.shape is Shape.GAUSS_STAR
    if is_star or SPOT_SHAPES[crystal.shape].measure is not Measure.DISTANCE:
        return ""
    counts = experiment.cell_counts
    widths = [
        float(count * edge / np.prod(counts))
        for count, edge in zip(counts, experiment.lattice.lengths, strict=True)
    ]
    return (
        f"{crystal.shape} spots shrink with the cube of N and depend on the cell: here they are "
        f"{min(widths):.3g} to {max(widths):.3g} times as wide as they should be"
    )


def _distance(experiment: Experiment) -> str:
    if not isinstance(experiment.detector, Detector):
        return ""
    geometry, beam = experiment.geometry, experiment.frame.beam
    right = geometry.close_distance / float(dot(beam, geometry.normal) or np.inf)
    if abs(right - geometry.distance) <= ROUNDING * abs(right):
        return ""
    return (
        f"the reported distance is {1e3 * geometry.distance:.6g} mm, not {1e3 * right:.6g} mm; "
        "headers, automatic oversampling and curved detectors use the reported one"
    )


def _running_products(plan: RenderPlan) -> str:
    if Use.RUNNING not in plan.uses or plan.n_steps * plan.panels.n_layers == 1:
        return ""
    names = ("thick", "polar", "omega")
    flags = [
        f"-oversample_{name}"
        for name, use in zip(names, plan.uses, strict=True)
        if use is Use.RUNNING
    ]
    return f"{', '.join(flags)} multiplies the sum of all steps so far at each step"


def _thick_sensor(plan: RenderPlan) -> str:
    if plan.capture_use is not Use.ONCE or plan.panels.absorbs_all:
        return ""
    panels = plan.panels
    step, attenuation = float(panels.layer_step[0, 0]), float(panels.attenuation[0, 0])
    last = capture_fraction(panels.n_layers - 1, step, attenuation, 1.0)
    right = capture_fraction(0, panels.n_layers * step, attenuation, 1.0)
    if right <= 0.0 or abs(panels.n_layers * last / right - 1.0) < NOTICEABLE:
        return ""
    return (
        f"the sensor counts {100 * panels.n_layers * last:.3g} % of the photons, not "
        f"{100 * right:.3g} %: all {panels.n_layers} layers have the absorption of the last one"
    )


def _background(experiment: Experiment) -> str:
    if 0.0 in (experiment.water.size, experiment.background_scale, experiment.beam.fluence):
        return ""
    factor = experiment.beam.photons_per_squared_electron / experiment.n_steps
    if abs(factor - 1.0) < NOTICEABLE:
        return ""
    return f"the water background is {factor:.3g} times what it should be"


def _kept_factors(plan: RenderPlan) -> str:
    """Effect of quirk Q21 in the image's corners, where factors change most across a pixel."""
    one_ray = plan.oversample == 1 and len(plan.sources.channel) == 1
    if one_ray or (plan.omega_use is not Use.ONCE and plan.polar_use is not Use.ONCE):
        return ""
    panels = plan.panels
    if plan.n_region == 0 or panels.bend is not None:
        return ""
    worst = max(_first_to_mean(plan, (0, panel)) for panel in range(plan.shape[1]))
    if not worst > NOTICEABLE_IN_CORNERS:
        return ""
    return (
        f"solid angle and polarization of a pixel's first sub-pixel and source are up to "
        f"{100 * worst:.2g} % off the mean"
    )


def _first_to_mean(plan: RenderPlan, at: tuple[int, int]) -> float:
    """Largest relative error of the factors of the first sub-pixel in the corners of a panel."""
    panels = plan.panels
    axes = np.stack(
        [panels.fast[at] * panels.pixel_fast[at], panels.slow[at] * panels.pixel_slow[at]]
    )
    forms = polarization_form(
        plan.sources.kahn[0], plan.sources.incident[0], plan.sources.polarization_axis[0]
    )
    worst = 0.0
    for row in (plan.rows.start, plan.rows.stop - 1):
        for column in (plan.columns.start, plan.columns.stop - 1):
            corner = np.array([column, row]) @ axes + panels.origin[at]
            first = corner + axes.sum(axis=0) / plan.oversample / 2.0
            middle = corner + axes.sum(axis=0) / 2.0
            ratio = 1.0
            if plan.omega_use is Use.ONCE:
                of_first, of_middle = (
                    solid_angle(1.0, norm(place), 1.0, panels.point_pixel)
                    for place in (first, middle)
                )
                ratio *= float(of_first / of_middle)
            if plan.polar_use is Use.ONCE and plan.sources.polarized:
                right = float(np.mean([_polarization(form, middle) for form in forms]))
                ratio *= _polarization(forms[0], first) / right
            worst = max(worst, abs(ratio - 1.0))
    return worst


def _polarization(form: np.ndarray, position: np.ndarray) -> float:
    x, y, z = position / norm(position)
    return float(polarization_of_form(form, (x, y, z)))


def _layers(experiment: Experiment) -> str:
    layers = experiment.sensor.layers
    covered = layers.step * layers.count
    if layers.range <= 0.0 or abs(covered - layers.range) <= ROUNDING * layers.range:
        return ""
    return (
        f"the {layers.count} layers cover {1e6 * covered:.6g} um of a sensor of "
        f"{1e6 * layers.range:.6g} um"
    )


def _layers_of_models(experiment: Experiment) -> str:
    """Message about a Python user's layers that do not cover the sensor, if Q26 is corrected."""
    return _layers(experiment) if experiment.corrects(Quirk.LAYER_SPACING) else ""


def _axes_of_spreads(experiment: Experiment) -> str:
    """Message about axes of spreads that turn far in a scan; empty if they do not."""
    width, crystal = float(np.ptp(experiment.spindle_angles)), experiment.crystal
    stale = not experiment.corrects(Quirk.STALE_ORIENTATION) and any(crystal.cell_spreads)
    if not (crystal.mosaicity.has_axes or stale) or width <= WIDE_SCAN:
        return ""
    return (
        f"the crystal turns by {width * DEGREES_PER_RADIAN:.3g} degrees, but the axes of its "
        "spreads are those in the middle of the scan; render several images to turn the axes too"
    )


def _scan(experiment: Experiment) -> str:
    """Message about spindle angles that do not cover their range; empty if they do.

    The last step may go beyond the range: if the step does not divide the range, the number of
    steps is rounded up.
    """
    sweep = experiment.scan.sweep
    covered = sweep.step * sweep.count
    # range and step may be negative
    least, step = abs(sweep.range), abs(sweep.step)
    is_covered = least <= abs(covered) * (1.0 + COVERED)
    if (
        is_covered
        and abs(covered) <= (least + step) * (1.0 + COVERED)
        and (sweep.range * covered >= 0.0)
    ):
        return ""
    each, whole, range_ = (
        f"{value * DEGREES_PER_RADIAN:.6g}" for value in (sweep.step, covered, sweep.range)
    )
    return (
        f"the scan's {sweep.count} steps of {each} degrees cover {whole} degrees, as in nanoBragg; "
        f"its range of {range_} degrees is for headers alone"
    )


def _beginnings_of_steps(experiment: Experiment) -> str:
    sweep = experiment.scan.sweep
    if sweep.step == 0.0:
        return ""
    lag = abs(sweep.step) / 2.0 * DEGREES_PER_RADIAN
    return (
        f"the spindle angles are at the beginnings of the steps, {lag:.3g} degrees before their "
        "centres"
    )


def _divergence(experiment: Experiment) -> str:
    beam = experiment.beam
    if beam.source_table is not None:
        return ""
    lopsided = [
        f"{name} from {-500 * sweep.range:.4g} to {1e3 * _last(sweep):.4g} mrad"
        for name, sweep in (("horizontally", beam.horizontal), ("vertically", beam.vertical))
        if abs(_last(sweep) - sweep.range / 2.0) > ROUNDING * sweep.range
    ]
    return f"the sources lie {' and '.join(lopsided)}" if lopsided else ""


def _last(sweep: Sweep) -> float:
    """The last angle of a divergence (rad)."""
    return sweep.step * (sweep.count - 1) - sweep.range / 2.0
