"""What options do with a detector of several panels: the same as with one panel."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from cupysim.api import from_args
from cupysim.errors import FileFormatError, OptionError
from cupysim.models.detector import Detector
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.sensor import Sensor
from cupysim.readers import read_detector

PANELS = "-detector jungfrau-1m -distance 100"
SHOT = f"{PANELS} -lambda 1.3 -cell 40 50 60 90 90 90 -default_F 100 -N 5 -oversample 1 -corrected"


def sensors_of(words: str) -> list[Sensor]:
    """Sensors of all panels of a command line."""
    return [panel.sensor for panel in from_args(words).flat_panels]


def panels_of(words: str) -> PanelDetector:
    """The detector of a command line."""
    detector = from_args(f"{SHOT} {words}").detector
    assert isinstance(detector, PanelDetector)
    return detector


@pytest.mark.parametrize(("name", "own"), [("jungfrau-1m", 320e-6), ("eiger2-1m", 450e-6)])
@pytest.mark.parametrize(
    ("words", "thickness", "layers", "attenuation"),
    [
        ("", None, 1, None),
        ("-detector_thicksteps 5", None, 5, None),
        ("-detector_thick 400", 400e-6, 1, None),
        ("-detector_abs 100", None, 1, 1e4),
        ("-detector_thick 400 -detector_abs 100 -detector_thicksteps 3", 400e-6, 3, 1e4),
    ],
)
def test_an_option_changes_one_number_of_the_sensor(
    words: str, thickness: float | None, layers: int, attenuation: float | None, name: str,
    own: float,
) -> None:  # fmt: skip
    """The others stay those of the panel."""
    shot = SHOT.replace("jungfrau-1m", name)
    of_silicon = sensors_of(shot)[0].attenuation
    for sensor in sensors_of(f"{shot} {words}"):
        expected = own if thickness is None else thickness
        assert sensor.layers.range == pytest.approx(expected, rel=1e-12)
        assert sensor.layers.count * sensor.layers.step == pytest.approx(expected, rel=1e-12)
        assert sensor.layers.count == layers
        expected = of_silicon if attenuation is None else attenuation
        assert sensor.attenuation == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["jungfrau-1m", "eiger2-1m"])
@pytest.mark.parametrize("words", ["-detector_thick 0", "-detector_abs inf"])
def test_options_can_take_the_thickness_away(words: str, name: str) -> None:
    shot = SHOT.replace("jungfrau-1m", name)
    assert {each.layers.range for each in sensors_of(f"{shot} {words}")} == {0.0}


@pytest.mark.filterwarnings("error::cupysim.errors.CupysimWarning")
@pytest.mark.parametrize("name", ["jungfrau-1m", "eiger2-1m"])
def test_quirks_do_not_change_the_sensor_of_a_named_detector(name: str) -> None:
    """Quirk Q26 would make two layers of one, and quirk Q15 another absorption."""
    shot = SHOT.replace("jungfrau-1m", name)
    assert sensors_of(shot.replace(" -corrected", "")) == sensors_of(shot)


def test_point_pixels() -> None:
    """A pixel has the solid angle area/R^2."""
    assert panels_of("-point_pixel").point_pixel
    assert not panels_of("").point_pixel


def test_negative_rotations_invert_the_spindle() -> None:
    """As with one panel; the electric field stays."""
    words = "-osc -1 -phisteps 5"
    turned, straight = panels_of(words), panels_of("-osc 1 -phisteps 5")
    assert np.array_equal(turned.spindle, -np.array(straight.spindle))
    assert turned.polarization == straight.polarization
    single = from_args(f"{SHOT} {words}".replace(PANELS, "-distance 100")).detector
    assert isinstance(single, Detector)
    frame = single.placed(from_args(f"{SHOT} {words}").quirks).frame
    assert np.array_equal(turned.spindle, frame.spindle)


@pytest.mark.parametrize("option", ["-Xbeam 10", "-ORGX 10", "-mosflm", "-beam_vector 0 0 1"])
def test_advice_names_no_option_that_is_refused(option: str) -> None:
    """Options that move a single panel are not possible with several."""
    with pytest.raises(OptionError) as caught:
        from_args(f"{SHOT} {option}")
    assert "-close_distance" not in str(caught.value)
    assert "-detector_rotx" not in str(caught.value)


def test_point_pixels_in_the_way_of_nanobragg_are_told() -> None:
    """Quirk Q20 acts on panels too."""
    words = f"{SHOT} -point_pixel".replace(" -corrected", "")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        from_args(words)
    assert any("-point_pixel gives photons/m^2" in str(each.message) for each in told)


@pytest.mark.parametrize("option", ["-printout", "-printout_pixel 5 5"])
def test_printouts_are_refused(option: str) -> None:
    """A pixel is one of one panel."""
    with pytest.raises(OptionError, match=option.split()[0]):
        from_args(f"{SHOT} {option}")


@pytest.mark.parametrize("ending", ["geom", "expt", "h5"])
def test_pipes_are_refused(ending: str, tmp_path: Path) -> None:
    """Opening one would wait for ever."""
    path = tmp_path / f"a.{ending}"
    os.mkfifo(path)
    with pytest.raises(FileFormatError, match="not a regular file"):
        read_detector(path)
    option = {"geom": "-geom", "expt": "-expt", "h5": "-img"}[ending]
    with pytest.raises(FileFormatError, match="not a regular file"):
        from_args(f"{option} {path} -cell 40 50 60 90 90 90 -default_F 100 -N 5 -lambda 1")
