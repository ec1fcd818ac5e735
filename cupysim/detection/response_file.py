"""Responses of detectors from TOML files: named ones, which cupysim has, and those of users."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from cupysim.detection.analogue import MOST_BITS as MOST_ADC_BITS
from cupysim.detection.analogue import RAW_BITS, Analogue, Gain
from cupysim.detection.counter import MOST_BITS, Counter
from cupysim.detection.dead_layer import DeadLayer
from cupysim.detection.dead_time import DeadTime, DeadTimeModel
from cupysim.detection.defects import FRACTIONS, Defects
from cupysim.detection.flicker import BeamFlicker
from cupysim.detection.kernel_file import read_kernel
from cupysim.detection.photon_noise import LARGEST_SEED
from cupysim.detection.point_spread import FUNCTIONS, Border, PointSpread
from cupysim.detection.response import PIXEL_TYPES, Response
from cupysim.detection.spiral_scan import SpiralScan
from cupysim.errors import CupysimError, ModelError
from cupysim.storage.toml_document import Document, Layers, Section

FILE = "responses.toml"

KINDS = ("counting", "analogue")
"""Kinds of read-out."""


NOTES = ("title", "note", "source")
"""Keys of a named response that describe it."""

ASSUMED = "assumed"
"""The source of figures for which no published one was found."""


def response_names() -> tuple[str, ...]:
    """Names of all responses that cupysim knows, in the order of its file.

    Returns
    -------
    tuple of str
        Names that `read_response` accepts.
    """
    return tuple(name for name in _named().data if name != "sources")


def read_response(name: os.PathLike[str] | str) -> Response:
    """Return the response of a name, or of a file.

    Parameters
    ----------
    name : path_like
        Name of a response, such as "eiger2"; or a TOML file, whose name ends in ``.toml``. In a
        file, ``base`` names another response. The file replaces some figures of this response.

    Returns
    -------
    Response
        The response.

    Raises
    ------
    CupysimError
        If there is no such response.
    FileFormatError
        If the file cannot be read, or has unknown keys or impossible values.

    Examples
    --------
    >>> from cupysim import read_response
    >>> read_response("jungfrau").readout.gains[0].name
    'high'
    """
    text = os.fspath(name)
    if not text.lower().endswith(".toml"):
        return _response(Section(_named(), (), _table(text)), text, None)
    document = Document(text)
    return _of_data(document, (), document.data, os.path.splitext(os.path.basename(text))[0])


def response_of(section: Section, name: str, folder: str | None = None) -> Response:
    """The response of a table of another file, for example a campaign's.

    Parameters
    ----------
    section : Section
        The table; its key ``base`` may name a response or a file.
    name : str
        Name of the response, if the table does not give one.
    folder : str, optional
        Folder that names of files are relative to; by default that of the section's file.

    Returns
    -------
    Response
        The response.

    Raises
    ------
    FileFormatError
        If keys or values are impossible.
    """
    return _of_data(section.document, section.place, section.data, name, folder)


def input_files(section: Section, folder: str) -> list[str]:
    """Files that a table names: its bases, and the kernel of a point spread.

    Parameters
    ----------
    section : Section
        The table.
    folder : str
        Folder that names of files are relative to.

    Returns
    -------
    list of str
        Absolute names of the files.
    """
    return _completed(section.document, section.place, section.data, folder)[2]


def response_files(name: os.PathLike[str] | str) -> list[str]:
    """Files that a response is read from: its own, its bases, and the kernel of a point spread.

    Parameters
    ----------
    name : path_like
        Name of a response, which is in no file; or a file.

    Returns
    -------
    list of str
        Names of the files: absolute, or relative to the working directory if `name` is.
    """
    text = os.fspath(name)
    if not text.lower().endswith(".toml"):
        return []
    document = Document(text)
    others = _completed(document, (), document.data, None)[2]
    return [text, *(each if os.path.isabs(text) else os.path.relpath(each) for each in others)]


def figure_sources(name: str) -> dict[str, str]:
    """Sources of the figures of a named response.

    Parameters
    ----------
    name : str
        Name of the response.

    Returns
    -------
    dict of str to str
        Source of each figure, by the figure's name.
    """
    known = _named().data["sources"]
    return {figure: known[key] for figure, key in _table(name).get("source", {}).items()}


def figures(name: str) -> dict[str, Any]:
    """Title, note and figures of a named response, by the keys of its file."""
    return {key: value for key, value in _table(name).items() if key != "source"}


@cache
def _named() -> Document:
    text = resources.files("cupysim.detection").joinpath(FILE).read_text(encoding="utf-8")
    return Document(FILE, text)


def _table(name: str) -> dict[str, Any]:
    """The figures of a named response, with those of its base."""
    tables = _named().data
    plain = "-".join(name.lower().replace("_", " ").replace("-", " ").split())
    if plain == "sources" or plain not in tables:
        names = response_names()
        near = difflib.get_close_matches(plain, names, n=3, cutoff=0.5)
        hint = f"similar names: {', '.join(near)}" if near else f"there are {', '.join(names)}"
        raise CupysimError(
            f"there is no response {name!r}; {hint}; the name of a file ends in .toml"
        )
    table = tables[plain]
    return _merged(_table(table["base"]), table) if "base" in table else table


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of a base, some of them replaced. Tables are merged; arrays are replaced."""
    merged = {key: value for key, value in base.items() if key not in ("title", "note")}
    for key, value in own.items():
        if key == "base":
            continue
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _of_data(
    document: Document,
    place: tuple[str, ...],
    data: Mapping[str, Any],
    name: str,
    folder: str | None = None,
) -> Response:
    """The response of a table, whose key `base` may name another response."""
    table, where, _, bases = _completed(document, place, data, folder)
    return _response(Section(Layers(document, place, bases), place, table), name, where)


