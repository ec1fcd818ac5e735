"""Every variant of the kernel compiles for every generation of GPUs; none of them need be there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest

from cupysim.backends.compiled.cuda_engine import kernel_source
from cupysim.backends.compiled.kernel_source import (
    gradient_program,
    render_program,
    tile_gradient_program,
    tile_program,
)
from cupysim.backends.compiled.variants import Factors, Precision, Variant
from cupysim.models.spot_shape import Shape
from tests.cuda.nvrtc import (
    ARCHITECTURES,
    Compiled,
    compile_all,
    compile_program,
    float64_instructions,
    gradient_programs,
    render_variants,
    search_programs,
    step_loops,
    supported_architectures,
    tile_programs,
    why_not,
)

REASON = why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

SEARCHES = "searches"
GRADIENTS = "gradients"
INTERPOLATION_SPILLS = 256
"""Bytes, stores and loads together: weights and sums of interpolated slopes are a few more than the
registers, of which a thread has as many as it can."""
GAUSSIAN_SPILLS = 192
"""The same for Gaussian spots. They have more sizes than the other shapes."""
TILE_SPILLS = 512
"""Bytes, stores and loads together. These programs spill outside their loops over orientations."""
ONE_ARCHITECTURE = "sm_90"
SIMPLE = render_program(Variant(Precision.DOUBLE, Shape.SQUARE, Factors.CONSTANT, False))


@cache
def compiled(architecture: str, kind: Precision | str) -> dict[str, Compiled]:
    """The kernels which render in a precision, or search, by their block functions."""
    if architecture not in supported_architectures():
        pytest.skip(f"this version of NVRTC does not know {architecture}")
    if kind == SEARCHES:
        return compile_all(architecture, search_programs())
    if kind == GRADIENTS:
        return compile_all(architecture, gradient_programs())
    return compile_all(architecture, [render_program(v) for v in render_variants(Precision(kind))])


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
        limit = dict.fromkeys(compiled(architecture, kind), 0)
        for name in limit:
            if "differentiate" in name and "TRICUBIC" in name:
                limit[name] = GAUSSIAN_SPILLS if "GAUSS" in name else INTERPOLATION_SPILLS
        assert_nothing(
            {n: c.spilled for n, c in compiled(architecture, kind).items() if c.spilled > limit[n]}
        )


@pytest.mark.parametrize("precision", Precision)
def test_batches_are_as_good(precision: Precision) -> None:
    """Reading launches from shared memory costs few registers which are not there."""
    variants = [variant for variant in render_variants(precision) if not variant.running]
    found = compile_all(ONE_ARCHITECTURE, [render_program(v, is_batch=True) for v in variants])
    assert_nothing({name: program.complaints for name, program in found.items()})
    spilled = {name: program.spilled for name, program in found.items()}
    limit = {name: INTERPOLATION_SPILLS if "TRICUBIC" in name else 0 for name in found}
    assert_nothing({name: n for name, n in spilled.items() if n > limit[name]})


def test_amorphous_matter() -> None:
    """Programs with the option for it compile without warnings."""
    variant = Variant(Precision.DOUBLE, Shape.GAUSS, Factors.NEAREST, False, amorphous=True)
    programs = [
        render_program(variant), gradient_program(variant, False), tile_program(variant),
        tile_gradient_program(variant),
    ]  # fmt: skip
    found = compile_all(ONE_ARCHITECTURE, programs)
    assert_nothing({name: program.complaints for name, program in found.items()})


def test_diffuse_scattering() -> None:
    """It needs more registers than there are, in a variant of its own."""
    variants = [
        Variant(Precision.DOUBLE, Shape.GAUSS, factors, False, diffuse=True) for factors in Factors
    ]
    programs = [render_program(variant) for variant in variants]
    programs += [gradient_program(variant, False) for variant in variants]
    found = compile_all(ONE_ARCHITECTURE, programs)
    assert_nothing({name: program.complaints for name, program in found.items()})


def test_tiles_within_a_tolerance() -> None:
    found = compile_all(ONE_ARCHITECTURE, tile_programs())
    assert_nothing({name: program.complaints for name, program in found.items()})
    assert_nothing({n: p.spilled for n, p in found.items() if p.spilled > TILE_SPILLS})


def float64_in_steps(architecture: str, precision: Precision) -> dict[str, list[str]]:
    """Float64 instructions in the loops over steps of kernels without a running sum."""
    found = {}
    for name, program in compiled(architecture, precision).items():
        if name.endswith(",false>"):
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
    crowded = replace(SIMPLE, resident_blocks=12)
    assert compile_program(ONE_ARCHITECTURE, crowded).spilled > 0


def test_warnings_are_seen() -> None:
    careless = kernel_source() + "__global__ void careless() { int never_used; }\n"
    complaints = compile_program(ONE_ARCHITECTURE, SIMPLE, careless).complaints
    assert any("never_used" in line for line in complaints)


def test_errors_name_the_file_and_the_line() -> None:
    line = "using Number = float;"
    broken = kernel_source().replace(line, line.replace("float", "flaot"))
    with pytest.raises(RuntimeError, match=r'policies\.cuh\(\d+\): error: identifier "flaot"'):
        compile_program(ONE_ARCHITECTURE, SIMPLE, broken)
