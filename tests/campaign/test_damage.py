"""Folders which somebody has damaged, or is about to: told in a line, never silent."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from cupysim.campaign.definition.campaign_file import read_campaign
from cupysim.campaign.execution.runs import progress
from cupysim.cli.main import main
from cupysim.errors import FileFormatError
from cupysim.formats.nexus.series import SHOTS
from tests.campaign.campaigns import VARY, finished, text

Command = Callable[[str], tuple[int, str]]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs actions on a finished campaign, `out`; status and all that is said."""
    monkeypatch.chdir(tmp_path)
    finished(tmp_path)

    def run(words: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main(["campaign", *words.split()])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return run


@pytest.mark.parametrize(
    "target",
    ["out/campaign.json", "out/new.csv", "out/chunks/small_00000.h5", "out/small.h5", "link.csv"],
)
def test_exports_do_not_overwrite_the_campaign(
    command: Command, target: str, tmp_path: Path
) -> None:
    os.symlink("out/campaign.json", tmp_path / "link.csv")
    before = (tmp_path / "out" / "campaign.json").read_bytes()
    status, told = command(f"export out --table {target}")
    assert status == 2
    assert "campaign's own files" in told
    assert (tmp_path / "out" / "campaign.json").read_bytes() == before
    os.symlink("out/campaign.json", tmp_path / "s_0.img")
    status, told = command("export out --images s_#.img --shots 0:2")
    assert status == 2
    assert "campaign's own files" in told
    assert not (tmp_path / "s_1.img").exists()


def test_a_campaign_file_which_was_edited(command: Command, tmp_path: Path) -> None:
    """Else the other images would be another data set's."""
    path = tmp_path / "out" / "campaign.toml"
    path.write_text(path.read_text().replace("seed = 5", "seed = 6"))
    for action in ("resume", "status", "verify", "export --table t.csv"):
        status, told = command(f"{action.split()[0]} out {' '.join(action.split()[1:])}")
        assert status == 2
        assert "campaign.toml has changed since the campaign began" in told


def test_a_chunk_of_another_campaign(command: Command, tmp_path: Path) -> None:
    other = finished(tmp_path, text().replace("seed = 5", "seed = 6"), "other")
    shutil.copy(other.chunk(1), tmp_path / "out" / "chunks" / "small_00001.h5")
    status, told = command("verify out --samples 0")
    assert status == 1
    assert "small_00001.h5: it does not belong to the campaign" in told
    assert command("export out --table t.csv")[0] == 2
    os.unlink(tmp_path / "out" / "small.h5")
    status, told = command("resume out --processes 1")
    assert status == 2
    assert "it does not belong to the campaign" in told
    assert not (tmp_path / "out" / "small.h5").exists()


def remove(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[f"{SHOTS}/{name}"]

    return change


def shorten(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        values = file[f"{SHOTS}/{name}"][()]
        del file[f"{SHOTS}/{name}"]
        file[f"{SHOTS}/{name}"] = values[:-1]

    return change


def reshape(file: h5py.File) -> None:
    del file["/entry/data/data"]
    file["/entry/data/data"] = np.zeros((3, 2, 2), dtype=np.int32)


@pytest.mark.parametrize(
    "change", [remove("phi"), remove("crystals"), shorten("phi"), shorten("a_matrix"), reshape]
)
def test_a_chunk_which_is_not_whole(
    command: Command, change: Callable[[h5py.File], None], tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "out" / "chunks" / "small_00000.h5", "r+") as file:
        change(file)
    status, told = command("verify out")
    assert status == 1
    assert "small_00000.h5: " in told
    status, told = command("export out --table t.csv")
    assert status == 2
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("what", ["garbage", "foreign", "folder", "gone", "dangling"])
def test_a_master_file_which_is_none(command: Command, what: str, tmp_path: Path) -> None:
    master = tmp_path / "out" / "small.h5"
    os.unlink(master)
    if what == "garbage":
        master.write_bytes(b"x" * 100)
    elif what == "foreign":
        shutil.copy(tmp_path / "out" / "chunks" / "small_00000.h5", master)
    elif what == "folder":
        master.mkdir()
    elif what == "dangling":
        os.symlink("nowhere", master)
    status, told = command("verify out --samples 0")
    assert status == 1
    assert "small.h5" in told
    # it has its name, so it is not made again; but nobody waits for it
    assert command("resume out --processes 1")[0] == 0


@pytest.mark.parametrize(
    "distribution",
    [
        "n_cells = { list = [5, 1e299], mode = 'times' }",
        "fluence = { log_normal = [1e27, 1e5] }",
        "edges = { list = [1, 1e290, 1], mode = 'times' }",
    ],
)
def test_numbers_which_cannot_be_computed_with(tmp_path: Path, distribution: str) -> None:
    """Shots for which they are drawn are masked; the others are there."""
    folder = finished(tmp_path, text(f"orientation = 'uniform'\n{distribution}", 6), "odd")
    failed = {each["shot"] for each in folder.failures()}
    assert failed
    assert failed < set(range(6))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[1]", b"null", b'{"machine": "", "pid": 1, "birth": "1"}', b"[" * 100000,
        b'{"machine": "m", "pid": "\\u0000", "birth": "1"}',
        b'{"machine": "m", "pid": 1, "birth": "1", "done": "x"}',
        b'{"machine": "m", "pid": 1e400, "birth": "1"}',
    ],
)  # fmt: skip
def test_claims_of_nobody(tmp_path: Path, content: bytes) -> None:
    folder = finished(tmp_path)
    os.unlink(folder.chunk(1))
    Path(folder.claim(1)).write_bytes(content)
    assert progress(folder).workers == ()


@pytest.mark.parametrize("content", ["{{{", "", "5", "null", '["a"]', '[{"a": 1}]', "[" * 100000])
def test_lists_of_failures_which_are_none(command: Command, content: str, tmp_path: Path) -> None:
    (tmp_path / "out" / "failures").mkdir()
    (tmp_path / "out" / "failures" / "00000.json").write_text(content)
    for action in ("status", "resume", "verify"):
        status, told = command(f"{action} out")
        assert status == 2
        assert "00000.json: damaged" in told.splitlines()[-1]


@pytest.mark.parametrize("value", ["[]", '"x"', "null", "[" * 100000])
def test_records_which_are_none(command: Command, value: str, tmp_path: Path) -> None:
    path = tmp_path / "out" / "campaign.json"
    record = json.loads(path.read_text())
    record["sha256"] = "HERE"
    path.write_text(json.dumps(record).replace('"HERE"', value))
    status, told = command("status out")
    assert status == 2
    assert "campaign.json: damaged" in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    "content",
    [
        text(shots=7).replace("seed = 5", f"seed = 1{'0' * 5000}"),
        text(output=f"spots = 1{'0' * 600}"),
        text(f"fluence = {{ constant = 1{'0' * 600} }}"),
        text(f"orientation = {{ spread = 1{'0' * 600} }}"),
        text(f"spectrum = {{ bandwidth = 1{'0' * 600} }}"),
        text("fluence = { column = [] }"),
        text("orientation = { columns = [[], [], []] }"),
        text(f"fluence = {{ choice = {'[' * 3000}{']' * 3000} }}"),
    ],
)
def test_campaign_files_of_madmen(tmp_path: Path, content: str) -> None:
    (tmp_path / "mad.toml").write_text(content)
    with pytest.raises(FileFormatError, match=r"mad\.toml"):
        read_campaign(tmp_path / "mad.toml")


@pytest.mark.parametrize("content", [b"a\r1\r2\r", b"a\n" + b"1" * 200000, b"\xff", b"a,a\n1,2\n"])
def test_tables_of_madmen(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    path = tmp_path / "mad.toml"
    path.write_text(text(VARY, 1, more="[table]\nfile = 't.csv'"))
    with pytest.raises(FileFormatError, match=r"t\.csv"):
        read_campaign(path)


@pytest.mark.parametrize(
    "words", ["--processes 0", "--threads 0", "--shard 1/1", "--engine processes --scheduler x"]
)
def test_wrong_options_make_nothing(command: Command, words: str, tmp_path: Path) -> None:
    status, _ = command(f"run small.toml -o new {words}")
    assert status == 2
    assert not (tmp_path / "new").exists()


def test_a_folder_with_the_file_of_another(command: Command, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "campaign.toml").write_text("mine")
    status, told = command("run small.toml -o new")
    assert status == 2
    assert "holds another campaign.toml" in told
    assert (tmp_path / "new" / "campaign.toml").read_text() == "mine"


def test_parts_of_the_folder_which_are_gone(command: Command, tmp_path: Path) -> None:
    """They are made again."""
    shutil.rmtree(tmp_path / "out" / "claims")
    os.unlink(tmp_path / "out" / "chunks" / "small_00002.h5")
    os.unlink(tmp_path / "out" / "small.h5")
    assert command("resume out --processes 1")[0] == 0
    assert command("verify out --samples 1")[0] == 0


def test_reading_needs_no_backend(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign of a machine with a GPU is checked on one without."""

    def none(*arguments: object) -> None:
        raise AssertionError("nothing is to be rendered")

    monkeypatch.setattr("cupysim.campaign.execution.verify.open_renderer", none)
    status, told = command("verify out --samples 0")
    assert status == 0
    assert "7 images can be read" in told
