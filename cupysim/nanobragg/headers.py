"""Values which -mask and -img images and experiment lists set."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.errors import CupysimWarning, FileFormatError, OptionError
from cupysim.formats import cbf, dials, nxmx_image, smv
from cupysim.formats.geometry import ImageGeometry, Spectrum
from cupysim.formats.nexus.reader import SIGNATURE as HDF5
from cupysim.formats.rotation import SETTING, settings_remark
from cupysim.formats.smv_geometry import BY_ORIGIN, contradiction, is_tilted
from cupysim.formats.text_numbers import NUMBER
from cupysim.models.conventions import Convention
from cupysim.nanobragg.arguments import LARGEST_FLOAT
from cupysim.nanobragg.exact_geometry import geometry_values
from cupysim.nanobragg.units import ANGSTROM, DEGREE, MM, Unit
from cupysim.quirks import CORRECTED, Quirk, Quirks, warn_quirk
from cupysim.storage.reading import check_regular, opened

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
"""Header keys, the values they set, and their units. TWOTHETA sets nothing (quirk Q29)."""

WHOLE_KEYS: tuple[tuple[tuple[str, ...], str, Unit | None], ...] = (
    *(
        ((key,), name, unit)
        for key, name, unit in KEYS
        if name not in ("origin_x", "origin_y", "phi")
    ),
    (("ORGX", "XDS_ORGX"), "origin_x", None),
    (("ORGY", "XDS_ORGY"), "origin_y", None),
    (("TWOTHETA",), "twotheta", DEGREE),
    (("OSC_START", "PHI"), "phi", DEGREE),
)
"""The same where quirk Q29 is corrected: spellings of a key, of which the first one counts."""


EDGE_ON = 1e-9
"""A detector whose normal has a smaller cosine with the beam has no distance along it."""

CENTRES = frozenset({"beam_x", "beam_y", "close_x", "close_y", "origin_x", "origin_y"})
"""Values by which a command line gives the beam centre itself."""

POSITIVE = ("PIXEL_SIZE", "WAVELENGTH")
"""Keys whose numbers must be above zero."""


@dataclass(frozen=True)
class Inherited:
    """What mask, image and experiment list say beside values.

    Parameters
    ----------
    mask : ndarray of bool, shape (n_slow, n_fast), or None
        Pixels to compute.
    exact : str or None
        The file which places the detector exactly, if there is one.
    names : frozenset of str
        Values which they set.
    no_wavelength : str
        A file which should tell the wavelength and does not, and why; empty otherwise.
    spectrum : Spectrum or None
        A beam of several wavelengths.
    """

    mask: np.ndarray | None
    exact: str | None
    names: frozenset[str]
    no_wavelength: str
    spectrum: Spectrum | None


def inherit(
    values: MutableMapping[str, Any],
    given: Mapping[str, Any],
    placed_by_options: bool,
    quirks: Quirks = CORRECTED,
) -> Inherited:
    """Let mask, image and experiment list set values, in this order.

    Parameters
    ----------
    values : mapping
        Values of a command line without options, which change.
    given : mapping
        Values which the command line gives; the files' names are among them.
    placed_by_options : bool
        The command line places the detector; a mask then gives its size alone.
    quirks : Quirks, optional
        Which quirks are corrected: with Q29, headers are read as they are meant.

    Returns
    -------
    Inherited
        What else they say.

    Raises
    ------
    FileFormatError
        If a file cannot be read or its geometry is impossible.
    """
    mask, number = None, given.get("image_number", 0)
    placed: list[tuple[str, ImageGeometry]] = []
    found: dict[str, Any] = {}
    lacking, several = "", False
    for name, is_mask in (("mask_file", True), ("image_file", False)):
        path = given.get(name)
        if path is None:
            continue
        good, geometry, smv_image, holds_several = _open(path, is_mask, number)
        several |= holds_several
        if smv_image is not None:
            pixel = found.get("pixel", values["pixel"])
            header = (
                meant_values(smv_image)
                if quirks.corrects(Quirk.HEADER_READING)
                else header_values(smv_image, flip_y=is_mask, pixel=pixel)
            )
            found |= header
            # a mask's header places the detector if nothing else does
            if not is_mask or not (placed_by_options or "image_file" in given):
                _warn_of_what_is_left_out(smv_image, header, given, quirks)
                if is_mask and "beam_y" in header and not quirks.corrects(Quirk.HEADER_READING):
                    effect = f"BEAM_CENTER_Y of the mask {path} is counted from the other edge"
                    warn_quirk(Quirk.HEADER_READING, effect)
                if "wavelength" not in header:
                    lacking = f"{path}: its header has no WAVELENGTH"
        mask = good if is_mask else mask
        if geometry is None:
            continue
        if is_mask and placed_by_options:
            found |= {"n_fast": geometry.n_fast, "n_slow": geometry.n_slow}
        else:
            placed.append((path, geometry))
    if given.get("experiment_file") is not None:
        path = given["experiment_file"]
        placed.append((path, dials.read(path, number)))
        several = True
    if number != 0 and not several:
        raise OptionError("-image", "needs a file of several images, given by -img, -mask or -expt")
    # what is exact overrules the headers of SMV images
    for path, geometry in placed:
        found |= geometry_values(path, geometry)
        photons, of_photons = _photons(geometry, given)
        found |= photons
        for remark in (*geometry.remarks, *of_photons):
            warnings.warn(CupysimWarning(f"{path}: {remark}"), stacklevel=2)
        if path != given.get("mask_file") and geometry.wavelength is None:
            lacking = f"{path}: {geometry.no_wavelength or 'the file has no wavelength'}"
    values.update(found)
    return Inherited(
        mask=mask,
        exact=placed[-1][0] if placed else None,
        names=frozenset(found),
        no_wavelength="" if "wavelength" in found else lacking,
        spectrum=placed[-1][1].spectrum if placed else None,
    )


def _photons(
    geometry: ImageGeometry, given: Mapping[str, Any]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Values of the beam's flux and size, and what is to be said of a flux which does not count.

    A flux counts by the time and the area over which it is spread, which a default must not tell.
    """
    values = {}
    if geometry.beam_size is not None and "beamsize" not in given:
        values["beamsize"] = geometry.beam_size
    if geometry.flux is None or {"flux", "fluence"} & set(given):
        return values, ()
    if "exposure" in given and ("beamsize" in given or values):
        return values | {"flux": geometry.flux}, ()
    remark = f"its flux of {geometry.flux:g} photons/s counts only with -exposure and -beamsize"
    return values, (remark,)


