"""DIALS experiment lists (``.expt``): beam, detector, goniometer, scan and crystal."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.reading import opened
from cupysim.maths.arrays import cross, norm, unit
from cupysim.maths.rotations import rotate_axis

MILLIMETRE = 1e-3

USUAL_FRACTION = 0.999
"""Polarization fraction which dxtbx takes where none is stored."""

LARGEST_FILE = 2**28
"""Bytes; a longer list is no list of a few experiments."""


def read(path: os.PathLike[str] | str) -> ImageGeometry:
    """Read the first image of an experiment list.

    Parameters
    ----------
    path : path_like
        The file.

    Returns
    -------
    ImageGeometry
        In dxtbx's frame, with what the experiment has of scan and crystal.

    Raises
    ------
    FileFormatError
        If it is no experiment list, has several experiments or panels, or the detector's
        pixels are not square.

    Notes
    -----
    Models are stored in dxtbx's frame, lengths in mm. Its beam points to the source. An orientation
    is S R(axis, phi) F A; the crystal at spindle angle zero is S F A, and it turns about S axis.
    """
    with opened(path) as stream:
        text = stream.read(LARGEST_FILE)
    try:
        content = json.loads(text)
        experiments = list(content["experiment"])
        if content.get("__id__") != "ExperimentList" or not experiments:
            raise KeyError("experiment")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FileFormatError(path, "no experiment list of DIALS") from error
    if len(experiments) > 1:
        raise FileFormatError(
            path, f"{len(experiments)} experiments; one is expected (dials.split_experiments)"
        )
    try:
        return _geometry(path, content, experiments[0])
    except (
        ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
    ) as error:  # fmt: skip
        raise FileFormatError(path, f"a model is incomplete: {error!r}") from error


def _geometry(path: object, content: Any, experiment: Any) -> ImageGeometry:
    def model(kind: str) -> Any:
        number = experiment.get(kind)
        return None if number is None else content[kind][number]

    beam, detector, scan, crystal = (
        model(kind) for kind in ("beam", "detector", "scan", "crystal")
    )
    if beam is None or detector is None:
        raise FileFormatError(path, "the experiment has no beam or no detector")
    panels = detector["panels"]
    if len(panels) != 1:
        raise FileFormatError(
            path, f"a detector of {len(panels)} panels; only single panels are supported so far"
        )
    panel = _placed(panels[0], detector.get("hierarchy"))
    sizes = panels[0]["pixel_size"]
    if abs(sizes[0] - sizes[1]) > 1e-9:
        raise FileFormatError(path, f"pixels of {sizes[0]} x {sizes[1]} mm; square are expected")
    n_fast, n_slow = panels[0]["image_size"]
    to_source = unit(np.array(beam["direction"], dtype=np.float64))
    spindle, fixed, setting = _goniometer(model("goniometer"))
    start = width = None
    if scan is not None:
        start, width = _oscillation(scan)
    return ImageGeometry(
        n_fast=int(n_fast),
        n_slow=int(n_slow),
        pixel_size=float(sizes[0]) * MILLIMETRE,
        origin=panel[2] * MILLIMETRE,
        fast=panel[0],
        slow=panel[1],
        beam=-to_source,
        spindle=setting @ spindle,
        wavelength=float(beam["wavelength"]) * ANGSTROM,
        phi=start,
        oscillation=width,
        polarization=_polarization(beam, to_source),
        reciprocal=None if crystal is None else _reciprocal(crystal, setting @ fixed),
    )


def _placed(panel: Any, parent: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fast and slow axis and origin (mm) of a panel, in the laboratory."""
    fast, slow, origin = (
        np.array(panel[name], dtype=np.float64) for name in ("fast_axis", "slow_axis", "origin")
    )
    if parent is None:
        return unit(fast), unit(slow), origin
    x, y = (np.array(parent[name], dtype=np.float64) for name in ("fast_axis", "slow_axis"))
    frame = np.stack([x, y, cross(x, y)], axis=1)
    start = np.array(parent["origin"], dtype=np.float64)
    return unit(frame @ fast), unit(frame @ slow), start + frame @ origin


def _oscillation(scan: Any) -> tuple[float, float]:
    """First angle and width of the first image (rad)."""
    if "oscillation" in scan:
        start, width = scan["oscillation"]
    else:
        angles = scan["properties"]["oscillation"]
        widths = scan["properties"].get("oscillation_width") or np.diff(angles)
        if len(widths) == 0:
            raise ValueError("the scan has one angle, and no width")
        start, width = angles[0], widths[0]
    return float(start) / DEGREES_PER_RADIAN, float(width) / DEGREES_PER_RADIAN


def _polarization(beam: Any, to_source: np.ndarray) -> tuple[float, np.ndarray] | None:
    """Kahn factor, which is 1 where DIALS' fraction is 1 and 0 where it is 1/2, and field."""
    if "polarization_normal" not in beam:
        return None
    field = cross(np.array(beam["polarization_normal"], dtype=np.float64), to_source)
    if not norm(field) > 0.0:
        return None
    return 2.0 * float(beam.get("polarization_fraction", USUAL_FRACTION)) - 1.0, unit(field)


def _goniometer(model: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Axis which turns, and fixed and setting rotation.

    Of several axes, from the crystal outwards, those before the one which turns are the fixed
    rotation, those after it the setting rotation.
    """
    if model is None:
        return np.array([1.0, 0.0, 0.0]), np.eye(3), np.eye(3)
    if "axes" not in model:
        fixed, setting = (
            np.array(model.get(f"{name}_rotation", np.eye(3).ravel()), dtype=np.float64)
            for name in ("fixed", "setting")
        )
        axis = unit(np.array(model["rotation_axis"], dtype=np.float64))
        return axis, fixed.reshape(3, 3), setting.reshape(3, 3)
    axes = [unit(np.array(axis, dtype=np.float64)) for axis in model["axes"]]
    turning = int(model["scan_axis"])
    matrices = [
        np.stack(
            [rotate_axis(v, axis, np.float64(angle / DEGREES_PER_RADIAN)) for v in np.eye(3)], 1
        )
        for axis, angle in zip(axes, model["angles"], strict=True)
    ]
    fixed = setting = np.eye(3)
    for matrix in matrices[:turning]:
        fixed = matrix @ fixed
    for matrix in matrices[turning + 1 :]:
        setting = matrix @ setting
    return axes[turning], fixed, setting


def _reciprocal(crystal: Any, rotation: np.ndarray) -> np.ndarray:
    """Rows a*, b*, c* (1/Angstrom) at spindle angle zero, turned by the goniometer."""
    direct = np.array([crystal[f"real_space_{axis}"] for axis in "abc"], dtype=np.float64)
    return np.ascontiguousarray(np.linalg.inv(direct @ rotation.T).T)
