"""Planted faults, each named by its first divergence and a hint."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cupysim.backends.numpy import oracle as reference
from cupysim.backends.numpy import rays
from cupysim.errors import CupysimError
from cupysim.maths import lattice_factor, rotations
from cupysim.models.experiment import Experiment
from cupysim.nanobragg.build import build
from cupysim.parity.traces.first_difference import compare_traces
from cupysim.parity.traces.hints import hints
from cupysim.parity.traces.pixel_trace import STRONGEST, trace_pixel
from cupysim.parity.traces.values import PixelTrace, StepTrace, Value

WORDS = (
    "-cell 30 40 50 80 95 100 -N 5 -default_F 10 -lambda 1.3 -distance 60 -detpixels 12 -pixel 2 "
    "-nodump -phi 10 -osc 7 -phisteps 2 -mosaic 8 -mosaic_dom 3 -oversample 2 -flux 1e12 "
    "-exposure 0.1 -beamsize 0.03 -misset 10 20 30"
)
PIXEL = 5, 7


def experiment() -> Experiment:
    return build(WORDS.split()).experiment


def scattering_in_per_angstrom(patch: pytest.MonkeyPatch) -> None:
    made = rays._ray

    def faulty(*arguments: Any) -> Any:
        ray, diffracted = made(*arguments)
        ray.scattering = [component * 1e-10 for component in ray.scattering]
        return ray, diffracted

    patch.setattr(rays, "_ray", faulty)


def half_a_pixel(patch: pytest.MonkeyPatch) -> None:
    made = rays.pixel_position
    patch.setattr(rays, "pixel_position", lambda fast, *rest: made(fast + 0.5 * 2e-3, *rest))


def one_axis_missing(patch: pytest.MonkeyPatch) -> None:
    square = lattice_factor.square

    def faulty(indices: Any, n_cells: Any) -> Any:
        h, _, l = indices
        return square((h, np.zeros_like(h), l), np.array([n_cells[0], 1.0, n_cells[2]]))

    patch.setattr(lattice_factor, "square", faulty)


def mosaic_before_phi(patch: pytest.MonkeyPatch) -> None:
    def faulty(cells: Any, domains: Any, _: int) -> Any:
        # the spindle turned the crystal last
        crystal = experiment()
        axis = crystal.frame.spindle
        turned = rotations.apply_matrix(domains[:, None], crystal.oriented.direct[None])
        angles = crystal.spindle_angles
        yield 0, np.concatenate([rotations.rotate_axis(turned, axis, angle) for angle in angles])

    patch.setattr(reference, "orientation_blocks", faulty)


FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str, str]] = {
    "scattering vector in 1/A": (scattering_in_per_angstrom, "scattering_vector", "10^10"),
    "half a pixel": (half_a_pixel, "pixel_position", "shifted by +0.5 pixels along fast"),
    "F_latt without b": (one_axis_missing, "F_latt", "lacks a factor: F_latt_b"),
    "mosaic before phi": (mosaic_before_phi, "a", "the domain's rotation before the spindle's"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("choice", [None, STRONGEST, {"phi": 1, "domain": 2}], ids=str)
def test_planted_fault(fault: str, choice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the program itself: the stage which went wrong is the first divergence."""
    plant, name, hint = FAULTS[fault]
    if choice == STRONGEST:
        # the strongest step may be another one after the fault: trace the same
        (strongest,) = trace_pixel(experiment(), *PIXEL, STRONGEST).steps
        choice = strongest.where
    right = trace_pixel(experiment(), *PIXEL, choice)
    plant(monkeypatch)
    wrong = trace_pixel(experiment(), *PIXEL, choice)
    (found,) = compare_traces([right], [wrong])
    assert found.first_divergence is not None
    assert found.first_divergence.first.name == name
    assert any(hint in text for text in found.hints), found.hints


def test_fluence_of_a_clipped_beam() -> None:
    """Of a beam which was clipped to the crystal, not the crystal to the beam."""
    right = experiment()
    clipped = 0.01e-3
    wrong = replace(right, beam=replace(right.beam, fluence=1e12 * 0.1 / clipped**2))
    (found,) = compare_traces([trace_pixel(right, *PIXEL)], [trace_pixel(wrong, *PIXEL)])
    assert found.first_divergence is not None
    assert found.first_divergence.first.name == "fluence"
    assert "flux times exposure over the beam's area" in found.hints[-1]
    assert [pair.first.name for pair in found.pairs if not pair.same] == ["fluence", "photons"]


