"""The text of geometry files of pyFAI (.poni), of versions 1, 2, 2.1 and 3."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cupysim.errors import FileFormatError
from cupysim.storage.reading import content

NEWEST = 3.0
"""Newest version of the format that is read."""

PLACE = ("poni1", "poni2", "rot1", "rot2", "rot3")
"""Keys of numbers that a file must have, besides the distance."""

PLAIN = ("", "none", "detector")
"""Names of a detector that only its pixels describe."""


@dataclass(frozen=True)
class PoniText:
    """Content of a .poni file.

    Parameters
    ----------
    words : mapping of str to str
        Keys in lower case, and their values. If a key occurs several times, the last value counts,
        as in pyFAI.
    version : float
        Version of the format.
    config : mapping
        Configuration of the detector, with keys in lower case.
    distance, poni1, poni2 : float
        Distance and point of normal incidence (m).
    rot1, rot2, rot3 : float
        Rotations (rad).
    wavelength : float or None
        Wavelength (m).
    has_parallax : bool
        Whether pyFAI corrects positions for the parallax in the sensor.
    """

    words: Mapping[str, str]
    version: float
    config: Mapping[str, Any]
    distance: float
    poni1: float
    poni2: float
    rot1: float
    rot2: float
    rot3: float
    wavelength: float | None
    has_parallax: bool

    @property
    def detector(self) -> str:
        """Name of the detector's class in pyFAI; empty if the file has none."""
        return self.words.get("detector", "")

    @property
    def is_plain(self) -> bool:
        """Whether the file itself describes the pixels, so that pyFAI is not needed."""
        spline = self.config.get("splinefile") or self.words.get("splinefile", "none")
        return self.detector.lower() in PLAIN and str(spline).lower() == "none"


def is_poni_name(path: os.PathLike[str] | str) -> bool:
    """Whether a file's name ends in .poni, or in .poni.gz."""
    return os.fspath(path).lower().removesuffix(".gz").endswith(".poni")


def read_text(path: os.PathLike[str] | str, *, distance: float | None = None) -> PoniText:
    """Read the text of a .poni file.

    Parameters
    ----------
    path : path_like
        File to read.
    distance : float, optional
        Distance (m) in place of that of the file.

    Returns
    -------
    PoniText
        Numbers and words of the file.

    Raises
    ------
    FileFormatError
        If the file is no .poni file, is too new, lacks a number, or has an impossible one.
    """
    data = content(path)
    if b"\0" in data:
        raise FileFormatError(path, "a binary file, not a .poni file of pyFAI")
    words: dict[str, str] = {}
    for line in data.decode("utf-8", errors="replace").splitlines():
        key, colon, value = line.partition(":")
        if colon and not line.startswith("#"):
            words[key.strip().lower()] = value.strip()
    if not {"poni1", "poni2"} & set(words):
        raise FileFormatError(path, "it has no Poni1 and Poni2, so it is no .poni file of pyFAI")
    config = _config(path, words)
    version = _version(path, words, config)
    if distance is None:
        key = "distance" if "distance" in words else "dist"
        distance = _number(path, words, key, "Distance")
    place = {key: _number(path, words, key, key.capitalize()) for key in PLACE}
    wavelength = None
    if words.get("wavelength", "none").lower() not in ("", "none"):
        wavelength = _number(path, words, "wavelength", "Wavelength")
        if not wavelength > 0.0:
            raise FileFormatError(path, f"Wavelength: {wavelength:g} m is not possible")
    return PoniText(
        words, version, config, distance, **place, wavelength=wavelength,
        has_parallax=words.get("parallax", "").lower() == "true",
    )  # fmt: skip


def _version(path: object, words: Mapping[str, str], config: Mapping[str, Any]) -> float:
    """Version of the format. Keys of later versions count more than the number, as in pyFAI."""
    told = words.get("poni_version", "1")
    try:
        version = float(told)
    except ValueError:
        version = math.nan
    if not 1.0 <= version <= NEWEST:
        raise FileFormatError(path, f"poni_version: {told[:20]!r} is none of 1, 2, 2.1 and 3")
    if "detector_config" in words:
        version = max(version, 2.1 if "orientation" in config else 2.0)
    return version


def _config(path: object, words: Mapping[str, str]) -> dict[str, Any]:
    text = words.get("detector_config", "{}")
    try:
        told = json.loads(text)
    except ValueError as error:
        raise FileFormatError(path, f"Detector_config: it is not JSON ({error})") from error
    if told is not None and not isinstance(told, dict):
        raise FileFormatError(path, "Detector_config: it is not a JSON object")
    return {str(key).lower(): value for key, value in (told or {}).items()}


def _number(path: object, words: Mapping[str, str], key: str, label: str) -> float:
    if key not in words:
        raise FileFormatError(path, f"there is no {label}")
    return number_of(path, words[key], label)


def number_of(path: object, told: Any, label: str) -> float:
    """A finite number of a .poni file.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    told : Any
        Word, or value in JSON.
    label : str
        Key, for messages.

    Raises
    ------
    FileFormatError
        If it is no finite number.
    """
    try:
        # Python reads digits with underscores, which pyFAI's users do not mean
        value = math.nan if "_" in str(told) or isinstance(told, bool) else float(told)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise FileFormatError(path, f"{label}: {str(told)[:20]!r} is not a finite number")
    return value
