"""The gradient plan: parameters of derivatives, and what backends need to compute them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.arrays import dot
from cupysim.maths.derivatives import (
    cross_matrix,
    panel_slopes,
    turning_axes,
    upright_cell,
)
from cupysim.models.conventions import PIVOTS, Pivot
from cupysim.models.crystal_names import numbered
from cupysim.models.detector import Detector
from cupysim.models.domain_kinds import WHOLE
from cupysim.models.experiment import Experiment
from cupysim.models.panel_motion import motion_of
from cupysim.models.parameters import (
    GROUPS,
    OF_ONE_PANEL,
    parameter,
    spread_names,
    without_effect,
)
from cupysim.models.polarization_parameters import STOKES, without_polarization
from cupysim.models.sample_parameters import SIZES as SPREAD_OF_SIZES
from cupysim.models.spot_shape import ELLIPSOIDAL
from cupysim.models.tolerance import Tolerance
from cupysim.plan.culling import reason_for_exact, without_background
from cupysim.plan.fraction_slopes import (
    fraction_slopes,
    reason_for_none,
    sample_without_slopes,
)
from cupysim.plan.gradient_columns import (
    COLUMNS,
    INDICES,
    ORIGIN,
    PHOTONS,
    SIZES,
    SPREAD,
    WAVELENGTH,
    motion_rows,
)
from cupysim.plan.gradient_names import FACTORS, UNITS, expand
from cupysim.plan.kinds import KindPlan
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.size_slopes import size_slopes
from cupysim.plan.spot_shapes import SPOT_SHAPES
from cupysim.plan.stokes_contrast import stokes_contrast


@dataclass(frozen=True)
class GradientPlan:
    """All that a backend needs to differentiate an image.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the image: one shot of one crystal. Each term must have its own factors.
    names : tuple of str
        Names of the parameters, without structure factors.
    rows : ndarray, shape (n_panels, n_parameters, 37)
        Derivatives of the kernel's columns with respect to each parameter. Panels differ in the
        columns of their origin and axes.
    rotation_slopes : ndarray, shape (n_spreads, n_mosaic, 3, 3)
        Derivatives of the mosaic rotations with respect to each spread (1/rad).
    source_slopes : ndarray, shape (n_sources,)
        Derivative of each source's wavelength with respect to the beam's wavelength, divided by
        the source's wavelength (1/m).
    wants_factors : bool
        Whether to differentiate with respect to structure factors too.
    fraction_slopes : mapping of str to ndarray, shape (n_panels, n_slow, n_fast)
        Derivatives of the plan's fractions (1 over the unit of the parameter), for parameters on
        which they depend.
    contrasts : mapping of str to tuple of 2 RenderPlan
        For parameters on which the photons depend linearly: two plans. The difference of their
        photons is `cupysim.plan.stokes_contrast.CONTRAST` times the derivative.
    further : tuple of GradientPlan
        Plans of further crystals, with the same parameters. Photons and derivatives add up.
    """

    plan: RenderPlan
    names: tuple[str, ...]
    rows: np.ndarray
    rotation_slopes: np.ndarray
    source_slopes: np.ndarray
    wants_factors: bool
    fraction_slopes: Mapping[str, np.ndarray] = field(default_factory=dict)
    contrasts: Mapping[str, tuple[RenderPlan, RenderPlan]] = field(default_factory=dict)
    further: tuple[GradientPlan, ...] = ()

    @property
    def parts(self) -> tuple[GradientPlan, ...]:
        """Plans without further ones, which backends differentiate one after the other."""
        return (replace(self, further=()), *self.further) if self.further else (self,)

    def without_parameters(self) -> GradientPlan:
        """The plan of the photons alone."""
        further = tuple(each.without_parameters() for each in self.further)
        return replace(self, names=(), rows=self.rows[:, :0], contrasts={}, further=further)

    def of_photons(self, plan: RenderPlan) -> GradientPlan:
        """The photons of another plan of the same image, without derivatives."""
        return replace(self.without_parameters(), plan=plan, further=(), wants_factors=False)

    def within(self, tolerance: Tolerance | None) -> GradientPlan:
        """The same derivatives within a tolerance; exact if it is None.

        All stay exact if they contain derivatives with respect to structure factors or, with
        attenuators, to the detector's geometry. So do the derivatives of images for which no
        tolerance is possible.
        """
        if tolerance is not None and self.further:
            # errors of the parts add up, and no part is brighter than the whole
            tolerance = replace(tolerance, value=tolerance.value / len(self.parts))
            first, *others = (each.within(tolerance) for each in self.parts)
            return replace(first, further=tuple(others))
        # limits of derivatives do not contain the changes of fractions
        is_exact = self.wants_factors or bool(self.fraction_slopes)
        if is_exact or reason_for_exact(self.plan) is not None:
            tolerance = None
        return replace(self, plan=self.plan.with_same_axes(tolerance=tolerance))

    @cached_property
    def sensitivities(self) -> np.ndarray:
        """Largest error of each derivative for a tolerance of one photon, shape (n_parameters,).

        See `cupysim.plan.sensitivities.sensitivities`.
        """
        from cupysim.plan.sensitivities import sensitivities

        return sensitivities(self)


def plan_gradients(
    experiment: Experiment, plan: RenderPlan, names: str | Iterable[str]
) -> GradientPlan:
    """Make the gradient plan of an experiment with one crystal; see `plan_of_crystals`.

    Parameters
    ----------
    experiment : Experiment
        Experiment to simulate, with all quirks corrected.
    plan : RenderPlan
        Render plan of the experiment.
    names : str or iterable of str
        Names of the parameters, see `expand`.
    """
    return plan_of_crystals(experiment, [[KindPlan(WHOLE, plan)]], names)


def plan_of_crystals(
    experiment: Experiment, plans: Sequence[Sequence[KindPlan]], names: str | Iterable[str]
) -> GradientPlan:
    """Make the gradient plan of an experiment.

    Parameters
    ----------
    experiment : Experiment
        Experiment to simulate, with all quirks corrected.
    plans : sequence of sequence of KindPlan
        For each crystal, its kinds of domains and their render plans, with the background.
    names : str or iterable of str
        Names of the parameters, see `expand`.

    Returns
    -------
    GradientPlan
        Plan that backends differentiate.

    Raises
    ------
    ModelError
        If an image of this kind has no derivatives, or none with respect to one of the parameters.
    """
    wanted = expand(names)
    if not experiment.policy.is_right:
        raise ModelError(
            "gradients: all quirks must be corrected: use Experiment(quirks='corrected') or "
            "-corrected"
        )
    several = sum(len(kinds) for kinds in plans) > 1
    if several and FACTORS in wanted:
        raise ModelError(
            f"gradients: {FACTORS}: possible only for one crystal whose domains have one size and "
            "setting; with a body or decay, only for a still without a background"
        )
    last = max(numbered(name)[1] for name in wanted)
    experiment.only_crystal(last)
    found: list[GradientPlan] = []
    for number, kinds in enumerate(plans, 1):
        for each in kinds:
            alone = each._replace(plan=without_background(each.plan)) if found else each
            only = experiment.only_crystal(number)
            found.append(_plan_of_crystal(only, alone, wanted, number))
    first, *others = found
    return replace(first, further=tuple(others)) if others else first


def _plan_of_crystal(
    experiment: Experiment, part: KindPlan, wanted: tuple[str, ...], number: int
) -> GradientPlan:
    """Plan of a kind of domains of a crystal; parameters of other crystals have rows of zeros."""
    kind, plan, angle = part
    shape = experiment.crystal.shape
    if SPOT_SHAPES[shape].squared_slopes is None:
        raise ModelError(f"gradients: spots of the shape {shape} have edges, and so no derivatives")
    if plan.diffuse.n_operations:
        raise ModelError("gradients: diffuse scattering has no derivatives")
    if plan.shape[0] != 1 or plan.crystals.n_crystals != 1:
        raise ModelError("gradients: possible only for one shot of one crystal at a time")
    known = {name: np.zeros(COLUMNS) for name in UNITS}
    _set_crystal(known, experiment, plan)
    for name in known:
        indices = kind.setting @ known[name][INDICES:ORIGIN].reshape(3, 3)
        known[name][INDICES:ORIGIN] = (indices @ np.linalg.inv(kind.setting)).reshape(-1)
    counts = (*GROUPS["n_cells"], *GROUPS["n_cells_off_diagonal"])
    of_counts = np.array([known[name][SIZES:SPREAD] for name in counts])
    known[SPREAD_OF_SIZES][SIZES:SPREAD] = kind.growth * _cell_counts(plan) @ of_counts
    for name in counts:
        known[name][SIZES:SPREAD] *= kind.size
    unavailable = _set_panel(known, experiment)
    if any(experiment.crystal.cell_spreads):
        # the kernel has one matrix of index changes for all domains
        turning = [name for name, row in known.items() if row[INDICES:ORIGIN].any()]
        spreads = ("mosaic_spread", *GROUPS["mosaic_spreads"])
        unavailable |= dict.fromkeys((*turning, *spreads), "the cells of the domains differ")
    _set_scales(known, experiment, unavailable)
    if plan.has_background:
        unavailable["crystal_scale"] = "it has a background, which scale multiplies too; use scale"
    unavailable |= sample_without_slopes(experiment)
    if polarization := without_polarization(experiment):
        unavailable |= dict.fromkeys(STOKES, polarization)
    if experiment.structure_factors.table is None:
        unavailable[FACTORS] = "there is no table of structure factors"
    reason = reason_for_none(experiment)
    if plan.path_image is not None:
        reason = (
            "scattering by matter along the beam depends on the geometry of the detector, and has "
            "no derivative"
        )
    if reason:
        unavailable |= dict.fromkeys(OF_ONE_PANEL, reason)
    if plan.path_image is not None:
        of_matter = "scattering by matter along the beam depends on it, and has no derivative"
        unavailable |= dict.fromkeys(("wavelength", *STOKES), of_matter)
    single = tuple(name for name in wanted if name != FACTORS)
    rows, own = np.zeros((plan.shape[1], len(single), COLUMNS)), []
    for name in wanted:
        if motion_of(name) is not None:
            if reason:
                raise ModelError(f"gradients: {name}: {reason}")
            rows[:, single.index(name)] = motion_rows(experiment, name)
            continue
        base, owner = numbered(name)
        if base != FACTORS and parameter(base).of_crystal and owner != number:
            continue
        if base in unavailable:
            raise ModelError(f"gradients: {name}: {unavailable[base]}")
        own.append(base)
        if base != FACTORS:
            rows[:, single.index(name)] = known[base]
    return GradientPlan(
        plan=plan,
        names=single,
        rows=rows,
        rotation_slopes=_rotation_slopes(experiment, tuple(own)),
        source_slopes=_source_slopes(experiment),
        wants_factors=FACTORS in wanted,
        fraction_slopes=fraction_slopes(experiment, single, angle),
        contrasts={
            name: stokes_contrast(experiment, plan, name) for name in single if name in STOKES
        },
    )


def _cell_counts(plan: RenderPlan) -> np.ndarray:
    """Na, Nb, Nc, Nab, Nbc, Nac of a plan of one crystal, shape (6,)."""
    crystals = plan.crystals
    if crystals.shape not in ELLIPSOIDAL:
        return np.append(crystals.n_cells[0, 0], np.zeros(3))
    matrix = crystals.spot_axes[0, 0]
    return np.append(np.diagonal(matrix), matrix[[0, 1, 0], [1, 2, 2]])


def _set_crystal(rows: dict[str, np.ndarray], experiment: Experiment, plan: RenderPlan) -> None:
    """Set derivatives E of Miller indices, h -> (1 + E) h: E is (dB) B^-1 for cell vectors B."""
    crystal, beam_frame = experiment.crystal, experiment.frame
    lattice, direct = experiment.lattice, experiment.oriented.direct
    inverse = np.linalg.inv(direct)
    misset = np.zeros(3) if crystal.misset is None else np.array(crystal.misset)
    axes = dict(zip(GROUPS["misset"], turning_axes(misset), strict=True))
    axes["phi"] = beam_frame.spindle
    for name, axis in axes.items():
        # the crystal and B^T turn; in the crystal's frame, q turns back
        rows[name][INDICES:ORIGIN] = (-direct @ cross_matrix(axis) @ inverse).reshape(-1)
    upright, slopes = upright_cell(lattice.lengths, lattice.angles)
    for name, slope in zip(GROUPS["cell"], slopes, strict=True):
        rows[name][INDICES:ORIGIN] = (slope @ np.linalg.inv(upright)).reshape(-1)
    for name, of_sizes in size_slopes(plan.crystals, upright, slopes).items():
        rows[name][SIZES:SPREAD] = of_sizes
    for number, name in enumerate(spread_names(experiment)):
        rows[name][SPREAD + number] = 1.0


def _set_panel(rows: dict[str, np.ndarray], experiment: Experiment) -> dict[str, str]:
    """Set derivatives of the panel's geometry; return parameters without any, with the reason."""
    detector = experiment.detector
    names = (*GROUPS["rotation"], "twotheta", "distance", *GROUPS["beam_centre"])
    if not isinstance(detector, Detector):
        return {name: without_effect(experiment, name) for name in names}
    if detector.curved:
        return dict.fromkeys(names, "a curved detector has no such derivative")
    frame, about_sample = experiment.frame, experiment.placed_panel.pivot is Pivot.SAMPLE
    near = (0.0, 0.0)
    if about_sample and PIVOTS.get(detector.convention) is Pivot.BEAM:
        at_rest = float(dot(frame.beam, frame.normal))
        fast, slow = (-float(dot(frame.beam, v)) / at_rest for v in (frame.fast, frame.slow))
        near = fast, slow
    found = panel_slopes(
        experiment.geometry,
        (frame.fast, frame.slow, frame.normal),
        frame.beam,
        frame.twotheta_axis,
        detector.angles,
        distance=detector.distance if detector.close_distance is None else None,
        about_sample=about_sample,
        near_slopes=near,
        placed=detector.origin is not None,
    )
    for name, slopes in found.items():
        rows[name][ORIGIN:WAVELENGTH] = slopes
    lacking = set(names) - set(found)
    return {name: without_effect(experiment, name) for name in lacking}


