"""The quirks of noisify: numbers, titles, policies, and those that can be corrected.

docs/noisify.md describes each quirk under the same number.
"""

from __future__ import annotations

from enum import IntEnum

from cupysim.drop_ins.quirk_list import QuirkList
from cupysim.quirks import Policy


class NoisifyQuirk(IntEnum):
    """One surprising behaviour of noisify. The value is its number in docs/noisify.md."""

    MISSING_SPREAD = 1
    NAME_IS_INPUT = 2
    NO_INPUT = 3
    SCALE_AND_GAIN = 4
    FLICKER_OF_PIXELS = 5
    CALIBRATION_UNASKED = 6
    SHARED_TABLE = 7
    CALIBRATION_SEED = 8
    UNUSED_SEEDS = 9
    SIZE_WITHOUT_EFFECT = 10
    PHISTEP_IS_PHI = 11
    SHORT_INPUT = 12
    NO_HEADER = 13
    TRUNCATION = 14
    NEGATIVE_RADIUS = 15
    CLIPPED_AT_16_BITS = 16
    BITS = 17
    EDGE_SLIP = 18
    LOST_LIGHT = 19
    MEAN_OF_MINUS_ONE = 20
    NO_FLOAT_IMAGE = 21
    BELOW_ZERO = 22
    WEAK_PIXELS = 23
    SPARE_FOR_PHOTONS = 24
    BLURRED_COUNTS = 25
    HEADER_WINS = 26
    ONE_THREAD = 27


_R: Policy = "reproduced"
_W: Policy = "reproduced with a warning"
_E: Policy = "error"
_F: Policy = "always corrected"

TABLE: dict[IntEnum, tuple[str, Policy]] = {
    NoisifyQuirk.MISSING_SPREAD: ("-psf without a value", _E),
    NoisifyQuirk.NAME_IS_INPUT: ("a name that contains floatimage.bin is the input", _W),
    NoisifyQuirk.NO_INPUT: ("no input, or a missing one", _E),
    NoisifyQuirk.SCALE_AND_GAIN: ("-scale and -gain differ from nanoBragg's", _R),
    NoisifyQuirk.FLICKER_OF_PIXELS: ("flicker is drawn for each pixel", _W),
    NoisifyQuirk.CALIBRATION_UNASKED: ("3 % calibration error without being asked for", _W),
    NoisifyQuirk.SHARED_TABLE: ("calibration errors differ from shot to shot", _W),
    NoisifyQuirk.CALIBRATION_SEED: ("seeds that do not start a stream", _R),
    NoisifyQuirk.UNUSED_SEEDS: ("seeds of bad and hot pixels are not used", _W),
    NoisifyQuirk.SIZE_WITHOUT_EFFECT: ("-detsize gives no number of pixels", _W),
    NoisifyQuirk.PHISTEP_IS_PHI: ("-phistep sets -phi", _R),
    NoisifyQuirk.SHORT_INPUT: ("a short input is filled with zeros", _E),
    NoisifyQuirk.NO_HEADER: ("a header that cannot be read", _E),
    NoisifyQuirk.TRUNCATION: ("integers are truncated", _R),
    NoisifyQuirk.NEGATIVE_RADIUS: ("a negative -psf_radius", _E),
    NoisifyQuirk.CLIPPED_AT_16_BITS: ("images of 32 bits without noise end at 65535", _W),
    NoisifyQuirk.BITS: ("other numbers of bits; 32 bits under a header for 16", _E),
    NoisifyQuirk.EDGE_SLIP: ("light beyond the right edge comes back on the left", _W),
    NoisifyQuirk.LOST_LIGHT: ("light beyond a radius is estimated and spread evenly", _R),
    NoisifyQuirk.MEAN_OF_MINUS_ONE: (
        "if the first pixel expects -1 photons, about 100 are counted",
        _R,
    ),
    NoisifyQuirk.NO_FLOAT_IMAGE: ("no image of expected photons", _F),
    NoisifyQuirk.BELOW_ZERO: ("values below zero wrap around", _W),
    NoisifyQuirk.WEAK_PIXELS: ("weak pixels vanish when they are blurred", _W),
    NoisifyQuirk.SPARE_FOR_PHOTONS: ("noise above a million photons can come from -calib_seed", _R),
    NoisifyQuirk.BLURRED_COUNTS: ("photons are blurred after they are counted", _R),
    NoisifyQuirk.HEADER_WINS: ("-header wins over other options", _R),
    NoisifyQuirk.ONE_THREAD: ("one thread", _F),
}
"""Title and policy of each quirk."""

CORRECTABLE: frozenset[IntEnum] = frozenset(
    {
        NoisifyQuirk.FLICKER_OF_PIXELS,
        NoisifyQuirk.SHARED_TABLE,
        NoisifyQuirk.TRUNCATION,
        NoisifyQuirk.CLIPPED_AT_16_BITS,
        NoisifyQuirk.EDGE_SLIP,
        NoisifyQuirk.LOST_LIGHT,
        NoisifyQuirk.BELOW_ZERO,
        NoisifyQuirk.WEAK_PIXELS,
        NoisifyQuirk.SPARE_FOR_PHOTONS,
    }
)
"""Quirks that `-corrected` corrects."""

QUIRKS = QuirkList("NQ", TABLE, CORRECTABLE)
"""All of them, for warnings and `-corrected`."""
