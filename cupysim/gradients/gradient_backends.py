"""What differentiates images, by its name."""

from __future__ import annotations

from collections.abc import Sequence

from cupysim.backends.compiled.launch import Precision
from cupysim.backends.rendered import Observer
from cupysim.backends.select import settled
from cupysim.gradients import backward, forward
from cupysim.gradients.gradient_plan import GradientPlan
from cupysim.gradients.result import GradientBackend, Gradients


def select_gradient_backend(
    name: str = "auto", threads: int | None = None, devices: Sequence[int] | None = None
) -> GradientBackend:
    """What differentiates images, by its name.

    Parameters
    ----------
    name : str, optional
        "cuda", "host", "numpy", or "auto" for the first of them which works.
    threads : int, optional
        Threads of the host backend; one on each core without it.
    devices : sequence of int, optional
        GPUs which share the work of the cuda backend; all without it.

    Returns
    -------
    callable
        The backend; it computes in double precision.

    Raises
    ------
    CupysimError
        If there is no such backend, or it does not work here.
    """
    name = settled(name, threads)
    if name == "cuda":
        from cupysim.backends.compiled import cuda

        def on_devices(plan: GradientPlan, observer: Observer) -> Gradients:
            with cuda.explained():
                engines = cuda.engines(plan.plan, Precision.DOUBLE, devices)
                return backward.render(plan, observer, engines)

        return on_devices
    if name == "host":
        from cupysim.backends.compiled import host

        def on_cores(plan: GradientPlan, observer: Observer) -> Gradients:
            return backward.render(plan, observer, [host.engine(Precision.DOUBLE, threads)])

        return on_cores
    return forward.render
