"""What a trace consists of, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

DIGITS = 15
"""Significant digits of a number in a trace."""


@dataclass(frozen=True)
class Value:
    """One named quantity.

    Parameters
    ----------
    name : str
        Its name.
    numbers : tuple of float or int
        A number, a vector, or the rows of a matrix one after the other.
    unit : str
        Its unit in SI; empty for pure numbers.
    """

    name: str
    numbers: tuple[float, ...]
    unit: str = ""

    def line(self) -> str:
        """``TRACE: name = numbers unit``."""
        numbers = " ".join(_shown(number) for number in self.numbers)
        return f"TRACE: {self.name} = {numbers} {self.unit}".rstrip()


@dataclass(frozen=True)
class StepTrace:
    """One step of a pixel.

    Parameters
    ----------
    where : dict of str to int
        Layer, slow and fast sub-pixel, source, phi, domain.
    values : tuple of Value
        In the order of the computation.
    """

    where: dict[str, int]
    values: tuple[Value, ...]


@dataclass(frozen=True)
class PixelTrace:
    """The whole computation of a pixel.

    Parameters
    ----------
    pixel : tuple of 2 int
        Fast and slow number.
    setup : tuple of Value
        What is the same for all its steps.
    steps : list of StepTrace
        Those which were chosen.
    result : tuple of Value
        From the sum to the photons.
    """

    pixel: tuple[int, int]
    setup: tuple[Value, ...]
    steps: list[StepTrace] = field(default_factory=list)
    result: tuple[Value, ...] = ()

    def lines(self) -> Iterator[str]:
        """The trace as text."""
        fast, slow = self.pixel
        yield f"TRACE: pixel = {fast} {slow}"
        for value in self.setup:
            yield value.line()
        for step in self.steps:
            names = " ".join(f"{name}={number}" for name, number in step.where.items())
            yield f"TRACE: step {names}"
            for value in step.values:
                yield value.line()
        for value in self.result:
            yield value.line()

    def as_json(self) -> dict[str, Any]:
        """The trace for `json.dump`."""

        def listed(values: Sequence[Value]) -> dict[str, Any]:
            return {
                value.name: {"values": list(value.numbers), "unit": value.unit} for value in values
            }

        return {
            "pixel_fast": self.pixel[0],
            "pixel_slow": self.pixel[1],
            "setup": listed(self.setup),
            "steps": [{**step.where, "values": listed(step.values)} for step in self.steps],
            "result": listed(self.result),
        }


def _shown(number: float) -> str:
    """A number with fifteen digits, a whole one without a point."""
    return str(number) if isinstance(number, int) else f"{number:.{DIGITS}g}"
