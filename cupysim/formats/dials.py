"""DIALS experiment lists (``.expt``) with one panel: the geometry of an image."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.dials_experiment import ListedExperiment, single_experiment
from cupysim.formats.dials_json import edges_of, has_frame, image_size
from cupysim.formats.dials_remarks import panel_left_out
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.geometry_checks import with_doubts
from cupysim.maths.arrays import cross, unit

MILLIMETRE = 1e-3

DEEPEST = 100
"""Largest number of levels in a detector's hierarchy."""


def read(path: os.PathLike[str] | str, number: int = 0) -> ImageGeometry:
    """Read an image of an experiment list.

    Parameters
    ----------
    path : path_like
        File to read.
    number : int, optional
        Number of the image in the scan, counted from 0.

    Returns
    -------
    ImageGeometry
        Geometry in the frame of dxtbx, including scan and crystal if the experiment has them.

    Raises
    ------
    FileFormatError
        If it is not an experiment list, has several experiments or panels, or the detector's
        pixels are not square.

    Notes
    -----
    Models are stored in the frame of dxtbx, with lengths in mm. The direction of the beam points to
    the source. The orientation of the crystal is S R(axis, phi) F A, where S is the setting
    rotation and F the fixed rotation. At spindle angle zero, the crystal is S F A. It turns about
    S axis.
    """
    with single_experiment(path) as listed:
        return with_doubts(_geometry(path, listed, number))


def _geometry(path: object, listed: ListedExperiment, number: int) -> ImageGeometry:
    detector = listed.detector
    panels = detector["panels"]
    if len(panels) != 1:
        raise FileFormatError(
            path, f"a detector of {len(panels)} panels; only single panels are supported so far"
        )
    fast, slow, origin = _placed(path, panels[0], _groups_above(detector.get("hierarchy")))
    edges = edges_of(path, panels[0])
    if abs(edges[0] - edges[1]) > 1e-9:
        raise FileFormatError(
            path, f"pixels of {edges[0]} x {edges[1]} mm; square ones are expected"
        )
    n_fast, n_slow = image_size(path, panels[0])
    around = listed.surroundings(number)
    return ImageGeometry(
        n_fast=n_fast,
        n_slow=n_slow,
        pixel_size=edges[0] * MILLIMETRE,
        origin=origin * MILLIMETRE,
        fast=fast,
        slow=slow,
        beam=around.beam,
        spindle=around.spindle,
        wavelength=around.wavelength,
        phi=around.phi,
        oscillation=around.oscillation,
        polarization=around.polarization,
        reciprocal=around.reciprocal,
        no_wavelength=around.no_wavelength,
        remarks=(*panel_left_out(panels[0]), *around.remarks),
        flux=around.flux,
        is_reversed=around.is_reversed,
    )


def _groups_above(hierarchy: Any) -> list[Any]:
    """The groups that hold the first panel, the innermost first."""
    if hierarchy is None:
        return []

    def above(group: Any, outer: list[Any]) -> list[Any] | None:
        if len(outer) > DEEPEST:
            raise ValueError("its detector's hierarchy contains itself")
        within = [group, *outer]
        children = group.get("children")
        if children is None:
            return within
        held = []
        for child in children:
            found = within if child.get("panel") == 0 else None
            if found is None and "panel" not in child:
                found = above(child, within)
            if found is not None:
                held.append(found)
        if len(held) > 1:
            raise ValueError("its detector's hierarchy holds the panel more than once")
        return held[0] if held else None

    found = above(hierarchy, [])
    if found is None:
        raise ValueError("its detector's hierarchy does not hold the panel")
    return found


def _placed(
    path: object, panel: Any, groups: list[Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fast axis, slow axis and origin (mm) of a panel in the laboratory frame."""
    fast, slow, origin = (
        np.array(panel[name], dtype=np.float64) for name in ("fast_axis", "slow_axis", "origin")
    )
    for group in groups:
        if not has_frame(path, group):
            continue
        x, y = (
            unit(np.array(group[name], dtype=np.float64)) for name in ("fast_axis", "slow_axis")
        )
        frame = np.stack([x, y, cross(x, y)], axis=1)
        start = np.array(group["origin"], dtype=np.float64)
        fast, slow, origin = frame @ fast, frame @ slow, start + frame @ origin
    return unit(fast), unit(slow), origin
