"""Where two traces of a pixel differ first."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cupysim.constants import RTOL
from cupysim.errors import CupysimError
from cupysim.trace.hints import hints
from cupysim.trace.values import PixelTrace, StepTrace, Value
from cupysim.trace.vocabulary import FLOAT32_TINY, INSTEAD, PHOTONS, RESULT, SETUP

COUNTS = {
    "layer": "n_layers", "sub_slow": "oversample", "sub_fast": "oversample",
    "source": "n_sources", "phi": "n_phi", "domain": "n_domains",
}  # fmt: skip
"""The value which tells how many of each there are."""

DECISIVE = ("scattering_vector", "a", "b", "c", "hkl", "F_cell", "F_latt")
"""Values of a step on which its intensity depends."""

VANISHING = 1e-3
"""Part of its peak below which a lattice factor is near one of its zeros, where the last bits of
h, k, l decide how near. There it is held to this part of the peak, not to itself."""


@dataclass(frozen=True)
class Pair:
    """The same value in two traces.

    Parameters
    ----------
    part : str
        "setup", "result", or which step.
    first, second : Value
        As the traces have it, in SI units.
    difference : float
        Largest difference of the numbers, relative to the largest of them; infinite for other
        units, words or lengths.
    same : bool
        Within the tolerance.
    """

    part: str
    first: Value
    second: Value
    difference: float
    same: bool


@dataclass(frozen=True)
class Comparison:
    """What came out for one pixel.

    Parameters
    ----------
    pixel : tuple of 2 int or None
        Fast and slow number.
    pairs : list of Pair
        In the order of the computation.
    only_first, only_second : list of str
        Names which one trace has alone.
    remarks : list of str
        What could not be compared, and why.
    hints : list of str
        What may have caused the first divergence.
    """

    pixel: tuple[int, int] | None
    pairs: list[Pair]
    only_first: list[str] = field(default_factory=list)
    only_second: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    @property
    def first_divergence(self) -> Pair | None:
        """The first pair which differs, if any."""
        return next((pair for pair in self.pairs if not pair.same), None)

    @property
    def largest(self) -> Pair:
        """The pair which differs most."""
        return max(self.pairs, key=lambda pair: pair.difference)


def compare_traces(
    first: Sequence[PixelTrace], second: Sequence[PixelTrace], rtol: float = RTOL
) -> list[Comparison]:
    """Compare traces of the same pixels.

    Parameters
    ----------
    first, second : sequence of PixelTrace
        Of two programs, versions or runs.
    rtol : float, optional
        Relative difference beyond which values diverge; of vectors and matrices, relative to
        their largest number.

    Returns
    -------
    list of Comparison
        One for each pixel which both have.

    Raises
    ------
    CupysimError
        If nothing could be compared.
    """
    if len(first) == len(second) == 1:
        pairs = [(first[0], second[0])]
        pixels = first[0].pixel, second[0].pixel
        if None not in pixels and pixels[0] != pixels[1]:
            shown = " and ".join(f"{pixel[0]} {pixel[1]}" for pixel in pixels if pixel)
            raise CupysimError(f"the traces are of different pixels: {shown} (fast slow)")
    else:
        known = {trace.pixel: trace for trace in second if trace.pixel is not None}
        pairs = [(trace, known[trace.pixel]) for trace in first if trace.pixel in known]
        if not pairs:
            raise CupysimError("the traces have no pixel in common")
    return [_compare_pixel(a, b, rtol) for a, b in pairs]


def _compare_pixel(first: PixelTrace, second: PixelTrace, rtol: float) -> Comparison:
    remarks: list[str] = []
    floors = _Floors(first if first.setup else second)
    lonely: tuple[list[str], list[str]] = ([], [])
    pairs = list(_pairs(SETUP, first.setup, second.setup, rtol, floors, lonely))
    for a, b in _matching_steps(first, second, remarks):
        where = a.where if len(a.where) >= len(b.where) else b.where
        names = " ".join(f"{name}={number}" for name, number in where.items())
        pairs += _pairs(f"step {names}".strip(), a.values, b.values, rtol, floors, lonely)
    pairs += _pairs(RESULT, first.result, second.result, rtol, floors, lonely)
    if not pairs:
        raise CupysimError("nothing could be compared: the traces have no value in common")
    compared = {pair.first.name for pair in pairs}
    only_first, only_second = (
        [name for name in dict.fromkeys(names) if name not in compared] for names in lonely
    )
    found = Comparison(first.pixel or second.pixel, pairs, only_first, only_second, remarks)
    divergence = found.first_divergence
    if divergence is not None:
        before = pairs[: pairs.index(divergence)]
        known = {
            value.name: value.numbers
            for value in (*first.setup, *first.result, *(pair.first for pair in before))
        }
        step = _step_of(first, divergence)
        known |= {value.name: value.numbers for value in step}
        if divergence.part == RESULT:
            found.hints.extend(_unseen(found))
        found.hints.extend(hints(divergence.first, divergence.second, known))
    return found


def _unseen(found: Comparison) -> Iterator[str]:
    """What may have gone wrong before the result, where it does not show."""
    lonely = [name for name in (*found.only_first, *found.only_second) if name in DECISIVE]
    places = [*found.remarks, *([f"{', '.join(lonely)} in one trace alone"] if lonely else [])]
    if places:
        yield f"it may have begun in what was not compared: {'; '.join(places)}"


def _step_of(trace: PixelTrace, divergence: Pair) -> Sequence[Value]:
    """All values of the step in which traces diverge, or of the only one."""
    for step in trace.steps:
        if any(value is divergence.first for value in step.values):
            return step.values
    return trace.steps[0].values if len(trace.steps) == 1 else ()


def _pairs(
    part: str,
    first: Sequence[Value],
    second: Sequence[Value],
    rtol: float,
    floors: _Floors,
    lonely: tuple[list[str], list[str]],
) -> Iterator[Pair]:
    """Values of the same name, in the order of the first trace; names of one alone are kept."""
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
            difference, same = _difference(a, b, rtol, floors)
            if number == 0 or not same:
                yield Pair(part, a, b, difference, same)
    for name in theirs:
        if name not in ours:
            if INSTEAD.get(name, "") in ours and "photons" not in theirs:
                a, b = ours[INSTEAD[name]][0], theirs[name][0]
                yield Pair(part, a, b, *_difference(a, b, rtol, floors))
            else:
                lonely[1].append(name)


def _by_name(values: Sequence[Value]) -> dict[str, list[Value]]:
    found: dict[str, list[Value]] = {}
    for value in values:
        found.setdefault(value.name, []).append(value)
    return found


def _difference(first: Value, second: Value, rtol: float, floors: _Floors) -> tuple[float, bool]:
    if first.text or second.text:
        same = first.text.lower() == second.text.lower()
        return (0.0 if same else math.inf), same
    if first.unit != second.unit and first.unit and second.unit:
        return math.inf, False
    if len(first.numbers) != len(second.numbers):
        return math.inf, False
    if first.numbers == second.numbers:
        return 0.0, True
    # in Python, since arrays of three numbers cost more to make than to compare
    size = max(map(abs, filter(math.isfinite, (*first.numbers, *second.numbers))), default=0.0)
    limit = rtol * max(size, floors.of(first.name))
    tiny = FLOAT32_TINY if first.name in PHOTONS else 0.0
    largest, same = 0.0, True
    for place, (x, y) in enumerate(zip(first.numbers, second.numbers, strict=True)):
        if x == y or (math.isnan(x) and math.isnan(y)):
            continue
        if not (math.isfinite(x) and math.isfinite(y)):
            return math.inf, False
        # numbers of few digits differ by less than is known
        slack = _resolution(first, place) + _resolution(second, place) + tiny
        beyond = abs(x - y) - slack
        largest = max(largest, beyond / size)
        same &= beyond <= limit
    return largest, same


def _resolution(value: Value, place: int) -> float:
    known = value.resolution
    return known[place] if isinstance(known, tuple) else known


class _Floors:
    """Below which values vanish, for those of a lattice factor near its zeros."""

    def __init__(self, trace: PixelTrace) -> None:
        counts = next((v.numbers for v in trace.setup if v.name == "n_cells"), ())
        self.lattice = VANISHING * math.prod(counts) if counts else 0.0
        self.axes = [VANISHING * count for count in counts] or [0.0] * 3
        cell = [v.numbers[0] for step in trace.steps for v in step.values if v.name == "F_cell"]
        self.intensity = (self.lattice * max(map(abs, cell), default=0.0)) ** 2
        result = {v.name: v.numbers[0] for v in trace.result if v.numbers}
        total = result.get("intensity_sum", 0.0)
        self.photons = self.intensity * (result.get("photons", 0.0) / total if total else 0.0)

    def of(self, name: str) -> float:
        """The size to which a value is held at least."""
        if name == "F_latt":
            return self.lattice
        if name in ("F_latt_a", "F_latt_b", "F_latt_c"):
            return self.axes["abc".index(name[-1])]
        if name in ("step_intensity", "running_sum", "intensity_sum"):
            return self.intensity
        return self.photons if name in PHOTONS else 0.0


def _matching_steps(
    first: PixelTrace, second: PixelTrace, remarks: list[str]
) -> Iterator[tuple[StepTrace, StepTrace]]:
    """Steps which are the same one in both traces."""
    if not first.steps or not second.steps:
        return
    free = dict(enumerate(second.steps))
    named: dict[Hashable, list[int]] = {}
    for number, other in free.items():
        named.setdefault(tuple(sorted(other.where.items())), []).append(number)
    matched = 0
    for step in first.steps:
        # steps of the same numbers, or the first which may be it
        exact = named.get(tuple(sorted(step.where.items())), [])
        order = [number for number in exact if number in free] or free
        partner = next((n for n in order if _may_be_same(step, first, free[n], second)), None)
        if partner is not None:
            matched += 1
            yield step, free.pop(partner)
    ends = first.steps[0], second.steps[0]
    if not matched and all(step.where.keys() >= COUNTS.keys() for step in ends):
        shown = (",".join(f"{name}={n}" for name, n in step.where.items()) for step in ends)
        raise CupysimError(
            f"the traces show different steps, {' and '.join(shown)}; make both with the same "
            "--step, or without --step and --strongest"
        )
    if not matched:
        remarks.append(
            "no step is shown by both traces; cupysim trace without --step and --strongest shows "
            "all steps"
        )
    elif matched < max(len(first.steps), len(second.steps)):
        remarks.append(
            f"of {len(first.steps)} and {len(second.steps)} steps, {matched} shown by both"
        )


def _may_be_same(
    step: StepTrace, trace: PixelTrace, other: StepTrace, other_trace: PixelTrace
) -> bool:
    if step.is_last or other.is_last:
        return _is_last(step, trace) and _is_last(other, other_trace)
    return all(
        other.where[name] == number for name, number in step.where.items() if name in other.where
    )


def _is_last(step: StepTrace, trace: PixelTrace) -> bool:
    """Whether a step is the last of its pixel, as far as can be known."""
    if step.is_last:
        return True
    if step is not trace.steps[-1]:
        return False
    counts = {value.name: value.numbers for value in (*trace.setup, *trace.result)}
    if step.where.keys() >= COUNTS.keys():
        last = {place: counts.get(name, (0,))[0] - 1 for place, name in COUNTS.items()}
        return all(step.where[place] == number for place, number in last.items() if number >= 0)
    return counts.get("steps", (0,))[0] == len(trace.steps)


def as_json(comparison: Comparison) -> dict[str, Any]:
    """A comparison for `json.dump`."""
    divergence = comparison.first_divergence
    return {
        "pixel": comparison.pixel,
        "same": divergence is None,
        "compared": len(comparison.pairs),
        "first_divergence": None if divergence is None else divergence.first.name,
        "hints": comparison.hints,
        "remarks": comparison.remarks,
        "only_first": comparison.only_first,
        "only_second": comparison.only_second,
        "values": [
            {
                "part": pair.part,
                "name": pair.first.name,
                "unit": pair.first.unit or pair.second.unit,
                "first": pair.first.text or list(pair.first.numbers),
                "second": pair.second.text or list(pair.second.numbers),
                "relative_difference": pair.difference if math.isfinite(pair.difference) else None,
                "same": pair.same,
            }
            for pair in comparison.pairs
        ],
    }
