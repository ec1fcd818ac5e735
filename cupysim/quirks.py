"""The quirks of nanoBragg: surprising behaviours with numbers, reproduced or corrected.

The drop-in command reproduces quirks, because it must write the same files as nanoBragg.
Experiments made in Python correct them by default. If a quirk has an effect on a run, cupysim warns
once. docs/quirks.md describes each quirk under the same number.
"""

from __future__ import annotations

import operator
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, Self

from cupysim.errors import CupysimWarning, ModelError

Policy = Literal["reproduced", "reproduced with a warning", "error", "always corrected"]


class Quirk(IntEnum):
    """One surprising behaviour of nanoBragg. The value is its number in docs/quirks.md."""

    TWOTHETA_AXIS_SETS_TWOTHETA = 1
    MISSET_SEED_SETS_MISSET = 2
    STALE_ORIENTATION = 3
    TWOTHETA_AXIS_LENGTH = 4
    TRICLINIC_CELL = 5
    SPOT_WIDTH = 6
    DISTANCE_RATIO = 7
    PIVOT_IN_CUSTOM_ONLY = 8
    BEAM_CENTRE_WITHOUT_EFFECT = 9
    VECTORS_SWITCH_CONVENTION = 10
    PIX0_VECTOR_UNUSED = 11
    CURVED_AS_LAST_ARGUMENT = 12
    SOURCE_WEIGHTS_IGNORED = 13
    RUNNING_PRODUCTS = 14
    THICK_SENSOR = 15
    NO_SENSOR_NO_IMAGE = 16
    WATER_SCALE = 17
    INFINITE_ABSORPTION = 18
    CURVED_MIRRORED = 19
    POINT_PIXEL_AREA = 20
    FIRST_SUB_PIXEL = 21
    KAHN_FACTOR_ZERO = 22
    INTERPOLATION_STOPS = 23
    RANDOM_MISSET = 24
    INTERPOLATION_BY_N = 25
    LAYER_SPACING = 26
    SWEEP_COMPLETION = 27
    DUMP_WHITE_SPACE = 28
    HEADER_READING = 29
    HKL_READING_STOPS = 30
    SOURCE_FILE = 31
    DUMP_READ_UNASKED = 32
    HEADER_OVERFLOW = 33
    CANCELLATION_NOISE = 34
    PRINTED_SOLID_ANGLE = 35
    SEEDS = 36
    INTEGER_ROUNDING = 37
    STEP_OVERFLOW = 38
    UNREADABLE_IMAGES = 39
    MISSING_VALUE = 40
    MATRIX_FILE = 41
    IMPOSSIBLE_NUMBERS = 42
    NO_DETECTOR_SIZE = 43
    MASKED_PIXELS_IN_RMSD = 44
    ZERO_CELLS = 45
    DIVERGENCE_GRID = 46
    INDEX_RANGE = 47
    BEAM_CLIPS_SAMPLE = 48
    OFFSET_IN_REGION = 49
    EXIT_STATUS = 50
    OPTION_UNITS = 51
    BEGINNINGS_OF_STEPS = 52
    STOL_UNUSED = 53

    @property
    def title(self) -> str:
        """Title of the quirk: the behaviour in a few words."""
        return TABLE[self][0]

    @property
    def policy(self) -> Policy:
        """Policy of the drop-in command, one of those in `Policy`."""
        return TABLE[self][1]


class QuirkWarning(CupysimWarning):
    """Warning that a quirk of the C program has an effect on this run.

    The attribute ``number`` is the number of the quirk.

    Parameters
    ----------
    quirk : Quirk
        Quirk that has the effect.
    effect : str
        Effect on this run, and what the user can do.
    can_be_corrected : bool, optional
        Whether a correction of the quirk removes this effect. The message then names the option.
    """

    def __init__(self, quirk: Quirk, effect: str, can_be_corrected: bool = True) -> None:
        is_correctable = can_be_corrected and quirk in CORRECTABLE
        remedy = f"; -corrected Q{quirk:d} corrects it" if is_correctable else ""
        super().__init__(f"Q{quirk:d}: {effect}{remedy}")
        self.number = int(quirk)


_R: Policy = "reproduced"
_W: Policy = "reproduced with a warning"
_E: Policy = "error"
_F: Policy = "always corrected"

