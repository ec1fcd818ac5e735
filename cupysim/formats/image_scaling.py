"""Numbers of images that HDF5 files store as integers with a scaling factor and an offset.

NXmx and NXdata define ``data_scaling_factor`` and ``data_offset``: the values of the image are
(data + offset) * scaling factor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.image_stacks import entry_path

FACTORS = ("{}_scaling_factor", "data_scaling_factor", "scaling_factor")
"""Names of the scaling factor, with the name of the data set. The last one is deprecated."""

OFFSETS = ("{}_offset", "data_offset", "offset")
"""Names of the offset."""


def scaled(
    path: object, file: Any, pixels: np.ndarray, image: tuple[int, int]
) -> tuple[np.ndarray, str]:
    """Apply the scaling factor and the offset of an image.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    file : h5py.File
        Open file.
    pixels : ndarray, shape (n_slow, n_fast)
        Numbers of the data set.
    image : tuple of 2 int
        Number of the image in the file, and number of images.

    Returns
    -------
    values : ndarray, shape (n_slow, n_fast)
        Values of the image: float64, or the numbers themselves if they are not scaled.
    told : str
        What was done; empty if nothing.

    Raises
    ------
    FileFormatError
        If the factor or the offset is not a number, or has an unusual shape.
    """
    factor = _correction(path, file, FACTORS, pixels, image)
    offset = _correction(path, file, OFFSETS, pixels, image)
    if (factor is None or (factor == 1.0).all()) and (offset is None or (offset == 0.0).all()):
        return pixels, ""
    shift = np.zeros(()) if offset is None else offset
    scale = np.ones(()) if factor is None else factor
    parts = [
        f"{number:g}" if number.ndim == 0 else f"an array of {label}"
        for number, label in ((shift, "offsets"), (scale, "factors"))
    ]
    told = f"pixels are (stored number + {parts[0]}) x {parts[1]}"
    return (pixels.astype(np.float64) + shift) * scale, told


def _fields(file: Any, forms: Sequence[str]) -> Iterator[Any]:
    """Fields with one of several names, in the group of the images and in those of detectors."""
    entry = entry_path(file)
    data: Any = None if entry is None else file.get(f"{entry}/data")
    if hasattr(data, "keys"):
        signal = data.attrs.get("signal", "data")
        signal = signal.decode() if isinstance(signal, bytes) else str(signal)
        yield from (data.get(form.format(signal)) for form in forms)
    for each in file.values() if entry is None else [file[entry]]:
        instrument: Any = each.get("instrument") if hasattr(each, "keys") else None
        for group in instrument.values() if hasattr(instrument, "keys") else []:
            if hasattr(group, "keys"):
                # a detector's "offset" without the name of a field may be anything
                yield from (group.get(form.format("data")) for form in forms[:-1])


def _correction(
    path: object, file: Any, forms: Sequence[str], pixels: np.ndarray, image: tuple[int, int]
) -> np.ndarray | None:
    """The factor or the offset of an image, a number or an array of its shape; None if absent."""
    number, total = image
    field = next((each for each in _fields(file, forms) if hasattr(each, "shape")), None)
    if field is None:
        return None
    shape = tuple(field.shape)
    # one number, one for each pixel, or either of these for each image
    try:
        if shape in ((), (1,), (1, 1)):
            found = np.asarray(field[()], dtype=np.float64).reshape(())
        elif shape == pixels.shape:
            found = np.asarray(field[()], dtype=np.float64)
        elif shape in ((total,), (total, 1), (total, 1, 1)):
            found = np.asarray(field[number], dtype=np.float64).reshape(())
        elif shape == (total, *pixels.shape):
            found = np.asarray(field[number], dtype=np.float64)
        else:
            raise FileFormatError(path, f"{field.name} has the unusual shape {shape}")
    except (TypeError, ValueError) as error:
        raise FileFormatError(path, f"{field.name} is not a number") from error
    if not np.isfinite(found).all():
        raise FileFormatError(path, f"{field.name} is not finite")
    return found
