"""What to say of DIALS experiment lists: of stills, goniometers, and what is not simulated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.formats.rotation import SETTING, settings_remark

LEFT_HANDED = "its crystal is left-handed: each reflection has the amplitude of its Friedel mate"

WIDTH = 1e-7 / DEGREES_PER_RADIAN
"""Width of an image (rad) below which dxtbx takes a scan for a still."""


def still(
    goniometer: Any, start: float | None, width: float | None, has_crystal: bool
) -> Iterator[str]:
    """What to say of a scan whose rotation does not count.

    Parameters
    ----------
    goniometer : dict or None
        The model.
    start, width : float, optional
        First angle and width of the image (rad), by the scan.
    has_crystal : bool
        The list has a crystal, whose orientation is that of the still.

    Notes
    -----
    To dxtbx an experiment is a still if it has no goniometer, no scan, or a scan without width.
    """
    if start is None or width is None:
        return
    first, step = start * DEGREES_PER_RADIAN, width * DEGREES_PER_RADIAN
    if goniometer is None:
        yield (
            f"it has a scan, from {first:g} by {step:g} degrees, but no goniometer: a still, as in "
            "dxtbx"
        )
    elif abs(width) < WIDTH and has_crystal and abs(first) > SETTING:
        yield (
            f"its scan has no width: a still, whose angle of {first:g} degrees does not turn the "
            "crystal, as in dxtbx; -phi does"
        )


def stands(model: Any, rotation: np.ndarray, is_still: bool, has_crystal: bool) -> Iterator[str]:
    """What to say of a goniometer which turns the crystal before the spindle does.

    Parameters
    ----------
    model : dict or None
        The goniometer.
    rotation : ndarray, shape (3, 3)
        Its setting rotation times its fixed one.
    is_still : bool
        The crystal does not turn during the image.
    has_crystal : bool
        The list has a crystal.

    Notes
    -----
    dxtbx makes the fixed rotation of the axes before the scan axis and the setting rotation of
    those behind it; where the scan axis stands is for the scan to say, and without one nobody does.
    """
    if model is None:
        return
    turns = bool(np.abs(rotation - np.eye(3)).max() > SETTING / DEGREES_PER_RADIAN)
    if "axes" not in model:
        if turns and not has_crystal:
            yield (
                "its goniometer has a fixed or setting rotation, which orients the crystal: the "
                "orientation given must be the one after it"
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
                f"its goniometer's {names[turning]} stands at {angles[names[turning]]:g} degrees, "
                "which does not turn the crystal without a scan, as in dxtbx; -phi does"
            )
    if has_crystal and is_still and turns:
        yield (
            "its crystal is turned by the goniometer's fixed and setting rotation, without which "
            "DIALS predicts stills"
        )


def left_out(beam: Any, panel: Any, crystal: Any, profile: Any, imageset: Any) -> Iterator[str]:
    """What the models say and the simulation does not take.

    Parameters
    ----------
    beam, panel : dict
        Models of the list.
    crystal, profile, imageset : dict or None
        Likewise.
    """
    strategy = panel.get("px_mm_strategy", {}).get("type", "")
    if strategy.startswith("Offset"):
        yield "its detector's pixel offsets (dx, dy) are not applied"
    thickness = float(panel.get("thickness") or 0.0)
    if thickness > 0.0:
        yield (
            f"its sensor of {1e3 * thickness:g} um is not simulated; -detector_thick and "
            "-detector_abs do"
        )
    divergences = [name for name in ("divergence", "sigma_divergence") if beam.get(name)]
    if divergences:
        yield f"its beam's {' and '.join(divergences)} is not taken; -divergence gives one"
    transmission = float(beam.get("transmission", 1.0) or 0.0)
    if transmission != 1.0:
        yield (
            f"its beam's transmission of {transmission:g} and flux of "
            f"{float(beam.get('flux') or 0.0):g} are not taken, since it is not clear whether one "
            "is in the other; -fluence gives the photons"
        )
    for name, usual in (("gain", 1.0), ("pedestal", 0.0)):
        value = float(panel.get(name) or usual)
        if value != usual:
            yield f"its detector's {name} of {value:g} is not taken: pixels are photons"
    if panel.get("mask"):
        yield f"its detector's mask of {len(panel['mask'])} rectangles is not applied; -mask is"
    held = {name for name, value in (crystal or {}).items() if value}
    spread = {name for name, value in (profile or {}).items() if value} & {"sigma_m", "parameters"}
    if held & {"mosaicity", "ML_half_mosaicity_deg", "mosaic_model"} or spread:
        yield "its crystal's mosaicity is not taken; -mosaic gives one"
    if "recalculated_unit_cell" in held:
        yield "its recalculated_unit_cell is not taken: the cell is that of the crystal's vectors"
    if (imageset or {}).get("mask"):
        yield "the mask of its image set is not applied; -mask is"
    lookups = [name for name in ("dx", "dy", "gain", "pedestal") if (imageset or {}).get(name)]
    if lookups:
        yield f"files of its image set are not applied: {', '.join(lookups)}"
    if held & {"domain_size_ang", "ML_domain_size_ang"}:
        yield "the size of its crystal's domains is not taken; -N gives their number of cells"
