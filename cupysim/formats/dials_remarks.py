"""Warnings about DIALS experiment lists: stills, goniometers, and what is not simulated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.formats.rotation import SETTING, settings_remark

LEFT_HANDED = "its crystal is left-handed: each reflection has the amplitude of its Friedel mate"

WIDTH = 1e-7 / DEGREES_PER_RADIAN
"""Width of an image (rad) below which dxtbx treats a scan as a still."""


def still(
    goniometer: Any, start: float | None, width: float | None, has_crystal: bool
) -> Iterator[str]:
    """Warnings about a scan that is a still.

    Parameters
    ----------
    goniometer : dict or None
        Goniometer of the list.
    start, width : float, optional
        First angle and width of the image (rad) in the scan.
    has_crystal : bool
        Whether the list has a crystal. Its orientation is that in the still.

    Notes
    -----
    In dxtbx, an experiment is a still if it has no goniometer, no scan, or a scan without width.
    """
    if start is None or width is None:
        return
    first, step = start * DEGREES_PER_RADIAN, width * DEGREES_PER_RADIAN
    if goniometer is None:
        yield (
            f"it has a scan, from {first:g} by {step:g} degrees, but no goniometer: it is a still, "
            "as in dxtbx"
        )
    elif abs(width) < WIDTH and has_crystal and abs(first) > SETTING:
        yield (
            f"its scan has no width: it is a still. As in dxtbx, its angle of {first:g} degrees "
            "does not turn the crystal; use -phi"
        )


def stands(model: Any, rotation: np.ndarray, is_still: bool, has_crystal: bool) -> Iterator[str]:
    """Warnings about a goniometer that orients the crystal, apart from the spindle.

    Parameters
    ----------
    model : dict or None
        Goniometer of the list.
    rotation : ndarray, shape (3, 3)
        Setting rotation times fixed rotation.
    is_still : bool
        Whether the crystal stands during the image.
    has_crystal : bool
        Whether the list has a crystal.

    Notes
    -----
    In dxtbx, the axes before the scan axis are the fixed rotation, and those after it are the
    setting rotation. Only a scan gives the angle of the scan axis.
    """
    if model is None:
        return
    turns = bool(np.abs(rotation - np.eye(3)).max() > SETTING / DEGREES_PER_RADIAN)
    if "axes" not in model:
        if turns and not has_crystal:
            yield (
                "its goniometer has a fixed or setting rotation that orients the crystal: give "
                "the orientation of the crystal after this rotation"
            )
    else:
        turning = int(model["scan_axis"])
        names = model.get("names") or [f"axis {n}" for n in range(len(model["axes"]))]
        angles = dict(zip(names, map(float, model["angles"]), strict=True))
        if not has_crystal:
            if not is_still:
                del angles[names[turning]]
            remark = settings_remark(angles)
            if remark:
                yield remark
        elif is_still and abs(angles[names[turning]]) > SETTING:
            yield (
                f"its goniometer's {names[turning]} stands at {angles[names[turning]]:g} degrees. "
                "As in dxtbx, it does not turn the crystal without a scan; use -phi"
            )
    if has_crystal and is_still and turns:
        yield (
            "its goniometer's fixed and setting rotation turn the crystal, but DIALS predicts "
            "stills without them"
        )


def offsets_left_out(panel: Any) -> Iterator[str]:
    """Warning about offsets of a panel's pixels.

    Parameters
    ----------
    panel : dict
        Panel of the list.
    """
    strategy = panel.get("px_mm_strategy", {}).get("type", "")
    if strategy.startswith("Offset"):
        yield "its detector's pixel offsets (dx, dy) are not applied"


def pixels_left_out(panel: Any, name: str, usual: float) -> Iterator[str]:
    """Warning about a number that would change the counts of a panel.

    Parameters
    ----------
    panel : dict
        Panel of the list.
    name : str
        "gain" or "pedestal".
    usual : float
        Value that changes nothing.
    """
    value = float(panel.get(name) or usual)
    if value != usual:
        yield f"its detector's {name} of {value:g} is not used: pixels are photons"


def panel_left_out(panel: Any) -> Iterator[str]:
    """Warnings about parts of a single panel that the simulation does not use.

    Parameters
    ----------
    panel : dict
        Panel of the list.
    """
    yield from offsets_left_out(panel)
    thickness = float(panel.get("thickness") or 0.0)
    if thickness > 0.0:
        yield (
            f"its sensor of {1e3 * thickness:g} um is not simulated; use -detector_thick and "
            "-detector_abs"
        )
    yield from pixels_left_out(panel, "gain", 1.0)
    yield from pixels_left_out(panel, "pedestal", 0.0)
    if panel.get("mask"):
        yield f"its detector's mask of {len(panel['mask'])} rectangles is not applied; use -mask"


def left_out(beam: Any, crystal: Any, profile: Any, imageset: Any) -> Iterator[str]:
    """Warnings about parts of the models that the simulation does not use, except the panels'.

    Parameters
    ----------
    beam : dict
        Beam of the list.
    crystal, profile, imageset : dict or None
        Further models of the list.
    """
    divergences = [name for name in ("divergence", "sigma_divergence") if beam.get(name)]
    if divergences:
        yield f"its beam's {' and '.join(divergences)} is not used; -divergence gives one"
    transmission = float(beam.get("transmission", 1.0) or 0.0)
    if transmission != 1.0:
        yield (
            f"its beam's transmission of {transmission:g} and flux of "
            f"{float(beam.get('flux') or 0.0):g} are not used, because it is not clear whether the "
            "flux includes the transmission; -fluence gives the photons"
        )
    held = {name for name, value in (crystal or {}).items() if value}
    spread = {name for name, value in (profile or {}).items() if value} & {"sigma_m", "parameters"}
    if held & {"mosaicity", "ML_half_mosaicity_deg", "mosaic_model"} or spread:
        yield "its crystal's mosaicity is not used; -mosaic gives one"
    if "recalculated_unit_cell" in held:
        yield "its recalculated_unit_cell is not used: the cell is that of the crystal's vectors"
    if (imageset or {}).get("mask"):
        yield "the mask of its image set is not applied; use -mask"
    lookups = [name for name in ("dx", "dy", "gain", "pedestal") if (imageset or {}).get(name)]
    if lookups:
        yield f"files of its image set are not applied: {', '.join(lookups)}"
    if held & {"domain_size_ang", "ML_domain_size_ang"}:
        yield "the size of its crystal's domains is not used; -N gives their number of cells"
