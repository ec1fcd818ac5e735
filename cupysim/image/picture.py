"""Pictures of a simulated image, for windows, notebooks and files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from cupysim.errors import CupysimError
from cupysim.formats import png
from cupysim.formats.stored_geometry import geometry_of
from cupysim.models.panel_detector import PanelDetector
from cupysim.plotting.assembled import assemble, cell_size, view_of
from cupysim.plotting.image_figure import Picture, draw_images
from cupysim.plotting.panel_figure import PanelPicture
from cupysim.plotting.style import Style
from cupysim.plotting.windows import show_figure

if TYPE_CHECKING:
    from cupysim.image import Image


def show(
    image: Image,
    path: os.PathLike[str] | str | None,
    counts: np.ndarray | None,
    style: Style,
    up: Sequence[float] | None = None,
) -> None:
    """Show an image, or write it as a picture; see `cupysim.Image.show`."""
    pixels = image.array if counts is None else np.asarray(counts)
    if pixels.shape != image.array.shape:
        raise CupysimError(
            f"show: expected counts of the shape {image.array.shape}, got {pixels.shape}"
        )
    title = "expected photons" if counts is None else "counted photons"
    masked = ~image.experiment.rendered_pixels
    spots = image.spots if style.spots or style.indices else None
    detector = image.experiment.detector
    picture: Picture | PanelPicture
    if isinstance(detector, PanelDetector):
        wavelength = image.experiment.sources.mean_wavelength
        picture = PanelPicture(
            title, pixels, masked, detector.panels, view_of(detector, up), wavelength, spots
        )
    elif style.stacked or style.names or up is not None:
        raise CupysimError("show: stacked, names and up need a detector of panels")
    else:
        picture = Picture(title, pixels, masked, geometry_of(image.experiment), spots)
    draw = partial(draw_images, pictures=[picture], style=style)
    show_figure(draw, path, "image.show(path)")


def quick_look(image: Image, counts: np.ndarray | None = None) -> np.ndarray:
    """Photons of an image as a flat array, for PNG pictures.

    Parameters
    ----------
    image : Image
        Simulated image.
    counts : ndarray, optional
        Counted photons to show, of the shape of the image. By default the expected photons.

    Returns
    -------
    ndarray, shape (n_rows, n_columns)
        The image. Panels are assembled, as `image.show` shows them, with NaN between them, and
        with at most `png.LARGEST_EDGE` cells along the longer edge.
    """
    detector = image.experiment.detector
    pixels = image.array if counts is None else counts
    if not isinstance(detector, PanelDetector):
        return pixels
    view, panels = view_of(detector), detector.panels
    size = cell_size(panels, view.right, view.up, png.LARGEST_EDGE)
    masked = ~image.experiment.rendered_pixels
    return assemble(panels, pixels, view.beam, view.right, view.up, size, masked)[0]


def png_bytes(image: Image) -> bytes | None:
    """Return the image as a PNG picture, or None if Pillow is not installed."""
    if find_spec("PIL") is None:
        return None
    stream = BytesIO()
    png.write(stream, quick_look(image))
    return stream.getvalue()
