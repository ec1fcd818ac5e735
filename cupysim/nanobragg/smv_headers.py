"""Headers of SMV images: the values that they set, and warnings about the other keys."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from cupysim.constants import ELECTRONVOLT_ANGSTROM
from cupysim.drop_ins.units import ANGSTROM, DEGREE, MM, Unit
from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats import smv
from cupysim.formats.rotation import SETTING, settings_remark
from cupysim.formats.smv_geometry import (
    BY_ORIGIN,
    GONIOMETER,
    contradiction,
    contradictory_distances,
    first_angles,
    is_tilted,
)
from cupysim.formats.smv_remarks import remarks
from cupysim.formats.text_numbers import NUMBER
from cupysim.models.conventions import Convention
from cupysim.nanobragg.arguments import LARGEST_FLOAT
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
"""The same with quirk Q29 corrected: spellings of each key. The first one found is used.

The first spindle angle comes from `first_angles`.
"""

CHECKED = (
    *((key, name) for key, name, _ in KEYS), ("XDS_ORGX", "origin_x"), ("XDS_ORGY", "origin_y"),
    ("TWOTHETA", "twotheta"), ("OSC_START", "phi"), *((key, "phi") for key in GONIOMETER),
)  # fmt: skip
"""Keys that must be numbers, and the values of the command line that overrule them."""


EDGE_ON = 1e-9
"""Smallest cosine between normal and beam for a detector to have a distance along the beam."""

CENTRES = frozenset({"beam_x", "beam_y", "close_x", "close_y", "origin_x", "origin_y"})
"""Values of a command line that give the beam centre."""

SAME_WAVELENGTH = 1e-3
"""Relative difference up to which a wavelength and an energy agree."""

POSITIVE = ("PIXEL_SIZE", "WAVELENGTH")
"""Keys that must have numbers above zero."""


def warn_of_what_is_left_out(
    image: smv.SmvFile,
    header: Mapping[str, Any],
    given: Mapping[str, Any],
    quirks: Quirks,
) -> None:
    """Warn of keys of a header that are not used, and of keys that the header lacks.

    Parameters
    ----------
    image : SmvFile
        Image with the header.
    header : mapping
        Values that the header sets.
    given : mapping
        Values that the command line gives.
    quirks : Quirks
        Corrected quirks. With Q29, headers are read as they are meant.
    """
    _warn_of_angles(image, "phi" in header, quirks.corrects(Quirk.HEADER_READING))
    for remark in (*remarks(image), *_of_other_programs(image, given)):
        warnings.warn(CupysimWarning(f"{image.path}: {remark}"), stacklevel=3)
    turned = {"rotate_x", "rotate_y", "rotate_z", "twotheta"} & set(given)
    if is_tilted(image) and not image.number("TWOTHETA", whole_key=True) and not turned:
        warnings.warn(
            CupysimWarning(
                f"{image.path}: DISTANCE and CLOSE_DISTANCE are those of a tilted detector, but "
                "the header does not give its rotations; give -detector_rotx and -detector_roty"
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
                f"{image.path}: BEAM_CENTER_X and _Y in its header are not used with "
                f"-{convention}, which uses XDS_ORGX and _Y or -ORGX and -ORGY"
            ),
            stacklevel=3,
        )
    swing = image.number("TWOTHETA", whole_key=True)
    if swing and quirks.corrects(Quirk.HEADER_READING) and "twotheta" not in given:
        warnings.warn(
            CupysimWarning(
                f"{image.path}: its TWOTHETA of {swing:g} degrees turns the detector as "
                f"-twotheta {swing:g} does, because a header gives neither axis nor pivot"
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
    for key, name, unit_of_key in (*((size, size, None) for size in ("SIZE1", "SIZE2")), *KEYS):
        values = image.words(key)
        if len(set(values)) > 1 and name not in given:
            warnings.warn(
                CupysimWarning(
                    f"{image.path}: {key} is {', then '.join(values)}; the last is used"
                ),
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
                    f"{image.path}: its header has no {key}{_other_case(image, key)}; {default} is "
                    "used, as in nanoBragg"
                ),
                stacklevel=3,
            )

    if not quirks.corrects(Quirk.HEADER_READING):
        for key, name in (("PHI", "phi"), ("OSC_RANGE", "oscillation")):
            other = _other_case(image, key)
            if other and name not in header and name not in given:
                warnings.warn(
                    CupysimWarning(f"{image.path}: its header has no {key}{other}"), stacklevel=3
                )


def _warn_of_angles(image: smv.SmvFile, is_read: bool, is_corrected: bool) -> None:
    """Warn of first angles that contradict each other or are not used, and of other settings.

    nanoBragg reads PHI, whatever axis turns.
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
        why = "" if counts == first else f", as in nanoBragg; with -corrected, {first} is used"
        warnings.warn(
            CupysimWarning(f"{image.path}: its header has {told}; {counts} is used{why}"),
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
    named = turning in GONIOMETER
    # without an axis, PHI and OMEGA are the first angle
    settings = GONIOMETER if named else ("KAPPA", "CHI")
    angles = {key: image.number(key, whole_key=True) for key in settings if key != turning}
    # PHI may be a copy of the first angle, whatever axis turns
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
    """Remarks on keys that only d*TREK has, and on an energy of another wavelength."""
    if image.word("ROTATION") and not {"phi", "oscillation"} <= set(given):
        yield "d*TREK's ROTATION in its header is not read; -phi and -osc turn the crystal"
    if "wavelength" in given:
        return
    if image.word("SOURCE_WAVELENGTH"):
        yield "d*TREK's SOURCE_WAVELENGTH in its header is not read as it is meant; use -lambda"
    energy, wavelength = (image.number(key, whole_key=True) for key in ("ENERGY", "WAVELENGTH"))
    if energy and wavelength:
        ratio = ELECTRONVOLT_ANGSTROM / energy / wavelength
        if abs(ratio - 1.0) > SAME_WAVELENGTH:
            yield (
                f"its ENERGY of {energy:g} eV is that of {ratio * wavelength:.6g} A, but its "
                f"WAVELENGTH, which is used, is {wavelength:g} A"
            )


def check_numbers(image: smv.SmvFile, given: Collection[str], whole_keys: bool) -> None:
    """Check that a header sets possible numbers.

    Parameters
    ----------
    image : SmvFile
        Image with the header.
    given : collection of str
        Values that the command line gives; the header does not set them.
    whole_keys : bool
        Whether quirk Q29 is corrected: keys are not found at the end of longer ones.

    Raises
    ------
    FileFormatError
        If a key has no finite number, or a distance is impossible.
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
            hint = _decimal_hint(image, key)
            raise FileFormatError(image.path, f"{key} in its header is read as 0{hint}")


def _decimal_hint(image: smv.SmvFile, key: str) -> str:
    """Words about a decimal comma in a value; empty if it has none."""
    word = image.word(key)
    return f", from {word!a:.40}: decimal points are expected" if "," in word else ""


def _other_case(image: smv.SmvFile, key: str) -> str:
    """Words that say that a header has a key in lower case; empty if it does not."""
    match = re.search(rf"\b{key}\s*=", image.text, re.IGNORECASE)
    return f" in capital letters (-corrected reads {match[0]})" if match else ""


def _is_own(image: smv.SmvFile, key: str) -> bool:
    """Whether the key that is read is a longer key of headers that nanoBragg writes."""
    at = image.text.rfind(key)
    before = re.search(r"\w*$", image.text[:at])
    longer = (before[0] if before else "") + key
    is_key = image.text[at + len(key) :].lstrip().startswith("=")
    return is_key and longer in ("CLOSE_DISTANCE", "XDS_ORGX", "XDS_ORGY")


def header_values(image: smv.SmvFile, flip_y: bool, pixel: float) -> dict[str, Any]:
    """Values that an image's header sets.

    Parameters
    ----------
    image : SmvFile
        Image with the header.
    flip_y : bool
        Whether BEAM_CENTER_Y is counted from the other edge, as for masks (quirk Q29).
    pixel : float
        Pixel size (m) if the header has none.

    Returns
    -------
    dict
        Values by the names of `cupysim.nanobragg.arguments`, in SI units.

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
    """Values that an image's header sets if quirk Q29 is corrected.

    Parameters
    ----------
    image : SmvFile
        Image with the header.

    Returns
    -------
    dict
        Values by the names of `cupysim.nanobragg.arguments`, in SI units. `distance` is the one
        before the two-theta swing. It is computed from `close_distance` and the angle, because
        quirk Q7 may have put another one into the header.

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
        # a still: without a given range, there is one angle; a range of zero would give two
        del values["oscillation"]
    if contradictory_distances(image):
        # as without -corrected, CLOSE_DISTANCE is used
        del values["distance"]
    swing = values.get("twotheta", 0.0)
    cosine = math.cos(swing)
    has_distance = "distance" in values and swing == 0.0
    if "close_distance" in values and not has_distance and abs(cosine) > EDGE_ON:
        values["distance"] = values["close_distance"] / cosine
    return values


def _header_value(image: smv.SmvFile, key: str, number: float, measure: Unit | None) -> float:
    """Convert a number of a header to SI units."""
    if abs(number) > LARGEST_FLOAT or (key in POSITIVE and not number > 0.0):
        hint = _decimal_hint(image, key)
        raise FileFormatError(image.path, f"{key}={number:g} is not possible{hint}")
    return number if measure is None else measure.to_si(number)
