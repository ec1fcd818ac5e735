"""Every variant of the kernel compiles for every generation of GPUs; none of them need be there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pytest

from cupysim.backends.compiled.cuda_engine import kernel_source
from cupysim.backends.compiled.kernel_source import render_options
from cupysim.backends.compiled.launch import Factors, Precision, Variant
from cupysim.models.crystal import Shape
from tests.cuda.nvrtc import (
    ARCHITECTURES,
    Compiled,
    all_gradient_options,
    all_search_options,
    compile_all,
    compile_program,
    float64_instructions,
    render_variants,
    step_loops,
    supported_architectures,
    why_not,
)

REASON = why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

SEARCHES = "searches"
GRADIENTS = "gradients"
INTERPOLATION_SPILLS = 256
"""Bytes, stores and loads together: weights and sums of interpolated slopes are a few more than the
registers, of which a thread has as many as it can."""
ONE_ARCHITECTURE = "sm_90"
SIMPLE = render_options(Variant(Precision.DOUBLE, Shape.SQUARE, Factors.CONSTANT, False))


@cache
def compiled(architecture: str, kind: Precision | str) -> dict[str, Compiled]:
    """The kernels which render in a precision, or search, by their macros."""
    if architecture not in supported_architectures():
        pytest.skip(f"this version of NVRTC does not know {architecture}")
    if kind == SEARCHES:
        return compile_all(architecture, all_search_options())
    if kind == GRADIENTS:
        return compile_all(architecture, all_gradient_options())
    return compile_all(architecture, [render_options(v) for v in render_variants(Precision(kind))])


def assert_nothing(found: Mapping[str, object]) -> None:
    lines = [f"{name}: {what}" for name, what in found.items() if what]
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    "kind", [*Precision, SEARCHES, GRADIENTS], ids=lambda kind: getattr(kind, "name", kind)
)
class TestEveryVariant:
    def test_compiles_without_warnings(self, architecture: str, kind: Precision | str) -> None:
        assert_nothing({n: c.complaints for n, c in compiled(architecture, kind).items()})

    def test_keeps_numbers_in_registers(self, architecture: str, kind: Precision | str) -> None:
        limit = {
            name: INTERPOLATION_SPILLS if "GRADIENT" in name and "TRICUBIC" in name else 0
            for name in compiled(architecture, kind)
        }
        assert_nothing(
            {n: c.spilled for n, c in compiled(architecture, kind).items() if c.spilled > limit[n]}
        )


@pytest.mark.parametrize("precision", Precision)
def test_batches_are_as_good(precision: Precision) -> None:
    """Reading launches from shared memory costs few registers which are not there."""
    variants = [variant for variant in render_variants(precision) if not variant.running]
    found = compile_all(ONE_ARCHITECTURE, [render_options(v, batch=True) for v in variants])
    assert_nothing({name: program.complaints for name, program in found.items()})
    spilled = {name: program.spilled for name, program in found.items()}
    limit = {name: INTERPOLATION_SPILLS if "TRICUBIC" in name else 0 for name in found}
    assert_nothing({name: n for name, n in spilled.items() if n > limit[name]})


def float64_in_steps(architecture: str, precision: Precision) -> dict[str, list[str]]:
    """Float64 instructions in the loops over steps of kernels without a running sum."""
    found = {}
    for name, program in compiled(architecture, precision).items():
        if "RUNNING=false" in name:
            loops = step_loops(program.ptx)
            assert loops, f"{name}: no loop over steps was found"
            found[name] = [text for loop in loops for text in float64_instructions(loop)]
    assert len(found) >= 8
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_pairs_of_floats_do_without_float64(architecture: str) -> None:
    assert_nothing(float64_in_steps(architecture, Precision.PAIRS))


@pytest.mark.parametrize("precision", [Precision.DOUBLE, Precision.MIXED], ids=lambda p: p.name)
def test_float64_is_found_where_it_is(precision: Precision) -> None:
    for name, instructions in float64_in_steps(ONE_ARCHITECTURE, precision).items():
        # nine elements of a matrix are loaded and multiplied
        assert len(instructions) > 18, name


def test_few_registers_spill() -> None:
    source = kernel_source()
    crowded = source.replace("CUPYSIM_FACTORS == TRICUBIC ? 2 : 4", "12")
    assert crowded != source
    assert compile_program(ONE_ARCHITECTURE, SIMPLE, crowded).spilled > 0


def test_warnings_are_seen() -> None:
    careless = kernel_source() + "__global__ void careless() { int never_used; }\n"
    complaints = compile_program(ONE_ARCHITECTURE, SIMPLE, careless).complaints
    assert any("never_used" in line for line in complaints)


def test_errors_name_the_file_and_the_line() -> None:
    line = "using Number = float;"
    broken = kernel_source().replace(line, line.replace("float", "flaot"))
    with pytest.raises(RuntimeError, match=r'policies\.cuh\(\d+\): error: identifier "flaot"'):
        compile_program(ONE_ARCHITECTURE, SIMPLE, broken)
