"""The wavelength of a data set, if its file lists several or states it twice."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cupysim.constants import ANGSTROM
from cupysim.formats.structures.cif_blocks import UNKNOWN, CifBlock, cif_number
from cupysim.formats.structures.table import LONGEST_WAVE
from cupysim.formats.text_numbers import NUMBER

SAME = 1e-6
"""Relative difference up to which two numbers are the same wavelength."""

LIST, IDENTIFIER, WEIGHT = (
    ("_diffrn_radiation_wavelength_wavelength", "_diffrn_radiation_wavelength"),
    ("_diffrn_radiation_wavelength.id", "_diffrn_radiation_wavelength_id"),
    "_diffrn_radiation_wavelength_wt",
)
"""Items of the list of wavelengths. mmCIF has another item with a similar name,
`_diffrn_radiation.wavelength_id`: only its dot is at another place."""

OF_SOURCE = tuple(
    f"_diffrn_{category}_pdbx_wavelength{ending}"
    for category in ("source", "radiation")
    for ending in ("", "_list")
)

HINTS = ("_cell_measurement_wavelength", "_diffrn_radiation_type")
"""Items that mention a wavelength, but not that of the reflections, or not as a number."""

_SEPARATORS = re.compile(r"[,;\s]+")


@dataclass(frozen=True)
class ToldWavelength:
    """A wavelength, or the reason why there is none.

    Parameters
    ----------
    value : float, optional
        The wavelength (m).
    unclear : str
        Statement of the file about its wavelength, if it does not give exactly one.
    """

    value: float | None = None
    unclear: str = ""


def one_of(angstroms: Sequence[float], whose: str) -> ToldWavelength:
    """Find the only wavelength among several numbers.

    Parameters
    ----------
    angstroms : sequence of float
        Wavelengths (Angstrom); impossible ones are ignored.
    whose : str
        Beginning of the message, such as "it has".
    """
    found: list[float] = []
    for number in angstroms:
        is_new = all(abs(number - other) > SAME * other for other in found)
        if 0.0 < number < LONGEST_WAVE and is_new:
            found.append(number)
    if len(found) > 1:
        shown = ", ".join(f"{number:g}" for number in found)
        return ToldWavelength(None, f"{whose} the wavelengths {shown} A")
    return ToldWavelength(found[0] * ANGSTROM if found else None)


def of_block(block: CifBlock, path: object, identifiers: Collection[str] = ()) -> ToldWavelength:
    """Find the wavelength of a block of a CIF file, or of some of its reflections.

    Parameters
    ----------
    block : CifBlock
        Block with the reflections.
    path : path_like
        File name, for messages.
    identifiers : collection of str, optional
        Identifiers of the wavelengths in the list that the reflections name.

    Raises
    ------
    FileFormatError
        If a wavelength of the list is not a number.
    """
    rows = _listed(block, path)
    named = [number for identifier, number in rows if identifier in identifiers]
    numbers = named or [number for _, number in rows]
    for name in OF_SOURCE:
        text = ", ".join(each for each in block.texts(name) if each not in UNKNOWN)
        words = [word for word in _SEPARATORS.split(text) if word]
        plain = [word.partition("(")[0] for word in words]
        if not all(NUMBER.fullmatch(word) for word in plain):
            if not numbers:
                return ToldWavelength(None, f"it has the wavelength {text[:60]!r} (A)")
            # a range in addition to the number
            continue
        given = [float(word) for word in plain]
        if named and any(abs(each - numbers[0]) <= SAME * each for each in given):
            # a source of several wavelengths: the reflections name theirs
            continue
        numbers = [*numbers, *given]
    found = one_of(numbers, "it has")
    hints = [f"{name} {text}" for name in HINTS if (text := block.text(name))]
    if hints and found == ToldWavelength():
        return ToldWavelength(None, f"it has no wavelength, but {', '.join(hints)}")
    return found


def _listed(block: CifBlock, path: object) -> list[tuple[str, float]]:
    """Identifiers and wavelengths (Angstrom) of the list, without those of weight zero."""
    texts = block.texts(*LIST)
    names = [list(block.parsed.find_values(name)) for name in IDENTIFIER]
    identifiers = next((each for each in names if len(each) == len(texts)), None)
    if identifiers is None:
        identifiers = [str(number + 1) for number in range(len(texts))]
    weights = block.texts(WEIGHT)
    if len(weights) != len(texts):
        weights = ["1"] * len(texts)
    return [
        (identifier.strip("'\""), cif_number(path, "wavelength", text))
        for identifier, text, weight in zip(identifiers, texts, weights, strict=True)
        if text not in UNKNOWN and (weight in UNKNOWN or cif_number(path, WEIGHT, weight) != 0.0)
    ]
