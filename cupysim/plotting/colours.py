"""Colour maps and normalisations of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cupysim.errors import CupysimError
from cupysim.formats import png
from cupysim.optional_libraries import require
from cupysim.plotting.style import Style


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


def two_sided_scale(pixels: np.ndarray, style: Style, ratio: bool) -> tuple[str, Any]:
    """Choose a colour map and a normalisation of a difference or ratio, symmetric about white.

    Parameters
    ----------
    pixels : ndarray
        Differences (photons) or ratios; NaN in pixels that are left out.
    style : Style
        Limits and colour map.
    ratio : bool
        Whether the pixels are ratios.

    Returns
    -------
    colours, norm
        As of `colour_scale`.

    Raises
    ------
    CupysimError
        If the limits of the style are impossible, or matplotlib is not installed.
    """
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
