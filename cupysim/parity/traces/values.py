"""The parts of a trace, and their forms as text and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

DIGITS = 15
"""Significant digits of a number in a trace."""


@dataclass(frozen=True)
class Value:
    """One named quantity.

    Parameters
    ----------
    name : str
        Name of the quantity.
    numbers : tuple of float or int
        A number, a vector, or the rows of a matrix one after the other.
    unit : str
        SI unit; empty for pure numbers.
    text : str
        The value, if it is a word and not a number.
    resolution : float or tuple of float
        Largest rounding error of a printed number, one for all numbers or for each; zero if all
        digits are printed.
    source : str
        Place in the file: the line, and the name of the quantity there.
    """

    name: str
    numbers: tuple[float, ...] = ()
    unit: str = ""
    text: str = ""
    resolution: float | tuple[float, ...] = 0.0
    source: str = ""

    def shown(self) -> str:
        """The numbers and the unit, as text."""
        numbers = self.text or " ".join(_shown(number) for number in self.numbers)
        return f"{numbers} {self.unit}".rstrip()

    def line(self) -> str:
        """The line ``TRACE: name = numbers unit``."""
        return f"TRACE: {self.name} = {self.shown()}"


@dataclass(frozen=True)
class StepTrace:
    """One step of a pixel.

    Parameters
    ----------
    where : dict of str to int
        Numbers of layer, slow and fast sub-pixel, source, phi and domain, as far as they are known.
    values : tuple of Value
        Values in the order of the computation.
    is_last : bool
        True if it is the last step of the pixel, whatever its numbers are.
    """

    where: dict[str, int]
    values: tuple[Value, ...]
    is_last: bool = False


class Place(NamedTuple):
    """Where a pixel is: the name of its panel, if there are several, and its coordinates."""

    panel: str
    fast: int
    slow: int

    def as_json(self) -> list[str | int]:
        """Coordinates, after the panel if there are several, as content for `json.dump`."""
        return [*([self.panel] if self.panel else []), self.fast, self.slow]

    def __str__(self) -> str:
        return f"{self.panel + ' ' if self.panel else ''}{self.fast} {self.slow}"


@dataclass(frozen=True)
class PixelTrace:
    """The whole computation of a pixel.

    Parameters
    ----------
    pixel : tuple of 2 int or None
        Fast and slow coordinate; None if a log does not have them.
    setup : tuple of Value
        Values that are the same for all steps.
    steps : list of StepTrace
        The chosen steps.
    result : tuple of Value
        Values from the sum to the photons.
    """

    pixel: tuple[int, int] | None
    setup: tuple[Value, ...]
    steps: list[StepTrace] = field(default_factory=list)
    result: tuple[Value, ...] = ()

    @property
    def panel(self) -> str:
        """Name of the pixel's panel; empty if the trace does not name one."""
        return next((value.text for value in self.setup if value.name == "panel"), "")

    @property
    def place(self) -> Place | None:
        """Panel, fast and slow coordinate; None if a log does not have the coordinates."""
        return None if self.pixel is None else Place(self.panel, *self.pixel)

    def lines(self) -> Iterator[str]:
        """The trace as lines of text."""
        if self.pixel is not None:
            yield f"TRACE: pixel = {self.pixel[0]} {self.pixel[1]}"
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
        """The trace as content for `json.dump`."""

        def listed(values: Sequence[Value]) -> dict[str, Any]:
            return {
                value.name: {"text": value.text}
                if value.text
                else {"values": list(value.numbers), "unit": value.unit}
                for value in values
            }

        return {
            "pixel_fast": None if self.pixel is None else self.pixel[0],
            "pixel_slow": None if self.pixel is None else self.pixel[1],
            "setup": listed(self.setup),
            "steps": [{**step.where, "values": listed(step.values)} for step in self.steps],
            "result": listed(self.result),
        }


def _shown(number: float) -> str:
    """A number as text with fifteen digits; an integer has no decimal point."""
    return str(number) if isinstance(number, int) else f"{number:.{DIGITS}g}"
