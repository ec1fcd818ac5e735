"""The table of structure factors: reading, its defects, and where scattering vectors lie in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats import stol_table
from cupysim.maths.stol_interpolation import FIRST, HELPERS, factors_at, place_of, with_helpers
from cupysim.nonbragg.quirks import QUIRKS, NonbraggQuirk

FARTHEST = HELPERS[0] / 2.0
"""Value (1/m) at which a search ends; it is before the helper points."""


@dataclass(frozen=True, eq=False)
class ScatteringTable:
    """Structure factors against s = sin(theta)/lambda.

    Parameters
    ----------
    nodes, values : ndarray, shape (n + 4,)
        s (1/m) and F (electrons), with helper points (`with_helpers`).
    unit : float
        Unit of s in the file (1/m).
    is_held : bool
        Whether F beyond the ends is that of the ends (NBQ14 corrected).
    """

    nodes: np.ndarray
    values: np.ndarray
    unit: float
    is_held: bool = False

    @property
    def is_ascending(self) -> bool:
        """Whether the place of a value does not depend on the value before."""
        return bool((np.diff(self.nodes) >= 0.0).all())

    @property
    def ends(self) -> tuple[float, float]:
        """First and last s of the table (1/m)."""
        return float(self.nodes[FIRST]), float(self.nodes[-1 - FIRST])

    @property
    def n_points(self) -> int:
        """Number of points of the file."""
        return len(self.nodes) - 2 * FIRST

    def places(self, s: np.ndarray) -> np.ndarray:
        """Find the places of values in an ascending table.

        Parameters
        ----------
        s : ndarray, shape (n,)
            Values (1/m).

        Returns
        -------
        ndarray of int, shape (n,)
            Number of the second of the four nodes of each value.
        """
        return place_of(self.nodes, s)

    def factors(self, s: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Structure factors of scattering vectors.

        Parameters
        ----------
        s : ndarray, shape (n,)
            Values (1/m).
        place : ndarray of int, shape (n,)
            Their places.

        Returns
        -------
        ndarray, shape (n,)
            Structure factors (electrons).
        """
        if self.is_held:
            s = np.clip(s, *self.ends)
            place = self.places(s)
        return factors_at(self.nodes, self.values, place, s)

    def is_beyond(self, s: np.ndarray) -> np.ndarray:
        """Whether values (1/m) lie beyond the ends of the table."""
        first, last = self.ends
        return (s < first) | (s > last)


class Walk:
    """The search for places in a table that is not ascending (NBQ15).

    The search for a value starts where that for the value before ended. It goes up while the value
    is above a node, and then down while the value is below it.

    Parameters
    ----------
    table : ScatteringTable
        Table.
    """

    def __init__(self, table: ScatteringTable) -> None:
        self._nodes, self._place = table.nodes.tolist(), 1

    def places(self, s: np.ndarray) -> np.ndarray:
        """Find the places of values.

        Parameters
        ----------
        s : ndarray, shape (n_pixels, n_steps)
            Values (1/m), in the order of nonBragg's loops. They continue those of the last call.

        Returns
        -------
        ndarray of int, shape (n_pixels, n_steps)
            Number of the second of the four nodes of each value.
        """
        nodes, place, found = self._nodes, self._place, []
        for value in np.minimum(s, FARTHEST).reshape(-1).tolist():
            while value > nodes[place]:
                place += 1
            while value < nodes[place] and place > 1:
                place -= 1
            found.append(place)
        self._place = place
        return np.array(found, dtype=np.intp).reshape(s.shape)


def read_table(
    path: str, unit: float, corrects: Callable[[NonbraggQuirk], bool]
) -> ScatteringTable:
    """Read a table, and warn of its defects.

    Parameters
    ----------
    path : str
        File to read.
    unit : float
        Unit of its first column (1/m).
    corrects : callable
        Whether a quirk is corrected. NBQ12, NBQ14 and NBQ15 matter here.

    Returns
    -------
    ScatteringTable
        The table.

    Raises
    ------
    FileFormatError
        If it is no table.
    """
    rows, n_words = stol_table.read_as_nonbragg(path, corrects(NonbraggQuirk.COMMENTS_ARE_POINTS))
    if n_words and not corrects(NonbraggQuirk.COMMENTS_ARE_POINTS):
        QUIRKS.warn(
            NonbraggQuirk.COMMENTS_ARE_POINTS,
            f"{path}: {n_words} lines with words count as points; each word is read as 0",
        )
    n_missing = int(np.isnan(rows[:, 1]).sum())
    if n_missing:
        effect = f"{path}: {n_missing} points without a structure factor have the factor 0"
        QUIRKS.warn(NonbraggQuirk.MISSING_FACTORS, effect)
    s, factors = rows[:, 0] * unit, np.where(np.isnan(rows[:, 1]), 0.0, rows[:, 1])
    if not np.abs(s).max() < HELPERS[0]:
        raise FileFormatError(path, "a number is too large for sin(theta)/lambda")
    if (np.diff(s) <= 0.0).any():
        if corrects(NonbraggQuirk.UNSORTED_TABLE):
            s, factors = _sorted(s, factors)
        else:
            _warn_of_order(path, s)
    nodes, values = with_helpers(s, factors)
    return ScatteringTable(nodes, values, unit, corrects(NonbraggQuirk.STRAIGHT_LINE))


def _sorted(s: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A table in ascending order; equal points become one, with the mean of their factors."""
    unique, group, count = np.unique(s, return_inverse=True, return_counts=True)
    return unique, np.bincount(group, weights=factors) / count


def _warn_of_order(path: str, s: np.ndarray) -> None:
    steps = np.diff(s)
    falling, equal = int((steps < 0.0).sum()), int((steps == 0.0).sum())
    if falling:
        effect = (
            f"{falling} points have a smaller sin(theta)/lambda than the point before them: each "
            "pixel depends on the pixels before it"
        )
    else:
        effect = (
            f"{equal} points have the sin(theta)/lambda of the point before them: pixels near them "
            "have no finite value"
        )
    QUIRKS.warn(NonbraggQuirk.UNSORTED_TABLE, f"{path}: {effect}")
