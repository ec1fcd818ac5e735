"""The kernel compiled with NVRTC, which needs no GPU, and what its machine code shows.

The packages ``cupy-cuda13x`` and ``nvidia-cuda-nvrtc`` are imported where they are used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product

from cupysim.backends.compiled.cuda_engine import kernel_source
from cupysim.backends.compiled.kernel_source import (
    KernelProgram,
    first_ray_program,
    gradient_program,
    stop_program,
    tile_gradient_program,
    tile_program,
)
from cupysim.backends.compiled.variants import Factors, Precision, Variant, suited_precision
from cupysim.models.spot_shape import Shape
from cupysim.plan.spot_shapes import KERNEL_SHAPES, SPOT_SHAPES

ARCHITECTURES = ("sm_75", "sm_90", "sm_120")
"""The oldest and the newest that CUDA 13 knows, and one between them."""

ADDED_BY_CUPY = ("-ftz=true", "--device-as-default-execution-space")
"""Options of CuPy's own, in ``cupy.cuda.compiler``."""

HARMLESS = re.compile(r"ptxas (info +: (?!\()|  +\. +\d+ bytes stack frame)")
"""A line in which the assembler counts; its remarks have a number in brackets."""

SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers")
LABEL = re.compile(r"\s*(\$?[\w.]+):\s*$")
BRANCH = re.compile(r"(?i)(?:@!?\S+\s+)?bra(?:\.\w+)*\s.*?(\$L\w+|\.L_x_\d+)")
CONDITIONAL = re.compile(r"@|BRA.*,")
LAST = re.compile(r"(?i)(ret|exit|trap)\b")


@dataclass(frozen=True)
class Compiled:
    """A compiled program.

    Parameters
    ----------
    log : str
        What the compiler and the assembler said.
    ptx : str
        Code for the virtual machine.
    cubin : bytes
        Machine code.
    """

    log: str
    ptx: str
    cubin: bytes

    @property
    def complaints(self) -> list[str]:
        """Lines of the log which are not the assembler's counts."""
        return [line for line in self.log.splitlines() if line and not HARMLESS.match(line)]

    @property
    def spilled(self) -> int:
        """Bytes of registers which are kept in memory, by the kernel and functions it calls."""
        counts = SPILLS.findall(self.log)
        assert counts, f"the log counts no spills:\n{self.log}"
        return sum(int(stores) + int(loads) for stores, loads in counts)

    @property
    def registers(self) -> int:
        """Registers of a thread."""
        return max(int(count) for count in REGISTERS.findall(self.log))


@cache
def why_not() -> str | None:
    """Why nothing can be compiled; None if it can."""
    try:
        from cupy_backends.cuda.libs import nvrtc

        nvrtc.getVersion()
    except ImportError:
        return "CuPy is not installed: pip install cupy-cuda13x nvidia-cuda-nvrtc"
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        return f"NVRTC cannot be loaded ({first}): pip install nvidia-cuda-nvrtc"
    return None


@cache
def supported_architectures() -> frozenset[str]:
    """What this version of NVRTC compiles for."""
    from cupy_backends.cuda.libs import nvrtc

    return frozenset(f"sm_{number}" for number in nvrtc.getSupportedArchs())


def render_variants(precision: Precision) -> list[Variant]:
    """All variants of the kernel which render in a precision."""
    return [
        Variant(precision, shape, factors, running)
        for shape, factors, running in product(KERNEL_SHAPES, Factors, (False, True))
        if suited_precision(precision, shape, factors) is precision
    ]


def tile_programs() -> list[KernelProgram]:
    """Some of the programs that work within a tolerance. All take long to compile."""
    variants = [
        Variant(Precision.DOUBLE, Shape.GAUSS, Factors.NEAREST, False),
        Variant(Precision.DOUBLE, Shape.SQUARE, Factors.TRICUBIC, False),
        Variant(Precision.PAIRS, Shape.SQUARE, Factors.CONSTANT, False),
    ]
    programs = [tile_program(variant) for variant in variants]
    programs += [tile_program(variants[0], True), tile_gradient_program(variants[0])]
    return programs


def search_programs() -> list[KernelProgram]:
    """All programs that search."""
    return [first_ray_program(), *(stop_program(shape) for shape in KERNEL_SHAPES)]


def gradient_programs() -> list[KernelProgram]:
    """All programs that differentiate."""
    variants = [
        Variant(Precision.DOUBLE, shape, factors, False)
        for shape, factors in product(KERNEL_SHAPES, Factors)
        if SPOT_SHAPES[shape].squared_slopes is not None
    ]
    return [
        gradient_program(variant, entries)
        for variant, entries in product(variants, (False, True))
        if not (entries and variant.factors is Factors.CONSTANT)
    ]


