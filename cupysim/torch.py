"""Images as a function which PyTorch differentiates: ``pip install 'cupysim[torch]'``.

The forward pass is a render in double precision, the backward pass its derivatives, both on the
fastest backend there is (`cupysim.render_gradients`). Where the shifts are a tensor on a GPU which
the backend uses, images and derivatives stay there: only the shifts are read by the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from cupysim.backends.derivatives import Gradients
from cupysim.errors import CupysimError
from cupysim.models.experiment import Experiment
from cupysim.optional_libraries import require
from cupysim.refine.free_parameters import free_parameters, gradient_plan, with_fixed_sampling
from cupysim.renderer import Renderer


@cache
def _renderer(backend: str, device: int | None) -> Renderer:
    """One renderer for each backend and GPU, which keeps tables from call to call."""
    return Renderer(backend, devices=None if device is None else [device])


def _gpu_of(tensor: Any) -> int | None:
    """Number of the GPU on which a tensor lies."""
    return tensor.device.index if tensor.device.type == "cuda" else None


@cache
def _function() -> Any:
    """PyTorch's function of the shifts of parameters; made when it is first used."""
    torch = require("torch", "cupysim.torch")

    def forward(
        context: Any, shifts: Any, experiment: Experiment, names: Sequence[str], backend: str
    ) -> Any:
        values = shifts.detach().to("cpu", torch.float64).numpy()
        renderer = _renderer(backend, _gpu_of(shifts))
        context.of = experiment, names, values, renderer
        context.like = shifts
        # no parameter: photons alone
        found, scale = _differentiated(experiment, names, values, renderer, ())
        return scale * torch.from_dlpack(found.photons).to(shifts.device)

    def backward(context: Any, gradient: Any) -> Any:
        experiment, names, values, renderer = context.of
        found, scale = _differentiated(experiment, names, values, renderer, names)
        slopes = scale * torch.from_dlpack(found.values)
        if "scale" in names:
            slopes[list(names).index("scale")] = torch.from_dlpack(found.photons)
        weights = gradient.detach().to(slopes.device, torch.float64)
        worth = torch.tensordot(slopes, weights, dims=2)
        return worth.to(context.like.device, context.like.dtype), None, None, None

    once = torch.autograd.function.once_differentiable(backward)
    methods = {"forward": staticmethod(forward), "backward": staticmethod(once)}
    return type("Simulate", (torch.autograd.Function,), methods)


def _differentiated(
    experiment: Experiment,
    names: Sequence[str],
    values: np.ndarray,
    renderer: Renderer,
    wanted: Sequence[str],
) -> tuple[Gradients, float]:
    """Derivatives with respect to some parameters of which all are shifted, without the scale."""
    shifts = dict(zip(names, values.tolist(), strict=True))
    plan = gradient_plan(with_fixed_sampling(experiment), shifts, wanted or ("scale",))
    if not wanted:
        plan = replace(plan, names=(), rows=plan.rows[:0])
    found = renderer.differentiate(plan, device_arrays=renderer.has_one_device)
    return found, 1.0 + shifts.get("scale", 0.0)


def simulate(
    experiment: Experiment, names: str | Sequence[str], shifts: Any, backend: str = "auto"
) -> Any:
    """Simulate an experiment of which some parameters are changed, differentiably.

    Parameters
    ----------
    experiment : Experiment
        With all quirks corrected.
    names : str or sequence of str
        Parameters, see `cupysim.render_gradients`; a group stands for all of it.
    shifts : torch.Tensor, shape (n_parameters,)
        Their changes, in the units of derivatives (rad, m, Angstrom for cell edges); the scale's
        is added to one.
    backend : str, optional
        Which backend computes it, as for `cupysim.simulate`.

    Returns
    -------
    torch.Tensor of float64, shape (n_slow, n_fast)
        Expected photons, on the device of `shifts`: without a copy if the backend computes there.

    Raises
    ------
    CupysimError
        If there is no such parameter, the shape is another, or the experiment is impossible.

    Notes
    -----
    Derivatives are those of the first order; PyTorch refuses a second.
    """
    single = free_parameters(names)
    if tuple(shifts.shape) != (len(single),):
        raise CupysimError(
            f"cupysim.torch.simulate: expected {len(single)} shifts ({', '.join(single)}), got a "
            f"tensor of the shape {tuple(shifts.shape)}"
        )
    return _function().apply(shifts, experiment, single, backend)
