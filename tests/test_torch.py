"""PyTorch differentiates images; skipped where it is not installed."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import cupysim.torch
from cupysim import CupysimError, render_gradients
from tests.corrected.rendering import experiment_of

WORDS = "-cell 50 60 70 80 95 100 -misset 10 20 30 -N 4 -default_F 10 -detpixels 6 -pixel 4"
EXPERIMENT = experiment_of(f"{WORDS} -lambda 1.3 -oversample 1 -corrected")
NAMES = "misset, cell_a, cell_alpha, distance, n_a, scale"


def test_without_it_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    cupysim.torch._function.cache_clear()
    with pytest.raises(CupysimError, match=r"pip install 'cupysim\[torch\]'"):
        cupysim.torch.simulate(EXPERIMENT, "scale", np.zeros(1))
    cupysim.torch._function.cache_clear()


def test_gradcheck(backend: str) -> None:
    """PyTorch's own comparison with differences, each parameter in units in which it matters."""
    torch = pytest.importorskip("torch")
    units = torch.tensor([1e-3, 1e-3, 1e-3, 0.05, 1e-3, 1e-5, 0.1, 1.0], dtype=torch.float64)

    def photons(x):
        return cupysim.torch.simulate(EXPERIMENT, NAMES, units * x, backend)

    x = torch.tensor([0.3, -0.2, 0.1, 0.2, 0.1, 0.4, 0.5, 0.1], dtype=torch.float64)
    assert torch.autograd.gradcheck(photons, (x.requires_grad_(),), eps=1e-4, atol=1e-6, rtol=1e-5)


def test_a_loss_falls_along_its_gradient(backend: str) -> None:
    torch = pytest.importorskip("torch")
    shifts = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    image = cupysim.torch.simulate(EXPERIMENT, "misset, scale", shifts, backend)
    found = render_gradients(EXPERIMENT, "misset", backend)
    np.testing.assert_allclose(image.detach().numpy(), found.photons, rtol=1e-12)
    (image**2).sum().backward()
    expected = [(2 * found.photons * found[name]).sum() for name in found.names]
    np.testing.assert_allclose(shifts.grad.numpy()[:3], expected, rtol=1e-10)
    np.testing.assert_allclose(shifts.grad.numpy()[3], 2 * (found.photons**2).sum(), rtol=1e-10)


def test_a_second_derivative_is_refused() -> None:
    torch = pytest.importorskip("torch")
    shifts = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    total = cupysim.torch.simulate(EXPERIMENT, "misset_x", shifts).sum()
    (slope,) = torch.autograd.grad(total, shifts, create_graph=True)
    with pytest.raises(RuntimeError, match=r"once_differentiable|does not require grad"):
        torch.autograd.grad(slope.sum(), shifts)


@pytest.mark.parametrize("names", ["misset", "nothing"])
def test_wrong_shapes_and_names(names: str) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(CupysimError, match=r"expected 3 shifts|no parameter 'nothing'"):
        cupysim.torch.simulate(EXPERIMENT, names, torch.zeros(2, dtype=torch.float64))
