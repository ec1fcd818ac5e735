"""Typical causes of a difference between two traces: units, factors, half pixels, orders."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from cupysim.parity.traces.values import Value

TELLING = 1e-5
"""Largest relative difference of a ratio from a known number."""

NEGLIGIBLE = 1e-9
"""Part of a vector's largest number below which a component is ignored for a ratio."""

Known = Mapping[str, tuple[float, ...]]
"""Other values of the pixel and the step, by name, in SI units."""

RATIOS = (
    (-1.0, "the sign is reversed"),
    (2.0, "a factor of 2"),
    (math.pi, "a factor of pi"),
    (2.0 * math.pi, "a factor of 2 pi"),
    (4.0 * math.pi, "a factor of 4 pi"),
    (math.pi**2, "a factor of pi squared"),
    (4.0 * math.pi**2, "a factor of (2 pi) squared"),
    (180.0 / math.pi, "a factor of 180/pi: degrees against radians"),
    (1e10, "a factor of 10^10: metres against Angstrom"),
    (1e20, "a factor of 10^20: square metres against square Angstrom"),
    (1e30, "a factor of 10^30: cubic metres against cubic Angstrom"),
    (1e9, "a factor of 10^9: metres against nanometres"),
    (1e6, "a factor of 10^6: metres against micrometres, or areas in mm^2"),
    (1e3, "a factor of 1000: metres against millimetres"),
    (1e2, "a factor of 100: a percentage, or centimetres"),
    (1e7, "a factor of 10^7"),
    (1e4, "a factor of 10^4: Angstrom against micrometres, or areas in cm^2"),
    (12398.42, "a factor of 12398.42: energy against wavelength"),
)
"""Known ratios with their meaning. Their inverses are recognised too."""

_RAY = ("pixel_size", "airpath", "distance", "close_distance", "wavelength", "obliquity_factor")
_LATTICE = ("F_latt_a", "F_latt_b", "F_latt_c", "n_cells")
_SUM = (
    "F_latt", "F_cell", *_LATTICE, "steps", "n_sources", "n_phi", "n_domains", "n_layers",
    "oversample", "polarization", "omega", "capture_fraction", "r_e_squared", "fluence",
)  # fmt: skip

FACTORS = {
    **dict.fromkeys(("scattering_vector", "stol", "hkl", "omega", "capture_fraction"), _RAY),
    "F_latt": _LATTICE,
    **dict.fromkeys(("step_intensity", "running_sum", "intensity_sum"), _SUM),
    **dict.fromkeys(("photons", "photons_before_rounding"), _SUM),
}
"""For each value, names of values that may be a missing or additional factor."""

SQUARED = ("pixel_size", "oversample", "airpath", "distance", "F_latt", "F_cell")
"""Factors that may also occur as squares."""

SUSPECTS = {
    "convention": "naming any vector or axis switches to the custom convention",
    "oversample": "the automatic number follows from the crystal's size, or -oversample was given",
    "n_domains": "-mosaic alone gives ten domains, -mosaic_dom alone one",
    "n_phi": "-osc alone gives two steps, -phisteps alone one degree",
    "n_layers": "one layer becomes two; -detector_thicksteps needs -detector_thick",
    "n_sources": "the elliptical trim of divergence grids, or an empty line in the source file",
    "detector_rotation": "order, axes or sign of -detector_rotx, roty, rotz",
    "beam_fast": "the half pixel of MOSFLM and DENZO, X and Y swapped, or a flipped Y",
    "beam_slow": "the half pixel of MOSFLM and DENZO, X and Y swapped, or a flipped Y",
    "distance": "the pivot in use, or the two-theta swing in the ratio of the distances",
    "distance_at_rest": "the cosine between beam and detector normal, without two-theta",
    "pix0": "the pivot: with the beam as pivot, the origin is computed after the rotations; with "
    "the sample, before them",
    "cell_a": "the cell's second pass: cross products with lengths forced to the given ones",
    "cell_a_star": "the missetting angles turn the reciprocal vectors, about x, then y, then z",
    "pixel_position": "the sub-pixel's centre, the layer's depth, a curved detector, or fast and "
    "slow exchanged",
    "omega": "the solid angle is that of the pixel's first sub-pixel, unless it is oversampled",
    "capture_fraction": "the value in the last layer's first sub-pixel; the sign of the parallax",
    "polarization": "the value of the first source and sub-pixel; the Kahn factor; the axis",
    "scattering_vector": "(diffracted - incident) / wavelength, in 1/m",
    "phi_rotation": "the spindle axis, its length, or the sense of the rotation",
    "mosaic_rotation": "the seed, its sign, the generator, or rows taken for columns",
    "a": "another spindle angle, mosaic seed or spread, missetting or cell; a rotation left from "
    "the pixel before (Q3)",
    "hkl_rounded": "a half goes down: ceil(h - 0.5)",
    "F_cell": "nearest or interpolated; the box of the table; -default_F; an old table in the "
    "folder (Fdump.bin)",
    "F_latt": "the crystal's shape, or the number of cells",
    "step_intensity": "the square of F_cell times F_latt; diffuse scattering",
    "intensity_sum": "which steps are summed; the background; running factors of oversampling",
    "steps": "sources times domains times spindle angles times sub-pixels; layers do not count",
    "fluence": "flux times exposure over the beam's area, if all three are given; the beam clips "
    "the crystal, not the fluence",
    "photons": "the factors at the end: steps, r_e squared, fluence, and factors that are not "
    "oversampled",
}
"""Frequent causes of a difference, by name of the value."""


