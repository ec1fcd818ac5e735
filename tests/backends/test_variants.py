"""What Python and the kernel must count alike."""

from __future__ import annotations

import re

import pytest

from cupysim.backends.compiled.culled import lanes_of_pixels
from cupysim.backends.compiled.differentiation import GROUP_BITS
from cupysim.backends.compiled.engine import STATE_SIZE
from cupysim.backends.compiled.variants import Factors, Precision, shape_number
from cupysim.maths import lattice_factor
from cupysim.models.spot_shape import Shape
from cupysim.native import sources
from cupysim.plan import culling, gradient_columns
from cupysim.plan.render_plan import Use
from cupysim.plan.spot_shapes import KERNEL_SHAPES, SPOT_SHAPES, kernel_shape


def header(name: str) -> str:
    return sources.folder().joinpath(name).read_text()


def members(name: str, enumeration: str) -> dict[str, int]:
    """Members of an enumeration of the kernel and their numbers."""
    (body,) = re.findall(rf"enum {enumeration} \{{([^}}]*)\}}", header(name))
    words = [word.split("=") for word in body.split(",") if word.strip()]
    numbers = {}
    for place, word in enumerate(words):
        numbers[word[0].strip()] = int(word[1]) if len(word) > 1 else place
    return numbers


def listed(name: str, macro: str) -> list[str]:
    """Members of an enumeration that a list declares."""
    (line,) = re.findall(rf"#define CUPYSIM_{macro}S?\(\w+\) (.*)", header(name))
    return re.findall(rf"{macro}\((\w+)\)", line)


def test_shapes_are_in_both() -> None:
    assert set(SPOT_SHAPES) == set(Shape)
    numbers = [shape_number(shape) for shape in KERNEL_SHAPES]
    assert sorted(numbers) == list(range(len(KERNEL_SHAPES)))
    assert {kernel_shape(shape) for shape in Shape} == set(KERNEL_SHAPES)


@pytest.mark.parametrize("shape", KERNEL_SHAPES)
def test_both_know_which_shapes_have_derivatives(shape: Shape) -> None:
    text = header("spot_shapes.cuh")
    (found,) = re.findall(
        rf"struct SpotShape<{shape.name}> \{{\s+static constexpr bool HAS_DERIVATIVES = (\w+)", text
    )
    assert (found == "true") is (SPOT_SHAPES[shape].squared_slopes is not None)


@pytest.mark.parametrize("shape", KERNEL_SHAPES)
def test_both_know_which_shapes_are_always_in_double_precision(shape: Shape) -> None:
    text = header("spot_shapes.cuh")
    (found,) = re.findall(
        rf"struct SpotShape<{shape.name}> \{{\s+static constexpr bool .* ALWAYS_DOUBLE = (\w+)",
        text,
    )
    assert (found == "true") is SPOT_SHAPES[shape].always_double


def test_uses() -> None:
    assert members("launch.cuh", "Use") == {use.name: use.value for use in Use}


def test_factors() -> None:
    assert listed("structure_factor.cuh", "FACTORS") == [each.name for each in Factors]


def test_precisions() -> None:
    assert members("policies.cuh", "Precision") == {each.name: each.value for each in Precision}


def test_columns_of_gradients() -> None:
    columns = members("gradient.cuh", "Column")
    for name in ("INDICES", "ORIGIN", "WAVELENGTH", "SIZES", "SPREAD", "PHOTONS", "COLUMNS"):
        assert columns[name] == getattr(gradient_columns, name)
    assert columns["FAST"] == gradient_columns.AXES


def test_groups_of_columns() -> None:
    columns, groups = members("gradient.cuh", "Column"), members("launch.cuh", "Group")
    begins = {"OF_AXES": "FAST", "OF_PANEL": "ORIGIN", "OF_SOURCES": "WAVELENGTH"}
    for bit, first, _ in GROUP_BITS:
        name = next(name for name, value in groups.items() if value == bit)
        assert columns[begins.get(name, name.removeprefix("OF_"))] == first
    assert len(GROUP_BITS) == len(groups)


def test_numbers_kept_between_launches() -> None:
    assert f"constexpr int STATE_SIZE = {STATE_SIZE};" in header("render_block.cuh")


def test_constants() -> None:
    text = header("lattice_factor.cuh")
    for name in ("SPHERE_IN_CUBE", "GAUSS_WIDTH", "TOPHAT_EDGE"):
        (number,) = re.findall(rf"constexpr double {name} = (\S+);", text)
        assert float(number) == getattr(lattice_factor, name)


def constant(name: str, variable: str) -> int:
    (found,) = re.findall(rf"constexpr int {variable} = (\d+);", header(name))
    return int(found)


def test_tiles_and_groups() -> None:
    assert constant("tiles.cuh", "TILE_EDGE") == culling.TILE_EDGE
    assert constant("tile_bounds.cuh", "MOST_TESTED") == culling.LARGEST_GROUP
    assert constant("factor_bounds.cuh", "BLOCK_EDGE") == culling.BLOCK_EDGE


def test_lanes_of_a_tile() -> None:
    """The lanes of 2 x 2, and of 4 x 4 pixels follow each other."""
    lanes = lanes_of_pixels()
    assert sorted(lanes.reshape(-1)) == list(range(64))
    for edge in (2, 4):
        for row in range(0, 8, edge):
            for column in range(0, 8, edge):
                some = sorted(lanes[row : row + edge, column : column + edge].reshape(-1))
                assert some == list(range(some[0], some[0] + edge * edge))
                assert some[0] % (edge * edge) == 0
