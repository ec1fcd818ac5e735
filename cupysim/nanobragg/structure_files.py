"""Sources of structure factors, and of the unit cell and wavelength that come with them."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.drop_ins import units
from cupysim.errors import CupysimError, CupysimWarning, OptionError
from cupysim.formats import edge_table
from cupysim.formats.edge_table import EdgeTable
from cupysim.formats.structures.structure import Structure
from cupysim.formats.text_numbers import NUMBER
from cupysim.maths.resolution import largest_scattering
from cupysim.models.beam import Beam
from cupysim.models.detector import Detector, PlacedDetector
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.sources import PLAUSIBLE_WAVELENGTHS
from cupysim.models.structure_factors import StructureFactors
from cupysim.nanobragg.arguments import LARGEST_FLOAT, Arguments
from cupysim.nanobragg.given_cells import requested_cell, warn_of_box
from cupysim.nanobragg.inherited import Inherited
from cupysim.quirks import Quirk, Quirks, warn_quirk

BEYOND_THE_CORNERS = 0.97
"""Resolution to which structure factors are calculated, relative to that of the detector's corners.

It is finer than the corners, so that spots there are whole.
"""


CONTRAST = "contrast"
"""Value of -F000 for the model's electrons minus those of the displaced solvent."""

OPTIONS_OF_MODELS = ("-k_sol", "-b_sol", "-hydrogens", "-anomalous")
AT_WAVELENGTH = "@"
"""Stands between columns and their wavelength in a value of -mtzcol."""

OPTIONS_OF_REFLECTIONS = ("-mtzcol", "-merge")


def reads_dump(args: Arguments) -> bool:
    """Whether structure factors come from the table of an earlier run."""
    if args.hkl_file is not None or args.model_file is not None or not args.use_dump:
        return False
    # without -dump, only a regular file is read: reading a pipe would wait for its writer
    exists = os.path.exists if "-dump" in args.seen else os.path.isfile
    return exists(args.dump_file)


def measured_structure(args: Arguments) -> Structure | None:
    """Read the reflection file of -hkl. The result does not depend on beam and detector.

    Parameters
    ----------
    args : Arguments
        Values of the command line.

    Returns
    -------
    Structure or None
        Structure factors, cell and wavelength of the file; None without -hkl.

    Raises
    ------
    CupysimError
        If options contradict each other, or the file is wrong.
    """
    _check_options(args)
    if args.hkl_file is None:
        return None
    from cupysim.formats.structures import reflections

    if reflections.kind_of(args.hkl_file) is None:
        for option in OPTIONS_OF_REFLECTIONS:
            if option in args.seen:
                raise OptionError(
                    option, f"{args.hkl_file} is neither an MTZ nor a CIF file, nor another file "
                    "with symmetry"
                )  # fmt: skip
        from cupysim.formats import hkl_text

        factors = StructureFactors.from_list(
            *hkl_text.read_with_warning(args.hkl_file), args.default_F
        )
        return Structure(factors, None, "P 1", "h k l F")
    if args.columns is not None and AT_WAVELENGTH in args.columns:
        from cupysim.formats.structures.several_wavelengths import read_at_wavelengths

        sets = _columns_at_wavelengths(args.columns)
        return read_at_wavelengths(args.hkl_file, sets, args.default_F, args.merge)
    columns = [] if args.columns is None else args.columns.split(",")
    return reflections.read(args.hkl_file, columns, args.default_F, args.merge)


def _columns_at_wavelengths(value: str) -> dict[float, list[str]]:
    """Columns by their wavelengths (m): F1@1.1;F2@1.2."""
    found: dict[float, list[str]] = {}
    for part in value.split(";"):
        labels, _, number = part.rpartition(AT_WAVELENGTH)
        try:
            wavelength = float(number)
        except ValueError:
            wavelength = 0.0
        if not labels.strip() or not wavelength > 0.0:
            raise OptionError(
                "-mtzcol", f"expected columns and their wavelength (A) as in F1@0.98;F2@0.94, got "
                f"{part[:60]!r}"
            )  # fmt: skip
        metres = wavelength * ANGSTROM
        if metres in found:
            raise OptionError("-mtzcol", f"two sets of columns at {number} A")
        found[metres] = [label.strip() for label in labels.split(",")]
    return found


