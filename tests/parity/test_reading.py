"""Traces which are read: ours, those of instrumented programs, and -printout."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cupysim.errors import FileFormatError
from cupysim.nanobragg.build import build
from cupysim.parity.traces.first_difference import compare_traces
from cupysim.parity.traces.pixel_trace import trace_pixel
from cupysim.parity.traces.trace_files import looks_like_trace, read
from cupysim.parity.traces.values import PixelTrace
from cupysim.parity.traces.vocabulary import to_si
from tests.conftest import Run
from tests.parity.other_programs import instrumented
from tests.parity.test_pixel import TRACED, WORDS

TURNED = (
    f"{WORDS} -phi 20 -detector_rotx 5 -detector_roty 3 -detector_rotz 2 -twotheta 11 "
    "-misset 12 23 34"
)


def trace(words: str = TURNED) -> PixelTrace:
    return trace_pixel(build(words.split()).experiment, 5, 7)


def text(traced: PixelTrace) -> str:
    return "".join(f"{line}\n" for line in traced.lines())


@pytest.mark.parametrize("form", ["lines", "json"])
def test_our_own(form: str, tmp_path: Path) -> None:
    """Everything comes back, and nothing diverges."""
    traced = trace()
    path = tmp_path / "trace"
    path.write_text(text(traced) if form == "lines" else json.dumps([traced.as_json()]))
    (again,) = read(path)
    assert again.pixel == (5, 7)
    assert [step.where for step in again.steps] == [step.where for step in traced.steps]
    (found,) = compare_traces([traced], [again], rtol=1e-14)
    assert found.first_divergence is None
    assert not found.only_first
    assert not found.only_second
    count = len(traced.setup) + len(traced.result) + sum(len(s.values) for s in traced.steps)
    assert len(found.pairs) == count


@pytest.mark.parametrize("kind", ["TRACE_C", "TRACE_PY"])
def test_instrumented_programs(kind: str, tmp_path: Path) -> None:
    """Names and units are theirs; values in either form of line are compared."""
    traced = trace()
    path = tmp_path / "log"
    path.write_text(instrumented(traced, kind))
    (other,) = read(path)
    assert other.pixel == (5, 7)
    # one for each sub-pixel
    assert len(other.steps) == 4
    (found,) = compare_traces([other], [traced], rtol=1e-12)
    assert found.first_divergence is None, found.first_divergence
    compared = {pair.first.name for pair in found.pairs}
    assert compared >= {
        "convention", "detector_angles", "beam_centre_x", "pixel_size", "detector_rotation",
        "beam_fast", "pix0", "wavelength", "scattering_vector", "a", "hkl", "hkl_rounded",
        "F_latt_b", "F_cell", "intensity_sum", "fluence", "polarization", "photons",
        "cell_b_star" if kind == "TRACE_C" else "b_star",
    }  # fmt: skip
    assert not found.only_first


def test_the_c_program_and_the_port(tmp_path: Path) -> None:
    """Two logs of others; where each prints other reciprocal vectors, those are not compared."""
    traced = trace()
    (c,), (port,) = (read(_written(tmp_path, kind, traced)) for kind in ("TRACE_C", "TRACE_PY"))
    (found,) = compare_traces([c], [port])
    assert found.first_divergence is None
    assert found.only_first == ["cell_a_star", "cell_b_star", "cell_c_star"]
    assert found.only_second == ["a_star", "b_star", "c_star"]


@pytest.mark.parametrize("swapped", [False, True])
def test_sub_pixels_are_not_mixed_up(swapped: bool, tmp_path: Path) -> None:
    """A log shows the first step of each sub-pixel; a trace of one is not the first of these."""
    (other,) = read(_written(tmp_path, "TRACE_C", trace()))
    chosen = {"sub_slow": 1, "sub_fast": 1}
    some = trace_pixel(build(TURNED.split()).experiment, 5, 7, chosen)
    (found,) = compare_traces(*(([some], [other]) if swapped else ([other], [some])))
    assert found.first_divergence is None
    assert "shows only some of its steps" in found.remarks[0]
    assert "scattering_vector" not in {pair.first.name for pair in found.pairs}


def test_logs_one_after_the_other(tmp_path: Path) -> None:
    """Of two pixels."""
    traced = [trace_pixel(build(TURNED.split()).experiment, *pixel) for pixel in ((5, 7), (1, 2))]
    path = tmp_path / "log"
    path.write_text("".join(instrumented(each) for each in traced))
    others = read(path)
    assert [other.pixel for other in others] == [(5, 7), (1, 2)]
    assert all(each.same for each in compare_traces(others, traced))


def _written(folder: Path, kind: str, traced: PixelTrace) -> Path:
    path = folder / kind
    path.write_text(instrumented(traced, kind))
    return path


@pytest.mark.parametrize("name", TRACED)
def test_printout(name: str, run: Run, tmp_path: Path) -> None:
    """What -printout prints of a pixel agrees with its trace, to the printed digits."""
    case = json.loads((Path(__file__).parents[1] / "golden/cases" / name / "case.json").read_text())
    golden = json.loads(
        (Path(__file__).parents[1] / "golden/cases" / name / "trace.json").read_text()
    )
    pixel = golden["pixels"][0]
    where = [str(pixel["pixel_fast"]), str(pixel["pixel_slow"])]
    words = [word for word in case["args"] if word not in ("-printout",)]
    outcome = run([*words, "-printout", "-printout_pixel", *where], case["inputs"])
    printed = tmp_path / "printed.log"
    printed.write_text(outcome.out)
    (other,) = read(printed)
    assert other.pixel == (pixel["pixel_fast"], pixel["pixel_slow"])
    traced = trace_pixel(build(case["args"]).experiment, *other.pixel)
    (found,) = compare_traces([other], [traced])
    assert found.first_divergence is None, found.first_divergence
    assert {"hkl", "F_cell", "a", "photons", "stol"} <= {pair.first.name for pair in found.pairs}
    # that it can fail: a digit which is printed
    printed.write_text(re.sub(r"hkl= \S+", "hkl= 7.123456", outcome.out))
    (found,) = compare_traces(read(printed), [traced])
    assert found.first_divergence is not None
    assert found.first_divergence.first.name == "hkl"


def test_units_are_converted(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text(
        "TRACE: pix0 = 100 3.3 -3.3 mm\nTRACE: step source=0\n"
        "TRACE: scattering_vector = 0.1 0.2 0.3 A^-1\nTRACE: wavelength = 1.5 \u00c5\n"
        "TRACE: phi_angle = 180 deg\nTRACE: thing = 3 furlong\n"
        "TRACE: intensity_sum = 5 electron^2\nTRACE: fluence = 2 photons/mm^2\n"
    )
    (traced,) = read(path)
    found = {
        v.name: v for part in (traced.setup, traced.steps[0].values, traced.result) for v in part
    }
    assert found["pix0"].unit == "m"
    assert found["pix0"].numbers == pytest.approx((0.1, 0.0033, -0.0033))
    assert found["scattering_vector"].numbers == pytest.approx((1e9, 2e9, 3e9))
    assert found["wavelength"].numbers == pytest.approx((1.5e-10,))
    assert found["phi_angle"].numbers == pytest.approx((3.141592653589793,))
    assert (found["thing"].numbers, found["thing"].unit) == ((3,), "furlong")
    assert (found["fluence"].numbers, found["fluence"].unit) == ((2e6,), "m^-2")


def test_unknown_units() -> None:
    assert to_si("parsec") is None
    assert to_si("m^2") == ("m^2", 1.0)


DAMAGED = {
    "": "no trace in it",
    "nothing\nto see": "no trace in it",
    "TRACE: airpath 5 m\n": "line 1: expected TRACE: name = numbers unit",
    "TRACE: pixel = 5\n": "line 1: expected pixel = FAST SLOW",
    "TRACE: step phi\n": "line 1: expected layer=0",
    "TRACE: a = 1 2\nTRACE: hkl = 1 x 3\n": "line 2: hkl: expected numbers and a unit",
    "TRACE: a = \n": "line 1: a: no value follows",
    "[1, 2]": "not the JSON of cupysim trace",
    "[": "not the JSON of cupysim trace",
    " 3 4 : stol = 1 or 2\nat 1 2\n": "line 1: a damaged -printout of pixel 3 4",
}


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged(content: str, tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text(content)
    with pytest.raises(FileFormatError, match=DAMAGED[content]):
        read(path)


def test_what_looks_like_a_trace() -> None:
    assert looks_like_trace(b"TRACE: x = 1")
    assert looks_like_trace("conversion ←".encode()[:-1])
    assert not looks_like_trace(b"{\nHEADER_BYTES=512;")
    assert not looks_like_trace(b"###CBF: VERSION")
    assert not looks_like_trace(b"\x89HDF\r\n")
    assert not looks_like_trace(bytes(range(256)))
