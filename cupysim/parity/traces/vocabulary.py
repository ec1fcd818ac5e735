"""Names and units in traces of pixels: those of cupysim, and those of other programs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache

SETUP, STEP, RESULT = "setup", "step", "result"


@dataclass(frozen=True)
class Alias:
    """The meaning of another program's name.

    Parameters
    ----------
    name : str
        The name in cupysim.
    part : str
        Part of the trace: "setup", "step" or "result".
    unit : str
        Unit of the numbers, even if the other program's name says otherwise.
    """

    name: str
    part: str
    unit: str = ""


ANGSTROM, PER_ANGSTROM = "A", "A^-1"

_COMMON = {
    "detector_convention": Alias("convention", SETUP),
    "angles_rad": Alias("detector_angles", SETUP, "rad"),
    "initial_fdet": Alias("detector_fast_at_rest", SETUP),
    "initial_sdet": Alias("detector_slow_at_rest", SETUP),
    "initial_odet": Alias("detector_normal_at_rest", SETUP),
    "R_total": Alias("detector_rotation", SETUP),
    "twotheta_axis": Alias("twotheta_axis", SETUP),
    "fdet_after_twotheta": Alias("detector_fast", SETUP),
    "sdet_after_twotheta": Alias("detector_slow", SETUP),
    "odet_after_twotheta": Alias("detector_normal", SETUP),
    "Fbeam_m": Alias("beam_fast", SETUP, "m"),
    "Sbeam_m": Alias("beam_slow", SETUP, "m"),
    "distance_m": Alias("distance_at_rest", SETUP, "m"),
    "term_fast": Alias("term_fast", SETUP, "m"),
    "term_slow": Alias("term_slow", SETUP, "m"),
    "term_beam": Alias("term_beam", SETUP, "m"),
    "pix0_vector": Alias("pix0", SETUP, "m"),
    "pix0_vector_meters": Alias("pix0", SETUP, "m"),
    "fdet_vec": Alias("detector_fast", SETUP),
    "sdet_vec": Alias("detector_slow", SETUP),
    "pixel_pos_meters": Alias("pixel_position", STEP, "m"),
    "R_distance_meters": Alias("airpath", STEP, "m"),
    "omega_pixel_sr": Alias("omega", STEP, "sr"),
    "close_distance_meters": Alias("close_distance", SETUP, "m"),
    "obliquity_factor": Alias("obliquity_factor", STEP),
    "diffracted_vec": Alias("diffracted", STEP),
    "incident_vec": Alias("incident", STEP),
    "lambda_meters": Alias("wavelength", STEP, "m"),
    "lambda_angstroms": Alias("wavelength", STEP, ANGSTROM),
    # in 1/m, in spite of its name
    "scattering_vec_A_inv": Alias("scattering_vector", STEP, "m^-1"),
    "rot_a_angstroms": Alias("a", STEP, ANGSTROM),
    "rot_b_angstroms": Alias("b", STEP, ANGSTROM),
    "rot_c_angstroms": Alias("c", STEP, ANGSTROM),
    "rot_a_star_A_inv": Alias("a_star", STEP, PER_ANGSTROM),
    "rot_b_star_A_inv": Alias("b_star", STEP, PER_ANGSTROM),
    "rot_c_star_A_inv": Alias("c_star", STEP, PER_ANGSTROM),
    "hkl_frac": Alias("hkl", STEP),
    "hkl_rounded": Alias("hkl_rounded", STEP),
    "F_latt_a": Alias("F_latt_a", STEP),
    "F_latt_b": Alias("F_latt_b", STEP),
    "F_latt_c": Alias("F_latt_c", STEP),
    "F_latt": Alias("F_latt", STEP),
    "F_cell": Alias("F_cell", STEP, "electron"),
    "F_cell_nearest": Alias("F_cell", STEP, "electron"),
    "I_before_scaling": Alias("intensity_sum", RESULT, "electron^2"),
    "I_before_scaling_pre_polar": Alias("intensity_sum", RESULT, "electron^2"),
    "r_e_meters": Alias("r_e", RESULT, "m"),
    "r_e_sqr": Alias("r_e_squared", RESULT, "m^2"),
    "fluence_photons_per_m2": Alias("fluence", RESULT, "m^-2"),
    "fluence": Alias("fluence", RESULT, "m^-2"),
    "steps": Alias("steps", RESULT),
    "oversample_thick": Alias("oversample_thick", RESULT),
    "oversample_polar": Alias("oversample_polar", RESULT),
    "oversample_omega": Alias("oversample_omega", RESULT),
    "capture_fraction": Alias("capture_fraction", RESULT),
    "polar": Alias("polarization", RESULT),
    "omega_pixel": Alias("omega", RESULT, "sr"),
    "cos_2theta": Alias("cos_2theta", RESULT),
    "I_pixel_final": Alias("photons_before_rounding", RESULT, "photons"),
    "floatimage_accumulated": Alias("photons", RESULT, "photons"),
}

ALIASES = {
    # the instrumented C program prints the crystal's reciprocal vectors before they are turned
    "TRACE_C": _COMMON
    | {f"rot_{x}_star_A_inv": Alias(f"cell_{x}_star", SETUP, PER_ANGSTROM) for x in "abc"},
    "TRACE_PY": _COMMON,
}
"""Names of other programs and their meanings, by the prefix of the lines."""

KEYED_ALIASES = {
    # the program divides metres by a thousand
    "beam_center_m.X": Alias("beam_centre_x", SETUP, "km"),
    "beam_center_m.Y": Alias("beam_centre_y", SETUP, "km"),
    "beam_center_m.pixel_mm": Alias("pixel_size", SETUP, "mm"),
}
"""Names of numbers in lines that hold several numbers, each with its own word."""

INSTEAD = {"photons_before_rounding": "photons"}
"""Value to compare with instead, if the other trace does not have this one."""

FLOAT32_RESOLUTION = 2.0**-24
"""Relative rounding error of float32, for numbers that one program rounds to it."""

FLOAT32_TINY = 2.0**-126
"""Smallest normal number of float32. Below it, digits are lost."""

PHOTONS = ("photons", "photons_before_rounding")
"""Names of values that end as float32."""

_LENGTHS = {
    "km": 3, "m": 0, "meter": 0, "meters": 0, "metre": 0, "metres": 0, "mm": -3, "um": -6,
    "micron": -6, "microns": -6, "nm": -9, "A": -10, "\u00c5": -10, "\u212b": -10,
    "angstrom": -10, "angstroms": -10, "Angstrom": -10, "Angstroms": -10,
}  # fmt: skip
"""Units of length as powers of ten in metres, so that powers of a unit are exact."""

DEGREE = math.pi / 180.0

_PLAIN = {
    "": ("", 1.0), "1": ("", 1.0), "sr": ("sr", 1.0), "rad": ("rad", 1.0), "mrad": ("rad", 1e-3),
    "deg": ("rad", DEGREE), "degree": ("rad", DEGREE),
    "degrees": ("rad", DEGREE), "electron": ("electron", 1.0),
    "electrons": ("electron", 1.0), "electron^2": ("electron^2", 1.0),
    "electrons^2": ("electron^2", 1.0), "photon": ("photons", 1.0), "photons": ("photons", 1.0),
}  # fmt: skip

_POWER = re.compile(r"(?:(?:photons?|1)/)?(?P<unit>[^\W\d_]+)(?:_inv|(?:\^|\*\*)?(?P<power>-?\d))?")


@cache
def to_si(unit: str) -> tuple[str, float] | None:
    """The SI unit for a unit, and the factor that converts to it.

    Parameters
    ----------
    unit : str
        A unit such as ``mm``, ``1/A``, ``A^-1``, ``photons/m^2`` or ``deg``; empty for pure
        numbers.

    Returns
    -------
    tuple of str and float, or None
        SI unit and factor; None for an unknown unit.

    Examples
    --------
    >>> to_si("A^-1")
    ('m^-1', 10000000000.0)
    >>> to_si("photons/mm^2")
    ('m^-2', 1000000.0)
    """
    if unit in _PLAIN:
        return _PLAIN[unit]
    match = _POWER.fullmatch(unit)
    if match is None or match["unit"] not in _LENGTHS:
        return None
    power = int(match["power"] or 1)
    if unit.endswith("_inv") or "/" in unit:
        power = -power
    factor = float(f"1e{power * _LENGTHS[match['unit']]}")
    return ("m" if power == 1 else f"m^{power}"), factor
