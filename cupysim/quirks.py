"""The numbered behaviours of the C program which surprise its users.

The default of cupysim reproduces them, because files must come out equal. A
run in which one of them has an effect says so once, and an experiment carries the
numbers of those which are corrected. Numbers are those of docs/quirks.md, which tells
each story in full.
"""

from __future__ import annotations

import operator
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cupysim.errors import CupysimWarning, ModelError

Policy = Literal["reproduced", "reproduced with a warning", "error", "mended"]


@dataclass(frozen=True)
class Quirk:
    """One behaviour of the C program.

    Parameters
    ----------
    number : int
        Its number in docs/quirks.md.
    title : str
        The behaviour in a few words.
    policy : str
        What cupysim does about it.
    """

    number: int
    title: str
    policy: Policy


class QuirkWarning(CupysimWarning):
    """A quirk of the C program has an effect on this run.

    Parameters
    ----------
    number : int
        Number of the quirk.
    effect : str
        What it does to this run, and what the user can do.
    can_be_mended : bool, optional
        Correcting the quirk changes this effect, which is then said.
    """

    def __init__(self, number: int, effect: str, can_be_mended: bool = True) -> None:
        mends = can_be_mended and number in CORRECTABLE
        remedy = f"; -corrected Q{number} mends it" if mends else ""
        super().__init__(f"Q{number}: {effect}{remedy}")
        self.number = number


_R: Policy = "reproduced"
_W: Policy = "reproduced with a warning"
_E: Policy = "error"
_F: Policy = "mended"

QUIRKS: dict[int, Quirk] = {
    number: Quirk(number, title, policy)
    for number, title, policy in (
        (1, "-twotheta_axis also sets -twotheta", _W),
        (2, "-misset_seed also sets -misset", _W),
        (3, "the orientation at phi = 0 is that of the previous step", _W),
        (4, "the two-theta axis is not normalised", _W),
        (5, "-cell builds a wrong triclinic cell", _W),
        (6, "gauss and tophat spots shrink with the cube of N", _W),
        (7, "two-theta is left out of the distance ratio", _W),
        (8, "-pivot acts in the CUSTOM convention only", _W),
        (9, "beam-centre options without effect", _W),
        (10, "a vector option switches to the CUSTOM convention", _W),
        (11, "the numbers of -pix0_vector are not used", _W),
        (12, "-curved_det as the last argument is ignored", _W),
        (13, "source weights are ignored", _W),
        (14, "-oversample_thick, _polar and _omega multiply the running sum", _W),
        (15, "a thick sensor is not integrated", _W),
        (16, "-oversample_thick without a sensor gives an empty image", _W),
        (17, "the water background is scaled twice", _W),
        (18, "-detector_abs inf before -detector_thick gives an empty image", _W),
        (19, "a curved detector is mirrored", _W),
        (20, "-point_pixel leaves out the pixel's area", _W),
        (21, "polarization and solid angle are those of the first sub-pixel", _W),
        (22, "the Kahn factor defaults to 0", _R),
        (23, "interpolation switches itself off", _W),
        (24, "-misset random draws within 90 radians", _R),
        (25, "automatic interpolation looks at N before the crystal's size", _W),
        (26, "sensor layers are thickness/(count-1) apart", _W),
        (27, "how counts, ranges and steps complete each other", _W),
        (28, "reading a dump file skips bytes which look like white space", _F),
        (29, "what is taken from -img and -mask headers", _W),
        (30, "text after which the HKL file is silently not read", _E),
        (31, "what a source file may hold", _F),
        (32, "the dump file is read without being asked for", _W),
        (33, "a long SMV header overflows its 512 bytes", _F),
        (34, "cancellation noise in the shape functions", _R),
        (35, "the printed solid angle counts steps wrongly", _R),
        (36, "seeds", _R),
        (37, "rounding of the integer images", _R),
        (38, "the number of steps overflows 32 bits", _F),
        (39, "mask and image files which cannot be read", _E),
        (40, "an option without its value", _E),
        (41, "a matrix file which is missing or short", _E),
        (42, "numbers which are not finite or not possible", _E),
        (43, "detectors without size", _E),
        (44, "masked pixels count in rmsd but not in mean and rms", _R),
        (45, "-N 0 means 1", _R),
        (46, "the divergence grid is not symmetric", _W),
        (47, "the range of Miller indices is not checked", _E),
        (48, "the beam clips the sample in two of three directions", _R),
        (49, "pixels outside the region of interest have no offset", _R),
        (50, "exit status 0 after nonsense", _E),
        (51, "a unit in an option's name does not count", _W),
    )
}

CORRECTABLE = frozenset((*range(1, 22), 23, 25, 26, 27, 29, 35, 44, 46, 51))
"""Numbers of the quirks which can be corrected; where others make files different, users rely on
it, and errors are errors in any case."""

OF_WORDS = frozenset({1, 2, 51})
"""Those of them which only concern how the command line's words are read: an experiment is
corrected without them."""

_NUMBER = re.compile(r"[Qq]([0-9]{1,3})")


def corrections(wanted: str | Iterable[int]) -> tuple[int, ...]:
    """Numbers of the quirks to correct.

    Parameters
    ----------
    wanted : str or iterable of int
        Numbers; or a text: "all", or numbers such as "Q3,Q5".

    Returns
    -------
    tuple of int
        In order, each once.

    Raises
    ------
    ModelError
        If there is no such quirk, or none which can be corrected.

    Examples
    --------
    >>> corrections("Q5,Q3")
    (3, 5)
    """
    if isinstance(wanted, str):
        if wanted.strip().lower() == "all":
            return tuple(sorted(CORRECTABLE))
        matches = [_NUMBER.fullmatch(word.strip()) for word in wanted.split(",")]
        if not all(matches):
            raise ModelError(f"corrected: expected 'all' or numbers like Q3,Q5, got {wanted!r}")
        wanted = [int(match[1]) for match in matches if match]
    try:
        words = list(wanted)
    except TypeError:
        raise ModelError(f"corrected: expected 'all' or numbers, got {wanted!r}") from None
    if any(isinstance(word, str) for word in words):
        return corrections(",".join(map(str, words)))
    try:
        numbers = sorted({operator.index(number) for number in words})
    except TypeError:
        raise ModelError(f"corrected: expected 'all' or numbers, got {wanted!r}") from None
    for number in numbers:
        if number not in QUIRKS:
            raise ModelError(
                f"corrected: there is no quirk Q{number}; they end with Q{len(QUIRKS)}"
            )
        if number not in CORRECTABLE:
            raise ModelError(
                f"corrected: Q{number} ({QUIRKS[number].title}) is {QUIRKS[number].policy}, which "
                "does not change; docs/quirks.md tells which do"
            )
    return tuple(numbers)


def warn_quirk(number: int, effect: str, can_be_mended: bool = True) -> None:
    """Tell the user, once, that a quirk has an effect on this run.

    Parameters
    ----------
    number : int
        Number of the quirk; a `KeyError` where there is none.
    effect : str
        What it does to this run, and what the user can do.
    can_be_mended : bool, optional
        Correcting the quirk changes this effect, which is then said.
    """
    warnings.warn(QuirkWarning(QUIRKS[number].number, effect, can_be_mended), stacklevel=3)
