"""The image and geometry of any NXmx file, such as an Eiger's, through nxmx."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.frames import FLIP
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.image_stacks import (
    count_images,
    entry_path,
    number_in_series,
    read_image,
)
from cupysim.formats.image_stacks import remarks as remarks_of_images
from cupysim.formats.nexus.reader import hdf5_file
from cupysim.formats.nxmx_beam import read_beam
from cupysim.formats.nxmx_chain import chain_of, cumulative, direction, is_rotation
from cupysim.formats.nxmx_scan import count_angles, read_scan
from cupysim.formats.pixels import THINNEST_SENSOR, measured
from cupysim.formats.rotation import forward
from cupysim.maths.arrays import cross, dot, norm, unit
from cupysim.optional_libraries import require

SQUARE = 1e-6
"""Relative difference of the pixel's edges up to which it is square."""


EDGE_ON = 1e-6
"""Cosine between beam and the panel's normal below which the beam hits it nowhere."""

NOTICEABLE_PIXELS, NOTICEABLE_DISTANCE = 1.0, 0.01
"""Differences of beam centres (pixels) and of distances (relative) which are worth a warning."""

MASKS = ("pixel_mask", "detectorSpecific/pixel_mask")
"""Where masks are, below a detector; further ones have a number behind the name."""

BAD = 0xFFFF
"""Bits of a mask which exclude a pixel; NXdetector's other bits only describe it."""


@dataclass(frozen=True)
class _Panel:
    """A panel in NeXus' frame, lengths in m."""

    origin: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    n_fast: int
    n_slow: int
    remarks: tuple[str, ...] = ()


