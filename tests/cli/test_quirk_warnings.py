"""A run in which a quirk has an effect says so, once, by its number."""

from __future__ import annotations

import re

import pytest

from tests.conftest import Run

PIXELS = "-pixel 2 -detpixels 10 -oversample 1 -nonoise -nopgm"
BASE = f"-cell 50 -default_F 10 -N 4 {PIXELS}"
TRICLINIC = f"-cell 70 80 90 75 85 95 -default_F 10 {PIXELS}"
ROWS = [
    (f"{BASE}", []),
    (f"{BASE} -phi 1 -osc 1 -phisteps 4 -mosaic 1 -round_xtal", [52]),
    (f"{BASE} -osc 1 -phisteps 4", [3, 52]),
    (f"{BASE} -phi -1 -osc 1 -phisteps 4", [52]),
    (f"{BASE} -gauss_xtal", [6]),
    (f"{BASE} -tophat_spots", [6]),
    (f"{BASE} -spot_shape gauss_star", []),
    (f"{BASE} -twotheta 20", [7]),
    (f"{BASE} -oversample_omega", []),
    (f"{BASE} -oversample_omega -oversample 2", [14]),
    (f"{BASE} -detector_abs 99 -detector_thick 100", [15]),
    (f"{BASE} -detector_abs 99 -detector_thick 0.01", []),
    (f"{BASE} -water 3", []),
    (f"{BASE} -water 3 -fluence 1e24", [17]),
    (f"{BASE} -water 3 -mosaic 1", [17]),
    (f"{BASE} -oversample 2", []),
    (f"{BASE} -oversample 2 -pixel 9", [21]),
    (f"{BASE} -hdivrange 300 -hdivsteps 3", [21]),
    (f"{BASE} -detector_abs 99 -detector_thick 0.01 -thicksteps 4", [26]),
    (f"{BASE} -hdivrange 0.2 -hdivstep 0.1", [46]),
    (f"{BASE} -twotheta 20 -twotheta_axis 1 0 0", [10, 1]),
    (f"{BASE} -misset_seed 3 -N 5 -Na 2", [2]),
    (f"{BASE} -twotheta_axis 0 0 2 -twotheta 5", [7, 10, 4]),
    (TRICLINIC, [5]),
    (f"{BASE} -xds -pivot beam", [8]),
    (f"{BASE} -pivot beam", []),
    (f"{BASE} -xds -Xbeam 5", [9]),
    (f"{BASE} -ORGX 5", [9]),
    (f"{BASE} -spindle_axis 0 1 0", [10]),
    (f"{BASE} -spindle_axis 0 1 0 -adxv", [10]),
    (f"{BASE} -pix0_vector 0.1 0 0", [10, 11]),
    (f"{BASE} -curved_det", [12]),
    (f"{BASE} -sourcefile sources5.txt", [13]),
    (f"{BASE} -oversample_thick", [16]),
    (f"{BASE} -detector_abs inf -detector_thick 100", [18]),
    (f"{BASE} -curved_det -N 4", [19]),
    (f"{BASE} -point_pixel", [20]),
    (f"{BASE} -hkl few.hkl -N 1", [23]),
    (f"{BASE} -hkl few.hkl -N 1 -samplesize 0.00002", [25, 23]),
    (f"{BASE} -hdivsteps 3", [21, 27, 46]),
    (f"{BASE} -phi 1 -phisteps 10 -phistep 0.1", [27, 52]),
    (f"{BASE} -img made.img -distance 200 -oversample 1", [29, 52]),
    (f"{BASE} -water_mm 3", [51]),
    (f"{BASE} -pix0_vector_mm 100 0 0", [10, 11]),
]


@pytest.mark.parametrize(("words", "numbers"), ROWS, ids=[row[0][len(BASE) :] for row in ROWS])
def test_warnings(words: str, numbers: list[int], run: Run) -> None:
    outcome = run(words, ["sources5.txt", "few.hkl", "made.img"])
    assert outcome.status == 0
    found = re.findall(r"^cupysim: warning: Q(\d+): ", outcome.err, re.M)
    assert sorted(map(int, found)) == sorted(numbers), outcome.err


def test_a_dump_which_lies_around_is_reported(run: Run) -> None:
    run(f"{BASE} -hkl few.hkl", ["few.hkl"])
    outcome = run(BASE)
    assert "cupysim: warning: Q32: structure factors are read from Fdump.bin" in outcome.err
    assert "reading Fs from Fdump.bin" in outcome.out
    outcome = run(f"{BASE} -nodump")
    assert outcome.err == ""
    assert "reading Fs" not in outcome.out
