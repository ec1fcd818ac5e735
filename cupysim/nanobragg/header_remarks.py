"""What the drop-in command says about the header of an SMV image."""

from __future__ import annotations

import warnings

from cupysim.errors import FileFormatError
from cupysim.formats import smv
from cupysim.nanobragg.smv_headers import (
    check_numbers,
    header_values,
    warn_of_what_is_left_out,
)
from cupysim.quirks import NANOBRAGG


def header_remarks(image: smv.SmvFile) -> list[str]:
    """What -img says about a header, without further options.

    Parameters
    ----------
    image : SmvFile
        Image with the header.

    Returns
    -------
    list of str
        Warnings and the error, without the name of the file.
    """
    told = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            check_numbers(image, (), whole_keys=False)
            header = header_values(image, flip_y=False, pixel=0.0)
            warn_of_what_is_left_out(image, header, {}, NANOBRAGG)
        except FileFormatError as error:
            told = [f"an error: {error}"]
    told = [str(each.message) for each in caught] + told
    return [each.replace(f"{image.path}: ", "") for each in told]
