"""Functions that read structures, experiments, images and matrices from files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimError, CupysimWarning
from cupysim.formats import edge_table, fdump, hkl_text, matrix_checks
from cupysim.formats.any_image import ImageFile, open_image
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.structures import coordinates, reflections
from cupysim.formats.structures.structure import Structure
from cupysim.models.crystal import Crystal
from cupysim.models.experiment import Experiment
from cupysim.models.structure_factors import StructureFactors
from cupysim.models.unit_cell import UnitCell
from cupysim.nanobragg.build import build
from cupysim.nanobragg.consequences import other_frame
from cupysim.storage.reading import check_regular

FARTHEST_WAVELENGTH = 1e-7
"""Wavelengths (m) of at least this length are not those of X-rays; their unit is probably wrong."""

PLACEHOLDER = ("-cell", "100", "-default_F", "1", "-N", "1")
"""Options of a crystal that is replaced later, for files that contain only the geometry."""


def read_structure(
    path: os.PathLike[str] | str,
    columns: Sequence[str] | Mapping[float, Sequence[str]] = (),
    *,
    dmin: float | None = None,
    default: float = 0.0,
    merge: bool = False,
    solvent: bool | None = None,
    hydrogens: bool = False,
    cell: UnitCell | None = None,
    wavelengths: Sequence[float] = (),
    edges: Mapping[str, os.PathLike[str] | str] | None = None,
    slopes: Sequence[str] = (),
) -> Structure:
    """Read structure factors and the unit cell, or calculate them from coordinates.

    Parameters
    ----------
    path : path_like
        File to read: reflections (MTZ, mmCIF, CIF, SHELX .fcf, XDS_ASCII, CrystFEL or merged
        Scalepack), or, with `dmin`, coordinates (PDB, mmCIF, CIF of a small molecule).
    columns : sequence of str, or mapping from float to sequence of str, optional
        Columns of a reflection file. By default the usual ones. A mapping from wavelengths (m) to
        columns makes a channel for each; between them, structure factors are interpolated.
    dmin : float, optional
        Resolution limit (m) of structure factors from coordinates.
    default : float, optional
        Amplitude (electrons) of reflections that are not in the file.
    merge : bool, optional
        Average reflections that occur more than once.
    solvent : bool, optional
        Add bulk solvent to coordinates. By default only for macromolecules.
    hydrogens : bool, optional
        Add hydrogen atoms to residues that have none.
    cell : UnitCell, optional
        Unit cell for coordinates. If it is the cell of another crystal, the model stands alone
        in a P1 box.
    wavelengths : sequence of float, optional
        Wavelengths (m) at which the anomalous scattering of the atoms of coordinates is added.
        Each has a channel of structure factors; sources in between are interpolated.
    edges : mapping of str to path_like, optional
        Files with measured f' and f'' (`cupysim.formats.edge_table`), by the symbol of an element
        or by a selection of gemmi such as ``//A/101/ZN``. Other atoms have those of Cromer and
        Liberman.
    slopes : sequence of str, optional
        Atoms of coordinates, named as in `edges`. The result then has the derivatives of the
        amplitudes with respect to their f' and f'' (``slopes``), for `FactorGradient.along`.

    Returns
    -------
    Structure
        ``factors`` (`StructureFactors`), ``cell`` (`UnitCell`), ``wavelength`` (m),
        ``space_group``, and ``notes`` on what was read.

    Raises
    ------
    CupysimError
        If the file cannot be read, or gemmi is not installed.

    Examples
    --------
    A crystal of a model, with structure factors to 3 A::

        structure = read_structure("1orc.pdb", dmin=3e-10)
        crystal = Crystal(structure.cell, n_cells=(20, 20, 20))
    """
    wavelengths = tuple(float(wavelength) for wavelength in wavelengths)
    if not all(0.0 < wavelength < FARTHEST_WAVELENGTH for wavelength in wavelengths):
        raise CupysimError(
            "wavelengths must be those of X-rays, in metres, for example 0.98e-10; got "
            f"{', '.join(f'{wavelength:g}' for wavelength in wavelengths)}"
        )
    if dmin is None:
        if len(wavelengths):
            raise CupysimError("wavelengths are for coordinates; give dmin as well")
        if edges:
            raise CupysimError("edges are for coordinates; give dmin and wavelengths as well")
        if slopes:
            raise CupysimError("slopes are for coordinates; give dmin as well")
        if isinstance(columns, Mapping):
            from cupysim.formats.structures.several_wavelengths import read_at_wavelengths

            return read_at_wavelengths(path, columns, default, merge)
        return reflections.read(path, columns, default, merge)
    if edges and not wavelengths:
        raise CupysimError("edges need wavelengths, at which f' and f'' are added")
    recipe = coordinates.Recipe(
        k_sol=None if solvent is None else coordinates.K_SOL * solvent,
        hydrogens=hydrogens,
        wavelengths=wavelengths,
        edges=tuple(edge_table.read(file, atoms) for atoms, file in (edges or {}).items()),
        slopes=tuple(slopes),
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
    """Read an experiment: geometry, beam, rotation, and the crystal if the file has one.

    Parameters
    ----------
    path : path_like
        File to read: a DIALS experiment list (.expt), a geometry file of CrystFEL (.geom) or pyFAI
        (.poni), an NXmx file, a CBF or SMV image, or an HDF5 file of cupysim.
    image : int, optional
        Number of the image in the file, from 0.
    crystal : Crystal, optional
        Crystal in the laboratory frame of the experiment. It replaces the crystal of the file, and
        is needed if the file has none. The frame is MOSFLM's (beam along x, spindle along z) in
        most files; for others, a `CupysimWarning` gives the directions.
    structure_factors : StructureFactors, optional
        Structure factors. By default those of a cupysim file; with other files, 1 electron for
        every reflection.
    wavelength : float, optional
        Wavelength (m). Needed if the file has none.

    Returns
    -------
    Experiment
        Experiment with all quirks corrected. A cupysim file gives the stored experiment, with
        its own quirks. A `CupysimWarning` says if the geometry beside it was changed later.

    Raises
    ------
    CupysimError
        If the file cannot be read, or if neither the file nor `crystal` gives a crystal.
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
        experiment = replace(experiment, crystal=crystal, further_crystals=())
        axes = other_frame(experiment.frame)
        if axes:
            told = f"{path}: the crystal is used in the laboratory frame of the file, {axes}"
            warnings.warn(CupysimWarning(told), stacklevel=2)
    if structure_factors is not None:
        experiment = replace(experiment, structure_factors=structure_factors)
    return experiment


