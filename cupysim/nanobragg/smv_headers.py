"""Headers of SMV images: the values which they set, and what is said of the others."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from cupysim.constants import ELECTRONVOLT_ANGSTROM
from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats import smv
from cupysim.formats.rotation import SETTING, settings_remark
from cupysim.formats.smv_geometry import (
    BY_ORIGIN,
    GONIOMETER,
    contradiction,
    first_angles,
    is_tilted,
)
from cupysim.formats.text_numbers import NUMBER
from cupysim.models.conventions import Convention
from cupysim.nanobragg.arguments import LARGEST_FLOAT
from cupysim.nanobragg.units import ANGSTROM, DEGREE, MM, Unit
from cupysim.quirks import Quirk, Quirks, warn_quirk

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
)
"""The same where quirk Q29 is corrected: spellings of a key, of which the first one counts. The
first angle is that of `first_angles`."""

CHECKED = (
    *((key, name) for key, name, _ in KEYS), ("XDS_ORGX", "origin_x"), ("XDS_ORGY", "origin_y"),
    ("TWOTHETA", "twotheta"), ("OSC_START", "phi"), *((key, "phi") for key in GONIOMETER),
)  # fmt: skip
"""Keys which must be numbers, and the values which overrule them."""


EDGE_ON = 1e-9
"""A detector whose normal has a smaller cosine with the beam has no distance along it."""

CENTRES = frozenset({"beam_x", "beam_y", "close_x", "close_y", "origin_x", "origin_y"})
"""Values by which a command line gives the beam centre itself."""

SAME_WAVELENGTH = 1e-3
"""Relative difference up to which a wavelength and an energy agree."""

POSITIVE = ("PIXEL_SIZE", "WAVELENGTH")
"""Keys whose numbers must be above zero."""


def warn_of_what_is_left_out(
    image: smv.SmvFile,
    header: Mapping[str, Any],
    given: Mapping[str, Any],
    quirks: Quirks,
) -> None:
    """Warn of what an image's header says in vain, and of what it should say and does not."""
    _warn_of_angles(image, "phi" in header, quirks.corrects(Quirk.HEADER_READING))
    for remark in _of_other_programs(image, given):
        warnings.warn(CupysimWarning(f"{image.path}: {remark}"), stacklevel=3)
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
    swing = image.number("TWOTHETA", whole_key=True)
    if swing and quirks.corrects(Quirk.HEADER_READING) and "twotheta" not in given:
        warnings.warn(
            CupysimWarning(
                f"{image.path}: its TWOTHETA of {swing:g} degrees turns the detector as "
                f"-twotheta {swing:g} does, since a header tells neither its axis nor its pivot"
            ),
            stacklevel=3,
        )
    if not quirks.corrects(Quirk.HEADER_READING):
        for key, _, _ in KEYS:
            number, whole = image.number(key), image.number(key, whole_key=True)
            if number is not None and number != whole and not _is_own(image, key):
                warn_quirk(
                    Quirk.HEADER_READING,
                    f"{key}={number:g} is read from another key in {image.path}",
                )
        if swing:
            warn_quirk(
                Quirk.HEADER_READING,
                f"TWOTHETA={swing:g} in the header of {image.path} is not used",
            )
    if (image.number("SIZE3", whole_key=True) or 1.0) > 1.0:
        warnings.warn(
            CupysimWarning(
                f"{image.path}: of its SIZE3={image.word('SIZE3')} images, the first is read"
            ),
            stacklevel=3,
        )
    for key, name, unit_of_key in (*((size, size, None) for size in ("SIZE1", "SIZE2")), *KEYS):
        values = image.words(key)
        if len(set(values)) > 1 and name not in given:
            warnings.warn(
                CupysimWarning(f"{image.path}: {key} is {', then '.join(values)}; the last counts"),
                stacklevel=3,
            )
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


