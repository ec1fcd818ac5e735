"""Images as a function which PyTorch differentiates: ``pip install 'cupysim[torch]'``.

The forward pass is a render in double precision, the backward pass its derivatives, both on the
fastest backend there is (`cupysim.render_gradients`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from cupysim.errors import CupysimError
from cupysim.gradients.result import Gradients
from cupysim.models.experiment import Experiment
from cupysim.optional_libraries import require
from cupysim.refine.free_parameters import free_parameters, gradient_plan, with_fixed_sampling
from cupysim.renderer import Renderer


@cache
def _renderer(backend: str) -> Renderer:
    """One renderer for each backend, which keeps tables from call to call."""
    return Renderer(backend)


@cache
def _function() -> Any:
    """PyTorch's function of the shifts of parameters; made when it is first used."""
    torch = require("torch", "cupysim.torch")

    def forward(
        context: Any, shifts: Any, experiment: Experiment, names: Sequence[str], backend: str
    ) -> Any:
        values = shifts.detach().to("cpu", torch.float64).numpy()
        context.of = experiment, names, values, backend
        context.like = shifts
        # no parameter: photons alone
        found, scale = _differentiated(experiment, names, values, backend, ())
        return torch.from_numpy(scale * found.photons).to(shifts.device)

    def backward(context: Any, gradient: Any) -> Any:
        experiment, names, values, backend = context.of
        found, scale = _differentiated(experiment, names, values, backend, names)
        slopes = scale * found.values
        if "scale" in names:
            slopes[list(names).index("scale")] = found.photons
        weights = gradient.detach().to("cpu", torch.float64)
        worth = torch.tensordot(torch.from_numpy(slopes), weights, dims=2)
        return worth.to(context.like.device, context.like.dtype), None, None, None

    once = torch.autograd.function.once_differentiable(backward)
    methods = {"forward": staticmethod(forward), "backward": staticmethod(once)}
    return type("Simulate", (torch.autograd.Function,), methods)


def _differentiated(
    experiment: Experiment,
    names: Sequence[str],
    values: np.ndarray,
    backend: str,
    wanted: Sequence[str],
) -> tuple[Gradients, float]:
    """Derivatives with respect to some parameters of which all are shifted, without the scale."""
    shifts = dict(zip(names, values.tolist(), strict=True))
    plan = gradient_plan(with_fixed_sampling(experiment), shifts, wanted or ("scale",))
    if not wanted:
        plan = replace(plan, names=(), rows=plan.rows[:0])
    return _renderer(backend).differentiate(plan), 1.0 + shifts.get("scale", 0.0)


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
        Expected photons, on the device of `shifts`.

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
