"""Geometry objects of EXtra-geom, for detectors of the European XFEL.

The laboratory frame of EXtra-geom is that of CrystFEL: z along the beam, y up, and x = y cross z,
which is to the left if one looks along the beam. Its lengths are in metres.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM, ELECTRONVOLT_ANGSTROM
from cupysim.errors import ModelError
from cupysim.formats.crystfel.reader import BEAM, ELECTRIC, SPINDLE
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.models.checks import finite, vector_of
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.panel_group import PanelGroup
from cupysim.optional_libraries import EXTRAS

FRAGMENT = ("corner_pos", "fs_vec", "ss_vec", "fs_pixels", "ss_pixels")
"""Attributes of a tile."""

RECTANGLE = 4
"""Number of corners of a pixel that can be rendered."""


def from_extra_geom(
    geometry: Any, *, distance: float | None = None, wavelength: float | None = None
) -> DetectorGeometry:
    """Make a detector of panels from a geometry object of EXtra-geom.

    Each tile is a panel, named p0a0 for tile 0 of module 0. Modules are groups of panels, named p0.
    If the detector has quadrants, they are groups of modules, named q0. EXtra-geom writes the same
    names into geometry files of CrystFEL.

    Parameters
    ----------
    geometry : DetectorGeometryBase
        Geometry object, for example an `extra_geom.AGIPD_1MGeometry`.
    distance : float, optional
        Distance (m) that is added to the z of all tiles. By default ``clen`` of the geometry file
        of CrystFEL that the object was read from, otherwise 0.
    wavelength : float, optional
        Wavelength (m). By default that of the same file, if it has a number.

    Returns
    -------
    DetectorGeometry
        Detector in CrystFEL's frame: z along the beam, y up. Spindle and electric field are along
        x; the object does not give them.

    Raises
    ------
    ModelError
        If it is no geometry object of EXtra-geom, its pixels are hexagons, a number is impossible,
        or the tiles are at the sample because the distance is missing.

    Notes
    -----
    Wide pixels between chips have the usual width, as in EXtra-geom. The rest of their width is in
    the gaps between tiles.
    """
    modules = _modules_of(geometry)
    told = getattr(geometry, "metadata", None)
    from_file = told.get("crystfel", {}) if isinstance(told, Mapping) else {}
    along = _distance(from_file, distance)
    groups = [
        PanelGroup(
            f"p{number}",
            [_panel(f"p{number}a{tile}", part, along) for tile, part in enumerate(module)],
        )
        for number, module in enumerate(modules)
    ]
    members = _in_quadrants(geometry, groups)
    name = str(getattr(geometry, "detector_type_name", "") or "detector")
    if distance is None and not along and any(_is_at_sample(part) for m in modules for part in m):
        raise ModelError(
            f"{name}: distance is missing: the geometry has tiles at z = 0, the sample"
        )
    detector = PanelDetector(
        members, BEAM, SPINDLE, ELECTRIC, name=name.replace("/", "_").replace(" ", "_")
    )
    remarks = []
    if from_file.get("bad"):
        remarks.append(
            "bad regions of the geometry file are rendered; read_detector reads them from the file"
        )
    return DetectorGeometry(detector, _wavelength(from_file, wavelength), remarks=tuple(remarks))


def _modules_of(geometry: Any) -> list[Sequence[Any]]:
    """Tiles of each module, if all pixels are rectangles."""
    modules = getattr(geometry, "modules", None)
    if not isinstance(modules, Sequence) or isinstance(modules, str) or not modules:
        raise ModelError(
            "expected a geometry object of extra_geom (pip install "
            f"'cupysim[{EXTRAS['extra_geom']}]'), got {type(geometry).__name__}; read_detector "
            "reads .geom files"
        )
    outline = getattr(geometry, "_pixel_corners", None)
    if outline is not None and np.shape(outline)[-1] != RECTANGLE:
        raise ModelError(
            f"{type(geometry).__name__}: its pixels are hexagons; only rectangles can be rendered. "
            "DSSC images on a grid of squares have a DSSC_1MGeometryCartesian"
        )
    for number, module in enumerate(modules):
        for tile, part in enumerate(module):
            lacking = [name for name in FRAGMENT if not hasattr(part, name)]
            if lacking:
                raise ModelError(f"module {number}, tile {tile}: it has no {lacking[0]}")
    return list(modules)


def _panel(name: str, tile: Any, distance: float) -> Panel:
    fast, slow = (np.asarray(step, dtype=np.float64) for step in (tile.fs_vec, tile.ss_vec))
    edges = [float(np.linalg.norm(step)) for step in (fast, slow)]
    corner = np.asarray(tile.corner_pos, dtype=np.float64) + np.array([0.0, 0.0, distance])
    return Panel(
        name, int(tile.fs_pixels), int(tile.ss_pixels), vector_of(corner), vector_of(fast),
        vector_of(slow), edges,
    )  # fmt: skip


def _is_at_sample(tile: Any) -> bool:
    return float(tile.corner_pos[2]) == 0.0 == float(tile.fs_vec[2]) == float(tile.ss_vec[2])


def _in_quadrants(geometry: Any, groups: list[PanelGroup]) -> list[PanelGroup]:
    """Groups of modules, one for each quadrant; the modules if the detector has no quadrants.

    EXtra-geom numbers the modules of a quadrant one after the other.
    """
    count = int(getattr(geometry, "n_quads", 0) or 0)
    if count < 1 or len(groups) % count:
        return groups
    each = len(groups) // count
    return [
        PanelGroup(f"q{number}", groups[number * each : (number + 1) * each])
        for number in range(count)
    ]


def _distance(from_file: Mapping[str, Any], distance: float | None) -> float:
    if distance is not None:
        return finite(distance, "distance")
    return _number(from_file.get("clen")) or 0.0


def _wavelength(from_file: Mapping[str, Any], wavelength: float | None) -> float | None:
    if wavelength is not None:
        if not finite(wavelength, "wavelength") > 0.0:
            raise ModelError(f"wavelength: must be positive, got {wavelength:g} m")
        return float(wavelength)
    energy = _number(from_file.get("photon_energy"))
    if energy is None or not energy > 0.0:
        return None
    return ELECTRONVOLT_ANGSTROM / energy * ANGSTROM


def _number(told: Any) -> float | None:
    """A finite number; None for the path of a header, or nothing."""
    try:
        value = math.nan if told is None or isinstance(told, bool) else float(told)
    except (TypeError, ValueError):
        value = math.nan
    return value if math.isfinite(value) else None
