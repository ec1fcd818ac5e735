"""Writer of CrystFEL geometry files (.geom), in the format of CrystFEL 0.11 and later."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import ModelError
from cupysim.formats.crystfel.groups import ALL
from cupysim.formats.crystfel.layout import CrystfelLayout, PanelLayout, mask_path
from cupysim.formats.frames import to_nexus
from cupysim.formats.rectangles import rectangles_of
from cupysim.models.conventions import UnitFrame
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.panel_group import PanelGroup

MOST_RECTANGLES = 20
"""Largest number of bad regions of a panel. A mask that needs more belongs in a data set."""

MOST_MEMBERS, MOST_GROUPS = 64, 512
"""Largest numbers of members of a group, and of groups, which CrystFEL 0.12 reads."""

RESERVED = ("bad", "group_", "rigid_group")
"""Beginnings of keys that CrystFEL takes for bad regions and groups."""

SAME_DIRECTION = 1e-12
"""Largest difference of a beam from z that is rounding."""

HEADING = "; CrystFEL geometry file (0.11 or later), written by cupysim"
"""First line of the files."""

BAD_BIT = 1
"""Value of bad pixels in a mask that accompanies a written geometry."""


def to_crystfel(frame: UnitFrame) -> np.ndarray:
    """The rotation from a laboratory frame to that of CrystFEL.

    Parameters
    ----------
    frame : UnitFrame
        Laboratory frame.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows x, y, z of CrystFEL's frame in the laboratory frame: z is along the beam. A frame
        whose beam is along z is CrystFEL's frame already. Others are turned as for NeXus: the
        spindle becomes -x. The crystal must be turned as well.
    """
    if np.abs(frame.beam - [0.0, 0.0, 1.0]).max() <= SAME_DIRECTION:
        return np.eye(3)
    return to_nexus(frame)


def write_geometry(
    stream: BinaryIO,
    detector: PanelDetector,
    *,
    wavelength: float,
    layout: CrystfelLayout,
    energy: str | None = None,
) -> tuple[str, ...]:
    """Write a geometry file.

    Parameters
    ----------
    stream : binary stream
        Stream to write to.
    detector : PanelDetector
        Detector in any laboratory frame; see `to_crystfel`.
    wavelength : float
        Wavelength (m).
    layout : CrystfelLayout
        Where the panels are in the image files. `CrystfelLayout.slab` makes one.
    energy : str, optional
        Data set of the image files with the photon energy of each shot (eV). The geometry file
        names it in place of the wavelength.

    Returns
    -------
    tuple of str
        Panels whose masks must be in the image file, at `mask_path`, with `BAD_BIT` for bad pixels
        and 0 for others: those that are too irregular for bad regions, and those for which the
        layout names a mask in the image file.

    Raises
    ------
    ModelError
        If the wavelength is impossible, the layout lacks a panel, or a name is not possible in
        CrystFEL.

    Notes
    -----
    The wavelength is written instead of the photon energy, because constants differ between
    programs. Masks of other files are not named: the panels have their masks. CrystFEL refuses
    groups of more than 64 members, also its own group of all panels. Further groups with numbered
    names then hold 64 members each; they do not act on images.
    """
    if not 0.0 < wavelength < math.inf:
        raise ModelError(f"wavelength: must be positive, got {wavelength:g} m")
    _check_names(detector)
    rotation = to_crystfel(detector.placed().frame)
    panels = [panel.moved(rotation, np.zeros(3)) for panel in detector]
    heights = [panel.origin[2] for panel in panels]
    length = next((height for height in heights if height > 0.0), heights[0])
    lines = [
        HEADING,
        f"wavelength = {wavelength / ANGSTROM:.14g} A"
        if energy is None
        else f"photon_energy = {energy} eV",
        f"clen = {length!r} m",
    ]
    if layout.bandwidth is not None:
        lines.append(f"bandwidth = {layout.bandwidth!r}")
    for key, text in (
        ("peak_list", layout.peak_list),
        ("peak_list_type", layout.peak_list_type),
    ):
        if text is not None:
            lines.append(f"{key} = {text}")
    with_data = []
    for panel in panels:
        place = layout.of(panel.name)
        lines += ["", *_panel(panel, place, length)]
        regions = _regions(panel, place)
        if regions is None or any(mask.file is None for mask in place.masks):
            with_data.append(panel.name)
            lines += [
                f"{panel.name}/mask0_data = {mask_path(place)}",
                f"{panel.name}/mask0_badbits = 0x{BAD_BIT:x}",
            ]
        # programs without the image file need the regions too
        lines += regions or ()
    groups = _groups(detector)
    if groups:
        lines += ["", *groups]
    stream.write(("\n".join(lines) + "\n").encode())
    return tuple(with_data)


def _check_names(detector: PanelDetector) -> None:
    """Reject names that CrystFEL would read as something else."""
    groups = {name for path in detector.paths for name in path}
    for name in (*(panel.name for panel in detector), *groups):
        if not name.isprintable() or set(name) & set(" =;,/"):
            problem = f"{name!r} has characters that CrystFEL's geometry files cannot hold"
        elif name.startswith(RESERVED) and name not in groups:
            problem = f"a panel of CrystFEL cannot be named {name!r}"
        elif name == ALL and not (
            len(detector.members) == 1 and isinstance(detector.members[0], PanelGroup)
            and detector.members[0].name == ALL
        ):  # fmt: skip
            problem = f"{ALL!r} is the group of all panels in CrystFEL"
        else:
            continue
        raise ModelError(f"detector: {problem}")


def _direction(vector: np.ndarray) -> str:
    """A direction as CrystFEL reads it: no exponents."""
    return " ".join(f"{part:+.16f}{axis}" for part, axis in zip(vector, "xyz", strict=True))


def _panel(panel: Panel, place: PanelLayout, length: float) -> list[str]:
    """Lines of a panel. The first pixel edge is the unit of its corner and of its steps."""
    pitch, slow_edge = panel.edges
    x, y, z = panel.origin
    first_fast, first_slow = place.corner
    values = {
        "min_fs": first_fast,
        "max_fs": first_fast + panel.n_fast - 1,
        "min_ss": first_slow,
        "max_ss": first_slow + panel.n_slow - 1,
        "res": repr(1.0 / pitch),
        "corner_x": repr(x / pitch),
        "corner_y": repr(y / pitch),
        "coffset": repr(z - length),
        "fs": _direction(np.array(panel.fast)),
        "ss": _direction(np.array(panel.slow) * (slow_edge / pitch)),
        "adu_per_photon": repr(panel.gain),
        "data": place.data,
        **{f"dim{number}": word for number, word in enumerate(place.dims)},
    }
    if math.isfinite(panel.saturation):
        values["max_adu"] = repr(panel.saturation)
    if place.no_index:
        values["no_index"] = "true"
    lines = [*values.items(), *((key, repr(value)) for key, value in place.flags)]
    return [f"{panel.name}/{key} = {value}" for key, value in lines]


def _regions(panel: Panel, place: PanelLayout) -> list[str] | None:
    """Lines of the bad regions of a panel; None if its mask is too irregular."""
    if panel.mask is None:
        return []
    found = rectangles_of(~panel.mask, MOST_RECTANGLES)
    if found is None:
        return None
    fast, slow = place.corner
    lines = []
    for number, (low_fast, high_fast, low_slow, high_slow) in enumerate(found):
        limits = {
            "min_fs": fast + low_fast,
            "max_fs": fast + high_fast,
            "min_ss": slow + low_slow,
            "max_ss": slow + high_slow,
            "panel": panel.name,
        }
        name = f"bad_{panel.name}_{number}"
        lines += [f"{name}/{key} = {value}" for key, value in limits.items()]
    return lines


def _groups(detector: PanelDetector) -> list[str]:
    """Lines of groups, the innermost first.

    Raises
    ------
    ModelError
        If there are more groups than CrystFEL reads.
    """
    used = {panel.name for panel in detector} | {name for path in detector.paths for name in path}
    lines: list[str] = []

    def listed(name: str, members: Sequence[str]) -> None:
        """Write a group. Too many members are put into further groups, which become its members."""
        number = 0
        while len(members) > MOST_MEMBERS:
            parts = []
            for first in range(0, len(members), MOST_MEMBERS):
                while f"{name}_{number}" in used:
                    number += 1
                part = f"{name}_{number}"
                used.add(part)
                parts.append(part)
                lines.append(f"group_{part} = {','.join(members[first : first + MOST_MEMBERS])}")
            members = parts
        lines.append(f"group_{name} = {','.join(members)}")

    def written(group: PanelGroup) -> None:
        for member in group.members:
            if isinstance(member, PanelGroup):
                written(member)
        listed(group.name, [member.name for member in group.members])

    members = detector.members
    groups = [member for member in members if isinstance(member, PanelGroup)]
    if not groups and len(members) <= MOST_MEMBERS:
        return []
    for group in groups:
        written(group)
    if len(members) > 1 or groups[0].name != ALL:
        listed(ALL, [member.name for member in members])
    if len(lines) > MOST_GROUPS:
        raise ModelError(f"detector: {len(lines)} groups; CrystFEL reads at most {MOST_GROUPS}")
    return lines
