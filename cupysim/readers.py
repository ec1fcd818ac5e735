"""Files of other programs for Python users: structures, experiments, images, matrices."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimError
from cupysim.formats import fdump, matrix_checks
from cupysim.formats.any_image import ImageFile, open_image
from cupysim.formats.structures import coordinates, reflections
from cupysim.formats.structures.structure import Structure
from cupysim.models.crystal import Crystal, UnitCell
from cupysim.models.experiment import Experiment
from cupysim.models.structure_factors import StructureFactors
from cupysim.nanobragg.build import build
from cupysim.nanobragg.structure_files import read_text

PLACEHOLDER = ("-cell", "100", "-default_F", "1", "-N", "1")
"""A crystal that is replaced, for files that tell the geometry alone."""


def read_structure(
    path: os.PathLike[str] | str,
    columns: Sequence[str] = (),
    *,
    dmin: float | None = None,
    default: float = 0.0,
    merge: bool = False,
    solvent: bool | None = None,
    hydrogens: bool = False,
    cell: UnitCell | None = None,
) -> Structure:
    """Read structure factors and the unit cell, or calculate them from coordinates.

    Parameters
    ----------
    path : path_like
        Reflections (MTZ, mmCIF, CIF, SHELX .fcf, XDS_ASCII, CrystFEL or merged Scalepack), or
        with `dmin` coordinates (PDB, mmCIF, CIF of a small molecule).
    columns : sequence of str, optional
        Columns of a reflection file; the usual ones without it.
    dmin : float, optional
        Resolution limit (m) for structure factors of coordinates.
    default : float, optional
        Amplitude of reflections that are not in the file (electrons).
    merge : bool, optional
        Average reflections that occur more than once.
    solvent : bool, optional
        Add bulk solvent to coordinates; by default for macromolecules.
    hydrogens : bool, optional
        Add hydrogen atoms to residues that have none.
    cell : UnitCell, optional
        A cell for coordinates; if it is another crystal's, the model stands alone in a P1 box.

    Returns
    -------
    Structure
        ``factors`` (`StructureFactors`), ``cell`` (`UnitCell`), ``wavelength`` (m),
        ``space_group``, and ``notes`` on what was read.

    Raises
    ------
    CupysimError
        If the file cannot be read as such, or gemmi is not installed.

    Examples
    --------
    A model's crystal, to 3 A::

        structure = read_structure("1orc.pdb", dmin=3e-10)
        crystal = Crystal(structure.cell, n_cells=(20, 20, 20))
    """
    if dmin is None:
        return reflections.read(path, columns, default, merge)
    recipe = coordinates.Recipe(
        k_sol=None if solvent is None else coordinates.K_SOL * solvent, hydrogens=hydrogens
    )
    return coordinates.read(path, dmin, recipe, default, cell)


def read_experiment(
    path: os.PathLike[str] | str,
    image: int = 0,
    *,
    crystal: Crystal | None = None,
    structure_factors: StructureFactors | None = None,
    wavelength: float | None = None,
) -> Experiment:
    """Read an experiment: geometry, beam, rotation, and the crystal where the file has one.

    Parameters
    ----------
    path : path_like
        A DIALS experiment list (.expt), an NXmx file, a CBF or SMV image, or an HDF5 file of
        cupysim.
    image : int, optional
        Which image of several, from 0.
    crystal : Crystal, optional
        The crystal, in MOSFLM's frame (beam along x, spindle along z); needed where the file has
        none. It replaces the file's.
    structure_factors : StructureFactors, optional
        Structure factors; 1 electron for every reflection without them, or those in a file of
        cupysim.
    wavelength : float, optional
        Wavelength (m); needed where the file has none.

    Returns
    -------
    Experiment
        With all quirks corrected; that of a file of cupysim is the stored one.

    Raises
    ------
    CupysimError
        If the file cannot be read, or tells no crystal and none is given.
    """
    stored = _stored_experiment(path)
    if stored is None:
        experiment = _inherited_experiment(path, image, crystal is not None, wavelength)
    else:
        if image != 0:
            raise CupysimError(f"{path}: there is no image {image}; the file holds one")
        experiment = stored
        if wavelength is not None:
            beam = replace(experiment.beam, wavelength=wavelength)
            experiment = replace(experiment, beam=beam)
    if crystal is not None:
        experiment = replace(experiment, crystal=crystal)
    if structure_factors is not None:
        experiment = replace(experiment, structure_factors=structure_factors)
    return experiment


def _stored_experiment(path: os.PathLike[str] | str) -> Experiment | None:
    """The experiment of an HDF5 file of cupysim."""
    if Path(path).suffix.lower() not in (".h5", ".hdf5", ".nxs"):
        return None
    found = open_image(path)
    return None if found.content is None else found.content.experiment


def _inherited_experiment(
    path: os.PathLike[str] | str, image: int, has_crystal: bool, wavelength: float | None
) -> Experiment:
    """The experiment of a file of another program, by the options of the drop-in command."""
    option = "-expt" if Path(path).suffix.lower() in (".expt", ".json") else "-img"
    words = [option, os.fspath(path), "-corrected", "-nodump"]
    if image:
        words += ["-image", str(image)]
    if wavelength is not None:
        words += ["-lambda", repr(wavelength / ANGSTROM)]
    if has_crystal:
        return build([*words, *PLACEHOLDER]).experiment
    try:
        return build([*words, "-default_F", "1", "-N", "1"]).experiment
    except CupysimError as error:
        if "-cell" in str(error):
            raise CupysimError(f"{path}: it tells no crystal; give one by crystal=") from error
        raise


def read_image(
    path: os.PathLike[str] | str, image: int = 0, *, shape: tuple[int, int] | None = None
) -> ImageFile:
    """Read an image.

    Parameters
    ----------
    path : path_like
        SMV, CBF, NXmx HDF5 or raw float32.
    image : int, optional
        Which image of an HDF5 file, from 0.
    shape : tuple of 2 int, optional
        Fast and slow pixels of a raw float image; a square without it.

    Returns
    -------
    ImageFile
        ``pixels`` and ``masked`` (shape (n_slow, n_fast)), ``geometry`` where the file tells it,
        and ``content`` for files of cupysim.

    Raises
    ------
    CupysimError
        If the file is none of these, damaged, or of another shape.
    """
    return open_image(path, shape, image)


def read_structure_factors(path: os.PathLike[str] | str, default: float = 0.0) -> StructureFactors:
    """Read structure factors which nanoBragg reads.

    Parameters
    ----------
    path : path_like
        Text with lines of ``h k l F``, a dump file if the name ends in ``.bin``, MTZ or mmCIF.
    default : float, optional
        Amplitude of reflections which are not in the file (electrons).

    Returns
    -------
    StructureFactors
        The table.

    Raises
    ------
    CupysimError
        If the file cannot be read as such.
    """
    if Path(path).suffix.lower() == ".bin":
        return fdump.read(path, default)
    if reflections.kind_of(path) is not None:
        return reflections.read(path, (), default).factors
    return StructureFactors.from_list(*read_text(os.fspath(path)), default)


def read_orientation(path: os.PathLike[str] | str, wavelength: float) -> np.ndarray:
    """Read a MOSFLM orientation matrix.

    A `CupysimWarning` tells if the file holds a cell which the matrix does not have at this
    wavelength, a U matrix of another orientation, missetting angles, which are not applied, or a
    left-handed matrix. The vectors are those of MOSFLM's laboratory frame, whose beam is along x.

    Parameters
    ----------
    path : path_like
        The file: nine numbers, rows x, y, z, columns a*, b*, c* times the
        wavelength.
    wavelength : float
        The wavelength (m).

    Returns
    -------
    ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom), for `Crystal`'s ``reciprocal``.

    Raises
    ------
    CupysimError
        If the file is not a matrix, or its columns span no volume.
    """
    return matrix_checks.read_reciprocal(path, wavelength)
