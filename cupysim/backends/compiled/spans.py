"""Steps of a pixel in parts: which a launch carries out, in which way.

Steps are numbered within a pixel: ray times all orientations plus orientation,
where rays count layer, slow and fast sub-pixel and source, and orientations count
crystal, spindle angle and mosaic domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from cupysim.plan.render_plan import RenderPlan


@dataclass(frozen=True)
class Span:
    """A block of steps: some rays times some orientations.

    Parameters
    ----------
    first_ray, n_rays : int
        Rays.
    first_orientation, n_orientations : int
        Orientations of each of them.
    untouched : bool
        Orientations are those of the first sweep (quirk Q3).
    interpolate : bool
        Structure factors are interpolated.
    """

    first_ray: int
    n_rays: int
    first_orientation: int
    n_orientations: int
    untouched: bool = False
    interpolate: bool = False

    @property
    def n_steps(self) -> int:
        """Steps of a pixel."""
        return self.n_rays * self.n_orientations


def count_rays(plan: RenderPlan) -> int:
    """Rays of a pixel."""
    return plan.panels.n_layers * plan.oversample**2 * len(plan.sources.channel)


def count_orientations(plan: RenderPlan) -> int:
    """Orientations of all crystals of a shot."""
    return plan.crystals.n_crystals * plan.crystals.n_orientations


def spans(plan: RenderPlan, first_sweep: int | None, stop: int | None) -> list[Span]:
    """All steps of a pixel, in order.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    first_sweep : int or None
        Ray of the first sweep which is executed at all, if it is of this pixel.
    stop : int or None
        Step from which on structure factors are not interpolated; None for none.

    Returns
    -------
    list of Span
        As few as do.
    """
    crystals = plan.crystals
    total = count_orientations(plan)
    end = count_rays(plan) * total
    edges = {0, end}
    swept: list[tuple[int, int]] = []
    if first_sweep is not None:
        for crystal in range(crystals.n_crystals):
            first = first_sweep * total + crystal * crystals.n_orientations
            swept.append((first, first + crystals.mosaic_rotations.shape[2]))
            edges.update(swept[-1])
    if stop is not None:
        edges.add(min(max(stop, 0), end))
    result = []
    ordered = sorted(edges)
    for first, last in pairwise(ordered):
        untouched = any(low <= first < high for low, high in swept)
        interpolate = plan.factors.interpolate and (stop is None or first < stop)
        result += [
            replace(span, untouched=untouched, interpolate=interpolate)
            for span in _blocks(first, last, total)
        ]
    return result


def _blocks(first: int, last: int, total: int) -> Iterator[Span]:
    """Steps from first to last, as a broken ray, whole rays and a broken ray."""
    ray, orientation = divmod(first, total)
    if orientation:
        count = min(total - orientation, last - first)
        yield Span(ray, 1, orientation, count)
        first += count
        ray += 1
    whole, rest = divmod(last - first, total)
    if whole:
        yield Span(ray, whole, 0, total)
    if rest:
        yield Span(ray + whole, 1, 0, rest)


def portions(span: Span, at_once: int, matrices: int) -> Iterator[Span]:
    """A span in portions.

    Parameters
    ----------
    span : Span
        What to divide.
    at_once : int
        Largest number of steps of a portion.
    matrices : int
        Largest number of its orientations.

    Yields
    ------
    Span
        In order.
    """
    most = min(at_once, matrices)
    if span.n_orientations <= most:
        n_rays = max(1, at_once // span.n_orientations)
        for ray in range(0, span.n_rays, n_rays):
            count = min(n_rays, span.n_rays - ray)
            yield replace(span, first_ray=span.first_ray + ray, n_rays=count)
        return
    for ray in range(span.first_ray, span.first_ray + span.n_rays):
        for first in range(0, span.n_orientations, most):
            yield replace(
                span,
                first_ray=ray,
                n_rays=1,
                first_orientation=span.first_orientation + first,
                n_orientations=min(most, span.n_orientations - first),
            )