TABLE: dict[Quirk, tuple[str, Policy]] = {
    Quirk.TWOTHETA_AXIS_SETS_TWOTHETA: ("-twotheta_axis also sets -twotheta", _W),
    Quirk.MISSET_SEED_SETS_MISSET: ("-misset_seed also sets -misset", _W),
    Quirk.STALE_ORIENTATION: ("the orientation at phi = 0 is that of the previous step", _W),
    Quirk.TWOTHETA_AXIS_LENGTH: ("the two-theta axis is not normalised", _W),
    Quirk.TRICLINIC_CELL: ("-cell builds a wrong triclinic cell", _W),
    Quirk.SPOT_WIDTH: ("gauss and tophat spots shrink with the cube of N", _W),
    Quirk.DISTANCE_RATIO: ("two-theta is left out of the distance ratio", _W),
    Quirk.PIVOT_IN_CUSTOM_ONLY: ("-pivot acts in the CUSTOM convention only", _W),
    Quirk.BEAM_CENTRE_WITHOUT_EFFECT: ("beam-centre options without effect", _W),
    Quirk.VECTORS_SWITCH_CONVENTION: ("a vector option switches to the CUSTOM convention", _W),
    Quirk.PIX0_VECTOR_UNUSED: ("the numbers of -pix0_vector are not used", _W),
    Quirk.CURVED_AS_LAST_ARGUMENT: ("-curved_det as the last argument is ignored", _W),
    Quirk.SOURCE_WEIGHTS_IGNORED: ("source weights are ignored", _W),
    Quirk.RUNNING_PRODUCTS: ("-oversample_thick, _polar and _omega multiply the running sum", _W),
    Quirk.THICK_SENSOR: ("a thick sensor is not integrated", _W),
    Quirk.NO_SENSOR_NO_IMAGE: ("-oversample_thick without a sensor gives an empty image", _W),
    Quirk.WATER_SCALE: ("the water background is scaled twice", _W),
    Quirk.INFINITE_ABSORPTION: (
        "-detector_abs inf before -detector_thick gives an empty image",
        _W,
    ),
    Quirk.CURVED_MIRRORED: ("a curved detector is mirrored", _W),
    Quirk.POINT_PIXEL_AREA: ("-point_pixel leaves out the pixel's area", _W),
    Quirk.FIRST_SUB_PIXEL: ("polarization and solid angle are those of the first sub-pixel", _W),
    Quirk.KAHN_FACTOR_ZERO: ("the Kahn factor defaults to 0", _R),
    Quirk.INTERPOLATION_STOPS: ("interpolation switches itself off", _W),
    Quirk.RANDOM_MISSET: ("-misset random draws within 90 radians", _R),
    Quirk.INTERPOLATION_BY_N: ("automatic interpolation looks at N before the crystal's size", _W),
    Quirk.LAYER_SPACING: ("sensor layers are thickness/(count-1) apart", _W),
    Quirk.SWEEP_COMPLETION: ("how counts, ranges and steps complete each other", _W),
    Quirk.DUMP_WHITE_SPACE: ("reading a dump file skips bytes that look like white space", _F),
    Quirk.HEADER_READING: ("what is taken from -img and -mask headers", _W),
    Quirk.HKL_READING_STOPS: ("text after which the HKL file is silently not read", _E),
    Quirk.SOURCE_FILE: ("what a source file may hold", _F),
    Quirk.DUMP_READ_UNASKED: ("the dump file is read without being asked for", _W),
    Quirk.HEADER_OVERFLOW: ("a long SMV header overflows its 512 bytes", _F),
    Quirk.CANCELLATION_NOISE: ("cancellation noise in the shape functions", _R),
    Quirk.PRINTED_SOLID_ANGLE: ("the printed solid angle counts steps wrongly", _R),
    Quirk.SEEDS: ("seeds", _R),
    Quirk.INTEGER_ROUNDING: ("rounding of the integer images", _R),
    Quirk.STEP_OVERFLOW: ("the number of steps overflows 32 bits", _F),
    Quirk.UNREADABLE_IMAGES: ("mask and image files that cannot be read", _E),
    Quirk.MISSING_VALUE: ("an option without its value", _E),
    Quirk.MATRIX_FILE: ("a matrix file that is missing or short", _E),
    Quirk.IMPOSSIBLE_NUMBERS: ("numbers that are not finite or not possible", _E),
    Quirk.NO_DETECTOR_SIZE: ("detectors without size", _E),
    Quirk.MASKED_PIXELS_IN_RMSD: ("masked pixels count in rmsd but not in mean and rms", _R),
    Quirk.ZERO_CELLS: ("-N 0 means 1", _R),
    Quirk.DIVERGENCE_GRID: ("the divergence grid is not symmetric", _W),
    Quirk.INDEX_RANGE: ("the range of Miller indices is not checked", _E),
    Quirk.BEAM_CLIPS_SAMPLE: ("the beam clips the sample in two of three directions", _R),
    Quirk.OFFSET_IN_REGION: ("pixels outside the region of interest have no offset", _R),
    Quirk.EXIT_STATUS: ("exit status 0 after nonsense", _E),
    Quirk.OPTION_UNITS: ("a unit in an option's name does not count", _W),
    Quirk.BEGINNINGS_OF_STEPS: ("rotation steps are at their beginnings", _W),
    Quirk.STOL_UNUSED: ("the table of -stol is not used", _W),
}
"""Title and policy of each quirk."""

CORRECTABLE = frozenset(
    Quirk(number) for number in (*range(1, 22), 23, 25, 26, 27, 29, 35, 44, 46, 51, 52, 53)
)
"""Quirks that can be corrected. Users rely on the other quirks that change files. Errors remain
errors in any case."""