def compile_program(
    architecture: str, wanted: KernelProgram, source: str | None = None
) -> Compiled:
    """Compile as CuPy does, for a GPU which need not be there.

    Parameters
    ----------
    architecture : str
        For example ``sm_90``.
    wanted : KernelProgram
        Which kernel.
    source : str, optional
        By default the kernel.

    Returns
    -------
    Compiled
        The program.

    Raises
    ------
    RuntimeError
        If it does not compile.
    """
    try:
        return compile_source(architecture, source or kernel_source(), wanted.options)
    except RuntimeError as error:
        raise RuntimeError(f"{wanted.block}: {error}") from error


def compile_source(architecture: str, source: str, options: tuple[str, ...]) -> Compiled:
    """Compile any source as CuPy does; parameters and errors as of `compile_program`."""
    from cupy_backends.cuda.libs import nvrtc

    program = nvrtc.createProgram(source, "cupysim.cu", (), ())
    words = (*options, *ADDED_BY_CUPY, f"-arch={architecture}", "--ptxas-options=-v")
    try:
        nvrtc.compileProgram(program, words)
        cubin = nvrtc.getCUBIN(program)
        return Compiled(
            log=nvrtc.getProgramLog(program).strip("\0"),
            ptx=nvrtc.getPTX(program).decode().strip("\0"),
            # the binding takes the last byte for the end of a string
            cubin=cubin + bytes(-len(cubin) % 8),
        )
    except nvrtc.NVRTCError as error:
        log = nvrtc.getProgramLog(program)
        raise RuntimeError(f"{architecture}: {error}\n{log}") from error
    finally:
        nvrtc.destroyProgram(program)


def compile_all(architecture: str, programs: Iterable[KernelProgram]) -> dict[str, Compiled]:
    """Compile several programs.

    Returns
    -------
    dict of str to Compiled
        By their block functions.
    """
    kernel_source()  # read once, not by each thread
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {each.block: pool.submit(compile_program, architecture, each) for each in programs}
        return {name: job.result() for name, job in jobs.items()}


def innermost_loops(listing: Iterable[str]) -> list[list[str]]:
    """Instructions of the loops which contain no other loop.

    Parameters
    ----------
    listing : iterable of str
        Lines of PTX or of machine code: labels, instructions without comments, others.

    Returns
    -------
    list of list of str
        For each loop its instructions.

    Notes
    -----
    A loop is what reaches a backward branch without passing the branch's target. Where that
    takes in the program's beginning, the target is not the only way in, and it is not a loop.

    Examples
    --------
    >>> text = "$L_a: add; $L_b: mul; @%p1 bra $L_b; sub; @!%p2 bra.uni $L_a; ret;"
    >>> innermost_loops(text.replace(": ", ":\\n").replace("; ", ";\\n").splitlines())
    [['mul;', '@%p1 bra $L_b;']]
    """
    instructions, targets = _parse(listing)
    before: list[list[int]] = [[] for _ in range(len(instructions) + 1)]
    ends: dict[int, list[int]] = {}
    for place, text in enumerate(instructions):
        branch = BRANCH.match(text)
        if branch is not None and branch[1] in targets:
            target = targets[branch[1]]
            before[target].append(place)
            if target <= place:
                ends.setdefault(target, []).append(place)
        if CONDITIONAL.match(text) or not (branch or LAST.match(text)):
            before[place + 1].append(place)
    loops = []
    for start, tails in ends.items():
        loop, waiting = {start}, list(tails)
        while waiting:
            place = waiting.pop()
            if place not in loop:
                loop.add(place)
                waiting += before[place]
        if start == 0 or 0 not in loop:
            loops.append(loop)
    inner = [loop for loop in loops if not any(other < loop for other in loops)]
    return [[instructions[place] for place in sorted(loop)] for loop in inner]


def _parse(listing: Iterable[str]) -> tuple[list[str], dict[str, int]]:
    """Instructions, and which of them labels stand before."""
    instructions: list[str] = []
    targets: dict[str, int] = {}
    for line in listing:
        label = LABEL.match(line)
        if label is not None:
            targets[label[1]] = len(instructions)
        elif line.rstrip().endswith(";") and not line.lstrip().startswith("."):
            instructions.append(line.strip())
    return instructions, targets


def step_loops(ptx: str) -> list[list[str]]:
    """The loops over steps of a kernel in PTX: innermost, with fused multiplications."""
    entry = ptx[ptx.index(".entry") :]
    loops = innermost_loops(entry[: entry.index("\n}")].splitlines())
    return [loop for loop in loops if any("fma.rn" in text for text in loop)]


def float64_instructions(loop: Iterable[str]) -> list[str]:
    """Those which compute in float64 or convert from or to it."""
    return [text for text in loop if re.search(r"\.f64\b", text)]
