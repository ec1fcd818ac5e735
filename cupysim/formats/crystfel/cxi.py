"""CXI files for CrystFEL, with all panels below each other, and geometry files of image files."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

import numpy as np

import cupysim
from cupysim.errors import CupysimError
from cupysim.formats.crystfel.beam import CHARGE, energy_of
from cupysim.formats.crystfel.layout import CrystfelLayout, MaskLocation, PanelLayout
from cupysim.formats.crystfel.writer import BAD_BIT, HEADING, to_crystfel, write_geometry
from cupysim.formats.lab_panels import detector_in
from cupysim.formats.nexus.tree import DATA as NXMX_DATA
from cupysim.maths.rotations import rotate_axis
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector

DATA = "/entry_1/data_1/data"
"""Data set of the images, shape (n_shots, n_slow, n_fast)."""

MASK = "/entry_1/data_1/mask"
"""Data set of the mask, shape (n_slow, n_fast): `BAD_BIT` in pixels that were not computed."""

ENERGY = "/LCLS/photon_energy_eV"
"""Photon energy of each shot (eV)."""

OURS = "/cupysim"
"""Group with the crystal's orientation: a*, b*, c* of each shot (1/m) in CrystFEL's frame, at the
first spindle angle."""

VERSION = 150
"""Version of the CXI format."""

ImageFiles = Literal["cxi", "nxmx", "others"]
"""Image files that a geometry file describes: CXI or NXmx files of cupysim, or those of others."""

NXMX_MASK = "/entry/instrument/detector/pixel_mask"
"""Data set of the mask in NXmx files of cupysim, with `BAD_BIT` in pixels not computed."""


def layout_of(detector: PanelDetector) -> CrystfelLayout:
    """Where the panels are in a CXI file of `CxiFile`.

    Parameters
    ----------
    detector : PanelDetector
        The detector.
    """
    masks = (MaskLocation(0, MASK, bad=BAD_BIT),)
    return CrystfelLayout.slab(detector, DATA, ("%", "ss", "fs"), masks)


def nxmx_layout_of(detector: PanelDetector) -> CrystfelLayout:
    """Where the panels are in an NXmx file of cupysim: in blocks of the largest width and height.

    Parameters
    ----------
    detector : PanelDetector
        The detector.
    """
    masks = (MaskLocation(0, NXMX_MASK, bad=BAD_BIT),)
    dims = ("%", "ss", "fs")
    return CrystfelLayout(
        {
            panel.name: PanelLayout((0, number * detector.n_slow), NXMX_DATA, dims, masks)
            for number, panel in enumerate(detector)
        }
    )


def write_shot(stream: BinaryIO, experiment: Experiment, pixels: np.ndarray) -> None:
    """Write a CXI file of one shot.

    Parameters
    ----------
    stream : binary stream
        Stream to write to, open for reading and writing.
    experiment : Experiment
        Experiment of the shot.
    pixels : ndarray, shape ([n_panels,] n_slow, n_fast)
        Photons: integers if counted, otherwise floating-point numbers.
    """
    kind = np.float32 if pixels.dtype.kind == "f" else np.int32
    with CxiFile(stream, experiment, 1, kind) as file:
        file.put(0, experiment, pixels)


def geometry_beside(path: str) -> str:
    """Name of the geometry file beside a CXI file."""
    return f"{os.path.splitext(path)[0]}.geom"


def refuse_foreign_geometry(path: str) -> None:
    """Reject a CXI file if a geometry file that cupysim did not write would be replaced beside it.

    Parameters
    ----------
    path : str
        Name of the CXI file.

    Raises
    ------
    CupysimError
        If there is such a file. Users name only the CXI file, so theirs must not be replaced.
    """
    beside = geometry_beside(path)
    if not os.path.isfile(beside):
        return
    with open(beside, "rb") as file:
        is_ours = file.readline().decode(errors="replace").rstrip() == HEADING
    if not is_ours:
        raise CupysimError(
            f"{path}: {beside} would be written beside it, but exists and is not of cupysim; "
            "choose another name"
        )


def write_geometry_beside(
    stream: BinaryIO, experiment: Experiment, images: ImageFiles = "cxi"
) -> None:
    """Write the CrystFEL geometry file for image files.

    Parameters
    ----------
    stream : binary stream
        Stream to write to.
    experiment : Experiment
        Experiment with one flat panel, or a detector of panels.
    images : {"cxi", "nxmx", "others"}, optional
        Image files. For CXI files of `CxiFile`, the geometry file names their photon energies and
        their mask. For other image files, it has the wavelength of the experiment. For image files
        of other programs, its layout has one shot in each file and no mask.

    Raises
    ------
    ModelError
        If the detector is curved, or a name of a panel is not possible in CrystFEL.
    """
    detector = detector_in(experiment, to_crystfel(experiment.frame), "CrystFEL geometry files")
    if images != "others":
        # the numbers of these files are photons
        detector = detector.with_panels(Panel.counting_photons)
    layouts = {"cxi": layout_of, "nxmx": nxmx_layout_of, "others": CrystfelLayout.slab}
    write_geometry(
        stream,
        detector,
        wavelength=experiment.sources.mean_wavelength,
        layout=layouts[images](detector),
        energy=ENERGY if images == "cxi" else None,
    )


class CxiFile:
    """A CXI file of one or more shots of one detector.

    Parameters
    ----------
    stream : binary stream
        Stream to write to, open for reading and writing.
    experiment : Experiment
        Experiment with the detector of all shots.
    n_shots : int
        Number of shots.
    kind : type
        Type of the pixels: ``np.int32`` for counted photons, ``np.float32`` for expected ones.

    Raises
    ------
    ModelError
        If the detector is curved.
    """

    def __init__(
        self, stream: BinaryIO, experiment: Experiment, n_shots: int, kind: type[np.generic]
    ) -> None:
        import h5py

        self._rotation = to_crystfel(experiment.frame)
        self._detector = detector_in(experiment, self._rotation, "CXI files")
        self._file: Any = h5py.File(stream, "w")
        self._file["cxi_version"] = VERSION
        self._file.attrs["creator"] = f"cupysim {cupysim.__version__}"
        rendered = self._slab(experiment.rendered_pixels)
        shape, packed = rendered.shape, {"compression": "gzip", "compression_opts": 1}
        self._file.create_dataset(
            DATA, (n_shots, *shape), kind, chunks=(1, *shape), shuffle=True, **packed
        )
        mask = np.where(rendered, 0, BAD_BIT).astype(np.uint8)
        self._file.create_dataset(MASK, data=mask, chunks=shape, **packed)
        self._file[ENERGY] = np.zeros(n_shots)
        self._file["/entry_1/instrument_1/source_1/energy"] = np.zeros(n_shots)
        for name in "abc":
            self._file[f"{OURS}/{name}star"] = np.zeros((n_shots, 3))
            self._file[f"{OURS}/{name}star"].attrs["units"] = "1/m"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def put(self, shot: int, experiment: Experiment, pixels: np.ndarray) -> None:
        """Write a shot.

        Parameters
        ----------
        shot : int
            Number of the shot, from 0.
        experiment : Experiment
            Experiment of the shot: its wavelength and its crystal.
        pixels : ndarray, shape ([n_panels,] n_slow, n_fast)
            Photons; negative integers are pixels without a value. The mask, which all shots share,
            then has these pixels.
        """
        slab = self._slab(pixels)
        if slab.dtype.kind == "i" and (slab < 0).any():
            self._file[MASK][...] = np.where(slab < 0, BAD_BIT, self._file[MASK][...])
            slab = np.maximum(slab, 0)
        self._file[DATA][shot] = slab
        energy = energy_of(experiment.sources.mean_wavelength)
        self._file[ENERGY][shot] = energy
        self._file["/entry_1/instrument_1/source_1/energy"][shot] = energy * CHARGE
        spindle, angle = experiment.frame.spindle, np.float64(experiment.scan.start)
        for name, vector in zip("abc", experiment.lattice.reciprocal, strict=True):
            turned = rotate_axis(vector, spindle, angle)
            self._file[f"{OURS}/{name}star"][shot] = 1e10 * (self._rotation @ turned)

    def _slab(self, pixels: np.ndarray) -> np.ndarray:
        """The panels below each other, without rows beyond a panel."""
        of_panels = pixels.reshape(-1, *pixels.shape[-2:])
        rows = [
            array[: panel.n_slow] for array, panel in zip(of_panels, self._detector, strict=True)
        ]
        return np.concatenate(rows)