def _set_scales(
    rows: dict[str, np.ndarray], experiment: Experiment, unavailable: dict[str, str]
) -> None:
    fluence = experiment.beam.fluence
    rows["wavelength"][WAVELENGTH] = 1.0
    rows["scale"][PHOTONS] = 1.0
    rows["crystal_scale"][PHOTONS] = 1.0 / experiment.crystal.scale
    if fluence > 0.0:
        rows["fluence"][PHOTONS] = 1.0 / fluence
    else:
        unavailable["fluence"] = "it is zero, so there are no photons"
    if not _source_slopes(experiment).any():
        unavailable["wavelength"] = (
            "the source table or spectrum gives the wavelength of every source"
        )
    elif experiment.structure_factors.channels is not None:
        unavailable["wavelength"] = "structure factors change with it, and have no such derivative"
    spreads = ("mosaic_spread", *GROUPS["mosaic_spreads"])
    for name in (*spreads, *GROUPS["n_cells_off_diagonal"]):
        if without_effect(experiment, name):
            unavailable[name] = without_effect(experiment, name)
    if experiment.crystal.mosaicity.has_axes:
        unavailable["phi"] = "the axes of the mosaic spreads turn with it; use misset instead"
    if not experiment.crystal.mosaicity.spread > 0.0:
        unavailable |= dict.fromkeys(spreads, "the crystal has no mosaic spread")


def _rotation_slopes(experiment: Experiment, names: tuple[str, ...]) -> np.ndarray:
    """Derivatives of the mosaic rotations, or zeros if no spread is among the parameters."""
    mosaicity = experiment.mosaicity
    if set(names).isdisjoint(spread_names(experiment)):
        return np.zeros((1, *mosaicity.rotations.shape))
    return mosaicity.slopes()


def _source_slopes(experiment: Experiment) -> np.ndarray:
    """Derivatives of the sources' wavelengths, as in `GradientPlan.source_slopes` (1/m)."""
    beam = experiment.beam
    slopes = np.full(len(experiment.sources.wavelengths), 1.0 / beam.wavelength)
    if beam.spectrum is not None:
        slopes[:] = 0.0
    if beam.source_table is not None:
        slopes[~np.isnan(beam.source_table[:, 4])] = 0.0
    return slopes
