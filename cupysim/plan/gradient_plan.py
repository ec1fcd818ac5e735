"""The gradient plan: parameters of derivatives, and what backends need to compute them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.background_parameters import BACKGROUND_SCALE
from cupysim.models.crystal_names import numbered
from cupysim.models.domain_kinds import WHOLE
from cupysim.models.experiment import Experiment
from cupysim.models.panel_motion import motion_of
from cupysim.models.parameter_families import has_own_numbers
from cupysim.models.parameters import parameter
from cupysim.models.polarization_parameters import STOKES
from cupysim.models.tolerance import Tolerance
from cupysim.plan.contrasts import background_contrast, stokes_contrast
from cupysim.plan.culling import reason_for_exact, without_background
from cupysim.plan.diffuse_table import NO_DIFFUSE
from cupysim.plan.domain_slopes import DomainSlopes
from cupysim.plan.fraction_slopes import fraction_slopes, reason_for_none, without_absorbers
from cupysim.plan.gradient_columns import COLUMNS, PHOTONS, motion_rows
from cupysim.plan.gradient_names import FACTORS, expand
from cupysim.plan.gradient_rows import parameter_rows
from cupysim.plan.kinds import KindPlan
from cupysim.plan.path_scattering import path_slopes
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.source_slopes import SourceSlopes
from cupysim.plan.spot_shapes import SPOT_SHAPES


@dataclass(frozen=True)
class GradientPlan:
    """All that a backend needs to differentiate an image.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the image: one shot of one crystal. Each term must have its own factors.
    names : tuple of str
        Names of the parameters, without structure factors.
    rows : ndarray, shape (n_panels, n_parameters, 56)
        Derivatives of the kernel's columns with respect to each parameter. Panels differ in the
        columns of their origin and axes.
    domains : DomainSlopes
        Derivatives of the domains' cell vectors with respect to the spreads.
    sources : SourceSlopes
        How the sources change with the parameters of the beam.
    wants_factors : bool
        Whether to differentiate with respect to structure factors too: those of the first crystal,
        which further crystals may share.
    fraction_slopes : mapping of str to ndarray, shape (n_panels, n_slow, n_fast)
        Derivatives of the plan's fractions (1 over the unit of the parameter), for parameters on
        which they depend.
    contrasts : mapping of str to tuple of 2 RenderPlan
        For parameters on which the photons depend linearly: two plans. The difference of their
        photons is `cupysim.plan.contrasts.CONTRAST` times the derivative.
    shares : ndarray, shape (n_tables, n_channels)
        Weights that make each table of the plan from the channels of the structure factors, see
        `StructureFactors.shares_at`.
    path_growth : mapping of str to float
        For parameters that multiply the photons from matter along the beam: the derivatives of the
        logarithm of these photons.
    path_slopes : mapping of str to ndarray, shape (n_panels, n_slow, n_fast)
        For other parameters on which these photons depend: their derivatives.
    further : tuple of GradientPlan
        Further plans with the same parameters, whose photons and derivatives add up: of other
        crystals, sizes, settings and spindle angles, and of diffuse scattering.
    """

    plan: RenderPlan
    names: tuple[str, ...]
    rows: np.ndarray
    domains: DomainSlopes
    sources: SourceSlopes
    wants_factors: bool
    fraction_slopes: Mapping[str, np.ndarray] = field(default_factory=dict)
    contrasts: Mapping[str, tuple[RenderPlan, RenderPlan]] = field(default_factory=dict)
    shares: np.ndarray = field(default_factory=lambda: np.ones((1, 1)))
    path_growth: Mapping[str, float] = field(default_factory=dict)
    path_slopes: Mapping[str, np.ndarray] = field(default_factory=dict)
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

        All stay exact if they contain derivatives with respect to structure factors, or to
        parameters on which fractions of attenuators, body or decay depend. So does each part of an
        image for which no tolerance is possible, such as diffuse scattering.
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
    for name in wanted:
        experiment.only_crystal(1 if has_own_numbers(name) else numbered(name)[1])
    factors = experiment.structure_factors
    # all parts have the same sources
    sources = SourceSlopes.of(experiment, plans[0][0].plan.sources)
    found: list[GradientPlan] = []
    for number, kinds in enumerate(plans, 1):
        for each in kinds:
            for part in _split_diffuse(each):
                alone = part._replace(plan=without_background(part.plan)) if found else part
                only = experiment.only_crystal(number)
                own = wanted
                if only.structure_factors is not factors:
                    own = tuple(name for name in wanted if name != FACTORS)
                found.append(_plan_of_crystal(only, alone, own, number, sources))
    first, *others = found
    return replace(first, further=tuple(others)) if others else first


def _split_diffuse(part: KindPlan) -> list[KindPlan]:
    """Plans of the reflections and of the diffuse scattering, whose terms differ."""
    diffuse = part.plan.diffuse
    if not diffuse.n_operations or diffuse.diffuse_only:
        return [part]
    alone = replace(diffuse, diffuse_only=True)
    return [part._replace(plan=replace(part.plan, diffuse=each)) for each in (NO_DIFFUSE, alone)]


def _plan_of_crystal(
    experiment: Experiment,
    part: KindPlan,
    wanted: tuple[str, ...],
    number: int,
    sources: SourceSlopes,
) -> GradientPlan:
    """Plan of a kind of domains of a crystal; parameters of other crystals have rows of zeros."""
    plan, shape = part.plan, experiment.crystal.shape
    if not plan.diffuse.n_operations and SPOT_SHAPES[shape].squared_slopes is None:
        raise ModelError(f"gradients: spots of the shape {shape} have edges, and so no derivatives")
    if plan.shape[0] != 1 or plan.crystals.n_crystals != 1:
        raise ModelError("gradients: possible only for one shot of one crystal at a time")
    known, unavailable = parameter_rows(experiment, part)
    single = tuple(name for name in wanted if name != FACTORS)
    rows, own = np.zeros((plan.shape[1], len(single), COLUMNS)), []
    for name in wanted:
        if motion_of(name) is not None:
            if reason := reason_for_none(experiment):
                raise ModelError(f"gradients: {name}: {reason}")
            rows[:, single.index(name)] = motion_rows(experiment, name)
            continue
        base, owner = numbered(name)
        if base != FACTORS and parameter(base).of_crystal and owner != number:
            continue
        reason = without_absorbers(experiment, name) or unavailable.get(base, "")
        if reason:
            raise ModelError(f"gradients: {name}: {reason}")
        own.append(base)
        if base != FACTORS:
            rows[:, single.index(name)] = known[base]
    return GradientPlan(
        plan=plan,
        names=single,
        rows=rows,
        domains=DomainSlopes.of(experiment, part.kind.setting, own),
        sources=sources,
        # a part that holds only background has no structure factors
        wants_factors=FACTORS in wanted and not plan.factors.is_constant,
        fraction_slopes=fraction_slopes(experiment, single, part.angle),
        contrasts={
            **{name: stokes_contrast(experiment, plan, name) for name in single if name in STOKES},
            **{
                name: background_contrast(experiment, plan)
                for name in single
                if name == BACKGROUND_SCALE and plan.has_background
            },
        },
        shares=experiment.structure_factors.shares_at(experiment.sources.wavelengths),
        path_growth={
            name: float(known[name][PHOTONS]) for name in single if name in ("scale", "fluence")
        }
        | {name: 1.0 / experiment.background_scale for name in single if name == BACKGROUND_SCALE},
        path_slopes={} if plan.path_image is None else path_slopes(experiment, single),
    )
