"""The quirks of nonBragg: numbers, titles, policies, and those that can be corrected.

docs/nonbragg.md describes each quirk under the same number.
"""

from __future__ import annotations

from enum import IntEnum

from cupysim.drop_ins.quirk_list import QuirkList
from cupysim.quirks import Policy


class NonbraggQuirk(IntEnum):
    """One surprising behaviour of nonBragg. The value is its number in docs/nonbragg.md."""

    CLIPPED_SAMPLE = 1
    WORDS_NOT_READ = 2
    ONE_RADIAN = 3
    METRES_IN_SOURCES = 4
    WEIGHTS_NOT_NORMALISED = 5
    TWOTHETA_AXIS_SETS_TWOTHETA = 6
    WITHOUT_EFFECT = 7
    ONE_PIXEL_MORE = 8
    GAIN_WITHOUT_EFFECT = 9
    NO_REJECTION = 10
    NOPGM = 11
    COMMENTS_ARE_POINTS = 12
    MISSING_FACTORS = 13
    STRAIGHT_LINE = 14
    UNSORTED_TABLE = 15
    DEVIATION_OF_NEXT_PIXEL = 16
    PIXELS_OF_LAST_BIN = 17
    LONG_PGM = 18
    HEADER_DISTANCE_WINS = 19
    REGION_OVERFLOWS = 20
    SOLID_ANGLE_OF_SUB_PIXELS = 21
    EMPTY_REGION = 22
    NO_ATTENUATION = 23


_R: Policy = "reproduced"
_W: Policy = "reproduced with a warning"
_F: Policy = "always corrected"

TABLE: dict[IntEnum, tuple[str, Policy]] = {
    NonbraggQuirk.CLIPPED_SAMPLE: ("the sample is clipped to a beam that was not given", _W),
    NonbraggQuirk.WORDS_NOT_READ: ("-dispstep, -hdiv and -vdiv are not read", _W),
    NonbraggQuirk.ONE_RADIAN: ("divergence steps without a range mean one radian", _W),
    NonbraggQuirk.METRES_IN_SOURCES: ("wavelengths of source files are in metres", _W),
    NonbraggQuirk.WEIGHTS_NOT_NORMALISED: ("weights of sources are not normalised", _W),
    NonbraggQuirk.TWOTHETA_AXIS_SETS_TWOTHETA: ("-twotheta_axis sets -twotheta", _W),
    NonbraggQuirk.WITHOUT_EFFECT: ("options without effect", _W),
    NonbraggQuirk.ONE_PIXEL_MORE: ("one pixel more than asked for", _W),
    NonbraggQuirk.GAIN_WITHOUT_EFFECT: ("-gain does not act on images", _W),
    NonbraggQuirk.NO_REJECTION: ("no outliers are rejected, median and mad are unset", _R),
    NonbraggQuirk.NOPGM: ("-nopgm has no effect", _R),
    NonbraggQuirk.COMMENTS_ARE_POINTS: ("comments in the table are points", _W),
    NonbraggQuirk.MISSING_FACTORS: ("a missing structure factor is zero", _W),
    NonbraggQuirk.STRAIGHT_LINE: ("a straight line continues the table", _W),
    NonbraggQuirk.UNSORTED_TABLE: ("in unsorted tables, F depends on the previous pixels", _W),
    NonbraggQuirk.DEVIATION_OF_NEXT_PIXEL: ("rmsd and PGM scale look at the next pixel", _R),
    NonbraggQuirk.PIXELS_OF_LAST_BIN: ("the mean is wrong after -img", _R),
    NonbraggQuirk.LONG_PGM: ("the PGM file is twice as long", _F),
    NonbraggQuirk.HEADER_DISTANCE_WINS: ("the header's close distance beats -distance", _W),
    NonbraggQuirk.REGION_OVERFLOWS: ("a region overflows the first bin", _F),
    NonbraggQuirk.SOLID_ANGLE_OF_SUB_PIXELS: ("the solid angle counts each sub-pixel", _R),
    NonbraggQuirk.EMPTY_REGION: ("an empty region is accepted", _R),
    NonbraggQuirk.NO_ATTENUATION: ("thick samples do not absorb", _W),
}
"""Title and policy of each quirk."""

CORRECTABLE: frozenset[IntEnum] = frozenset(
    {
        NonbraggQuirk.CLIPPED_SAMPLE,
        NonbraggQuirk.WEIGHTS_NOT_NORMALISED,
        NonbraggQuirk.TWOTHETA_AXIS_SETS_TWOTHETA,
        NonbraggQuirk.ONE_PIXEL_MORE,
        NonbraggQuirk.NO_REJECTION,
        NonbraggQuirk.COMMENTS_ARE_POINTS,
        NonbraggQuirk.STRAIGHT_LINE,
        NonbraggQuirk.UNSORTED_TABLE,
        NonbraggQuirk.DEVIATION_OF_NEXT_PIXEL,
        NonbraggQuirk.PIXELS_OF_LAST_BIN,
        NonbraggQuirk.SOLID_ANGLE_OF_SUB_PIXELS,
    }
)
"""Quirks that `-corrected` corrects."""

QUIRKS = QuirkList("NBQ", TABLE, CORRECTABLE)
"""All of them, for warnings and `-corrected`."""
