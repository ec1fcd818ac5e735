"""Make the render plan of an experiment, with or without the quirks of nanoBragg."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter, is_
from typing import TYPE_CHECKING

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.orientations import spindle_cells
from cupysim.models.crystal import orient_together
from cupysim.models.domain_kinds import WHOLE, has_kinds
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.spot_shape import OFF_DIAGONAL, Shape
from cupysim.plan.amorphous import amorphous_table
from cupysim.plan.attenuation import pixel_fractions
from cupysim.plan.diffuse import diffuse_table
from cupysim.plan.domain_cells import cells_of_domains, strained_domains
from cupysim.plan.exposure import parts_of_rotation, varies
from cupysim.plan.factor_table import FactorTable
from cupysim.plan.joining import add_crystals, add_kinds
from cupysim.plan.kinds import ONES, KindPlan, kind_plans
from cupysim.plan.path_scattering import path_image
from cupysim.plan.render_plan import CrystalTable, Panels, RenderPlan, SourceTable, Use
from cupysim.plan.spot_axes import spot_axes
from cupysim.quirks import Quirk

if TYPE_CHECKING:
    from cupysim.plan.gradient_plan import GradientPlan

APART_FROM_CRYSTAL = attrgetter(
    *sorted({item.name for item in fields(Experiment)} - {"crystal", "quirks"})
)
"""Gives the parts of an experiment that are the same objects if only its crystal differs."""

IDENTITY = np.eye(3)[None]
"""The rotation of a single domain."""

NO_SIZE = (0.0, 0.0, 0.0)
"""Size of a crystal that is given by its number of cells."""

LARGEST_STEP_COUNT = 10**16
"""Largest number of steps of a whole image. More steps would take years."""


def make_plan(experiment: Experiment) -> RenderPlan:
    """Make the render plan of an experiment.

    Parameters
    ----------
    experiment : Experiment
        Experiment to simulate.

    Returns
    -------
    RenderPlan
        Plan of one shot.

    Raises
    ------
    ModelError
        If the experiment is impossible, or has more than `LARGEST_STEP_COUNT` steps.
    """
    plans = [[each.plan for each in kinds] for kinds in plans_of_kinds(experiment)]
    if len(plans) == 1:
        return add_kinds(plans[0]) if len(plans[0]) > 1 else plans[0][0]
    return add_crystals([add_kinds(kinds) for kinds in plans])


def plans_of_kinds(experiment: Experiment) -> list[list[KindPlan]]:
    """Make the plans of each kind of domains of each crystal.

    Those of the first crystal have the background. With a body or decay, each spindle angle has a
    plan of its own, and so has the background.

    Parameters
    ----------
    experiment : Experiment
        Experiment to simulate.

    Raises
    ------
    ModelError
        If the experiment is impossible.
    """
    found = []
    for number, each in enumerate(experiment.each_crystal):
        kinds = kind_plans(each, _plan_of_crystal(each))
        found.append(
            [
                kind._replace(plan=part, angle=angle)
                for place, kind in enumerate(kinds)
                for part, angle in parts_of_rotation(each, kind.plan, number == place == 0)
            ]
        )
    return found


def _plan_of_crystal(experiment: Experiment) -> RenderPlan:
    """The plan of an experiment with one crystal whose domains are all alike."""
    detector, rendering, mask = experiment.detector, experiment.rendering, experiment.mask
    has_panels, panels = isinstance(detector, PanelDetector), _panels(experiment)
    rows, columns = experiment.region.slices(detector.n_slow, detector.n_fast)
    oversample = experiment.oversample
    capture_use, polar_use, omega_use = _uses(experiment)
    uses = capture_use, polar_use, omega_use
    if experiment.crystal.diffuse is not None and Use.RUNNING in uses:
        raise ModelError(
            "diffuse: not possible while -oversample_thick, _polar or _omega multiply the running "
            f"sum; correct quirk Q{Quirk.RUNNING_PRODUCTS.value}, or leave these options out"
        )
    each, scale = Use.EACH in uses, experiment.crystal.scale
    # the scale multiplies all photons of the plan, but is for the crystal alone
    factor = experiment.background_scale / scale
    background = factor * _background(experiment)
    rays_per_layer = oversample**2 * len(experiment.sources.wavelengths)
    counted_rays = rays_per_layer
    at_crystal = [each for each in experiment.backgrounds if each.begin is None]
    if capture_use is not Use.EACH:
        counted_rays *= experiment.sensor.layers.count
    plan = RenderPlan(
        shape=(1, len(panels.origin[0]), detector.n_slow, detector.n_fast),
        rows=rows,
        columns=columns,
        mask=mask if mask is None or has_panels else mask[None],
        oversample=oversample,
        capture_use=capture_use,
        polar_use=polar_use,
        omega_use=omega_use,
        dmin=rendering.dmin,
        background=np.array([0.0 if each else background]),
        ray_background=np.array([background / counted_rays if each else 0.0]),
        has_background=background != 0.0 or (bool(at_crystal) and factor > 0.0),
        photons_per_squared_electron=np.array(
            [scale * experiment.beam.photons_per_squared_electron]
        ),
        n_steps=experiment.n_steps,
        panels=panels,
        sources=_sources(experiment),
        crystals=_crystals(experiment),
        factors=_factors(experiment),
        diffuse=diffuse_table(experiment),
        amorphous=amorphous_table(at_crystal, factor * (experiment.n_steps // rays_per_layer)),
        has_panels=has_panels,
        fractions=pixel_fractions(experiment),
        path_image=path_image(experiment),
    )
    n_pixels = plan.n_region * plan.shape[1]
    total = n_pixels * plan.n_steps * plan.panels.n_layers
    if total > LARGEST_STEP_COUNT:
        raise ModelError(
            f"this image needs {total:.3g} steps ({n_pixels} pixels x {plan.n_steps} steps "
            f"x {plan.panels.n_layers} sensor layers); at most {LARGEST_STEP_COUNT:.0e} are "
            f"possible. Reduce -oversample (now {oversample}), -mosaic_dom, -phisteps, sources "
            "or the region"
        )
    return plan


def _uses(experiment: Experiment) -> tuple[Use, Use, Use]:
    """Use of absorption, polarization and solid angle in the sum."""
    rendering = experiment.rendering
    flagged = Use.EACH if experiment.corrects(Quirk.RUNNING_PRODUCTS) else Use.RUNNING
    kept = Use.EACH if experiment.corrects(Quirk.FIRST_SUB_PIXEL) else Use.ONCE
    layers = Use.EACH if experiment.corrects(Quirk.THICK_SENSOR) else Use.ONCE
    capture = (
        flagged
        if rendering.oversample_thick and not experiment.corrects(Quirk.THICK_SENSOR)
        else layers
    )
    if experiment.sensor.layers.range == 0.0 and (
        experiment.corrects(Quirk.NO_SENSOR_NO_IMAGE) or not rendering.oversample_thick
    ):
        capture = Use.ONCE
    polar = flagged if rendering.oversample_polar else kept
    if not experiment.beam.polarized and polar is Use.EACH:
        # without polarization, each term's own factor is 1; only a running product computes it
        polar = Use.ONCE
    return capture, polar, flagged if rendering.oversample_omega else kept


def _background(experiment: Experiment) -> float:
    """Contribution of the background to a pixel's sum (electron^2), if all factors are 1."""
    water = experiment.water
    if experiment.corrects(Quirk.WATER_SCALE):
        return water.squared_amplitude * experiment.n_steps
    return water.intensity(experiment.beam.fluence)