def structure_factors(
    args: Arguments, beam: Beam, detector: Detector | PanelDetector, measured: Structure | None
) -> Structure:
    """Read or calculate structure factors, with the unit cell if their file has one.

    Parameters
    ----------
    args : Arguments
        Values of the command line.
    beam, detector : Beam, Detector
        Beam and detector, for the resolution limit of calculated structure factors.
    measured : Structure or None
        Result of `measured_structure`.

    Returns
    -------
    Structure
        Structure factors; without a cell if there is no file with symmetry and no model.

    Raises
    ------
    CupysimError
        If there are no structure factors, or the file is wrong.
    """
    f000 = f000_value(args.f000)
    if args.model_file is not None:
        from cupysim.formats.structures import coordinates

        if args.dmin <= 0.0 and beam.wavelength < PLAUSIBLE_WAVELENGTHS[0]:
            told = f"{beam.wavelength / ANGSTROM:g} A is not the wavelength of X-rays"
            raise OptionError("-lambda", f"{told}; the unit is Angstrom (of -energy, eV)")
        dmin = args.dmin if args.dmin > 0.0 else resolution_limit(beam, detector, args.quirks)
        k_sol = args.k_sol if "-k_sol" in args.seen else None
        wavelengths: tuple[float, ...] = ()
        if args.anomalous:
            placed = detector.placed(args.quirks)
            sources = beam.sources(placed.frame, args.quirks)
            wavelengths = tuple(np.unique(sources.wavelengths).tolist())
        recipe = coordinates.Recipe(
            k_sol, args.b_sol, args.hydrogens, args.f000 == CONTRAST, wavelengths,
            measured_edges(args), fewer_channels=True,
        )  # fmt: skip
        box = requested_cell(args, beam.wavelength)
        structure = coordinates.read(args.model_file, dmin, recipe, args.default_F, box)
        if box is not None and structure.own_cell is not None:
            warn_of_box(args, box, structure.own_cell, beam.wavelength)
    elif measured is not None:
        structure = measured
    else:
        structure = Structure(_tabulated(args), None, "P 1", "a table")
    return structure if f000 is None else with_f000(structure, f000)


def edge_files(args: Arguments) -> list[tuple[str, str]]:
    """Atoms and files of the values of -edge.

    Raises
    ------
    OptionError
        If a value has no comma.
    """
    found = []
    for value in args.edges or ():
        atoms, comma, path = value.partition(",")
        if not (comma and atoms and path):
            raise OptionError("-edge", f"expected ELEMENT,FILE, got {value[:60]!r}")
        found.append((atoms, path))
    return found


def measured_edges(args: Arguments) -> tuple[EdgeTable, ...]:
    """Measured f' and f'' of the files of -edge."""
    return tuple(edge_table.read(path, atoms) for atoms, path in edge_files(args))


def with_f000(structure: Structure, value: float) -> Structure:
    """Return structure factors with another F(0,0,0).

    Parameters
    ----------
    structure : Structure
        Structure factors to copy.
    value : float
        New F(0,0,0) (electrons).

    Returns
    -------
    Structure
        Copy with the new F(0,0,0), and a note about it.
    """
    note = f"F(0,0,0) is {value:g} electrons, as -F000 says"
    factors = structure.factors.with_value((0, 0, 0), value)
    return replace(structure, factors=factors, notes=(*structure.notes, note))


def f000_value(text: str | None) -> float | None:
    """Read the number of -F000.

    Parameters
    ----------
    text : str or None
        Value of the option; None without it.

    Returns
    -------
    float or None
        F(0,0,0) (electrons); None without the option, or for "contrast".

    Raises
    ------
    OptionError
        If the value is neither a number from 0 nor "contrast".
    """
    if text is None or text == CONTRAST:
        return None
    if not NUMBER.fullmatch(text) or not abs(float(text)) <= LARGEST_FLOAT:
        raise OptionError("-F000", f"expected a number or '{CONTRAST}', got {text[:60]!r}")
    if float(text) < 0.0:
        raise OptionError("-F000", f"must not be negative, got {text}")
    return float(text)


def _check_options(args: Arguments) -> None:
    if args.model_file is not None and args.hkl_file is not None:
        raise OptionError("-pdb", "gives structure factors, and so does -hkl; give one of them")
    for option in OPTIONS_OF_REFLECTIONS:
        if option in args.seen and args.hkl_file is None:
            raise OptionError(option, "needs a file of reflections with symmetry, given by -hkl")
    for option in OPTIONS_OF_MODELS:
        if option in args.seen and args.model_file is None:
            raise OptionError(option, "needs a model, given by -pdb")
    if args.edges and not args.anomalous:
        raise OptionError("-edge", "needs -anomalous")
    if args.f000 == CONTRAST and (args.model_file is None or args.k_sol == 0.0):
        raise OptionError("-F000", f"'{CONTRAST}' needs a model, given by -pdb, and a solvent")


