"""Shares of a campaign, and what SLURM and MPI say."""

from __future__ import annotations

from pathlib import Path

import pytest

from cupysim.campaign.execution.folder import create_folder
from cupysim.campaign.execution.shards import Shard, read_shard
from cupysim.errors import CupysimError
from tests.campaign.campaigns import campaign_of, text

ARRAY = {"SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_MAX": "9", "SLURM_ARRAY_TASK_COUNT": "3"}
BATCH = {"SLURM_PROCID": "0", "SLURM_NTASKS": "2"}


@pytest.mark.parametrize(
    ("text_of", "environment", "expected"),
    [
        ("2/8", {}, Shard(2, 8)),
        ("2/8", BATCH, Shard(2, 8)),
        ("auto", {}, Shard()),
        ("auto", {"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}, Shard(place=3, places=4)),
        # a batch script of one task is not told how many there are
        ("auto", {"SLURM_PROCID": "0"}, Shard()),
        # --array=3,5,9
        ("auto", ARRAY | {"SLURM_ARRAY_TASK_ID": "9"}, Shard(place=6, places=7)),
        # with two tasks in each of its jobs
        ("auto", ARRAY | {"SLURM_ARRAY_TASK_ID": "5", "SLURM_PROCID": "1", "SLURM_NTASKS": "2"},
         Shard(place=5, places=14)),
        # in the batch script of a job which has two tasks, then by mpirun in it
        ("auto", BATCH, Shard(place=0, places=2)),
        ("auto", BATCH | {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"},
         Shard(place=1, places=2)),
        ("auto", {"PMI_RANK": "0", "PMI_SIZE": "2"}, Shard(place=0, places=2)),
        # nonsense is no reason not to work
        ("auto", ARRAY | {"SLURM_ARRAY_TASK_ID": "10"}, Shard()),
        ("auto", {"SLURM_PROCID": "2", "SLURM_NTASKS": "2"}, Shard()),
    ],
)  # fmt: skip
def test_shards(text_of: str, environment: dict[str, str], expected: Shard) -> None:
    assert read_shard(text_of, environment) == expected


@pytest.mark.parametrize("place", range(14))
def test_whoever_is_there_does_all(tmp_path: Path, place: int) -> None:
    """Jobs of an array may never start."""
    folder = create_folder(str(tmp_path / "out"), campaign_of(tmp_path))
    chunks = Shard(place=place, places=14).chunks(folder)
    assert sorted(chunks) == [0, 1, 2]
    assert chunks[0] == place * 3 // 14


def test_parts_of_a_share(tmp_path: Path) -> None:
    folder = create_folder(str(tmp_path / "out"), campaign_of(tmp_path, text(shots=12)))
    assert Shard(1, 2).chunks(folder) == [1, 3]
    assert Shard(1, 2).part(1, 2).chunks(folder) == [3, 1]
    assert Shard().part(1, 2).part(2, 3) == Shard(place=5, places=6)


@pytest.mark.parametrize("wrong", ["8/8", "1", "a/b", "-1/2", "1/0", ""])
def test_wrong_shards(wrong: str) -> None:
    with pytest.raises(CupysimError, match="--shard"):
        read_shard(wrong, {})


def test_shards_share_all_chunks(tmp_path: Path) -> None:
    folder = create_folder(str(tmp_path / "out"), campaign_of(tmp_path))
    shared = [Shard(number, 2).chunks(folder) for number in range(2)]
    assert sorted(sum(shared, [])) == [0, 1, 2]  # noqa: RUF017