def read_detector(
    path: os.PathLike[str] | str,
    image: int = 0,
    *,
    wavelength: float | None = None,
    distance: float | None = None,
) -> DetectorGeometry:
    r"""Read a detector of any number of panels, and the beam.

    Parameters
    ----------
    path : path_like
        File to read: a DIALS experiment list (.expt), a geometry file of CrystFEL (.geom) or pyFAI
        (.poni), or an NXmx file.
    image : int, optional
        Number of the image in the file, from 0.
    wavelength : float, optional
        Wavelength (m) in place of that of a .geom file, which may refer to image files, or of a
        .poni file.
    distance : float, optional
        Camera length ``clen`` (m) in place of that of a .geom file, or distance (m) in place of
        that of a .poni file.

    Returns
    -------
    DetectorGeometry
        ``detector`` (a `PanelDetector` in the laboratory frame of the format), ``wavelength`` and
        further numbers; ``remarks`` are warnings about the reading.

    Raises
    ------
    CupysimError
        If the file cannot be read, a number is given that only .geom and .poni files need, or the
        file is a NeXus file of pyFAI, which has a detector without its place.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> text = "wavelength = 1 A\nclen = 0.1 m\nres = 1e4\nadu_per_photon = 1\n"
    >>> text += "p/min_fs = 0\np/max_fs = 9\np/min_ss = 0\np/max_ss = 4\n"
    >>> text += "p/corner_x = -5\np/corner_y = 1\np/fs = x\np/ss = y\n"
    >>> file = pathlib.Path(tempfile.mkdtemp(), "small.geom")
    >>> _ = file.write_text(text)
    >>> read_detector(file).detector["p"].origin
    (-0.0005, 0.0001, 0.1)
    """
    # opening a pipe would wait for ever
    check_regular(path)
    name = os.fspath(path).lower().removesuffix(".gz")
    if name.endswith(".geom"):
        from cupysim.formats.crystfel.reader import read_geometry

        return read_geometry(path, wavelength=wavelength, distance=distance)[0]
    if name.endswith(".poni"):
        from cupysim.formats.pyfai_detector import read_poni

        return read_poni(path, wavelength=wavelength, distance=distance)
    if wavelength is not None or distance is not None:
        raise CupysimError(
            f"{path}: wavelength and distance can replace only those of .geom and .poni files"
        )
    if name.endswith((".expt", ".json")):
        from cupysim.formats import dials_detector

        return dials_detector.read_detector(path, image)
    from cupysim.formats import nxmx_detector, pyfai_pixels

    pyfai_pixels.check_no_detector_file(path)
    return nxmx_detector.read_detector(path, image)


