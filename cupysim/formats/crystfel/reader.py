"""Reader of CrystFEL geometry files (.geom), of CrystFEL 0.10 and of 0.11 and later."""

from __future__ import annotations

import math
import os

import numpy as np

from cupysim.errors import FileFormatError, ModelError
from cupysim.formats.crystfel.beam import energy_of, read_lengths, read_shift, read_wavelength
from cupysim.formats.crystfel.groups import ALL, grouped
from cupysim.formats.crystfel.layout import CrystfelLayout
from cupysim.formats.crystfel.masks import MaskReader, read_regions
from cupysim.formats.crystfel.panels import RawPanel, check_arrays, read_panel
from cupysim.formats.crystfel.syntax import GeometryText, read_text
from cupysim.formats.crystfel.values import number
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.geometry_checks import with_panel_doubts
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector

BEAM, SPINDLE, ELECTRIC = (0.0, 0.0, 1.0), (-1.0, 0.0, 0.0), (1.0, 0.0, 0.0)
"""Direction of flight in CrystFEL's frame, and those of spindle and electric field, which the files
do not give. This spindle is that of imgCIF's frame: to the right as seen from the source."""

PEAK_LISTS = ("auto", "cxi", "list3")
"""Formats of peak lists."""


def read_geometry(
    path: os.PathLike[str] | str,
    *,
    wavelength: float | None = None,
    distance: float | None = None,
) -> tuple[DetectorGeometry, CrystfelLayout]:
    """Read a geometry file.

    Parameters
    ----------
    path : path_like
        File to read.
    wavelength : float, optional
        Wavelength (m). It replaces that of the file, and is needed if the file has none, or names
        a header of the images.
    distance : float, optional
        Camera length (m) in place of the key ``clen``. The offsets of the panels are added; at
        some beamlines it is a motor position, which may be negative.

    Returns
    -------
    geometry : DetectorGeometry
        Detector in CrystFEL's frame: z along the beam, y up. Spindle and electric field are along
        x; the files do not give them.
    layout : CrystfelLayout
        Where the panels are in image files.

    Raises
    ------
    ModelError
        If the given wavelength or distance is not possible.
    FileFormatError
        If CrystFEL refuses the file, crashes on it, or silently reads something else than is
        written; or if a value is in a header and not given.

    Notes
    -----
    Panels are in the order of the groups that contain them, otherwise in that of the file. Masks
    in files that the geometry names are read; a missing file is an error. Masks in the image files
    are not read; a remark says so.
    """
    if wavelength is not None and not 0.0 < wavelength < math.inf:
        raise ModelError(f"wavelength: must be positive, got {wavelength:g} m")
    if distance is not None and not math.isfinite(distance):
        raise ModelError(f"distance: must be finite, got {distance:g} m")
    text = read_text(path)
    raw, remarks = _raw_panels(path, text)
    wave, of_wave = read_wavelength(path, text, wavelength)
    lengths, of_length = read_lengths(path, text, list(raw.values()), distance)
    shift = read_shift(path, text)
    check_arrays(path, list(raw.values()))
    masks = MaskReader(path, read_regions(path, text.regions, raw), shift)
    panels = {
        panel.name: _panel(path, panel, length, shift, energy_of(wave), masks)
        for panel, length in zip(raw.values(), lengths, strict=True)
    }
    members, of_groups = grouped(path, text, panels)
    names = {*panels, *text.groups, *text.rigid_groups} - ({ALL} if ALL in text.groups else set())
    try:
        detector = PanelDetector(
            members, BEAM, SPINDLE, ELECTRIC, name="detector" if ALL in names else ALL
        )
    except ModelError as error:
        raise FileFormatError(path, str(error)) from error
    behind = [panel.name for panel in detector if _is_behind(panel)]
    if behind:
        remarks.append(f"panels upstream of the sample: {', '.join(behind)}")
    layout, of_layout = _layout(path, text, raw)
    remarks = [
        *text.remarks, *remarks, *of_wave, *of_length, *of_groups, *masks.remarks, *of_layout,
    ]  # fmt: skip
    geometry = DetectorGeometry(detector, wave, remarks=tuple(remarks))
    return with_panel_doubts(geometry), layout


def _raw_panels(path: object, text: GeometryText) -> tuple[dict[str, RawPanel], list[str]]:
    raw, remarks = {}, []
    for name, owner in text.panels.items():
        raw[name], told = read_panel(path, name, owner)
        remarks += told
    unindexed = [panel.name for panel in raw.values() if panel.layout.no_index]
    if unindexed:
        remarks.append(f"no_index: panels {', '.join(unindexed)} are rendered nevertheless")
    return raw, remarks


def _panel(
    path: object,
    raw: RawPanel,
    length: float,
    shift: tuple[float, float],
    energy: float,
    masks: MaskReader,
) -> Panel:
    """The panel in the laboratory."""
    origin = (
        raw.pitch * raw.corner[0] + shift[0],
        raw.pitch * raw.corner[1] + shift[1],
        length + raw.offset,
    )
    edges = tuple(raw.pitch * float(np.linalg.norm(step)) for step in (raw.fast, raw.slow))
    mask = masks.of(raw)
    try:
        panel = Panel(
            raw.name, raw.n_fast, raw.n_slow, origin, raw.fast, raw.slow, edges, mask=mask,
            gain=raw.gain * energy if raw.gain_is_per_ev else raw.gain,
            saturation=raw.saturation, data_corner=raw.layout.corner,
        )  # fmt: skip
        panel.check_faces_crystal()
    except ModelError as error:
        raise FileFormatError(path, str(error), raw.line) from error
    return panel


def _is_behind(panel: Panel) -> bool:
    return bool((panel.corners[:, 2] < 0.0).any())


def _layout(
    path: object, text: GeometryText, raw: dict[str, RawPanel]
) -> tuple[CrystfelLayout, list[str]]:
    top, remarks = text.top, []
    bandwidth = None
    if "bandwidth" in top:
        bandwidth = number(path, "bandwidth", top["bandwidth"])
        if not 0.0 <= bandwidth < 1.0:
            problem = f"bandwidth: {bandwidth:g} is no fraction from 0 to 1"
            raise FileFormatError(path, problem, top["bandwidth"].line)
        remarks.append(
            f"bandwidth {bandwidth:g} is not used: it is a standard deviation in indexamajig, but "
            "a full width in pattern_sim"
        )
    kind = top.get("peak_list_type")
    if kind is not None and kind.text not in PEAK_LISTS:
        problem = f"peak_list_type: {kind.text[:20]!r} is none of {', '.join(PEAK_LISTS)}"
        raise FileFormatError(path, problem, kind.line)
    collections = {
        name: tuple(word.strip() for word in setting.text.split(","))
        for name, setting in text.collections.items()
    }
    layout = CrystfelLayout(
        {panel.name: panel.layout for panel in raw.values()}, bandwidth,
        top["peak_list"].text if "peak_list" in top else None,
        kind.text if kind is not None else None, collections,
    )  # fmt: skip
    return layout, remarks
