"""Parallax that DIALS corrects, but that an image of one layer lacks."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import replace

import pytest

from cupysim import simulate
from cupysim.api import from_args
from cupysim.formats import nexus
from cupysim.formats.nexus.parallax import missing_parallax
from cupysim.models.panel import Panel
from cupysim.models.sampling import Sweep
from cupysim.models.sensor import Sensor

SHOT = "-cell 40 50 60 90 90 90 -default_F 100 -N 5 -oversample 1 -corrected -lambda 1.3"


def test_parallax_of_dxtbx() -> None:
    """(1/mu - (t/cos + 1/mu) exp(-mu t/cos)) sin, in pixels."""
    sensor = Sensor(Sweep(320e-6), 9000.0)
    panel = Panel("p", 100, 1, (0.0, 0.0, 0.1), (1, 0, 0), (0, 1, 0), 1e-3, sensor)
    # the corner at 100 mm: 45 degrees, but for the height of a pixel
    path, mu = math.sqrt(2.0) * 320e-6, 9000.0
    depth = 1.0 / mu - (path + 1.0 / mu) * math.exp(-mu * path)
    expected = depth * math.sqrt(0.5) / 1e-3
    assert missing_parallax(panel) == pytest.approx(expected, rel=1e-3)
    several = replace(panel, sensor=Sensor(Sweep(320e-6, 160e-6, 2), 9000.0))
    assert missing_parallax(several) == 0.0
    assert missing_parallax(replace(panel, sensor=Sensor())) == 0.0


@pytest.mark.parametrize(
    ("words", "is_told"),
    [
        ("-detpixels 32 -pixel 5 -detector_thick 5000 -detector_abs 1500", True),
        ("-detpixels 32 -pixel 5 -detector_thick 5000 -detector_abs 1500 -thicksteps 2", False),
        ("-detpixels 32 -pixel 5", False),
        ("-detpixels 32 -pixel 5 -distance 2000 -detector_thick 5000 -detector_abs 1500", False),
    ],
)
def test_files_with_a_sensor_of_one_layer(words: str, is_told: bool) -> None:
    """DIALS would correct a parallax that is not in the image."""
    experiment = from_args(f"{SHOT} {words}")
    if "-thicksteps" not in words and "-detector_thick" in words:
        detector = experiment.detector
        layers = Sweep(detector.sensor.layers.range)
        sensor = replace(detector.sensor, layers=layers)
        experiment = replace(experiment, detector=replace(detector, sensor=sensor))
    image = simulate(experiment)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        nexus.write(io.BytesIO(), image.content())
    assert any("no parallax" in str(each.message) for each in told) is is_told
