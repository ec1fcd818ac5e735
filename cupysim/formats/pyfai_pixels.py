"""Pixels of detectors of pyFAI: flat grids of equal pixels, or the reason why they are none."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from cupysim.errors import CupysimError, FileFormatError, ModelError
from cupysim.optional_libraries import require

USUAL = 3
"""Orientation of pyFAI if none is given."""

MISPLACED = 1e-2
"""Distance of a corner (pixels) from its place on a regular grid that is not rounding."""


class Pixels(NamedTuple):
    """Pixels of a detector; pairs are slow and fast.

    Parameters
    ----------
    name : str
        Name of the detector, without blanks.
    shape : tuple of 2 int
        Numbers of pixels.
    edges : tuple of 2 float
        Pixel edges (m).
    orientation : int
        Orientation of pyFAI.
    mask : ndarray of bool, shape (n_slow, n_fast), or None
        True for pixels that exist; None if all do.
    sensor : str
        Material and thickness of the sensor; empty if unknown.
    """

    name: str
    shape: tuple[int, int]
    edges: tuple[float, float]
    orientation: int
    mask: np.ndarray | None
    sensor: str


def named(name: str) -> Any:
    """The detector of a name, or of a NeXus file that pyFAI wrote.

    Parameters
    ----------
    name : str
        Name that pyFAI knows, or path of the file.

    Returns
    -------
    Detector
        Detector object of pyFAI.

    Raises
    ------
    ModelError
        If pyFAI knows no such name and there is no such file.
    FileFormatError
        If the file is no description of a detector.
    CupysimError
        If pyFAI is not installed.
    """
    detectors = require("pyFAI.detectors", f"the detector {name!r}")
    if os.path.isfile(name):
        try:
            return detectors.NexusDetector(name)
        except Exception as error:
            reason = str(error).split("\n")[0][:80]
            raise FileFormatError(name, f"no NeXus file of a pyFAI detector ({reason})") from error
    known = detectors.Detector.registry
    if not {name.lower(), name.lower().replace(" ", "_")} & set(known):
        import difflib

        close = difflib.get_close_matches(name.lower(), list(known), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ModelError(f"pyFAI knows no detector {name!r}, and there is no such file{hint}")
    return detectors.detector_factory(name)


def pixels_of(detector: Any) -> Pixels:
    """Pixels of a detector object of pyFAI.

    Parameters
    ----------
    detector : Detector
        Detector object of pyFAI.

    Raises
    ------
    ModelError
        If it is no detector of pyFAI, is not a flat grid of equal pixels, or has no shape or size.
    """
    for attribute in ("pixel1", "pixel2", "shape", "orientation", "mask"):
        if not hasattr(detector, attribute):
            raise ModelError(
                f"expected a detector of pyFAI or its name, got {type(detector).__name__}"
            )
    name = str(getattr(detector, "name", "") or type(detector).__name__)
    reason = _why_not_regular(detector)
    if reason:
        raise ModelError(f"{name}: {reason}; only a flat grid of equal pixels can be a panel")
    if detector.shape is None:
        raise ModelError(f"{name}: the detector has no shape; give pyFAI a max_shape")
    if not detector.pixel1 or not detector.pixel2:
        raise ModelError(f"{name}: the detector has no pixel size")
    n_slow, n_fast = (int(count) for count in detector.shape)
    edges = float(detector.pixel1), float(detector.pixel2)
    _check_places(name, detector, (n_slow, n_fast), edges)
    excluded = detector.mask
    if excluded is not None and np.shape(excluded) != (n_slow, n_fast):
        raise ModelError(
            f"{name}: a mask of {np.shape(excluded)} pixels, but the detector has "
            f"{(n_slow, n_fast)}"
        )
    return Pixels(
        re.sub(r"[^\w.+-]+", "_", name).strip("_") or "detector", (n_slow, n_fast), edges,
        int(detector.orientation) or USUAL,
        None if excluded is None or not np.any(excluded) else np.asarray(excluded) == 0,
        sensor_told(getattr(detector, "sensor", None)),
    )  # fmt: skip


def _why_not_regular(detector: Any) -> str:
    """Why pixels are not a flat grid of equal rectangles; empty if they are."""
    if int(getattr(detector, "CORNERS", 4)) != 4:
        return f"its pixels have {int(detector.CORNERS)} corners"
    if not getattr(detector, "IS_FLAT", True):
        return "it is not flat"
    if getattr(detector, "spline", None) is not None:
        return "a spline file distorts its pixels"
    # an object may lose what its class says
    if not all(getattr(each, "uniform_pixel", True) for each in (detector, type(detector))):
        return "its pixels have different sizes, or are not on one grid (uniform_pixel is False)"
    return ""


def _check_places(
    name: str, detector: Any, shape: tuple[int, int], edges: tuple[float, float]
) -> None:
    """Compare opposite corners of a detector with those of a grid, in any orientation."""
    places = getattr(detector, "calc_cartesian_positions", None)
    if places is None:
        return
    found = places(*(np.array([0.0, count]) for count in shape), center=False)
    for along, count, edge in zip(found, shape, edges, strict=False):
        wrong = np.abs(np.sort(along) - np.array([0.0, count * edge])).max()
        if wrong > MISPLACED * edge:
            raise ModelError(
                f"{name}: pyFAI places its pixels up to {1e3 * wrong:.3g} mm from a regular grid, "
                "although it calls them uniform; only a flat grid of equal pixels can be a panel"
            )


def sensor_told(sensor: Any) -> str:
    """Material and thickness of a sensor, as words; empty if there is none.

    Parameters
    ----------
    sensor : mapping, SensorConfig or None
        Sensor in a .poni file or of a detector object.
    """
    if sensor is None:
        return ""
    if isinstance(sensor, Mapping):
        material, thickness = sensor.get("material"), sensor.get("thickness")
    else:
        material, thickness = getattr(sensor, "material", None), getattr(sensor, "thickness", None)
    words = [str(getattr(material, "name", material))] if material is not None else []
    if isinstance(thickness, float | int) and thickness:
        words.append(f"{1e6 * thickness:g} um")
    return ", ".join(words)


def check_no_detector_file(path: os.PathLike[str] | str) -> None:
    """Raise an error if an HDF5 file is the description of a detector that pyFAI wrote.

    Such a file describes pixels, but not where they are. It differs from NXmx files: its group
    NXdetector has IS_FLAT and API_VERSION.

    Parameters
    ----------
    path : path_like
        HDF5 file.

    Raises
    ------
    CupysimError
        If pyFAI wrote the file.
    """
    import h5py

    def of_pyfai(_: str, item: Any) -> bool | None:
        is_one = isinstance(item, h5py.Group) and {"IS_FLAT", "API_VERSION"} <= set(item)
        return True if is_one else None

    try:
        with h5py.File(path, "r") as file:
            found = file.visititems(of_pyfai)
    except (OSError, RuntimeError):
        # readers of other formats tell what is wrong
        return
    if found:
        raise CupysimError(
            f"{path}: a detector of pyFAI, without its place; name the file in a .poni file, or use"
            " cupysim.formats.pyfai_detector.from_pyfai"
        )
