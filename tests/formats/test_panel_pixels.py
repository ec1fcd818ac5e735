"""Pixels of panels in arrays of files, and panels that are compared by their numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cupysim import Panel, PanelDetector, Sensor
from cupysim.errors import CupysimError
from cupysim.formats.mosaic import mosaic_of
from cupysim.formats.panel_pixels import check_same_order
from cupysim.models.sampling import Sweep

FIRST = Panel("a", 8, 6, (0.0, 0.0, 0.1), (1, 0, 0), (0, 1, 0), 1e-4)
SECOND = replace(FIRST, name="b", origin=(0.01, 0.0, 0.1))


def test_panels_in_another_order_are_refused() -> None:
    detector = PanelDetector([FIRST, SECOND], beam=(0, 0, 1), spindle=(1, 0, 0))
    check_same_order(detector, detector)
    with pytest.raises(CupysimError, match="panel 0 is 'a' in the first, and 'b' in the second"):
        check_same_order(
            detector, PanelDetector([SECOND, FIRST], beam=(0, 0, 1), spindle=(1, 0, 0))
        )


def test_names_of_panels_may_differ_but_not_their_sizes() -> None:
    detector = PanelDetector([FIRST, SECOND], beam=(0, 0, 1), spindle=(1, 0, 0))
    check_same_order(
        detector,
        PanelDetector([FIRST, replace(SECOND, name="c")], beam=(0, 0, 1), spindle=(1, 0, 0)),
    )
    other = replace(SECOND, n_slow=5)
    with pytest.raises(CupysimError, match="differ"):
        check_same_order(detector, PanelDetector([FIRST, other], beam=(0, 0, 1), spindle=(1, 0, 0)))


def test_panels_with_different_sensors_are_no_single_panel() -> None:
    detector = PanelDetector([FIRST, SECOND], beam=(0, 0, 1), spindle=(1, 0, 0), point_pixel=True)
    whole = mosaic_of(detector)
    assert whole is not None
    assert whole.detector.point_pixel
    thin, thick = (
        replace(panel, sensor=Sensor(Sweep(thickness), 1e3))
        for panel, thickness in ((FIRST, 3e-4), (SECOND, 5e-4))
    )
    assert mosaic_of(PanelDetector([thin, thick], beam=(0, 0, 1), spindle=(1, 0, 0))) is None
