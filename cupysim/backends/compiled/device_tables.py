"""What lies on a device and may serve the next image too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cupysim.backends.compiled.launch import LaunchMaker
from cupysim.backends.compiled.records import factor_records
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

    def factors(self, put: Put, plan: RenderPlan, precision: Precision) -> int:
        """Where the structure factors of a plan lie."""
        # a view of what the experiment keeps
        table = plan.factors.table
        owner = table if table.base is None else table.base
        return self.address(
            put,
            "table",
            (Same(owner), table.ctypes.data, table.shape, precision),
            lambda: factor_records(plan, precision),
        )
