"""Print the whole computation of pixels, every number with its unit.

    cupysim trace OPTIONS --pixel [PANEL] FAST SLOW [--pixel ...]

OPTIONS are those of the drop-in command. PANEL is the name or number of a panel; detectors of one
panel need none. Each value is a line, TRACE: name = numbers unit, in the
order of the computation. Lengths are in m, scattering vectors in m^-1, with 15 significant digits.
The numbers are those that the NumPy backend computes for this pixel of the whole image.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence

from cupysim.errors import CupysimError, CupysimWarning
from cupysim.models.panel_detector import PanelDetector
from cupysim.nanobragg.build import build
from cupysim.nanobragg.run_record import input_files
from cupysim.parity.traces.pixel_trace import PLACES, STRONGEST, trace_pixel
from cupysim.storage.safe_writing import OutputFiles, refuse_inputs
from cupysim.terminal import Report

TAKES_OPTIONS = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.usage = (
        "cupysim trace OPTIONS --pixel [PANEL] FAST SLOW [--pixel ...] [--step ... | --strongest]"
    )
    add = parser.add_argument
    add("--pixel", nargs="+", action="append", metavar="[PANEL] FAST SLOW", required=True)
    names = ", ".join(PLACES)
    add("--step", metavar="NAME=N,...", help="show only steps with these numbers, from 0: "
        f"{names}; or subpixel=F,S")  # fmt: skip
    add("--strongest", action="store_true", help="show only the step with the largest intensity")
    add("--crystal", type=int, metavar="N", help="trace crystal N alone, of several (from 1)")
    add(
        "--part",
        type=int,
        metavar="N",
        help="trace part N (from 1) of a pixel with several sizes "
        "or settings of domains, or with a body or decay; default: the part with the most photons",
    )
    add("--json", action="store_true", help="write JSON, not lines")
    add("--out", metavar="FILE", help="file to write; default: standard output")


def run(arguments: argparse.Namespace) -> None:
    """Trace the pixels and write the traces."""
    if arguments.step is not None and arguments.strongest:
        raise CupysimError("--step and --strongest exclude each other")
    choice = STRONGEST if arguments.strongest else parse_step(arguments.step)
    job = build(arguments.words)
    if job.tolerance is not None:
        warnings.warn(
            CupysimWarning("-tolerance has no effect: a trace shows every step"), stacklevel=2
        )
    if arguments.out is not None:
        refuse_inputs(arguments.out, input_files(job.arguments).values())
    experiment = job.experiment
    if arguments.crystal is None and experiment.further_crystals:
        raise CupysimError(
            f"--crystal: there are {len(experiment.each_crystal)} crystals; choose one, from 1"
        )
    experiment = experiment.only_crystal(1 if arguments.crystal is None else arguments.crystal)
    has_panels = isinstance(experiment.detector, PanelDetector)
    traces = [
        trace_pixel(experiment, fast, slow, choice, panel, arguments.part)
        for panel, fast, slow in (parse_pixel(words, has_panels) for words in arguments.pixel)
    ]
    if arguments.json:
        text = json.dumps([trace.as_json() for trace in traces], indent=1) + "\n"
    else:
        text = "".join(f"{line}\n" for trace in traces for line in trace.lines())
    if arguments.out is None:
        Report(sys.stdout)(text[:-1])
        return
    with OutputFiles() as files:
        files.write(arguments.out, lambda stream: stream.write(text.encode()))


def parse_pixel(words: Sequence[str], has_panels: bool) -> tuple[str, int, int]:
    """Read panel, fast and slow coordinate of a pixel.

    Parameters
    ----------
    words : sequence of str
        Words of --pixel.
    has_panels : bool
        Whether the detector has panels.

    Returns
    -------
    tuple of str, int and int
        Panel, fast and slow. The panel is "0" for a detector of one panel.

    Raises
    ------
    CupysimError
        If there are other words.
    """
    expected = "PANEL FAST SLOW" if has_panels else "FAST SLOW"
    *panel, fast, slow = ["", "", *words]
    panel = panel[2:]
    try:
        pixel = int(fast), int(slow)
    except ValueError:
        pixel = None
    if pixel is None or len(panel) != int(has_panels):
        raise CupysimError(f"--pixel: expected {expected}, got {' '.join(words)!r}")
    return (panel[0] if has_panels else "0"), *pixel


def parse_step(text: str | None) -> dict[str, int] | None:
    """Read the numbers of a step from ``source=3,phi=0,subpixel=1,1``.

    Parameters
    ----------
    text : str or None
        Value of --step.

    Returns
    -------
    dict of str to int, or None
        Numbers by the names of `cupysim.parity.traces.pixel_trace.PLACES`; None without --step.

    Raises
    ------
    CupysimError
        If the text does not have this form.

    Examples
    --------
    >>> parse_step("source=3,subpixel=1,2,layer=0")
    {'source': 3, 'sub_fast': 1, 'sub_slow': 2, 'layer': 0}
    """
    if text is None:
        return None
    found: dict[str, int] = {}
    words = text.split(",")
    try:
        while words:
            name, number = words.pop(0).split("=")
            if name == "subpixel":
                found["sub_fast"], found["sub_slow"] = int(number), int(words.pop(0))
            else:
                found[name] = int(number)
    except (ValueError, IndexError):
        raise CupysimError(
            f"--step: expected NAME=N,... such as source=3,subpixel=1,1, got {text!r}"
        ) from None
    return found