def _panels(experiment: Experiment) -> Panels:
    detector = experiment.detector
    has_area = experiment.corrects(Quirk.POINT_PIXEL_AREA) or not detector.point_pixel
    if isinstance(detector, PanelDetector):
        return _several_panels(detector, has_area)
    geometry, sensor = experiment.geometry, detector.sensor
    close_distance = geometry.close_distance
    if experiment.placed.bend is not None and experiment.placed.bend.radial:
        close_distance = geometry.distance
    return Panels(
        origin=geometry.origin[None, None],
        fast=geometry.fast[None, None],
        slow=geometry.slow[None, None],
        normal=geometry.normal[None, None],
        close_distance=np.full((1, 1), close_distance),
        bend=experiment.placed.bend,
        pixel_fast=np.full((1, 1), detector.pixel_size),
        pixel_slow=np.full((1, 1), detector.pixel_size),
        pixel_area=np.full((1, 1), detector.pixel_size**2 if has_area else 1.0),
        point_pixel=detector.point_pixel,
        n_layers=sensor.layers.count,
        layer_step=np.full((1, 1), sensor.layers.step),
        attenuation=np.full((1, 1), sensor.attenuation),
        absorbs_all=sensor.layers.range == 0.0,
    )


def _several_panels(detector: PanelDetector, has_area: bool) -> Panels:
    panels, layers = detector.panels, detector.panels[0].sensor.layers

    def table(of_panel: Callable[[Panel], object]) -> np.ndarray:
        return np.array([[of_panel(panel) for panel in panels]], dtype=np.float64)

    return Panels(
        origin=table(lambda panel: panel.origin),
        fast=table(lambda panel: panel.axes[0]),
        slow=table(lambda panel: panel.axes[1]),
        normal=table(lambda panel: panel.axes[2]),
        close_distance=table(lambda panel: panel.close_distance),
        bend=None,
        pixel_fast=table(lambda panel: panel.edges[0]),
        pixel_slow=table(lambda panel: panel.edges[1]),
        pixel_area=table(lambda panel: panel.pixel_area if has_area else 1.0),
        point_pixel=detector.point_pixel,
        n_layers=layers.count,
        layer_step=table(lambda panel: panel.sensor.layers.step),
        attenuation=table(lambda panel: panel.sensor.attenuation),
        absorbs_all=layers.range == 0.0,
    )


