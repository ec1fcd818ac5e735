"""Comparison with golden outputs of nanoBragg's sister programs: noisify and nonBragg.

Images are compared byte for byte, with their headers, and tables and the lines on standard output
as texts. Float images may differ by one unit of single precision. Cases in which a program writes
nonsense must end with an error in cupysim, without any file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from golden_outcomes import Outcome, wanted

ROOT = Path(__file__).resolve().parent.parent

NOT_COVERED = {
    "nearBragg": "cupysim lacks nearBragg's near field",
}
"""Programs whose cases are not compared, and why."""

REFUSED = re.compile(r"\((NQ(?:12|13|15|17))\)")
"""Quirks that are errors in cupysim, at the end of the message."""

ADDRESS = re.compile("0x[0-9a-f]+")
"""Addresses, which are <address> in the stored texts. A part of a size like 80x60 also matches."""

PROGRESS = re.compile("^[0-9]+% done\\n", re.MULTILINE)
"""Lines of progress, which the stored texts do not have."""

SEED = re.compile("^  seed: .*$", re.MULTILINE)
"""The line that depends on the clock if there is no seed."""

EXIT_ERROR = 9

Case = dict[str, Any]


def check(folder: Path, manifest: dict[str, Any], only: tuple[str, ...]) -> Iterator[Outcome]:
    """Compare the cases of a folder.

    Parameters
    ----------
    folder : Path
        Folder with inputs and cases.
    manifest : dict
        Content of its manifest.json.
    only : tuple of str
        Beginnings of the names of the cases; empty for all.

    Yields
    ------
    Outcome
        For each case.
    """
    for entry in manifest["cases"]:
        name, program = entry["name"], entry["program"]
        if not wanted(name, only):
            continue
        if program in NOT_COVERED:
            yield Outcome(name, NOT_COVERED[program], None)
            continue
        stored = folder / "cases" / name
        case = json.loads((stored / "case.json").read_text())
        with tempfile.TemporaryDirectory() as work:
            for file in case["inputs"]:
                shutil.copy(folder / "inputs" / file, work)
            yield _compare(name, case, stored, Path(work))


def _compare(name: str, case: Case, stored: Path, work: Path) -> Outcome:
    """Run a case and compare its files, lines and exit status."""
    said = (stored / "stdout.txt").read_text()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "cupysim", case["program"].lower(), *case["args"]]
    run = subprocess.run(
        command, cwd=work, env=environment, capture_output=True, text=True, errors="replace"
    )
    made = {path.name for path in work.iterdir()} - set(case["inputs"])
    refused = REFUSED.search(run.stderr)
    if run.returncode == EXIT_ERROR and (refused or case["exit_code"] == EXIT_ERROR):
        why = f"refused, as {refused[1]} says" if refused else "an error, as in noisify"
        return Outcome(name, f"{why}; no file is written" if not made else str(made), not made)
    problems = []
    if run.returncode != case["exit_code"]:
        problems.append(f"exit status {run.returncode}: {run.stderr.strip()[-200:]}")
    for kind, file in case["outputs"].items():
        problems += _difference(case, kind, work / file, stored)
    if made != set(case["files_after"]) - set(case["inputs"]):
        problems.append(f"files {sorted(made)}")
    if _plain(run.stdout, case) != _plain(said, case):
        problems.append("lines on standard output differ")
    images = ", ".join(case["outputs"])
    return Outcome(name, "; ".join(problems) or f"{images} and lines are equal", not problems)


def _difference(case: Case, kind: str, made: Path, stored: Path) -> list[str]:
    """The difference of a file from the stored one: a list of one text, or empty."""
    if kind == "float":
        if _digest(made) == case["sha256"]["float_bytes"] or not made.exists():
            return [] if made.exists() else ["float image is missing"]
        image = np.fromfile(made, dtype=np.float32)
        expected = np.load(stored / "float.npz")["image"].reshape(-1)
        if image.shape != expected.shape:
            return ["float image has another size"]
        wrong = ~np.isclose(image, expected, rtol=0.0, atol=0.0, equal_nan=True)
        wrong &= np.abs(image - expected) > np.spacing(np.abs(expected))
        return [f"float image differs in {wrong.sum()} pixels"] if wrong.any() else []
    if kind == "stol":
        same = made.exists() and made.read_text() == (stored / "stolout.txt").read_text()
        return [] if same else ["table differs"]
    return [] if _digest(made) == _stored_digest(case, kind) else [f"{kind} image differs"]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "missing"


def _stored_digest(case: Case, kind: str) -> str:
    key = "pgm_header_and_pixels" if kind == "pgm" else f"{kind}_file"
    return str(case["sha256"][key])


def _plain(text: str, case: Case) -> str:
    """Lines without what depends on the clock or on addresses in memory."""
    text = PROGRESS.sub("", ADDRESS.sub("<address>", text))
    return text if "-seed" in case["args"] else SEED.sub("  seed", text)
