"""cupysim refine."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cupysim import from_args
from cupysim.cli.main import main
from cupysim.refine.report import refined_options
from tests.conftest import INPUTS, Run

MODEL = (
    f"-hkl {INPUTS / 'orc.hkl'} -nodump -N 10 -lambda 1 -distance 60 -detpixels 200 -pixel 0.3 "
    "-oversample 1 -fluence 1e28 -water 0.3"
)
CELL = "-cell 34.77 39.17 48.31 -misset 12 -34 56"
WRONG = "-cell 34.9 39.0 48.5 -misset 12.3 -34.3 56.2"


@pytest.fixture
def images(run: Run, tmp_path: Path) -> Path:
    outcome = run(
        f"{CELL} {MODEL} -corrected -seed 4 -h5file hidden.h5 -noisefile hidden.img -nopgm "
        "-noprogress"
    )
    assert outcome.status == 0
    return tmp_path


def told(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["refine", *words.split()])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def values(out: str) -> dict[str, float]:
    return {name: each["value"] for name, each in json.loads(out)["parameters"].items()}


@pytest.mark.parametrize("name", ["hidden.h5", "hidden.img"])
def test_a_hidden_truth(images: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = told(f"{name} {WRONG} {MODEL} --json", capsys)
    assert status == 0, err
    assert json.loads(out)["converged"]
    found = values(out)
    for axis, angle in zip("xyz", (12, -34, 56), strict=True):
        assert found[f"misset_{axis}"] == pytest.approx(angle, abs=0.01)
    for axis, length in zip("abc", (34.77, 39.17, 48.31), strict=True):
        assert found[f"cell_{axis}"] == pytest.approx(length, rel=2e-4)
    assert "from the start: misset_x -0.3" in err


def test_an_image_is_chosen_by_its_number(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = told(f"hidden.h5 --image 1 {WRONG} {MODEL}", capsys)
    assert status == 2
    assert "there is no image 1; the file has 0 to 0" in err


def test_report_matrix_and_picture(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = f"hidden.img {CELL} {MODEL} --free misset --search 0 --matrix out.mat --picture p.png"
    status, out, _ = told(words, capsys)
    assert status == 0
    assert "3 parameters" in out.splitlines()[0]
    assert "parameter" in out.splitlines()[1]
    assert "reduced chi-squared:" in out
    assert "as options: -misset 1" in out
    assert out.splitlines()[-1].startswith("converged: ")
    assert (images / "p.png").read_bytes().startswith(b"\x89PNG")
    # what was written is a start like any other
    again = f"hidden.img -mat out.mat {MODEL} --free misset --search 0 --json"
    status, out, _ = told(again, capsys)
    assert status == 0
    assert max(abs(value) for value in values(out).values()) < 0.01


def test_the_experiment_in_the_file(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = told("hidden.h5 --free misset --search 0 --json", capsys)
    assert status == 0
    assert json.loads(out)["chi_squared"][1] == pytest.approx(1.0, abs=0.05)
    status, out, _ = told("hidden.h5 -backend numpy -threads 1 --free scale --json", capsys)
    assert status == 0


def test_refined_options_make_the_refined_model(
    images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is printed is a start which needs no refinement any more."""
    start = f"{CELL} {MODEL} -distance 60.1 -Xbeam 29.9 -Ybeam 30.2 -lambda 1.0005"
    free = "--free distance,beam_centre,misset,wavelength,scale --search 0"
    status, out, _ = told(f"hidden.img {start} {free} --json", capsys)
    first = json.loads(out)
    assert {"-distance", "-Xbeam", "-Ybeam", "-misset", "-lambda", "-fluence"} <= {
        *first["options"]
    }
    words = " ".join(first["options"])
    status, out, _ = told(f"hidden.img {CELL} {MODEL} {words} --free scale --json", capsys)
    assert status == 0
    again = json.loads(out)
    assert again["chi_squared"][0] == pytest.approx(first["chi_squared"][1], rel=1e-3)
    assert again["parameters"]["scale"]["value"] == pytest.approx(1.0, abs=1e-3)


def test_options_of_ellipsoids_and_spreads() -> None:
    words = "-cell 50 60 70 -default_F 9 -N 9 -detpixels 8 -gauss_xtal -corrected"
    shape = "-off_diagonal_cells 1.5 -2 0.25"
    spreads = "-spread_abc 1 2 0.5 -spread_off_diagonal 0.25 0 -0.125"
    shown = from_args(f"{words} {shape} -domain_model normal {spreads}")
    for names, expected in (
        (("n_ab", "mosaic_a"), f"{spreads} {shape}"),
        (("mosaic_bc",), spreads),
        (("scale",), f"-fluence {shown.beam.fluence:.7g}"),
    ):
        refined = SimpleNamespace(experiment=shown, names=names)
        assert " ".join(refined_options(refined)) == expected  # type: ignore[arg-type]


