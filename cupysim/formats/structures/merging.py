"""Merging of equivalent reflections, and expansion to P1."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats.structures.symmetry import Symmetry

SAME = 1e-4
"""Relative difference up to which repeated values count as equal: they are rounded differently."""

SHOWN = 4
"""Number of values of a repeated reflection that a message shows."""


@dataclass(frozen=True, eq=False)
class Observations:
    """Measured or calculated values, each of one reflection.

    Parameters
    ----------
    hkl : ndarray of int64, shape (n, 3)
        Miller indices; Friedel mates are different reflections.
    values : ndarray of float64, shape (n,)
        Finite numbers.
    deviations : ndarray of float64, shape (n,), optional
        Standard deviations.
    """

    hkl: np.ndarray
    values: np.ndarray
    deviations: np.ndarray | None = None


def are_different(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether pairs of values differ by more than rounding."""
    largest = np.maximum(np.abs(some), np.abs(others))
    return np.asarray(np.abs(some - others) > SAME * largest)


def merged(
    path: object, observations: Observations, symmetry: Symmetry, merge: bool, are_amplitudes: bool
) -> tuple[Observations, list[str]]:
    """Merge observations to one value for each reflection of the asymmetric unit.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    observations : Observations
        Observations of the file.
    symmetry : Symmetry
        Space group. Its rotations define which reflections are equivalent.
    merge : bool
        Use the mean of different values of a reflection.
    are_amplitudes : bool
        Whether the values are amplitudes. Unmerged data are intensities. A list of amplitudes may
        have equivalents with different values, but no index twice: this is a list in a lower
        symmetry. It is merged to means, with a warning.

    Returns
    -------
    merged : Observations
        One value for each reflection, without deviations.
    remarks : list of str
        Notes on what was done.

    Raises
    ------
    FileFormatError
        If `merge` is false and a reflection has different values; for amplitudes, only if an index
        occurs twice.

    Notes
    -----
    The mean is weighted by 1/sigma^2 if all standard deviations are positive.
    """
    hkl, values = observations.hkl, observations.values
    codes = symmetry.representatives(hkl)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=np.int64(-(2**62))))
    if len(starts) == len(codes):
        return Observations(hkl, values), []
    ordered = values[order]
    counts = np.diff(np.append(starts, len(codes)))
    low, high = np.minimum.reduceat(ordered, starts), np.maximum.reduceat(ordered, starts)
    differ = are_different(low, high)
    repeated = int(np.count_nonzero(counts > 1))
    first = hkl[order][starts]
    if not differ.any():
        remark = f"{repeated} reflections are listed more than once, with equal values"
        return Observations(first, ordered[starts]), [remark]
    is_lower = are_amplitudes and len(np.unique(hkl, axis=0)) == len(hkl)
    if is_lower and not merge:
        warnings.warn(
            CupysimWarning(
                f"{path}: {np.count_nonzero(differ)} of {len(starts)} reflections differ from "
                f"their symmetry equivalents in space group {symmetry.name}: the means are used"
            ),
            stacklevel=2,
        )
    elif not merge:
        worst = int(np.argmax(differ))
        shown = ordered[starts[worst] : starts[worst] + counts[worst]][:SHOWN]
        more = ", ..." if counts[worst] > SHOWN else ""
        index = " ".join(map(str, first[worst].tolist()))
        raise FileFormatError(
            path,
            f"its reflections are not merged: {repeated} of {len(starts)} occur more than once "
            f"({index}: {', '.join(f'{value:g}' for value in shown)}{more}); -merge uses their "
            "means, or merge them first (aimless, xscale, dials.merge)",
        )
    weights, how = np.ones(len(values)), "means"
    if observations.deviations is not None and (observations.deviations > 0.0).all():
        weights, how = observations.deviations[order] ** -2.0, "means weighted by 1/sigma^2"
    means = np.add.reduceat(weights * ordered, starts) / np.add.reduceat(weights, starts)
    remark = f"merged: {len(values)} observations became {len(starts)} reflections, {how}"
    unique, mates = codes[order][starts], symmetry.representatives(-first)
    if (np.isin(mates, unique) & (mates != unique)).any():
        remark += ", Friedel mates kept apart"
    return Observations(first, means), [remark]


def expanded(unique: Observations, symmetry: Symmetry) -> tuple[np.ndarray, np.ndarray]:
    """Expand reflections to all symmetry equivalents and Friedel mates.

    Parameters
    ----------
    unique : Observations
        One value for each reflection of the asymmetric unit. A Friedel mate that is not among them
        has the same value.
    symmetry : Symmetry
        Space group.

    Returns
    -------
    hkl : ndarray of int64, shape (m, 3)
        Miller indices.
    values : ndarray of float64, shape (m,)
        Values of the reflections.
    """
    hkl, values = unique.hkl, unique.values
    alone = ~np.isin(symmetry.representatives(-hkl), symmetry.representatives(hkl))
    rotations = symmetry.rotations
    indices = [hkl @ rotation for rotation in rotations]
    indices += [-(hkl[alone] @ rotation) for rotation in rotations]
    amplitudes = [values] * len(rotations) + [values[alone]] * len(rotations)
    return np.concatenate(indices), np.concatenate(amplitudes)