def _warn_of_angles(image: smv.SmvFile, is_read: bool, is_corrected: bool) -> None:
    """Warn of first angles which contradict each other or do not count, and of other settings.

    nanoBragg reads PHI, whatever turns.
    """
    starts = first_angles(image)
    phi = image.number("PHI", whole_key=True)
    if is_corrected or phi is None:
        counts = next(iter(starts), "")
    else:
        counts, starts = "PHI", starts | {"PHI": phi}
    if any(abs(angle - starts[counts]) > SETTING for angle in starts.values()):
        told = " and ".join(f"{key}={angle:g}" for key, angle in starts.items())
        first = next(iter(starts))
        why = "" if counts == first else f", as in nanoBragg; with -corrected {first} does"
        warnings.warn(
            CupysimWarning(f"{image.path}: its header has {told}; {counts} counts{why}"),
            stacklevel=4,
        )
    if not is_corrected and not is_read:
        for key, angle in starts.items():
            if angle:
                warn_quirk(
                    Quirk.HEADER_READING,
                    f"{key}={angle:g} in the header of {image.path} is not used",
                )
    turning = image.word("AXIS").upper()
    if turning not in GONIOMETER:
        return
    angles = {key: image.number(key, whole_key=True) for key in GONIOMETER if key != turning}
    # PHI may be a copy of the first angle, whatever turns
    copy = starts.get(counts, 0.0)
    remark = settings_remark(
        {
            key: angle
            for key, angle in angles.items()
            if angle is not None and not (key == "PHI" and abs(angle - copy) <= SETTING)
        }
    )
    if remark:
        warnings.warn(CupysimWarning(f"{image.path}: {remark}"), stacklevel=4)


def _of_other_programs(image: smv.SmvFile, given: Mapping[str, Any]) -> Iterator[str]:
    """What to say of keys which only d*TREK has, and of an energy of another wavelength."""
    if image.word("ROTATION") and not {"phi", "oscillation"} <= set(given):
        yield "ROTATION in its header, of d*TREK, is not read; -phi and -osc turn the crystal"
    if "wavelength" in given:
        return
    if image.word("SOURCE_WAVELENGTH"):
        yield "SOURCE_WAVELENGTH in its header, of d*TREK, is not read as it is meant; use -lambda"
    energy, wavelength = (image.number(key, whole_key=True) for key in ("ENERGY", "WAVELENGTH"))
    if energy and wavelength:
        ratio = ELECTRONVOLT_ANGSTROM / energy / wavelength
        if abs(ratio - 1.0) > SAME_WAVELENGTH:
            yield (
                f"its ENERGY of {energy:g} eV is that of {ratio * wavelength:.6g} A, but its "
                f"WAVELENGTH, which counts, is {wavelength:g} A"
            )


def check_numbers(image: smv.SmvFile, given: Collection[str], whole_keys: bool) -> None:
    """Check that what a header sets are numbers, and possible ones.

    Parameters
    ----------
    image : SmvFile
        The image.
    given : collection of str
        Values which the command line gives, and which therefore the header does not.
    whole_keys : bool
        Keys are not found at the end of longer ones (quirk Q29 is corrected).

    Raises
    ------
    FileFormatError
        If a key has no finite number, or a detector without CLOSE_DISTANCE a negative distance.
    """
    for key, name in CHECKED:
        if name in given or image.number(key, whole_key=True) is None:
            continue
        match = NUMBER.match(image.word(key))
        if match is None or not math.isfinite(float(match.group())):
            raise FileFormatError(image.path, f"{key}={image.word(key)} is not a number")
    distance, near = (image.number(key, whole_key=True) for key in ("DISTANCE", "CLOSE_DISTANCE"))
    # beyond 90 degrees, the plane is behind the crystal, and nanoBragg writes both
    if distance is not None and distance < 0.0 and near is None and "distance" not in given:
        raise FileFormatError(image.path, f"DISTANCE={distance:g} is not possible")
    for key, names in (("DISTANCE", {"distance", "close_distance"}), ("PIXEL_SIZE", {"pixel"})):
        # quirk Q29 finds the key at the end of a longer one, such as UNIT_DISTANCE=mm
        if names.isdisjoint(given) and image.number(key, whole_keys) == 0.0:
            raise FileFormatError(image.path, f"{key} in its header is read as 0")


def _is_own(image: smv.SmvFile, key: str) -> bool:
    """Whether the key which is read is a longer one of headers which nanoBragg writes."""
    at = image.text.rfind(key)
    before = re.search(r"\w*$", image.text[:at])
    longer = (before[0] if before else "") + key
    is_key = image.text[at + len(key) :].lstrip().startswith("=")
    return is_key and longer in ("CLOSE_DISTANCE", "XDS_ORGX", "XDS_ORGY")


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
    for key, angle in first_angles(image).items():
        values["phi"] = _header_value(image, key, angle, DEGREE)
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
