"""Runs with Dask, mostly on a cluster within this process; killed ones are `scripts/torture`'s."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cupysim.campaign.execution import cluster
from cupysim.campaign.execution.claims import Claims
from cupysim.campaign.execution.cluster import _Run, do_chunk, run_cluster
from cupysim.campaign.execution.folder import Folder, create_folder
from cupysim.campaign.execution.runs import finish
from cupysim.campaign.execution.shards import Shard
from cupysim.campaign.execution.work import CampaignWorker, Times
from cupysim.errors import CupysimError, OptionError
from tests.campaign.campaigns import BASE, campaign_of, finished, images, text

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def threads() -> Iterator[Any]:
    """A cluster of two threads of this process."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None,
        protocol="inproc://", silence_logs="CRITICAL",
    ) as made:  # fmt: skip
        yield made


@pytest.fixture
def client(threads: Any) -> Iterator[Any]:
    with distributed.Client(threads, set_as_default=False) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return create_folder(str(tmp_path / "out"), campaign_of(tmp_path))


def nothing() -> None:
    """Nobody listens."""


def test_images_are_those_of_one_process(folder: Folder, tmp_path: Path) -> None:
    """Workers are processes; here they, the scheduler and the client are this command's."""
    told: list[str] = []
    times = run_cluster(folder, Shard(), 2, 1, None, told.append, nothing)
    assert finish(folder)
    assert times.shots == 7
    assert times.render > 0.0
    np.testing.assert_array_equal(images(folder), images(finished(tmp_path, out="again")))


def test_a_cluster_which_is_there(folder: Folder, threads: Any, tmp_path: Path) -> None:
    """By its address; workers of several threads do not disturb each other."""
    times = run_cluster(folder, Shard(), 9, 1, threads.scheduler_address, print, nothing)
    assert times.shots == 7
    assert finish(folder)
    np.testing.assert_array_equal(images(folder), images(finished(tmp_path, out="again")))


def test_only_what_is_left(folder: Folder, client: Any) -> None:
    assert _Run(client, folder, 1).until_done([1], nothing).shots == 3
    assert folder.done() == [1]
    assert _Run(client, folder, 1).until_done([1, 2], nothing).shots == 1
    assert folder.done() == [1, 2]


def test_what_another_works_on_is_waited_for(folder: Folder, client: Any) -> None:
    """Until he has done it, or let it go."""
    claim = Claims(folder).take(1)
    assert claim is not None
    looks: list[int] = []

    def look() -> None:
        looks.append(len(folder.done()))
        if len(looks) == 12:
            claim.release()

    assert _Run(client, folder, 1).until_done([0, 1, 2], look).shots == 7
    assert looks[11] == 2


@pytest.mark.parametrize("failures", [cluster.RETRIES, cluster.RETRIES + 1])
def test_retries(
    folder: Folder, client: Any, failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk or a device may be back after a while."""
    tries: list[str] = []

    def flaky(path: str, identity: str, threads: int | None) -> CampaignWorker:
        tries.append(path)
        if len(tries) <= failures:
            raise CupysimError("no space left")
        return CampaignWorker(folder, threads)

    monkeypatch.setattr(cluster, "_worker", flaky)
    if failures == cluster.RETRIES:
        assert _Run(client, folder, 1).until_done([2], nothing).shots == 1
    else:
        with pytest.raises(CupysimError, match="no space left"):
            _Run(client, folder, 1).until_done([2], nothing)
    assert len(tries) == cluster.RETRIES + 1


def test_workers_outlive_campaigns(tmp_path: Path, client: Any) -> None:
    """A folder which was made anew is another campaign's."""
    for words in (BASE, BASE.replace("-N 5", "-N 4")):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        folder = create_folder(str(tmp_path / "out"), campaign_of(tmp_path, text(base=words)))
        _Run(client, folder, 1).until_done([0, 1, 2], nothing)
        assert finish(folder)
        expected = finished(tmp_path, text(base=words), "again")
        np.testing.assert_array_equal(images(folder), images(expected))
        shutil.rmtree(expected.path)


def test_errors_cross_to_other_processes(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those which take other arguments than their message."""

    def fails(*arguments: object) -> None:
        raise OptionError("-lambda", "too short")

    monkeypatch.setattr(cluster, "_worker", fails)
    with pytest.raises(CupysimError, match="-lambda: too short") as caught:
        do_chunk(folder.path, folder.identity, 0, 1)
    assert type(caught.value) is CupysimError


def test_a_scheduler_which_is_lost(
    folder: Folder, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "LOST", 0.2)
    run = _Run(client, folder, 1)
    monkeypatch.setattr(client, "status", "connecting")
    with pytest.raises(CupysimError, match=r"scheduler is gone.*campaign resume .*out"):
        run.until_done([0], nothing)
    monkeypatch.setattr(client, "status", "running")


@pytest.mark.parametrize(
    ("scheduler", "told"),
    [
        ("nowhere.json", "--scheduler nowhere.json: there is no such file"),
        ("tcp://127.0.0.1:9", "--scheduler tcp://127.0.0.1:9: Timed out"),
        ("strange://host:1", "--scheduler strange://host:1: "),
    ],
)
def test_schedulers_which_are_not_there(
    folder: Folder, scheduler: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "LOST", 0.2)
    with pytest.raises(CupysimError, match=told):
        run_cluster(folder, Shard(), 1, 1, scheduler, print, nothing)


def test_devices_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each worker sees one GPU, by its number."""
    for name, devices, visible in (
        ("3", "0,2", "2"), ("2", "GPU-a,GPU-b", "GPU-a"), ("tcp://x", "0,1", "before"),
        ("1", "", "before"),
    ):  # fmt: skip
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "before")
        monkeypatch.setenv(cluster.DEVICES, devices)
        monkeypatch.setattr(
            distributed, "get_worker", lambda name=name: type("W", (), {"name": name})
        )
        cluster._pin_device()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == visible


def test_times_add_up() -> None:
    assert Times(1, 2.0, 3.0) + Times(4, 1.0, 0.5, write=0.25) == Times(5, 3.0, 3.5, write=0.25)
