"""Corrected quirks of the command line: what an option means does not depend on its place."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from cupysim import QuirkWarning
from cupysim.api import from_args
from cupysim.errors import CupysimError, OptionError
from cupysim.quirks import CORRECTABLE, CORRECTED, NANOBRAGG, Quirk, Quirks
from tests.conftest import INPUTS, Renderer, Run
from tests.corrected.rendering import experiment_of, image_of

BASE = "-cell 50 60 70 -default_F 10 -N 5 -pixel 2 -detpixels 12 -misset 10 20 30 -oversample 1"

SAME = [
    (1, "-twotheta 20 -twotheta_axis 0 0 -1", "-twotheta_axis 0 0 -1 -twotheta 20"),
    (1, "-twotheta_axis 1 0 0", "-twotheta_axis 1 0 0 -twotheta 0"),
    (2, "-misset random -misset_seed 77 -nopgm -nonoise -noprogress",
     "-misset_seed 77 -misset random -nopgm -nonoise -noprogress"),
    (4, "-twotheta_axis 0 0 2 -twotheta 10", "-twotheta_axis 0 0 1 -twotheta 10"),
    (10, "-xds -fdet_vector 1 0 0 -twotheta 5", "-xds -twotheta 5"),
    (10, "-spindle_axis 0 1 0 -adxv -phi 4", "-adxv -spindle_axis 0 1 0 -phi 4"),
    (10, "-twotheta_axis 0 0 -1 -twotheta 7", "-twotheta 7"),
    (12, "-oversample 1 -curved_det", "-curved_det -oversample 1"),
    (16, "-oversample_thick", ""),
    (18, "-detector_abs inf -detector_thick 100", ""),
    (25, "-N 1 -samplesize 0.0005 -hkl orc.hkl -nodump",
     "-N 1 -samplesize 0.0005 -hkl orc.hkl -nodump -nointerpolate"),
    (27, "-phisteps 10 -phistep 0.1", "-osc 1 -phisteps 10"),
    (27, "-osc 0.9 -phistep 0.3", "-osc 0.9 -phisteps 3"),
    (27, "-hdivsteps 3 -hdivstep 0.5", "-hdivsteps 3 -hdivrange 1"),
    (46, "-hdivrange 0.28 -hdivstep 0.02", "-hdivrange 0.28 -hdivsteps 15"),
    (51, "-distance_m 0.15", "-distance 150"),
]  # fmt: skip
"""A quirk, options, and other options which mean the same and are not touched by it."""


@pytest.mark.parametrize(("number", "words", "same"), SAME, ids=[f"Q{r[0]} {r[1]}" for r in SAME])
def test_these_mean_the_same(number: int, words: str, same: str, renderer: Renderer) -> None:
    words, same = (text.replace("orc.hkl", str(INPUTS / "orc.hkl")) for text in (words, same))
    # other quirks may act in either, so that both have the same corrections
    corrected, right = (
        image_of(renderer, f"-corrected Q{number} {BASE} {text}") for text in (words, same)
    )
    renderer.assert_close(corrected, right)
    # without the correction they mean something else
    assert not np.allclose(image_of(renderer, f"{BASE} {words}"), right, rtol=1e-3)


def test_the_axis_leaves_the_angle_alone() -> None:
    experiment = experiment_of(f"{BASE} -twotheta_axis 1 0 0 -corrected")
    assert experiment.detector.angles.twotheta == 0.0


def test_a_count_of_one_layer_is_one() -> None:
    sensor = experiment_of(
        f"{BASE} -detector_thick 100 -thicksteps 1 -corrected Q26"
    ).detector.sensor
    assert (sensor.layers.count, sensor.layers.step) == (1, pytest.approx(1e-4))


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_layers_fill_the_sensor(count: int) -> None:
    words = f"{BASE} -detector_abs 90 -detector_thick 100 -thicksteps {count} -corrected Q26"
    layers = experiment_of(words).detector.sensor.layers
    assert layers.count == count
    assert layers.step * layers.count == pytest.approx(1e-4, rel=1e-12)


@pytest.mark.parametrize("words", ["-hdivrange 0.28 -hdivstep 0.02", "-divergence 1 -hdivstep 0.3"])
def test_divergence_is_symmetric(words: str) -> None:
    """The mean direction is the beam's."""
    angles = experiment_of(f"{BASE} {words} -square_div -corrected Q46").sources.deviations
    assert angles is not None
    np.testing.assert_allclose(angles[:, 0], -angles[::-1, 0], atol=1e-15)


def test_without_it_the_divergence_is_not() -> None:
    angles = experiment_of(f"{BASE} -hdivrange 0.28 -hdivstep 0.02").sources.deviations
    assert angles is not None
    assert abs(angles[:, 0].mean()) > 1e-6


