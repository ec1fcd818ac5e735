"""The stand-in for CuPy as a fixture."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from cupysim.backends import select
from cupysim.backends.compiled import cuda, cuda_engine
from cupysim.detection import cuda_stages
from tests.cuda.stand_in import Machine

MachineMaker = Callable[..., Machine]


def forget_kernels() -> None:
    cuda_engine._kernel.cache_clear()
    cuda_stages._kernels.cache_clear()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[MachineMaker]:
    """Makes machines, the last of which is this one."""

    def make(**properties: int) -> Machine:
        made = Machine(**properties)
        for name, module in made.modules().items():
            monkeypatch.setitem(sys.modules, name, module)
        # kernels of other machines are not kept
        forget_kernels()
        monkeypatch.setattr(cuda, "problem", lambda: None)
        monkeypatch.setattr(select, "why_not", lambda _: None)
        return made

    yield make
    forget_kernels()
