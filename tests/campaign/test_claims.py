"""Claims on chunks: one owner at a time, none for ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cupysim.campaign.execution.claims import Claims, birth, read_claim, this_machine
from cupysim.campaign.execution.folder import Folder, create_folder
from tests.campaign.campaigns import campaign_of


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return create_folder(str(tmp_path / "out"), campaign_of(tmp_path))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def written(folder: Folder, number: int, **facts: object) -> None:
    """A claim which somebody else left."""
    fact = {"machine": "elsewhere", "pid": 1, "birth": "1", "beats": 1, **facts}
    Path(folder.claim(number)).write_text(json.dumps(fact))


def test_one_owner(folder: Folder) -> None:
    mine, others = Claims(folder), Claims(folder)
    claim = mine.take(1)
    assert claim is not None
    assert others.take(1) is None
    other = others.take(2)
    assert other is not None
    claim.tell(done=3)
    claim.beat()
    with open(folder.claim(1), "rb") as stream:
        told = read_claim(stream.read())
    assert told is not None
    assert told["done"] == 3
    assert told["pid"] == os.getpid()
    claim.release()
    other.release()
    assert folder.claimed() == []


def test_a_hundred_at_once(folder: Folder) -> None:
    """Of all who take a chunk whose owner is dead, at the same moment, one gets it."""
    for _ in range(20):
        written(folder, 1, machine=this_machine(), pid=2**22 + 5)
        barrier, got = threading.Barrier(8), []

        def take(barrier: threading.Barrier = barrier, got: list = got) -> None:
            claims = Claims(folder)
            barrier.wait()
            claim = claims.take(1)
            if claim is not None:
                got.append(claim)

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (claim,) = got
        claim.release()
        assert folder.claimed() == []


def test_a_dead_process_of_this_machine(folder: Folder) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = birth(child.pid)
    written(folder, 0, machine=this_machine(), pid=child.pid, birth=began)
    assert Claims(folder).take(0) is None
    child.kill()
    # even where nobody has asked for its end
    while birth(child.pid) is not None:
        pass
    claim = Claims(folder).take(0)
    assert claim is not None
    claim.release()
    child.communicate()


def test_a_number_which_another_process_has_now(folder: Folder) -> None:
    written(folder, 0, machine=this_machine(), pid=os.getpid(), birth="12")
    claim = Claims(folder).take(0)
    assert claim is not None
    claim.release()


@pytest.mark.parametrize("shift", [-1e9, 0.0, 1e9])
def test_owners_elsewhere(folder: Folder, shift: float) -> None:
    """They count as gone when they have not changed for a while, whatever their clock says."""
    written(folder, 0)
    os.utime(folder.claim(0), (1.7e9 + shift, 1.7e9 + shift))
    clock = Clock()
    claims = Claims(folder, stale=60.0, clock=clock)
    assert claims.take(0) is None
    clock.now += 59.0
    assert claims.take(0) is None
    written(folder, 0, beats=2)
    clock.now += 59.0
    assert claims.take(0) is None
    clock.now += 61.0
    claim = claims.take(0)
    assert claim is not None
    claim.release()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}"])
def test_what_was_not_written_to_its_end(folder: Folder, content: bytes) -> None:
    Path(folder.claim(0)).write_bytes(content)
    clock = Clock()
    claims = Claims(folder, stale=60.0, clock=clock)
    assert claims.take(0) is None
    clock.now += 61.0
    claim = claims.take(0)
    assert claim is not None
    claim.release()


def test_a_claim_which_was_taken_away_stays_away(folder: Folder) -> None:
    """Its former owner does not remove the new owner's."""
    former = Claims(folder).take(0)
    assert former is not None
    os.unlink(folder.claim(0))
    new = Claims(folder).take(0)
    assert new is not None
    former.beat()
    former.release()
    assert folder.claimed() == [0]
    new.release()