def _completed(
    document: Document, place: tuple[str, ...], data: Mapping[str, Any], folder: str | None
) -> tuple[dict[str, Any], str, list[str], list[Document]]:
    """A table with its bases' figures, the last base's folder, all files, and bases in files."""
    table, folder = dict(data), folder or os.path.dirname(os.path.abspath(document.path))
    files: list[str] = []
    bases: list[Document] = []
    while "base" in table:
        base = table.pop("base")
        if not isinstance(base, str):
            Layers(document, place, bases).fail((*place, "base"), f"expected a text, got {base!r}")
        if base.lower().endswith(".toml"):
            path = os.path.abspath(os.path.join(folder, base))
            if path in (*files, os.path.abspath(document.path)):
                document.fail((*place, "base"), f"{base} is its own base")
            files.append(path)
            bases.append(Document(path))
            other: Mapping[str, Any] = bases[-1].data
            folder = os.path.dirname(path)
        else:
            try:
                other = _table(base)
            except CupysimError as error:
                document.fail((*place, "base"), str(error))
        further = other.get("base")
        table = _merged(other, table)
        if further is not None:
            table["base"] = further
    kernel = table.get("point_spread")
    if isinstance(kernel, Mapping) and isinstance(kernel.get("kernel"), str):
        files.append(os.path.abspath(os.path.join(folder, kernel["kernel"])))
    return table, folder, files, bases


def _response(section: Section, name: str, folder: str | None) -> Response:
    """The response of a table whose figures are complete."""
    for key in NOTES:
        section.take(key)
    try:
        response = Response(
            readout=_readout(section),
            name=section.text("name", name),
            flicker=_flicker(section),
            dead_layer=_dead_layer(section),
            point_spread=_point_spread(section, folder),
            charge_cloud=section.number("charge_cloud", 0.0, 0.0, 1e-3),
            scan=_scan(section),
            defects=_defects(section),
            serial=section.whole("serial", 0, 0, LARGEST_SEED),
            pixel_type=section.choice("pixel_type", "uint32", PIXEL_TYPES),
            masked_value=_masked_value(section),
        )
    except ModelError as error:
        section.fail("", str(error))
    section.finish()
    return response


