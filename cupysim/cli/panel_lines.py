"""Lines about detectors of panels, for the sub-command info."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.maths.resolution import resolution_of
from cupysim.models.panel import Panel
from cupysim.plotting.panel_layouts import beam_places


def describe_values(
    panels: tuple[Panel, ...], pixels: np.ndarray, masked: np.ndarray
) -> Iterator[tuple[str, str]]:
    """Names and values that describe the pixels of panels.

    Parameters
    ----------
    panels : tuple of Panel
        Panels in the laboratory.
    pixels : ndarray, shape (n_panels, n_slow, n_fast)
        Numbers in the pixels.
    masked : ndarray of bool, shape (n_panels, n_slow, n_fast)
        Pixels without a measurement.

    Yields
    ------
    tuple of 2 str
        Name and value.
    """
    existing = sum(panel.n_fast * panel.n_slow for panel in panels)
    measured = masked.size - int(np.count_nonzero(masked))
    if measured < existing:
        yield "masked", f"{existing - measured} pixels"
    if measured == 0:
        return
    values = pixels[~masked]
    largest = values.max()
    number, slow, fast = np.argwhere((pixels == largest) & ~masked)[0]
    yield (
        "values",
        (
            f"from {values.min():g} to {largest:g} (at {fast} {slow} of panel "
            f"{panels[number].name}), mean {values.mean(dtype=np.float64):g}"
        ),
    )


def describe_panels(
    panels: tuple[Panel, ...], beam: np.ndarray, wavelength: float | None
) -> Iterator[tuple[str, str]]:
    """Names and values that describe the geometry of panels.

    Parameters
    ----------
    panels : tuple of Panel
        Panels in the laboratory.
    beam : ndarray, shape (3,)
        Direction of the photons, unit vector.
    wavelength : float, optional
        Wavelength (m).

    Yields
    ------
    tuple of 2 str
        Name and value.
    """
    yield "panels", _shortened([panel.name for panel in panels])
    sizes = sorted({panel.edges for panel in panels})
    words = [
        f"{1e3 * fast:g} mm" if fast == slow else f"{1e3 * fast:g} x {1e3 * slow:g} mm"
        for fast, slow in sizes
    ]
    yield "pixel", _shortened(words)
    near = [1e3 * panel.close_distance for panel in panels]
    low, high = f"{min(near):.6g}", f"{max(near):.6g}"
    distance = low if low == high else f"{low} to {high}"
    yield "distance", f"{distance} mm from the crystal to the panels' planes"
    places = [
        f"{fast:.3f} {slow:.3f} pixels (fast slow) of panel {panels[number].name}"
        for number, fast, slow in beam_places(panels, beam)
    ]
    yield "beam centre", "; ".join(places) or "on no panel"
    if wavelength is not None:
        yield "wavelength", f"{wavelength / ANGSTROM:.6g} A"
        corners = np.concatenate([panel.corners for panel in panels])
        finest = float(resolution_of(corners, beam, wavelength).min())
        yield "resolution", f"{finest / ANGSTROM:.2f} A in the farthest corner"


MOST_NAMES = 8
"""Largest number of names in a line."""


def _shortened(words: list[str]) -> str:
    """Words in a line; the last ones are left out if there are many."""
    text = ", ".join(words[:MOST_NAMES])
    return text if len(words) <= MOST_NAMES else f"{len(words)}: {text}, ..."
