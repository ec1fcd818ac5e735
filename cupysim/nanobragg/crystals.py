"""The crystals of a command line: one from the options, or several from the lines of -crystals."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cupysim.errors import CupysimError, FileFormatError, OptionError
from cupysim.formats.structures.structure import Structure
from cupysim.maths.cell import upright_reciprocal
from cupysim.maths.mosaic import random_misset
from cupysim.maths.nr_random import RandomStream, ShuffleTable, further_seed
from cupysim.models.beam import Beam
from cupysim.models.crystal import LARGEST_CELL_SPREAD, Crystal
from cupysim.models.detector import Detector
from cupysim.models.diffuse import Diffuse, DiffuseModel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.size_spread import SizeSpread
from cupysim.models.spot_shape import Shape
from cupysim.models.unit_cell import UnitCell
from cupysim.nanobragg.arguments import RANDOM, Arguments, default_values, scan
from cupysim.nanobragg.consequences import warn_of_ineffective_crystal_options
from cupysim.nanobragg.given_cells import check_given_cell, given_cell, warn_of_other_cell
from cupysim.nanobragg.mosaic_domains import mosaic_domains
from cupysim.nanobragg.option_kinds import CRYSTAL, Kind
from cupysim.nanobragg.options import OPTIONS
from cupysim.nanobragg.structure_files import (
    CONTRAST,
    OPTIONS_OF_MODELS,
    OPTIONS_OF_REFLECTIONS,
    measured_structure,
    structure_factors,
)
from cupysim.storage.reading import opened

OF_SHOT = frozenset({
    "-crystals", "-interpolate", "-nointerpolate", "-water", "-background", "-dump", "-nodump",
    "-background_scale", "-density", "-MW", "-molec", "-amorphous_thick", "-absorption", "-dose",
    "-body", "-body_position", "-around", "-decay", "-image_dose", "-dose_before",
})  # fmt: skip
"""Options of the group "Crystal" that a shot has once."""

OF_CRYSTAL = {option.name: option for option in OPTIONS if option.group == CRYSTAL}
"""Options that describe the crystal, by name."""

OF_MODELS = ("-pdb", *OPTIONS_OF_MODELS, "-edge")
"""Options of structure factors that are calculated."""

OF_REFLECTIONS = ("-hkl", *OPTIONS_OF_REFLECTIONS)
"""Options of structure factors that are read."""

OF_STRUCTURE = frozenset({*OF_MODELS, *OF_REFLECTIONS, "-F000", "-default_F"})
"""Options that choose the structure factors."""

REPLACED: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("-N", "-Na", "-Nb", "-Nc"), (
        "-samplesize", "-sample_thick", "-sample_width", "-sample_heigh",
    )),
    (("-cell",), ("-mat",)),
    (("-mat",), ("-cell",)),
    (("-hkl",), OF_MODELS),
    (("-pdb",), OF_REFLECTIONS),
    (("-edge",), ("-edge",)),
    (("-mosaic", "-mosaici"), ("-spread_abc", "-spread_off_diagonal")),
    (("-spread_abc",), ("-mosaic", "-mosaici", "-spread_off_diagonal")),
)  # fmt: skip
"""Options of a line, and options of the command line that they replace."""

LARGEST_FILE = 2**24
"""Number of bytes to read. More crystals than fit into it would take years to render."""


@dataclass(frozen=True, eq=False)
class BuiltCrystal:
    """A crystal of the command line with its structure factors.

    Parameters
    ----------
    crystal : Crystal
        The crystal.
    structure : Structure
        Its structure factors, and notes about them.
    has_own_structure : bool
        Whether its line in the file of crystals chooses its structure factors. Other crystals share
        those of the command line.
    """

    crystal: Crystal
    structure: Structure
    has_own_structure: bool = False


@dataclass(frozen=True, eq=False)
class CrystalLine:
    """A line of a file of crystals.

    Parameters
    ----------
    path : str
        File name, for messages.
    number : int
        Number of the line, from 1.
    given : dict
        Values that its options set, in SI units.
    seen : frozenset of str
        Names of its options.
    """

    path: str
    number: int
    given: dict[str, object]
    seen: frozenset[str]


def build_crystals(
    args: Arguments,
    beam: Beam,
    detector: Detector | PanelDetector,
    measured: Structure | None,
    table: ShuffleTable,
    clock: int,
) -> list[BuiltCrystal]:
    """Make the crystals of a command line.

    Parameters
    ----------
    args : Arguments
        Values of the command line.
    beam, detector : Beam, Detector or PanelDetector
        Beam and detector, for the resolution of calculated structure factors.
    measured : Structure or None
        Content of the reflection file of -hkl.
    table : ShuffleTable
        Table of the C program's random numbers, which its further use continues.
    clock : int
        Seed of random orientations without a seed.

    Returns
    -------
    list of BuiltCrystal
        The only crystal, or those of the lines of -crystals.

    Raises
    ------
    CupysimError
        If an option or a file is wrong.
    """
    listed = args.values.get("reciprocal")
    if listed is not None and listed.ndim != 3:
        listed = None
    for option in ("-cell", "-mat"):
        if listed is not None and option in args.seen:
            raise OptionError(
                option, f"{args.experiment_file} has {len(listed)} crystals with their own cells"
            )
    if args.crystals_file is None:
        structure = structure_factors(args, beam, detector, measured)
        if listed is None:
            return [_built(args, beam, structure, table, clock)]
        return [
            _built(
                _numbered(args, place, clock, {"reciprocal": each}),
                beam, structure, ShuffleTable() if place else table, clock,
            )
            for place, each in enumerate(listed)
        ]  # fmt: skip
    if listed is not None:
        raise OptionError("-crystals", f"{args.experiment_file} already has {len(listed)} crystals")
    shared: Structure | None = None
    found = []
    for place, line in enumerate(read_lines(args)):
        own = _arguments(args, line, place, clock)
        try:
            warn_of_ineffective_crystal_options(own)
            if line.seen & OF_STRUCTURE:
                structure = structure_factors(own, beam, detector, measured_structure(own))
            else:
                if shared is None:
                    shared = structure_factors(args, beam, detector, measured)
                structure = shared
            of_line = table if place == 0 else ShuffleTable()
            built = _built(own, beam, structure, of_line, clock)
            found.append(replace(built, has_own_structure=structure is not shared))
        except CupysimError as error:
            raise FileFormatError(line.path, str(error), line.number) from error
    return found


def read_lines(args: Arguments) -> list[CrystalLine]:
    """Read the file of -crystals.

    Parameters
    ----------
    args : Arguments
        Values of the command line.

    Returns
    -------
    list of CrystalLine
        Its lines with options. Text after ``#`` is a comment.

    Raises
    ------
    FileFormatError
        If there is no crystal, or a line has anything but options of a crystal.
    """
    path = os.fspath(args.crystals_file)
    with opened(path) as stream:
        content = stream.read(LARGEST_FILE)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(path, "not a text file with a line of options for each crystal") \
            from error  # fmt: skip
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
            if not words:
                continue
            if not words[0].startswith("-"):
                raise OptionError(words[0][:60], "expected an option such as -misset")
            given, seen = scan(words, args.quirks)
        except (ValueError, CupysimError) as error:
            raise FileFormatError(path, str(error), number) from error
        strange = sorted(seen - (OF_CRYSTAL.keys() - OF_SHOT))
        if strange:
            raise FileFormatError(
                path, f"{strange[0]} is no option of a crystal; give it on the command line", number
            )
        found.append(CrystalLine(path, number, given, seen))
    if not found:
        raise FileFormatError(path, "no crystal: expected a line of options for each")
    return found


def files_of_lines(args: Arguments) -> dict[str, list[str]]:
    """Files that the lines of -crystals name, by their options."""
    found: dict[str, list[str]] = {}
    for line in read_lines(args):
        for name in sorted(line.seen):
            option = OF_CRYSTAL[name]
            if option.kind is Kind.PATH:
                found.setdefault(name, []).append(str(line.given[option.dest[0]]))
    return {name: list(dict.fromkeys(paths)) for name, paths in found.items()}


def _arguments(args: Arguments, line: CrystalLine, place: int, clock: int) -> Arguments:
    """Values of the command line, replaced by those of a line."""
    values, seen, defaults = dict(args.values), set(args.seen), default_values()
    for options, replaced in REPLACED:
        if line.seen.isdisjoint(options):
            continue
        for option in (OF_CRYSTAL[name] for name in replaced):
            values |= {name: defaults[name] for name in (*option.dest, *option.sets)}
            seen.discard(option.name)
    if "-hkl" in line.seen and values["f000"] == CONTRAST:
        # the contrast is that of a model
        values["f000"] = None
    if "-cell" in line.seen:
        values["reciprocal"] = None
    return _numbered(Arguments(values, seen | line.seen), place, clock, line.given)


def _numbered(args: Arguments, place: int, clock: int, given: Mapping[str, Any]) -> Arguments:
    """Values of a crystal of several. Seeds that it does not give itself differ from the others."""
    misset_seed = clock if args.misset_seed is None else args.misset_seed
    given_seeds = {"misset_seed": misset_seed, "mosaic_seed": args.mosaic_seed}
    seeds = {name: further_seed(seed, place) for name, seed in given_seeds.items()}
    return Arguments(args.values | seeds | dict(given), args.seen)


def _built(
    args: Arguments, beam: Beam, structure: Structure, table: ShuffleTable, clock: int
) -> BuiltCrystal:
    check_given_cell(args, structure, beam.wavelength)
    return BuiltCrystal(_crystal(args, beam.wavelength, table, clock, structure.cell), structure)


def clipped_size(args: Arguments) -> tuple[float, float, float]:
    """Size of the crystal (m); the beam clips its y and z size (quirk Q48)."""
    sizes = [args.sample_x, args.sample_y, args.sample_z]
    if args.beamsize >= 0.0:
        sizes[1:] = [min(size, args.beamsize) for size in sizes[1:]]
    return sizes[0], sizes[1], sizes[2]


def _diffuse(args: Arguments) -> Diffuse | None:
    gamma, sigma, laue = args.diffuse_gamma, args.diffuse_sigma, args.diffuse_laue or "-1"
    only = bool(args.diffuse_only)
    if args.diffuse_model == DiffuseModel.RIGID:
        if gamma:
            raise CupysimError("-diffuse_gamma has no effect with -diffuse_model rigid")
        if not sigma:
            raise CupysimError("-diffuse_model rigid needs -diffuse_sigma")
        return Diffuse((0.0, 0.0, 0.0), sigma, laue, 0, only, DiffuseModel.RIGID)
    if gamma and sigma:
        return Diffuse(gamma, sigma, laue, 1, only)
    for name in ("diffuse_gamma", "diffuse_sigma", "diffuse_laue", "diffuse_only"):
        if getattr(args, name):
            needed = "sigma" if name == "diffuse_gamma" else "gamma"
            raise CupysimError(f"-{name} needs -diffuse_{needed}")
    return None


def _crystal(
    args: Arguments, wavelength: float, table: ShuffleTable, clock: int, known: UnitCell | None
) -> Crystal:
    """Make the crystal; `known` is the cell that came with the structure factors."""
    cell = None if args.cell is None else given_cell(args.cell)
    reciprocal = args.values.get("reciprocal")
    if args.matrix_file is not None:
        from cupysim.formats import matrix_checks

        reciprocal = matrix_checks.read_reciprocal(args.matrix_file, wavelength, cell is None)
        if args.cell is not None:
            matrix_checks.warn_of_other_angles(args.matrix_file, reciprocal, args.cell)
    if cell is None and reciprocal is None:
        if known is None:
            raise CupysimError("no unit cell: give -cell or -mat")
        # quirk Q5 is for -cell; a new kind of input has the correct orientation
        reciprocal = upright_reciprocal(known.lengths_angstrom, known.angles)
    misset = args.misset
    if isinstance(misset, str) and misset == RANDOM:
        seed = clock if args.misset_seed is None else args.misset_seed
        misset = random_misset(RandomStream(seed, table))
    crystal = Crystal(
        cell=cell,
        reciprocal=reciprocal,
        misset=misset,
        n_cells=(args.n_a, args.n_b, args.n_c),
        n_cells_off_diagonal=args.off_diagonal_cells or (0.0, 0.0, 0.0),
        size=clipped_size(args),
        shape=Shape(args.shape),
        fudge=args.fudge,
        diffuse=_diffuse(args),
        scale=args.crystal_scale,
        sizes=SizeSpread(args.size_spread, args.size_steps) if args.size_spread > 0.0 else None,
        settings=args.settings or "",
    )
    cell_spreads = args.cell_spreads or (0.0, 0.0, 0.0)
    if not 0.0 <= min(cell_spreads) <= max(cell_spreads) <= LARGEST_CELL_SPREAD:
        raise OptionError(
            "-spread_edges", f"spreads must be from 0 to {100 * LARGEST_CELL_SPREAD:g} %"
        )
    # drawn after the random orientation, from the same table, as in the C program
    mosaicity = mosaic_domains(args, crystal, table)
    crystal = replace(crystal, mosaicity=mosaicity, cell_spreads=cell_spreads)
    if known is not None:
        warn_of_other_cell(args, known, crystal, wavelength)
    return crystal
