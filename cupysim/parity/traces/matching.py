"""Finding the common pixels and steps of two traces."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence

from cupysim.errors import CupysimError
from cupysim.parity.traces.values import PixelTrace, Place, StepTrace

COUNTS = {
    "layer": "n_layers", "sub_slow": "oversample", "sub_fast": "oversample",
    "source": "n_sources", "phi": "n_phi", "domain": "n_domains",
}  # fmt: skip
"""For each number of a step, the name of the value that counts them."""


def matching_pixels(
    first: Sequence[PixelTrace], second: Sequence[PixelTrace]
) -> list[tuple[PixelTrace, PixelTrace]]:
    """Traces of the same pixels.

    Parameters
    ----------
    first, second : sequence of PixelTrace
        Traces of two programs, versions or runs. If there is one trace in each, they form a pair
        even if their pixel is not known.

    Returns
    -------
    list of tuple of PixelTrace
        Pairs of traces, in the order of `first`.

    Raises
    ------
    CupysimError
        If they have no pixel in common, or one has a pixel twice.
    """
    for traces in (first, second):
        places = [trace.place for trace in traces if trace.place is not None]
        twice = next((place for place in places if places.count(place) > 1), None)
        if twice is not None:
            raise CupysimError(f"pixel {twice} is twice in one of the traces")
    if len(first) == len(second) == 1:
        ours, theirs = first[0].place, second[0].place
        if ours is not None and theirs is not None and ours != theirs:
            told = "fast slow" if not ours.panel and not theirs.panel else "panel fast slow"
            raise CupysimError(f"the traces are of different pixels: {ours} and {theirs} ({told})")
        return [(first[0], second[0])]
    known = {trace.place: trace for trace in second if trace.place is not None}
    pairs = [(trace, known[trace.place]) for trace in first if trace.place in known]
    if not pairs:
        raise CupysimError("the traces have no pixel in common")
    return pairs


def unpaired_pixels(
    first: Sequence[PixelTrace], second: Sequence[PixelTrace]
) -> tuple[list[Place], list[Place]]:
    """Pixels of each file that the other does not have; empty if each file has one pixel."""
    if len(first) == len(second) == 1:
        return [], []
    ours, theirs = (
        [trace.place for trace in traces if trace.place is not None] for traces in (first, second)
    )
    return [p for p in ours if p not in theirs], [p for p in theirs if p not in ours]


def matching_steps(
    first: PixelTrace, second: PixelTrace, remarks: list[str]
) -> Iterator[tuple[StepTrace, StepTrace]]:
    """Pairs of the same step in both traces.

    Parameters
    ----------
    first, second : PixelTrace
        Traces of the same pixel.
    remarks : list of str
        The function adds a line if only one of the traces shows some steps.

    Yields
    ------
    tuple of StepTrace
        Pairs, in the order of `first`.

    Raises
    ------
    CupysimError
        If both traces have all numbers of their steps, and no step in common.
    """
    if not first.steps or not second.steps:
        return
    free = dict(enumerate(second.steps))
    named: dict[Hashable, list[int]] = {}
    for number, other in free.items():
        named.setdefault(tuple(sorted(other.where.items())), []).append(number)
    matched = 0
    ends = first.steps[0], second.steps[0]
    whole = all(step.where.keys() >= COUNTS.keys() for step in ends)
    if not whole and not (_shows_all(first, second) and _shows_all(second, first)):
        remarks.append("no step is known to be the same: one trace shows only some of its steps")
        return
    for step in first.steps:
        # a step with the same numbers, or the first one that may be the same
        exact = named.get(tuple(sorted(step.where.items())), [])
        order = [number for number in exact if number in free] or (() if whole else free)
        partner = next((n for n in order if _may_be_same(step, first, free[n], second)), None)
        if partner is not None:
            matched += 1
            yield step, free.pop(partner)
    if not matched and whole:
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


def _shows_all(trace: PixelTrace, other: PixelTrace) -> bool:
    """Whether a trace shows all steps that match the known step numbers of another trace."""
    known = other.steps[0].where
    counts = {value.name: value.numbers for value in trace.setup if value.numbers}
    if other.steps[0].is_last or not trace.steps[0].where.keys() >= COUNTS.keys():
        return True
    free = [counts.get(name, (1.0,))[0] for place, name in COUNTS.items() if place not in known]
    shown = [
        step for step in trace.steps if all(step.where[name] == n for name, n in known.items())
    ]
    return len(shown) == math.prod(free)


def _is_last(step: StepTrace, trace: PixelTrace) -> bool:
    """Whether a step is known to be the last one of its pixel."""
    if step.is_last:
        return True
    if step is not trace.steps[-1]:
        return False
    counts = {v.name: v.numbers for v in (*trace.setup, *trace.result) if v.numbers}
    if step.where.keys() >= COUNTS.keys():
        last = {place: counts.get(name, (0,))[0] - 1 for place, name in COUNTS.items()}
        return all(step.where[place] == number for place, number in last.items() if number >= 0)
    return counts.get("steps", (0,))[0] == len(trace.steps)
