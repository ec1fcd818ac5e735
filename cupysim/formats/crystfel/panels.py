"""Panels of CrystFEL geometry files: geometry, place in the data, gain and masks by name."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.crystfel.layout import DATA, DIMENSIONS, MaskLocation, PanelLayout
from cupysim.formats.crystfel.syntax import Owner, Setting
from cupysim.formats.crystfel.values import LARGEST_WHOLE, Values

PARALLEL = 1e-6
"""Sine of the angle between fs and ss below which they count as parallel."""

MOST_DIMENSIONS = 32
"""Largest number of axes of a data set in HDF5."""

MOST_MASKS, MOST_FLAGS = 8, 16
"""Largest numbers of masks, and of flags, of a panel."""

_DIM = re.compile(r"dim(\d+)")
_MASK = re.compile(r"mask(\d+)_(data|file|goodbits|badbits)")

Direction = tuple[float, float, float]


@dataclass(frozen=True)
class RawPanel:
    """A panel as the file gives it.

    Parameters
    ----------
    name : str
        Name of the panel.
    line : int
        Line that first names it.
    n_fast, n_slow : int
        Numbers of pixels.
    corner : tuple of 2 float
        x and y of the outer corner of the first pixel (pixels).
    fast, slow : tuple of 3 float
        Steps from pixel to pixel (pixels).
    pitch : float
        Pixel size (m): 1/res.
    offset : float
        Length that is added to the camera length (m).
    gain : float
        ADU per photon, or per eV.
    gain_is_per_ev : bool
        Whether `gain` is per eV.
    saturation : float
        Largest value (ADU).
    edge : int
        Width of the frame of bad pixels (pixels).
    layout : PanelLayout
        Place in the image files.
    clen : Setting, optional
        Camera length in a file of CrystFEL up to 0.10.
    """

    name: str
    line: int
    n_fast: int
    n_slow: int
    corner: tuple[float, float]
    fast: Direction
    slow: Direction
    pitch: float
    offset: float
    gain: float
    gain_is_per_ev: bool
    saturation: float
    edge: int
    layout: PanelLayout
    clen: Setting | None


def read_panel(path: object, name: str, owner: Owner) -> tuple[RawPanel, list[str]]:
    """Interpret the values of a panel.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    name : str
        Name of the panel.
    owner : Owner
        Its values.

    Returns
    -------
    panel : RawPanel
        The panel.
    remarks : list of str
        Notes for the user.

    Raises
    ------
    FileFormatError
        If a value is missing or impossible.
    """
    values = Values(path, name, owner.line, owner.settings)
    low_fast, low_slow = values.whole("min_fs"), values.whole("min_ss")
    high_fast, high_slow = values.whole("max_fs"), values.whole("max_ss")
    for axis, low, high in (("fs", low_fast, high_fast), ("ss", low_slow, high_slow)):
        if high < low:
            told = f"{name}: max_{axis} is {high}, below min_{axis}, which is {low}"
            raise values.error(told, f"max_{axis}")
    n_fast, n_slow = high_fast - low_fast + 1, high_slow - low_slow + 1
    if n_fast * n_slow > LARGEST_WHOLE:
        raise values.error(f"{name}: {n_fast} x {n_slow} pixels are too many", "max_fs")
    fast, slow = values.direction("fs"), values.direction("ss")
    sizes = float(np.linalg.norm(fast)) * float(np.linalg.norm(slow))
    if not float(np.linalg.norm(np.cross(fast, slow))) > PARALLEL * sizes:
        raise values.error(f"{name}: fs and ss are parallel", "ss")
    resolution = values.number("res")
    if not resolution > 0.0:
        told = f"{values.name('res')}: {resolution:g} pixels per metre; it must be positive"
        raise values.error(told, "res")
    per_ev = "adu_per_eV" in owner.settings
    if not per_ev and "adu_per_photon" not in owner.settings:
        raise values.error(f"{name}: neither adu_per_photon nor adu_per_eV is given")
    key = "adu_per_eV" if per_ev else "adu_per_photon"
    gain, saturation = values.number(key), values.number("max_adu", math.inf)
    for of, value in ((key, gain), ("max_adu", saturation)):
        if not value > 0.0:
            raise values.error(f"{values.name(of)}: {value:g}; it must be positive", of)
    layout, remarks = _layout(values, (low_fast, low_slow))
    panel = RawPanel(
        name, owner.line, n_fast, n_slow, (values.number("corner_x"), values.number("corner_y")),
        fast, slow, 1.0 / resolution, values.number("coffset", 0.0), gain, per_ev, saturation,
        values.whole("mask_edge_pixels", 0), layout, owner.settings.get("clen"),
    )  # fmt: skip
    return panel, remarks


def _layout(values: Values, corner: tuple[int, int]) -> tuple[PanelLayout, list[str]]:
    remarks = []
    settings = values.settings
    data = settings["data"].text if "data" in settings else DATA
    if not data.startswith("/"):
        raise values.error(f"{values.name('data')}: {data[:40]!r} does not begin with '/'", "data")
    no_index = False
    if "no_index" in settings:
        word = settings["no_index"].text
        is_word = word in ("true", "false")
        no_index = word == "true" if is_word else values.number("no_index") != 0.0
    if any(key.startswith("saturation_map") for key in settings):
        remarks.append(f"panel {values.owner}: its saturation_map is not used")
    flags = tuple(
        (key.partition("#")[0], values.number(key)) for key in settings if key.startswith("flag_")
    )
    if len(flags) > MOST_FLAGS:
        raise values.error(f"{values.owner}: more than {MOST_FLAGS} flags")
    masks = _masks(values, data)
    for mask in masks:
        if not mask.good and not mask.bad:
            told = f"mask{mask.number}_data has neither good nor bad bits, and masks nothing"
            remarks.append(f"panel {values.owner}: {told}")
    return PanelLayout(corner, data, _dimensions(values), masks, flags, no_index), remarks


def _dimensions(values: Values) -> tuple[str, ...]:
    """Axes of the data set of a panel."""
    given: dict[int, str] = {}
    line = values.line
    for key, setting in values.settings.items():
        found = _DIM.fullmatch(key)
        if found is None:
            continue
        word, line, place = setting.text, setting.line, int(found[1])
        if word not in ("ss", "fs", "%") and not (word.isascii() and word.isdigit()):
            told = f"{values.name(key)}: {word[:20]!r} is not ss, fs, % or an index"
            raise values.error(told, key)
        if place >= MOST_DIMENSIONS:
            raise values.error(f"{values.name(key)}: at most {MOST_DIMENSIONS} dimensions", key)
        given[place] = word
    if not given:
        return DIMENSIONS
    missing = [place for place in range(max(given)) if place not in given]
    dims = tuple(given.get(place, "") for place in range(max(given) + 1))
    problem = ""
    if missing:
        problem = f"dim{missing[0]} is missing"
    elif dims.count("ss") != 1 or dims.count("fs") != 1:
        problem = "exactly one dimension must be ss, and one fs"
    elif dims.index("fs") < dims.index("ss"):
        problem = "the dimension fs must come after ss"
    elif dims.count("%") > 1:
        problem = "at most one dimension may be %"
    if problem:
        raise FileFormatError(values.path, f"{values.owner}: {problem}", line)
    return dims


def _masks(values: Values, data: str) -> tuple[MaskLocation, ...]:
    """Masks that a panel names, in the order of their numbers."""
    numbers: dict[int, str] = {}
    for key in values.settings:
        found = _MASK.fullmatch(key)
        if found is not None:
            if int(found[1]) >= MOST_MASKS:
                told = f"{values.name(key)}: masks have the numbers 0 to {MOST_MASKS - 1}"
                raise values.error(told, key)
            numbers.setdefault(int(found[1]), key)
    masks = []
    for number, key in sorted(numbers.items()):
        name = f"mask{number}_data"
        if name not in values.settings:
            raise values.error(f"{values.name(key)}: there is no {name}", key)
        place = values.settings[name].text
        if not place.startswith("/"):
            told = f"{values.name(name)}: {place[:40]!r} does not begin with '/'"
            raise values.error(told, name)
        if place.count("%") > data.count("%"):
            told = f"{values.name(name)}: more '%' than in the path of the data, {data}"
            raise values.error(told, name)
        file = values.settings.get(f"mask{number}_file")
        if file is not None and not file.text:
            told = f"{values.name(f'mask{number}_file')}: a file name is missing"
            raise values.error(told, f"mask{number}_file")
        good, bad = (values.bits(f"mask{number}_{kind}") for kind in ("goodbits", "badbits"))
        masks.append(MaskLocation(number, place, file.text if file else None, good, bad))
    return tuple(masks)


def check_arrays(path: object, panels: Sequence[RawPanel]) -> None:
    """Reject panels that cannot be in one file, or overlap in an array.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    panels : sequence of RawPanel
        Panels.

    Raises
    ------
    FileFormatError
        If paths or dimensions have different numbers of ``%``, or two panels share a pixel.
    """
    first = panels[0]
    for panel in panels:
        for what, here, there in (
            ("path", panel.layout.data, first.layout.data),
            ("dimensions", panel.layout.dims, first.layout.dims),
        ):
            if Counter(here)["%"] != Counter(there)["%"]:
                problem = (
                    f"panel {panel.name}: the {what} of its data has another number of '%' than "
                    f"that of panel {first.name}"
                )
                raise FileFormatError(path, problem, panel.line)
    arrays: dict[tuple[str, tuple[str, ...]], list[RawPanel]] = defaultdict(list)
    for panel in panels:
        arrays[panel.layout.data, panel.layout.dims].append(panel)
    for (data, _), members in arrays.items():
        low = np.array([panel.layout.corner for panel in members])
        high = low + [(panel.n_fast, panel.n_slow) for panel in members]
        for number, panel in enumerate(members):
            shared = ((low[:number] < high[number]) & (low[number] < high[:number])).all(axis=1)
            if shared.any():
                other = members[int(np.argmax(shared))]
                problem = f"panels {other.name} and {panel.name} overlap in the array {data}"
                raise FileFormatError(path, problem, panel.line)
