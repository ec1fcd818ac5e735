"""The response of the detector of a campaign: the table [response]."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cupysim.detection.analogue import Analogue
from cupysim.detection.response import Response
from cupysim.detection.response_file import input_files, response_of
from cupysim.storage.toml_document import Document, Section

OUTPUTS = ("photons", "raw")
"""What images hold: photons by the calibration of the detector, or numbers as they are read out."""

LONGEST = 1e9
"""Longest exposure (s)."""


@dataclass(frozen=True)
class CampaignDetection:
    """How the shots of a campaign are detected.

    Parameters
    ----------
    response : Response
        The response.
    is_raw : bool
        Whether images hold raw numbers. Otherwise they hold counts, or photons of analogue signals.
    duration : float
        Exposure time of a shot (s).
    files : tuple of str, optional
        Files that the table names.
    """

    response: Response
    is_raw: bool
    duration: float
    files: tuple[str, ...] = ()

    @property
    def has_integers(self) -> bool:
        """Whether images are integers."""
        return self.is_raw or not isinstance(self.response.readout, Analogue)

    @property
    def has_gain_bits(self) -> bool:
        """Whether raw numbers contain the gain of the pixel."""
        readout = self.response.readout
        return isinstance(readout, Analogue) and len(readout.gains) > 1


def read_detection(
    document: Document, folder: str, words: Sequence[str]
) -> CampaignDetection | None:
    """Read the table [response].

    Parameters
    ----------
    document : Document
        The campaign file.
    folder : str
        Folder that names of files are relative to.
    words : sequence of str
        Options of the base. Their -exposure is the exposure time, unless the table has another.

    Returns
    -------
    CampaignDetection or None
        How shots are detected; None without the table.

    Raises
    ------
    FileFormatError
        If keys or values are impossible.
    """
    if "response" not in document.data:
        return None
    section = document.section("response")
    is_raw, duration = _own(section, words)
    files = tuple(input_files(section, folder))
    return CampaignDetection(response_of(section, "campaign", folder), is_raw, duration, files)


def outline_of_detection(
    document: Document, response: Response | None, words: Sequence[str]
) -> CampaignDetection | None:
    """The table [response] of a campaign whose files may be gone, with the response of an image."""
    if "response" not in document.data or response is None:
        return None
    return CampaignDetection(response, *_own(document.section("response"), words))


def _own(section: Section, words: Sequence[str]) -> tuple[bool, float]:
    """Take the keys that response files do not have: whether images are raw, and the duration."""
    is_raw = section.choice("output", OUTPUTS[0], OUTPUTS) == "raw"
    exposure = _exposure(words)
    shortest = float(np.finfo(np.float64).tiny)
    duration = section.number("duration", exposure or 1.0, shortest, LONGEST)
    if exposure is not None and not math.isclose(duration, exposure, rel_tol=1e-9):
        section.fail("duration", f"{duration:g} s, but -exposure of the base is {exposure:g} s")
    for key in ("output", "duration"):
        section.data.pop(key, None)
    return is_raw, duration


def _exposure(words: Sequence[str]) -> float | None:
    """The exposure time that the options of a base give (s); None without one."""
    found = None
    for option, value in pairwise(words):
        if option == "-exposure":
            found = float(value)
    return found if found is not None and found > 0.0 else None