class TestTheSwitch:
    def test_all(self) -> None:
        for words in ("-corrected", "-corrected all", "-corrected -nopgm"):
            assert experiment_of(f"{BASE} {words}").quirks == CORRECTED

    def test_some(self) -> None:
        experiment = experiment_of(f"{BASE} -corrected q5,Q3")
        assert experiment.policy.numbers == (3, 5)
        assert experiment.oriented.quirks == experiment.placed.quirks == experiment.policy

    def test_several_add_up(self) -> None:
        """A warning of Q4 tells to add -corrected Q4, whatever else is corrected."""
        assert experiment_of(f"{BASE} -corrected Q3 -corrected Q4").policy.numbers == (3, 4)
        assert experiment_of(f"{BASE} -corrected Q3 -corrected").quirks == CORRECTED
        assert experiment_of(BASE).quirks == NANOBRAGG

    @pytest.mark.parametrize(
        ("value", "told"),
        [
            ("Q99", "there is no quirk Q99"),
            ("Q0", "there is no quirk Q0"),
            ("Q36", "Q36 (seeds) is reproduced"),
            ("3", "or numbers like Q3,Q5, got '3'"),
            ("Q3,", "or numbers like Q3,Q5"),
            ("Q3;Q5", "or numbers like Q3,Q5"),
            ("", "or numbers like Q3,Q5"),
        ],
    )
    def test_nonsense(self, value: str, told: str) -> None:
        with pytest.raises(OptionError, match=r"^-corrected: ") as caught:
            from_args([*BASE.split(), "-corrected", value])
        assert told in str(caught.value)

    def test_nothing_is_warned_of_twice_or_in_vain(self, run: Run) -> None:
        words = "-osc 1 -phisteps 3 -gauss_xtal -water 3 -detector_abs 99 -detector_thick 50"
        outcome = run(f"{BASE} {words} -oversample 2 -corrected")
        assert outcome.status == 0
        assert outcome.err == ""

    def test_a_warning_names_it(self) -> None:
        with pytest.warns(QuirkWarning, match="; -corrected Q10 corrects it$") as caught:
            from_args(f"{BASE} -spindle_axis 0 1 0")
        assert [each.message.number for each in caught] == [10]

    def test_python(self) -> None:
        with pytest.raises(CupysimError, match="there is no quirk Q77"):
            Quirks.of([3, 77])
        assert Quirks.of("all") == Quirks.of("corrected") == Quirks() == CORRECTED
        assert Quirks.of("nanobragg") == NANOBRAGG
        assert Quirks.of("nanobragg-gpu").numbers == (3, 12, 14)
        assert Quirks.of(("Q3", "Q5")) == Quirks.of([5, 3])
        assert Quirks.of("Q3,Q5").corrected == {Quirk.STALE_ORIENTATION, Quirk.TRICLINIC_CELL}
        for wrong in (None, True, 3, [3.5], [None], ["x"]):
            with pytest.raises(CupysimError, match="quirks: expected 'corrected'"):
                Quirks.of(wrong)  # type: ignore[arg-type]
        assert set(Quirk) >= CORRECTABLE


STOL = "0 2.5\n0.1 2.8\n0.16 5.5\n0.3 2.0\n0.8 1.1\n"


@pytest.mark.parametrize(
    ("option", "multiple"), [("-stol", 1.0), ("-4stol", 4.0), ("-Q", 4.0 * math.pi)]
)
def test_q53_the_table_is_a_background(
    option: str, multiple: float, renderer: Renderer, tmp_path: Path
) -> None:
    """The same matter as -background, whose table is of sin(theta)/lambda."""
    table = np.fromstring(STOL, sep=" ").reshape(-1, 2)
    (tmp_path / "plain.stol").write_text(STOL)
    np.savetxt(tmp_path / "given.stol", table * [multiple, 1.0], fmt="%.17g")
    words = "-cell 50 60 70 -default_F 1 -N 3 -detpixels 9 -pixel 4 -distance 60 -beamsize 0.2"
    given = f"{option} {tmp_path / 'given.stol'} -density 0.9 -MW 20 -amorphous_thick 0.3"
    found = image_of(renderer, f"{words} {given} -corrected Q53,Q17")
    matter = f"-background {tmp_path / 'plain.stol'},0.3,0.9,20"
    expected = image_of(renderer, f"{words} {matter} -corrected Q17")
    renderer.assert_close(found, expected)
    unused = image_of(renderer, f"{words} {given} -corrected Q17")
    renderer.assert_close(unused, image_of(renderer, f"{words} -corrected Q17"))
    assert unused.sum() < 0.5 * found.sum()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-density -1", "-density: must be at least 0, got -1"),
        ("-MW 0", "-MW: must be at least 1, got 0"),
    ],
)
def test_q53_impossible_matter(words: str, told: str, run: Run) -> None:
    outcome = run(f"{BASE} -stol amorph.stol {words} -corrected", ["amorph.stol"])
    assert (outcome.status, outcome.files) == (9, {})
    assert told in outcome.err


def test_q53_numbers_without_a_table_are_told(run: Run) -> None:
    outcome = run(f"{BASE} -density 3 -amorphous_thick 2 -corrected -nonoise -nopgm")
    for option in ("-density", "-amorphous_thick"):
        assert f"{option} has no effect without -stol, -4stol or -Q" in outcome.err