def test_faults_which_are_planted_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """That without a fault nothing diverges."""
    (found,) = compare_traces(
        [trace_pixel(experiment(), *PIXEL)], [trace_pixel(experiment(), *PIXEL)]
    )
    assert found.first_divergence is None
    assert found.largest.difference == 0.0


KNOWN = {
    "pixel_size": (1e-4,), "steps": (36,), "n_sources": (4,), "F_latt_a": (3.7,),
    "detector_fast": (0.0, 0.0, 1.0), "detector_slow": (0.0, -1.0, 0.0), "hkl": (1.5, 2.2, -0.5),
    "polarization": (0.87,), "n_cells": (5.0, 6.0, 7.0),
    "cell_a": (1e-9, 2e-9, 3e-9), "phi_rotation": (0, -1, 0, 1, 0, 0, 0, 0, 1),
    "mosaic_rotation": (1, 0, 0, 0, 0, -1, 0, 1, 0),
}  # fmt: skip

HINTS = [
    ("scattering_vector", (1e9, 2e9, 3e9), (0.1, 0.2, 0.3), "10^10"),
    ("hkl", (1.0, 2.0, 3.0), (math.pi, 2 * math.pi, 3 * math.pi), "factor of pi"),
    ("diffracted", (1.0, 2.0, 3.0), (-1.0, -2.0, -3.0), "sign is reversed"),
    ("F_latt", (4.0,), (2.0,), "a factor of 2"),
    ("step_intensity", (4.0,), (16.0,), "one factor more: n_sources (4)"),
    ("photons", (72.0,), (2.0,), "lacks a factor: steps (36)"),
    ("photons", (3.0,), (3.0 * 0.87,), "one factor more: polarization"),
    ("omega", (3e-5,), (3e-5 * 1e-8,), "one factor more: pixel_size squared"),
    ("intensity_sum", (3.3,), (3.3**2,), "square of the first"),
    ("intensity_sum", (3.3**2,), (3.3,), "square root of the first"),
    ("F_latt", (7.7,), (7.7 / 7.0,), "lacks a factor: n_cells[2] (7)"),
    ("pix0", (0.1, 0.2, 0.3), (0.1, 0.2, 0.30005), "by +0.5 pixels along fast and +0 pixels"),
    ("pix0", (0.1, 0.2, 0.3), (0.1, 0.2001, 0.3), "along fast and -1 pixels along slow"),
    ("beam_slow", (0.05,), (0.04995,), "shifted by -0.5 pixels"),
    ("pixel_position", (1.0, 2.0, 3.0), (1.0, 3.0, 2.0), "axes swapped"),
    ("diffracted", (1.0, 2.0, 3.0), (1.0, -2.0, 3.0), "sign of component 1 is reversed"),
    ("phi_rotation", tuple(range(9)), (0, 3, 6, 1, 4, 7, 2, 5, 8), "transposed"),
    ("phi_angle", (1.0,), (180.0 / math.pi,), "degrees against radians"),
    ("hkl_rounded", (1, 2, -1), (2, 2, 0), "half is rounded the other way"),
    ("a", (-2e-9, -3e-9, 1e-9), (-2e-9, 1e-9, 3e-9), "the second has no rotation of the domain"),
    ("F_cell", (5.0,), (0.0,), "the second is zero"),
    ("F_cell", (5.0,), (6.123,), "often: nearest or interpolated"),
    ("cell_b_star", (1.0, 2.0, 3.0), (1.0, 2.0, 3.3), "often: the missetting angles"),
    ("hkl", (1.0, 2.0), (1.0, 2.0, 3.0), "2 numbers against 3"),
    ("hkl", (1.0, 2.0), (1.0, math.nan), "not finite"),
    ("diffracted", (5.0, 12.0), (5 / 13, 12 / 13), "direction is the same, the length 0.07"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "first", "second", "text"), HINTS)
def test_hint(name: str, first: tuple[float, ...], second: tuple[float, ...], text: str) -> None:
    found = hints(Value(name, first), Value(name, second), KNOWN)
    assert any(text in hint for hint in found), found


def test_units_which_cannot_be_converted() -> None:
    first = PixelTrace(None, (Value("pix0", (1.0,), "m"),))
    second = PixelTrace(None, (Value("pix0", (1.0,), "m^-1"),))
    (found,) = compare_traces([first], [second])
    assert found.first_divergence is not None
    assert "measure different things" in found.hints[0]


def test_nothing_in_common() -> None:
    """A comparison which compares nothing must not pass."""
    first, second = (PixelTrace(None, (Value(name, (1.0,)),)) for name in ("one", "two"))
    with pytest.raises(CupysimError, match="nothing could be compared"):
        compare_traces([first], [second])
    with pytest.raises(CupysimError, match="no pixel in common"):
        compare_traces([first, first], [second])
    with pytest.raises(CupysimError, match="different pixels: 1 2 and 3 4"):
        compare_traces([replace(first, pixel=(1, 2))], [replace(first, pixel=(3, 4))])


