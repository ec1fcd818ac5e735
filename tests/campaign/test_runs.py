"""Runs: what they leave, however they end; interruptions are those of `scripts/torture`."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np
import pytest

from cupysim.backends.rendered import Observer, Rendered
from cupysim.campaign.definition.campaign import CampaignDefinition
from cupysim.campaign.definition.shots import Shot
from cupysim.campaign.execution import rendering
from cupysim.campaign.execution.claims import Claims, this_machine
from cupysim.campaign.execution.folder import Folder, create_folder, open_folder
from cupysim.campaign.execution.runs import finish, progress, run_here
from cupysim.campaign.execution.shards import Shard
from cupysim.campaign.execution.work import CampaignWorker
from cupysim.errors import CupysimError, DeviceError
from cupysim.formats.nexus.series import SHOTS
from cupysim.plan.render_plan import RenderPlan
from cupysim.storage.patient_file import PatientFile
from tests.campaign.campaigns import DATA, VARY, campaign_of, finished, images, text

ROOT = Path(__file__).parents[2]


def test_what_is_in_the_files(tmp_path: Path) -> None:
    content = text(VARY + "crystals = { list = [1, 2] }", 4,
                   output="images_per_file = 3\nexpected = true\nspots = true")  # fmt: skip
    folder = finished(tmp_path, content)
    with h5py.File(folder.chunk(0)) as file:
        truth = file[SHOTS]
        assert truth["shot"][()].tolist() == [0, 1, 2]
        assert truth["crystals"][()].tolist() == [1, 2, 1]
        assert truth["a_matrix"].shape == (3, 2, 3, 3)
        assert np.isnan(truth["a_matrix"][0, 1]).all()
        assert "units" not in truth["drawn_fluence"].attrs, "it is a factor"
        assert truth["fluence"].attrs["units"] == "photons/m^2"
        np.testing.assert_allclose(truth["fluence"], 1e27 * truth["drawn_fluence"][()])
        np.testing.assert_allclose(truth["cell_b"][1], 60 * truth["drawn_edges"][1])
        assert truth["n_a"][()].tolist()[1] == [5, 5]
        assert truth["distance"][()].tolist() == [60, 60, 60]
        assert np.isfinite(truth["drawn_misset_x"][1]).all()
        counts, expected = file[DATA][()], truth["expected_photons"][()]
        np.testing.assert_allclose(truth["photons"], counts.sum(axis=(1, 2)))
        # counts are Poisson's
        pulls = (counts - expected)[expected > 50] / np.sqrt(expected[expected > 50])
        assert pulls.std() == pytest.approx(1.0, abs=0.1)
        begin = truth["spots_begin"][()]
        assert begin[-1] == len(truth["spots"])
        assert len(begin) == 4
        assert file["/entry/definition"].asstr()[()] == "NXmx"
    with h5py.File(folder.master) as file:
        assert file[DATA].shape == (4, 24, 24)
        assert file[DATA].is_virtual
        assert file["/entry/instrument/beam/incident_wavelength"].shape == (4,)


def test_order_processes_and_sizes_of_chunks_do_not_matter(tmp_path: Path) -> None:
    reference = images(finished(tmp_path))
    other = finished(tmp_path, text(output="images_per_file = 2"), "other")
    np.testing.assert_array_equal(images(other), reference)
    campaign = campaign_of(tmp_path)
    backwards = create_folder(str(tmp_path / "back"), campaign)
    for number in (2, 0, 1):
        CampaignWorker(backwards, 1).work([number])
    assert finish(backwards)
    np.testing.assert_array_equal(images(backwards), reference)
    shards = create_folder(str(tmp_path / "shards"), campaign)
    for number in (1, 0):
        assert not finish(shards)
        run_here(shards, Shard(number, 2), 1)
    assert finish(shards)
    np.testing.assert_array_equal(images(shards), reference)


def test_noise_of_the_c_program(tmp_path: Path) -> None:
    """An image of a campaign is that of -seed."""
    folder = finished(tmp_path, text(shots=1, output="noise = 'nanobragg'"))
    with h5py.File(folder.chunk(0)) as file:
        seed = int(file[f"{SHOTS}/noise_seed"][0])
    rendered = rendering.render_shot(folder.campaign, 0, CampaignWorker(folder, 1)._render)
    np.testing.assert_array_equal(images(folder)[0], rendered.image.counts(seed))


def test_expected_photons_alone(tmp_path: Path) -> None:
    folder = finished(tmp_path, text(shots=2, output="counts = false"))
    assert images(folder).dtype == np.float32


def test_rotation_series(tmp_path: Path) -> None:
    base = "-cell 50 -default_F 10 -N 3 -detpixels 12 -pixel 4 -osc 0.5 -phisteps 2 -corrected"
    folder = finished(tmp_path, text("phi = { range = [10, 0.5] }", 4, base))
    with h5py.File(folder.master) as file:
        omega = file["/entry/sample/transformations/omega"][()]
        np.testing.assert_allclose(omega, [10, 10.5, 11, 11.5])
        np.testing.assert_allclose(file["/entry/sample/transformations/omega_end"][()], omega + 0.5)


def test_shots_which_cannot_be_rendered(tmp_path: Path) -> None:
    """They are kept in a list, and the others are there."""
    folder = finished(tmp_path, text("distance = { list = [50, 0, 60] }"))
    failures = folder.failures()
    assert [each["shot"] for each in failures] == [1, 4]
    assert all("distance: must not be zero" in each["error"] for each in failures)
    there = images(folder)
    assert (there[[1, 4]] == -1).all()
    assert (there[[0, 2, 3, 5, 6]] > 0).any(axis=(1, 2)).all()
    with h5py.File(folder.chunk(0)) as file:
        assert file[f"{SHOTS}/failed"][()].tolist() == [0, 1, 0]


def test_a_folder_is_of_one_campaign(tmp_path: Path) -> None:
    campaign = campaign_of(tmp_path)
    create_folder(str(tmp_path / "out"), campaign)
    create_folder(str(tmp_path / "out"), campaign)
    other = campaign_of(tmp_path, text(shots=8), "other.toml")
    with pytest.raises(CupysimError, match="holds another campaign"):
        create_folder(str(tmp_path / "out"), other)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(CupysimError, match="is not empty and holds no campaign"):
        create_folder(str(tmp_path / "full"), campaign)
    with pytest.raises(CupysimError, match="holds no campaign"):
        open_folder(str(tmp_path / "nowhere"))
    (tmp_path / "out" / "campaign.json").write_text("{")
    with pytest.raises(CupysimError, match="damaged"):
        open_folder(str(tmp_path / "out"))


def test_input_files_must_not_change(tmp_path: Path) -> None:
    (tmp_path / "f.hkl").write_text("1 0 0 5\n")
    content = text(base="-hkl f.hkl -cell 50 -N 5 -detpixels 12 -corrected")
    create_folder(str(tmp_path / "out"), campaign_of(tmp_path, content))
    assert open_folder(str(tmp_path / "out")).campaign.name == "small"
    (tmp_path / "f.hkl").write_text("1 0 0 6\n")
    with pytest.raises(CupysimError, match=r"f\.hkl has changed or is gone"):
        open_folder(str(tmp_path / "out"))


def test_an_error_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = create_folder(str(tmp_path / "out"), campaign_of(tmp_path))
    real = rendering.draw_shot

    def breaks(campaign: CampaignDefinition, number: int) -> Shot:
        if number == 4:
            raise MemoryError("Unable to allocate 9 TiB")
        return real(campaign, number)

    monkeypatch.setattr(rendering, "draw_shot", breaks)
    with pytest.raises(CupysimError, match=r"chunk 1: out of memory \(Unable to allocate 9 TiB\)"):
        run_here(folder, Shard(), 1)
    assert folder.done() == [0]
    assert folder.claimed() == []
    assert len(os.listdir(Path(folder.path) / "chunks")) == 1
    assert progress(folder).done == 3
    monkeypatch.setattr(rendering, "draw_shot", real)
    run_here(folder, Shard(), 1)
    assert finish(folder)
    np.testing.assert_array_equal(images(folder), images(finished(tmp_path, out="again")))


def test_two_which_do_the_same_chunk(tmp_path: Path) -> None:
    """The first file stays; nothing is left of the other."""
    folder = create_folder(str(tmp_path / "out"), campaign_of(tmp_path))
    target = folder.chunk(0)
    with folder.new_file(target) as first:
        first.write(b"first")
        with folder.new_file(target) as second:
            second.write(b"second")
    assert Path(target).read_bytes() == b"second"
    assert os.listdir(os.path.dirname(target)) == [os.path.basename(target)]


def test_all_who_end_together_write_the_master(tmp_path: Path) -> None:
    """One removed what another was writing, which then ended with an error."""
    folder = finished(tmp_path)
    for _ in range(3):
        os.unlink(folder.master)
        words = [sys.executable, "-m", "cupysim", "campaign", "resume", folder.path]
        ends = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(4)]
        for each in ends:
            _, err = each.communicate()
            assert each.returncode == 0, err
        assert sorted(name for name in os.listdir(folder.path) if name.endswith((".h5", ".part"))) \
            == [os.path.basename(folder.master)]  # fmt: skip


def test_a_faster_one_has_written_the_master(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And has removed what this one wrote, which on NFS is an error."""
    folder = finished(tmp_path)
    os.unlink(folder.master)

    def be_late(_: PatientFile) -> None:
        monkeypatch.undo()
        os.unlink(folder.claim(folder.campaign.n_chunks))
        assert finish(folder)
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(PatientFile, "finish", be_late)
    assert finish(folder)
    assert images(folder).any(axis=(1, 2)).all()


