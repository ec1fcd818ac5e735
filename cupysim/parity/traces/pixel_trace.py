"""Tracing a pixel: a run of the NumPy backend that records intermediate values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from cupysim.backends.numpy.oracle import render
from cupysim.backends.numpy.rays import PixelBlock, Ray
from cupysim.backends.numpy.tap import Step, Tap
from cupysim.constants import CLASSICAL_ELECTRON_RADIUS_SQUARED
from cupysim.errors import CupysimError
from cupysim.maths import interpolation, lattice_factor
from cupysim.maths.arrays import norm
from cupysim.maths.rotations import rotate_axis, rotate_xyz
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.panel_detector import PanelDetector
from cupysim.parity.traces.pixel_parts import PixelPart, parts_of_pixel
from cupysim.parity.traces.values import PixelTrace, StepTrace, Value
from cupysim.plan.amorphous import intensity
from cupysim.plan.render_plan import Use
from cupysim.plan.spot_shapes import SPOT_SHAPES, Measure

PLACES = ("layer", "sub_slow", "sub_fast", "source", "phi", "domain")
"""Names of the numbers of a step. The first one varies slowest."""

STRONGEST = "strongest"
"""Choice of the step with the largest intensity."""

MOST_STEPS = 200_000
"""Largest number of steps of a trace. If a pixel has more, the user must choose some."""


def trace_pixel(
    experiment: Experiment,
    fast: int,
    slow: int,
    choice: Mapping[str, int] | str | None = None,
    panel: int | str = 0,
    part: int | None = None,
) -> PixelTrace:
    """Trace the whole computation of a pixel.

    Parameters
    ----------
    experiment : Experiment
        Experiment to simulate.
    fast, slow : int
        Coordinates of the pixel, counted from 0.
    choice : mapping, str or None
        Steps to show. A mapping gives numbers, counted from 0, by names of `PLACES`. "strongest"
        selects the step with the largest intensity, None all steps.
    panel : int or str, optional
        Number or name of the pixel's panel.
    part : int, optional
        Number of the part to trace, counted from 1. Sizes and settings of the domains are parts of
        their own; with a body or decay, so are the background and each spindle angle. By default,
        it is the part with the most photons.

    Returns
    -------
    PixelTrace
        Values that the NumPy backend computes for this pixel within the whole image. If there are
        several parts, the photons of each and their sum are at the end.

    Raises
    ------
    CupysimError
        If there is no such pixel, step or part, there are more than `MOST_STEPS` steps, or the
        experiment has several crystals.
    """
    detector, number = experiment.detector, 0
    if isinstance(detector, PanelDetector):
        number = detector.number_of(panel)
        placed = detector.panels[number]
        if not (0 <= fast < placed.n_fast and 0 <= slow < placed.n_slow):
            raise CupysimError(
                f"pixel {fast} {slow}: panel {placed.name!r} has {placed.n_fast} x "
                f"{placed.n_slow} pixels, counted from 0 (fast slow)"
            )
    parts = parts_of_pixel(experiment, fast, slow, number)
    several = len(parts) > 1
    photons = np.array([each.photons(fast, slow) for each in parts if several], dtype=np.float32)
    if part is None:
        part = 1 + int(np.argmax(photons)) if several else 1
    if not 1 <= part <= len(parts):
        raise CupysimError(f"part {part}: there are {len(parts)}, counted from 1")
    shown = parts[part - 1]
    plan, counts = shown.plan, shown.counts
    wanted = {} if choice is None or isinstance(choice, str) else dict(choice)
    for name, place in wanted.items():
        if name not in counts:
            raise CupysimError(f"step {name}: expected one of {', '.join(PLACES)}")
        if not 0 <= place < counts[name]:
            raise CupysimError(f"step {name}={place}: there are {counts[name]}, counted from 0")
    n_shown = int(np.prod([n for name, n in counts.items() if name not in wanted]))
    if choice != STRONGEST and n_shown > MOST_STEPS:
        raise CupysimError(
            f"pixel {fast} {slow}: {n_shown} steps are too many to be listed; choose some, or the "
            "strongest"
        )
    tap = _PixelTap(experiment, shown, wanted, choice == STRONGEST)
    image = render(plan, tap).image[0, 0]
    assert tap.photons == image[slow, fast]
    setup = (*_setup(experiment, shown, number), *shown.values(part, len(parts)))
    result = tap.result
    if shown.fraction is not None:
        result = (
            *result,
            Value("transmitted_fraction", (float(shown.fraction),)),
            Value("transmitted_photons", (float(tap.photons * shown.fraction),), "photons"),
        )
    if several:
        # the image adds them in this order, in single precision
        result = (
            *result,
            Value("photons_of_parts", _numbers(photons), "photons"),
            Value("photons_of_all_parts", _numbers(np.add.accumulate(photons)[-1]), "photons"),
        )
    if (path_image := parts[0].plan.path_image) is not None:
        along = float(path_image[0, slow, fast])
        result = (*result, Value("photons_from_matter_along_the_beam", (along,), "photons"))
    return PixelTrace((fast, slow), setup, tap.steps, result)


def _numbers(array: object) -> tuple[float, ...]:
    return tuple(float(number) for number in np.ravel(np.asarray(array, dtype=np.float64)))


def _columns(rotate: Callable[..., np.ndarray], *arguments: object) -> np.ndarray:
    """The matrix of a rotation. Its columns are the rotated axes."""
    return np.stack([rotate(axis, *arguments) for axis in np.eye(3)], axis=1)


def _setup(experiment: Experiment, part: PixelPart, number: int) -> tuple[Value, ...]:
    plan, counts, setting = part.plan, part.counts, part.kind.setting
    panels, frame, detector = plan.panels, experiment.frame, experiment.detector
    direct = setting @ experiment.oriented.direct
    reciprocal = np.linalg.inv(setting).T @ experiment.lattice.reciprocal
    edges = float(panels.pixel_fast[0, 0]), float(panels.pixel_slow[0, 0])
    is_alone = isinstance(detector, Detector)
    named = (
        Value("convention", text=str(detector.convention))
        if isinstance(detector, Detector)
        else Value("panel", text=detector.panels[number].name)
    )
    return (
        named,
        Value("n_layers", (counts["layer"],)),
        Value("oversample", (counts["sub_fast"],)),
        Value("n_sources", (counts["source"],)),
        Value("n_phi", (counts["phi"],)),
        Value("n_domains", (counts["domain"],)),
        Value("beam_direction", _numbers(frame.beam)),
        Value("polarization_axis", _numbers(frame.polarization)),
        Value("spindle_axis", _numbers(frame.spindle)),
        *(_at_rest(experiment, detector) if isinstance(detector, Detector) else ()),
        Value("detector_fast", _numbers(panels.fast[0, 0])),
        Value("detector_slow", _numbers(panels.slow[0, 0])),
        Value("detector_normal", _numbers(panels.normal[0, 0])),
        Value("pix0", _numbers(panels.origin[0, 0]), "m"),
        Value("pixel_size", edges[:1] if is_alone else edges, "m"),
        *([Value("distance", (experiment.geometry.distance,), "m")] if is_alone else []),
        Value("close_distance", (float(panels.close_distance[0, 0]),), "m"),
        Value("n_cells", _numbers(plan.crystals.n_cells[0, 0])),
        Value("cell_a", _numbers(direct[0]), "m"),
        Value("cell_b", _numbers(direct[1]), "m"),
        Value("cell_c", _numbers(direct[2]), "m"),
        Value("cell_a_star", _numbers(reciprocal[0] * 1e10), "m^-1"),
        Value("cell_b_star", _numbers(reciprocal[1] * 1e10), "m^-1"),
        Value("cell_c_star", _numbers(reciprocal[2] * 1e10), "m^-1"),
        Value("background", (float(plan.background[0]),), "electron^2"),
        *(
            [Value("ray_background", _numbers(plan.ray_background), "electron^2")]
            if Use.EACH in plan.uses
            else []
        ),
    )


def _at_rest(experiment: Experiment, detector: Detector) -> tuple[Value, ...]:
    """What places the only panel: angles, axes before the rotations, and beam centre."""
    frame, centre, angles = experiment.frame, experiment.placed_panel.centre, detector.angles
    return (
        Value("twotheta_axis", _numbers(frame.twotheta_axis)),
        Value("detector_angles", _numbers([*angles.lab, angles.twotheta]), "rad"),
        Value("detector_fast_at_rest", _numbers(frame.fast)),
        Value("detector_slow_at_rest", _numbers(frame.slow)),
        Value("detector_normal_at_rest", _numbers(frame.normal)),
        Value("detector_rotation", _numbers(_columns(rotate_xyz, angles.lab))),
        Value("beam_centre_x", (centre.x,), "m"),
        Value("beam_centre_y", (centre.y,), "m"),
        Value("beam_fast", (centre.fast,), "m"),
        Value("beam_slow", (centre.slow,), "m"),
        Value("distance_at_rest", (experiment.geometry.distance_at_rest,), "m"),
    )


class _PixelTap(Tap):
    """Records the steps of the only pixel of a plan."""

    def __init__(
        self,
        experiment: Experiment,
        part: PixelPart,
        wanted: dict[str, int],
        strongest: bool,
    ) -> None:
        self.experiment = experiment
        self.plan, self.counts = part.plan, part.counts
        self.wanted = wanted
        self.strongest = strongest
        self.steps: list[StepTrace] = []
        self.result: tuple[Value, ...] = ()
        self.photons = np.float32(0.0)
        self._best = -1.0
        spindle = experiment.frame.spindle
        self._angles = part.angles
        self._spindle_matrices = [_columns(rotate_axis, spindle, angle) for angle in part.angles]

    def step(self, step: Step) -> None:
        """Record the chosen steps among some orientations of a ray."""
        if step.indices[0].shape[1] == 0:
            # the resolution is beyond -dmin
            return
        intensities = (step.cell_factor * step.lattice_factor)[:, 0] ** 2
        if step.diffuse is not None:
            intensities = step.diffuse[:, 0] + (
                0.0 if self.plan.diffuse.diffuse_only else intensities
            )
        if self.strongest:
            best = int(np.argmax(intensities))
            if intensities[best] > self._best:
                self._best = float(intensities[best])
                self.steps = [self._trace(step, best)]
            return
        for number in range(len(step.cells)):
            where = self._where(step, number)
            if all(where[name] == wanted for name, wanted in self.wanted.items()):
                self.steps.append(self._trace(step, number))

    def finished(self, block: PixelBlock, total: np.ndarray, photons: np.ndarray) -> None:
        """Record the factors that turn the sum into photons."""
        plan, rendering = self.plan, self.experiment.rendering
        self.photons = photons[0]
        self.result = (
            Value("intensity_sum", (float(total[0]),), "electron^2"),
            Value("steps", (int(plan.n_steps),)),
            Value("r_e_squared", (CLASSICAL_ELECTRON_RADIUS_SQUARED,), "m^2"),
            Value("fluence", (self.experiment.beam.fluence,), "m^-2"),
            *(
                value
                for use, value in zip(plan.uses, self._factors(block), strict=True)
                if use is not Use.EACH
            ),
            Value("oversample_thick", (int(rendering.oversample_thick),)),
            Value("oversample_polar", (int(rendering.oversample_polar),)),
            Value("oversample_omega", (int(rendering.oversample_omega),)),
            Value("photons", (float(photons[0]),), "photons"),
        )

    @staticmethod
    def _factors(block: PixelBlock) -> tuple[Value, Value, Value]:
        return (
            Value("capture_fraction", _numbers(block.capture)),
            Value("polarization", _numbers(block.polar)),
            Value("omega", _numbers(block.omega), "sr"),
        )

    def _where(self, step: Step, number: int) -> dict[str, int]:
        counts = self.counts
        sub_pixel, source = divmod(step.ray.number, counts["source"])
        row, sub_fast = divmod(sub_pixel, counts["sub_fast"])
        layer, sub_slow = divmod(row, counts["sub_slow"])
        phi, domain = divmod(step.first + number, counts["domain"])
        return dict(zip(PLACES, (layer, sub_slow, sub_fast, source, phi, domain), strict=True))

    def _trace(self, step: Step, number: int) -> StepTrace:
        plan, ray, where = self.plan, step.ray, self._where(step, number)
        cell = step.cells[number]
        if step.exception is not None and number < len(step.exception[1]):
            cell = step.exception[1][number]
        position = np.array([component[0] for component in ray.position])
        airpath = float(norm(position))
        scattering = np.array([component[0] for component in ray.scattering])
        h, k, l = (float(index[number, 0]) for index in step.indices)
        whole = [int(interpolation.nearest_index(np.float64(index))) for index in (h, k, l)]
        cell_factor = float(step.cell_factor[number, 0])
        lattice = float(step.lattice_factor[number, 0])
        block, source = step.block, where["source"]
        diffuse = 0.0 if step.diffuse is None else float(step.diffuse[number, 0])
        bragg = 0.0 if plan.diffuse.diffuse_only else cell_factor**2 * lattice**2
        values = (
            Value("pixel_position", _numbers(position), "m"),
            Value("airpath", (airpath,), "m"),
            Value("omega", _numbers(block.omega), "sr"),
            Value("capture_fraction", _numbers(block.capture)),
            Value("incident", _numbers(plan.sources.incident[0, source])),
            Value("wavelength", (float(plan.sources.wavelength[0, source]),), "m"),
            Value("diffracted", _numbers(position / airpath)),
            Value("scattering_vector", _numbers(scattering), "m^-1"),
            Value("stol", (0.5 * float(norm(scattering)),), "m^-1"),
            Value("polarization", _numbers(block.polar)),
            Value("phi_angle", (float(self._angles[where["phi"]]),), "rad"),
            Value("phi_rotation", _numbers(self._spindle_matrices[where["phi"]])),
            Value(
                "mosaic_rotation",
                _numbers(self._rotations(step.crystal)[where["domain"]]),
            ),
            *(Value(name, _numbers(cell[i]), "m") for i, name in enumerate("abc")),
            *self._reciprocal(cell),
            Value("hkl", (h, k, l)),
            Value("hkl_rounded", tuple(whole)),
            Value("F_cell", (cell_factor,), "electron"),
            *self._lattice_axes((h, k, l), step.crystal),
            Value("F_latt", (lattice,)),
            *([] if step.diffuse is None else [Value("diffuse", (diffuse,), "electron^2")]),
            Value("step_intensity", (bragg + diffuse,), "electron^2"),
            *([] if ray.weight is None else [Value("step_weight", _numbers(ray.weight))]),
            *self._amorphous(ray),
            Value("running_sum", (float(step.sums[number, 0]),), "electron^2"),
        )
        return StepTrace(where, values)

    def _rotations(self, crystal: int) -> np.ndarray:
        """Rotations of the domains, even if the plan has them as further angles."""
        found: np.ndarray = self.plan.crystals.mosaic_rotations[0, crystal]
        return found if len(found) == self.counts["domain"] else self.experiment.mosaicity.rotations

    def _amorphous(self, ray: Ray) -> list[Value]:
        """Scattering of amorphous matter, which is added once for each ray."""
        table = self.plan.amorphous
        if table.n_materials == 0:
            return []
        return [Value("amorphous", _numbers(intensity(table, 0, ray.scattering)), "electron^2")]

    def _reciprocal(self, cell: np.ndarray) -> list[Value]:
        star = np.linalg.inv(cell).T
        return [Value(f"{name}_star", _numbers(star[i]), "m^-1") for i, name in enumerate("abc")]

    def _lattice_axes(self, indices: tuple[float, float, float], crystal: int) -> list[Value]:
        """The lattice factors along each axis of a parallelepiped; empty for other shapes."""
        if SPOT_SHAPES[self.plan.crystals.shape].measure is not Measure.INDICES:
            return []
        return [
            Value(f"F_latt_{name}", (_axis_factor(index, count),))
            for name, index, count in zip(
                "abc", indices, self.plan.crystals.n_cells[0, crystal], strict=True
            )
        ]


def _axis_factor(index: float, count: float) -> float:
    """The lattice factor of a row of cells along one axis."""
    indices = np.array([index]), np.zeros(1), np.zeros(1)
    return float(lattice_factor.square(indices, np.array([count, 1.0, 1.0]))[0])