def _warn_of_what_is_left_out(
    image: smv.SmvFile,
    header: Mapping[str, Any],
    given: Mapping[str, Any],
    quirks: Quirks,
) -> None:
    """Warn of what an image's header says in vain, and of what it should say and does not."""
    start, phi = (image.number(key, whole_key=True) for key in ("OSC_START", "PHI"))
    if start is not None and phi is not None and abs(start - phi) > SETTING:
        counts = "OSC_START" if quirks.corrects(Quirk.HEADER_READING) else "PHI"
        warnings.warn(
            CupysimWarning(
                f"{image.path}: its header has OSC_START={start:g} and PHI={phi:g}; {counts} counts"
            ),
            stacklevel=3,
        )
    turned = {"rotate_x", "rotate_y", "rotate_z", "twotheta"} & set(given)
    if is_tilted(image) and not image.number("TWOTHETA", whole_key=True) and not turned:
        warnings.warn(
            CupysimWarning(
                f"{image.path}: DISTANCE and CLOSE_DISTANCE are those of a tilted detector, "
                "whose rotations the header does not tell: -detector_rotx, -detector_roty"
            ),
            stacklevel=3,
        )
    convention = given.get("convention", Convention.MOSFLM)
    if CENTRES.isdisjoint(given):
        disagreement = contradiction(image, Convention(convention))
        if disagreement:
            warnings.warn(CupysimWarning(f"{image.path}: {disagreement}"), stacklevel=3)
    if convention in BY_ORIGIN and "beam_x" in header and "origin_x" not in header:
        warnings.warn(
            CupysimWarning(
                f"{image.path}: BEAM_CENTER_X and _Y in its header do not count with "
                f"-{convention}, which takes XDS_ORGX and _Y or -ORGX and -ORGY"
            ),
            stacklevel=3,
        )
    turning = image.word("AXIS").upper()
    stands = {key: image.number(key, whole_key=True) for key in ("OMEGA", "KAPPA", "CHI", "PHI")}
    if turning in stands:
        remark = settings_remark(
            {key: angle for key, angle in stands.items() if angle is not None and key != turning}
        )
        if remark:
            warnings.warn(CupysimWarning(f"{image.path}: {remark}"), stacklevel=3)
    if not quirks.corrects(Quirk.HEADER_READING):
        for key, _, _ in KEYS:
            number, whole = image.number(key), image.number(key, whole_key=True)
            if number is not None and number != whole and not _is_own(image, key):
                warn_quirk(
                    Quirk.HEADER_READING,
                    f"{key}={number:g} is read from another key in {image.path}",
                )
        for key, is_read in (("TWOTHETA", False), ("OSC_START", "phi" in header)):
            number = image.number(key, whole_key=True)
            if number and not is_read:
                warn_quirk(
                    Quirk.HEADER_READING,
                    f"{key}={number:g} in the header of {image.path} is not used",
                )
    for key, name, unit_of_key in KEYS:
        word = image.word(key)
        match = NUMBER.match(word)
        if match is not None and word[match.end() :].strip() and name not in given:
            unit_name = "" if unit_of_key is None else f" {unit_of_key.name}"
            warnings.warn(
                CupysimWarning(f"{image.path}: {key}={word} is read as {match.group()}{unit_name}"),
                stacklevel=3,
            )
    for key, names, default in (
        ("PIXEL_SIZE", ("pixel",), "0.1 mm"),
        ("DISTANCE", ("distance", "close_distance"), "100 mm"),
        ("BEAM_CENTER_X", ("beam_x", "origin_x"), "the middle"),
        ("BEAM_CENTER_Y", ("beam_y", "origin_y"), "the middle"),
    ):
        if not any(name in header or name in given for name in names):
            warnings.warn(
                CupysimWarning(
                    f"{image.path}: its header has no {key}; {default} is used, as by nanoBragg"
                ),
                stacklevel=3,
            )


