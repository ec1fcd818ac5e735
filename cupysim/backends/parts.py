"""Images of several kinds of crystals: the parts of a plan, rendered one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cupysim.backends.rendered import Observer, OpenBackend, Rendered
from cupysim.maths.arrays import array_namespace
from cupysim.models.tolerance import Tolerance
from cupysim.plan.contrasts import CONTRAST
from cupysim.plan.render_plan import RenderPlan

if TYPE_CHECKING:
    from cupysim.backends.derivatives import Gradients
    from cupysim.plan.gradient_plan import GradientPlan


def render_parts(
    backend: OpenBackend,
    plan: RenderPlan,
    observer: Observer,
    image: Any = None,
    tolerance: Tolerance | None = None,
    is_exact: Callable[[RenderPlan, Tolerance], bool] | None = None,
) -> Rendered:
    """Render all parts of a plan, and add their images.

    Parameters
    ----------
    backend : OpenBackend
        Backend that renders.
    plan : RenderPlan
        Plan of the images.
    observer : Observer
        Receives the progress.
    image : ndarray of float32, shape plan.shape, optional
        Array of zeros for the images. A CuPy array stays on its device.
    tolerance : Tolerance, optional
        Photons that each pixel may lack. Each part gets the same share: errors of the parts add up,
        and no part is brighter than the whole.
    is_exact : callable, optional
        Tells whether a part must be exact in spite of its tolerance.

    Returns
    -------
    Rendered
        The sum of the images.
    """
    parts = plan.parts
    if tolerance is not None:
        tolerance = replace(tolerance, value=tolerance.value / len(parts))
    rendered: Rendered | None = None
    is_common = all(part.fractions is plan.fractions for part in parts)
    for part in parts:
        if tolerance is not None and not (is_exact and is_exact(part, tolerance)):
            part = part.with_same_axes(tolerance=tolerance)
        is_on_device = image is not None and not isinstance(image, np.ndarray)
        target = image
        if rendered is not None:
            target = backend.new_device_array(part.shape, np.float32) if is_on_device else None
        found = backend.render(part, observer, target)
        if not is_common:
            _weaken(found, part)
        rendered = found if rendered is None else rendered.add(found)
    assert rendered is not None
    if is_common:
        _weaken(rendered, plan)
    if plan.path_image is not None:
        rendered.image[...] += _computed(rendered.image, plan, plan.path_image)
    return rendered


def _computed(image: Any, plan: RenderPlan, photons: np.ndarray) -> Any:
    """Photons of the computed pixels, zero elsewhere, on the same device as the image."""
    where = np.zeros(plan.shape[1:], dtype=bool)
    region = (slice(None), plan.rows, plan.columns)
    where[region] = True if plan.mask is None else plan.mask[region]
    return array_namespace(image).asarray(np.where(where, photons, photons.dtype.type(0.0)))


def _weaken(rendered: Rendered, plan: RenderPlan) -> None:
    """Multiply an image by the fractions of its plan, in place."""
    if plan.fractions is not None:
        rendered.image[...] *= array_namespace(rendered.image).asarray(plan.fractions)


def differentiate_parts(
    backend: OpenBackend, plan: GradientPlan, observer: Observer, device_arrays: bool
) -> Gradients:
    """Differentiate all parts of a plan, and add their derivatives.

    Parameters
    ----------
    backend : OpenBackend
        Backend that differentiates.
    plan : GradientPlan
        Plan of the image and its derivatives.
    observer : Observer
        Receives the progress.
    device_arrays : bool
        Leave the results on the first device, as CuPy arrays.

    Returns
    -------
    Gradients
        The sums of photons and derivatives.
    """
    total: Gradients | None = None
    shares = []
    for part in plan.parts:
        found = backend.differentiate(part, observer, device_arrays)
        shares.append(found.share)
        for number, name in enumerate(part.names):
            if name in part.contrasts:
                more, less = (
                    backend.differentiate(part.of_photons(each), observer, device_arrays).photons
                    for each in part.contrasts[name]
                )
                found.values[number] += (more - less) / CONTRAST
        fractions = part.plan.fractions
        if fractions is not None:
            by_pixel = array_namespace(found.photons).asarray(fractions, dtype=np.float64)
            shown = by_pixel if part.plan.has_panels else by_pixel[0]
            found.values[...] *= shown
            for number, name in enumerate(part.names):
                if name in part.fraction_slopes:
                    slopes = array_namespace(found.photons).asarray(part.fraction_slopes[name])
                    found.values[number] += found.photons * (
                        slopes if part.plan.has_panels else slopes[0]
                    )
            found.photons[...] *= shown
            if found.structure_factors is not None:
                weakened = found.structure_factors.times(fractions)
                found = replace(found, structure_factors=weakened)
        total = found if total is None else total.add(found)
    assert total is not None
    path = plan.plan.path_image
    if path is not None:
        added = _computed(total.photons, plan.plan, path)
        shown = added if plan.plan.has_panels else added[0]
        total.photons[...] += shown
        for number, name in enumerate(plan.names):
            total.values[number] += plan.path_growth.get(name, 0.0) * shown
            if name in plan.path_slopes:
                slopes = _computed(total.photons, plan.plan, plan.path_slopes[name])
                total.values[number] += slopes if plan.plan.has_panels else slopes[0]
    return replace(total, share=sum(shares) / len(shares))
