"""Amorphous matter from the values of -background."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cupysim.constants import ANGSTROM, PER_CUBIC_METRE
from cupysim.errors import (
    CupysimError,
    CupysimWarning,
    FileFormatError,
    ModelError,
    OptionError,
)
from cupysim.models.background import Amorphous
from cupysim.nanobragg.arguments import Arguments
from cupysim.quirks import Quirk

DEFAULT_EDGE = 1e-4
"""Illuminated width and height (m) if no beam size is given, as in simtbx."""

MILLIMETRE = 1e-3

SMALLEST_MOLAR_MASS = 1.0
"""Smallest molar mass (g/mol) of -MW: that of a hydrogen atom."""

OPTION, BEGINNING = "-background", "@"


@dataclass(frozen=True)
class _Words:
    """The parts of a value of -background."""

    name: str
    thickness: float
    density: float | None
    molar_mass: float | None
    begin: float | None


def backgrounds(values: Sequence[str], beam_size: float | None) -> tuple[Amorphous, ...]:
    """Make the matter that options name.

    Parameters
    ----------
    values : sequence of str
        Values of -background: ``NAME,MM`` or ``FILE,MM,DENSITY,MOLAR_MASS``, and possibly
        ``@BEGIN``, where the matter begins along the beam, relative to the crystal (mm).
    beam_size : float or None
        Size of the beam (m), which is the illuminated width and height.

    Raises
    ------
    CupysimError
        If a value is not understood, or a file is no table.
    """
    edge, found = illuminated_edge(beam_size), []
    for value in values:
        words = _words(value)
        try:
            found.append(replace(_one(words, edge), begin=words.begin))
        except ModelError as error:
            raise CupysimError(f"{OPTION} {value}: {error}") from error
    return tuple(found)


def illuminated_edge(beam_size: float | None) -> float:
    """Illuminated width and height (m) for the size of the beam, if it is given."""
    return beam_size if beam_size is not None and beam_size > 0.0 else DEFAULT_EDGE


def matter_of_stol(args: Arguments) -> tuple[Amorphous, ...]:
    """Make the matter of -stol, -4stol or -Q; none without a corrected quirk Q53.

    Raises
    ------
    CupysimError
        If the file is no table, or a number is impossible.
    """
    if args.stol_file is None:
        return ()
    from cupysim.formats import stol_table

    table = stol_table.read(args.stol_file)
    if not args.quirks.corrects(Quirk.STOL_UNUSED):
        # the C program reads the file, too
        return ()
    edge = args.beamsize if args.beamsize > 0.0 else DEFAULT_EDGE
    least_of = {
        "-density": (args.density, 0.0),
        "-MW": (args.molecular_weight, SMALLEST_MOLAR_MASS),
    }
    for option, (value, least) in least_of.items():
        if not value >= least:
            raise OptionError(option, f"must be at least {least:g}, got {value:g}")
    try:
        return (Amorphous(
            table[:, 0] / (args.stol_multiple * ANGSTROM), table[:, 1], args.stol_thickness,
            PER_CUBIC_METRE * args.density, args.molecular_weight, edge, edge,
        ),)  # fmt: skip
    except ModelError as error:
        raise FileFormatError(args.stol_file, str(error).removeprefix("amorphous: ")) from error


def table_files(values: Sequence[str]) -> tuple[str, ...]:
    """Files with tables that values of -background name.

    Parameters
    ----------
    values : sequence of str
        Values of -background.
    """
    from cupysim.materials.named import material_names

    names = (value.split(",")[0] for value in values)
    return tuple(dict.fromkeys(name for name in names if name not in material_names()))


def warn_of_table_ends(matter: Sequence[Amorphous], finest: float) -> None:
    """Warn of matter whose table of F ends before the corners of the detector.

    Parameters
    ----------
    matter : sequence of Amorphous
        The matter.
    finest : float
        Finest resolution at the corners (m).
    """
    for each in matter:
        end = 0.5 / float(each.stol[-1]) if each.stol[-1] > 0.0 else math.inf
        if len(each.stol) > 1 and end > finest:
            warnings.warn(
                CupysimWarning(
                    f"background: a table of F ends at {end / ANGSTROM:.2f} A, but the detector "
                    f"reaches {finest / ANGSTROM:.2f} A; F is constant beyond the table"
                ),
                stacklevel=2,
            )


def _words(value: str) -> _Words:
    value, at, place = value.partition(BEGINNING)
    begin = None
    if at:
        try:
            begin = MILLIMETRE * float(place)
        except ValueError:
            raise CupysimError(
                f"{OPTION} {value}{BEGINNING}{place}: expected the beginning of the matter along "
                f"the beam (mm) after {BEGINNING}"
            ) from None
    name, *numbers = value.split(",")
    if not name or not 1 <= len(numbers) <= 3:
        raise CupysimError(
            f"{OPTION} {value}: expected NAME,MM or FILE,MM,DENSITY,MOLAR_MASS: a thickness in mm "
            "along the beam, a density in g/cm^3, and a molar mass in g/mol"
        )
    found = []
    for number in numbers:
        try:
            found.append(float(number))
        except ValueError:
            raise CupysimError(f"{OPTION} {value}: {number!r} is not a number") from None
        if not (math.isfinite(found[-1]) and found[-1] >= 0.0):
            raise CupysimError(
                f"{OPTION} {value}: numbers must be finite and not negative, got {number}"
            )
    found += [math.nan] * (3 - len(found))
    thickness, density, molar_mass = found
    return _Words(
        name,
        MILLIMETRE * thickness,
        None if math.isnan(density) else PER_CUBIC_METRE * density,
        None if math.isnan(molar_mass) else molar_mass,
        begin,
    )


def _one(words: _Words, edge: float) -> Amorphous:
    from cupysim.materials.named import material, material_names

    if words.name in material_names():
        if words.molar_mass is not None:
            raise CupysimError(
                f"{OPTION} {words.name}: give no molar mass: that of a named material is known"
            )
        return material(words.name, words.thickness, width=edge, height=edge, density=words.density)
    if not Path(words.name).exists():
        raise CupysimError(
            f"{OPTION}: there is no file {words.name!r}, and no such material; "
            f"materials are {', '.join(material_names())}"
        )
    from cupysim.formats import stol_table

    if words.density is None or words.molar_mass is None:
        raise CupysimError(
            f"{OPTION} {words.name}: a file needs a density (g/cm^3) and a molar mass (g/mol)"
        )
    table = stol_table.read(words.name)
    try:
        return Amorphous(
            table[:, 0] / ANGSTROM,
            table[:, 1],
            words.thickness,
            words.density,
            words.molar_mass,
            edge,
            edge,
        )
    except ModelError as error:
        raise CupysimError(f"{OPTION} {words.name}: {error}") from error
