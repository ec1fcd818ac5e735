"""How an image was made: the record of a run, and what comes of running it again."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cupysim
from cupysim import provenance
from cupysim.cli.main import main
from cupysim.formats import nexus
from tests.conftest import Outcome, Run

WORDS = (
    "-hkl few.hkl -cell 30 40 50 90 90 90 -N 3 -lambda 1 -pixel 2 -detpixels 16 -distance 60 "
    "-nopgm -provenance p.json"
)


@pytest.fixture
def record(run: Run) -> dict[str, Any]:
    outcome = run(f"{WORDS} -h5file a.h5", ["few.hkl"])
    assert outcome.status == 0, outcome.err
    return json.loads(outcome.files["p.json"])


def again(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["rerun", *words.split()])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_record(record: dict[str, Any], tmp_path: Path) -> None:
    """Each claim against what it is of."""
    assert record["arguments"] == f"{WORDS} -h5file a.h5".split()
    assert record["resolved"]["pixel"] == 0.002
    assert record["resolved"]["noise_seed"] is None
    assert (
        record["derived"]["oversample"]
        == cupysim.from_args(
            "-default_F 1 -cell 30 40 50 -N 3 -lambda 1 -pixel 2 -detpixels 16 -distance 60 -nodump"
        ).oversample
    )
    assert record["seeds"]["noise"] == record["seeds"]["clock"]
    assert record["versions"]["cupysim"] == cupysim.__version__
    assert record["versions"]["python"] == platform.python_version()
    assert record["versions"]["numpy"] == np.__version__
    for entry in [*record["inputs"], *record["outputs"]]:
        data = (tmp_path / entry["path"]).read_bytes()
        assert entry["bytes"] == len(data)
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()
    assert [entry["path"] for entry in record["inputs"]] == ["few.hkl"]
    assert {entry["path"] for entry in record["outputs"]} == {
        "floatimage.bin", "intimage.img", "noiseimage.img", "Fdump.bin", "a.h5",
    }  # fmt: skip
    image = (tmp_path / "floatimage.bin").read_bytes()
    assert record["image"]["expected_photons"] == hashlib.sha256(image).hexdigest()
    assert set(record["seconds"]) == {"reading", "planning", "rendering", "writing"}
    assert all(0.0 <= seconds < 100.0 for seconds in record["seconds"].values())


def test_inside_hdf5(record: dict[str, Any], tmp_path: Path) -> None:
    content = nexus.read(tmp_path / "a.h5")
    inside = json.loads(content.record)
    # what is written into a file cannot know of the file
    told = {name: value for name, value in record.items() if name not in ("outputs", "seconds")}
    assert {name: value for name, value in inside.items() if name != "seconds"} == told
    assert content.counts is not None
    assert inside["image"]["counted_photons"] == provenance.digest(content.counts)


def test_images_of_python_tell_too(tmp_path: Path) -> None:
    image = cupysim.simulate(
        cupysim.from_args("-default_F 1 -cell 30 -detpixels 8 -nodump"), "numpy"
    )
    image.save(tmp_path / "a.h5")
    inside = json.loads(nexus.read(tmp_path / "a.h5").record)
    assert inside["computed_by"] == {
        "backend": "numpy", "precision": "double", "devices": ["1 thread"],
    }  # fmt: skip
    assert inside["image"]["expected_photons"] == provenance.digest(image.array)


def test_sources_are_told_apart() -> None:
    assert re.fullmatch("[0-9a-f]{16}", provenance.sources_digest())


@pytest.mark.parametrize("file", ["p.json", "a.h5"])
def test_rerun(
    file: str, record: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The seed was the clock's; the same photons are counted all the same; nothing is written."""
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    status, out, _ = again(file, capsys)
    assert status == 0
    assert "the same image, to the last bit" in out
    assert "the same counted photons" in out
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_random_orientation_again(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run(f"{WORDS} -misset random -mosaic 1 -mosaic_dom 3", ["few.hkl"])
    record = json.loads(outcome.files["p.json"])
    assert record["seeds"]["misset"] == record["seeds"]["clock"]
    assert "the same counted photons" in again("p.json", capsys)[1]


def test_other_backends(
    record: dict[str, Any], backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = again(f"p.json --backend {backend}", capsys)
    assert status == 0
    assert "the same image" in out
    assert f"now by {backend}" in out


def test_where_the_inputs_are(
    record: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert again("../p.json", capsys)[0] == 0
    (tmp_path / "few.hkl").rename(tmp_path / "gone.hkl")
    status, _, err = again("../p.json", capsys)
    assert status == 2
    assert "few.hkl (-hkl) is not there; run this where it is" in err
    (tmp_path / "few.hkl").write_bytes((tmp_path / "gone.hkl").read_bytes() + b"1 1 1 5\n")
    status, _, err = again("../p.json", capsys)
    assert status == 2
    assert "few.hkl (-hkl) has changed since the earlier run" in err


def _edit(tmp_path: Path, change: Any) -> None:
    record = json.loads((tmp_path / "p.json").read_text())
    change(record)
    (tmp_path / "p.json").write_text(json.dumps(record))


def test_another_image_is_noticed(
    record: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With the earlier image there, and without."""

    def other_distance(record: dict[str, Any]) -> None:
        record["arguments"][record["arguments"].index("60")] = "61"

    _edit(tmp_path, other_distance)
    status, out, _ = again("p.json", capsys)
    assert status == 1
    assert re.search("different: .* of 256 pixels beyond 1e-06", out)
    (tmp_path / "floatimage.bin").unlink()
    status, out, _ = again("p.json", capsys)
    assert status == 1
    assert "different: maximum" in out


def test_image_and_record_may_move_together(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a run without inputs, with last bits which differ; without the image, nobody can tell."""
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    words = "-cell 30 -default_F 5 -N 5 -detpixels 32 -nodump -nopgm -nonoise -provenance p.json"
    assert main([*words.split(), "-backend", "numpy"]) == 0
    (tmp_path / "there").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    record = json.loads((tmp_path / "moved" / "p.json").read_text())
    image = np.fromfile(tmp_path / "moved" / "floatimage.bin", "<f4")
    image[0] = np.nextafter(image[0], np.float32(np.inf))
    image.tofile(tmp_path / "moved" / "floatimage.bin")
    digest = hashlib.sha256(image.tobytes()).hexdigest()
    record["image"]["expected_photons"] = record["outputs"][0]["sha256"] = digest
    (tmp_path / "moved" / "p.json").write_text(json.dumps(record))
    status, out, _ = again("moved/p.json --backend numpy", capsys)
    assert status == 0
    assert "the same image within 1e-06, 1023 pixels to the last bit" in out
    (tmp_path / "moved" / "floatimage.bin").unlink()
    status, _, err = again("moved/p.json --backend numpy", capsys)
    assert status == 2
    assert "its pixels cannot be compared" in err


def test_an_input_which_was_not_read(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A table which lies about where the inputs are, and was not there before."""
    words = "-sourcefile sources_mixed.txt -cell 30 -default_F 5 -detpixels 8 -provenance p.json"
    assert run(words, ["sources_mixed.txt"]).status == 0
    assert again("p.json", capsys)[0] == 0
    run("-hkl few.hkl -cell 30 -detpixels 8", ["few.hkl"])
    status, _, err = again("p.json", capsys)
    assert status == 2
    assert "Fdump.bin (-dump) would be read, but the earlier run did not read it" in err


def test_tables_of_matter_are_inputs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """They are in the record, must not change, and are not replaced."""
    run("-h")
    for name in ("a.stol", "b.stol"):
        Path(name).write_text("0 3\n0.1 4\n0.3 5\n")
    words = "-cell 30 -default_F 5 -detpixels 8 -background air,1"
    words += " -background a.stol,1,1,18 -background b.stol,1,1,18"
    assert run(f"{words} -provenance p.json").status == 0
    found = [
        (each["option"], each["path"]) for each in json.loads(Path("p.json").read_text())["inputs"]
    ]
    assert found == [("-background", "a.stol"), ("-background, file 2", "b.stol")]
    assert again("p.json", capsys)[0] == 0
    Path("b.stol").write_text("0 3\n0.1 4\n0.3 6\n")
    status, _, err = again("p.json", capsys)
    assert status == 2
    assert "b.stol (-background, file 2) has changed" in err
    outcome = run(f"{words} -floatfile a.stol")
    assert outcome.status == 9
    assert "a.stol would replace an input file of this run" in outcome.err


def test_inputs_are_those_of_the_record(
    record: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "other.hkl").write_bytes((tmp_path / "few.hkl").read_bytes())

    def other(record: dict[str, Any]) -> None:
        record["arguments"][record["arguments"].index("few.hkl")] = "other.hkl"

    _edit(tmp_path, other)
    status, _, err = again("p.json", capsys)
    assert status == 2
    assert "other.hkl (-hkl) would be read, but the earlier run did not read it" in err
    for rtol in ("nan", "inf", "-1"):
        status, _, err = again(f"p.json --rtol {rtol}", capsys)
        assert status == 2
        assert "--rtol: expected a number" in err


DAMAGED = {
    "[" * 200_000: "no record of a run",
    '{"layout": 1, "seeds": {"clock": NaN}}': "no record of a run",
    "": "no record of a run",
    "{}": "no record of a run",
    '{"layout": 99}': "its layout is 99; another version",
    '{"layout": 1, "arguments": 5}': "no record of a run",
    "[]": "no record of a run",
}


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.json").write_text(content)
    status, _, err = again(str(tmp_path / "p.json"), capsys)
    assert status == 2
    assert DAMAGED[content] in err


def test_images_of_python_have_no_arguments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = cupysim.from_args("-default_F 1 -cell 30 -detpixels 8 -nodump")
    cupysim.simulate(experiment).save(tmp_path / "a.h5")
    status, _, err = again(str(tmp_path / "a.h5"), capsys)
    assert status == 2
    assert "it was not written by the cupysim command" in err


def test_nothing_is_written_after_an_error(run: Run) -> None:
    outcome: Outcome = run(f"{WORDS} -floatfile no/where.bin", ["few.hkl"])
    assert (outcome.status, outcome.files) == (9, {})
    outcome = run(f"{WORDS} -noisefile p.json", ["few.hkl"])
    assert outcome.status == 9
    assert "p.json is named for two output files" in outcome.err
