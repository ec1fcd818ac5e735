"""The response of the detector of a campaign: the table [response]."""

from __future__ import annotations

from dataclasses import dataclass

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
        """Whether raw numbers tell the gain of the pixel."""
        readout = self.response.readout
        return isinstance(readout, Analogue) and len(readout.gains) > 1


def read_detection(document: Document, folder: str) -> CampaignDetection | None:
    """Read the table [response].

    Parameters
    ----------
    document : Document
        The campaign file.
    folder : str
        Folder that names of files are relative to.

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
    is_raw, duration = _own(section)
    files = tuple(input_files(section, folder))
    return CampaignDetection(response_of(section, "campaign", folder), is_raw, duration, files)


def outline_of_detection(document: Document, response: Response | None) -> CampaignDetection | None:
    """The table [response] of a campaign whose files may be gone, with the response of an image."""
    if "response" not in document.data or response is None:
        return None
    return CampaignDetection(response, *_own(document.section("response")))


def _own(section: Section) -> tuple[bool, float]:
    """Take the keys that response files do not have: whether images are raw, and the duration."""
    is_raw = section.choice("output", OUTPUTS[0], OUTPUTS) == "raw"
    duration = section.number("duration", 1.0, float(np.finfo(np.float64).tiny), LONGEST)
    for key in ("output", "duration"):
        section.data.pop(key, None)
    return is_raw, duration