def hints(first: Value, second: Value, known: Known) -> list[str]:
    """Possible causes of the difference of a value between two traces.

    Parameters
    ----------
    first, second : Value
        The value in the two traces.
    known : mapping of str to tuple of float
        Other values of the pixel and the step, by name, in SI units.

    Returns
    -------
    list of str
        Causes, the most likely first. If the numbers show none, a frequent cause for such a value.
    """
    found = list(_findings(first, second, known))
    # b and c have the same causes as a
    suspect = SUSPECTS.get(re.sub(r"(^|_)[bc](?=$|_)", r"\1a", first.name))
    if not found and suspect is not None:
        found.append(f"often: {suspect}")
    return found


def _findings(first: Value, second: Value, known: Known) -> Sequence[str]:
    if first.text or second.text:
        return []
    if first.unit != second.unit and first.unit and second.unit:
        return [f"the units {first.unit} and {second.unit} measure different things"]
    a, b = (np.array(value.numbers, dtype=np.float64) for value in (first, second))
    if len(a) != len(b):
        return [f"{len(a)} numbers against {len(b)}"]
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return ["a number that is not finite"]
    return [
        *_rotation_order(first.name, a, b, known),
        *_pixels_apart(first.name, a, b, known),
        *_ratio(first.name, a, b, known),
        *_arrangement(a, b),
        *_half_rounded(first.name, a, b, known),
    ]


def _common_ratio(a: np.ndarray, b: np.ndarray) -> float | None:
    """The factor between two vectors, or None if they are not parallel."""
    large = np.abs(a) > NEGLIGIBLE * np.abs(a).max(initial=0.0)
    if not large.any() or not b[large].all():
        return None
    ratios = b[large] / a[large]
    small = np.abs(b[~large]) <= NEGLIGIBLE * 10 * np.abs(b).max(initial=0.0)
    spread = np.abs(ratios / ratios[0] - 1.0).max()
    return float(ratios[0]) if spread < TELLING and small.all() else None


def _is(ratio: float, number: float) -> bool:
    return number != 0.0 and abs(ratio / number - 1.0) < TELLING


def _power(number: float, power: int) -> float:
    """A power of a number; 0 if it overflows, since no ratio equals it then."""
    try:
        return number**power
    except OverflowError:
        return 0.0


def telling(ratio: float) -> list[str]:
    """Meanings of a ratio of two numbers, if it is a known one.

    Parameters
    ----------
    ratio : float
        The second number divided by the first.

    Returns
    -------
    list of str
        Meanings; empty if the ratio is not known.
    """
    return [text for number, text in RATIOS if _is(ratio, number) or _is(ratio, 1.0 / number)]


def _ratio(name: str, a: np.ndarray, b: np.ndarray, known: Known) -> list[str]:
    ratio = _common_ratio(a, b)
    if ratio is None:
        if a.any() and not b.any():
            return ["the second is zero"]
        return ["the first is zero"] if b.any() and not a.any() else []
    found = telling(ratio)
    for factor in FACTORS.get(name, ()):
        for place, number in enumerate(known.get(factor, ())):
            if abs(abs(number) - 1.0) < TELLING or number == 0.0:
                continue
            which = factor if len(known[factor]) == 1 else f"{factor}[{place}]"
            powers = ((1, ""), (2, " squared")) if factor in SQUARED else ((1, ""),)
            for power, shown in powers:
                if _is(ratio, _power(number, power)):
                    found.append(f"the second has one factor more: {which}{shown} ({number:g})")
                elif _is(ratio, _power(number, -power)):
                    found.append(f"the second lacks a factor: {which}{shown} ({number:g})")
    if len(a) == 1 and a[0] > 0.0 and not found:
        if _is(float(b[0]), _power(float(a[0]), 2)):
            found.append("the second is the square of the first")
        elif b[0] > 0.0 and _is(_power(float(b[0]), 2), float(a[0])):
            found.append("the second is the square root of the first")
    if len(a) > 1 and not found:
        found.append(f"the direction is the same, the length {ratio:.9g} times as large")
    return list(dict.fromkeys(found))


