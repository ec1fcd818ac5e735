"""How the command line is read."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest

from cupysim.errors import CupysimWarning, OptionError
from cupysim.nanobragg.arguments import RANDOM, default_values, scan
from cupysim.nanobragg.initial_values import INITIAL
from cupysim.nanobragg.options import OPTIONS
from cupysim.quirks import QuirkWarning


def read(words: str) -> dict[str, Any]:
    return scan(words.split())[0]


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        ("-lambda 1.5", "wavelength", 1.5 / 1e10),
        ("-wavelength 1.5", "wavelength", 1.5 / 1e10),
        ("--lambda 1.5", "wavelength", 1.5 / 1e10),
        ("-lambda 1 -energy 11000", "wavelength", (12398.42 / 11000) / 1e10),
        ("-energy 11000 -lambda 2", "wavelength", 2 / 1e10),
        ("-N 5 -Na 3", "n_a", 3),
        ("-Na 3 -N 5", "n_a", 5),
        ("-Na 3 -N 5", "n_c", 5),
        ("-Na 2.7", "n_a", 2),
        ("-samplesize 0.5", "sample_z", 0.0005),
        ("-height 0.5", "sample_z", 0.0005),
        ("-misset 10 -20 30", "misset", [a / 57.29577951308232 for a in (10.0, -20.0, 30.0)]),
        ("-misset random", "misset", RANDOM),
        ("-cell 70", "cell", [70.0]),
        ("-cell 70 80 -N 5", "cell", [70.0, 80.0]),
        ("-cell 50 60 70 80 85 95 -cell 55", "cell", [55.0, 60.0, 70.0, 80.0, 85.0, 95.0]),
        ("-detpixels 64", "n_slow", 64),
        ("-detpixels_x 64", "n_fast", 64),
        ("-detpixels_s 64", "n_slow", 64),
        ("-divergence 2", "vdiv_range", 0.002),
        ("-divsteps 4", "hdiv_steps", 4),
        ("-hdivstep 0.5", "hdiv_step", 0.0005),
        ("-hdivsteps 5", "hdiv_steps", 5),
        ("-phistep 0.5", "phi_step", 0.5 / 57.29577951308232),
        ("-phisteps 5", "phi_steps", 5),
        ("-nopolar -polar 0.9", "polarized", True),
        ("-polar 0.9 -nopolar", "polarized", False),
        ("-nonoise -noisefile n.img", "write_noise", True),
        ("-noisefile n.img -nonoise", "write_noise", False),
        ("-nopgm -pgmscale 2", "write_pgm", True),
        ("-detector_abs 200", "attenuation", 1 / (200 * 1e-6)),
        ("-detector_abs inf", "attenuation", 0.0),
        ("-detector_thick 100 -detector_abs inf", "sensor_thickness", 0.0),
        ("-detector_abs 0 -detector_thick 100", "sensor_thickness", 100 * 1e-6),
        ("-seed 4294967301", "noise_seed", 5),
        ("-roi 1 -1 2 3", "region", [1, -1, 2, 3]),
        ("-printout_pixel 3 4", "printout", True),
        ("-xds -fdet_vector 1 0 0", "convention", "custom"),
        ("-fdet_vector 1 0 0 -xds", "convention", "xds"),
        ("-xds -distance 100", "pivot", "beam"),
        ("-distance 100 -ORGX 50", "pivot", "sample"),
        ("-twotheta 20", "pivot", "sample"),
        ("-oversample_thick -oversample 3", "oversample", 3),
        ("-floatfile -x.bin", "float_file", "-x.bin"),
        ("-curved_det -nonoise", "curved", True),
    ],
)
def test_value(words: str, name: str, value: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        assert read(words)[name] == value


def test_units_agree_with_the_c_programs_constants() -> None:
    values = default_values()
    assert values["pixel"] == 0.1e-3
    assert values["distance"] == 100.0e-3
    assert values["size_fast"] == 102.4e-3
    assert values["wavelength"] == 1.0e-10
    assert values["beamsize"] == 1e-4
    assert values["fluence"] == 125932015286227086360700780544.0


def test_misset_seed_is_also_misset() -> None:
    with pytest.warns(QuirkWarning, match="Q2: .* -misset 77 0 5;"):
        given = read("-misset random -misset_seed 77 -N 5 -nonoise")
    assert given["misset"][0] == pytest.approx(math.radians(77))
    assert given["misset"][1:] == [0.0, 5 / 57.29577951308232]
    assert given["n_a"] == 5


@pytest.mark.parametrize(
    "words", ["-misset_seed 77 -misset random -N 5", "-misset random -misset_seed 77"]
)
def test_misset_seed_in_a_harmless_place(words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(words)["misset"] == RANDOM


def test_twotheta_axis_is_also_twotheta() -> None:
    with pytest.warns(QuirkWarning, match="Q1: -twotheta_axis also sets -twotheta 1;"):
        given = read("-twotheta 20 -twotheta_axis 1 0 0")
    assert given["twotheta"] == pytest.approx(math.radians(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read("-twotheta_axis 1 0 0 -twotheta 20")["twotheta"] == pytest.approx(
            math.radians(20)
        )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-hdiv 0.3", "-hdiv is ignored, as in nanoBragg: use -hdivrange"),
        ("-detsize_x 30", "-detsize_x is ignored, as in nanoBragg: use -detsize_f"),
        ("--detpixels 30", "--detpixels is ignored, as in nanoBragg: write it with one dash"),
        ("stray", "'stray' belongs to no option and is ignored"),
        ("-lambda_of_mine 1", "'-lambda_of_mine' is read as -lambda, in A"),
        ("-Na 2.7", "-Na 2.7: an integer is expected; 2 is used"),
        (
            "-curved_det",
            "Q12: -curved_det is ignored because it is the last argument; "
            "-corrected Q12 corrects it",
        ),
    ],
)
def test_warning(words: str, message: str) -> None:
    with pytest.warns(CupysimWarning) as caught:
        read(words)
    assert [str(warning.message) for warning in caught] == [message]


def test_error_has_option_and_problem() -> None:
    with pytest.raises(OptionError) as caught:
        read("-distance far")
    assert caught.value.option == "-distance"
    assert caught.value.problem == "expected a number, got 'far'"


def test_table_is_sound() -> None:
    spellings = [name for option in OPTIONS for name in (*option.names, *option.extensions)]
    assert len(spellings) == len(set(spellings))
    for option in OPTIONS:
        assert option.help.endswith("."), option.name
        assert option.matches(option.name)
        assert set(option.sets) <= {*INITIAL, "pivot"}, option.name
        for name in (*option.names, *option.extensions):
            assert option.matches(name), name


@pytest.mark.parametrize("option", [o for o in OPTIONS if o.is_new], ids=lambda o: o.name)
def test_new_options_contain_no_old_one(option: Any) -> None:
    for other in OPTIONS:
        if not other.is_new:
            assert not any(name in option.name for name in other.names), other.name
