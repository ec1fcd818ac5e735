"""Render an earlier run again, and compare the images.

FILE is a record written by -provenance, or an HDF5 file of cupysim. The input files must not have
changed. No file is written. Exit status 0 if the image is the same, 1 if it differs, 2 after an
error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cupysim.api import simulate
from cupysim.backends.select import BACKENDS, PRECISIONS, available_backends
from cupysim.constants import RTOL
from cupysim.errors import CupysimError, FileFormatError
from cupysim.formats import nexus
from cupysim.image import Image
from cupysim.nanobragg.build import build
from cupysim.nanobragg.detection import detected_image
from cupysim.nanobragg.job import Job
from cupysim.nanobragg.run_record import LAYOUT, input_files
from cupysim.parity.images.image_comparison import FLOOR, agreement
from cupysim.parity.traces.trace_files import WRONG_JSON
from cupysim.provenance import digest, file_record, versions
from cupysim.storage.reading import check_regular, opened
from cupysim.terminal import tell

DIFFERENT = 1
"""Exit status if the image differs."""

ABSENT = "is not there"

STATISTICS = ("maximum", "mean", "rms", "rmsd", "solid_angle")
"""Numbers that are compared if the pixels of the earlier image are gone."""

LARGEST = 2**26
"""Largest number of bytes that are read as the record of a run."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    add = parser.add_argument
    add("file", metavar="FILE")
    add("--backend", choices=BACKENDS, help="default: that of the earlier run")
    add("--precision", choices=tuple(PRECISIONS), help="default: that of the earlier run")
    add("--threads", type=int, metavar="N", help="threads of the host backend")
    add("--rtol", type=float, default=RTOL, metavar="R",
        help="largest difference of a pixel, relative to the pixel or, in mixed precision, to the "
        "largest pixel; default: %(default)g")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Render the run again, print the comparison, and return the exit status."""
    if not 0.0 <= arguments.rtol < math.inf:
        raise CupysimError(f"--rtol: expected a number from 0, got {arguments.rtol}")
    path = Path(arguments.file)
    record, original = _read(path)
    # absolute paths, before the working directory changes to the folder of the inputs
    folders = (os.getcwd(), record["folder"], str(path.resolve().parent))
    with _folder_of_inputs(record, folders) as folder, contextlib.chdir(folder):
        tell(f"rendering again: {record['command']}")
        job = build(record["arguments"], int(record["seeds"]["clock"]))
        _check_same_inputs(job, record)
        image = _render(job, record, arguments)
    if original is None:
        original = _original(record, folders, image.array.shape)
    made_by = image.rendered.made_by
    was = record["computed_by"]
    tell(f"computed by {_maker(was)}; now by {_maker(vars(made_by))}")
    versions_now = versions(made_by)
    for name, before in record["versions"].items():
        now = versions_now.get(name, "not there")
        if now != before:
            tell(f"version of {name}: {before}; now {now}")
    same = _compare(record, image, original, arguments.rtol)
    if same and record["image"]["counted_photons"] is not None:
        same = _compare_counts(job, record, image)
    return 0 if same else DIFFERENT


def _read(path: Path) -> tuple[dict[str, Any], np.ndarray | None]:
    """Read the record of a run, and its image if the file has it."""
    check_regular(path)
    with opened(path) as stream:
        head = stream.read(LARGEST)
    original = None
    text = head.decode("utf-8-sig", "replace")
    if nexus.is_hdf5(path):
        content = nexus.read(path)
        original, text = content.expected, content.record
        if "arguments" not in content.provenance:
            raise FileFormatError(
                path, "it was not written by the cupysim command; only its runs can be repeated"
            )
    try:
        record = json.loads(text)
        layout = record["layout"]
        if layout == LAYOUT:
            _check(record)
    except (*WRONG_JSON, AttributeError) as error:
        raise FileFormatError(path, "no record of a run, as -provenance writes it") from error
    if layout != LAYOUT:
        raise FileFormatError(path, f"its layout is {layout}; another version of cupysim reads it")
    return record, original


def _check(record: dict[str, Any]) -> None:
    """Raise an error if an entry that is needed later is missing or has another type."""
    texts = [
        record["command"], record["folder"], record["computed_by"]["backend"],
        record["computed_by"]["precision"], record["image"]["expected_photons"],
        *record["arguments"], *record["computed_by"]["devices"], *record["versions"].values(),
        *(entry[name] for entry in record["inputs"] for name in ("option", "path")),
        *(entry["path"] for entry in record.get("outputs", [])),
    ]  # fmt: skip
    numbers = [
        record["seeds"]["clock"],
        *(record["image"]["statistics"][name] for name in STATISTICS),
    ]  # fmt: skip
    digests = [record["image"]["counted_photons"]]
    digests += [entry["sha256"] for entry in [*record["inputs"], *record.get("outputs", [])]]
    if not (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
        and all(digest is None or isinstance(digest, str) for digest in digests)
    ):
        raise TypeError


@contextlib.contextmanager
def _folder_of_inputs(record: dict[str, Any], folders: Sequence[str]) -> Iterator[str]:
    """Find the first of several folders in which all inputs are unchanged."""
    inputs = record["inputs"]
    if not inputs:
        # an empty folder, so that no other file is read by chance
        with tempfile.TemporaryDirectory() as empty:
            yield empty
        return
    problems = [list(_changed_inputs(inputs, folder)) for folder in folders]
    for folder, wrong in zip(folders, problems, strict=True):
        if not wrong:
            yield folder
            return
    # report the folder that has most of the inputs
    raise CupysimError(min(problems, key=lambda wrong: sum(ABSENT in text for text in wrong))[0])


def _changed_inputs(inputs: list[dict[str, Any]], folder: str) -> Iterator[str]:
    for entry in inputs:
        path = os.path.join(folder, entry["path"])
        shown = f"{entry['path']} ({entry['option']})"
        if entry["sha256"] is None:
            yield f"{shown} was not a file that can be read again"
            continue
        now = file_record(path)
        if now["sha256"] is None:
            yield f"{shown} {ABSENT}; run this where it is"
        elif now["sha256"] != entry["sha256"]:
            yield (
                f"{shown} has changed since the earlier run: its SHA-256 does not begin with "
                + (entry["sha256"][:12])
            )


def _check_same_inputs(job: Job, record: dict[str, Any]) -> None:
    before = {(entry["option"], entry["path"]) for entry in record["inputs"]}
    for option, path in input_files(job.arguments).items():
        if (option, path) not in before:
            raise CupysimError(
                f"{path} ({option}) would be read, but the earlier run did not read it"
            )


def _render(job: Job, record: dict[str, Any], arguments: argparse.Namespace) -> Image:
    backend = arguments.backend or record["computed_by"]["backend"]
    if arguments.backend is None and backend not in available_backends():
        tell(f"backend {backend} does not work here; another one is used")
        backend = "auto"
    args = job.arguments
    return simulate(
        job.experiment,
        backend,
        precision=arguments.precision or args.precision,
        threads=arguments.threads or args.threads,
        devices=args.devices,
        tolerance=job.tolerance,
    )


def _original(
    record: dict[str, Any], folders: Sequence[str], shape: tuple[int, ...]
) -> np.ndarray | None:
    """Read the image of the earlier run, if a file still has it."""
    wanted = record["image"]["expected_photons"]
    for entry in record.get("outputs", []):
        for folder in folders:
            place = os.path.join(folder, entry["path"])
            if entry["sha256"] == wanted and file_record(place)["sha256"] == wanted:
                pixels = np.fromfile(place, dtype="<f4")
                return pixels.reshape(shape) if pixels.size == math.prod(shape) else None
    return None


def _compare(
    record: dict[str, Any], image: Image, original: np.ndarray | None, rtol: float
) -> bool:
    if digest(image.array) == record["image"]["expected_photons"]:
        tell("the same image, to the last bit")
        return True
    mixed = "double" not in (record["computed_by"]["precision"], image.rendered.made_by.precision)
    mixed |= record["computed_by"]["precision"] != image.rendered.made_by.precision
    limits = (0.0, rtol) if mixed else (rtol, FLOOR)
    culled = image.rendered.culled
    if culled is not None:
        # two images within the tolerance of the exact one
        limits = limits[0], limits[1] + float(culled.tolerances[0] / max(image.array.max(), FLOOR))
    if original is None:
        return _compare_statistics(record, image, rtol)
    found = agreement(original, image.array, *limits)
    worst = found.relative
    apart = "" if worst is None else (
        f"; largest relative difference {worst.difference:.3g} at {worst.fast} {worst.slow}"
    )  # fmt: skip
    if found.n_beyond:
        tell(f"different: {found.n_beyond} of {found.n_pixels} pixels beyond {rtol:g}{apart}")
        return False
    tell(f"the same image within {rtol:g}, {found.n_equal} pixels to the last bit{apart}")
    return True


def _compare_statistics(record: dict[str, Any], image: Image, rtol: float) -> bool:
    """Compare the statistics of the images, because the earlier image is gone."""
    before, now = record["image"]["statistics"], vars(image.statistics)
    for name in STATISTICS:
        if not abs(now[name] - before[name]) <= rtol * max(abs(now[name]), abs(before[name])):
            tell(f"different: {name} {before[name]:.9g}, now {now[name]:.9g}")
            return False
    raise CupysimError(
        f"maximum, mean and spread are the same within {rtol:g}, but last bits differ; the earlier "
        "image is gone, so its pixels cannot be compared"
    )


def _compare_counts(job: Job, record: dict[str, Any], image: Image) -> bool:
    if digest(image.array) != record["image"]["expected_photons"]:
        tell("counts are not compared: they depend on the last bits of the expected photons")
        return True
    if job.response is None:
        counts = image.counts(job.noise)
    else:
        counts = detected_image(job, image, job.response).measured
    same = digest(counts) == record["image"]["counted_photons"]
    tell("the same counted photons" if same else "different: other counted photons")
    return same


def _maker(made_by: dict[str, Any]) -> str:
    return f"{made_by['backend']}, {made_by['precision']} ({'; '.join(made_by['devices'])})"