def test_a_chunk_which_was_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While its process slept; another does it now."""
    folder = create_folder(str(tmp_path / "out"), campaign_of(tmp_path))
    finish_file = PatientFile.finish

    def sleep(file: PatientFile) -> None:
        monkeypatch.undo()
        finish_file(file)
        os.unlink(folder.claim(0))
        folder.remove_parts(folder.chunk(0))

    monkeypatch.setattr(PatientFile, "finish", sleep)
    worker = CampaignWorker(folder, 1)
    worker.work([0], wait=False)
    assert worker.times.shots == 6
    assert folder.is_done(0)
    assert folder.claimed() == []


def test_torture() -> None:
    """A round of each kind of violence."""
    words = [sys.executable, ROOT / "scripts" / "torture", "--rounds", "1", "--shots", "16"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No shot was lost, doubled or different." in done.stdout
    left_out = [line for line in done.stdout.splitlines() if "left out" in line]
    assert all("tmpfs" in line for line in left_out), left_out


def test_a_device_which_does_not_work_is_no_shots_fault(tmp_path: Path) -> None:
    """Else masked images would pass for a finished campaign."""
    folder = create_folder(str(tmp_path / "out"), campaign_of(tmp_path))
    worker = CampaignWorker(folder, 1)

    def broken(plan: RenderPlan, observer: Observer) -> Rendered:
        raise DeviceError("backend cuda: an illegal memory access was encountered")

    worker._render = broken
    with pytest.raises(DeviceError, match="illegal memory access"):
        worker.work([0])
    assert folder.done() == []
    assert folder.claimed() == []
    assert folder.failures() == []


def test_failures_are_those_of_the_last_time(tmp_path: Path) -> None:
    """A chunk which is done once more may have none."""
    folder = finished(tmp_path)
    os.unlink(folder.chunk(0))
    folder.write(folder.failure(0), lambda out: out.write(b'[{"shot": 1, "error": "x"}]'))
    assert progress(folder).failed == 1
    run_here(folder, Shard(), 1)
    assert folder.failures() == []
    Path(folder.failure(1)).write_text("")
    with pytest.raises(CupysimError, match=r"00001\.json: damaged"):
        folder.failures()


def test_all_that_is_free_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a listing is old, and shows as free what another has; then there is a pause."""
    folder = create_folder(str(tmp_path / "out"), campaign_of(tmp_path))
    other = Claims(folder).take(0)
    assert other is not None
    monkeypatch.setattr(Folder, "claimed", lambda self: [])
    worker = CampaignWorker(folder, 1)
    worker.work([0, 1, 2], wait=False)
    assert folder.done() == [1, 2]
    pauses: list[float] = []

    def pause(self: CampaignWorker, seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 7:
            other.release()

    monkeypatch.setattr(CampaignWorker, "_sleep", pause)
    worker.work([0, 1, 2])
    assert folder.done() == [0, 1, 2]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_what_a_kill_between_two_steps_leaves(tmp_path: Path) -> None:
    """Of a chunk which is done: its other name, and its claim."""
    folder = finished(tmp_path)
    part = Path(folder.path) / "chunks" / ".small_00001.h5.123.abc.part"
    os.link(folder.chunk(1), part)
    dead = {"machine": this_machine(), "pid": 2**22 + 1, "birth": "1"}
    Path(folder.claim(1)).write_text(json.dumps(dead))
    assert finish(folder)
    assert not part.exists()
    assert folder.claimed() == []


def test_two_files_for_one_folder_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes last sees that it was another's."""
    ours, theirs = campaign_of(tmp_path), campaign_of(tmp_path, text(shots=9), "small2.toml")
    write = Folder.write

    def race(self: Folder, path: str, writer: Callable[[BinaryIO], object]) -> None:
        write(self, path, writer)
        if path.endswith("campaign.toml"):
            write(self, path, lambda stream: stream.write(theirs.text.encode()))

    monkeypatch.setattr(Folder, "write", race)
    with pytest.raises(CupysimError, match="another campaign was begun"):
        create_folder(str(tmp_path / "out"), ours)
