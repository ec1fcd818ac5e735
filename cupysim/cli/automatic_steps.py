"""The value ``auto`` of -mosaic_dom and -phisteps of the drop-in command."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cupysim.models.experiment import Experiment

AUTO = "auto"

OPTIONS = ("-mosaic_dom", "-phisteps")
"""Options that have this value."""


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
    from cupysim.convergence import enough_steps
    from cupysim.errors import CupysimWarning, OptionError
    from cupysim.nanobragg.build import build
    from cupysim.renderer import Renderer

    places = _places(words)
    if "-phisteps" in places and "-osc" not in words:
        raise OptionError("-phisteps", "auto needs the width of the rotation, -osc")

    def experiment(n_domains: int, n_angles: int) -> Experiment:
        with warnings.catch_warnings():
            # the run with the chosen numbers warns again
            warnings.simplefilter("ignore", CupysimWarning)
            return build(_replaced(words, n_domains, n_angles)).experiment

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        job = build(_replaced(words, 2, 2))
    args = job.arguments
    chosen = ["-mosaic_dom" in places, "-phisteps" in places]
    with Renderer(
        args.backend, args.precision, args.threads, args.devices, job.tolerance
    ) as renderer:
        numbers = enough_steps(experiment, renderer, args.convergence, *chosen)
    found = _replaced(words, *numbers)
    told = ", ".join(f"{name} {found[place]}" for name, place in places.items())
    return (
        found,
        f"{told}: half as many change the spots by less than {100 * args.convergence:g} %",
    )


def _places(words: Sequence[str]) -> dict[str, int]:
    """Places of the words ``auto``, by their options."""
    return {
        option: place + 1
        for place, option in enumerate(words[:-1])
        if option in OPTIONS and words[place + 1] == AUTO
    }


def _replaced(words: Sequence[str], n_domains: int, n_angles: int) -> list[str]:
    found = list(words)
    numbers = dict(zip(OPTIONS, (n_domains, n_angles), strict=True))
    for option, place in _places(words).items():
        found[place] = str(numbers[option])
    return found
