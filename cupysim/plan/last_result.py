"""The last result of a computation, kept for the next crystals and shots."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from typing import Generic, TypeVar

Result = TypeVar("Result")


class LastResult(Generic[Result]):
    """The last result, and what it was computed from.

    Other threads may replace it at any time: each pair of parts and result is replaced as one.
    """

    def __init__(self) -> None:
        self._kept: tuple[tuple[object, ...], object, Result] | None = None

    def of(self, parts: Sequence[object], values: object = None) -> Result | None:
        """Find the result for these parts.

        Parameters
        ----------
        parts : sequence of objects
            The parts of an experiment on which the result depends: the same objects, since a
            comparison of arrays takes long.
        values : object
            Further parts, which only have to be equal.

        Returns
        -------
        object or None
            The result; None if the last one was computed from other parts.
        """
        if self._kept is None:
            return None
        parts_before, values_before, result = self._kept
        same = len(parts_before) == len(parts) and all(map(is_, parts_before, parts))
        return result if same and values_before == values else None

    def keep(self, result: Result, parts: Sequence[object], values: object = None) -> Result:
        """Keep a result instead of the last one, and return it.

        Parameters
        ----------
        result : object
            The result.
        parts, values
            See `of`.
        """
        self._kept = tuple(parts), values, result
        return result
