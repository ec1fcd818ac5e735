"""List real detectors, print the values of one with their references, or draw its panels.

    cupysim detectors
    cupysim detectors NAME
    cupysim detectors NAME --draw FILE.png
    cupysim detectors --responses [NAME]

The names are those of cupysim.named_detector. The drawing shows the detector as seen from the
crystal: outlines, gaps, names, and the fast and slow axes of each panel. --responses lists the
named responses, or prints the values of one, for -response and Image.detect.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from cupysim.cli.response_lines import describe_response, response_table
from cupysim.detectors.catalogue import Entry, detector_names, find_entry
from cupysim.detectors.named import named_detector
from cupysim.errors import CupysimError
from cupysim.models.panel_detector import PanelDetector
from cupysim.plotting.detector_figure import draw_detector
from cupysim.plotting.windows import PICTURES, USUAL_DPI, check_picture, save_figure
from cupysim.terminal import Report

DRAWN_AT = 0.1
"""Distance of a detector that is drawn or described (m); it changes nothing."""

HEADINGS = ("name", "pixels", "edge (um)", "panels", "sensor", "size (mm)", "saturation", "kind")

UNITS = {"pixel": (1e6, "um"), "thickness": (1e6, "um"), "diameter": (1e3, "mm"),
         "frame_rate": (1.0, "Hz")}  # fmt: skip
"""Factor and unit of figures that are printed with a unit."""

LINE = 100
"""Characters of a line of the note."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="detector to describe")
    parser.add_argument("--responses", action="store_true",
                        help="list responses instead, or describe the response NAME")  # fmt: skip
    parser.add_argument("--draw", metavar="FILE", help=f"draw its panels ({', '.join(PICTURES)})")


def run(arguments: argparse.Namespace) -> None:
    """Print a table of all detectors or responses, or all figures of one."""
    if arguments.responses:
        if arguments.draw is not None:
            raise CupysimError("--draw: responses have no panels to draw")
        name = arguments.name
        lines = response_table() if name is None else describe_response(name)
    elif arguments.name is None:
        if arguments.draw is not None:
            raise CupysimError("--draw: give the NAME of the detector to draw")
        lines = table()
    else:
        entry = find_entry(arguments.name)
        if arguments.draw is not None:
            check_picture(arguments.draw, "--draw")
            draw = partial(
                draw_detector, detector=named_detector(entry.name, DRAWN_AT), title=entry.title
            )
            save_figure(draw, arguments.draw, USUAL_DPI)
        lines = describe(entry)
    report = Report(sys.stdout)
    for line in lines:
        report(line)
    report.flush()


def table() -> Iterator[str]:
    """Lines of a table of all detectors.

    Yields
    ------
    str
        Line, with columns of equal width.
    """
    rows = [HEADINGS, *(row(find_entry(name)) for name in detector_names())]
    widths = [max(len(words[column]) for words in rows) for column in range(len(HEADINGS))]
    for words in rows:
        yield "  ".join(
            word.ljust(width) for word, width in zip(words, widths, strict=True)
        ).rstrip()


def row(entry: Entry) -> tuple[str, ...]:
    """The words of a detector's row in the table.

    Parameters
    ----------
    entry : Entry
        The detector.

    Returns
    -------
    tuple of str
        One word for each of the headings.
    """
    detector = named_detector(entry.name, DRAWN_AT)
    fast, slow = entry.pixels
    width, height = size_of(detector)
    thick = f" {1e6 * entry.thickness:g} um" if entry.thickness is not None else ""
    return (
        entry.name, f"{fast} x {slow}", f"{1e6 * entry.pixel:g}", f"{len(detector)}",
        f"{entry.sensor}{thick}" if entry.sensor is not None else "-",
        f"{1e3 * width:.1f} x {1e3 * height:.1f}",
        f"{entry.saturation:.0f}" if np.isfinite(entry.saturation) else "-",
        str(entry.figures["kind"]),
    )  # fmt: skip


def size_of(detector: PanelDetector) -> tuple[float, float]:
    """Width and height of all panels together (m), along x and y of the laboratory.

    Parameters
    ----------
    detector : PanelDetector
        Detector in the frame of CrystFEL.
    """
    corners = np.concatenate([panel.corners for panel in detector])
    width, height = np.ptp(corners, axis=0)[:2]
    return float(width), float(height)


def describe(entry: Entry) -> Iterator[str]:
    """Lines with all figures of a detector, and the source of each.

    Parameters
    ----------
    entry : Entry
        The detector.

    Yields
    ------
    str
        Line.
    """
    detector = named_detector(entry.name, DRAWN_AT)
    width, height = size_of(detector)
    existing = sum(
        panel.n_fast * panel.n_slow if panel.mask is None else int(np.count_nonzero(panel.mask))
        for panel in detector
    )
    yield f"{'detector':14} {entry.title}"
    yield f"{'panels':14} {_panels(detector)}"
    yield f"{'all pixels':14} {existing} that exist"
    yield f"{'size':14} {1e3 * width:.1f} x {1e3 * height:.1f} mm (x and y of the laboratory)"
    for figure, value in entry.figures.items():
        yield f"{figure.replace('_', ' '):14} {_text(figure, value)}"
        yield f"{'':14}   from {entry.sources[figure]}"
    if entry.layout is not None:
        for name, (x, y, turn) in entry.layout["groups"].items():
            across, up = (1e3 * entry.layout["unit"] * value for value in (x, y))
            yield (
                f"{'group ' + name:14} origin at x {across:.3f} y {up:.3f} mm, "
                f"turned by {turn:g} degrees"
            )
    if entry.note:
        yield from _folded("note", entry.note)


def _panels(detector: PanelDetector) -> str:
    names = [panel.name for panel in detector]
    text = names[0] if len(names) == 1 else f"{len(names)}: {names[0]} to {names[-1]}"
    groups = list(dict.fromkeys(path[0] for path in detector.paths if path))
    return f"{text}, in groups {', '.join(groups)}" if groups else text


def _text(figure: str, value: Any) -> str:
    if figure in UNITS:
        factor, unit = UNITS[figure]
        return f"{factor * value:g} {unit}"
    return " x ".join(f"{number:g}" for number in value) if isinstance(value, list) else f"{value}"


def _folded(name: str, text: str) -> Iterator[str]:
    """A text in lines, the first of which begins with a name."""
    import textwrap

    for line in textwrap.wrap(text, LINE - 15):
        yield f"{name:14} {line}"
        name = ""