def test_regions(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "hidden.h5 --free scale --region 0 9 0 9 --region 100 109 20 24 --json"
    status, out, _ = told(words, capsys)
    assert status == 0
    assert json.loads(out)["pixels"] == 150


@pytest.mark.parametrize(
    ("words", "told_why"),
    [
        ("hidden.img {model} --free misset", "wrong"),
        ("hidden.img {right} --free misset --search 0 --offset -900", "chi-squared is"),
        ("intimage.img {right} -mosaic 1 --free misset,scale --search 0", "does not describe"),
    ],
)
def test_what_is_no_solution(
    images: Path,
    words: str,
    told_why: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cupysim.refine.fit.HOPS", 2)
    filled = words.format(model=f"-cell 34.77 39.17 48.31 {MODEL}", right=f"{CELL} {MODEL}")
    status, out, _ = told(filled, capsys)
    assert status == 1
    last = out.splitlines()[-1]
    assert last.startswith("NOT CONVERGED: ")
    assert told_why in last


def test_failure_is_said(
    images: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cupysim.refine.fit.HOPS", 2)
    status, out, _ = told(f"hidden.img -cell 34.77 39.17 48.31 {MODEL} --free misset", capsys)
    assert status == 1
    assert out.splitlines()[-1].startswith("NOT CONVERGED: ")


def test_the_pedestal_of_a_header(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = (images / "hidden.img").read_bytes()
    added = b"IMAGE_PEDESTAL=140;\n"
    head = raw[:512].replace(b"}", added + b"}", 1)
    assert head[512:].strip(b" \n\x0c\0") == b""
    # saturated pixels stay so
    numbers = np.minimum(np.frombuffer(raw[512:], dtype="<u2").astype(np.int64) + 100, 65535)
    (images / "pedestal.img").write_bytes(head[:512] + numbers.astype("<u2").tobytes())
    words = f"pedestal.img {CELL} {MODEL} --free scale --search 0"
    status, out, err = told(words, capsys)
    assert status == 0, out
    assert "140" in err
    status, same, _ = told(words.replace("pedestal", "hidden"), capsys)
    assert status == 0
    pick = [line for line in out.splitlines() if line.startswith("scale")]
    assert pick == [line for line in same.splitlines() if line.startswith("scale")]
    # an option overrules the header, and 100 counts are then too many
    _, out, err = told(f"{words} -adc 40 --json", capsys)
    assert values(out)["scale"] > 1.01
    assert "pedestal" not in err.replace("pedestal.img", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("hidden.img", "options that describe the start are needed"),
        ("nothing.img", "nothing.img"),
        ("hidden.h5 --free weather", "there is no parameter 'weather'"),
        ("hidden.h5 --free misset --within misset", "--within misset: expected NAME=NUMBER"),
        ("hidden.h5 --free misset --within misset=-1", "expected a number above zero"),
        ("hidden.h5 --free misset --within cell=1", "is not a free parameter"),
        ("hidden.h5 --search -1", "search: from 0 to 20 degrees"),
        ("hidden.h5 --evaluations 0", "evaluations: must be at least 1"),
        ("hidden.h5 --region 0 999 0 9", "not in an image of 200 x 200"),
        ("hidden.h5 --offset nan", "--offset: expected a finite number"),
        ("hidden.h5 --picture p.doc", "--picture: expected a name that ends in"),
        ("hidden.h5 --picture no/p.png", "no/p.png"),
        ("hidden.h5 --matrix hidden.h5", "hidden.h5"),
        (f"hidden.h5 {CELL} {MODEL} -detpixels 20", "200 x 200 pixels, but the detector has 20"),
        (f"hidden.h5 {CELL} {MODEL} -tophat_spots", "spots of the shape tophat have edges"),
        ("hidden.h5 --region 50 40 0 9", "each first number must not be above the second"),
        ("hidden.h5 --region 0 1 0 0 --free misset", "2 pixels are too few for 3 parameters"),
        ("hidden.h5 --chi-squared 0 --free scale", "chi-squared: expected a number above zero"),
        ("hidden.h5 --saturation 0 --free scale", "no pixel is left"),
        ("hidden.h5 --saturation nan --free scale", "--saturation: expected a number"),
        ("hidden.h5 --free misset,,scale", "refine: there is no parameter ''"),
        ("hidden.h5 --region 0 9 0 9 --free misset", "no spots in the used pixels"),
        ("hidden.h5 -misset 1 2 3", "they describe the whole start"),
        ("hidden.h5 -corrected Q3", "refine always corrects all quirks"),
        ("hidden.h5 -tolerance much", "-tolerance: expected photons, such as 0.01"),
        ("hidden.h5 --matrix a.png --picture ./a.png", "--matrix and --picture name the same file"),
        ("hidden.h5 --target foo", "argument --target: invalid choice: 'foo'"),
        ("hidden.h5 --region 1 2 3", "--region: expected 4 arguments"),
    ],
)
def test_mistakes(
    images: Path, words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(images.iterdir())
    status, out, err = told(words, capsys)
    assert status == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("cupysim refine: error: ")
    assert message in err
    assert set(images.iterdir()) == before
