"""Reader of campaign files: what is simulated, what varies from shot to shot, what is written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from cupysim.backends.select import BACKENDS, PRECISIONS
from cupysim.campaign.definition.base import MODEL_SECTIONS, base_experiment, base_words
from cupysim.campaign.definition.campaign import CampaignDefinition, Orientations, Variation
from cupysim.campaign.definition.consistency import check_campaign
from cupysim.campaign.definition.detection import outline_of_detection, read_detection
from cupysim.campaign.definition.distributions import (
    KINDS as DISTRIBUTIONS,
)
from cupysim.campaign.definition.distributions import (
    Distribution,
    read_distribution,
    read_numbers,
)
from cupysim.campaign.definition.names import VARIABLE
from cupysim.campaign.definition.parameter_tables import read_table
from cupysim.campaign.definition.spectra import read_spectra
from cupysim.detection.response import Response
from cupysim.errors import ModelError
from cupysim.models.experiment import Experiment
from cupysim.models.tolerance import Tolerance
from cupysim.storage.toml_document import Document, Section

LARGEST_SEED = 2**63 - 1
"""Largest seed of a campaign: the largest 64-bit integer."""

MOST_SHOTS = 10**9
"""Largest number of shots in a campaign."""

LARGEST_CHUNK = 10_000
"""Largest number of images in a file. More would be slow to read, and would be lost together."""

NOISES = ("fast", "numpy", "nanobragg")
"""Generators of noise: `PhotonNoise`, NumPy's, or the C program's."""

TABLES = ("campaign", "base", *MODEL_SECTIONS, "vary", "table", "response", "output")
"""Tables of a campaign file."""

MODES = ("set", "plus", "times")
"""How a number changes the base's value: it replaces it, is added to it, or multiplies it."""


def read_campaign(
    path: os.PathLike[str] | str,
    folder: str | None = None,
    name: str | None = None,
    text: str | None = None,
) -> CampaignDefinition:
    """Read a campaign file.

    Parameters
    ----------
    path : path_like
        File to read.
    folder : str, optional
        Folder that names of input files are relative to; if not given, the folder of the file.
    name : str, optional
        Name of the campaign, if the file does not give one; by default that of the file.
    text : str, optional
        Content, if there is no file; `path` then only gives the name and the folder.

    Returns
    -------
    CampaignDefinition
        Contents of the file, with the experiment of the base.

    Raises
    ------
    CupysimError
        If the file cannot be read or has an error; the message names file and line.
    """
    document = Document(path, text)
    folder = os.path.abspath(folder or os.path.dirname(os.path.abspath(path)))
    for key in document.data:
        if key not in TABLES:
            known = ", ".join(TABLES)
            document.fail((key,), f"unknown table; there are {known}")
    outline = _outline(document, path, name)
    n_shots = outline["n_shots"]
    with contextlib.chdir(folder):
        words = base_words(document)
        table, table_file = _table(document, n_shots)
        vary = document.section("vary")
        spectra = None
        if "spectrum" in vary:
            spectra = read_spectra(vary.subsection("spectrum"), n_shots)
        experiment = base_experiment(document, words)
        # a value of -background begins with the name of its table
        names = [name for word in words for name in (word, word.split(",")[0])]
        files = [os.path.abspath(name) for name in names if os.path.isfile(name)]
        files += [os.path.abspath(name) for name in (table_file, spectra and spectra.file) if name]
    detection = read_detection(document, folder, words)
    files += detection.files if detection is not None else ()
    campaign = CampaignDefinition(
        **outline,
        words=words,
        variations=tuple(
            _variation(vary.subsection(name), name, table) for name in VARIABLE if name in vary
        ),
        orientations=_orientations(vary, table),
        n_crystals=_n_crystals(vary, table),
        spectra=spectra,
        table=table,
        files=tuple(dict.fromkeys(files)),
        experiment=experiment,
        detection=detection,
    )
    vary.finish(VARIABLE)
    check_campaign(campaign, vary)
    return campaign


def read_outline(
    path: str, name: str, experiment: Experiment, response: Response | None
) -> CampaignDefinition:
    """Read what a campaign file says of its output. The input files may be gone.

    Parameters
    ----------
    path : str
        File to read.
    name : str
        Name of the campaign, if the file does not give one.
    experiment : Experiment
        Experiment of the base, from an image.
    response : Response or None
        Response of the detector, from an image.

    Returns
    -------
    CampaignDefinition
        Campaign without variations.
    """
    document = Document(path)
    return CampaignDefinition(
        **_outline(document, path, name), words=(), variations=(),
        orientations=Orientations(), n_crystals=Distribution("constant", (1.0,)), spectra=None,
        table={}, files=(), experiment=experiment,
        detection=outline_of_detection(document, response, base_words(document)),
    )  # fmt: skip


