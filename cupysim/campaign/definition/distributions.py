"""Distributions of the numbers that vary from shot to shot, and their random numbers.

The random numbers come from Philox (Salmon et al. (2011) Proc. SC11, 16), which enciphers a
counter. The key is the campaign's seed and the name of what is drawn. The counter is the shot and
the crystal. Each number therefore depends only on these, and not on the process that draws it or on
the order. Each distribution takes the quantile of one uniform deviate.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.storage.toml_document import LARGEST, Section

ParameterTable = Mapping[str, np.ndarray]
"""Columns by name; each is an array with one number for each shot."""


def _philox(seed: int, name: str, shot: int, crystal: int) -> np.random.Philox:
    key = np.array([seed, zlib.crc32(name.encode())], dtype=np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, shot, crystal, 0], dtype=np.uint64))


def uniform_deviates(seed: int, name: str, shot: int, crystal: int, count: int) -> np.ndarray:
    """Draw random numbers for a shot.

    Parameters
    ----------
    seed : int
        Seed of the campaign.
    name : str
        Name of what is drawn.
    shot, crystal : int
        Number of the shot, and of the crystal in it, from 0.
    count : int
        Number of deviates.

    Returns
    -------
    ndarray of float64, shape (count,)
        Uniform deviates between 0 and 1, both excluded, in steps of 2^-53.
    """
    raw = _philox(seed, name, shot, crystal).random_raw(count)
    return ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def photon_generator(seed: int, shot: int) -> np.random.Generator:
    """Make NumPy's generator of the photon noise of a shot.

    Parameters
    ----------
    seed : int
        Seed of the campaign.
    shot : int
        Number of the shot, from 0.

    Returns
    -------
    numpy.random.Generator
        Generator that is different for each shot.
    """
    return np.random.Generator(_philox(seed, "photons", shot, 0))


@dataclass(frozen=True)
class Distribution:
    """Distribution that gives a number for each shot.

    Parameters
    ----------
    kind : str
        Name of the distribution, one of `KINDS`.
    values : tuple of float
        Numbers that define the distribution.
    column : str
        Name of the table's column, for the kind "column".
    """

    kind: str
    values: tuple[float, ...] = ()
    column: str = ""

    @property
    def is_random(self) -> bool:
        """Whether the number depends on a random deviate."""
        return self.kind not in ("constant", "list", "range", "column")

    def at(self, shot: int, deviate: float, table: ParameterTable) -> float:
        """Number for a shot.

        Parameters
        ----------
        shot : int
            Number of the shot, from 0.
        deviate : float
            Uniform deviate between 0 and 1.
        table : mapping
            Columns of the table.

        Returns
        -------
        float
            Quantile at the deviate, or the number that the kind gives for the shot.
        """
        if self.kind == "column":
            return float(table[self.column][shot])
        if self.kind == "list":
            return self.values[shot % len(self.values)]
        if self.kind == "range":
            return self.values[0] + shot * self.values[1]
        if self.kind == "choice":
            return self.values[int(deviate * len(self.values))]
        if self.kind == "constant":
            return self.values[0]
        return _QUANTILES[self.kind](deviate, *self.values)


def _normal(deviate: float, mean: float, sigma: float) -> float:
    from scipy.special import ndtri

    return mean + sigma * float(ndtri(deviate))


def _gamma(deviate: float, mean: float, shape: float) -> float:
    from scipy.special import gammaincinv

    return mean / shape * float(gammaincinv(shape, deviate))


_QUANTILES: dict[str, Callable[..., float]] = {
    "uniform": lambda deviate, low, high: low + (high - low) * deviate,
    "normal": _normal,
    "log_normal": lambda deviate, median, sigma: median * math.exp(_normal(deviate, 0.0, sigma)),
    "gamma": _gamma,
    "exponential": lambda deviate, mean: -mean * math.log1p(-deviate),
}

KINDS: dict[str, tuple[str, ...] | None] = {
    "constant": ("number",),
    "uniform": ("lowest", "highest"),
    "normal": ("mean", "standard deviation"),
    "log_normal": ("median", "standard deviation of the logarithm"),
    "gamma": ("mean", "number of modes"),
    "exponential": ("mean",),
    "choice": None,
    "list": None,
    "range": ("first", "step"),
    "column": None,
}
"""Distributions, and the meaning of the numbers that define them.

None means that any count of numbers is allowed. A choice picks one of them at random, a list
repeats them in order, a range increases by its step from shot to shot, and a column is a column of
the table.
"""


def read_distribution(section: Section, table: ParameterTable) -> Distribution:
    """Read a distribution from a table of the campaign file.

    Parameters
    ----------
    section : Section
        Table with one key of `KINDS`.
    table : mapping
        Columns of the campaign's table of parameters.

    Returns
    -------
    Distribution
        The distribution that the table describes.

    Raises
    ------
    FileFormatError
        If there is no distribution, or it is impossible.
    """
    kinds = [kind for kind in KINDS if kind in section]
    if len(kinds) != 1:
        section.fail("", f"expected one of {', '.join(KINDS)}")
    (kind,) = kinds
    value = section.take(kind)
    if kind == "column":
        if not isinstance(value, str) or value not in table:
            there = f"there are {', '.join(table)}" if table else "[table] names none"
            section.fail(kind, f"no column {value!r}; {there}")
        return Distribution(kind, column=value)
    numbers = read_numbers(section, kind, value)
    wanted = KINDS[kind]
    if wanted is not None and len(numbers) != len(wanted):
        section.fail(kind, f"expected {' and '.join(wanted)}, got {value!r}")
    if kind == "uniform" and not numbers[0] <= numbers[1]:
        section.fail(kind, f"the lowest number is above the highest: {value!r}")
    if kind in ("normal", "log_normal") and not numbers[1] >= 0.0:
        section.fail(kind, f"a standard deviation must not be negative, got {numbers[1]:g}")
    if kind == "gamma" and not numbers[1] > 0.0:
        section.fail(kind, f"the number of modes must be above zero, got {numbers[1]:g}")
    return Distribution(kind, numbers)


def read_numbers(section: Section, key: str, value: Any) -> tuple[float, ...]:
    """Read one number or several.

    Parameters
    ----------
    section : Section
        Table with the key, for error messages.
    key : str
        Name of the key.
    value : object
        Value of the key: a number or a list of numbers.

    Returns
    -------
    tuple of float
        The numbers.

    Raises
    ------
    FileFormatError
        If a value is not a finite number, or there are no numbers.
    """
    several: Sequence[Any] = value if isinstance(value, list) else [value]
    for number in several:
        if isinstance(number, bool) or not isinstance(number, int | float):
            section.fail(key, f"expected numbers, got {value!r}")
        if not abs(number) < LARGEST:
            section.fail(key, f"expected finite numbers, got {str(number)[:20]}")
    if not several:
        section.fail(key, "expected numbers, got none")
    return tuple(map(float, several))
