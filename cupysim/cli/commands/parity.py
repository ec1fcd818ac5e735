"""Run argument lists through a reference program and through cupysim, and compare the images.

    cupysim parity --reference ./nanoBragg [--cases LIST] [--backend B ...] [OPTIONS]

The argument lists come from --cases (a text file with lines of NAME: OPTIONS, or a folder like
tests/golden), or are the OPTIONS of the drop-in command. Without both, 38 lists that cover the
options are used. Without --reference, the images are compared with those stored in a checkout.
Each run has a fresh folder.
Exit status 0 if all images are the same, 1 if one differs or fails, 2 after an error.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cupysim.backends.select import BACKENDS, PRECISIONS, available_backends, why_not
from cupysim.constants import RTOL
from cupysim.errors import CupysimError
from cupysim.parity.cases import Case, default_cases, given_case, read_cases
from cupysim.parity.images.agreement import Agreement
from cupysim.parity.images.image_comparison import FLOOR, agreement
from cupysim.parity.program_runs import Outcome, Program, our_program, reference_program
from cupysim.terminal import tell

TAKES_OPTIONS = True

DIFFERENT = 1
"""Exit status if an image differs or a run fails."""

SMALLEST_CORRELATION = 0.999999
"""Smallest correlation of two images that count as the same."""

LARGEST_SUM_ERROR = 1e-6
"""Largest relative difference of the sums of two images that count as the same."""

TIMEOUT = 3600.0
"""Default of the longest time of a run (s)."""

LONGEST_TIMEOUT = 1e6
"""Largest accepted limit of the time of a run (s): more than a week."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.usage = "cupysim parity [--reference CMD] [--cases PATH] [--backend B ...] [OPTIONS]"
    add = parser.add_argument
    add("--reference", metavar="CMD", help="a program that accepts nanoBragg's options")
    add("--cases", metavar="PATH", help="a list, or a folder with stored cases")
    add("--only", metavar="NAME", action="append",
        help="run only cases that have NAME in their names; may be repeated")  # fmt: skip
    add("--backend", action="append", choices=BACKENDS,
        help="may be repeated; default: all backends that work here")  # fmt: skip
    add("--precision", action="append", choices=tuple(PRECISIONS),
        help="may be repeated; default: double")  # fmt: skip
    add("--rtol", type=float, default=RTOL, metavar="R",
        help="largest difference of a pixel, relative to the pixel or, in mixed precision, to the "
        "largest pixel; default: %(default)g")  # fmt: skip
    add("--timeout", type=float, default=TIMEOUT, metavar="S",
        help="longest time of a run (s); default: %(default)g")  # fmt: skip
    add("--keep", metavar="FOLDER", help="keep the files of the runs in this new folder")
    add("--json", action="store_true", help="write JSON, not a table")


@dataclass(frozen=True)
class Row:
    """Comparison of one case, rendered by one backend, with the reference.

    Parameters
    ----------
    case : Case
        The case.
    backend, precision : str
        Backend and precision of cupysim's run.
    reference, ours : Outcome
        Results of the reference and of cupysim.
    found : Agreement or None
        Agreement of the two images; None if there are not two images of one size.
    problem : str
        Why the images do not count as the same; empty if they do.
    """

    case: Case
    backend: str
    precision: str
    reference: Outcome
    ours: Outcome
    found: Agreement | None
    problem: str

    @property
    def same(self) -> bool:
        """Whether the images are the same within the tolerances."""
        return not self.problem


def run(arguments: argparse.Namespace) -> int:
    """Run all cases, print a table, and return the exit status."""
    _check_numbers(arguments)
    cases = _cases(arguments)
    programs = [
        (backend, precision)
        for backend in _backends(arguments)
        for precision in arguments.precision or ["double"]
        if backend != "numpy" or precision == "double"
    ]
    if not programs:
        raise CupysimError("--precision: the numpy backend computes in double precision only")
    reference = None
    if arguments.reference is not None:
        reference = reference_program(arguments.reference)
    rows = []
    with tempfile.TemporaryDirectory(prefix="cupysim-parity-") as temporary:
        folder = Path(temporary)
        if arguments.keep is not None:
            folder = _new_folder(arguments.keep)
        if not arguments.json:
            tell(HEADING)
        for number, case in enumerate(cases):
            place = folder / f"{number:03d}_{_file_name(case.name)}"
            for row in _run_case(case, reference, programs, place, arguments):
                rows.append(row)
                if not arguments.json:
                    for line in _lines(row):
                        tell(line)
            if arguments.keep is None:
                shutil.rmtree(place, ignore_errors=True)
    if arguments.json:
        tell(json.dumps([_as_json(row) for row in rows], indent=1, allow_nan=False))
    else:
        tell(_summary(rows))
    return 0 if all(row.same for row in rows) else DIFFERENT


