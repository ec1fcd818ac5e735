"""Images as a function that PyTorch differentiates: ``pip install 'cupysim[torch]'``.

The forward pass renders the image in double precision. The backward pass computes its derivatives
(`cupysim.render_gradients`). By default both use the fastest backend of this computer. If the
shifts are a tensor on a GPU that the backend uses, images and derivatives stay on this GPU: the
host reads only the shifts.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """One renderer for each backend and GPU, which keeps its tables between calls."""
    return Renderer(backend, devices=None if device is None else [device])


def _gpu_of(tensor: Any) -> int | None:
    """Number of the GPU that holds a tensor; None for a tensor of the host."""
    return tensor.device.index if tensor.device.type == "cuda" else None


@cache
def _function() -> Any:
    """The PyTorch function of the shifts; it is made on first use, because it imports torch."""
    torch = require("torch", "cupysim.torch")

    def forward(
        context: Any, shifts: Any, experiment: Experiment, names: Sequence[str], backend: str
    ) -> Any:
        values = shifts.detach().to("cpu", torch.float64).numpy()
        renderer = _renderer(backend, _gpu_of(shifts))
        context.of = experiment, names, values, renderer
        context.like = shifts
        # without parameters, only photons are computed
        found, scale = _differentiated(experiment, names, values, renderer, ())
        return scale * torch.from_dlpack(found.photons).to(shifts.device)

    def backward(context: Any, gradient: Any) -> Any:
        experiment, names, values, renderer = context.of
        found, scale = _differentiated(experiment, names, values, renderer, names)
        slopes = scale * torch.from_dlpack(found.values)
        if "scale" in names:
            slopes[list(names).index("scale")] = torch.from_dlpack(found.photons)
        weights = gradient.detach().to(slopes.device, torch.float64)
        worth = torch.tensordot(slopes, weights, dims=weights.ndim)
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
    """Derivatives with respect to the wanted parameters, after all are shifted, and the scale.

    Photons and derivatives are those of a scale of 1.
    """
    shifts = dict(zip(names, values.tolist(), strict=True))
    plan = gradient_plan(with_fixed_sampling(experiment), shifts, wanted or ("scale",))
    if not wanted:
        plan = plan.without_parameters()
    found = renderer.differentiate(plan, device_arrays=renderer.has_one_device)
    return found, 1.0 + shifts.get("scale", 0.0)


def simulate(
    experiment: Experiment, names: str | Sequence[str], shifts: Any, backend: str = "auto"
) -> Any:
    """Simulate an experiment with shifted parameters, as a differentiable function of the shifts.

    Parameters
    ----------
    experiment : Experiment
        Experiment to simulate. All quirks must be corrected, as they are by default.
    names : str or sequence of str
        Names of the shifted parameters, see `cupysim.render_gradients`. The name of a group
        stands for all its parameters.
    shifts : torch.Tensor, shape (n_parameters,)
        Change of each parameter, in the unit of its derivative (rad, m, Angstrom for cell edges).
        The scale is 1 plus its shift.
    backend : str, optional
        Backend that computes the image, as for `cupysim.simulate`.

    Returns
    -------
    torch.Tensor of float64, shape ([n_panels,] n_slow, n_fast)
        Expected photons, on the device of `shifts`. There is no copy if the backend uses this
        device.

    Raises
    ------
    CupysimError
        If a parameter does not exist, the shifts have another shape, or the experiment is
        impossible.

    Notes
    -----
    There are only first derivatives. PyTorch raises an error for second derivatives.
    """
    single = free_parameters(names)
    if tuple(shifts.shape) != (len(single),):
        raise CupysimError(
            f"cupysim.torch.simulate: expected {len(single)} shifts ({', '.join(single)}), got a "
            f"tensor of the shape {tuple(shifts.shape)}"
        )
    return _function().apply(shifts, experiment, single, backend)