def _outline(document: Document, path: os.PathLike[str] | str, name: str | None) -> dict[str, Any]:
    """Read the tables [campaign] and [output]: everything except what is simulated."""
    head, output = document.section("campaign"), document.section("output")
    found = {
        "path": os.path.abspath(path),
        "text": document.text,
        "name": _name(head, name or os.path.splitext(os.path.basename(path))[0]),
        "n_shots": head.whole("shots", None, 1, MOST_SHOTS),
        "chunk": output.whole("images_per_file", 100, 1, LARGEST_CHUNK),
        "seed": head.whole("seed", 0, 0, LARGEST_SEED),
        "backend": head.choice("backend", "auto", ("auto", *BACKENDS)),
        "precision": head.choice("precision", "double", tuple(PRECISIONS)),
        "tolerance": _tolerance(head),
        "counts": output.truth("counts", True),
        "expected": output.truth("expected", False),
        "spots": output.fewest("spots"),
        "noise": output.choice("noise", NOISES[0], NOISES),
    }
    head.finish()
    output.finish()
    return found


def _tolerance(head: Section) -> Tolerance | None:
    """Read a tolerance, a number of photons or a text such as "1e-6peak"."""
    given = head.take("tolerance", None)
    if isinstance(given, bool) or not isinstance(given, int | float | str | None):
        head.fail("tolerance", f"expected a number or a text such as '1e-6peak', got {given!r}")
    try:
        return Tolerance.read(given)
    except ModelError as error:
        head.fail("tolerance", str(error).removeprefix("tolerance: "))


def _name(head: Section, default: str) -> str:
    name = head.text("name", default)
    if not all(letter.isalnum() or letter in "._-" for letter in name) or name.startswith("."):
        head.fail(
            "name",
            f"expected letters, digits, and . _ - (it begins names of files), got {name!r}",
        )
    return name


def _table(document: Document, n_shots: int) -> tuple[dict[str, np.ndarray], str | None]:
    section = document.section("table")
    if not section.data:
        return {}, None
    path = section.text("file")
    section.finish()
    table = read_table(path)
    shortest = min(map(len, table.values()))
    if shortest < n_shots:
        section.fail("file", f"{path} has {shortest} rows, but there are {n_shots} shots")
    return table, path


def _variation(section: Section, name: str, table: Mapping[str, np.ndarray]) -> Variation:
    distribution = read_distribution(section, table)
    mode = section.choice("mode", "set", MODES)
    section.finish(tuple(DISTRIBUTIONS))
    return Variation(name, distribution, mode)


def _n_crystals(vary: Section, table: Mapping[str, np.ndarray]) -> Distribution:
    if "crystals" not in vary:
        return Distribution("constant", (1.0,))
    section = vary.subsection("crystals")
    distribution = read_distribution(section, table)
    section.finish(tuple(DISTRIBUTIONS))
    return distribution


def _orientations(vary: Section, table: Mapping[str, np.ndarray]) -> Orientations:
    given = vary.take("orientation", "base")
    if isinstance(given, str):
        if given not in ("base", "uniform"):
            vary.fail("orientation", f"expected base, uniform or a table, got {given!r}")
        return Orientations(given)
    section = vary.subsection("orientation")
    kinds = [kind for kind in ("spread", "list", "columns") if kind in section]
    if len(kinds) != 1:
        section.fail("", "expected spread (degrees), list or columns of missetting angles")
    (kind,) = kinds
    value = section.take(kind)
    section.finish()
    if kind == "spread":
        numbers = read_numbers(section, kind, value)
        if len(numbers) != 1 or not 0.0 <= numbers[0] <= 180.0:
            section.fail(kind, f"expected an angle from 0 to 180 degrees, got {value!r}")
        return Orientations(kind, spread=float(np.radians(numbers[0])))
    if not isinstance(value, list) or not value:
        section.fail(kind, f"expected a list, got {value!r}")
    if kind == "columns":
        if len(value) != 3 or not all(isinstance(n, str) and n in table for n in value):
            section.fail(kind, f"expected three columns of the table, got {value!r}")
        return Orientations(kind, columns=tuple(value))
    triples = []
    for item in value:
        numbers = read_numbers(section, kind, item)
        if len(numbers) != 3:
            section.fail(kind, f"expected three angles, got {item!r}")
        x, y, z = np.radians(numbers).tolist()
        triples.append((x, y, z))
    return Orientations(kind, angles=tuple(triples))
