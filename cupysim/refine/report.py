"""The result of a refinement as lines of text, as JSON, and as a figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.models.cell_spread_parameters import EDGE_SPREADS
from cupysim.models.conventions import Convention, Pivot
from cupysim.models.crystal import Crystal
from cupysim.models.crystal_names import numbered
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import GROUPS, current, parameter
from cupysim.models.source_parameters import DIVERGENCE, SPECTRUM_WIDTH
from cupysim.plotting.colours import colour_scale
from cupysim.plotting.style import Style

if TYPE_CHECKING:
    from cupysim.refine.outcome import Refined

STRONG = 0.95
"""Correlation of two parameters above which the report lists it."""

WEAK = 0.02
"""Standard deviation of the part of the spots that the image has, above which spots are weak."""

LARGEST_PICTURE = 560
"""Largest number of pixels along an edge of a picture in the figure."""

RESIDUAL = 5.0
"""Limit of the colour scale of residuals, in standard deviations."""


def report_lines(refined: Refined, seconds: float | None = None) -> Iterator[str]:
    """The result as lines of text.

    Parameters
    ----------
    refined : Refined
        Result of a refinement.
    seconds : float, optional
        Duration of the refinement (s).

    Yields
    ------
    str
        Lines without their ends.
    """
    names = refined.names
    n_pixels = int(np.count_nonzero(refined.used))
    time = "" if seconds is None else f", {seconds:.1f} s"
    yield f"{len(names)} parameters, {n_pixels} pixels, {refined.evaluations} images{time}"
    yield f"{'parameter':14}{'start':>14}{'refined':>14}{'+-':>12}{'change':>14}  unit"
    rows = zip(names, refined.start, refined.values, refined.sigmas, strict=True)
    for name, start, value, sigma in rows:
        places = parameter(name).decimals
        yield (
            f"{name:14}{start:14.{places}f}{value:14.{places}f}{sigma:12.2g}"
            f"{value - start:+14.{places}f}  {parameter(name).shown_unit}".rstrip()
        )
    before, after = refined.chi_squared
    yield f"reduced chi-squared: {before:.4g} -> {after:.4g} +- {refined.chi_sigma:.2g}"
    explained, doubt = refined.explained
    yield f"spots of the model that the image has: {100 * explained:.1f} % +- {100 * doubt:.2g} %"
    if doubt > WEAK:
        yield "weak spots: other solutions may be as good; try another start, or --search"
    for i, first in enumerate(names):
        for j, second in enumerate(names[:i]):
            correlation = refined.correlations[i, j]
            if abs(correlation) > STRONG:
                yield f"strongly correlated: {second} and {first}, correlation {correlation:+.3f}"
    words = refined_options(refined)
    if words:
        yield f"as options: {' '.join(words)}"
    changes = _changes_of_spectrum(refined)
    if changes:
        yield f"as changes of -spectrum: {', '.join(changes)}"
    for number, each in enumerate(refined.experiment.each_crystal[1:], 2):
        own = {base for base, crystal in map(numbered, names) if crystal == number}
        words = _as_words(_crystal_options(each.crystal, own))
        if words:
            yield f"crystal {number}, as options: {' '.join(words)}"
    yield f"{'converged' if refined.converged else 'NOT CONVERGED'}: {refined.reason}"


def _changes_of_spectrum(refined: Refined) -> list[str]:
    """How a spectrum changes, because options give its kind or its file."""
    if refined.experiment.beam.spectrum is None:
        return []
    ratios = dict(zip(refined.names, refined.values / refined.start, strict=True))
    told = {"wavelength": "all wavelengths", SPECTRUM_WIDTH: "all widths"}
    return [f"{what} times {ratios[name]:.7g}" for name, what in told.items() if name in ratios]


def refined_options(refined: Refined) -> list[str]:
    """Options for the refined parameters, except those of the cell, which a matrix file holds.

    Parameters
    ----------
    refined : Refined
        Result of a refinement.

    Returns
    -------
    list of str
        Options and values for the drop-in command.
    """
    experiment, names = refined.experiment, set(refined.names)
    detector, degree = experiment.detector, DEGREES_PER_RADIAN
    return _as_words([
        *_crystal_options(experiment.crystal, names),
        # motions of panels have no options
        *(_panel_options(experiment, detector, names) if isinstance(detector, Detector) else []),
        (
            "wavelength" in names and experiment.beam.spectrum is None,
            "-lambda",
            [1e10 * experiment.beam.wavelength],
        ),
        ("dispersion" in names, "-dispersion", [100.0 * experiment.beam.dispersion.range]),
        *(
            (name in names, option, [1e3 * current(experiment, name)])
            for name, option in zip(DIVERGENCE, ("-hdivrange", "-vdivrange"), strict=True)
        ),
        ("background_scale" in names, "-background_scale", [experiment.background_scale]),
        ("phi" in names, "-phi", [degree * experiment.scan.start]),
        (bool({"fluence", "scale"} & names), "-fluence", [experiment.beam.fluence]),
    ])  # fmt: skip


def _as_words(wanted: Iterable[tuple[bool, str, Sequence[float]]]) -> list[str]:
    """Words of the options that are wanted."""
    words: list[str] = []
    for is_wanted, option, numbers in wanted:
        if is_wanted:
            words += [option, *(f"{number:.7g}" for number in numbers)]
    return words


def _crystal_options(crystal: Crystal, names: set[str]) -> list[tuple[bool, str, Sequence[float]]]:
    """Options of a crystal: whether each is wanted, its name and its numbers."""
    degree, spreads = DEGREES_PER_RADIAN, crystal.mosaicity.spreads
    has_spreads = bool({*GROUPS["mosaic_spreads"]} & names)
    by_cell = bool({*GROUPS["cell"]} & names)
    diffuse = crystal.diffuse
    gamma, sigma = ((), ()) if diffuse is None else (diffuse.gamma, diffuse.sigma)
    return [
        (
            bool({*GROUPS["misset"]} & names) and not by_cell,
            "-misset",
            [degree * angle for angle in crystal.misset or (0.0, 0.0, 0.0)],
        ),
        ("mosaic_spread" in names, "-mosaic", [degree * crystal.mosaicity.spread]),
        (has_spreads, "-spread_abc", [degree * spread for spread in spreads[:3]]),
        (
            has_spreads and len(spreads) > 3,
            "-spread_off_diagonal",
            [degree * spread for spread in spreads[3:]],
        ),
        (
            bool({*GROUPS["n_cells_off_diagonal"]} & names),
            "-off_diagonal_cells",
            crystal.n_cells_off_diagonal,
        ),
        (
            bool({*EDGE_SPREADS} & names),
            "-spread_edges",
            [100.0 * spread for spread in crystal.cell_spreads],
        ),
        ("crystal_scale" in names, "-crystal_scale", [crystal.scale]),
        *(
            (bool({*GROUPS[name]} & names), f"-{name}", [1e10 * length for length in lengths])
            for name, lengths in (("diffuse_gamma", gamma), ("diffuse_sigma", sigma))
        ),
    ]


def _panel_options(
    experiment: Experiment, detector: Detector, names: set[str]
) -> list[tuple[bool, str, list[float]]]:
    """Options that place the only panel: whether each is wanted, its name and its numbers."""
    angles, degree = detector.angles, DEGREES_PER_RADIAN
    close = detector.close_distance is not None
    xds = detector.convention in (Convention.XDS, Convention.DIALS)
    origin = xds and experiment.placed_panel.pivot is Pivot.SAMPLE
    centre = detector.origin_pixels if origin else detector.beam_centre
    unit = 1.0 if origin else 1e3
    moved = "beam_fast" in names or "beam_slow" in names
    return [
        (
            "distance" in names,
            "-close_distance" if close else "-distance",
            [1e3 * (detector.close_distance or detector.distance)],
        ),
        (moved, "-ORGX" if origin else "-Xbeam", [unit * (centre[0] or 0.0)]),
        (moved, "-ORGY" if origin else "-Ybeam", [unit * (centre[1] or 0.0)]),
        *(
            (name in names, f"-detector_rot{name[-1]}", [degree * angle])
            for name, angle in zip(GROUPS["rotation"], angles.lab, strict=True)
        ),
        ("twotheta" in names, "-twotheta", [degree * angles.twotheta]),
    ]


def report_json(refined: Refined, seconds: float) -> dict[str, Any]:
    """The result for programs, as JSON.

    Parameters
    ----------
    refined : Refined
        Result of a refinement.
    seconds : float
        Duration of the refinement (s).

    Returns
    -------
    dict
        Content for `json.dump`. Numbers that do not exist are None.
    """
    lattice = refined.experiment.lattice
    return {
        "converged": refined.converged,
        "reason": refined.reason,
        "parameters": {
            name: {
                "unit": parameter(name).shown_unit,
                "start": float(start),
                "value": float(value),
                "sigma": float(sigma) if np.isfinite(sigma) else None,
            }
            for name, start, value, sigma in zip(
                refined.names, refined.start, refined.values, refined.sigmas, strict=True
            )
        },
        "correlations": (
            refined.correlations.tolist() if np.isfinite(refined.correlations).all() else None
        ),
        "chi_squared": list(refined.chi_squared),
        "chi_sigma": refined.chi_sigma,
        "explained": list(refined.explained),
        "pixels": int(np.count_nonzero(refined.used)),
        "evaluations": refined.evaluations,
        "seconds": seconds,
        "options": refined_options(refined),
        "direct_angstrom": lattice.direct.tolist(),
        "reciprocal_per_angstrom": lattice.reciprocal.tolist(),
    }


def draw(figure: Any, refined: Refined) -> None:
    """Draw the image, the refined model, and the residuals before and after.

    Rows and columns without used pixels are left out.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        An empty figure.
    refined : Refined
        Result of a refinement.
    """
    # panels below each other
    used = refined.used.reshape(-1, refined.used.shape[-1])
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    counts, before, after = (
        np.where(used, image.reshape(used.shape), np.nan)[part]
        for image in (refined.counts, *refined.images)
    )
    figure.set_size_inches(12, 11)
    axes = figure.subplots(2, 2)
    colours, norm = colour_scale([counts], Style())
    for axis, picture, title in zip(axes[0], (counts, after), ("image", "refined"), strict=True):
        axis.imshow(_shrunk(picture), cmap=colours, norm=norm)
        axis.set_title(title)
    for axis, picture, title in zip(axes[1], (before, after), ("start", "refined"), strict=True):
        left = (counts - picture) / np.sqrt(np.maximum(picture, 1.0))
        drawn = axis.imshow(left, cmap="RdBu_r", vmin=-RESIDUAL, vmax=RESIDUAL)
        axis.set_title(f"(image - {title})/sigma")
    figure.colorbar(drawn, ax=axes[1], shrink=0.8)
    for axis in axes.flat:
        axis.set_axis_off()


def _shrunk(picture: np.ndarray) -> np.ndarray:
    """Shrink a picture. Each new pixel is the brightest of its old ones, so no spot is lost."""
    step = -(-max(picture.shape) // LARGEST_PICTURE)
    rows, columns = (size - size % step for size in picture.shape)
    blocks = picture[:rows, :columns].reshape(rows // step, step, columns // step, step)
    filled = np.where(np.isnan(blocks), -np.inf, blocks).max(axis=(1, 3))
    return np.where(np.isfinite(filled), filled, np.nan)
