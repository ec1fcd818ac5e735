"""Drawing of an image of several panels, assembled in the laboratory or below each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.maths.resolution import resolution_of
from cupysim.models.panel import Panel
from cupysim.optional_libraries import require
from cupysim.plotting.assembled import View, extent_of
from cupysim.plotting.panel_layouts import MILLIMETRE, Assembled, Layout, Stacked, beam_places
from cupysim.plotting.spot_marks import draw_spots, strongest
from cupysim.plotting.style import Style

RING_POINTS = 65
"""Number of points along a panel's edge at which the resolution is computed for rings."""

LABEL_DIRECTION = (0.77, 0.64)
"""Direction from the beam, to the right and up, in which rings have their labels."""

MARGIN = 0.02
"""Margin around assembled panels, relative to their width or height."""

TALLEST = 3.0
"""Largest height of a stack of panels, relative to its width, with which the figure is narrow."""

LABEL_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5}
"""Style of the background of labels."""

OUTLINE = {"edgecolor": "0.75", "facecolor": "none", "linewidth": 0.4}
"""Style of the edges of panels."""


@dataclass(frozen=True, eq=False)
class PanelPicture:
    """An image of several panels to draw.

    Parameters
    ----------
    title : str
        Title above the image. Messages name it too.
    pixels : ndarray, shape (n_panels, n_slow, n_fast)
        Photons.
    masked : ndarray of bool, shape (n_panels, n_slow, n_fast)
        True for pixels that are left blank.
    panels : tuple of Panel
        Panels in the laboratory.
    view : View
        Directions of the assembled view.
    wavelength : float, optional
        Wavelength (m), to draw resolution rings.
    spots : ndarray of `cupysim.prediction.spots.SPOT`, optional
        Predicted spots.
    """

    title: str
    pixels: np.ndarray
    masked: np.ndarray
    panels: tuple[Panel, ...]
    view: View
    wavelength: float | None = None
    spots: np.ndarray | None = None


def draw_panels(
    axis: Any, picture: PanelPicture, pixels: np.ndarray, scale: tuple[str, Any], style: Style
) -> Any:
    """Draw an image of panels into axes.

    Assembled panels are seen along the beam, from the source. The axes are millimetres from the
    direct beam. Nearer panels cover farther ones, and panels that are seen edge-on are left out.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Empty axes.
    picture : PanelPicture
        Image and panels.
    pixels : ndarray, shape (n_panels, n_slow, n_fast)
        Photons; NaN in pixels that are left blank.
    scale : tuple of (str, matplotlib.colors.Normalize)
        Colour map and normalisation of all panels.
    style : Style
        Choices for drawing.

    Returns
    -------
    matplotlib.cm.ScalarMappable
        Colour map with its normalisation, for a colour bar.

    Raises
    ------
    CupysimError
        If there are no spots to mark, or matplotlib is not installed.
    """
    axis.set(title=picture.title)
    layout: Layout
    if style.stacked:
        stacked = Stacked(picture.panels, pixels.shape[1])
        drawn = _draw_stack(axis, pixels, scale)
        layout = stacked
    else:
        assembled = Assembled(picture.panels, picture.view)
        drawn = _draw_assembled(axis, picture, pixels, scale, assembled)
        layout = assembled
    _draw_outlines(axis, picture.panels, layout, style.names)
    _draw_beam(axis, picture, layout, style.stacked)
    if picture.wavelength is not None and style.has_rings:
        _draw_rings(axis, picture, layout, style, picture.wavelength)
    if style.spots or style.indices:
        spots = strongest(picture.title, picture.spots)
        spots = spots[np.isin(spots["panel"], layout.drawn)]
        x, y = np.zeros(len(spots)), np.zeros(len(spots))
        for number in np.unique(spots["panel"]):
            on_it = spots["panel"] == number
            x[on_it], y[on_it] = layout.place(number, spots["fast"][on_it], spots["slow"][on_it])
        draw_spots(axis, spots, x, y, style.indices)
    _describe_pointer(axis, picture, layout)
    return drawn


def width_of(picture: PanelPicture, height: float) -> float:
    """Width of a stack of panels in a figure.

    Parameters
    ----------
    picture : PanelPicture
        Image of panels.
    height : float
        Height of the figure (inches).

    Returns
    -------
    float
        Width (inches), with the margin for labels.
    """
    n_panels, n_slow, n_fast = picture.pixels.shape
    return height * min(max(n_fast / (n_panels * n_slow), 1.0 / TALLEST), 1.0)


def _draw_stack(axis: Any, pixels: np.ndarray, scale: tuple[str, Any]) -> Any:
    """Draw all panels as one array."""
    table = pixels.reshape(-1, pixels.shape[-1])
    n_slow, n_fast = table.shape
    drawn = axis.imshow(
        table, cmap=scale[0], norm=scale[1], interpolation="nearest", extent=(0, n_fast, n_slow, 0)
    )
    axis.set(xlabel="fast (pixels)", ylabel="slow (pixels), panels below each other")
    axis.set(xlim=(0, n_fast), ylim=(n_slow, 0))
    return drawn


