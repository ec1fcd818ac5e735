"""Raw numbers of image files, before any calibration."""

from __future__ import annotations

import numpy as np

from cupysim.detection.response import Response
from cupysim.detection.response_text import response_from_text
from cupysim.errors import CupysimError
from cupysim.formats.any_image import ImageFile
from cupysim.formats.nexus.reader import hdf5_file, is_hdf5

DETECTOR = "entry/instrument/detector"

PARAMETERS = f"{DETECTOR}/response/parameters"
"""Data set with the response as TOML, also in the files of campaigns."""

COUNT_TIME = f"{DETECTOR}/count_time"
"""Data set with the exposure time."""

SECONDS = ("s", "second", "seconds")


def raw_numbers(image: ImageFile, response: Response) -> np.ndarray:
    """Raw numbers of an image, in the type of a response.

    Parameters
    ----------
    image : ImageFile
        The image.
    response : Response
        The response.

    Returns
    -------
    ndarray of the response's type, shape of the image's pixels
        Raw numbers; pixels without a measurement have the response's `masked_value`.

    Raises
    ------
    CupysimError
        If the image has no raw numbers, or numbers that do not fit the response.
    """
    raw, masked = image.pixels, image.masked
    if image.content is not None and image.content.raw is not None:
        raw = image.content.raw
        if image.content.detector is not None:
            # pixels without photons, such as overloads, may have a raw number
            masked = raw == response_from_text(image.content.detector.text).masked_value
    if raw.dtype.kind not in "iu":
        raise CupysimError(f"{image.path}: no raw numbers (integers); it holds {raw.dtype}")
    limits = np.iinfo(response.dtype)
    known = raw[~masked]
    if known.size and (known.min() < limits.min or known.max() > limits.max):
        raise CupysimError(
            f"{image.path}: numbers from {known.min()} to {known.max()}, but those of the response "
            f"{response.name} are {response.dtype}"
        )
    assert response.masked_value is not None, "filled in by the response"
    filled = np.where(masked, response.masked_value, raw.astype(np.int64))
    return np.asarray(filled, dtype=response.dtype)


def stored_response(image: ImageFile) -> tuple[str | None, float | None]:
    """The response and the exposure time that an image file states.

    Parameters
    ----------
    image : ImageFile
        The image.

    Returns
    -------
    text : str or None
        The response as TOML; None if the file has none.
    duration : float or None
        Exposure time (s); None if the file has none.
    """
    if image.content is not None and image.content.detector is not None:
        return image.content.detector.text, image.content.detector.duration
    if image.content is not None or not is_hdf5(image.path):
        return None, None
    with hdf5_file(image.path) as file:
        text = file.get(PARAMETERS)
        time = file.get(COUNT_TIME)
        units = "" if time is None else str(time.attrs.get("units", ""))
        known = time is not None and time.size > 0 and units in SECONDS
        return (
            None if text is None else text.asstr()[()],
            float(np.ravel(time[()])[0]) if known else None,
        )
