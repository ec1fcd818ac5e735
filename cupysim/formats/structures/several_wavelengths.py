"""Structure factors at several wavelengths, from columns of one reflection file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimWarning
from cupysim.formats.structures import reflections
from cupysim.formats.structures.structure import Structure
from cupysim.models.structure_factors import StructureFactors

OTHER_WAVELENGTH = 1e-3
"""Largest relative difference of a given wavelength from the file's that needs no warning."""


def read_at_wavelengths(
    path: os.PathLike[str] | str,
    columns: Mapping[float, Sequence[str]],
    default: float = 0.0,
    merge: bool = False,
) -> Structure:
    """Read columns that belong to several wavelengths, each as a channel.

    Parameters
    ----------
    path : path_like
        Reflection file, see `cupysim.formats.structures.reflections.read`.
    columns : mapping from float to sequence of str
        Columns by their wavelengths (m).
    default : float, optional
        Amplitude of reflections that are not in the file (electrons).
    merge : bool, optional
        Use the mean of reflections that occur more than once.

    Returns
    -------
    Structure
        Structure factors with channels; cell and symmetry are those of the first columns.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or has no such columns.
    ModelError
        If there are no columns, or the tables are too large together.
    """
    parts = [reflections.read(path, names, default, merge) for names in columns.values()]
    factors = StructureFactors.at_wavelengths(list(columns), [part.factors for part in parts])
    for wavelength, part in zip(columns, parts, strict=True):
        own = part.wavelength
        if own is not None and abs(own / wavelength - 1.0) > OTHER_WAVELENGTH:
            warnings.warn(
                CupysimWarning(
                    f"{path}: {part.source} are used at {wavelength / ANGSTROM:g} A, but the file "
                    f"gives their wavelength as {own / ANGSTROM:g} A"
                ),
                stacklevel=2,
            )
    notes = [
        f"at {wavelength / ANGSTROM:g} A: {note}"
        for wavelength, part in zip(columns, parts, strict=True)
        for note in part.notes
    ]
    source = "; ".join(part.source for part in parts)
    return replace(
        parts[0], factors=factors, source=source, wavelength=None, unclear_wavelength="",
        notes=tuple(notes),
    )  # fmt: skip
