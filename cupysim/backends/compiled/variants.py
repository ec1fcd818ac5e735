"""Variants of the kernel: the choices that are made when it is compiled."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from cupysim.errors import CupysimError
from cupysim.models.spot_shape import Shape
from cupysim.native import sources
from cupysim.plan.spot_shapes import SPOT_SHAPES

SHAPE_LIST = re.compile(r"#define CUPYSIM_SHAPES\(SHAPE\)((?:.*\\\n)*.*)")
LISTED = re.compile(r"SHAPE\((\w+)\)")


class Precision(IntEnum):
    """Precision of a kernel's numbers, with the kernel's own numbering."""

    DOUBLE = 0
    MIXED = 1
    PAIRS = 2


class Factors(IntEnum):
    """Source of structure factors, with the kernel's own numbering."""

    CONSTANT = 0
    NEAREST = 1
    TRICUBIC = 2


@dataclass(frozen=True)
class Variant:
    """The choices with which a kernel is compiled.

    Parameters
    ----------
    precision : Precision
        Precision of the numbers.
    shape : Shape
        Spot shape, which decides the lattice transform.
    factors : Factors
        Source of structure factors.
    running : bool
        True if factors multiply the running sum at each step (quirk Q14).
    diffuse : bool
        True if diffuse scattering is added.
    amorphous : bool
        True if there is amorphous matter. It makes a difference on GPUs only.
    """

    precision: Precision
    shape: Shape
    factors: Factors
    running: bool
    diffuse: bool = False
    amorphous: bool = False

    @property
    def sums(self) -> int:
        """The number of `Sums` in `cuda_src/host.cpp`."""
        return 2 if self.diffuse else int(self.running)


LARGEST_MIXED = 2**18
"""Largest number of cells along an axis for mixed precision, which takes phases from the low
word of N h."""


def suited_precision(
    precision: Precision, shape: Shape, factors: Factors, largest_count: float = 1.0
) -> Precision:
    """The precision in which a kernel computes.

    Interpolation of structure factors always uses double precision. It sums large terms of both
    signs, so floats would lose too many digits. Floats would not be faster either, since
    interpolation waits for its table. Crystals with more than `LARGEST_MIXED` cells along an axis
    need more digits than floats have. Rarely used shapes are only compiled in double precision.

    Parameters
    ----------
    precision : Precision
        Precision of the engine.
    shape : Shape
        Spot shape.
    factors : Factors
        Source of structure factors.
    largest_count : float, optional
        Largest number of cells along an axis.

    Returns
    -------
    Precision
        The given precision, or double precision.
    """
    is_rare = SPOT_SHAPES[shape].always_double
    if factors is Factors.TRICUBIC or is_rare or largest_count > LARGEST_MIXED:
        return Precision.DOUBLE
    return precision


@cache
def _shape_names() -> tuple[str, ...]:
    (listed,) = SHAPE_LIST.findall(sources.folder().joinpath("spot_shapes.cuh").read_text())
    return tuple(LISTED.findall(listed))


def shape_number(shape: Shape) -> int:
    """The kernel's number of a spot shape.

    Raises
    ------
    CupysimError
        If the kernel does not have this shape.
    """
    if shape.name not in _shape_names():
        raise CupysimError(f"compiled backends have no spots of the shape {shape.value!r}")
    return _shape_names().index(shape.name)
