"""The base of a campaign: the experiment that all shots vary, given by options of the command."""

from __future__ import annotations

import shlex
import warnings
from typing import Any

from cupysim.api import from_args
from cupysim.errors import CupysimError, OptionError
from cupysim.models.experiment import Experiment
from cupysim.nanobragg.options import OPTIONS
from cupysim.storage.toml_document import Document, Section

_OUTPUT = "campaigns write their own files; [output] decides which"
NOT_OF_A_BASE = {
    **dict.fromkeys(
        ("floatfile", "intfile", "noisefile", "pgmfile", "h5file", "cbffile", "cxifile",
         "geomfile", "exptfile", "pngfile", "provenance", "printout", "printout_pixel"), _OUTPUT,
    ),
    "crystals": "[vary] crystals draws the number of crystals of a shot",
    "dose": "the report of a single image has the dose; in Python, absorbed_dose(shot, material)",
    "convergence": "campaigns need numbers of steps",
    "seed": "the seed of a campaign is in [campaign]",
    "noise": "[output] has noise",
    "response": "the table [response] has the detector's response",
    **dict.fromkeys(
        ("backend", "precision", "tolerance", "threads", "device"),
        "[campaign] and the options of the run decide how images are computed",
    ),
}  # fmt: skip
"""Options that would have no effect in a base, and what to do instead."""

REPEATED = frozenset(
    name.lstrip("-") for option in OPTIONS if option.repeats for name in option.names
)
"""Options that may be given several times; a list has one value for each time."""

MODEL_SECTIONS = ("crystal", "beam", "detector", "sampling", "background")
"""Tables that have options of the drop-in command as keys."""


def base_words(document: Document) -> tuple[str, ...]:
    """Read the options of the base: its arguments, then those of the model's tables.

    Parameters
    ----------
    document : Document
        Campaign file.

    Returns
    -------
    tuple of str
        Words as on the command line.

    Raises
    ------
    FileFormatError
        If there are no options, or a value is of the wrong type.
    """
    base = document.section("base")
    given = base.take("arguments", [])
    base.finish()
    if isinstance(given, str):
        try:
            given = shlex.split(given)
        except ValueError as error:
            base.fail("arguments", str(error))
    if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
        base.fail("arguments", "expected options as on the command line, or a list of words")
    words = list(given)
    for word in words:
        if word.lstrip("-") in NOT_OF_A_BASE and word.startswith("-"):
            base.fail("arguments", f"{word}: {NOT_OF_A_BASE[word.lstrip('-')]}")
    for name in MODEL_SECTIONS:
        section = document.section(name)
        for key in section.data:
            value = section.take(key)
            if value is False:
                continue
            if key in NOT_OF_A_BASE:
                section.fail(key, NOT_OF_A_BASE[key])
            if f"-{key}" in words:
                section.fail(key, "is also among the base's arguments")
            several = value if isinstance(value, list) else [value]
            if key in REPEATED:
                for one in several:
                    words += [f"-{key}", _as_word(section, key, one)]
                continue
            words.append(f"-{key}")
            if value is not True:
                words += [_as_word(section, key, one) for one in several]
    if not words:
        document.fail(("base",), "no options; [base] arguments or [crystal], [beam], ... give them")
    return tuple(words)


def _as_word(section: Section, key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        section.fail(key, f"expected a text, numbers or true, got {value!r}")
    return value if isinstance(value, str) else repr(value)


def base_experiment(document: Document, words: tuple[str, ...]) -> Experiment:
    """Make the experiment that all shots vary.

    Parameters
    ----------
    document : Document
        Campaign file, for the line in error messages.
    words : tuple of str
        Options of the base.

    Returns
    -------
    Experiment
        Experiment of the base.

    Raises
    ------
    FileFormatError
        If an option is wrong.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            experiment = from_args([*words, "-nodump"])
    except CupysimError as error:
        place: tuple[str, ...] = ("base", "arguments")
        if isinstance(error, OptionError):
            key = error.option.lstrip("-")
            for name in MODEL_SECTIONS:
                if key in document.data.get(name, {}):
                    place = (name, key)
        document.fail(place, str(error))
    if experiment.further_crystals:
        document.fail(
            ("base", "arguments"),
            f"the base has {len(experiment.each_crystal)} crystals; [vary] crystals draws their "
            "number",
        )
    for warning in caught:
        warnings.warn(warning.message, stacklevel=2)
    return experiment
