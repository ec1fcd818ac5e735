"""Values which the headers of -mask and -img images set."""

from __future__ import annotations

from typing import Any

from cupysim.cli.arguments import LARGEST_FLOAT
from cupysim.cli.options import ANGSTROM, DEGREE, MM, Unit
from cupysim.errors import FileFormatError
from cupysim.formats import smv

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
