"""Where photons of given directions meet a panel, and what its sensor absorbs of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.maths.pixel_factors import capture_fraction
from cupysim.plan.render_plan import RenderPlan, Use

GRAZING = 1e-9
"""Smallest cosine between a ray and a panel's normal. More inclined rays do not meet the panel."""


@dataclass(frozen=True)
class PlaceOnPanel:
    """Where photons meet a panel.

    Parameters
    ----------
    fast, slow : ndarray, shape (n,)
        Positions (pixels).
    meets_plane : ndarray of bool, shape (n,)
        Whether the photons meet the plane of the panel, on it or beside it.
    captured : ndarray, shape (n,)
        Sums of the absorbed fractions of all layers; with quirk Q15 up to the number of layers.
    airpath : ndarray, shape (n,)
        Lengths of the paths (m).
    """

    fast: np.ndarray
    slow: np.ndarray
    meets_plane: np.ndarray
    captured: np.ndarray
    airpath: np.ndarray


def place_on_panel(plan: RenderPlan, shot: int, panel: int, direction: np.ndarray) -> PlaceOnPanel:
    """Follow photons to a panel, and to their mean depth in its sensor.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    shot, panel : int
        Numbers of the shot and of the panel. The panel must be flat.
    direction : ndarray, shape (n, 3)
        Directions of the photons, unit vectors.

    Returns
    -------
    PlaceOnPanel
        Where they meet it.
    """
    panels, at = plan.panels, (shot, panel)
    parallax = direction @ panels.normal[at]
    step, attenuation = float(panels.layer_step[at]), float(panels.attenuation[at])
    # the mean depth: with quirk Q15 all layers count equally, otherwise by what they absorb
    layer = np.full(len(direction), 0.5 * (panels.n_layers - 1))
    if plan.capture_use is Use.EACH:
        slant = step * attenuation / parallax
        layer = _mean_layer(slant, panels.n_layers)
    origin = panels.origin[at] + (layer * step)[:, None] * panels.normal[at]
    # origin + f fast + s slow = r direction, even if fast and slow are not perpendicular
    across = np.cross(panels.fast[at], panels.slow[at])
    approach = direction @ across
    solvable = np.abs(approach) > GRAZING
    distance = (origin @ across) / np.where(solvable, approach, 1.0)
    place = distance[:, None] * direction - origin
    fast = place @ np.cross(panels.slow[at], across) / (across @ across)
    slow = place @ np.cross(across, panels.fast[at]) / (across @ across)
    captured = np.full(len(direction), float(panels.n_layers))
    if not panels.absorbs_all:
        with np.errstate(over="ignore", invalid="ignore"):
            n_layers = panels.n_layers
            if plan.capture_use is Use.EACH:
                captured = capture_fraction(0, n_layers * step, attenuation, parallax)
            else:
                # all layers get the absorbed fraction of the last layer (quirk Q15)
                last = capture_fraction(n_layers - 1, step, attenuation, parallax)
                captured = n_layers * last
            captured = np.nan_to_num(captured, posinf=0.0, neginf=0.0)
    hits = solvable & (distance > 0.0)
    fast, slow = fast / float(panels.pixel_fast[at]), slow / float(panels.pixel_slow[at])
    return PlaceOnPanel(fast, slow, hits, captured, distance)


def _mean_layer(slant: np.ndarray, n_layers: int) -> np.ndarray:
    """Mean number of the layer that absorbs a photon, from the optical thickness of a layer."""
    layers = np.arange(n_layers)
    with np.errstate(over="ignore", invalid="ignore"):
        reached = np.exp(-np.abs(slant)[:, None] * layers)
        return np.nan_to_num((reached * layers).sum(axis=1) / reached.sum(axis=1))
