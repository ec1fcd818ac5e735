"""What the stored numbers of an imgCIF image mean: scales, offsets, and pixels without a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.imgcif_tables import ImgcifTables
from cupysim.formats.pixels import GAP, measured

LINEARITY, SCALING, OFFSET, UNDEFINED = "linearity", "scaling", "offset", "undefined_value"
"""Items of the category array_intensities."""

LINEAR = ("", "raw", "linear")
"""Kinds of stored numbers that are used as they are."""

Formula = Callable[[np.ndarray, float, float], np.ndarray]

FORMULAS: dict[str, tuple[tuple[str, ...], Formula]] = {
    "offset": ((OFFSET,), lambda stored, _, offset: stored + offset),
    "scaling": ((SCALING,), lambda stored, scale, _: stored * scale),
    "scaling_offset": ((SCALING, OFFSET), lambda stored, scale, offset: stored * scale + offset),
    "sqrt_scaled": ((SCALING,), lambda stored, scale, _: (stored / scale) ** 2),
    "logarithmic_scaled": ((SCALING,), lambda stored, scale, _: 10.0 ** (stored / scale)),
}
"""Kinds of stored numbers in the imgCIF dictionary, the items that each needs, and the intensity
from the stored number, the scale and the offset."""


@dataclass(frozen=True)
class StoredNumbers:
    """Meaning of the numbers that are stored in pixels.

    Parameters
    ----------
    undefined : float, optional
        Number in pixels without a measurement.
    linearity : str
        Kind of the numbers: a key of `FORMULAS`, or empty if they are intensities.
    scaling, offset : float
        Numbers in its formula.
    remarks : tuple of str
        Warnings for the user.
    """

    undefined: float | None = None
    linearity: str = ""
    scaling: float = 1.0
    offset: float = 0.0
    remarks: tuple[str, ...] = ()

    def intensities(self, pixels: np.ndarray) -> np.ndarray:
        """Numbers with the usual marks of gaps, and linear in the intensity.

        Parameters
        ----------
        pixels : ndarray, shape (n_slow, n_fast)
            Stored numbers; they may be changed.

        Returns
        -------
        ndarray, shape (n_slow, n_fast)
            The stored numbers if they are used as they are; otherwise float64, with NaN in gaps.
        """
        if pixels.dtype in (np.uint8, np.uint16):
            # the largest number is a saturated pixel of a CCD, not a gap
            pixels = pixels.astype(np.int32)
        is_gap = (
            np.zeros(pixels.shape, bool) if self.undefined is None else pixels == self.undefined
        )
        gap = {"i": GAP, "u": np.iinfo(np.uint64).max, "f": np.nan}[pixels.dtype.kind]
        pixels[is_gap] = np.array(gap).astype(pixels.dtype)
        if not self.linearity:
            return pixels
        _, formula = FORMULAS[self.linearity]
        stored = np.where(measured(pixels), pixels, np.nan)
        with np.errstate(over="ignore"):
            return formula(stored, self.scaling, self.offset)


def of_tables(tables: ImgcifTables) -> StoredNumbers:
    """Read what the stored numbers mean.

    Parameters
    ----------
    tables : ImgcifTables
        Tables of a file with one image.

    Raises
    ------
    FileFormatError
        If the kind of the numbers is unknown, or its formula lacks a number.
    """
    rows = tables.rows("array_intensities")
    undefined = next((row for row in rows if UNDEFINED in row), None)
    gap = None if undefined is None else tables.number(undefined, UNDEFINED)
    kinds = {
        (row.get(LINEARITY, "").lower(), row.get(SCALING, ""), row.get(OFFSET, "")) for row in rows
    }
    if all(kind in LINEAR for kind, _, _ in kinds):
        unused = {
            f"{name} {row[name]}"
            for row in rows
            for name, neutral in ((SCALING, 1.0), (OFFSET, 0.0))
            if LINEARITY not in row and name in row and tables.number(row, name) != neutral
        }
        said = ", ".join(sorted(unused))[:80]
        alarm = f"its _array_intensities ({said}) are not applied, since it gives no linearity"
        return StoredNumbers(gap, remarks=(alarm,) if unused else ())
    if len(kinds) > 1:
        raise FileFormatError(
            tables.path, f"_array_intensities describes its pixels in {len(kinds)} ways"
        )
    row = next(row for row in rows if LINEARITY in row)
    kind = row[LINEARITY].lower()
    if kind not in FORMULAS:
        raise FileFormatError(
            tables.path,
            f"its pixels are not linear: _array_intensities.linearity {row[LINEARITY][:40]!a} is "
            "unknown",
        )
    numbers = {SCALING: 1.0, OFFSET: 0.0}
    for name in FORMULAS[kind][0]:
        if name not in row:
            raise FileFormatError(
                tables.path, f"_array_intensities.linearity is {kind}, but it gives no {name}"
            )
        numbers[name] = tables.number(row, name)
    if numbers[SCALING] == 0.0:
        raise FileFormatError(tables.path, "_array_intensities.scaling is 0")
    used = ", ".join(f"{name} {numbers[name]:g}" for name in FORMULAS[kind][0])
    alarm = f"its pixels are made linear: _array_intensities.linearity is {kind}, with {used}"
    return StoredNumbers(gap, kind, numbers[SCALING], numbers[OFFSET], (alarm,))