def read(path: os.PathLike[str] | str, number: int = 0) -> tuple[np.ndarray, ImageGeometry]:
    """Read which pixels are good, and the geometry.

    Parameters
    ----------
    path : path_like
        The file, or the master of several.
    number : int, optional
        The image, from 0.

    Returns
    -------
    good : ndarray of bool, shape (n_slow, n_fast)
        Pixels which the mask does not exclude; without a mask, those which were measured.
    geometry : ImageGeometry
        Of this image, in imgCIF's frame.

    Raises
    ------
    FileFormatError
        If the file is damaged, is no NXmx file, has no such image, or its detector is not one
        panel of square pixels.
    CupysimError
        If nxmx is not installed.
    """
    nxmx = require("nxmx", "reading the geometry of HDF5 images")
    with hdf5_file(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _read(nxmx, path, file, number)
        except FileFormatError:
            raise
        except Exception as error:
            # a library which follows a file's links stumbles over all kinds of things
            reason = (str(error).splitlines() or ["an attribute has an unusual form"])[0]
            raise FileFormatError(path, f"its NXmx geometry cannot be read: {reason}") from error


def _read(nxmx: Any, path: object, file: Any, number: int) -> tuple[np.ndarray, ImageGeometry]:
    entry, remarks = _entry(nxmx, path, file)
    instrument = entry.instruments[0]
    detectors = list(instrument.detectors)
    if len(detectors) > 1:
        detectors = [each for each in detectors if len(each.modules) > 0]
    if len(detectors) != 1 or len(detectors[0].modules) > 1:
        count = sum(len(detector.modules) for detector in detectors)
        raise FileFormatError(
            path, f"a detector of {count} panels; only single panels are supported so far"
        )
    n_images = count_images(file) or count_angles(path, entry)
    if number != 0 and not 0 <= number < n_images:
        raise FileFormatError(path, f"there is no image {number}; the file has 0 to {n_images - 1}")
    detector = detectors[0]
    remarks += remarks_of_images(file)
    # a part of a series may have the angles of the whole one
    at, begins = number, number_in_series(file)
    if begins > 0 and count_angles(path, entry) >= begins + n_images:
        at, n_images = number + begins, count_angles(path, entry)
    if len(detector.modules) == 1:
        panel = _placed_panel(path, file, detector.modules[0], at)
        panel = _with_beam_centre(nxmx, panel, detector._handle)
    else:
        panel = _unplaced_panel(nxmx, path, file, detector._handle)
    sizes = norm(panel.fast), norm(panel.slow)
    if abs(sizes[0] - sizes[1]) > SQUARE * sizes[0]:
        raise FileFormatError(
            path, f"pixels of {sizes[0]:g} x {sizes[1]:g} m; square ones are expected"
        )
    beam = read_beam(nxmx, entry, at, n_images)
    start, width, axis, of_scan = read_scan(nxmx, path, entry, at, n_images)
    spindle, phi, oscillation = forward(axis, start, width)
    size = panel.n_slow, panel.n_fast
    return _good(path, detector, file, size, number), ImageGeometry(
        n_fast=panel.n_fast,
        n_slow=panel.n_slow,
        pixel_size=float(sizes[0]),
        origin=FLIP @ panel.origin,
        fast=FLIP @ unit(panel.fast),
        slow=FLIP @ unit(panel.slow),
        beam=np.array([0.0, 0.0, -1.0]),
        spindle=FLIP @ spindle,
        wavelength=beam.wavelength,
        phi=phi,
        oscillation=oscillation,
        polarization=None
        if beam.polarization is None
        else (beam.polarization[0], FLIP @ beam.polarization[1]),
        spectrum=beam.spectrum,
        no_wavelength=beam.no_wavelength,
        remarks=(
            *remarks,
            *panel.remarks,
            *beam.remarks,
            *of_scan,
            *_sensor(nxmx, detector._handle),
        ),
        flux=beam.flux,
        beam_size=beam.size,
    )


def _sensor(nxmx: Any, detector: Any) -> tuple[str, ...]:
    """What is to be said of the sensor, which is not simulated unless options ask for it."""
    stored = detector.get("sensor_thickness")
    if stored is None or "units" not in stored.attrs or getattr(stored, "size", 0) != 1:
        return ()
    metres = float(np.ravel((stored[()] * nxmx.units(stored)).to("meter").magnitude)[0])
    if not metres > THINNEST_SENSOR:
        return ()
    return (
        f"its sensor of {1e6 * metres:g} um is not simulated; -detector_thick and -detector_abs do",
    )


def _entry(nxmx: Any, path: object, file: Any) -> tuple[Any, tuple[str, ...]]:
    """The entry which has the images, and what is to be said of others."""
    entries = list(nxmx.NXmx(file).entries)
    if not entries:
        raise FileFormatError(path, "no NXmx entry")
    wanted = entry_path(file)
    entry = next((each for each in entries if each.path == wanted), entries[0])
    others = [each.path for each in entries if each is not entry]
    remark = f"entry {entry.path} is read; others: {', '.join(others)}"
    return entry, (remark,) if others else ()


def _placed_panel(path: object, file: Any, module: Any, number: int) -> _Panel:
    """A panel whose place a chain of transformations tells."""
    for name, expected in (("data_origin", 0), ("data_stride", 1)):
        stored = module._handle.get(name)
        if stored is not None and np.any(np.ravel(stored[()])[-2:] != expected):
            raise FileFormatError(
                path, f"its one module is a part of the image ({name}); not supported so far"
            )
    n_slow, n_fast = (int(n) for n in module.data_size[-2:])
    remarks: tuple[str, ...] = ()
    shape = read_image(path, file, 0).shape if count_images(file) else (n_slow, n_fast)
    if shape == (n_fast, n_slow) and n_fast != n_slow:
        remarks = ("data_size has fast before slow, unlike the images, whose order is used",)
        n_slow, n_fast = shape
    if shape != (n_slow, n_fast):
        raise FileFormatError(
            path, f"a module of {n_fast} x {n_slow} pixels in images of {shape[1]} x {shape[0]}"
        )
    chain = chain_of(path, module.fast_pixel_direction)
    slow_name = module.slow_pixel_direction.path
    if any(axis.path == slow_name for axis in chain[1:]):
        remarks += ("fast_pixel_direction depends on slow_pixel_direction, which shifts it by the "
                    "edge of a pixel",)  # fmt: skip
    above = chain[1:]
    if not above and "module_offset" in module._handle:
        # files of early firmware end the directions' chains there
        above = chain_of(path, module.module_offset)
    if not any(not is_rotation(path, axis) for axis in above) and chain[0].offset is None:
        raise FileFormatError(
            path, f"the transformations of {chain[0].path} do not place it: there is no distance"
        )
    frame = cumulative(path, above, number)
    offset = chain[0].offset
    begin = np.zeros(3) if offset is None else offset.to("meter").magnitude
    fast, slow = (
        _pixel_edge(path, getattr(module, name), number)
        for name in ("fast_pixel_direction", "slow_pixel_direction")
    )
    if not chain[1:] and above:
        fast, slow = frame[:3, :3] @ fast, frame[:3, :3] @ slow
    return _Panel(np.asarray(frame @ [*begin, 1.0])[:3], fast, slow, n_fast, n_slow, remarks)


def _pixel_edge(path: object, axis: Any, number: int) -> np.ndarray:
    """From a pixel's corner to the next (m), in NeXus' frame."""
    length = float(np.ravel(axis[()].to("meter").magnitude)[0])
    frame = cumulative(path, chain_of(path, axis)[1:], number)
    return np.asarray(frame[:3, :3] @ direction(path, axis) * length)


def _with_beam_centre(nxmx: Any, panel: _Panel, detector: Any) -> _Panel:
    """The panel, and what is to be said if the file's beam centre or distance is another.

    Files of early firmware put the first pixel on the beam, and tell the beam's centre apart from
    the transformations.
    """
    told = _told_centre(nxmx, panel, detector)
    normal = unit(cross(panel.fast, panel.slow))
    along = float(normal[2])
    if told is None and not panel.origin[:2].any():
        remark = (
            "its transformations put the first pixel on the beam, as in files whose beam centre "
            "was never set"
        )
        return replace(panel, remarks=(*panel.remarks, remark))
    if told is None or abs(along) < EDGE_ON:
        return panel
    distance = float(dot(panel.origin, normal)) / along
    spot = np.array([0.0, 0.0, distance]) - panel.origin
    at = [float(dot(spot, edge) / dot(edge, edge)) for edge in (panel.fast, panel.slow)]
    off = float(np.hypot(at[0] - told[0], at[1] - told[1]))
    if not panel.origin[:2].any() and off > NOTICEABLE_PIXELS:
        origin = panel.origin - told[0] * panel.fast - told[1] * panel.slow
        remark = "its transformations put the first pixel on the beam: beam_center_x and _y count"
        return replace(panel, origin=origin, remarks=(*panel.remarks, remark))
    if off > NOTICEABLE_PIXELS:
        remark = (
            f"its beam_center_x and _y are {told[0]:.2f} {told[1]:.2f} pixels, but its "
            f"transformations, which count, have {at[0]:.2f} {at[1]:.2f}"
        )
        panel = replace(panel, remarks=(*panel.remarks, remark))
    stored = detector.get("distance")
    if stored is not None and "units" in stored.attrs:
        metres = float(np.ravel((stored[()] * nxmx.units(stored)).to("meter").magnitude)[0])
        if metres > 0.0 and abs(abs(distance) - metres) > NOTICEABLE_DISTANCE * metres:
            remark = (
                f"its distance is {1e3 * metres:.6g} mm, but its transformations, which count, "
                f"have {1e3 * abs(distance):.6g} mm"
            )
            panel = replace(panel, remarks=(*panel.remarks, remark))
    return panel


def _told_centre(nxmx: Any, panel: _Panel, detector: Any) -> tuple[float, float] | None:
    """beam_center_x and beam_center_y in pixels, if the file has them."""
    found = []
    for name, edge in (("beam_center_x", panel.fast), ("beam_center_y", panel.slow)):
        stored = detector.get(name)
        if stored is None or getattr(stored, "size", 0) != 1:
            return None
        value, unit_name = float(np.ravel(stored[()])[0]), stored.attrs.get("units", "pixel")
        text = unit_name.decode() if isinstance(unit_name, bytes) else str(unit_name)
        if not (text.lower().startswith("pixel") or text in ("", "px")):
            value = float((value * nxmx.units(stored)).to("meter").magnitude) / norm(edge)
        found.append(value)
    return (found[0], found[1]) if found[0] > 0.0 and found[1] > 0.0 else None


def _unplaced_panel(nxmx: Any, path: object, file: Any, detector: Any) -> _Panel:
    """A panel of which the file tells beam centre and distance alone."""
    metres = {}
    for name, spellings in (
        ("x_pixel_size", ("x_pixel_size",)),
        ("y_pixel_size", ("y_pixel_size",)),
        ("distance", ("distance", "detector_distance")),
    ):
        stored = next((detector[each] for each in spellings if each in detector), None)
        if stored is None:
            raise FileFormatError(path, f"neither a module nor {name} in {detector.name}")
        if "units" not in stored.attrs:
            raise FileFormatError(path, f"{stored.name} has no unit")
        metres[name] = float(np.ravel((stored[()] * nxmx.units(stored)).to("meter").magnitude)[0])
    centre = []
    for name, size in (("beam_center_x", "x_pixel_size"), ("beam_center_y", "y_pixel_size")):
        if name not in detector:
            raise FileFormatError(path, f"neither a module nor {name} in {detector.name}")
        stored = detector[name]
        value, unit_name = float(np.ravel(stored[()])[0]), stored.attrs.get("units", "pixel")
        text = unit_name.decode() if isinstance(unit_name, bytes) else str(unit_name)
        if text.lower().startswith("pixel") or text in ("", "px"):
            value *= metres[size]
        else:
            value = float((value * nxmx.units(stored)).to("meter").magnitude)
        centre.append(value)
    shape = read_image(path, file, 0).shape
    return _Panel(
        origin=np.array([centre[0], centre[1], metres["distance"]]),
        fast=np.array([-metres["x_pixel_size"], 0.0, 0.0]),
        slow=np.array([0.0, -metres["y_pixel_size"], 0.0]),
        n_fast=int(shape[1]),
        n_slow=int(shape[0]),
        remarks=(
            "the file has beam centre and distance only; the detector is assumed to be "
            "normal to the beam",
        ),
    )


def _good(path: object, detector: Any, file: Any, size: tuple[int, int], number: int) -> np.ndarray:
    """Pixels which the mask does not exclude; without a mask, those which were measured."""
    handle = detector._handle
    numbered = sorted(each for each in handle if each.startswith("pixel_mask_"))
    name = next(
        (each for each in (*MASKS, *numbered) if handle.get(each, getlink=True) is not None), None
    )
    if name is None:
        if count_images(file) == 0:
            return np.ones(size, dtype=bool)
        return measured(read_image(path, file, number))
    if name not in handle:
        raise FileFormatError(path, f"its {name} is in a file which is missing")
    masks = [name, *(each for each in numbered if each != name)]
    good = np.bitwise_and(np.asarray(handle[name][()]).astype(np.int64), BAD) == 0
    for each in masks[1:]:
        more = np.asarray(handle[each][()]).astype(np.int64)
        if more.shape != good.shape:
            raise FileFormatError(path, f"its {each} has the shape {more.shape}")
        good &= np.bitwise_and(more, BAD) == 0
    planes = good.reshape(-1, *good.shape[-2:]) if good.ndim >= 2 else good[np.newaxis]
    if planes.shape[1:] != size or len(planes) not in (1, count_images(file)):
        raise FileFormatError(path, f"its {name} has the shape {good.shape}")
    return np.asarray(planes[number if len(planes) > 1 else 0])
