"""Scans of DIALS experiment lists: the rotation of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.dials_json import pair

UNEVEN, STILL = 1e-3, 1e-5
"""Largest relative and absolute (degrees) difference between the width of an image and the step to
the next one."""


@dataclass(frozen=True)
class ScanPoint:
    """Beginning of an image, where a model that varies during the scan has a value.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    number : int
        Number of the image, counted from 0.
    count : int
        Number of images in the scan.
    """

    path: object
    number: int
    count: int

    def of(self, values: Any, name: str) -> np.ndarray:
        """Return the value of a model here.

        Parameters
        ----------
        values : sequence
            Values at the beginning of each image and at the end of the last one.
        name : str
            Name of the values, for messages.

        Raises
        ------
        FileFormatError
            If the scan has another number of images.
        """
        if len(values) != self.count + 1:
            raise FileFormatError(
                self.path,
                f"{len(values)} {name} for {self.count} images; DIALS writes {self.count + 1}",
            )
        return np.array(values[self.number], dtype=np.float64)


def count_images(path: object, scan: Any) -> int:
    """Return the number of images in a scan.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    scan : dict
        Scan of the list.

    Raises
    ------
    FileFormatError
        If its range ends before it begins.
    """
    first, last = pair(path, scan, "image_range") if "image_range" in scan else (1, 1)
    if last < first:
        raise FileFormatError(path, f"its image_range goes from {first} to {last}")
    return int(last) - int(first) + 1


def oscillation(path: object, scan: Any, number: int) -> tuple[float | None, float | None, str]:
    """Rotation of an image in a scan.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    scan : dict
        Scan of the list.
    number : int
        Number of the image, counted from 0.

    Returns
    -------
    start, width : float or None
        First angle and width (rad); None for a scan without rotation.
    remark : str
        Warning for the user; empty if there is none.

    Raises
    ------
    FileFormatError
        If there is no such image, or the lists of the scan have other lengths.
    """
    count = count_images(path, scan)
    if not 0 <= number < count:
        raise FileFormatError(path, f"there is no image {number}; the scan has {count}")
    properties, remark = scan.get("properties"), ""
    if properties is not None:
        # dxtbx then reads only the properties
        if "oscillation" not in properties:
            return None, None, ""
        start, width, remark = _of_properties(path, properties, count, number)
    elif "oscillation" in scan:
        start, width = map(float, pair(path, scan, "oscillation"))
        start += number * width
    else:
        return None, None, ""
    return start / DEGREES_PER_RADIAN, width / DEGREES_PER_RADIAN, remark


def _of_properties(
    path: object, properties: Any, count: int, number: int
) -> tuple[float, float, str]:
    """First angle and width (degrees) of an image from a list of all angles, with a warning.

    dxtbx requires equal widths. cupysim accepts images of different widths, as in screenings.
    """
    angles = np.array(properties["oscillation"], dtype=np.float64)
    if angles.shape != (count,):
        raise FileFormatError(path, f"its scan has {angles.size} angles for {count} images")
    steps = np.diff(angles)
    listed = properties.get("oscillation_width")
    if listed is None:
        if count == 1:
            raise FileFormatError(path, "the scan has one angle, and no width")
        width = float(steps[min(number, count - 2)])
        uneven = np.abs(steps - width).max() > UNEVEN * abs(width) + STILL
        remark = (
            f"its scan advances by {steps.min():g} to {steps.max():g} degrees from image to image: "
            f"image {number} is assumed to be {width:g} degrees wide"
        )
        return float(angles[number]), width, remark if uneven else ""
    widths = np.array(listed, dtype=np.float64)
    if widths.shape != (count,):
        raise FileFormatError(path, f"its scan has {widths.size} widths for {count} images")
    width = float(widths[number])
    overlaps = number < count - 1 and abs(steps[number]) < (1.0 - UNEVEN) * abs(width) - STILL
    remark = (
        f"its scan turns image {number} by {width:g} degrees, but the next image begins after "
        f"{steps[min(number, count - 2)]:g}"
        if overlaps
        else ""
    )
    return float(angles[number]), width, remark
