"""Command lines that are run through two programs, and their stored reference images."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

import cupysim
from cupysim.constants import RTOL
from cupysim.errors import CupysimError, FileFormatError
from cupysim.nanobragg.arguments import RANDOM, default_values, scan
from cupysim.nanobragg.build import build
from cupysim.nanobragg.job import Job
from cupysim.nanobragg.run_record import input_files
from cupysim.parity.images.image_comparison import FLOOR
from cupysim.parity.traces.trace_files import WRONG_JSON
from cupysim.provenance import digest
from cupysim.storage.reading import opened

OUTPUTS = (
    "float_file", "int_file", "pgm_file", "noise_file", "nexus_file", "cbf_file", "cxi_file",
    "geometry_output", "experiment_output", "png_file", "provenance_file", "dump_file",
)  # fmt: skip
"""Names of the arguments that are names of output files."""

LARGEST = 2**24
"""Largest size of a list of cases (bytes), and largest number of pixels along an edge."""


@dataclass(frozen=True)
class Case:
    """One command line.

    Parameters
    ----------
    name : str
        Name of the case, for reports.
    words : tuple of str
        Words of the command line after the name of the program.
    folder : Path
        Folder of the input files.
    inputs : tuple of str
        Names of the input files to copy.
    image : Path, optional
        File of the stored reference image.
    sample : Path, optional
        File that stands for a reference image that is too large to be stored. It has a sample of
        the pixels, and sums of blocks of pixels.
    reference_digest : str
        SHA-256 of the reference's float image.
    shape : tuple of 2 int
        Number of slow and fast pixels.
    problem : str
        Reason why the case cannot be run; empty if it can.
    float_file : str
        Name of the float image that a run writes.
    files : tuple of str
        Names of the files that nanoBragg also writes, and whose content is the same in each run.
    """

    name: str
    words: tuple[str, ...]
    folder: Path
    inputs: tuple[str, ...] = ()
    image: Path | None = None
    sample: Path | None = None
    reference_digest: str = ""
    shape: tuple[int, ...] = (0, 0)
    problem: str = ""
    float_file: str = ""
    files: tuple[str, ...] = ()

    def prepare(self, target: Path) -> None:
        """Copy the inputs into an empty folder."""
        for name in self.inputs:
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(self.folder / name, copy)
            except OSError as error:
                raise FileFormatError(self.folder / name, error.strerror or str(error)) from error

    def stands_for_reference(self, image: np.ndarray) -> bool:
        """Whether an image agrees with the digest or the sample of the reference image.

        Parameters
        ----------
        image : ndarray of float32, shape (n_slow, n_fast)
            Image from the NumPy backend. Some pixels differ from the C program's in the last bit.

        Returns
        -------
        bool
            True if the digest is the same, or if the pixels of the sample and the sums of all
            blocks of pixels agree within the promised tolerance.
        """
        if digest(image) == self.reference_digest:
            return True
        if self.sample is None:
            return False
        stored = _load(self.sample)
        sample, sums = stored["sample"], stored["block_sums"]
        edge = image.shape[0] // sums.shape[0]
        blocks = image.astype(np.float64).reshape(sums.shape[0], edge, sums.shape[1], edge)
        pixels = image.reshape(-1)[:: int(stored["stride"])]
        return bool(
            np.allclose(pixels, sample, rtol=RTOL, atol=FLOOR * float(sample.max()))
            and np.allclose(blocks.sum(axis=(1, 3)), sums, rtol=RTOL, atol=0.0)
        )

    def stored_image(self) -> np.ndarray | None:
        """The stored reference image, or None."""
        if self.image is None:
            return None
        try:
            return _load(self.image)["image"]
        except KeyError as error:
            raise FileFormatError(self.image, "it has no array 'image'") from error


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with open(path, "rb") as stream, np.load(stream) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise FileFormatError(path, f"no stored image ({error})") from error


def default_cases(with_reference: bool) -> list[Case]:
    """The cases that are run without ``--cases``.

    Parameters
    ----------
    with_reference : bool
        True for the cases of ``cases.txt``, which need a reference program. False for the golden
        cases of a checkout.

    Returns
    -------
    list of Case
        Cases in the order of the file or folder.

    Raises
    ------
    CupysimError
        If there are no golden cases here.
    """
    if with_reference:
        text = (files("cupysim.parity") / "cases.txt").read_text()
        return list(_listed(text, "cases.txt", Path.cwd()))
    golden = Path(cupysim.__file__).parents[1] / "tests" / "golden"
    if not golden.is_dir():
        raise CupysimError(
            "no stored images here: --cases FOLDER reads those of a checkout, tests/golden; "
            "--reference COMMAND compares with a program"
        )
    return read_cases(golden)


def read_cases(path: Path) -> list[Case]:
    """Read the cases of a folder or of a list.

    Parameters
    ----------
    path : Path
        A folder with ``cases/NAME/case.json`` and ``inputs``, like tests/golden, or a text file
        with lines ``NAME: OPTIONS``.

    Returns
    -------
    list of Case
        Cases in the order of the lines, or of their names.

    Raises
    ------
    FileFormatError
        If there are no cases, or a line is wrong.
    """
    if path.is_dir():
        found = [_stored(file) for file in sorted(path.glob("cases/*/case.json"))]
    else:
        with opened(path) as stream:
            text = stream.read(LARGEST).decode("utf-8-sig", "replace")
        found = list(_listed(text, str(path), path.resolve().parent))
    if not found:
        raise FileFormatError(path, "no cases in it: no cases/NAME/case.json, no lines of options")
    return found


def given_case(words: Sequence[str]) -> Case:
    """The case of the options on the command line."""
    case = _with_inputs(Case("options", tuple(words), Path.cwd()))
    if case.problem:
        raise CupysimError(case.problem)
    return case


def _listed(text: str, path: str, folder: Path) -> Iterator[Case]:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise FileFormatError(path, str(error), number) from None
        if not words:
            continue
        name = f"line {number}"
        if words[0].endswith(":"):
            name = words.pop(0)[:-1]
        if not words or not words[0].startswith("-"):
            raise FileFormatError(path, f"expected NAME: OPTIONS, got {line.strip()!r}", number)
        yield _with_inputs(Case(name, tuple(words), folder))


def _with_inputs(case: Case) -> Case:
    """The case with its input and output files, as its words name them."""
    with contextlib.chdir(case.folder):
        try:
            with warnings.catch_warnings():
                # the runs themselves warn
                warnings.simplefilter("ignore")
                job = build(case.words)
                check_repeatable(job)
        except CupysimError as error:
            return replace(case, problem=str(error))
        words, inputs = list(case.words), []
        for option, name in input_files(job.arguments).items():
            if option == "-dump" and "-dump" not in job.arguments.seen:
                # a dump file that happens to be in the folder is not an input of the case
                continue
            if not os.path.isabs(name) and ".." not in Path(name).parts:
                inputs.append(name)
            else:
                whole = os.path.abspath(name)
                words = [whole if word == name else word for word in words]
    args, detector = job.arguments, job.experiment.detector
    names = [args.float_file, args.int_file]
    names += [args.pgm_file] if args.write_pgm else []
    # noise is never the same if its seed is the clock
    names += [args.noise_file] if args.write_noise and args.noise_seed is not None else []
    return replace(
        case, words=tuple(words), inputs=tuple(inputs), shape=(detector.n_slow, detector.n_fast),
        float_file=args.float_file, files=tuple(names),
    )  # fmt: skip


def check_repeatable(job: Job) -> None:
    """Reject a run that differs by chance, or writes outside its folder.

    Raises
    ------
    CupysimError
        If the clock is the seed of the orientation, or the name of an output has a folder.
    """
    args = job.arguments
    if args.misset == RANDOM and args.misset_seed is None:
        raise CupysimError("-misset random without -misset_seed is never the same")
    for output in (args.values[name] for name in OUTPUTS):
        if output is not None and os.path.basename(output) != output:
            raise CupysimError(f"{output} is an output outside of the case's own folder")


def _stored(path: Path) -> Case:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        name, words = str(content["name"]), tuple(map(str, content["args"]))
        kinds = ("float", "int", "pgm", *(["noise"] if "-seed" in words else []))
        outputs, shape = content["outputs"], tuple(map(int, content["shape"]))
        inputs = tuple(map(str, content["inputs"]))
        if len(shape) != 2 or not all(0 < n < LARGEST for n in shape):
            raise ValueError("shape: expected two positive numbers")
        for place in (*inputs, *map(str, outputs.values()), *_outputs_of(words)):
            if os.path.basename(place) != place or "\0" in place:
                raise ValueError(f"{place!r}: expected a file in the case's own folder")
        return Case(
            name=name,
            words=words,
            folder=path.parents[2] / "inputs",
            inputs=inputs,
            image=_existing(path.parent / "float.npz"),
            sample=_existing(path.parent / "sample.npz"),
            reference_digest=str(content["sha256"]["float_bytes"]),
            shape=shape,
            float_file=str(outputs["float"]),
            files=tuple(str(outputs[kind]) for kind in kinds if kind in outputs),
        )
    except (OSError, AttributeError, *WRONG_JSON) as error:
        raise FileFormatError(path, f"no case ({error})") from error


def _outputs_of(words: Sequence[str]) -> list[str]:
    """Names of the output files in the words of a command line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = {**default_values(), **scan(words)[0]}
    return [values[name] for name in OUTPUTS if values[name] is not None]


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
