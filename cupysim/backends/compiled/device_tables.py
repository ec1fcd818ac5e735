"""Arrays on a device that several images may share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cupysim.backends.compiled.launch import LaunchMaker
from cupysim.backends.compiled.records import (
    crystal_records,
    diffuse_records,
    factor_records,
    interval_records,
    material_records,
    source_records,
)
from cupysim.backends.compiled.variants import Precision
from cupysim.plan.culling import BLOCK_EDGE, block_maxima
from cupysim.plan.render_plan import RenderPlan

Put = Callable[[str, np.ndarray], int]
"""Copies an array to a device, replacing the earlier one of this name. Returns its address."""


class Same:
    """Wraps an object for comparison by identity. It keeps the object alive, so its id is valid."""

    def __init__(self, held: object) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.held is self.held

    def __hash__(self) -> int:
        return id(self.held)


class DeviceTables:
    """The arrays on a device, by name, with their contents and addresses.

    It also keeps the last launch, to describe the next one faster.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[object, int]] = {}
        self._lengths: dict[str, int] = {}
        self.describe = LaunchMaker()

    def address(self, put: Put, name: str, contents: object, make: Callable[[], np.ndarray]) -> int:
        """The address of the array with these contents. It is made and copied if necessary."""
        if name not in self._kept or self._kept[name][0] != contents:
            # `put` drops the earlier array, even if there is no memory for the new one
            self._kept.pop(name, None)
            made = make()
            self._kept[name] = contents, put(name, made)
            self._lengths[name] = len(made)
        return self._kept[name][1]

    def length(self, name: str) -> int:
        """Number of entries of the array of this name."""
        return self._lengths[name]

    def sources(self, put: Put, plan: RenderPlan, shots: slice) -> int:
        """The address of the sources of some shots of a plan."""
        contents = Same(plan.sources), shots.start, shots.stop
        return self.address(put, "sources", contents, lambda: source_records(plan, shots))

    def crystals(self, put: Put, plan: RenderPlan, shots: slice) -> int:
        """The address of the crystals of some shots of a plan, without their orientations."""
        crystals = plan.crystals
        shared = (
            crystals.n_cells, crystals.spot_axes, crystals.spot_counts, crystals.spot_height,
        )  # fmt: skip
        contents = *map(Same, shared), shots.start, shots.stop, plan.tolerance is None
        return self.address(put, "crystals", contents, lambda: crystal_records(plan, shots))

    def materials(self, put: Put, plan: RenderPlan, shots: slice) -> int:
        """The address of the amorphous matter of some shots of a plan."""
        contents = Same(plan.amorphous), shots.start, shots.stop
        return self.address(put, "materials", contents, lambda: material_records(plan, shots))

    def diffuse_operations(self, put: Put, plan: RenderPlan, shots: slice) -> int:
        """The address of the operations of diffuse scattering of some shots of a plan."""
        contents = Same(plan.diffuse), shots.start, shots.stop
        return self.address(
            put, "diffuse_operations", contents, lambda: diffuse_records(plan, shots)
        )

    def factor_intervals(self, put: Put, plan: RenderPlan) -> int:
        """The address of the polynomials of amorphous matter."""
        contents = Same(plan.amorphous)
        return self.address(put, "factor_intervals", contents, lambda: interval_records(plan))

    def factors(self, put: Put, plan: RenderPlan, precision: Precision) -> int:
        """The address of the structure factors of a plan."""
        factors = plan.factors
        contents = Same(factors.owner), factors.address, factors.table.shape, precision
        return self.address(put, "table", contents, lambda: factor_records(plan, precision))

    def block_maxima(self, put: Put, plan: RenderPlan) -> tuple[int, int]:
        """The address of the largest factors of a plan's blocks, and their number in a channel."""
        factors = plan.factors
        contents = Same(factors.owner), factors.address, factors.table.shape

        def make() -> np.ndarray:
            maxima = block_maxima(factors)
            return maxima.reshape(len(maxima), -1)

        address = self.address(put, "block_maxima", contents, make)
        edges = [-(-length // BLOCK_EDGE) for length in factors.table.shape[1:]]
        return address, int(np.prod(edges))