def _sources(experiment: Experiment) -> SourceTable:
    sources = experiment.sources
    kahn, axes = experiment.beam.linear_polarization(
        experiment.frame, sources.stokes, len(sources.wavelengths)
    )
    return SourceTable(
        incident=sources.incident[None],
        wavelength=sources.wavelengths[None],
        weight=sources.brightness[None],
        channel=experiment.structure_factors.tables_at(sources.wavelengths)[1],
        kahn=kahn[None],
        polarized=experiment.beam.polarized,
        polarization_axis=axes[None],
    )


def _crystals(experiment: Experiment) -> CrystalTable:
    crystal = experiment.crystal
    phi_cells, first_cell = _phi_cells(experiment)
    domains = experiment.mosaicity.rotations
    if any(crystal.cell_spreads) and first_cell is None:
        phi_cells, domains = cells_of_domains(experiment, phi_cells[0, 0]), IDENTITY
    elif any(crystal.cell_spreads):
        domains = strained_domains(experiment)
    n_cells = _cell_counts(experiment.cell_counts)
    axes, height = spot_axes(
        crystal.shape, experiment.oriented.size_matrix, experiment.lattice.reciprocal
    )
    spot_counts = ONES
    if not experiment.corrects(Quirk.SPOT_WIDTH) and crystal.shape is not Shape.GAUSS_STAR:
        if any(crystal.n_cells_off_diagonal):
            raise ModelError(
                f"{OFF_DIAGONAL}: not possible with nanoBragg's spot widths; correct quirk "
                f"Q{Quirk.SPOT_WIDTH.value}"
            )
        axes, spot_counts = experiment.lattice.reciprocal, n_cells
    return CrystalTable(
        phi_cells=phi_cells,
        first_cell=first_cell,
        mosaic_rotations=domains[None, None],
        spot_axes=axes[None, None],
        spot_counts=spot_counts[None, None],
        n_cells=n_cells[None, None],
        spot_height=np.full((1, 1), height),
        shape=crystal.shape,
        fudge=crystal.fudge,
    )


def _phi_cells(experiment: Experiment) -> tuple[np.ndarray, np.ndarray | None]:
    """Arrays `phi_cells` and `first_cell` of `CrystalTable`: cell vectors at the spindle angles."""
    cells, first = spindle_cells(
        experiment.oriented.direct,
        experiment.frame.spindle,
        experiment.spindle_angles,
        stale_at_zero=not experiment.corrects(Quirk.STALE_ORIENTATION),
    )
    return cells[None, None], None if first is None else first[None, None]


