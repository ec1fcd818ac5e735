"""Comparison of two traces of a pixel, to find the first difference."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cupysim.constants import RTOL
from cupysim.errors import CupysimError
from cupysim.parity.traces.hints import hints
from cupysim.parity.traces.matching import matching_pixels, matching_steps
from cupysim.parity.traces.values import PixelTrace, Place, Value
from cupysim.parity.traces.vocabulary import FLOAT32_TINY, INSTEAD, PHOTONS, RESULT, SETUP

DECISIVE = ("scattering_vector", "a", "b", "c", "hkl", "F_cell", "F_latt")
"""Names of the values of a step that decide its intensity."""

AXES = ("F_latt_a", "F_latt_b", "F_latt_c")
"""Names of the lattice factors along the cell's axes."""

VANISHING = 1e-3
"""Part of its peak below which a lattice factor is near one of its zeros. There, the last bits of
h, k, l decide its value. So its tolerance is relative to this part of the peak, not to itself."""


@dataclass(frozen=True)
class Pair:
    """The same value in two traces.

    Parameters
    ----------
    part : str
        Part of the trace: "setup", "result", or the step.
    first, second : Value
        The value in each trace, in SI units.
    difference : float
        Largest difference of the numbers, relative to the largest number. Infinite if units, words
        or numbers of components differ.
    same : bool
        Whether the difference is within the tolerance.
    """

    part: str
    first: Value
    second: Value
    difference: float
    same: bool


