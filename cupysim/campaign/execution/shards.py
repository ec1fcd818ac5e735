"""Which chunks a process does, by what it was told or what SLURM and MPI say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from cupysim.campaign.execution.folder import Folder
from cupysim.errors import CupysimError

LONGEST = 20
"""Letters of a share."""

ARRAY = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX")
"""Variables which tell a job of an array its number, and the first and the last one.

Not how many there are: arrays may have gaps.
"""

RANKS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)
"""Variables which tell a process of a job its number, and how many there are.

SLURM's last: to processes of mpirun, they tell the number of what started them.
"""


@dataclass(frozen=True)
class Shard:
    """Which chunks a process does, and with which of them it begins.

    Parameters
    ----------
    number, count : int
        The share: which, from 0, of how many. All other chunks are left to others.
    place, places : int
        Where in the share to begin: at which part, from 0, of how many.
    """

    number: int = 0
    count: int = 1
    place: int = 0
    places: int = 1

    def chunks(self, folder: Folder) -> list[int]:
        """Chunks of this share, in order."""
        share = list(range(self.number, folder.campaign.n_chunks, self.count))
        begin = len(share) * self.place // self.places
        return share[begin:] + share[:begin]

    def part(self, place: int, places: int) -> Shard:
        """The same chunks, for one of several processes which do them together."""
        return Shard(self.number, self.count, self.place * places + place, self.places * places)


def read_shard(text: str, environment: Mapping[str, str] = os.environ) -> Shard:
    """A share from "k/n", k from 0, or "auto": all, beginning where SLURM or MPI say.

    What they say is no promise that the others are there: a batch script is process 0 of all of
    its job, jobs of an array may be cancelled, or never start. So it only decides where a process
    begins; it goes on with what the others have not claimed, and waits for what they have.

    Parameters
    ----------
    text : str
        One of the two.
    environment : mapping, optional
        Variables of the process.

    Returns
    -------
    Shard
        All, from the first one on, where "auto" finds nothing.

    Raises
    ------
    CupysimError
        If it is neither, or impossible.
    """
    if text == "auto":
        return _place(environment)
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal()) or len(text) > LONGEST:
        raise CupysimError(f"--shard {text}: expected k/n, such as 0/8, or auto")
    if not int(number) < int(count):
        raise CupysimError(f"--shard {text}: number {number} of {count}; they begin with 0")
    return Shard(int(number), int(count))


def _place(environment: Mapping[str, str]) -> Shard:
    """All chunks, from the place of this process on: jobs of an array first, then its own."""

    def values(*names: str) -> list[int]:
        found = [environment.get(name, "") for name in names]
        return [int(each) for each in found] if all(each.isdecimal() for each in found) else []

    shard = Shard()
    if there := values(*ARRAY):
        number, first, last = there
        if first <= number <= last:
            shard = shard.part(number - first, last - first + 1)
    for ranks in RANKS:
        if there := values(*ranks):
            number, count = there
            return shard.part(number, count) if number < count else shard
    return shard