def _masked_value(section: Section) -> int | None:
    if "masked_value" not in section:
        return None
    return section.whole("masked_value", None, -(2**31), 2**32 - 1)


def _readout(section: Section) -> Counter | Analogue:
    if section.choice("kind", "", KINDS) == "counting":
        return Counter(
            bits=section.whole("bits", MOST_BITS, 1, MOST_BITS),
            threshold=section.number("threshold", 0.5, 0.0, 1.0),
            dead_time=_dead_time(section),
            largest_rate=section.number("largest_rate", None, 0.0)
            if "largest_rate" in section
            else None,
            rate_correction=section.truth("rate_correction", False),
        )
    overload = section.take("overload")
    if overload is not None:
        overload = section.number("overload", None, 0.0)
    return Analogue(
        pair_energy=section.number("pair_energy", None, 0.0),
        fano=section.number("fano", None, 0.0),
        gains=tuple(_gain(each) for each in section.sections("gains")),
        adc_bits=section.whole("adc_bits", RAW_BITS, 1, MOST_ADC_BITS),
        pedestal_drift=section.number("pedestal_drift", 0.0, 0.0),
        gain_jitter=section.number("gain_jitter", 0.0, 0.0),
        overload=overload,
        knows_pixels=section.truth("knows_pixels", True),
    )


def _gain(section: Section) -> Gain:
    gain = Gain(
        adu_per_ev=section.number("adu_per_kev", None) / 1e3,
        noise=section.number("noise", None, 0.0),
        pedestal=section.number("pedestal", None),
        range_end=section.number("range_end", None, 0.0) * 1e3,
        gain_spread=section.number("gain_spread", 0.0, 0.0),
        pedestal_spread=section.number("pedestal_spread", 0.0, 0.0),
        bits=section.whole("bits", 0, 0, 2**15),
        name=section.text("name", "only"),
    )
    section.finish()
    return gain


def _flicker(section: Section) -> BeamFlicker | None:
    rms = section.number("flicker", 0.0, 0.0)
    return BeamFlicker(rms) if rms > 0.0 else None


def _dead_layer(section: Section) -> DeadLayer | None:
    if "dead_layer" not in section:
        return None
    table = section.subsection("dead_layer")
    layer = DeadLayer(table.text("material"), table.number("thickness", None, 0.0))
    table.finish()
    return layer


def _dead_time(section: Section) -> DeadTime | None:
    if "dead_time" not in section:
        return None
    table = section.subsection("dead_time")
    model = table.choice("model", "", tuple(DeadTimeModel))
    dead_time = DeadTime(
        DeadTimeModel(model),
        table.number("pulse", None, 0.0),
        table.number("retrigger", 0.0, 0.0),
    )
    table.finish()
    return dead_time


def _point_spread(section: Section, folder: str | None) -> PointSpread | None:
    if "point_spread" not in section:
        return None
    table = section.subsection("point_spread")
    function = table.choice("function", "", FUNCTIONS)
    width = table.number("width", 0.0 if function == "kernel" else None, 0.0)
    spread = PointSpread(
        function,
        width,
        table.whole("radius", 0, 0, 4096),
        Border(table.choice("border", Border.LOST, tuple(Border))),
        table.truth("after_counting", False),
        read_kernel(table, folder) if function == "kernel" else None,
    )
    table.finish()
    return spread


def _scan(section: Section) -> SpiralScan | None:
    if "scan" not in section:
        return None
    table = section.subsection("scan")
    scan = SpiralScan(
        turn=table.number("turn", None, 0.0),
        step=table.number("step", None, 0.0),
        diameter=table.number("diameter", None, 0.0),
        noise=table.number("noise", 0.0, 0.0),
    )
    table.finish()
    return scan


def _defects(section: Section) -> Defects:
    table = section.subsection("defects")
    fractions = {name: table.number(name, 0.0, 0.0, 1.0) for name in FRACTIONS}
    defects = Defects(**fractions, are_masked=table.truth("are_masked", True))
    table.finish()
    return defects
