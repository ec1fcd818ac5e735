"""Detectors of all kinds as flat panels in the laboratory."""

from __future__ import annotations

from cupysim.maths.arrays import norm
from cupysim.models.checks import vector_of
from cupysim.models.detector import Detector, PlacedDetector
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector, PlacedPanels


def flat_panels(
    detector: Detector | PanelDetector, placed: PlacedDetector | PlacedPanels
) -> tuple[Panel, ...]:
    """The panels in the laboratory. A curved detector is the flat panel before its bend.

    Parameters
    ----------
    detector : Detector or PanelDetector
        The detector.
    placed : PlacedDetector or PlacedPanels
        The detector, placed in the laboratory.
    """
    if isinstance(placed, PlacedPanels) or isinstance(detector, PanelDetector):
        assert isinstance(detector, PanelDetector)
        return detector.panels
    geometry = placed.geometry
    # a two-theta axis that is not a unit vector stretches the detector (quirk Q4)
    edges = [detector.pixel_size * float(norm(v)) for v in (geometry.fast, geometry.slow)]
    return (Panel(
        "p0", detector.n_fast, detector.n_slow, vector_of(geometry.origin),
        vector_of(geometry.fast), vector_of(geometry.slow), edges, detector.sensor,
    ),)  # fmt: skip
