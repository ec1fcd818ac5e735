"""cupysim campaign."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from cupysim.campaign.execution.claims import this_machine
from cupysim.campaign.execution.folder import open_folder
from cupysim.cli.main import main
from cupysim.formats.any_image import open_image
from tests.campaign.campaigns import BASE, DATA, text

Command = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(text())

    def run(words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["campaign", *words.split()])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_from_plan_to_export(command: Command, tmp_path: Path) -> None:
    status, out, _ = command("plan small.toml --processes 2")
    assert status == 0
    assert "7 shots in 3 files" in out
    assert "GB for each process" in out
    assert list(tmp_path.iterdir()) == [tmp_path / "small.toml"]
    status, out, err = command("run small.toml -o data --processes 1 --shard 0/3")
    assert status == 0, err
    assert "1 of 3 chunks are done" in out
    status, out, _ = command("status data")
    assert "3 of 7 shots are in finished files" in out
    assert "cupysim campaign resume data" in out
    status, out, _ = command("verify data --samples 0")
    assert status == 1
    assert "chunk 1 is missing" in out
    status, out, err = command("resume data --processes 1")
    assert status == 0
    assert "7 shots in" in out
    assert "images/s in each process: rendering" in err
    status, out, _ = command("status data --json")
    assert json.loads(out)["done"] == 7
    status, out, _ = command("verify data --samples 3")
    assert status == 0
    assert "7 images can be read; 3 were rendered again and are equal" in out
    # nothing is left to do
    assert command("resume data")[0] == 0
    status, out, _ = command("export data --table truth.csv --images shot_###.img --shots 2:4")
    assert status == 0
    with open("truth.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["shot"] for row in rows] == [str(n) for n in range(7)]
    assert rows[4]["file"] == "chunks/small_00001.h5"
    assert rows[4]["image"] == "1"
    with h5py.File("data/small.h5") as file:
        counts = file[DATA][3]
        assert float(rows[3]["photons"]) == counts.sum()
    found = open_image("shot_003.img").pixels.astype(int) - 40
    np.testing.assert_array_equal(found, np.minimum(counts, 65535 - 40))
    status, out, _ = command("export data --images shot_#.cbf --shots 6")
    assert "1 images: shot_6.cbf to shot_6.cbf" in out


def test_several_processes(command: Command) -> None:
    assert command("run small.toml --processes 2")[0] == 0
    assert command("verify small --samples 7")[0] == 0


def test_a_changed_image_is_found(command: Command) -> None:
    assert command("run small.toml -o data --processes 1")[0] == 0
    with h5py.File("data/chunks/small_00000.h5", "r+") as file:
        image = file[DATA][0]
        image[3, 4] += 1
        file[DATA][0] = image
    status, out, _ = command("verify data --samples 7")
    assert status == 1
    assert out.strip() == "shot 0: 1 pixels differ"
    Path("data/chunks/small_00001.h5").write_bytes(b"\x89HDF\r\n\x1a\n nothing")
    status, out, _ = command("verify data --samples 0")
    assert status == 1
    assert "small_00001.h5" in out


def test_failures_are_told(command: Command) -> None:
    Path("bad.toml").write_text(text("distance = { list = [50, 0] }", 4))
    status, out, err = command("run bad.toml --processes 1")
    assert status == 1
    assert "shot 1 could not be rendered: distance: must not be zero" in err
    assert "2 shots could not be rendered" in out
    assert "2 shots could not be rendered" in command("status bad")[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("run nothing.toml", "nothing.toml"),
        ("run small.toml --processes 0", "--processes 0: expected a number from 1 to"),
        ("run small.toml --threads 0 --processes 1", "--threads 0: expected a number from 1 to"),
        ("run small.toml --shard 3/3", "--shard 3/3: number 3 of 3"),
        ("run small.toml -o small.toml", "small.toml"),
        ("resume nowhere", "nowhere holds no campaign"),
        ("status small.toml", "small.toml holds no campaign"),
        ("export data", "give --table, --images or --cxi"),
        ("export data --table no/t.csv", "no/t.csv"),
        ("export data --images shot.img", "expected one row of # for"),
        ("export data --images shot_#.png", "ends in .img or .cbf"),
        ("export data --images s_#.img --shots 5:2", "--shots 5:2: there are 7 shots"),
        ("export data --images s_#.img --shots x", "--shots x: expected A:B"),
        ("verify data --samples -1", "--samples -1: expected a number from 0"),
        ("fly small.toml", "invalid choice: 'fly'"),
        ("", "required: ACTION"),
    ],
)
def test_mistakes(command: Command, words: str, told: str) -> None:
    if "data" in words:
        assert command("run small.toml -o data --processes 1")[0] == 0
    status, _, err = command(words)
    assert status == 2
    assert told in err
    assert len(err.splitlines()) == 1


def test_status_of_a_dead_run(command: Command, tmp_path: Path) -> None:
    """Whose claims are still there."""
    command("run small.toml -o data --processes 1")
    folder = open_folder(str(tmp_path / "data"))
    os.unlink(folder.chunk(1))
    os.unlink(folder.master)
    Path(folder.claim(1)).write_text(
        json.dumps({"machine": this_machine(), "pid": 2**22 + 1, "birth": "1", "done": 2})
    )
    status, out, _ = command("status data")
    assert status == 0
    assert "chunk 1: 2 of 3 shots" in out
    assert "this process is gone" in out
    assert "no process works on it" in out


def test_single_files_know_what_an_experiment_knows(command: Command, tmp_path: Path) -> None:
    """The master file's wavelength and the base's geometry, not the jitter."""
    vary = "distance = { normal = [0, 1], mode = 'plus' }\nwavelength = { normal = [1, 0.01] }"
    (tmp_path / "small.toml").write_text(text(vary, 4))
    command("run small.toml -o data --processes 1")
    assert command("export data --images shot_##.img")[0] == 0
    with h5py.File(tmp_path / "data" / "small.h5") as file:
        wavelengths = file["/entry/instrument/beam/incident_wavelength"][()]
    for shot, wavelength in enumerate(wavelengths):
        header = (tmp_path / f"shot_{shot:02d}.img").read_bytes()[:512].decode()
        assert "DISTANCE=60;" in header
        found = float(header.partition("WAVELENGTH=")[2].partition(";")[0])
        assert found == pytest.approx(wavelength, rel=1e-5)


def test_a_finished_campaign_without_its_inputs(command: Command, tmp_path: Path) -> None:
    """It is what others get; only rendering needs them."""
    base = BASE.replace("-default_F 100", "-hkl f.hkl")
    (tmp_path / "f.hkl").write_text("0 0 0 1\n3 3 3 9\n")
    (tmp_path / "small.toml").write_text(text(base=base, shots=3))
    assert command("run small.toml -o data --processes 1")[0] == 0
    os.unlink(tmp_path / "f.hkl")
    status, out, _ = command("status data")
    assert status == 0
    assert "all is done" in out
    status, out, err = command("verify data")
    assert status == 0
    assert "3 images can be read; 0 were rendered again" in out
    assert "but not rendered again" in err
    assert command("export data --table t.csv --images s_#.cbf")[0] == 0
    assert (tmp_path / "s_2.cbf").exists()
    status, _, err = command("resume data")
    assert status == 2
    assert "f.hkl" in err
