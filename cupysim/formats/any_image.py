"""Image files of all kinds, as people look at them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import FileFormatError
from cupysim.formats import cbf, nexus, nxmx_image, smv
from cupysim.formats.frames import to_imgcif
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.nexus.reader import SIGNATURE as HDF5
from cupysim.formats.nexus.reader import hdf5_file
from cupysim.formats.nexus.writer import OURS
from cupysim.formats.pixels import measured
from cupysim.formats.reading import check_regular, opened
from cupysim.models.experiment import Experiment

MILLIMETRE = 1e-3


@dataclass(frozen=True, eq=False)
class ImageFile:
    """An image which was read.

    Parameters
    ----------
    path : str
        Its name.
    kind : str
        What kind of file, for people.
    pixels : ndarray, shape (n_slow, n_fast)
        Numbers as in the file.
    masked : ndarray of bool, shape (n_slow, n_fast)
        Pixels which hold no measurement.
    geometry : ImageGeometry, optional
        Where the detector is, if the file tells.
    content : Content, optional
        What a file of ours holds beside.
    facts : dict
        Other things worth telling, in order.
    """

    path: str
    kind: str
    pixels: np.ndarray
    masked: np.ndarray
    geometry: ImageGeometry | None = None
    content: nexus.Content | None = None
    facts: dict[str, str] = field(default_factory=dict)


def open_image(
    path: os.PathLike[str] | str, shape: Sequence[int] | None = None, number: int = 0
) -> ImageFile:
    """Read an image of any kind we know.

    Parameters
    ----------
    path : path_like
        SMV, CBF, NXmx HDF5 or raw float32.
    shape : sequence of 2 int, optional
        Fast and slow pixels of a raw float image; a square without it.
    number : int, optional
        Which image of an HDF5 file, from 0.

    Returns
    -------
    ImageFile
        The image.

    Raises
    ------
    FileFormatError
        If it is none of these, damaged, or of another shape.
    """
    check_regular(path)
    with opened(path) as stream:
        head = stream.read(16)
    name = os.fspath(path)
    if head.startswith(HDF5):
        return _open_hdf5(name, number)
    if number != 0:
        raise FileFormatError(path, f"there is no image {number}; the file holds one")
    if head.startswith(cbf.SIGNATURE):
        pixels, geometry = cbf.read(path)
        return ImageFile(name, "CBF", pixels, ~measured(pixels), geometry)
    if head.startswith(b"{"):
        return _open_smv(name)
    if head.startswith(b"P5"):
        raise FileFormatError(path, "a greymap is a picture; take the float or the SMV image")
    return _open_float(name, shape)


def _open_hdf5(path: str, number: int) -> ImageFile:
    with hdf5_file(path) as file:
        stacks = [file[f"/entry/data/{name}"] for name in _stacks(file)]
        ours = OURS in file
        counts = [stack.shape[0] if stack.ndim == 3 else 1 for stack in stacks]
        if not stacks or not 0 <= number < sum(counts):
            raise FileFormatError(path, f"there is no image {number}; it holds {sum(counts)}")
        place = number
        for stack, count in zip(stacks, counts, strict=True):
            if place < count:
                pixels = stack[place] if stack.ndim == 3 else stack[()]
                break
            place -= count
    if pixels.dtype.kind not in "iufb":
        raise FileFormatError(path, f"pixels of the type {pixels.dtype} are no image")
    content = nexus.read(path) if ours else None
    if content is None:
        good, geometry = nxmx_image.read(path)
    else:
        good, geometry = content.rendered, geometry_of(content.experiment)
    if pixels.ndim != 2 or good.shape != pixels.shape:
        raise FileFormatError(
            path, f"an image of the shape {pixels.shape} with a mask of {good.shape}"
        )
    facts = {} if sum(counts) == 1 else {"images": str(sum(counts))}
    return ImageFile(path, "NeXus/HDF5", pixels, ~good, geometry, content, facts)


def geometry_of(experiment: Experiment) -> ImageGeometry:
    """The geometry of an experiment, in imgCIF's frame."""
    detector, scan = experiment.detector, experiment.scan
    frame, panel = detector.unit_frame, detector.geometry
    rotation = to_imgcif(frame)
    return ImageGeometry(
        n_fast=detector.n_fast,
        n_slow=detector.n_slow,
        pixel_size=detector.pixel_size,
        origin=rotation @ panel.origin,
        fast=rotation @ panel.fast,
        slow=rotation @ panel.slow,
        beam=rotation @ frame.beam,
        spindle=rotation @ frame.spindle,
        wavelength=experiment.nominal_wavelength,
        phi=scan.start,
        oscillation=scan.sweep.range,
    )


def _stacks(file: object) -> list[str]:
    """Data sets with images, in order."""
    try:
        group = file["/entry/data"]  # type: ignore[index]
    except KeyError:
        return []
    numbered = sorted(name for name in group if name.startswith("data_"))
    return ["data"] if "data" in group else numbered


def _open_smv(path: str) -> ImageFile:
    image = smv.read(path)
    n_slow, n_fast = image.image.shape
    geometry = None
    pixel = image.number("PIXEL_SIZE")
    near = image.number("XDS_ORGX"), image.number("XDS_ORGY")
    distance = image.number("CLOSE_DISTANCE") or image.number("DISTANCE")
    wavelength = image.number("WAVELENGTH")
    if pixel and distance and None not in near:
        fast, slow = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
        beam = np.array([0.0, 0.0, 1.0])
        size = pixel * MILLIMETRE
        x, y = (float(place or 0.0) - 0.5 for place in near)
        geometry = ImageGeometry(
            n_fast=n_fast, n_slow=n_slow, pixel_size=size,
            origin=distance * MILLIMETRE * beam - size * (x * fast + y * slow),
            fast=fast, slow=slow, beam=beam, spindle=fast,
            wavelength=wavelength * ANGSTROM if wavelength else None,
        )  # fmt: skip
    facts = {}
    if image.number("TWOTHETA"):
        facts["two-theta"] = f"{image.number('TWOTHETA'):g} degrees, which the rings leave out"
    masked = np.zeros(image.image.shape, dtype=bool)
    return ImageFile(path, "SMV", image.image, masked, geometry, None, facts)


def _open_float(path: str, shape: Sequence[int] | None) -> ImageFile:
    with opened(path) as stream:
        data = stream.read()
    count = len(data) // 4
    if shape is None:
        edge = round(count**0.5)
        shape = (edge, edge)
    n_fast, n_slow = shape
    if min(shape) < 1:
        raise FileFormatError(path, f"an image of {n_fast} x {n_slow} pixels")
    if len(data) % 4 or count == 0 or n_fast * n_slow != count:
        wanted = "a square" if n_fast == n_slow else f"{n_fast} x {n_slow} pixels"
        raise FileFormatError(
            path,
            f"neither SMV, CBF nor HDF5, and {len(data)} bytes are not the raw float32 numbers of "
            f"{wanted}; --shape FAST SLOW tells its size",
        )
    pixels = np.frombuffer(data, dtype=np.float32).reshape(n_slow, n_fast)
    return ImageFile(path, "raw float32", pixels, ~np.isfinite(pixels))
