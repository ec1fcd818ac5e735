"""A run in which a quirk has an effect says so, once, by its number."""

from __future__ import annotations

import re

import pytest

from tests.conftest import Run

BASE = "-cell 50 -default_F 10 -N 4 -pixel 2 -detpixels 10 -nonoise -nopgm"
TRICLINIC = "-cell 70 80 90 75 85 95 -default_F 10 -pixel 2 -detpixels 10 -nonoise -nopgm"
ROWS = [
    (f"{BASE}", []),
    (f"{BASE} -osc 1 -phisteps 4 -mosaic 1 -detector_thick 100 -gauss_xtal -water 3", []),
    (f"{BASE} -twotheta 20 -twotheta_axis 1 0 0", [10, 1]),
    (f"{BASE} -misset_seed 3 -N 5 -Na 2", [2]),
    (f"{BASE} -twotheta_axis 0 0 2 -twotheta 5", [10, 4]),
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
    (f"{BASE} -hdivsteps 3", [27]),
    (f"{BASE} -phisteps 10 -phistep 0.1", [27]),
    (f"{BASE} -img made.img -distance 200 -oversample 1", [29]),
]


@pytest.mark.parametrize(("words", "numbers"), ROWS, ids=[row[0][64:] for row in ROWS])
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