def test_pixels_are_paired() -> None:
    def traced(pixel: tuple[int, int], number: float) -> PixelTrace:
        return PixelTrace(pixel, (Value("pix0", (number,), "m"),))

    first = [traced((1, 2), 1.0), traced((3, 4), 2.0), traced((5, 6), 3.0)]
    second = [traced((5, 6), 3.1), traced((1, 2), 1.0)]
    found = compare_traces(first, second)
    assert [(each.place, each.first_divergence is None) for each in found] == [
        (("", 1, 2), True),
        (("", 5, 6), False),
    ]


def test_zeros_of_the_lattice_factor_are_rounding() -> None:
    """Near a zero, last bits of h decide; one in a million of the peak is what counts."""

    def traced(factor: float) -> PixelTrace:
        step = StepTrace({}, (Value("F_cell", (10.0,)), Value("F_latt_a", (factor,))))
        return PixelTrace(None, (Value("n_cells", (5.0, 5.0, 5.0)),), [step])

    def diverges(first: float, second: float) -> bool:
        (found,) = compare_traces([traced(first)], [traced(second)])
        return found.first_divergence is not None

    assert not diverges(3e-15, -7e-16)
    assert diverges(3e-7, 4e-7)
    assert diverges(3.0, 3.00001)


def test_a_thousandfold_in_a_large_crystal() -> None:
    """What vanishes beside the peak of a thousand cells cubed is held to itself all the same."""
    words = [*WORDS.split(), "-N", "1000", "-oversample", "1"]
    right = trace_pixel(build(words).experiment, *PIXEL, {"phi": 0, "domain": 0})

    def enlarged(values: tuple[Value, ...], name: str) -> tuple[Value, ...]:
        return tuple(
            replace(v, numbers=tuple(1000.0 * x for x in v.numbers)) if v.name == name else v
            for v in values
        )

    (step,) = right.steps
    for name in ("F_latt_a", "step_intensity", "running_sum", "intensity_sum", "photons"):
        wrong = replace(
            right,
            steps=[replace(step, values=enlarged(step.values, name))],
            result=enlarged(right.result, name),
        )
        for pair in ((right, wrong), (wrong, right)):
            (found,) = compare_traces([pair[0]], [pair[1]])
            assert found.first_divergence is not None
            assert found.first_divergence.first.name == name


def test_what_follows_from_a_zero() -> None:
    """Other last bits near a zero of one axis: intensity, sum and photons follow it."""

    def traced(axis: float) -> PixelTrace:
        intensity = (10.0 * 5.0 * axis) ** 2
        step = (
            Value("F_cell", (10.0,)), Value("F_latt_a", (axis,)), Value("F_latt_b", (5.0,)),
            Value("F_latt_c", (1.0,)), Value("F_latt", (5.0 * axis,)),
            Value("step_intensity", (intensity,)), Value("running_sum", (1e-20 + intensity,)),
        )  # fmt: skip
        result = (
            Value("intensity_sum", (1e-20 + intensity,)),
            Value("photons", (1e-20 + intensity,)),
        )
        cells = (Value("n_cells", (5.0, 5.0, 5.0)),)
        return PixelTrace(None, cells, [StepTrace({}, step)], result)

    (found,) = compare_traces([traced(3e-15)], [traced(-4e-15)])
    assert found.first_divergence is None
    (found,) = compare_traces([traced(3e-7)], [traced(4e-7)])
    assert found.first_divergence is not None


def test_steps_which_one_trace_does_not_show() -> None:
    whole = trace_pixel(experiment(), *PIXEL)
    some = trace_pixel(experiment(), *PIXEL, {"phi": 1, "domain": 0})
    (found,) = compare_traces([whole], [some])
    assert found.first_divergence is None
    assert found.remarks == [f"of {len(whole.steps)} and 4 steps, 4 shown by both"]
    other = trace_pixel(experiment(), *PIXEL, {"phi": 0})
    with pytest.raises(CupysimError, match=r"show different steps, layer=0,.* the same --step"):
        compare_traces([other], [some])
    last = replace(whole, steps=[replace(whole.steps[-1], where={}, is_last=True)])
    (found,) = compare_traces([last], [some])
    assert "no step is shown by both" in found.remarks[0]
    (found,) = compare_traces([last], [whole])
    assert found.first_divergence is None
    assert any(pair.part.startswith("step") for pair in found.pairs)
