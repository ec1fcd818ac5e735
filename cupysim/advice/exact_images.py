"""Warning that an image is exact although the user gave a tolerance."""

from __future__ import annotations

import warnings

from cupysim.errors import CupysimWarning
from cupysim.models.tolerance import Tolerance
from cupysim.plan.culling import reason_for_exact
from cupysim.plan.render_plan import RenderPlan


def warn_of_exact_image(plan: RenderPlan, tolerance: Tolerance, is_traced: bool) -> bool:
    """Warn if something forbids a tolerance. Returns whether the image is exact.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the image.
    tolerance : Tolerance
        Tolerance that the user gave.
    is_traced : bool
        Whether every step is traced.
    """
    reason = reason_for_exact(plan)
    if is_traced:
        reason = "a trace needs every step"
    if reason is not None:
        message = f"tolerance {tolerance} is not used, and the image is exact: {reason}"
        warnings.warn(CupysimWarning(message), stacklevel=5)
    return reason is not None