def _check_numbers(arguments: argparse.Namespace) -> None:
    if not 0.0 <= arguments.rtol < math.inf:
        raise CupysimError(f"--rtol: expected a number from 0, got {arguments.rtol}")
    if not 0.0 < arguments.timeout <= LONGEST_TIMEOUT:
        raise CupysimError(
            f"--timeout: expected seconds up to {LONGEST_TIMEOUT:g}, got {arguments.timeout}"
        )


def _cases(arguments: argparse.Namespace) -> list[Case]:
    if arguments.words and arguments.cases is not None:
        raise CupysimError(f"--cases and options exclude each other: {arguments.words[0]}")
    if arguments.words:
        if arguments.reference is None:
            raise CupysimError("options need a program to compare with: --reference CMD")
        cases = [given_case(arguments.words)]
    elif arguments.cases is not None:
        cases = read_cases(Path(arguments.cases))
    else:
        cases = default_cases(arguments.reference is not None)
    if arguments.only:
        cases = [case for case in cases if any(part in case.name for part in arguments.only)]
        if not cases:
            raise CupysimError(f"--only: no case has {' or '.join(arguments.only)} in its name")
    if arguments.reference is None and not all(case.image or case.sample for case in cases):
        raise CupysimError("a list has no stored images; name a program with --reference CMD")
    return cases


def _backends(arguments: argparse.Namespace) -> list[str]:
    for backend in arguments.backend or ():
        reason = why_not(backend)
        if reason is not None:
            raise CupysimError(f"backend {backend}: {reason}")
    return list(dict.fromkeys(arguments.backend or available_backends()))


def _new_folder(name: str) -> Path:
    folder = Path(name).absolute()
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise CupysimError(f"--keep: {name}: {error.strerror}") from error
    return folder


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:60]


def _run_case(
    case: Case,
    reference: Program | None,
    programs: list[tuple[str, str]],
    folder: Path,
    arguments: argparse.Namespace,
) -> Iterator[Row]:
    if case.problem:
        nothing = Outcome(None, math.nan)
        yield Row(case, "", "", nothing, nothing, None, case.problem)
        return
    if reference is not None:
        expected = reference.run(case, folder / "reference", arguments.timeout)
    else:
        expected = _stored(case, folder, arguments.timeout)
    for backend, precision in programs:
        ours = our_program(backend, precision).run(
            case, folder / f"{backend}-{precision}", arguments.timeout
        )
        found, problem = None, expected.problem or ours.problem
        if expected.image is not None and ours.image is not None:
            found, problem = _compare(expected.image, ours.image, precision, arguments.rtol)
        yield Row(case, backend, precision, expected, ours, found, problem)


def _stored(case: Case, folder: Path, timeout: float) -> Outcome:
    """The stored image, or the NumPy backend's image if it has the stored sample of pixels."""
    image = case.stored_image()
    if image is not None:
        return Outcome(image, math.nan)
    made = our_program("numpy", "double").run(case, folder / "digest", timeout)
    if made.image is not None and not case.stands_for_reference(made.image):
        return Outcome(
            None, made.seconds,
            "the NumPy backend's image differs from the stored sample of the reference",
        )  # fmt: skip
    return Outcome(made.image, math.nan, made.problem)


def _compare(
    expected: np.ndarray, image: np.ndarray, precision: str, rtol: float
) -> tuple[Agreement | None, str]:
    limits = (rtol, FLOOR) if precision == "double" else (0.0, rtol)
    try:
        found = agreement(expected, image, *limits)
    except CupysimError as error:
        return None, str(error)
    if found.n_beyond:
        return found, f"{found.n_beyond} of {found.n_pixels} pixels beyond {rtol:g}"
    if found.correlation < SMALLEST_CORRELATION:
        return found, f"correlation {found.correlation:.9g}"
    if not abs(found.sum_ratio - 1.0) <= LARGEST_SUM_ERROR:
        return found, f"sum ratio {found.sum_ratio:.9g}"
    return found, ""


