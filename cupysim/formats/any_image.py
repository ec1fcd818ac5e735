"""Reader of image files of all kinds, for display."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats import cbf, nexus, nxmx_detector, nxmx_image, smv, smv_geometry
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.image_scaling import scaled
from cupysim.formats.image_stacks import count_images, read_image
from cupysim.formats.nexus.reader import hdf5_file, is_hdf5
from cupysim.formats.nexus.writer import OURS
from cupysim.formats.other_files import HEAD, IMGCIF, kind_of_other, refusal
from cupysim.formats.panel_pixels import existing_pixels, pixels_of_panels
from cupysim.formats.pixels import measured
from cupysim.formats.stored_geometry import (
    contradiction_of,
    geometry_of,
    panel_contradiction_of,
    panels_of,
)
from cupysim.models.panel_detector import PanelDetector
from cupysim.storage.reading import check_regular, content, opened

NO_IMAGES = (b"MTZ ", b"data_", b"CRYST1", b"HEADER", b"ATOM  ", b"!FORMAT=XDS_ASCII")
"""First bytes of files that are not images, but are often given as such."""

SMV_FACTS = (
    ("two-theta", ("TWOTHETA",), "{:g} degrees"),
    ("header", ("BEAM_CENTER_X", "BEAM_CENTER_Y"), "BEAM_CENTER_X={:g} BEAM_CENTER_Y={:g} mm"),
)
"""Further facts in an SMV header: name, keys, and text for their numbers."""


@dataclass(frozen=True, eq=False)
class ImageFile:
    """An image from a file, with its geometry.

    Parameters
    ----------
    path : str
        Name of the file.
    kind : str
        Kind of the file, for messages.
    pixels : ndarray, shape ([n_panels,] n_slow, n_fast)
        Numbers in the pixels, as in the file; values, if an NXmx file scales its numbers.
    masked : ndarray of bool, shape of `pixels`
        Pixels without a measurement. Pixels of the array beyond a small panel are masked.
    geometry : ImageGeometry, optional
        Geometry, if the file contains it and the detector is one panel.
    content : Content, optional
        Further content of a file that cupysim wrote.
    facts : dict
        Names and texts of further facts to show, in order.
    contradiction : str
        Differences between the experiment in a file of cupysim and the geometry beside it, which
        was changed later; empty if there are none.
    pedestal : float, optional
        Offset of the numbers, if the file tells it (``IMAGE_PEDESTAL`` of SMV files).
    panels : DetectorGeometry, optional
        Geometry, if the detector has several panels. `pixels` then has an axis of panels.
    """

    path: str
    kind: str
    pixels: np.ndarray
    masked: np.ndarray
    geometry: ImageGeometry | None = None
    content: nexus.Content | None = None
    facts: dict[str, str] = field(default_factory=dict)
    contradiction: str = ""
    pedestal: float | None = None
    panels: DetectorGeometry | None = None


def open_image(
    path: os.PathLike[str] | str, shape: Sequence[int] | None = None, number: int = 0
) -> ImageFile:
    """Read an image of any supported kind.

    Parameters
    ----------
    path : path_like
        SMV, CBF, NXmx HDF5 or raw float32 file.
    shape : sequence of 2 int, optional
        Numbers of fast and slow pixels of a raw float image; a square image by default.
    number : int, optional
        Number of the image in an HDF5 file, counted from 0.

    Returns
    -------
    ImageFile
        Image and geometry.

    Raises
    ------
    FileFormatError
        If the file is of another kind, is damaged, or has another shape.
    """
    check_regular(path)
    with opened(path) as stream:
        head = stream.read(16)
    name = os.fspath(path)
    if is_hdf5(path):
        return _open_hdf5(name, number)
    if number != 0:
        raise FileFormatError(path, f"there is no image {number}; the file holds only one")
    if head.startswith(cbf.SIGNATURE):
        pixels, geometry = cbf.read(path)
        return ImageFile(name, "CBF", pixels, ~measured(pixels), geometry)
    if head.startswith(b"{"):
        return _open_smv(name)
    if head.startswith(b"P5"):
        raise FileFormatError(
            path, "a greymap is only a picture; use the float image or the SMV image"
        )
    return _open_float(name, shape)


def _open_hdf5(path: str, number: int) -> ImageFile:
    with hdf5_file(path) as file:
        stored, has_source = read_image(path, file, number)
        ours, count = OURS in file, count_images(file)
        pixels, scaling = scaled(path, file, stored, (number, count))
    content, contradiction = nexus.read(path) if ours else None, ""
    geometry: ImageGeometry | None
    panels: DetectorGeometry | None = None
    if content is not None and isinstance(content.experiment.detector, PanelDetector):
        good, geometry, panels = content.rendered, None, panels_of(content.experiment)
        pixels, stored, has_source = (
            array.reshape(good.shape) for array in (pixels, stored, has_source)
        )
        if find_spec("nxmx") is not None and count == 1:
            there = nxmx_detector.read_detector(path, number)
            contradiction = panel_contradiction_of(content.experiment, there)
    elif content is None and nxmx_detector.count_modules(path, number) > 1:
        panels, geometry = nxmx_detector.read_detector(path, number), None
        good = existing_pixels(panels.detector)
        pixels, stored, has_source = (
            pixels_of_panels(path, panels.detector, array) for array in (pixels, stored, has_source)
        )
    elif content is None:
        good, geometry = nxmx_image.read(path, number)
    else:
        good, geometry = content.rendered, geometry_of(content.experiment)
        if find_spec("nxmx") is not None:
            written = nxmx_image.read(path, number)[1]
            # with several images, the stored experiment is that of the first one
            contradiction = "" if count > 1 else contradiction_of(content.experiment, written)
            if count > 1 or contradiction:
                geometry = written
    if good.shape != stored.shape:
        raise FileFormatError(
            path, f"its image has the shape {stored.shape}, but its mask has {good.shape}"
        )
    has_response = content is not None and content.detector is not None
    if stored.dtype.kind == "u" or has_response:
        good = good & measured(stored)
    good = good & has_source
    facts = {} if count == 1 else {"images": f"{count}; this is number {number}"}
    facts |= {"scaling": scaling} if scaling else {}
    return ImageFile(
        path, "NeXus/HDF5", pixels, ~good, geometry, content, facts, contradiction, panels=panels
    )


def _open_smv(path: str) -> ImageFile:
    image = smv.read(path)
    facts = {}
    geometry = smv_geometry.geometry(image)
    for name, keys, form in SMV_FACTS:
        numbers = [image.number(key, whole_key=True) for key in keys]
        if None not in numbers and any(numbers):
            facts[name] = form.format(*numbers)
    if "two-theta" in facts and not (geometry is not None and geometry.beam[2] < 1.0):
        facts["two-theta"] += "; beam centre and rings ignore it"
    if geometry is None and smv_geometry.is_tilted(image):
        # only the place of the beam on the detector is unknown
        along, near, pixel, wavelength = (
            image.number(key, whole_key=True) or 0.0
            for key in ("DISTANCE", "CLOSE_DISTANCE", "PIXEL_SIZE", "WAVELENGTH")
        )
        facts |= {
            "pixel": f"{pixel:g} mm",
            "distance": f"{along:g} mm along the beam, {near:g} mm to the point of normal "
            "incidence; the header does not say how the detector is tilted",
            "wavelength": f"{wavelength:g} A" if wavelength else "the file has none",
        }
    # the largest number of 16 bits is a saturated pixel of a CCD, not a gap
    has_gaps = image.image.dtype in (np.uint32, np.float32, np.float64)
    masked = ~measured(image.image) if has_gaps else np.zeros(image.image.shape, dtype=bool)
    pedestal = image.number("IMAGE_PEDESTAL", whole_key=True)
    if pedestal:
        facts["pedestal"] = f"{pedestal:g}, the offset of the pixels"
    return ImageFile(path, "SMV", image.image, masked, geometry, None, facts, pedestal=pedestal)


def _open_float(path: str, shape: Sequence[int] | None) -> ImageFile:
    data = content(path)
    kind = kind_of_other(data[:HEAD]) if any(data[:HEAD]) or not data else ""
    if data.startswith(NO_IMAGES) and kind != IMGCIF:
        raise FileFormatError(
            path, "no image, but structure factors or a model: give it by -hkl or -pdb"
        )
    if kind:
        raise FileFormatError(path, refusal(kind))
    count = len(data) // 4
    if shape is None:
        edge = round(count**0.5)
        shape = (edge, edge)
    n_fast, n_slow = shape
    if min(shape) < 1:
        raise FileFormatError(path, f"{n_fast} x {n_slow} pixels; at least 1 x 1 are expected")
    if len(data) % 4 or count == 0 or n_fast * n_slow != count:
        wanted = "a square" if n_fast == n_slow else f"{n_fast} x {n_slow} pixels"
        raise FileFormatError(
            path,
            f"neither SMV, CBF nor HDF5, and {len(data)} bytes are not the raw float32 numbers of "
            f"{wanted}; --shape FAST SLOW gives its size",
        )
    pixels = np.frombuffer(data, dtype=np.float32).reshape(n_slow, n_fast)
    facts = {} if any(data) else {"note": "all its bytes are zero: was it written completely?"}
    return ImageFile(path, "raw float32", pixels, ~np.isfinite(pixels), facts=facts)
