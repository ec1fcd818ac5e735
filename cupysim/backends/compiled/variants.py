"""Variants of the kernel: what is known when it is compiled."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from cupysim.errors import CupysimError
from cupysim.models.crystal import Shape
from cupysim.native import sources

SHAPE_LIST = re.compile(r"#define CUPYSIM_SHAPES\(SHAPE\)((?:.*\\\n)*.*)")
LISTED = re.compile(r"SHAPE\((\w+)\)")


class Precision(IntEnum):
    """In which numbers a kernel computes, as the kernel counts them."""

    DOUBLE = 0
    MIXED = 1
    PAIRS = 2


class Factors(IntEnum):
    """Where structure factors come from, as the kernel counts them."""

    CONSTANT = 0
    NEAREST = 1
    TRICUBIC = 2


@dataclass(frozen=True)
class Variant:
    """What is known of a kernel when it is compiled.

    Parameters
    ----------
    precision : Precision
        Types of the numbers.
    shape : Shape
        Lattice transform.
    factors : Factors
        Structure factors.
    running : bool
        Factors multiply the running sum at each step (quirk Q14).
    """

    precision: Precision
    shape: Shape
    factors: Factors
    running: bool


LARGEST_MIXED = 2**18
"""Cells along an axis up to which mixed precision reads phases off the low word of N h."""


def suited_precision(
    precision: Precision, factors: Factors, largest_count: float = 1.0
) -> Precision:
    """The precision in which structure factors of this kind are computed.

    Interpolation sums large terms of both signs, of which floats lose too much; it gains
    nothing from them either, since it waits for its table. Crystals of very many cells, the
    largest number of which along an axis is given, ask for more digits than floats have.
    """
    if factors is Factors.TRICUBIC or largest_count > LARGEST_MIXED:
        return Precision.DOUBLE
    return precision


@cache
def _shape_names() -> tuple[str, ...]:
    (listed,) = SHAPE_LIST.findall(sources.folder().joinpath("spot_shapes.cuh").read_text())
    return tuple(LISTED.findall(listed))


def shape_number(shape: Shape) -> int:
    """The kernel's number of a shape.

    Raises
    ------
    CupysimError
        If the kernel does not have it.
    """
    if shape.name not in _shape_names():
        raise CupysimError(f"compiled backends have no spots of the shape {shape.value!r}")
    return _shape_names().index(shape.name)
