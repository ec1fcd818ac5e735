"""What lies on a device and may serve the next image too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cupysim.backends.compiled.launch import LaunchMaker
from cupysim.backends.compiled.records import crystal_records, factor_records, source_records
from cupysim.backends.compiled.variants import Precision
from cupysim.plan.render_plan import RenderPlan

Put = Callable[[str, np.ndarray], int]
"""An engine's way to copy an array to its device, in the place of one of this name."""


class Same:
    """Equal to what holds the very same object, which it keeps alive."""

    def __init__(self, held: object) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.held is self.held

    def __hash__(self) -> int:
        return id(self.held)


class DeviceTables:
    """Arrays on a device by their names, with their contents and addresses, and the last launch."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[object, int]] = {}
        self.describe = LaunchMaker()

    def address(self, put: Put, name: str, contents: object, make: Callable[[], np.ndarray]) -> int:
        """Where the array with these contents lies; it is made and put there if it is not."""
        if name not in self._kept or self._kept[name][0] != contents:
            # the array before is gone, even if there is no room for the new one
            self._kept.pop(name, None)
            self._kept[name] = contents, put(name, make())
        return self._kept[name][1]

    def sources(self, put: Put, plan: RenderPlan, shots: slice) -> int:
        """Where the sources of some shots of a plan lie."""
        contents = Same(plan.sources), shots.start, shots.stop
        return self.address(put, "sources", contents, lambda: source_records(plan, shots))

    def crystals(self, put: Put, plan: RenderPlan, shots: slice) -> int:
        """Where the crystals of some shots of a plan lie, without their orientations."""
        crystals = plan.crystals
        shared = (crystals.n_cells, crystals.spot_axes, crystals.spot_counts)
        contents = *map(Same, shared), shots.start, shots.stop
        return self.address(put, "crystals", contents, lambda: crystal_records(plan, shots))

    def factors(self, put: Put, plan: RenderPlan, precision: Precision) -> int:
        """Where the structure factors of a plan lie."""
        factors = plan.factors
        contents = Same(factors.owner), factors.address, factors.table.shape, precision
        return self.address(put, "table", contents, lambda: factor_records(plan, precision))