def _pixels_apart(name: str, a: np.ndarray, b: np.ndarray, known: Known) -> list[str]:
    """Shifts by multiples of half a pixel."""
    size = next(iter(known.get("pixel_size", ())), 0.0)
    if not 0.0 < size < math.inf:
        return []
    axes = [np.array(known.get(f"detector_{axis}", ())) for axis in ("fast", "slow")]
    if name in ("pix0", "pixel_position") and all(len(axis) == len(a) == 3 for axis in axes):
        shift = [float((b - a) @ axis) / size for axis in axes]
        rest = b - a - sum(s * size * axis for s, axis in zip(shift, axes, strict=True))
        if np.abs(rest).max() > TELLING * size:
            return []
    elif name in ("beam_fast", "beam_slow", "beam_centre_x", "beam_centre_y"):
        shift = [float(b[0] - a[0]) / size]
    else:
        return []
    if any(abs(2.0 * s - round(2.0 * s)) > TELLING * max(1.0, abs(s)) for s in shift):
        return []
    if len(shift) == 1:
        return [f"the second is shifted by {_in_pixels(shift[0])}"]
    fast, slow = map(_in_pixels, shift)
    return [f"the second is shifted by {fast} along fast and {slow} along slow"]


def _in_pixels(shift: float) -> str:
    return f"{round(2.0 * shift) / 2.0:+g} pixels"


def _rotation_order(name: str, a: np.ndarray, b: np.ndarray, known: Known) -> list[str]:
    """Rotations that were applied to a cell vector, and their order."""
    needed = (f"cell_{name}", "phi_rotation", "mosaic_rotation")
    sizes = [len(known.get(each, ())) for each in needed]
    if name not in ("a", "b", "c") or sizes != [3, 9, 9] or len(a) != 3:
        return []
    cell = np.array(known[needed[0]])
    phi, mosaic = (np.reshape(known[each], (3, 3)) for each in needed[1:])
    candidates = (
        ("the spindle rotation, then the domain's", mosaic @ phi @ cell),
        ("the domain's rotation before the spindle's", phi @ mosaic @ cell),
        ("no rotation of the domain", phi @ cell),
        ("no spindle rotation", mosaic @ cell),
        ("no rotation at all", cell),
        ("the domain's matrix with rows for columns", mosaic.T @ phi @ cell),
        ("the spindle turned the other way", mosaic @ phi.T @ cell),
    )

    def fitting(vector: np.ndarray) -> str | None:
        size = float(np.abs(cell).max())
        close = (text for text, v in candidates if np.abs(v - vector).max() < 1e-9 * size)
        return next(close, None)

    texts = fitting(a), fitting(b)
    if texts[1] is None or texts[0] == texts[1]:
        return []
    return [f"the {w} has {t}" for w, t in zip(("first", "second"), texts, strict=True) if t]


def _arrangement(a: np.ndarray, b: np.ndarray) -> list[str]:
    """The same numbers in other places or with other signs."""
    if len(a) < 2:
        return []
    size = float(np.abs(a).max())
    close = TELLING * size

    def equal(x: np.ndarray, y: np.ndarray) -> bool:
        return bool(np.abs(x - y).max() <= close)

    if len(a) == 9 and equal(a.reshape(3, 3).T.reshape(-1), b):
        return ["the matrix is transposed: rows against columns, or the inverse rotation"]
    if equal(np.abs(a), np.abs(b)):
        signs = [str(n) for n in np.flatnonzero(np.abs(a + b) <= close) if abs(a[n]) > close]
        return [f"the sign of component {' and '.join(signs)} is reversed"] if signs else []
    if equal(np.sort(np.abs(a)), np.sort(np.abs(b))):
        return ["the same numbers in another order: axes swapped"]
    return []


def _half_rounded(name: str, a: np.ndarray, b: np.ndarray, known: Known) -> list[str]:
    """Differences in rounding Miller indices that are half-integers, or all of them."""
    if name != "hkl_rounded" or len(known.get("hkl", ())) != len(a) or np.abs(a - b).max() > 1.0:
        return []
    exact = np.array(known["hkl"])
    if (np.abs(np.abs(exact - np.floor(exact)) - 0.5)[a != b] < TELLING).all():
        return ["a half is rounded the other way: a half goes down, ceil(h - 0.5)"]
    if np.array_equal(b, np.trunc(exact)):
        return ["the second is truncated, not rounded"]
    return []
