"""Detectors whose places in a picture are known."""

from __future__ import annotations

import numpy as np

from cupysim import Beam, Crystal, Experiment, Panel, PanelDetector, StructureFactors, UnitCell

DISTANCE = 0.1
"""Distance of the panels' centres along the beam (m)."""

SLANT = np.radians(15.0)
TURN = np.radians(30.0)

CENTRES = {"a": (-22, 22), "turned": (25, 25), "tilted": (-22, -22), "d": (22, -22)}
"""Centres of the panels in the picture (mm): to the right and up."""


def panel(
    name: str, fast: tuple[float, ...], slow: tuple[float, ...], n_pixels: int = 200
) -> Panel:
    """A panel of 40 x 40 mm in a frame with the beam along z and the picture's down along y."""
    size = 0.04 / n_pixels
    right, up = CENTRES[name]
    origin = np.array([right * 1e-3, -up * 1e-3, DISTANCE])
    origin -= 0.02 * np.array(fast) + 0.02 * np.array(slow)
    return Panel(name, n_pixels, n_pixels, tuple(origin), fast, slow, size)


def four_panels(n_pixels: int = 200) -> PanelDetector:
    """Two straight panels, one turned about the beam, and one tilted out of the plane."""
    cosine, sine = float(np.cos(TURN)), float(np.sin(TURN))
    return PanelDetector(
        [
            panel("a", (1, 0, 0), (0, 1, 0), n_pixels),
            panel("turned", (cosine, sine, 0), (-sine, cosine, 0), n_pixels),
            panel("tilted", (float(np.cos(SLANT)), 0, float(np.sin(SLANT))), (0, 1, 0), n_pixels),
            panel("d", (1, 0, 0), (0, 1, 0), n_pixels),
        ],
        beam=(0, 0, 1),
        spindle=(1, 0, 0),
    )


def eight_modules(n_fast: int = 128, n_slow: int = 64, size: float = 6e-4) -> PanelDetector:
    """Two columns of modules around the beam, as of a Jungfrau 4M."""
    wide, high = n_fast * size, n_slow * size
    panels = []
    for number in range(8):
        column, row = number % 2, number // 2
        x = 0.002 if column else -wide - 0.002
        y = (row - 2) * (high + 0.0027) + 0.00135 - (0.009 if column else -0.009)
        panels.append(Panel(f"m{number}", n_fast, n_slow, (x, y, 0.15), (1, 0, 0), (0, 1, 0), size))
    return PanelDetector(panels, beam=(0, 0, 1), spindle=(1, 0, 0))


def experiment(detector: PanelDetector) -> Experiment:
    """A small crystal with the same structure factor for every reflection."""
    cell = UnitCell.from_degrees(70, 80, 90, 90, 90, 90)
    crystal = Crystal(cell, n_cells=(5, 5, 5)).with_misset(10, 20, 30)
    beam = Beam(wavelength=1e-10, fluence=1e27)
    return Experiment(beam, crystal, detector, StructureFactors(default=100.0))
