"""Derivatives of an image by the backend that renders it."""

from __future__ import annotations

from cupysim.backends.compiled.cuda import CudaBackend
from cupysim.backends.compiled.host import HostBackend
from cupysim.backends.compiled.variants import Precision
from cupysim.backends.numpy.oracle import NumpyBackend
from cupysim.backends.rendered import Observer, OpenBackend
from cupysim.errors import CupysimError
from cupysim.gradients import backward, forward
from cupysim.gradients.gradient_plan import GradientPlan
from cupysim.gradients.result import Gradients


def differentiate(backend: OpenBackend, plan: GradientPlan, observer: Observer) -> Gradients:
    """Differentiate an image, in double precision.

    Parameters
    ----------
    backend : OpenBackend
        What renders images; compiled backends keep their engines and tables for derivatives too.
    plan : GradientPlan
        What to differentiate.
    observer : Observer
        Hears how far it is.

    Returns
    -------
    Gradients
        The image and its derivatives.

    Raises
    ------
    CupysimError
        If the backend cannot, or the table of structure factors is too large to be counted.
    """
    if isinstance(backend, NumpyBackend):
        return forward.render(plan, observer)
    if isinstance(backend, HostBackend | CudaBackend):
        with backend.explained():
            return backward.render(plan, observer, backend.engines(plan.plan, Precision.DOUBLE))
    raise CupysimError(f"backend {backend.name}: it computes no derivatives")