@dataclass(frozen=True)
class Comparison:
    """The comparison of two traces of a pixel.

    Parameters
    ----------
    place : Place or None
        Panel, fast and slow coordinate of the pixel; None if neither trace has them.
    pairs : list of Pair
        Compared values, in the order of the computation.
    only_first, only_second : list of str
        Names of values that only one trace has.
    remarks : list of str
        Parts that could not be compared, with the reason.
    hints : list of str
        Possible causes of the first divergence.
    lacking : list of str
        Parts that only one trace has, for example because a file is cut off.
    """

    place: Place | None
    pairs: list[Pair]
    only_first: list[str] = field(default_factory=list)
    only_second: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether no value differs, and neither trace lacks a part that the other has."""
        return not self.lacking and self.first_divergence is None

    @property
    def first_divergence(self) -> Pair | None:
        """The first pair that differs, or None."""
        return next((pair for pair in self.pairs if not pair.same), None)

    @property
    def largest(self) -> Pair:
        """The pair that differs most."""
        return max(self.pairs, key=lambda pair: pair.difference)


def compare_traces(
    first: Sequence[PixelTrace], second: Sequence[PixelTrace], rtol: float = RTOL
) -> list[Comparison]:
    """Compare traces of the same pixels.

    Parameters
    ----------
    first, second : sequence of PixelTrace
        Traces of two programs, versions or runs.
    rtol : float, optional
        Relative difference above which values diverge. For vectors and matrices, it is relative to
        their largest number.

    Returns
    -------
    list of Comparison
        One comparison for each pixel that both have.

    Raises
    ------
    CupysimError
        If nothing could be compared.
    """
    return [_compare_pixel(a, b, rtol) for a, b in matching_pixels(first, second)]


def _compare_pixel(first: PixelTrace, second: PixelTrace, rtol: float) -> Comparison:
    remarks: list[str] = []
    allowance = _Allowance((first, second))
    lonely: tuple[list[str], list[str]] = ([], [])
    pairs = list(_pairs(SETUP, first.setup, second.setup, rtol, allowance, lonely))
    for a, b in matching_steps(first, second, remarks):
        where = a.where if len(a.where) >= len(b.where) else b.where
        names = " ".join(f"{name}={number}" for name, number in where.items())
        pairs += _pairs(f"step {names}".strip(), a.values, b.values, rtol, allowance, lonely)
    pairs += _pairs(RESULT, first.result, second.result, rtol, allowance, lonely)
    if not pairs:
        raise CupysimError("nothing could be compared: the traces have no value in common")
    lacking = [
        f"{part} in one of the traces only"
        for part, ours, theirs in (
            ("steps", first.steps, second.steps), ("a result", first.result, second.result)
        )
        if bool(ours) != bool(theirs)
    ]  # fmt: skip
    remarks += lacking
    compared = {pair.first.name for pair in pairs}
    only_first, only_second = (
        [name for name in dict.fromkeys(names) if name not in compared] for names in lonely
    )
    found = Comparison(
        first.place or second.place, pairs, only_first, only_second, remarks, lacking=lacking
    )
    divergence = found.first_divergence
    if divergence is not None:
        before = pairs[: pairs.index(divergence)]
        known = {
            value.name: value.numbers
            for value in (
                *second.setup,
                *first.setup,
                *first.result,
                *(pair.first for pair in before),
            )
        }
        step = _step_of(first, divergence)
        known |= {value.name: value.numbers for value in step}
        if divergence.part == RESULT:
            found.hints.extend(_unseen(found))
        found.hints.extend(hints(divergence.first, divergence.second, known))
    return found


def _unseen(found: Comparison) -> Iterator[str]:
    """Values before the result that were not compared and may have diverged."""
    lonely = [name for name in (*found.only_first, *found.only_second) if name in DECISIVE]
    places = [*found.remarks, *([f"{', '.join(lonely)} in one trace alone"] if lonely else [])]
    if places:
        yield f"the divergence may have begun in values not compared: {'; '.join(places)}"


def _step_of(trace: PixelTrace, divergence: Pair) -> Sequence[Value]:
    """All values of the step in which the traces diverge, or of the only step."""
    for step in trace.steps:
        if any(value is divergence.first for value in step.values):
            return step.values
    return trace.steps[0].values if len(trace.steps) == 1 else ()


def _pairs(
    part: str,
    first: Sequence[Value],
    second: Sequence[Value],
    rtol: float,
    allowance: _Allowance,
    lonely: tuple[list[str], list[str]],
) -> Iterator[Pair]:
    """Pairs of values with the same name, in the order of the first trace.

    Names that only one trace has are added to `lonely`.
    """
    theirs = _by_name(second)
    ours = _by_name(first)
    for name, values in ours.items():
        others = theirs.get(name) or theirs.get(INSTEAD.get(name, ""))
        if others is None:
            lonely[0].append(name)
            continue
        for number in range(max(len(values), len(others))):
            a = values[min(number, len(values) - 1)]
            b = others[min(number, len(others) - 1)]
            difference, same = _difference(a, b, rtol, allowance)
            if number == 0 or not same:
                yield Pair(part, a, b, difference, same)
    for name in theirs:
        if name not in ours:
            if INSTEAD.get(name, "") in ours and "photons" not in theirs:
                a, b = ours[INSTEAD[name]][0], theirs[name][0]
                yield Pair(part, a, b, *_difference(a, b, rtol, allowance))
            else:
                lonely[1].append(name)


def _by_name(values: Sequence[Value]) -> dict[str, list[Value]]:
    found: dict[str, list[Value]] = {}
    for value in values:
        found.setdefault(value.name, []).append(value)
    return found


def _difference(
    first: Value, second: Value, rtol: float, allowance: _Allowance
) -> tuple[float, bool]:
    if first.text or second.text:
        same = first.text.lower() == second.text.lower()
        return (0.0 if same else math.inf), same
    if first.unit != second.unit and first.unit and second.unit:
        return math.inf, False
    if len(first.numbers) != len(second.numbers):
        return math.inf, False
    if first.numbers == second.numbers:
        if len(first.numbers) == 1:
            allowance.note(first.name, first.numbers[0], second.numbers[0], 0.0)
        return 0.0, True
    # without NumPy: making arrays of three numbers takes longer than comparing them
    size = max(map(abs, filter(math.isfinite, (*first.numbers, *second.numbers))), default=0.0)
    limit = allowance.limit(first.name, size, rtol)
    tiny = FLOAT32_TINY if first.name in PHOTONS else 0.0
    largest, same = 0.0, True
    for place, (x, y) in enumerate(zip(first.numbers, second.numbers, strict=True)):
        if x == y or (math.isnan(x) and math.isnan(y)):
            continue
        if not (math.isfinite(x) and math.isfinite(y)):
            return math.inf, False
        # the rounding of printed numbers does not count as a difference
        slack = _resolution(first, place) + _resolution(second, place) + tiny
        beyond = abs(x - y) - slack
        largest = max(largest, beyond / size)
        same &= beyond <= limit
    if same and len(first.numbers) == 1:
        allowance.note(first.name, first.numbers[0], second.numbers[0], largest)
    return largest, same


def _resolution(value: Value, place: int) -> float:
    known = value.resolution
    return known[place] if isinstance(known, tuple) else known


class _Allowance:
    """Tolerances of values, which are larger near the zeros of the lattice factor.

    Near a zero, the last bits of h, k, l decide the value of the lattice factor. Intensities, sums
    and photons may differ only by as much as these differences cause.
    """

    def __init__(self, traces: Sequence[PixelTrace]) -> None:
        counts = [v.numbers for trace in traces for v in trace.setup if v.name == "n_cells"]
        self.cells = counts[0] if counts and len(counts[0]) == len("abc") else (0.0,) * 3
        self.axes: list[float] = []
        self.factor = self.total = self.sum = 0.0

    def limit(self, name: str, size: float, rtol: float) -> float:
        """The largest difference of the value `name`, for numbers of magnitude `size`."""
        if name in AXES:
            return rtol * max(size, VANISHING * self.cells[AXES.index(name)])
        if name == "F_latt":
            if self.axes:
                return (rtol + sum(self.axes)) * size
            return rtol * max(size, VANISHING * math.prod(self.cells))
        if name == "step_intensity":
            return (rtol + self.factor * (2.0 + self.factor)) * size
        if name in ("running_sum", "intensity_sum"):
            return rtol * size + self.total
        return (rtol + self.sum) * size if name in PHOTONS else rtol * size

    def note(self, name: str, first: float, second: float, difference: float) -> None:
        """Record the difference of a value, for the tolerances of later values."""
        if name in AXES:
            if name == AXES[0]:
                self.axes = []
            self.axes.append(difference)
        elif name == "F_latt":
            self.factor, self.axes = difference, []
        elif name == "step_intensity":
            self.total += abs(first - second)
        elif name == "intensity_sum":
            self.sum = difference


def as_json(comparison: Comparison) -> dict[str, Any]:
    """A comparison as content for `json.dump`."""
    divergence, place = comparison.first_divergence, comparison.place
    return {
        "panel": None if place is None or not place.panel else place.panel,
        "pixel": None if place is None else (place.fast, place.slow),
        "same": comparison.same,
        "compared": len(comparison.pairs),
        "first_divergence": None if divergence is None else divergence.first.name,
        "lacking": comparison.lacking,
        "hints": comparison.hints,
        "remarks": comparison.remarks,
        "only_first": comparison.only_first,
        "only_second": comparison.only_second,
        "values": [
            {
                "part": pair.part,
                "name": pair.first.name,
                "unit": pair.first.unit or pair.second.unit,
                "first": pair.first.text or _listed(pair.first),
                "second": pair.second.text or _listed(pair.second),
                "relative_difference": pair.difference if math.isfinite(pair.difference) else None,
                "same": pair.same,
            }
            for pair in comparison.pairs
        ],
    }


def _listed(value: Value) -> list[float | None]:
    """Numbers for JSON; None for those that are not finite, which JSON does not have."""
    return [number if math.isfinite(number) else None for number in value.numbers]