def _draw_assembled(
    axis: Any, picture: PanelPicture, pixels: np.ndarray, scale: tuple[str, Any], layout: Assembled
) -> Any:
    """Draw each panel where it is."""
    affine_2d = require("matplotlib.transforms", "a picture").Affine2D
    for number in layout.drawn:
        panel = picture.panels[number]
        matrix = np.vstack([layout.matrices[number], [0.0, 0.0, 1.0]])
        axis.imshow(
            pixels[number, : panel.n_slow, : panel.n_fast], cmap=scale[0], norm=scale[1],
            interpolation="nearest", extent=(0, panel.n_fast, panel.n_slow, 0),
            transform=affine_2d(matrix) + axis.transData,
        )  # fmt: skip
    left, right, bottom, top = np.array(
        extent_of(picture.panels, picture.view.right, picture.view.up)
    ) / MILLIMETRE  # fmt: skip
    width, height = MARGIN * (right - left), MARGIN * (top - bottom)
    axis.set(xlim=(left - width, right + width), ylim=(bottom - height, top + height), aspect=1.0)
    axis.set(xlabel="to the right of the direct beam (mm)", ylabel="above the direct beam (mm)")
    return require("matplotlib.cm", "a picture").ScalarMappable(scale[1], scale[0])


def _draw_outlines(axis: Any, panels: Sequence[Panel], layout: Layout, names: bool) -> None:
    """Draw the edges of panels, and their names at their centres."""
    polygon = require("matplotlib.patches", "a picture").Polygon
    for number in layout.drawn:
        wide, high = panels[number].n_fast, panels[number].n_slow
        corners = layout.place(number, np.array([0, wide, wide, 0]), np.array([0, 0, high, high]))
        axis.add_patch(polygon(np.stack(corners, axis=1), **OUTLINE))
        if names:
            x, y = layout.place(number, wide / 2, high / 2)
            axis.text(
                x, y, panels[number].name, fontsize=7, color="tab:green", ha="center", va="center",
                clip_on=True, bbox=LABEL_BOX,
            )  # fmt: skip


def _draw_beam(axis: Any, picture: PanelPicture, layout: Layout, stacked: bool) -> None:
    """Mark the direct beam: the origin of the assembled view, or its places on panels."""
    places = [(0.0, 0.0)]
    if stacked:
        places = []
        for number, fast, slow in beam_places(picture.panels, picture.view.beam):
            x, y = layout.place(number, fast, slow)
            places.append((float(x), float(y)))
    for place in places:
        axis.plot(*place, marker="+", color="tab:red", markersize=10)


def _draw_rings(
    axis: Any, picture: PanelPicture, layout: Layout, style: Style, wavelength: float
) -> None:
    """Draw contours of equal resolution on each panel, and one label for each resolution."""
    grids = {}
    for number in layout.drawn:
        panel = picture.panels[number]
        fast, slow = np.meshgrid(
            np.linspace(0.0, panel.n_fast, RING_POINTS), np.linspace(0.0, panel.n_slow, RING_POINTS)
        )
        places = panel.position(fast, slow)
        inverse = ANGSTROM / resolution_of(places, picture.view.beam, wavelength)
        grids[number] = (*layout.place(number, fast, slow), inverse)
    if not grids:
        return
    levels = style.ring_levels(max(float(inverse.max()) for *_, inverse in grids.values()))
    points: dict[float, list[np.ndarray]] = {float(level): [] for level in levels}
    for x, y, inverse in grids.values():
        met = levels[(levels > inverse.min()) & (levels < inverse.max())]
        if met.size == 0:
            continue
        lines = axis.contour(
            x, y, inverse, levels=met, colors="tab:blue", linewidths=0.7, alpha=0.7
        )
        for level, segments in zip(met, lines.allsegs, strict=True):
            points[float(level)] += [segment for segment in segments if len(segment)]
    for level, segments in points.items():
        if segments:
            place = _label_place(segments, style.stacked)
            axis.text(
                *place, f"{1.0 / level:.2f} Å", fontsize=7, color="tab:blue", ha="center",
                va="center", clip_on=True,
                bbox=LABEL_BOX,
            )  # fmt: skip


def _label_place(segments: list[np.ndarray], stacked: bool) -> np.ndarray:
    """Point of a ring at which its label is written."""
    if stacked:
        longest = max(segments, key=len)
        return longest[len(longest) // 2]
    points = np.concatenate(segments)
    along = (points @ np.array(LABEL_DIRECTION)) / np.maximum(np.hypot(*points.T), 1e-9)
    return points[int(np.argmax(along))]


def _describe_pointer(axis: Any, picture: PanelPicture, layout: Layout) -> None:
    """Let the window show the panel, pixel and resolution under the pointer."""
    known = axis.format_coord

    def with_panel(x: float, y: float) -> str:
        found = layout.find(x, y)
        if found is None:
            return str(known(x, y))
        number, fast, slow = found
        panel = picture.panels[number]
        words = f"{panel.name}  fast {fast:.1f}  slow {slow:.1f}"
        if picture.wavelength is not None:
            place = panel.position(np.array(fast), np.array(slow))
            resolution = resolution_of(place, picture.view.beam, picture.wavelength)
            words += f"  {float(resolution) / ANGSTROM:.2f} Å"
        return words

    axis.format_coord = with_panel