def _stored_experiment(path: os.PathLike[str] | str) -> Experiment | None:
    """The experiment in an HDF5 file of cupysim, or None for other files."""
    if Path(path).suffix.lower() not in (".h5", ".hdf5", ".nxs"):
        return None
    found = open_image(path)
    if found.contradiction:
        warnings.warn(
            CupysimWarning(f"{found.path}: {found.contradiction}; the stored experiment is read"),
            stacklevel=3,
        )
    return None if found.content is None else found.content.experiment


def _inherited_experiment(
    path: os.PathLike[str] | str, image: int, has_crystal: bool, wavelength: float | None
) -> Experiment:
    """The experiment in a file of another program, read with the drop-in command's options."""
    unpacked = os.fspath(path).lower().removesuffix(".gz")
    option = "-expt" if unpacked.endswith((".expt", ".json")) else "-img"
    option = "-geom" if unpacked.endswith((".geom", ".poni")) else option
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
            raise CupysimError(f"{path}: it has no crystal; give one with crystal=") from error
        raise


def read_image(
    path: os.PathLike[str] | str, image: int = 0, *, shape: tuple[int, int] | None = None
) -> ImageFile:
    """Read an image file.

    Parameters
    ----------
    path : path_like
        File to read: SMV, CBF, NXmx HDF5 or raw float32.
    image : int, optional
        Number of the image in an HDF5 file, from 0.
    shape : tuple of 2 int, optional
        Numbers of fast and slow pixels of a raw float image. By default the image is square.

    Returns
    -------
    ImageFile
        ``pixels`` and ``masked`` (shape ([n_panels,] n_slow, n_fast)), ``geometry`` of one panel
        or ``panels`` if the file has them, and ``content`` if cupysim wrote the file.

    Raises
    ------
    CupysimError
        If the file has none of these formats, is damaged, or has another shape.
    """
    return open_image(path, shape, image)


def read_structure_factors(path: os.PathLike[str] | str, default: float = 0.0) -> StructureFactors:
    """Read structure factors from nanoBragg's files, MTZ or mmCIF.

    Parameters
    ----------
    path : path_like
        File to read: text with lines of ``h k l F``, a dump file if the name ends in ``.bin``,
        MTZ or mmCIF.
    default : float, optional
        Amplitude (electrons) of reflections that are not in the file.

    Returns
    -------
    StructureFactors
        Table of the amplitudes in the file.

    Raises
    ------
    CupysimError
        If the file cannot be read.
    """
    if Path(path).suffix.lower() == ".bin":
        return fdump.read(path, default)
    if reflections.kind_of(path) is not None:
        return reflections.read(path, (), default).factors
    return StructureFactors.from_list(*hkl_text.read_with_warning(path), default)


def read_orientation(path: os.PathLike[str] | str, wavelength: float) -> np.ndarray:
    """Read a MOSFLM orientation matrix.

    The vectors are in MOSFLM's laboratory frame: the beam is along x. A `CupysimWarning` names
    each of these problems:

    * the cell in the file is not the cell of the matrix at this wavelength;
    * the U matrix in the file has another orientation;
    * the file has missetting angles, which are not applied;
    * the matrix is left-handed.

    Parameters
    ----------
    path : path_like
        File to read. It has nine numbers: rows x, y, z, and columns a*, b*, c* times the
        wavelength.
    wavelength : float
        Wavelength (m).

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
