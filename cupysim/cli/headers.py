"""Values which -mask and -img images and experiment lists set."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np

from cupysim.cli.arguments import LARGEST_FLOAT
from cupysim.cli.options import ANGSTROM, DEGREE, MM, Unit
from cupysim.errors import FileFormatError
from cupysim.formats import cbf, dials, nxmx_image, smv
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.nexus.reader import SIGNATURE as HDF5
from cupysim.formats.reading import opened
from cupysim.maths.arrays import cross, dot

KEYS: tuple[tuple[str, str, Unit | None], ...] = (
    ("PIXEL_SIZE", "pixel", MM),
    ("DISTANCE", "distance", MM),
    ("CLOSE_DISTANCE", "close_distance", MM),
    ("WAVELENGTH", "wavelength", ANGSTROM),
    ("BEAM_CENTER_X", "beam_x", MM),
    ("BEAM_CENTER_Y", "beam_y", MM),
    ("ORGX", "origin_x", None),
    ("ORGY", "origin_y", None),
    ("PHI", "phi", DEGREE),
    ("OSC_RANGE", "oscillation", DEGREE),
)
"""Header keys, the values they set, and their units. TWOTHETA sets nothing."""

POSITIVE = ("PIXEL_SIZE", "WAVELENGTH")
"""Keys whose numbers must be above zero."""


def inherited_values(values: MutableMapping[str, Any], given: Mapping[str, Any]) -> Any:
    """Let mask, image and experiment list set values, in this order.

    Parameters
    ----------
    values : mapping
        Values of a command line without options, which change.
    given : mapping
        Values which the command line gives; the files' names are among them.

    Returns
    -------
    ndarray of bool, shape (n_slow, n_fast), or None
        Pixels to compute.

    Raises
    ------
    FileFormatError
        If a file cannot be read or its geometry is impossible.
    """
    mask = None
    for name, is_mask in (("mask_file", True), ("image_file", False)):
        path = given.get(name)
        if path is None:
            continue
        with opened(path) as stream:
            head = stream.read(8)
        if head.startswith(cbf.SIGNATURE):
            image, geometry = cbf.read(path)
            good = image > 0
        elif head == HDF5:
            good, geometry = nxmx_image.read(path)
        else:
            smv_image = smv.read(path)
            values.update(header_values(smv_image, flip_y=is_mask, pixel=values["pixel"]))
            mask = smv_image.image != 0 if is_mask else mask
            continue
        values.update(geometry_values(path, geometry))
        mask = good if is_mask else mask
    if given.get("experiment_file") is not None:
        path = given["experiment_file"]
        values.update(geometry_values(path, dials.read(path)))
    return mask


def geometry_values(path: object, geometry: ImageGeometry) -> dict[str, Any]:
    """Values which place the detector exactly, in the CUSTOM convention.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    geometry : ImageGeometry
        What it says.

    Returns
    -------
    dict
        Names as in `cupysim.cli.arguments`.

    Raises
    ------
    FileFormatError
        If the detector's plane goes through the sample, or numbers are impossible.
    """
    fast, slow, origin = geometry.fast, geometry.slow, geometry.origin
    normal = cross(fast, slow)
    distance = float(dot(origin, normal))
    if distance < 0.0:
        normal, distance = -normal, -distance
    numbers = [*fast, *slow, *origin, *geometry.beam, *geometry.spindle, geometry.pixel_size]
    if not np.isfinite(numbers).all() or not (distance > 0.0 and geometry.pixel_size > 0.0):
        raise FileFormatError(path, "its detector has an impossible position")
    values: dict[str, Any] = {
        "convention": "custom",
        "pivot": "sample",
        "n_fast": geometry.n_fast,
        "n_slow": geometry.n_slow,
        "pixel": geometry.pixel_size,
        "fast_vector": tuple(map(float, fast)),
        "slow_vector": tuple(map(float, slow)),
        "normal_vector": tuple(map(float, normal)),
        "beam_vector": tuple(map(float, geometry.beam)),
        "spindle_axis": tuple(map(float, geometry.spindle)),
        # the near point, which this convention takes from the beam centre
        "beam_x": -float(dot(origin, fast)),
        "beam_y": -float(dot(origin, slow)),
        "close_distance": distance,
    }
    values |= _vector_values(geometry)
    for name in ("wavelength", "phi", "oscillation"):
        number = getattr(geometry, name)
        if number is not None:
            if not np.isfinite(number) or (name == "wavelength" and not number > 0.0):
                raise FileFormatError(path, f"{name} {number:g} is not possible")
            values[name] = number
    if values.get("oscillation") == 0.0:
        # a still; an option of zero would mean two equal angles
        del values["oscillation"]
    return values


def _vector_values(geometry: ImageGeometry) -> dict[str, Any]:
    """Polarization and crystal, where they are known."""
    across = cross(geometry.beam, geometry.spindle)
    field = geometry.spindle if dot(across, across) > 0.0 else geometry.fast
    values: dict[str, Any] = {"polar_vector": tuple(map(float, field))}
    if geometry.polarization is not None:
        kahn, field = geometry.polarization
        values |= {"polarization": kahn, "polar_vector": tuple(map(float, field))}
    if geometry.reciprocal is not None:
        values["reciprocal"] = geometry.reciprocal
    return values


def header_values(image: smv.SmvFile, flip_y: bool, pixel: float) -> dict[str, Any]:
    """Values which an image's header sets.

    Parameters
    ----------
    image : SmvFile
        The image.
    flip_y : bool
        Count BEAM_CENTER_Y from the other edge, as for masks (quirk Q29).
    pixel : float
        Pixel size (m) where the header has none.

    Returns
    -------
    dict
        Names as in `cupysim.cli.arguments`.

    Raises
    ------
    FileFormatError
        If a number is impossible.
    """
    n_slow, n_fast = image.image.shape
    values: dict[str, Any] = {"n_fast": n_fast, "n_slow": n_slow}
    for key, name, unit in KEYS:
        number = image.number(key)
        if number is not None:
            if abs(number) > LARGEST_FLOAT or (key in POSITIVE and not number > 0.0):
                raise FileFormatError(image.path, f"{key}={number:g} is not possible")
            values[name] = number if unit is None else unit.to_si(number)
    pixel = values.get("pixel", pixel)
    if flip_y and "beam_y" in values:
        values["beam_y"] = pixel * n_slow - values["beam_y"]
    return values
