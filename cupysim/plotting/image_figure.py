"""A figure of one or several images, with resolution rings and predicted spots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimError
from cupysim.formats import png
from cupysim.optional_libraries import require
from cupysim.plotting.style import Style

if TYPE_CHECKING:
    from cupysim.formats.geometry import ImageGeometry

RINGS = 4
"""Number of resolution rings if the user names none."""

MOST_LABELS = 400
"""Largest number of spots that are labelled with their Miller indices."""

MOST_MARKED = 500
"""Largest number of spots that are marked: the strongest. More would hide the image."""


@dataclass(frozen=True, eq=False)
class Picture:
    """An image to draw.

    Parameters
    ----------
    title : str
        Title above the image. Messages name it too.
    pixels : ndarray, shape (n_slow, n_fast)
        Photons.
    masked : ndarray of bool, shape (n_slow, n_fast)
        True for pixels that are left blank.
    geometry : ImageGeometry, optional
        Geometry of the detector, to draw the beam centre and resolution rings.
    spots : ndarray of `cupysim.prediction.spots.SPOT`, optional
        Predicted spots.
    """

    title: str
    pixels: np.ndarray
    masked: np.ndarray
    geometry: ImageGeometry | None = None
    spots: np.ndarray | None = None


def draw_images(figure: Any, pictures: Sequence[Picture], style: Style) -> None:
    """Draw images side by side.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        An empty figure.
    pictures : sequence of Picture
        The images.
    style : Style
        Choices for drawing them.

    Raises
    ------
    CupysimError
        If there are no spots to mark, the colour map or its limits are impossible, or matplotlib
        is not installed.
    """
    shown = [_visible(picture) for picture in pictures]
    scales = [colour_scale(shown if style.same_scale else [pixels], style) for pixels in shown]
    _draw(figure, pictures, shown, scales, style)


def draw_difference(
    figure: Any, first: Picture, second: Picture, style: Style, ratio: bool = False
) -> None:
    """Draw the second image minus the first.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        An empty figure.
    first, second : Picture
        Two images of one size.
    style : Style
        Choices for drawing it. The colour map is red, white and blue unless the style names one.
    ratio : bool, optional
        Draw the second image divided by the first one.

    Raises
    ------
    CupysimError
        If the images have different sizes, or matplotlib is not installed.
    """
    before, after = _visible(first), _visible(second)
    if before.shape != after.shape:
        sizes = " and ".join(f"{each.shape[1]} x {each.shape[0]}" for each in (before, after))
        raise CupysimError(f"{first.title}, {second.title}: {sizes} pixels differ in size")
    if ratio:
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = after / before
        pixels = np.where(np.isfinite(pixels), pixels, np.nan)
    else:
        pixels = after - before
    title = f"{second.title} {'/' if ratio else '-'} {first.title}"
    picture = Picture(title, pixels, np.isnan(pixels), first.geometry, first.spots)
    _draw(figure, [picture], [pixels], [_two_sided_scale(pixels, style, ratio)], style)


def _visible(picture: Picture) -> np.ndarray:
    return np.where(picture.masked, np.nan, picture.pixels.astype(np.float64))


def _draw(
    figure: Any,
    pictures: Sequence[Picture],
    shown: Sequence[np.ndarray],
    scales: Sequence[tuple[str, Any]],
    style: Style,
) -> None:
    if style.cmap not in require("matplotlib", "a picture").colormaps:
        raise CupysimError(f"cmap: matplotlib has no colour map {style.cmap!r}")
    figure.set_size_inches(6.4 * len(shown) + 1.0, 6.4)
    axes = figure.subplots(1, len(shown), squeeze=False)
    for axis, picture, pixels, (colours, norm) in zip(
        axes[0], pictures, shown, scales, strict=True
    ):
        drawn = axis.imshow(
            pixels, cmap=colours, norm=norm, interpolation="nearest",
            extent=(0, pixels.shape[1], pixels.shape[0], 0),
        )  # fmt: skip
        axis.set(title=picture.title, xlabel="fast (pixels)", ylabel="slow (pixels)")
        if picture.geometry is not None:
            _draw_geometry(axis, picture.geometry, style.rings)
        if style.spots or style.indices:
            _draw_spots(axis, picture, style.indices)
        axis.set(xlim=(0, pixels.shape[1]), ylim=(pixels.shape[0], 0))
        if not style.same_scale:
            figure.colorbar(drawn, ax=axis, shrink=0.8, format=_short)
    if style.same_scale:
        figure.colorbar(drawn, ax=list(axes[0]), shrink=0.8, format=_short)


def _short(number: float, _: int | None = None) -> str:
    """Label of the colour bar."""
    return f"{number:.4g}"


def _finite(pixels: np.ndarray) -> np.ndarray:
    values = pixels[np.isfinite(pixels)]
    return values if values.size else np.zeros(1)


def colour_scale(shown: Sequence[np.ndarray], style: Style) -> tuple[str, Any]:
    """Choose a colour map and a normalisation that show spots and background of images.

    Parameters
    ----------
    shown : sequence of ndarray
        Photons of images on one scale; NaN in pixels that are left out.
    style : Style
        Scale, limits and colour map.

    Returns
    -------
    colours : str
        Name of the colour map.
    norm : matplotlib.colors.Normalize
        Normalisation.

    Raises
    ------
    CupysimError
        If the limits of the style are impossible, or matplotlib is not installed.
    """
    colors = require("matplotlib.colors", "a picture")
    scale = png.scale_of(np.concatenate([_finite(each) for each in shown]))
    low, high = _limits(style, scale.white, scale.black)
    if style.scale == "log":
        width = max(scale.knee, (high - low) / png.DECADES)
        return style.cmap, colors.AsinhNorm(width, vmin=low, vmax=high)
    return style.cmap, colors.PowerNorm(0.5 if style.scale == "sqrt" else 1.0, low, high)


def _two_sided_scale(pixels: np.ndarray, style: Style, ratio: bool) -> tuple[str, Any]:
    """Colour map and normalisation of a difference or ratio, symmetric about white."""
    colors = require("matplotlib.colors", "a picture")
    values = _finite(pixels)
    if ratio:
        # symmetric about one on a logarithmic scale
        positive = values[values > 0.0]
        reach = np.exp(np.percentile(np.abs(np.log(positive)), 99.0)) if positive.size else 1.0
        kind, low, high = colors.LogNorm, 1.0 / max(reach, 1.001), max(reach, 1.001)
    else:
        reach = float(np.percentile(np.abs(values), 99.9)) or 1.0
        kind, low, high = colors.Normalize, -reach, reach
    low, high = _limits(style, low, high)
    return "RdBu_r" if style.cmap == Style.cmap else style.cmap, kind(low, high)


def _limits(style: Style, low: float, high: float) -> tuple[float, float]:
    low = low if style.vmin is None else style.vmin
    high = high if style.vmax is None else style.vmax
    if not high > low:
        raise CupysimError(f"vmax: must be above vmin, got {high:g} and {low:g}")
    return low, high


def _draw_geometry(axis: Any, geometry: ImageGeometry, rings: Sequence[float] | None) -> None:
    """Draw the beam centre and rings of equal resolution."""
    centre = geometry.beam_centre
    if centre is not None:
        axis.plot(centre[0], centre[1], marker="+", color="tab:red", markersize=10)
    if geometry.wavelength is None or (rings is not None and len(rings) == 0):
        return
    fast = np.linspace(0.0, geometry.n_fast, 257)
    slow = np.linspace(0.0, geometry.n_slow, 257)
    inverse = 1.0 / geometry.resolution(*np.meshgrid(fast, slow)) * ANGSTROM
    if rings is None:
        levels = np.linspace(0.0, float(inverse.max()), RINGS + 2)[1:-1]
    else:
        levels = np.unique([1.0 / ring for ring in rings])
    lines = axis.contour(
        fast, slow, inverse, levels=levels, colors="tab:blue", linewidths=0.7, alpha=0.7
    )
    axis.clabel(lines, fmt=lambda value: f"{1.0 / value:.2f} Å", fontsize=7)
    known = axis.format_coord

    def with_resolution(x: float, y: float) -> str:
        place = float(geometry.resolution(np.array(x), np.array(y))) / ANGSTROM
        return f"{known(x, y)}  {place:.2f} Å"

    axis.format_coord = with_resolution


def _draw_spots(axis: Any, picture: Picture, with_indices: bool) -> None:
    """Draw circles around predicted spots, and label the strongest with their Miller indices."""
    spots = picture.spots
    if spots is None:
        raise CupysimError(
            f"{picture.title}: it holds no predicted spots that can be shown; -h5file writes them; "
            "for images of a campaign, use Campaign('FOLDER').truth['spots'] in Python"
        )
    if len(spots) == 0:
        raise CupysimError(
            f"{picture.title}: no spots are predicted for it, as for curved detectors and point "
            "pixels"
        )
    spots = spots[np.argsort(-spots["photons"], kind="stable")[:MOST_MARKED]]
    axis.scatter(
        spots["fast"], spots["slow"], s=40, facecolors="none", edgecolors="tab:orange",
        linewidths=0.6,
    )  # fmt: skip
    if with_indices:
        for spot in spots[:MOST_LABELS]:
            axis.annotate(
                f"{spot['h']} {spot['k']} {spot['l']}", (spot["fast"], spot["slow"]),
                textcoords="offset points", xytext=(4, 3), fontsize=4, color="tab:orange",
                annotation_clip=True, clip_on=True,
            )  # fmt: skip
