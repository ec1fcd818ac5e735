"""Reflections of a crystal that may have spots on a panel."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from cupysim.maths.polarization import polarization_form
from cupysim.plan.render_plan import RenderPlan, Use
from cupysim.plan.spot_shapes import SPOT_SHAPES, SpotSize, spot_size
from cupysim.plan.weights import largest_polarization, largest_term_weight
from cupysim.prediction.candidates import Steps, spot_reach

ROUNDING = 1e-9
"""Relative margin of upper bounds, for rounding errors."""


@dataclass(frozen=True)
class StepSums:
    """Sums over the steps of an image, for each reflection.

    Parameters
    ----------
    photons : ndarray, shape (n,)
        Sums of the photons of a spot, divided by the factors that all steps share (electron^2).
    fast, slow : ndarray, shape (n,)
        Sums of the positions (pixels) times these photons.
    excitation : ndarray, shape (n,)
        Sums of the integrals over the Ewald sphere, each divided by the integral with the
        reflection exactly on the sphere.
    """

    photons: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    excitation: np.ndarray

    @classmethod
    def zero(cls, count: int) -> StepSums:
        """Return sums of zero for some reflections."""
        return cls(*(np.zeros(count) for _ in fields(cls)))

    def only(self, chosen: np.ndarray) -> StepSums:
        """Return the sums of the reflections with these numbers."""
        return StepSums(*(getattr(self, each.name)[chosen] for each in fields(self)))


@dataclass(frozen=True)
class ReflectionsOfPanel:
    """Reflections of one crystal that may have spots on a panel.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    shot, crystal, panel : int
        Numbers of the shot, of the crystal and of the panel.
    steps : Steps
        Steps to sum over.
    hkl : ndarray of int, shape (n, 3)
        Miller indices.
    squares : ndarray, shape (n_channels, n)
        Squared structure factors of each channel.
    """

    plan: RenderPlan
    shot: int
    crystal: int
    panel: int
    steps: Steps
    hkl: np.ndarray
    squares: np.ndarray

    @cached_property
    def size(self) -> SpotSize:
        """Size of the spots."""
        return spot_size(self.plan.crystals, (self.shot, self.crystal))

    @cached_property
    def forms(self) -> np.ndarray:
        """Polarization factors of the sources as quadratic forms, shape (n_sources, 6)."""
        sources, shot = self.plan.sources, self.shot
        return np.asarray(
            polarization_form(
                sources.kahn[shot], sources.incident[shot], sources.polarization_axis[shot]
            )
        )

    @cached_property
    def limits(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Numbers for upper bounds of a step's photons divided by F^2, shape (n_steps,) each.

        They are those of `SpotShape.section_limits`, the first of them multiplied by the largest
        weight, polarization factor and absorbed fraction of the step. None if there is no bound.
        """
        plan, steps = self.plan, self.steps
        limits = SPOT_SHAPES[plan.crystals.shape].section_limits(steps.cells, self.size)
        if limits is None:
            return None
        polar = largest_polarization(plan)
        is_fraction = plan.capture_use is Use.EACH and not plan.panels.absorbs_all
        captured = 1.0 if is_fraction else float(plan.panels.n_layers)
        sources = range(len(plan.sources.channel))
        weights = np.array([largest_term_weight(plan, self.shot, source) for source in sources])
        largest = polar * captured * weights[steps.sources]
        scale = (1.0 + ROUNDING) * largest / steps.wavenumbers**2
        return scale * limits[0], limits[1]

    @cached_property
    def reach(self) -> np.ndarray:
        """Distances from the Ewald sphere up to which reflections count (1/m), for each step."""
        return spot_reach(self.plan, self.size, self.steps.cells)

    def only(self, chosen: np.ndarray) -> ReflectionsOfPanel:
        """Return the reflections with these numbers."""
        return replace(self, hkl=self.hkl[chosen], squares=self.squares[:, chosen])
