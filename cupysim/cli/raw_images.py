"""Raw numbers of image files, before any calibration."""

from __future__ import annotations

import numpy as np

from cupysim.detection.response import Response
from cupysim.errors import CupysimError
from cupysim.formats.any_image import ImageFile


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
    raw = image.pixels
    if image.content is not None and image.content.raw is not None:
        raw = image.content.raw
    if raw.dtype.kind not in "iu":
        raise CupysimError(f"{image.path}: no raw numbers (integers); it holds {raw.dtype}")
    limits = np.iinfo(response.dtype)
    known = raw[~image.masked]
    if known.size and (known.min() < limits.min or known.max() > limits.max):
        raise CupysimError(
            f"{image.path}: numbers from {known.min()} to {known.max()}, but those of the response "
            f"{response.name} are {response.dtype}"
        )
    assert response.masked_value is not None, "filled in by the response"
    filled = np.where(image.masked, response.masked_value, raw.astype(np.int64))
    return np.asarray(filled, dtype=response.dtype)
