"""The C program's uniform random numbers, bit for bit.

This is Park and Miller's minimal standard generator with a Bays-Durham shuffle (Numerical Recipes
in C, 2nd edition, section 7.1, routine ran1). All random numbers of a run share one shuffle table,
but orientation, mosaic domains and noise have their own seeds: the C program keeps the table in
static variables. A negative noise seed therefore continues the table that the mosaic domains left
(quirk Q36).
"""

from __future__ import annotations

import numpy as np

MULTIPLIER = 16807
MODULUS = 2147483647
TABLE_SIZE = 32
TABLE_STEP = 1 + (MODULUS - 1) // TABLE_SIZE
LARGEST_DEVIATE_IN_DOUBLE = 1.0 - 1.2e-7
LARGEST_DEVIATE = np.float32(LARGEST_DEVIATE_IN_DOUBLE)
INT32_RANGE = 2**32

_JUMP = 4096
_POWERS = np.empty(_JUMP, dtype=np.uint64)
_power = 1
for _index in range(_JUMP):
    _power = _power * MULTIPLIER % MODULUS
    _POWERS[_index] = _power


class ShuffleTable:
    """The shuffle table and the last output, which all streams of a run share."""

    def __init__(self) -> None:
        self.entries = [0] * TABLE_SIZE
        self.last = 0


class RandomStream:
    """A stream of the C program's uniform random numbers from one seed.

    Parameters
    ----------
    seed : int
        Seed, as in a seed option. It is reduced to 32 bits as in the C program. A positive seed
        starts a new stream, 0 means 1, and a negative seed continues the table as it is.
    table : ShuffleTable, optional
        Table to share with other streams. By default a new one.
    """

    def __init__(self, seed: int, table: ShuffleTable | None = None) -> None:
        self.table = ShuffleTable() if table is None else table
        self.state = wrap_int32(-wrap_int32(seed))

    def _congruential(self, count: int) -> np.ndarray:
        """Compute the next states of the congruential generator: ndarray of int64."""
        states = np.empty(count, dtype=np.int64)
        for start in range(0, count, _JUMP):
            powers = _POWERS[: min(_JUMP, count - start)]
            block = powers * np.uint64(self.state) % np.uint64(MODULUS)
            states[start : start + len(block)] = block
            self.state = int(block[-1])
        return states

    def _start(self) -> None:
        """Fill the shuffle table from the seed."""
        self.state = max(-self.state, 1)
        states = self._congruential(TABLE_SIZE + 8)
        self.table.entries = states[:7:-1].tolist()
        self.table.last = self.table.entries[0]

    def uniform(self, count: int) -> np.ndarray:
        """Draw uniform random numbers in (0, 1).

        Parameters
        ----------
        count : int
            Number of random numbers.

        Returns
        -------
        ndarray of float32, shape (count,)
            Random numbers in the order of drawing.
        """
        deviates = self._deviates(count).astype(np.float32)
        return np.minimum(deviates, LARGEST_DEVIATE)

    def uniform_in_double(self, count: int) -> np.ndarray:
        """Draw the same numbers in double precision, as simtbx does.

        Parameters
        ----------
        count : int
            Number of random numbers.

        Returns
        -------
        ndarray of float64, shape (count,)
            Random numbers in the order of drawing.
        """
        return np.minimum(self._deviates(count), LARGEST_DEVIATE_IN_DOUBLE)

    def _deviates(self, count: int) -> np.ndarray:
        if count <= 0:
            return np.empty(0)
        if self.state <= 0 or self.table.last == 0:
            self._start()
            if self.state == 0:
                # a seed equal to the modulus gives one zero, and then the stream of seed 1
                return np.concatenate([np.zeros(1), self._deviates(count - 1)])
        entries, last, outputs = self.table.entries, self.table.last, []
        for state in self._congruential(count).tolist():
            index = last // TABLE_STEP
            last = entries[index]
            entries[index] = state
            outputs.append(last)
        self.table.last = last
        return np.array(outputs, dtype=np.float64) * (1.0 / MODULUS)


def wrap_int32(number: int) -> int:
    """Reduce an integer to a 32-bit signed integer, with overflow."""
    return (int(number) + INT32_RANGE // 2) % INT32_RANGE - INT32_RANGE // 2


def further_seed(seed: int, place: int) -> int:
    """Seed of one of several crystals, such that their random numbers differ.

    Parameters
    ----------
    seed : int
        Seed of the first crystal.
    place : int
        Number of the crystal, from 0.

    Returns
    -------
    int
        The seed plus the number. A negative seed does not choose a stream, so that it counts as 1
        for all crystals but the first.
    """
    if place == 0:
        return seed
    first = max(wrap_int32(seed), 1)
    return (first + place - 1) % (MODULUS - 1) + 1
