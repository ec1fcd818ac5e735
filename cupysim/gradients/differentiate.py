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


def differentiate(
    backend: OpenBackend, plan: GradientPlan, observer: Observer, device_arrays: bool = False
) -> Gradients:
    """Differentiate an image, in double precision.

    Parameters
    ----------
    backend : OpenBackend
        What renders images; compiled backends keep their engines and tables for derivatives too.
    plan : GradientPlan
        What to differentiate.
    observer : Observer
        Hears how far it is.
    device_arrays : bool, optional
        Leave the results on the first device.

    Returns
    -------
    Gradients
        The image and its derivatives.

    Raises
    ------
    CupysimError
        If the backend cannot, the table of structure factors is too large to be counted, or
        results cannot stay on a device.
    """
    if device_arrays:
        if not isinstance(backend, CudaBackend):
            raise CupysimError(f"device_arrays: the {backend.name} backend has no device; use cuda")
        if plan.factors:
            raise CupysimError(
                "device_arrays: derivatives with structure factors are collected on the host"
            )
        with backend.explained():
            engines = backend.engines(plan.plan, Precision.DOUBLE)[:1]
            return backward.render(plan, observer, engines, backend.new_device_array)
    if isinstance(backend, NumpyBackend):
        return forward.render(plan, observer)
    if isinstance(backend, HostBackend | CudaBackend):
        with backend.explained():
            return backward.render(plan, observer, backend.engines(plan.plan, Precision.DOUBLE))
    raise CupysimError(f"backend {backend.name}: it computes no derivatives")
