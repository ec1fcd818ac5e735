"""Reports of comparisons: lines of text, and JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from cupysim.constants import ANGSTROM
from cupysim.formats.any_image import ImageFile
from cupysim.formats.geometry import ImageGeometry
from cupysim.parity.images.agreement import Agreement, Worst
from cupysim.parity.images.image_comparison import FLOOR, ImageComparison
from cupysim.parity.traces.first_difference import Comparison, Pair
from cupysim.parity.traces.vocabulary import RESULT, STEP

MOST_NAMES = 12
"""Largest number of names in a list."""


def trace_lines(comparison: Comparison, first: str, second: str, table: bool) -> Iterator[str]:
    """The comparison of two traces of a pixel, as lines of text."""
    where = "" if comparison.place is None else f"pixel {comparison.place}: "
    divergence = comparison.first_divergence
    count = len(comparison.pairs)
    if divergence is None:
        largest = comparison.largest
        apart = "to the last digit"
        if largest.difference > 0.0:
            apart = f"largest relative difference {largest.difference:.2g} ({largest.first.name})"
        whole = "the same" if _is_whole(comparison) else "the same as far as both traces go"
        if comparison.lacking:
            whole = f"different: {', '.join(comparison.lacking)}; the rest is the same"
        yield f"{where}{whole}, {count} values; {apart}"
    else:
        wrong = [pair for pair in comparison.pairs if not pair.same]
        yield f"{where}{len(wrong)} of {count} values differ"
        yield f"first divergence: {divergence.first.name}, in {divergence.part}"
        for name, value in ((first, divergence.first), (second, divergence.second)):
            yield f"  {name}, {value.source}: {value.shown()}"
        yield f"  relative difference {divergence.difference:.3g}{_ratio(divergence)}"
        for hint in comparison.hints:
            yield f"  hint: {hint}"
        names = list(dict.fromkeys(pair.first.name for pair in wrong))[1:]
        if names:
            yield f"  after it: {_listed(names)}"
    for remark in comparison.remarks:
        yield f"  note: {remark}"
    for name, names in ((first, comparison.only_first), (second, comparison.only_second)):
        if names:
            yield f"  only in {name}: {_listed(names)}"
    if table:
        for pair in comparison.pairs:
            mark = "same" if pair.same else "DIFFERS"
            other = "" if pair.same else f"; {pair.second.shown()}"
            yield (
                f"  {mark:8}{pair.first.name:26}{pair.difference:10.2g}  "
                f"{pair.first.shown()}{other}"
            )


def _is_whole(comparison: Comparison) -> bool:
    """Whether steps and the result were compared."""
    parts = {pair.part.split()[0] for pair in comparison.pairs}
    return RESULT in parts and STEP in parts


def _ratio(pair: Pair) -> str:
    a, b = pair.first.numbers, pair.second.numbers
    if len(a) != len(b) or not a:
        return ""
    ratios = [f"{y / x:.9g}" if x else "-" for x, y in zip(a, b, strict=True)]
    return f", ratio {' '.join(dict.fromkeys(ratios))}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def image_lines(
    images: Sequence[ImageFile], found: ImageComparison, failures: Sequence[str]
) -> Iterator[str]:
    """The comparison of two images, as lines of text."""
    overall, peaks = found.overall, found.peaks
    if failures:
        yield f"different: {'; '.join(failures)}"
    else:
        yield "within the given thresholds" if overall.n_beyond else "the same"
    for hint in found.hints:
        yield f"hint           {hint}"
    masked = f", {found.n_masked} masked" if found.n_masked else ""
    yield (
        f"pixels         {overall.n_pixels} compared{masked}, {overall.n_equal} equal, "
        f"{overall.n_beyond} beyond the tolerance"
    )
    yield f"correlation    {overall.correlation:.12g}"
    yield f"sums           {overall.sums[0]:.9g} {overall.sums[1]:.9g}, ratio {_near_one(overall)}"
    yield f"rmse           {overall.rmse:.6g}"
    yield f"absolute       {_worst(overall.absolute)}{_of_largest(overall)}"
    yield f"relative       {_worst(overall.relative)}{_above(overall)}"
    yield (
        f"peaks          {peaks.n_first} and {peaks.n_second}, {peaks.n_matched} matched, "
        f"on average {peaks.mean_distance:.3g} pixels apart, at most {peaks.largest_distance:.3g}"
    )
    for name, first, second in _geometries(images):
        yield f"{name:14} {first} and {second}"
    if found.regions and overall.absolute is not None:
        heading = "panel" if found.regions[0].panel else "region (fast, slow)"
        yield (
            f"{heading:24}{'correlation':>15}{'sum ratio - 1':>18}{'beyond':>8}{'difference':>14}"
        )
        for region in found.regions:
            place = region.panel or "{}-{}, {}-{}".format(*region.fast, *region.slow)
            part = region.agreement
            worst = part.absolute.difference if part.absolute else 0.0
            yield (
                f"{place:24}{part.correlation:15.10f}{part.sum_ratio - 1.0:18.2e}"
                f"{part.n_beyond:8}{worst:14.4g}"
            )


def _near_one(overall: Agreement) -> str:
    ratio = overall.sum_ratio
    return f"1 {ratio - 1.0:+.2e}" if abs(ratio - 1.0) < 0.01 else f"{ratio:.9g}"


def _worst(worst: Worst | None) -> str:
    if worst is None:
        return "no difference"
    return (
        f"{worst.difference:.6g} at {worst.fast} {worst.slow} (fast slow)"
        f"{f' of panel {worst.panel}' if worst.panel else ''}: {worst.first:.9g} and "
        f"{worst.second:.9g}"
    )


def _of_largest(overall: Agreement) -> str:
    if overall.absolute is None or not overall.largest:
        return ""
    return f"; {overall.absolute.difference / overall.largest:.2g} of the largest"


def _above(overall: Agreement) -> str:
    """The pixels for which the relative difference is shown, in words."""
    return "" if overall.absolute is None else f", of differences above {FLOOR:g} of the largest"


def _geometries(images: Sequence[ImageFile]) -> Iterator[tuple[str, str, str]]:
    """Geometry that differs in the headers of the two files: name, first and second value."""
    first, second = (image.geometry for image in images)
    if first is None or second is None:
        return
    for name, ours, theirs in zip(
        ("distance", "beam centre", "wavelength", "pixel size"),
        _told(first), _told(second), strict=True,
    ):  # fmt: skip
        if ours and theirs and ours != theirs:
            yield name, ours, theirs


def _told(geometry: ImageGeometry) -> tuple[str, str, str, str]:
    """Distance, beam centre, wavelength and pixel size as text; empty if they are not known."""
    centre, wavelength = geometry.beam_centre, geometry.wavelength
    return (
        "" if centre is None else f"{1e3 * centre[2]:.6g} mm",
        "" if centre is None else f"{centre[0]:.3f} {centre[1]:.3f}",
        "" if wavelength is None else f"{wavelength / ANGSTROM:.6g} A",
        f"{1e3 * geometry.pixel_size:.6g} mm",
    )


def image_json(found: ImageComparison, failures: Sequence[str]) -> dict[str, Any]:
    """The comparison of two images, as content for `json.dump`."""
    return {
        "same": not failures,
        "failures": failures,
        "hints": found.hints,
        "masked": found.n_masked,
        **_agreement_json(found.overall),
        "peaks": {
            "first": found.peaks.n_first, "second": found.peaks.n_second,
            "matched": found.peaks.n_matched, "mean_distance": found.peaks.mean_distance,
            "largest_distance": found.peaks.largest_distance, "shift": found.peaks.shift,
        },
        "regions": [
            {
                "fast": region.fast, "slow": region.slow, **_panel_json(region.panel),
                **_agreement_json(region.agreement),
            }
            for region in found.regions
        ],
    }  # fmt: skip


def _agreement_json(part: Agreement) -> dict[str, Any]:
    def finite(number: float) -> float | None:
        return number if math.isfinite(number) else None

    return {
        "pixels": part.n_pixels,
        "equal": part.n_equal,
        "beyond": part.n_beyond,
        "correlation": finite(part.correlation),
        "sums": part.sums,
        "sum_ratio": finite(part.sum_ratio),
        "rmse": part.rmse,
        "absolute": _worst_json(part.absolute),
        "relative": _worst_json(part.relative),
    }


def _worst_json(worst: Worst | None) -> dict[str, Any] | None:
    if worst is None:
        return None
    numbers = {name: value for name, value in vars(worst).items() if name != "panel"}
    return numbers | _panel_json(worst.panel)


def _panel_json(panel: str) -> dict[str, str]:
    return {"panel": panel} if panel else {}
