"""Shares of the chunks of a campaign, given by an option or by variables of SLURM and MPI."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from cupysim.campaign.execution.folder import Folder
from cupysim.errors import CupysimError

LONGEST = 20
"""Largest number of characters of a share."""

ARRAY = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX")
"""Environment variables with the number of a job in an array, and the first and last number.

The number of jobs is not used, because arrays may have gaps.
"""

RANKS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)
"""Environment variables with the number of a process in its job, and the number of processes.

SLURM's variables are the last: in processes that mpirun starts, they describe mpirun itself.
"""


@dataclass(frozen=True)
class Shard:
    """Share of the chunks that a process renders, and the place where it begins.

    Parameters
    ----------
    number, count : int
        Number of the share, from 0, and number of shares. Other processes render the other shares.
    place, places : int
        Part of the share to begin with, from 0, and number of parts.
    """

    number: int = 0
    count: int = 1
    place: int = 0
    places: int = 1

    def chunks(self, folder: Folder) -> list[int]:
        """Numbers of the chunks of this share, in the order of the work."""
        share = list(range(self.number, folder.campaign.n_chunks, self.count))
        begin = len(share) * self.place // self.places
        return share[begin:] + share[:begin]

    def part(self, place: int, places: int) -> Shard:
        """Return the same share for one of several processes that render it together.

        Parameters
        ----------
        place, places : int
            Number of the process, from 0, and number of processes.

        Returns
        -------
        Shard
            Share with another beginning.
        """
        return Shard(self.number, self.count, self.place * places + place, self.places * places)


def read_shard(text: str, environment: Mapping[str, str] = os.environ) -> Shard:
    """Read a share: "k/n", with k from 0, or "auto".

    "auto" means all chunks; the variables of SLURM or MPI only decide where a process begins.
    They do not say whether the other processes run: a batch script is process 0 of its whole job,
    and jobs of an array may be cancelled or never start. Each process continues with chunks that
    the others have not claimed, and waits for the chunks that they have claimed.

    Parameters
    ----------
    text : str
        Value of --shard.
    environment : mapping, optional
        Environment variables of the process.

    Returns
    -------
    Shard
        The share; all chunks from the first one on, if "auto" finds no variables.

    Raises
    ------
    CupysimError
        If the text has neither form, or the share is impossible.
    """
    if text == "auto":
        return _place(environment)
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal()) or len(text) > LONGEST:
        raise CupysimError(f"--shard {text}: expected k/n, such as 0/8, or auto")
    if not int(number) < int(count):
        raise CupysimError(f"--shard {text}: number {number} of {count}; numbers begin with 0")
    return Shard(int(number), int(count))


def _place(environment: Mapping[str, str]) -> Shard:
    """All chunks, starting at the place that the job in an array and the rank give."""

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
