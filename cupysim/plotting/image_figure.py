"""A figure of one or several images, with resolution rings and predicted spots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimError
from cupysim.optional_libraries import require
from cupysim.plotting.colours import colour_scale, two_sided_scale
from cupysim.plotting.panel_figure import PanelPicture, draw_panels, width_of
from cupysim.plotting.spot_marks import draw_spots, strongest
from cupysim.plotting.style import Style

if TYPE_CHECKING:
    from cupysim.formats.geometry import ImageGeometry


HEIGHT = 6.4
"""Height of a figure, and usual width of an image in it (inches)."""


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


def draw_images(figure: Any, pictures: Sequence[Picture | PanelPicture], style: Style) -> None:
    """Draw images side by side.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        An empty figure.
    pictures : sequence of Picture or PanelPicture
        The images.
    style : Style
        Choices for drawing them.

    Raises
    ------
    CupysimError
        If there are no spots to mark, the colour map or its limits are impossible, or matplotlib
        is not installed.
    """
    shown = [visible(picture) for picture in pictures]
    scales = [colour_scale(shown if style.same_scale else [pixels], style) for pixels in shown]
    _draw(figure, pictures, shown, scales, style)


def draw_difference(
    figure: Any,
    first: Picture | PanelPicture,
    second: Picture | PanelPicture,
    style: Style,
    ratio: bool = False,
) -> None:
    """Draw the second image minus the first.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        An empty figure.
    first, second : Picture or PanelPicture
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
    before, after = visible(first), visible(second)
    if before.shape != after.shape:
        sizes = " and ".join(
            " x ".join(map(str, (*each.shape[:0:-1], each.shape[0]))) for each in (before, after)
        )
        raise CupysimError(f"{first.title}, {second.title}: {sizes} pixels differ in size")
    if ratio:
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = after / before
        pixels = np.where(np.isfinite(pixels), pixels, np.nan)
    else:
        pixels = after - before
    title = f"{second.title} {'/' if ratio else '-'} {first.title}"
    picture = replace(first, title=title, pixels=pixels, masked=np.isnan(pixels))
    _draw(figure, [picture], [pixels], [two_sided_scale(pixels, style, ratio)], style)


def visible(picture: Picture | PanelPicture) -> np.ndarray:
    """Pixels of a picture, with NaN in those that are left blank.

    Parameters
    ----------
    picture : Picture or PanelPicture
        Image to draw.

    Returns
    -------
    ndarray, shape of the pixels
        Photons, in double precision unless there are panels.
    """
    # detectors of panels may have many pixels
    kind = np.float32 if isinstance(picture, PanelPicture) else np.float64
    return np.where(picture.masked, kind(np.nan), picture.pixels.astype(kind))


def _draw(
    figure: Any,
    pictures: Sequence[Picture | PanelPicture],
    shown: Sequence[np.ndarray],
    scales: Sequence[tuple[str, Any]],
    style: Style,
) -> None:
    if style.cmap not in require("matplotlib", "a picture").colormaps:
        raise CupysimError(f"cmap: matplotlib has no colour map {style.cmap!r}")
    widths = [
        width_of(picture, HEIGHT) if style.stacked and isinstance(picture, PanelPicture) else HEIGHT
        for picture in pictures
    ]
    figure.set_size_inches(sum(widths) + 1.0, HEIGHT)
    axes = figure.subplots(1, len(shown), squeeze=False)
    for axis, picture, pixels, (colours, norm) in zip(
        axes[0], pictures, shown, scales, strict=True
    ):
        if isinstance(picture, PanelPicture):
            drawn = draw_panels(axis, picture, pixels, (colours, norm), style)
        else:
            drawn = _draw_image(axis, picture, pixels, (colours, norm), style)
        if not style.same_scale:
            figure.colorbar(drawn, ax=axis, shrink=0.8, format=_short)
    if style.same_scale:
        figure.colorbar(drawn, ax=list(axes[0]), shrink=0.8, format=_short)


def _draw_image(
    axis: Any, picture: Picture, pixels: np.ndarray, scale: tuple[str, Any], style: Style
) -> Any:
    """Draw one image of a single panel, and return what a colour bar needs."""
    colours, norm = scale
    drawn = axis.imshow(
        pixels, cmap=colours, norm=norm, interpolation="nearest",
        extent=(0, pixels.shape[1], pixels.shape[0], 0),
    )  # fmt: skip
    axis.set(title=picture.title, xlabel="fast (pixels)", ylabel="slow (pixels)")
    if picture.geometry is not None:
        _draw_geometry(axis, picture.geometry, style)
    if style.spots or style.indices:
        spots = strongest(picture.title, picture.spots)
        draw_spots(axis, spots, spots["fast"], spots["slow"], style.indices)
    axis.set(xlim=(0, pixels.shape[1]), ylim=(pixels.shape[0], 0))
    return drawn


def _short(number: float, _: int | None = None) -> str:
    """Label of the colour bar."""
    return f"{number:.4g}"


def _draw_geometry(axis: Any, geometry: ImageGeometry, style: Style) -> None:
    """Draw the beam centre and rings of equal resolution."""
    centre = geometry.beam_centre
    if centre is not None:
        axis.plot(centre[0], centre[1], marker="+", color="tab:red", markersize=10)
    if geometry.wavelength is None or not style.has_rings:
        return
    fast = np.linspace(0.0, geometry.n_fast, 257)
    slow = np.linspace(0.0, geometry.n_slow, 257)
    inverse = 1.0 / geometry.resolution(*np.meshgrid(fast, slow)) * ANGSTROM
    levels = style.ring_levels(float(inverse.max()))
    lines = axis.contour(
        fast, slow, inverse, levels=levels, colors="tab:blue", linewidths=0.7, alpha=0.7
    )
    axis.clabel(lines, fmt=lambda value: f"{1.0 / value:.2f} Å", fontsize=7)
    known = axis.format_coord

    def with_resolution(x: float, y: float) -> str:
        place = float(geometry.resolution(np.array(x), np.array(y))) / ANGSTROM
        return f"{known(x, y)}  {place:.2f} Å"

    axis.format_coord = with_resolution
