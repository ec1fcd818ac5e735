"""Where structure factors, and perhaps the unit cell, come from."""

from __future__ import annotations

import os
import warnings

import numpy as np

from cupysim.cli.arguments import Arguments
from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import CupysimError, CupysimWarning, OptionError
from cupysim.formats import coordinates, fdump, hkl_text, reflections
from cupysim.maths.resolution import largest_scattering
from cupysim.models.beam import Beam
from cupysim.models.crystal import Crystal, UnitCell
from cupysim.models.detector import Detector
from cupysim.models.structure_factors import StructureFactors
from cupysim.quirks import warn_quirk

BEYOND_THE_CORNERS = 0.97
"""Part of the detector's resolution limit to which structure factors are calculated, so that spots
at its corners are whole."""

NOTICEABLE_CELL = 0.005
"""Difference between two cells, of an edge relative or of an angle (rad), worth a warning."""


def reads_dump(args: Arguments) -> bool:
    """Whether structure factors come from an earlier run's table."""
    if args.hkl_file is not None or args.model_file is not None or not args.use_dump:
        return False
    # of what happens to lie in the folder, a pipe would be waited for
    exists = os.path.exists if "-dump" in args.seen else os.path.isfile
    return exists(args.dump_file)


def structure_factors(
    args: Arguments, beam: Beam, detector: Detector
) -> tuple[StructureFactors, UnitCell | None]:
    """Structure factors, and the unit cell where their file has one.

    Parameters
    ----------
    args : Arguments
        The command line's values.
    beam, detector
        They limit the resolution of calculated structure factors.

    Returns
    -------
    factors : StructureFactors
        Amplitudes.
    cell : UnitCell or None
        The cell of a file with symmetry or of a model.

    Raises
    ------
    CupysimError
        If there are none, or the file is wrong.
    """
    _check_options(args)
    if args.model_file is not None:
        dmin = args.dmin if args.dmin > 0.0 else resolution_limit(beam, detector)
        structure = coordinates.read(args.model_file, dmin, args.k_sol, args.b_sol, args.default_F)
        return structure.factors, structure.cell
    if args.hkl_file is not None:
        if reflections.kind_of(args.hkl_file) is None:
            if args.columns is not None:
                raise OptionError("-mtzcol", f"{args.hkl_file} is neither an MTZ nor a CIF file")
            return StructureFactors.from_list(*hkl_text.read(args.hkl_file), args.default_F), None
        columns = [] if args.columns is None else args.columns.split(",")
        structure = reflections.read(args.hkl_file, columns, args.default_F)
        return structure.factors, structure.cell
    return _tabulated(args), None


def _check_options(args: Arguments) -> None:
    if args.model_file is not None and args.hkl_file is not None:
        raise OptionError("-pdb", "gives structure factors, and so does -hkl; give one of them")
    if args.columns is not None and args.hkl_file is None:
        raise OptionError("-mtzcol", "needs an MTZ or mmCIF file, given by -hkl")
    for option in ("-k_sol", "-b_sol"):
        if option in args.seen and args.model_file is None:
            raise OptionError(option, "needs a model, given by -pdb")


def _tabulated(args: Arguments) -> StructureFactors:
    if args.dump_was_read:
        if "-dump" not in args.seen:
            warn_quirk(
                32,
                f"structure factors are read from {args.dump_file}, which lies in this folder; "
                "-nodump leaves it alone",
            )
        return fdump.read(args.dump_file, args.default_F)
    if "-dump" in args.seen and args.use_dump:
        problem = f"{args.dump_file} does not exist"
        if args.default_F == 0.0:
            raise CupysimError(
                f"no structure factors: {problem}; give -hkl FILE, -pdb FILE or -default_F F"
            )
        warnings.warn(
            CupysimWarning(f"-dump: {problem}; all structure factors are -default_F"), stacklevel=2
        )
    if args.default_F == 0.0:
        raise CupysimError(
            "no structure factors: give -hkl FILE, -pdb FILE, -default_F F or -dump FILE"
        )
    return StructureFactors(default=args.default_F)


def resolution_limit(beam: Beam, detector: Detector) -> float:
    """The finest resolution (m) of which the detector's corners see anything."""
    geometry, sources = detector.geometry, beam.sources(detector.unit_frame)
    panel = np.stack([geometry.origin, geometry.fast, geometry.slow])
    size = detector.n_fast * detector.pixel_size, detector.n_slow * detector.pixel_size
    largest = largest_scattering(panel, size, sources.incident, sources.wavelengths)
    return BEYOND_THE_CORNERS / max(largest, 1e-3 / beam.wavelength)


def warn_of_other_cell(args: Arguments, known: UnitCell, crystal: Crystal) -> None:
    """Tell that the crystal has another cell than the structure factors' file."""
    lattice = crystal.lattice
    lengths = np.abs(lattice.lengths / known.lengths_angstrom - 1.0).max()
    angles = np.abs(lattice.angles - known.angles).max()
    if max(lengths, angles) > NOTICEABLE_CELL:
        edges = " ".join(f"{length:g}" for length in known.lengths_angstrom)
        degrees = " ".join(f"{angle * DEGREES_PER_RADIAN:g}" for angle in known.angles)
        warnings.warn(
            CupysimWarning(
                f"the crystal has another cell than {args.model_file or args.hkl_file}, whose is "
                f"{edges} {degrees}"
            ),
            stacklevel=2,
        )
