"""The parts of a pixel: kinds of domains, and spindle angles with their own fractions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.backends.numpy.oracle import render
from cupysim.backends.numpy.single_pixel import single_pixel
from cupysim.backends.rendered import Observer
from cupysim.errors import CupysimError
from cupysim.models.domain_kinds import DomainKind
from cupysim.models.experiment import Experiment
from cupysim.parity.traces.values import Value
from cupysim.plan.culling import without_background
from cupysim.plan.exposure import varies
from cupysim.plan.planning import plans_of_kinds
from cupysim.plan.render_plan import RenderPlan


@dataclass(frozen=True)
class PixelPart:
    """A part of a pixel, which has a sum of its own.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the part for this pixel alone.
    kind : DomainKind
        Size and setting of the domains.
    angles : ndarray, shape (n,)
        Spindle angles (rad).
    is_background : bool
        Whether the part has the background alone.
    fraction : float32 or None
        Fraction of the photons that reach the pixel; None if all do.
    """

    plan: RenderPlan
    kind: DomainKind
    angles: np.ndarray
    is_background: bool
    fraction: np.float32 | None

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of steps by name. If cells differ, the plan has the domains as further angles."""
        plan = self.plan
        n_orientations = plan.crystals.phi_cells.shape[2] * plan.crystals.mosaic_rotations.shape[2]
        return {
            "layer": plan.panels.n_layers,
            "sub_slow": plan.oversample,
            "sub_fast": plan.oversample,
            "source": len(plan.sources.channel),
            "phi": len(self.angles),
            "domain": n_orientations // len(self.angles),
        }

    def photons(self, fast: int, slow: int) -> np.float32:
        """Photons of the part, as they are added to the image."""
        found: np.float32 = render(self.plan, Observer()).image[0, 0, slow, fast]
        return found if self.fraction is None else np.float32(found * self.fraction)

    def values(self, number: int, count: int) -> tuple[Value, ...]:
        """Values that describe the part; none if it is the only one."""
        if count == 1:
            return ()
        if self.is_background:
            return (
                Value("part", (number,)), Value("n_parts", (count,)),
                Value("part_contains", text="background"),
            )  # fmt: skip
        return (
            Value("part", (number,)),
            Value("n_parts", (count,)),
            Value("part_contains", text="crystal"),
            Value("part_phi_angles", tuple(float(angle) for angle in self.angles), "rad"),
            Value("domain_size", (self.kind.size,)),
            Value("domain_setting", tuple(float(each) for each in self.kind.setting.ravel())),
            Value("domain_share", (self.kind.weight,)),
        )


def parts_of_pixel(experiment: Experiment, fast: int, slow: int, panel: int) -> list[PixelPart]:
    """All parts of a pixel, in the order in which their photons are added.

    Parameters
    ----------
    experiment : Experiment
        Experiment with one crystal.
    fast, slow : int
        Coordinates of the pixel, counted from 0.
    panel : int
        Number of the pixel's panel.

    Raises
    ------
    CupysimError
        If there is no such pixel, or the experiment has several crystals.
    """
    if experiment.further_crystals:
        raise CupysimError("trace: possible for one crystal at a time; use only_crystal(number)")
    (kinds,) = plans_of_kinds(experiment)
    found: list[PixelPart] = []
    for kind, plan, angle in kinds:
        is_background = angle is None and varies(experiment)
        angles = np.asarray(experiment.spindle_angles)
        if is_background:
            # its only orientation is that of the first angle
            angles = angles[:1]
        elif angle is not None:
            angles = angles[angle : angle + 1]
        # the first part has the background of all; this refuses pixels outside the image
        alone = single_pixel(without_background(plan) if found else plan, fast, slow, panel)
        fractions = plan.fractions
        fraction = None if fractions is None else fractions[panel, slow, fast]
        found.append(PixelPart(alone, kind, angles, is_background, fraction))
    return found
