"""The value ``auto`` of those options of the drop-in command that give numbers of steps."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cupysim.convergence import Steps
    from cupysim.models.experiment import Experiment

AUTO = "auto"

OPTIONS = ("-mosaic_dom", "-phisteps", "-spectrum_samples")
"""Options that have this value, in the order of `cupysim.convergence.Steps`."""


def has_automatic_steps(words: Sequence[str]) -> bool:
    """Whether a command line leaves a number of steps to cupysim."""
    return bool(_places(words))


def with_chosen_steps(words: Sequence[str]) -> tuple[list[str], str]:
    """Replace ``auto`` by numbers of steps with which the image is converged.

    Parameters
    ----------
    words : sequence of str
        The words after the program's name.

    Returns
    -------
    words : list of str
        The words with numbers.
    note : str
        A line about them.

    Raises
    ------
    CupysimError
        If another option is wrong, or no number is enough.
    """
    from cupysim.convergence import FEWEST, enough_steps
    from cupysim.errors import CupysimWarning, OptionError
    from cupysim.nanobragg.build import build
    from cupysim.renderer import Renderer

    places = _places(words)

    def experiment(steps: Steps) -> Experiment:
        with warnings.catch_warnings():
            # the run with the chosen numbers warns again
            warnings.simplefilter("ignore", CupysimWarning)
            return build(_replaced(words, steps)).experiment

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        job = build(_replaced(words, FEWEST))
    args = job.arguments
    if not 0.0 < args.convergence < 1.0:
        raise OptionError(
            "-convergence", f"must be above 0 and below 100 %, got {100 * args.convergence:g}"
        )
    if "-phisteps" in places:
        if not args.oscillation:
            raise OptionError("-phisteps", "auto needs the width of the rotation, -osc")
        if "-phistep" in args.seen:
            raise OptionError("-phistep", "the step follows from -osc and -phisteps auto")
    crystals = [each.crystal for each in job.experiment.each_crystal]
    if "-mosaic_dom" in places and all(each.mosaicity.n_domains == 1 for each in crystals):
        raise OptionError("-mosaic_dom", "auto needs a mosaic spread, or -spread_edges")
    which = ("-mosaic_dom" in places, "-phisteps" in places, "-spectrum_samples" in places)
    with Renderer(
        args.backend, args.precision, args.threads, args.devices, job.tolerance
    ) as renderer:
        numbers = enough_steps(experiment, renderer, args.convergence, which)
    found = _replaced(words, numbers)
    told = ", ".join(f"{name} {found[place]}" for name, place in places.items())
    return (
        found,
        f"{told}: half as many change the spots by less than {100 * args.convergence:g} %",
    )


def _places(words: Sequence[str]) -> dict[str, int]:
    """Places of the words ``auto``, by their options; an error if a number is given too."""
    from cupysim.errors import OptionError
    from cupysim.nanobragg.options import OPTIONS as KNOWN
    from cupysim.nanobragg.words import is_spelling

    found: dict[str, list[int]] = {}
    for option in (each for each in KNOWN if each.name in OPTIONS):
        for place, word in enumerate(words[:-1]):
            if word.startswith("-") and is_spelling(option, word):
                found.setdefault(option.name, []).append(place + 1)
    automatic = {
        name: places for name, places in found.items() if any(words[n] == AUTO for n in places)
    }
    for name, places in automatic.items():
        if len(places) > 1:
            raise OptionError(name, f"is given {len(places)} times, and once as {AUTO}")
    return {name: places[0] for name, places in automatic.items()}


def _replaced(words: Sequence[str], steps: Steps) -> list[str]:
    found = list(words)
    numbers = dict(zip(OPTIONS, steps, strict=True))
    for option, place in _places(words).items():
        found[place] = str(numbers[option])
    return found
