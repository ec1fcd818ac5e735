"""Record of how a run of the command made its files: written by -provenance and inside HDF5."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import numpy as np

from cupysim.image import Image
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.nanobragg.arguments import RANDOM, Arguments
from cupysim.nanobragg.job import Job
from cupysim.quirks import Quirks
from cupysim.storage.safe_writing import OutputFiles

LAYOUT = 1
"""Version of the record's layout."""

INPUTS = {
    "-hkl": "hkl_file", "-pdb": "model_file", "-mat": "matrix_file", "-sourcefile": "source_file",
    "-mask": "mask_file", "-img": "image_file", "-stol": "stol_file", "-expt": "experiment_file",
    "-geom": "geometry_file", "-crystals": "crystals_file",
}  # fmt: skip
"""Options that name input files, and the values that hold the names."""


class Stopwatch:
    """Wall times of the stages of a run (s)."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the wall time of a block and store it under the name of a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = time.perf_counter() - began


def input_files(args: Arguments) -> dict[str, str]:
    """Files that a run reads, by the option that names them."""
    found = {
        option: os.fspath(args.values[name])
        for option, name in INPUTS.items()
        if args.values[name] is not None
    }
    if args.backgrounds:
        from cupysim.nanobragg.backgrounds import table_files

        found |= _numbered("-background", table_files(args.backgrounds))
    if args.spectrum is not None and os.path.isfile(args.spectrum):
        found["-spectrum"] = args.spectrum
    if args.beam_profile is not None:
        from cupysim.nanobragg.sample_body import profile_files

        found |= _numbered("-beam_profile", profile_files(args.beam_profile))
    if args.edges:
        from cupysim.nanobragg.structure_files import edge_files

        found |= _numbered("-edge", [path for _, path in edge_files(args)])
    if args.response is not None:
        from cupysim.detection.response_file import response_files

        found |= _numbered("-response", response_files(args.response))
    if args.crystals_file is not None:
        from cupysim.nanobragg.crystals import files_of_lines

        for option, paths in files_of_lines(args).items():
            found |= _numbered(f"-crystals, {option}", paths)
    if args.dump_was_read:
        found["-dump"] = os.fspath(args.dump_file)
    return found


def _numbered(option: str, paths: Sequence[str]) -> dict[str, str]:
    """Files of one option, by its name and their numbers from 2 on."""
    return {
        option if number == 1 else f"{option}, file {number}": path
        for number, path in enumerate(paths, 1)
    }


def run_record(
    job: Job, image: Image, counts: np.ndarray | None, seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Make the record of how a run made its image.

    Parameters
    ----------
    job : Job
        What the command line asks for.
    image : Image
        The rendered image.
    counts : ndarray of int32, shape (n_slow, n_fast), or None
        Counted photons.
    seconds : mapping of str to float
        Wall times of the stages so far (s).

    Returns
    -------
    dict
        Record for `json.dump`: arguments as given and as resolved, seeds, versions, digests.
    """
    from cupysim.provenance import file_record, image_record

    args, experiment = job.arguments, job.experiment
    given = [_printable(word) for word in job.words]
    return {
        "layout": LAYOUT,
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": shlex.join(["cupysim", *given]),
        "arguments": given,
        "folder": _printable(os.getcwd()),
        "resolved": {
            "corrected" if name == "quirks" else name: _plain(value)
            for name, value in sorted(args.values.items())
        },
        "derived": {
            "n_fast": experiment.detector.n_fast,
            "n_slow": experiment.detector.n_slow,
            **_distances(experiment),
            "fluence": experiment.beam.fluence,
            "cell_angstrom": [float(length) for length in experiment.lattice.lengths],
            "cell_angles": [float(angle) for angle in experiment.lattice.angles],
            "a_matrix_per_angstrom": experiment.lattice.reciprocal.T.tolist(),
            "n_cells": [float(count) for count in experiment.cell_counts],
            "shape": str(experiment.crystal.shape),
            "n_domains": experiment.crystal.mosaicity.n_domains,
            "n_phi": experiment.scan.sweep.count,
            "n_sources": len(experiment.sources.wavelengths),
            "n_layers": image.plan.panels.n_layers,
            "oversample": experiment.oversample,
            "steps": experiment.n_steps,
            "interpolate": experiment.interpolate,
            "region": list(vars(experiment.region).values()),
        },
        "units": "SI; cells and matrices in Angstrom",
        "seeds": {
            "clock": job.clock,
            "noise": job.noise_seed,
            "mosaic": args.mosaic_seed,
            **({"misset": job.misset_seed} if args.misset == RANDOM else {}),
        },
        **image_record(image.rendered, image.array, counts, image.statistics),
        "inputs": [
            {"option": option, **file_record(path)} for option, path in input_files(args).items()
        ],
        "seconds": {name: round(value, 6) for name, value in seconds.items()},
    }


def _distances(experiment: Experiment) -> dict[str, Any]:
    """Distances of the detector, or of each of its panels (m)."""
    if isinstance(experiment.detector, Detector):
        geometry = experiment.geometry
        return {"distance": geometry.distance, "close_distance": geometry.close_distance}
    return {"panels": {panel.name: panel.close_distance for panel in experiment.detector}}


def write_record(
    files: OutputFiles, path: str, record: dict[str, Any], watch: Stopwatch, began: float
) -> None:
    """Write a record, with digests of the files that were staged before it.

    Parameters
    ----------
    files : OutputFiles
        Output files of the run; the record is added to them.
    path : str
        File to write.
    record : dict
        Record from `run_record`.
    watch : Stopwatch
        Wall times of the stages.
    began : float
        Time when writing began, from `time.perf_counter` (s).
    """
    from cupysim.provenance import file_record

    outputs = [
        {**file_record(staged), "path": _printable(str(name))}
        for name, staged in files.staged_files()
    ]
    seconds = {**watch.seconds, "writing": time.perf_counter() - began}
    whole = {
        **record,
        "outputs": outputs,
        "seconds": {name: round(value, 6) for name, value in seconds.items()},
    }
    import json

    text = json.dumps(whole, indent=1) + "\n"
    files.write(path, lambda stream: stream.write(text.encode()))


def _printable(text: str) -> str:
    """Replace bytes that are not text by escape sequences."""
    return text.encode("utf-8", "backslashreplace").decode()


def _plain(value: Any) -> Any:
    """Convert a value of the command line to a type that JSON has."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Quirks):
        return list(value.numbers)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, os.PathLike):
        return _printable(os.fspath(value))
    return _printable(value) if isinstance(value, str) else value
