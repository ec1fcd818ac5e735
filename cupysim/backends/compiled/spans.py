"""Division of the steps of a pixel into parts that launches carry out.

The number of a step within a pixel is its ray times the number of all orientations, plus its
orientation. Rays count layer, slow sub-pixel, fast sub-pixel and source. Orientations count
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
        First ray and number of rays.
    first_orientation, n_orientations : int
        First orientation of each ray, and number of orientations.
    untouched : bool
        True if the orientations are those of the first sweep (quirk Q3).
    interpolate : bool
        True if structure factors are interpolated.
    """

    first_ray: int
    n_rays: int
    first_orientation: int
    n_orientations: int
    untouched: bool = False
    interpolate: bool = False

    @property
    def n_steps(self) -> int:
        """Number of steps of a pixel."""
        return self.n_rays * self.n_orientations


def spans(plan: RenderPlan, first_sweep: int | None, stop: int | None) -> list[Span]:
    """Divide all steps of a pixel into spans, in order.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    first_sweep : int or None
        Ray of the first executed sweep if it belongs to this pixel (quirk Q3); otherwise None.
    stop : int or None
        First step at which structure factors are no longer interpolated (quirk Q23); None if
        there is none.

    Returns
    -------
    list of Span
        As few spans as possible.
    """
    crystals = plan.crystals
    total = plan.n_orientations
    end = plan.n_rays * total
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
    """Divide the steps from `first` to `last` into a part of a ray, whole rays, a part of a ray."""
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
    """Divide a span into portions.

    Parameters
    ----------
    span : Span
        Span to divide.
    at_once : int
        Largest number of steps of a portion.
    matrices : int
        Largest number of orientations of a portion.

    Yields
    ------
    Span
        Portions, in order.
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
