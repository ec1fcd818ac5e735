"""Pictures of a simulated image, for windows, notebooks and files."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cupysim.errors import CupysimError
from cupysim.formats.stored_geometry import geometry_of
from cupysim.plotting.image_figure import Picture, draw_images
from cupysim.plotting.style import Style
from cupysim.plotting.windows import show_figure

if TYPE_CHECKING:
    from cupysim.image import Image


def show(
    image: Image, path: os.PathLike[str] | str | None, counts: np.ndarray | None, style: Style
) -> None:
    """Show an image, or write it as a picture; see `cupysim.Image.show`."""
    pixels = image.array if counts is None else np.asarray(counts)
    if pixels.shape != image.array.shape:
        raise CupysimError(
            f"show: expected counts of the shape {image.array.shape}, got {pixels.shape}"
        )
    picture = Picture(
        "expected photons" if counts is None else "counted photons",
        pixels,
        ~image.experiment.rendered_pixels,
        geometry_of(image.experiment),
        image.spots if style.spots or style.indices else None,
    )
    draw = partial(draw_images, pictures=[picture], style=style)
    show_figure(draw, path, "image.show(path)")
