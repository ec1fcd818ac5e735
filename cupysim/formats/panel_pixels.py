"""Pixels of panels that a file stores in one array."""

from __future__ import annotations

import numpy as np

from cupysim.errors import CupysimError, FileFormatError
from cupysim.models.panel_detector import PanelDetector


def existing_pixels(detector: PanelDetector) -> np.ndarray:
    """Pixels that exist: ndarray of bool, shape (n_panels, n_slow, n_fast)."""
    if detector.existing is not None:
        return detector.existing
    return np.ones((len(detector), detector.n_slow, detector.n_fast), dtype=bool)


def check_same_order(first: PanelDetector, second: PanelDetector) -> None:
    """Check that two detectors have the same panels in the same order.

    Parameters
    ----------
    first, second : PanelDetector
        Detectors whose pixels are compared panel by panel. Names may differ, as between formats.

    Raises
    ------
    CupysimError
        If the same panels are in another order, or panels have other numbers of pixels.
    """
    names = [[panel.name for panel in each] for each in (first, second)]
    sizes = [[(panel.n_fast, panel.n_slow) for panel in each] for each in (first, second)]
    if names[0] != names[1] and sorted(names[0]) == sorted(names[1]):
        at = next(n for n, pair in enumerate(zip(*names, strict=True)) if pair[0] != pair[1])
        raise CupysimError(
            f"the panels are in another order: panel {at} is {names[0][at]!r} in the first, and "
            f"{names[1][at]!r} in the second"
        )
    if sizes[0] != sizes[1]:
        raise CupysimError("the panels differ in their number, or in their numbers of pixels")


def pixels_of_panels(path: object, detector: PanelDetector, image: np.ndarray) -> np.ndarray:
    """Take the panels out of the array of their file.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    detector : PanelDetector
        Detector; `Panel.data_corner` says where a panel is in the array.
    image : ndarray, shape (n_rows, n_columns)
        Array of the file, with numbers of any type.

    Returns
    -------
    ndarray, shape (n_panels, n_slow, n_fast)
        Pixels of each panel; zero beyond a small panel.

    Raises
    ------
    FileFormatError
        If a panel has no place in the array, or is not inside of it.
    """
    found = np.zeros((len(detector), detector.n_slow, detector.n_fast), dtype=image.dtype)
    for place, panel in zip(found, detector, strict=True):
        if panel.data_corner is None or image.ndim != 2:
            raise FileFormatError(path, f"panel {panel.name!r} has no place in the image's array")
        fast, slow = panel.data_corner
        part = image[slow : slow + panel.n_slow, fast : fast + panel.n_fast]
        if min(fast, slow) < 0 or part.shape != (panel.n_slow, panel.n_fast):
            raise FileFormatError(
                path, f"panel {panel.name!r} is not inside of an array of {image.shape[1]} x "
                f"{image.shape[0]} pixels",
            )  # fmt: skip
        place[: panel.n_slow, : panel.n_fast] = part
    return found