@lru_cache(maxsize=64)
def _cell_counts(counts: tuple[float, float, float]) -> np.ndarray:
    """Na, Nb, Nc as an array; shots of a series share it."""
    found = np.array(counts)
    found.setflags(write=False)
    return found


def _factors(experiment: Experiment) -> FactorTable:
    factors = experiment.structure_factors
    tables, _ = factors.tables_at(experiment.sources.wavelengths)
    return FactorTable(
        table=tables,
        first=factors.first,
        default=factors.default,
        is_constant=factors.table is None,
        interpolate=experiment.interpolate,
        stops=not experiment.corrects(Quirk.INTERPOLATION_STOPS),
    )


class Planner:
    """Makes plans of experiments, and reuses what an experiment shares with the last one."""

    def __init__(self) -> None:
        self._last: tuple[Experiment, RenderPlan] | None = None

    def __call__(self, experiment: Experiment) -> RenderPlan:
        """Make the plan of an experiment; see `make_plan`."""
        plan = None
        if self._last is not None:
            plan = _with_crystal(*self._last, experiment)
        plan = make_plan(experiment) if plan is None else plan
        self._last = experiment, plan
        return plan

    def several(self, experiments: Sequence[Experiment]) -> list[RenderPlan]:
        """Make the plans of several experiments; see `make_plan`."""
        for policy in {experiment.policy for experiment in experiments}:
            crystals = [each.crystal for each in experiments if each.policy == policy]
            orient_together(crystals, policy)
        return [self(experiment) for experiment in experiments]

    def gradients(
        self, experiment: Experiment, plan: RenderPlan, names: str | Iterable[str]
    ) -> GradientPlan:
        """Plan the derivatives of an image; see `cupysim.plan.gradient_plan.plan_of_crystals`."""
        from cupysim.plan.gradient_plan import plan_of_crystals

        is_alone = not (
            experiment.further_crystals or has_kinds(experiment.crystal) or varies(experiment)
        )
        plans = [[KindPlan(WHOLE, plan)]] if is_alone else plans_of_kinds(experiment)
        return plan_of_crystals(experiment, plans, names)


def _with_crystal(
    before: Experiment, plan: RenderPlan, experiment: Experiment
) -> RenderPlan | None:
    """Plan of an experiment that differs only in its crystal; None if it differs in more."""
    if (
        not all(map(is_, APART_FROM_CRYSTAL(before), APART_FROM_CRYSTAL(experiment)))
        or before.quirks != experiment.quirks
        or before.crystal.mosaicity is not experiment.crystal.mosaicity
        or plan.oversample != experiment.oversample
    ):
        return None
    if experiment.further_crystals or before.crystal.scale != experiment.crystal.scale:
        return None
    if has_kinds(experiment.crystal) or has_kinds(before.crystal) or varies(experiment):
        return None
    if any(experiment.crystal.cell_spreads) or any(before.crystal.cell_spreads):
        return None
    if experiment.crystal.diffuse is not None or before.crystal.diffuse is not None:
        return None
    if _same_transform(before, experiment):
        return plan.with_crystals(plan.crystals.turned(*_phi_cells(experiment)))
    if plan.factors.interpolate != experiment.interpolate:
        return None
    return plan.with_crystals(_crystals(experiment))


def _same_transform(one: Experiment, other: Experiment) -> bool:
    """Whether two crystals have the same lattice transform and size; orientations may differ."""
    some, others = one.crystal, other.crystal
    return (
        (some.n_cells, some.n_cells_off_diagonal, some.size, some.shape, some.fudge)
        == (others.n_cells, others.n_cells_off_diagonal, others.size, others.shape, others.fudge)
        # spots that are round in reciprocal space depend on the cell
        and some.shape is not Shape.GAUSS_STAR
        and one.corrects(Quirk.SPOT_WIDTH)
        # a size is divided by the edges of the oriented cell, which rounding may change
        and (some.size == NO_SIZE or one.cell_counts == other.cell_counts)
    )