def _is_own(image: smv.SmvFile, key: str) -> bool:
    """Whether the key which is read is a longer one of headers which nanoBragg writes."""
    at = image.text.rfind(key)
    before = re.search(r"\w*$", image.text[:at])
    longer = (before[0] if before else "") + key
    is_key = image.text[at + len(key) :].lstrip().startswith("=")
    return is_key and longer in ("CLOSE_DISTANCE", "XDS_ORGX", "XDS_ORGY")


def _open(
    path: str, is_mask: bool, number: int
) -> tuple[np.ndarray | None, ImageGeometry | None, smv.SmvFile | None, bool]:
    """Good pixels, geometry, or an SMV image, and whether the file holds several images."""
    check_regular(path)
    with opened(path) as stream:
        head = stream.read(8)
    if head.startswith(cbf.SIGNATURE):
        image, geometry = cbf.read(path)
        return cbf.good_pixels(image), geometry, None, False
    if head == HDF5:
        good, geometry = nxmx_image.read(path, number)
        return good, geometry, None, True
    smv_image = smv.read(path)
    return (smv_image.image != 0 if is_mask else None), None, smv_image, False


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
        Names as in `cupysim.nanobragg.arguments`.

    Raises
    ------
    FileFormatError
        If a number is impossible.
    """
    n_slow, n_fast = image.image.shape
    values: dict[str, Any] = {"n_fast": n_fast, "n_slow": n_slow}
    for key, name, measure in KEYS:
        number = image.number(key)
        if number is not None:
            values[name] = _header_value(image, key, number, measure)
    pixel = values.get("pixel", pixel)
    if flip_y and "beam_y" in values:
        values["beam_y"] = pixel * n_slow - values["beam_y"]
    return values


def meant_values(image: smv.SmvFile) -> dict[str, Any]:
    """Values which an image's header sets where quirk Q29 is corrected.

    Parameters
    ----------
    image : SmvFile
        The image.

    Returns
    -------
    dict
        Names as in `cupysim.nanobragg.arguments`. `distance` is the one before the two-theta swing,
        which `close_distance` and the angle tell also where quirk Q7 put another into the header.

    Raises
    ------
    FileFormatError
        If a number is impossible.
    """
    n_slow, n_fast = image.image.shape
    values: dict[str, Any] = {"n_fast": n_fast, "n_slow": n_slow}
    for keys, name, measure in WHOLE_KEYS:
        for key in keys:
            number = image.number(key, whole_key=True)
            if number is not None:
                values[name] = _header_value(image, key, number, measure)
                break
    if values.get("oscillation") == 0.0:
        # a still; an option of zero would mean two equal angles
        del values["oscillation"]
    swing = values.get("twotheta", 0.0)
    cosine = math.cos(swing)
    has_distance = "distance" in values and swing == 0.0
    if "close_distance" in values and not has_distance and abs(cosine) > EDGE_ON:
        values["distance"] = values["close_distance"] / cosine
    return values


def _header_value(image: smv.SmvFile, key: str, number: float, measure: Unit | None) -> float:
    """A number of a header in SI units."""
    if abs(number) > LARGEST_FLOAT or (key in POSITIVE and not number > 0.0):
        raise FileFormatError(image.path, f"{key}={number:g} is not possible")
    return number if measure is None else measure.to_si(number)