def _tabulated(args: Arguments) -> StructureFactors:
    if args.dump_was_read:
        if "-dump" not in args.seen:
            warn_quirk(
                Quirk.DUMP_READ_UNASKED,
                f"structure factors are read from {args.dump_file} in this folder; with -nodump, "
                "it is not read",
            )
        from cupysim.formats import fdump

        return fdump.read(args.dump_file, args.default_F)
    missing = "-dump" in args.seen and args.use_dump
    problem = f"{args.dump_file} does not exist"
    # an image of background alone is possible if the user says that there is nothing else
    alone = "-default_F" in args.seen and args.water > 0.0
    if args.default_F == 0.0 and not alone and args.f000 is None:
        raise CupysimError(
            f"no structure factors: {problem}; give -hkl FILE, -pdb FILE or -default_F F"
            if missing
            else "no structure factors: give -hkl FILE, -pdb FILE, -default_F F or -dump FILE"
        )
    if missing:
        warnings.warn(
            CupysimWarning(f"-dump: {problem}; all structure factors are -default_F"), stacklevel=2
        )
    return StructureFactors(default=args.default_F)


def resolution_limit(beam: Beam, detector: Detector | PanelDetector, quirks: Quirks) -> float:
    """Finest resolution (m) of spots at the corners of the detector's panels."""
    placed = detector.placed(quirks)
    sources = beam.sources(placed.frame, quirks)
    if isinstance(placed, PlacedDetector):
        geometry, size = placed.geometry, placed.detector.pixel_size
        axes = [geometry.origin, geometry.fast, geometry.slow]
        ends = [(axes, (size * placed.detector.n_fast, size * placed.detector.n_slow))]
    else:
        ends = [
            (
                [np.array(panel.origin), panel.axes[0], panel.axes[1]],
                (panel.edges[0] * panel.n_fast, panel.edges[1] * panel.n_slow),
            )
            for panel in placed.detector
        ]
    largest = max(
        largest_scattering(np.stack(axes), size, sources.incident, sources.wavelengths)
        for axes, size in ends
    )
    return BEYOND_THE_CORNERS / max(largest, 1e-3 / beam.wavelength)


def take_wavelength(args: Arguments, measured: Structure | None, inherited: Inherited) -> str:
    """Use the wavelength of the reflection file if nothing else gives one.

    Parameters
    ----------
    args : Arguments
        Values of the command line; the wavelength is changed in place.
    measured : Structure or None
        Result of `measured_structure`.
    inherited : Inherited
        What images and experiment lists have given.

    Returns
    -------
    str
        Line for standard output; empty if the wavelength did not change.

    Raises
    ------
    CupysimError
        If an image places the detector exactly, but nothing gives a wavelength.
    """
    given = "wavelength" in inherited.names or not {"-lambda", "-energy"}.isdisjoint(args.seen)
    if given:
        return ""
    if measured is None or measured.wavelength is None:
        if inherited.no_wavelength:
            _demand_wavelength(inherited)
        elif measured is not None and measured.unclear_wavelength:
            warnings.warn(
                CupysimWarning(
                    f"{args.hkl_file}: {measured.unclear_wavelength}: none is taken, and 1 A is "
                    "used; give -lambda"
                ),
                stacklevel=2,
            )
        return ""
    # the same number as from -lambda, to the last bit
    number = f"{measured.wavelength / ANGSTROM:.10g}"
    if inherited.no_wavelength:
        told = f"{inherited.no_wavelength}; that of {args.hkl_file}, {number} A, is used"
        warnings.warn(CupysimWarning(told), stacklevel=2)
    from cupysim.formats.geometry_checks import WAVELENGTHS

    if not WAVELENGTHS[0] <= measured.wavelength <= WAVELENGTHS[1]:
        told = f"{args.hkl_file}: its wavelength of {number} A is unusual: is its unit wrong?"
        warnings.warn(CupysimWarning(told), stacklevel=2)
    args.values["wavelength"] = units.ANGSTROM.to_si(float(number))
    return f"wavelength {number} A, from {args.hkl_file}, because there is no -lambda"


def _demand_wavelength(inherited: Inherited) -> None:
    """Reject exact geometry without a wavelength; for an SMV header, warn of nanoBragg's 1 A."""
    if inherited.exact is not None:
        raise CupysimError(f"{inherited.no_wavelength}; give -lambda or -energy")
    warnings.warn(
        CupysimWarning(f"{inherited.no_wavelength}; 1 A is used, as in nanoBragg"), stacklevel=2
    )
