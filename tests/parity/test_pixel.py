"""Traces of pixels: the image's numbers, and those which the C program printed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cupysim import named_detector, simulate
from cupysim.backends.numpy.oracle import render
from cupysim.backends.rendered import Observer
from cupysim.cli.main import main
from cupysim.errors import CupysimError
from cupysim.nanobragg.build import build
from cupysim.parity.traces.pixel_trace import STRONGEST, trace_pixel
from cupysim.parity.traces.values import PixelTrace, Value
from cupysim.plan.planning import make_plan
from tests.conftest import GOLDEN, Run

TRACED = sorted(path.parent.name for path in (GOLDEN / "cases").glob("*/trace.json"))
WORDS = (
    "-cell 30 40 50 80 95 100 -N 5 -default_F 10 -lambda 1.3 -distance 60 -detpixels 12 -pixel 2 "
    "-nodump -osc 1 -phisteps 3 -mosaic 1 -mosaic_dom 4 -oversample 2 -dispersion 1 -dispsteps 2"
)
PRINTED_HKL = 6e-7
"""Half of the last of six decimals."""


def named(values: tuple[Value, ...]) -> dict[str, Any]:
    return {
        value.name: value.numbers[0] if len(value.numbers) == 1 else np.array(value.numbers)
        for value in values
    }


@pytest.mark.parametrize("name", TRACED)
def test_numbers_which_the_c_program_printed(name: str, run: Run) -> None:
    """Of the last step of each pixel, to the digits which were printed."""
    case = json.loads((GOLDEN / "cases" / name / "case.json").read_text())
    golden = json.loads((GOLDEN / "cases" / name / "trace.json").read_text())
    run("-h", case["inputs"])
    experiment = build(case["args"]).experiment
    for pixel in golden["pixels"]:
        trace = trace_pixel(experiment, pixel["pixel_fast"], pixel["pixel_slow"])
        last, result = named(trace.steps[-1].values), named(trace.result)
        assert last["stol"] == pytest.approx(pixel["stol"], rel=1e-5)
        np.testing.assert_allclose(
            last["pixel_position"], pixel["position_m"], rtol=1e-5, atol=1e-9
        )
        np.testing.assert_allclose(last["hkl"], pixel["hkl"], rtol=0, atol=PRINTED_HKL)
        np.testing.assert_array_equal(last["hkl_rounded"], pixel["hkl0"])
        assert last["F_latt"] == pytest.approx(pixel["F_latt"], rel=1e-5)
        assert result["intensity_sum"] == pytest.approx(pixel["I"], rel=1e-5)
        for ours, theirs in (("polarization", "polar"), ("omega", "omega"),
                             ("capture_fraction", "capfrac"), ("photons", "pixel")):  # fmt: skip
            assert result[ours] == pytest.approx(
                pixel[theirs], rel=2e-10 if theirs != "pixel" else 1e-7
            )
        assert result["intensity_sum"] / result["steps"] == pytest.approx(
            pixel["I_per_step"], rel=1e-9
        )
        for axis in "abc":
            np.testing.assert_allclose(1e10 * last[axis], pixel[f"{axis}_A"], rtol=0, atol=1e-8)


@pytest.mark.parametrize("pixel", [(0, 0), (5, 7), (11, 11)])
def test_the_sum_and_the_photons_are_the_images(pixel: tuple[int, int]) -> None:
    experiment = build(WORDS.split()).experiment
    image = render(make_plan(experiment), Observer()).image[0, 0]
    trace = trace_pixel(experiment, *pixel)
    assert named(trace.result)["photons"] == image[pixel[1], pixel[0]]
    steps = [named(step.values) for step in trace.steps]
    assert len(steps) == 3 * 4 * 4 * 2 == named(trace.result)["steps"]
    intensities = np.array([step["step_intensity"] for step in steps])
    sums = np.array([step["running_sum"] for step in steps])
    np.testing.assert_allclose(np.cumsum(intensities), sums, rtol=1e-12)
    assert sums[-1] == named(trace.result)["intensity_sum"]


def test_each_term_has_its_own_weight() -> None:
    """Where quirks are corrected, factors belong to steps and not to the pixel."""
    words = f"{WORDS} -oversample 1 -detector_abs 99 -detector_thick 100 -thicksteps 3 -water 1"
    experiment = build([*words.split(), "-corrected"]).experiment
    image = render(make_plan(experiment), Observer()).image[0, 0]
    trace = trace_pixel(experiment, 5, 7)
    steps = [named(step.values) for step in trace.steps]
    result = named(trace.result)
    assert result["photons"] == image[7, 5]
    assert not {"omega", "polarization", "capture_fraction"} & set(result)
    for step in steps:
        product = step["omega"] * step["polarization"] * step["capture_fraction"]
        assert step["step_weight"] == pytest.approx(product, rel=1e-12)
    total = sum(step["step_intensity"] * step["step_weight"] for step in steps)
    # the background comes once for each ray: 3 spindle angles, 4 domains
    rays = steps[::12]
    background = named(trace.setup)["ray_background"] * sum(ray["step_weight"] for ray in rays)
    assert result["intensity_sum"] == pytest.approx(total + background, rel=1e-12)
    photons = result["intensity_sum"] / result["steps"] * result["r_e_squared"] * result["fluence"]
    assert photons == pytest.approx(result["photons"], rel=1e-6)


@pytest.mark.parametrize("only", ["", "-diffuse_only"])
def test_diffuse_scattering_and_matter_are_told(only: str) -> None:
    """All that is added is in the lines: terms of steps, and matter once for each ray."""
    words = f"{WORDS} -diffuse_gamma 30 40 50 -diffuse_sigma 0.3 0.4 0.5 {only}"
    words += " -background air,0.0000001 -background water,0.0000000001 -corrected"
    trace = trace_pixel(build(words.split()).experiment, 5, 7)
    steps = [named(step.values) for step in trace.steps]
    bragg = 0.0 if only else 1.0
    for step in steps:
        expected = bragg * (step["F_cell"] * step["F_latt"]) ** 2 + step["diffuse"]
        assert step["step_intensity"] == pytest.approx(expected, rel=1e-12)
        assert step["diffuse"] > 0.0
    total = sum(step["step_intensity"] * step["step_weight"] for step in steps)
    matter = sum(step["amorphous"] * step["step_weight"] for step in steps[::12])
    assert matter > 0.01 * total
    assert named(trace.result)["intensity_sum"] == pytest.approx(total + matter, rel=1e-12)
    (strongest,) = trace_pixel(build(words.split()).experiment, 5, 7, STRONGEST).steps
    largest = max(step["step_intensity"] for step in steps)
    assert named(strongest.values)["step_intensity"] == largest


def test_a_step_holds_together() -> None:
    """Each number follows from those before it."""
    trace = trace_pixel(build(WORDS.split()).experiment, 5, 7, STRONGEST)
    (step,) = trace.steps
    value, setup = named(step.values), named(trace.setup)
    np.testing.assert_allclose(
        value["scattering_vector"],
        (value["diffracted"] - value["incident"]) / value["wavelength"],
        rtol=1e-9,
    )
    for number, axis in enumerate("abc"):
        assert value["hkl"][number] == pytest.approx(value[axis] @ value["scattering_vector"])
        turned = value["mosaic_rotation"].reshape(3, 3) @ (
            value["phi_rotation"].reshape(3, 3) @ setup[f"cell_{axis}"]
        )
        if step.where["phi"] > 0:
            # an angle of zero has the angle before it (quirk Q3)
            np.testing.assert_allclose(value[axis], turned, rtol=1e-9, atol=1e-20)
        assert value[axis] @ value[f"{axis}_star"] == pytest.approx(1.0)
    product = value["F_latt_a"] * value["F_latt_b"] * value["F_latt_c"]
    assert value["F_latt"] == pytest.approx(product)
    assert value["step_intensity"] == pytest.approx((value["F_cell"] * product) ** 2)
    everything = trace_pixel(build(WORDS.split()).experiment, 5, 7)
    largest = max(named(each.values)["step_intensity"] for each in everything.steps)
    assert value["step_intensity"] == largest


def test_chosen_steps() -> None:
    experiment = build(WORDS.split()).experiment
    trace = trace_pixel(experiment, 5, 7, {"source": 1, "phi": 2, "sub_fast": 0})
    assert len(trace.steps) == 2 * 4
    assert all(step.where["source"] == 1 and step.where["phi"] == 2 for step in trace.steps)


def command(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(["trace", *words.split()])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = f"{WORDS} --pixel 5 7 --pixel 0 0 --step source=1,subpixel=0,1,phi=0,domain=3"
    status, out, err = command(words, capsys)
    assert (status, err.count("error")) == (0, 0)
    assert out.count("TRACE: pixel = ") == 2
    assert out.count("TRACE: step layer=0 sub_slow=1 sub_fast=0 source=1 phi=0 domain=3") == 2
    assert re.search(r"^TRACE: scattering_vector = \S+ \S+ \S+ m\^-1$", out, re.M)
    digits = re.search(r"^TRACE: airpath = (\S+) m$", out, re.M)
    assert digits is not None
    assert len(digits[1].replace(".", "").lstrip("0")) >= 14
    target = tmp_path / "trace.json"
    assert command(f"{words} --json --out {target}", capsys)[:2] == (0, "")
    content = json.loads(target.read_text())
    assert [trace["pixel_slow"] for trace in content] == [7, 0]
    values = content[0]["steps"][0]["values"]["hkl"]["values"]
    line = next(line for line in out.splitlines() if line.startswith("TRACE: hkl ="))
    np.testing.assert_allclose([float(n) for n in line.split()[3:]], values, rtol=1e-14)


def test_inputs_are_not_replaced(run: Run, tmp_path: Path) -> None:
    outcome = run("-h", ["few.hkl"])
    assert outcome.status == 0
    before = (tmp_path / "few.hkl").read_bytes()
    words = "-hkl few.hkl -cell 30 -detpixels 8 -nodump --pixel 1 1 --out few.hkl"
    assert main(["trace", *words.split()]) == 2
    assert (tmp_path / "few.hkl").read_bytes() == before


ERRORS = {
    "--pixel 99 0": "pixel 99 0: the image has 12 x 12 pixels",
    "--pixel 0 0 --step phi=3": "step phi=3: there are 3, counted from 0",
    "--pixel 0 0 --step moon=3": "step moon: expected one of layer, sub_slow",
    "--pixel 0 0 --step phi": "--step: expected NAME=N",
    "--pixel 0 0 --step phi=0 --strongest": "--step and --strongest exclude each other",
    "--pixel 0 0 -distance x": "-distance: expected a number",
    "--pixel 0 0 --out no/where": "there is no directory",
}


@pytest.mark.parametrize("words", ERRORS)
def test_errors(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = command(f"{WORDS} {words}", capsys)
    assert (status, out) == (2, "")
    assert ERRORS[words] in err.splitlines()[-1]


def test_too_many_steps() -> None:
    experiment = build([*WORDS.split(), "-mosaic_dom", "10000"]).experiment
    with pytest.raises(CupysimError, match="too many to be listed"):
        trace_pixel(experiment, 0, 0)
    assert isinstance(trace_pixel(experiment, 0, 0, {"domain": 5}), PixelTrace)


def test_fifty_domains_and_thirty_six_sub_pixels(capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "-cell 70 80 90 75 85 95 -default_F 100 -lambda 1 -N 20 -distance 100 -detpixels 512 "
        "-mosaic 0.5 -mosaic_dom 50 -nodump --pixel 200 300"
    )
    _, out, _ = command(words, capsys)
    assert out.count("TRACE: step ") == 1800


CORRECTED = f"{WORDS} -corrected"
IN_PARTS = {
    "sizes": f"{CORRECTED} -size_spread 20",
    "settings": f"{CORRECTED} -cell 30 30 40 90 90 90 -Na 3 -Nb 7 -Nc 4 -average_settings 4/mmm",
    "sizes in one still": f"{CORRECTED} -size_spread 20 -phisteps 1 -osc 0",
    "body": f"{CORRECTED} -body box,0.1,0.2,0.3,water -water 0.01 -spread_edges 1 1 1",
    "decay": f"{CORRECTED} -decay 20,1 -image_dose 30 -dose_before 2",
    "body and sizes": f"{CORRECTED} -body ellipsoid,0.1,0.2,0.3,water -size_spread 20 -water 0.01",
    "diffuse": f"{CORRECTED} -body box,0.1,0.2,0.3,water -diffuse_gamma 9 9 9 -diffuse_sigma 1 1 1",
}


@pytest.mark.parametrize("name", IN_PARTS)
def test_pixels_in_parts(name: str) -> None:
    """Each part has a trace, and the photons of all parts are those of the image."""
    experiment = build(IN_PARTS[name].split()).experiment
    image = simulate(experiment, backend="numpy").array
    fast, slow = 7, 5
    strongest = named(trace_pixel(experiment, fast, slow, STRONGEST).setup)
    count = int(strongest["n_parts"])
    assert count > 1
    angles, found = [], []
    for number in range(1, count + 1):
        trace = trace_pixel(experiment, fast, slow, part=number)
        setup, result = named(trace.setup), named(trace.result)
        steps = setup["n_layers"] * setup["n_sources"] * setup["oversample"] ** 2
        assert len(trace.steps) == steps * setup["n_phi"] * setup["n_domains"]
        found.append(result.get("transmitted_photons", result["photons"]))
        assert result["photons_of_all_parts"] == pytest.approx(float(image[slow, fast]), rel=1e-6)
        assert result["photons_of_parts"][number - 1] == pytest.approx(found[-1], rel=1e-12)
        assert int(setup["part"]) == number
        is_background = next(v.text for v in trace.setup if v.name == "part_contains") != "crystal"
        assert is_background == (number == 1 and "-water" in IN_PARTS[name])
        if not is_background:
            angles.append(np.atleast_1d(setup["part_phi_angles"]).tolist())
            shown = {step.where["phi"] for step in trace.steps}
            assert shown == set(range(len(angles[-1])))
            at = named(trace.steps[-1].values)
            assert at["phi_angle"] == angles[-1][-1]
            # the cell of a domain's setting, before the spindle and the domain turn it
            turned = at["mosaic_rotation"].reshape(3, 3) @ at["phi_rotation"].reshape(3, 3)
            if "-spread_edges" not in IN_PARTS[name]:
                np.testing.assert_allclose(turned @ setup["cell_a"], at["a"], rtol=1e-9, atol=1e-20)
    assert int(strongest["part"]) == 1 + int(np.argmax(found))
    known = {angle for some in angles for angle in some}
    assert known == {float(angle) for angle in experiment.spindle_angles}
    with pytest.raises(CupysimError, match=f"part {count + 1}: there are {count}"):
        trace_pixel(experiment, fast, slow, part=count + 1)


def test_one_part_is_not_numbered() -> None:
    experiment = build(CORRECTED.split()).experiment
    trace = trace_pixel(experiment, 7, 5, STRONGEST)
    assert not {"part", "n_parts", "part_contains"} & {value.name for value in trace.setup}
    assert "photons_of_parts" not in {value.name for value in trace.result}


def test_a_step_does_not_change_the_panel(tmp_path: Path) -> None:
    """The name of the panel is that of the pixel, whatever step is chosen."""
    detector = named_detector("jungfrau-1m", distance=0.1)
    words = "-cell 30 40 50 90 90 90 -default_F 10 -N 5 -lambda 1 -oversample 2 -corrected"
    experiment = replace(build(f"{words} -detpixels 9 -distance 100".split()).experiment,
                         detector=detector)  # fmt: skip
    traces = [
        trace_pixel(experiment, 9, 5, choice, 1)
        for choice in (STRONGEST, {"sub_fast": 0, "sub_slow": 1})
    ]
    assert traces[0].panel == traces[1].panel == detector.panels[1].name