OF_WORDS = frozenset(
    {Quirk.TWOTHETA_AXIS_SETS_TWOTHETA, Quirk.MISSET_SEED_SETS_MISSET, Quirk.OPTION_UNITS}
)
"""Correctable quirks that only affect how the command line is read. An experiment is right without
their correction."""

_NUMBER = re.compile(r"[Qq]([0-9]{1,3})")


@dataclass(frozen=True)
class Quirks:
    """A choice of quirks that are corrected. All others act as in nanoBragg.

    Parameters
    ----------
    corrected : frozenset of Quirk
        Corrected quirks; all must be in `CORRECTABLE`. By default all of `CORRECTABLE`.

    Examples
    --------
    >>> Quirks.of("Q5,Q3").numbers
    (3, 5)
    >>> Quirks.of("nanobragg").corrects(Quirk.TRICLINIC_CELL)
    False
    """

    corrected: frozenset[Quirk] = CORRECTABLE

    @classmethod
    def of(cls, wanted: Quirks | str | Iterable[int]) -> Self:
        """Make the choice of quirks from a name or from numbers.

        Parameters
        ----------
        wanted : Quirks, str or iterable of int
            A choice of quirks; a name from `POLICIES`; or the quirks to correct, as numbers or as
            a string such as "Q3,Q5".

        Raises
        ------
        ModelError
            If the name or a quirk does not exist, or a quirk cannot be corrected.
        """
        if isinstance(wanted, Quirks):
            return cls(wanted.corrected)
        if isinstance(wanted, str) and wanted.strip().lower() in POLICIES:
            return cls(POLICIES[wanted.strip().lower()])
        return cls(frozenset(_numbered(wanted)))

    def corrects(self, *quirks: Quirk) -> bool:
        """Whether all of these quirks are corrected."""
        return self.corrected.issuperset(quirks)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the quirks that are corrected, in order."""
        return tuple(sorted(int(quirk) for quirk in self.corrected))

    @property
    def is_right(self) -> bool:
        """Whether every quirk that can make an image wrong is corrected."""
        return self.corrects(*(CORRECTABLE - OF_WORDS))


POLICIES: dict[str, frozenset[Quirk]] = {
    "corrected": CORRECTABLE,
    "all": CORRECTABLE,
    "nanobragg": frozenset(),
    "nanobragg-gpu": frozenset(
        {Quirk.STALE_ORIENTATION, Quirk.CURVED_AS_LAST_ARGUMENT, Quirk.RUNNING_PRODUCTS}
    ),
}
"""Corrected quirks by name. "corrected" and "all" correct all that can be corrected. "nanobragg"
corrects none. "nanobragg-gpu" corrects three: the tests of nanoBragg's GPU version use nanoBragg
with these three fixes as their reference."""

CORRECTED, NANOBRAGG = Quirks.of("corrected"), Quirks.of("nanobragg")


def _numbered(wanted: str | Iterable[int]) -> list[Quirk]:
    """Quirks from numbers or from a string such as "Q3,Q5"; `Quirks.of` describes the errors."""
    expected = f"{', '.join(map(repr, POLICIES))} or numbers like Q3,Q5"
    if isinstance(wanted, str):
        matches = [_NUMBER.fullmatch(word.strip()) for word in wanted.split(",")]
        if not all(matches):
            raise ModelError(f"quirks: expected {expected}, got {wanted!r}")
        wanted = [int(match[1]) for match in matches if match]
    try:
        words = list(wanted)
    except TypeError:
        raise ModelError(f"quirks: expected {expected}, got {wanted!r}") from None
    if words and all(isinstance(word, str) for word in words):
        return _numbered(",".join(map(str, words)))
    try:
        numbers = sorted({operator.index(number) for number in words})
    except TypeError:
        raise ModelError(f"quirks: expected {expected}, got {wanted!r}") from None
    for number in numbers:
        if number not in Quirk._value2member_map_:
            raise ModelError(f"quirks: there is no quirk Q{number}; the last is Q{len(Quirk)}")
        quirk = Quirk(number)
        if quirk not in CORRECTABLE:
            raise ModelError(
                f"quirks: Q{number} ({quirk.title}) is {quirk.policy} and cannot be corrected; "
                "docs/quirks.md lists the quirks that can"
            )
    return [Quirk(number) for number in numbers]


def warn_quirk(quirk: Quirk, effect: str, can_be_corrected: bool = True) -> None:
    """Warn that a quirk has an effect on this run.

    Parameters
    ----------
    quirk : Quirk
        Quirk that has the effect.
    effect : str
        Effect on this run, and what the user can do.
    can_be_corrected : bool, optional
        Whether a correction of the quirk removes this effect. The message then names the option.
    """
    warnings.warn(QuirkWarning(quirk, effect, can_be_corrected), stacklevel=3)
