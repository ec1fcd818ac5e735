"""The kernel's source as one text, for CuPy to compile and cache.

CuPy's cache of compiled kernels ignores changes in included headers. So the text contains the
headers themselves, and serves as the key of the cache.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cupysim.backends.compiled.records import struct_type
from cupysim.backends.compiled.variants import Factors, Precision, Variant
from cupysim.models.spot_shape import Shape

INCLUDE = re.compile(r'#include "([^"]+)"')

POLICIES = {Precision.DOUBLE: "Double", Precision.MIXED: "Mixed", Precision.PAIRS: "Pairs"}
"""Names of the kernel's sets of types (`cuda_src/policies.cuh`)."""

THREADS = 128
"""Number of threads of a block."""

WARP_SIZE = 32
"""Number of threads that work in step. A block of this size renders half a tile."""


@dataclass(frozen=True)
class KernelProgram:
    """A program for a GPU: one kernel, which runs one block function of the source.

    Parameters
    ----------
    block : str
        The block function with its template arguments.
    resident_blocks : int
        Number of blocks of threads for which a multiprocessor must have registers.
    is_batch : bool
        True if the kernel renders several images in one launch.
    threads : int
        Number of threads of a block.
    amorphous : bool
        True if there is amorphous matter.
    """

    block: str
    resident_blocks: int
    is_batch: bool = False
    threads: int = THREADS
    amorphous: bool = False

    @property
    def entry(self) -> str:
        """Name of the kernel."""
        return "cupysim_run_batch" if self.is_batch else "cupysim_run"

    @property
    def options(self) -> tuple[str, ...]:
        """The compiler's options."""
        return (
            "-std=c++17",
            f"-DCUPYSIM_THREADS={self.threads}",
            f"-DCUPYSIM_LAUNCH_SIZE={struct_type('Launch').itemsize}",
            f"-DCUPYSIM_BLOCK={self.block}",
            f"-DCUPYSIM_RESIDENT_BLOCKS={self.resident_blocks}",
            *(("-DCUPYSIM_BATCH",) if self.is_batch else ()),
            *(("-DCUPYSIM_AMORPHOUS",) if self.amorphous else ()),
        )


MANY, SOME, FEW = 4, 3, 2
"""Numbers of resident blocks, for simple kernels and for those that need more registers."""


def render_program(variant: Variant, is_batch: bool = False) -> KernelProgram:
    """The program that renders an image, or several of a batch."""
    running = str(variant.running).lower()
    block = f"{POLICIES[variant.precision]},{variant.shape.name},{variant.factors.name},{running}"
    block += ",true" if variant.diffuse else ""
    crowded = is_batch or variant.diffuse or variant.factors is Factors.TRICUBIC
    blocks = FEW if crowded else MANY
    return KernelProgram(f"render_block<{block}>", blocks, is_batch, amorphous=variant.amorphous)


def tile_program(variant: Variant, estimates: bool = False) -> KernelProgram:
    """The program that renders tiles within a tolerance, or estimates their brightest pixels."""
    function = "estimate_tile" if estimates else "render_tile"
    block = f"{POLICIES[variant.precision]},{variant.shape.name},{variant.factors.name}"
    # threads of a block share their memory, so a block is one warp
    blocks = (FEW if variant.factors is Factors.TRICUBIC else SOME) * THREADS // WARP_SIZE
    return KernelProgram(
        f"{function}<{block}>", blocks, threads=WARP_SIZE, amorphous=variant.amorphous
    )


def gradient_program(variant: Variant, entries: bool) -> KernelProgram:
    """The program for derivatives with respect to parameters, or to structure factors."""
    function = "collect_block" if entries else "differentiate_block"
    # some forty sums in float64 take all the registers a thread can have
    block = f"{function}<{variant.shape.name},{variant.factors.name}>"
    if variant.diffuse:
        # the shape of spots makes no difference
        block = f"{function}<{Shape.SQUARE.name},{variant.factors.name},true>"
    return KernelProgram(block, FEW, amorphous=variant.amorphous)


def tile_gradient_program(variant: Variant) -> KernelProgram:
    """The program that differentiates tiles within a tolerance."""
    block = f"differentiate_tile<{variant.shape.name},{variant.factors.name}>"
    blocks = FEW * THREADS // WARP_SIZE
    return KernelProgram(block, blocks, threads=WARP_SIZE, amorphous=variant.amorphous)


def first_ray_program() -> KernelProgram:
    """The program that searches for first rays."""
    return KernelProgram("find_first_ray", MANY)


def stop_program(shape: Shape) -> KernelProgram:
    """The program that searches for the end of interpolation."""
    return KernelProgram(f"find_interpolation_stop<{shape.name}>", MANY)


def joined_source(read: Callable[[str], str], name: str = "render.cu") -> str:
    """A source file with each header in the place of its first ``#include``.

    Parameters
    ----------
    read : callable
        Returns the text of a file, given its name.
    name : str, optional
        Name of the source file.

    Returns
    -------
    str
        The text. ``#line`` directives let a compiler name the right file and line.
    """
    seen: set[str] = set()

    def expand(name: str) -> list[str]:
        seen.add(name)
        lines = [f'#line 1 "{name}"']
        for number, line in enumerate(read(name).splitlines(), 1):
            include = INCLUDE.match(line)
            if line.startswith("#pragma once"):
                lines.append("")
            elif include is None:
                lines.append(line)
            elif include[1] in seen:
                lines.append("")
            else:
                lines += [*expand(include[1]), f'#line {number + 1} "{name}"']
        return lines

    return "\n".join([*expand(name), ""])