HEADING = (
    f"{'case':26}{'backend':16}{'pixels':>9}{'equal':>8}{'1 - corr':>10}{'sum - 1':>10}"
    f"{'worst':>9}{'files':>7}{'theirs':>9}{'ours':>8}"
)


def _lines(row: Row) -> Iterator[str]:
    name = f"{row.case.name[:25]:26}{row.backend + ' ' + row.precision:16}"
    found = row.found
    if found is not None:
        worst = _worst(row.precision, found)
        # rounded down, so that 100 % means all
        equal = math.floor(1000.0 * found.n_equal / found.n_pixels) / 10.0
        name += (
            f"{found.n_pixels:9}{equal:7.1f}%{max(0.0, 1.0 - found.correlation):10.1e}"
            f"{found.sum_ratio - 1.0:10.1e}{worst:9.1e}{_files(row):>7}"
            f"{_seconds(row.reference.seconds)}{row.ours.seconds:7.2f}s"
        )
    yield name.rstrip()
    if row.problem:
        yield f"  {'FAILED' if found is None else 'DIFFERENT'}: {row.problem}"
    if row.problem and found is not None and found.absolute is not None:
        at = found.absolute
        yield (
            f"  largest difference at {at.fast} {at.slow} (fast slow): {at.first:.9g} and "
            f"{at.second:.9g}"
        )
        words = shlex.join(row.case.words)
        if row.case.inputs:
            yield f"  its inputs are in {row.case.folder}"
        yield f"  look there: cupysim trace {words} --pixel {at.fast} {at.slow}"


def _worst(precision: str, found: Agreement) -> float:
    """Largest difference, relative to the pixel or, in mixed precision, to the largest pixel."""
    if precision != "double":
        return 0.0 if found.absolute is None else found.absolute.difference / found.largest
    # pixels at zeros of the interference function are not compared, and are not among these
    return 0.0 if found.relative is None else found.relative.difference


def _files(row: Row) -> str:
    """Number of files that are equal byte for byte, and of files that both programs wrote."""
    theirs, ours = row.reference.digests, row.ours.digests
    both = set(theirs) & set(ours)
    return f"{sum(theirs[name] == ours[name] for name in both)}/{len(both)}" if both else ""


def _seconds(seconds: float) -> str:
    return f"{'':9}" if math.isnan(seconds) else f"{seconds:8.2f}s"


def _summary(rows: list[Row]) -> str:
    same = sum(row.same for row in rows)
    text = f"{same} of {len(rows)} the same"
    timed = [row for row in rows if row.same and not math.isnan(row.reference.seconds)]
    for backend, precision in dict.fromkeys((row.backend, row.precision) for row in timed):
        some = [row for row in timed if (row.backend, row.precision) == (backend, precision)]
        theirs, ours = (
            sum(run.seconds for run in runs)
            for runs in ([r.reference for r in some], [r.ours for r in some])
        )
        text += (
            f"\n{backend} {precision}: {len(some)} runs of the whole command in {ours:.1f} s, the "
            f"reference's in {theirs:.1f} s"
        )
    return text


def _as_json(row: Row) -> dict[str, Any]:
    found = row.found
    return {
        "case": row.case.name,
        "arguments": row.case.words,
        "backend": row.backend,
        "precision": row.precision,
        "same": row.same,
        "problem": row.problem,
        "pixels": None if found is None else found.n_pixels,
        "equal": None if found is None else found.n_equal,
        "beyond": None if found is None else found.n_beyond,
        "correlation": None if found is None else _finite(found.correlation),
        "sum_ratio": None if found is None else _finite(found.sum_ratio),
        "worst": None if found is None else _worst(row.precision, found),
        "files_equal": {
            name: value == row.ours.digests[name]
            for name, value in row.reference.digests.items()
            if name in row.ours.digests
        },
        "reference_seconds": _finite(row.reference.seconds),
        "seconds": _finite(row.ours.seconds),
    }


def _finite(number: float) -> float | None:
    """A number for JSON; None if it is not finite."""
    return number if math.isfinite(number) else None
