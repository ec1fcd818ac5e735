"""Corrections of nonBragg's quirks: each gives a result that another way gives too."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Run
from tests.nonbragg.support import START, TABLE, number_after, photons, pixels, save

QUIET = f"{START} -nonoise"


def test_nothing_clips_the_sample_without_a_beam(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    free = run(f"{QUIET} -width 0.5 -heigh 0.2 -corrected NBQ1")
    np.testing.assert_array_equal(
        photons(free), photons(run(f"{QUIET} -width 0.5 -heigh 0.2 -beamsize 1"))
    )
    assert "clipping" not in free.out
    given = run(f"{QUIET} -width 0.5 -heigh 0.2 -beamsize 0.1 -corrected NBQ1")
    np.testing.assert_array_equal(photons(given), photons(run(QUIET)))
    assert given.out.count("clipping") == 2


def test_weights_are_relative(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "a.txt").write_text("-10 0 0 1 1e-10\n-10 1 0 3 1e-10\n")
    (tmp_path / "b.txt").write_text("-10 0 0 0.5 1e-10\n-10 1 0 1.5 1e-10\n")
    words = f"{QUIET} -sourcefile"
    right = run(f"{words} a.txt -corrected NBQ5")
    np.testing.assert_array_equal(photons(right), photons(run(f"{words} b.txt")))
    np.testing.assert_allclose(photons(run(f"{words} a.txt")), 2.0 * photons(right), rtol=1e-6)
    assert "NBQ5" not in right.err
    # the report has the weights of the file
    assert "\n-10 1 0   3 1e-10\n" in right.out


def test_the_axis_is_no_angle(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    axis, angle = "-twotheta_axis 0 0 1", "-twotheta 10"
    right = photons(run(f"{QUIET} {axis} {angle}"))
    np.testing.assert_array_equal(photons(run(f"{QUIET} {angle} {axis} -corrected NBQ6")), right)
    assert not np.allclose(photons(run(f"{QUIET} {angle} {axis}")), right)


def test_the_number_of_pixels(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    words = f"{QUIET} -pixel 0.1 -detpixels 42"
    image = photons(run(f"{words} -corrected NBQ8"), (42, 42))
    more = photons(run(words), (43, 43))
    np.testing.assert_array_equal(more[:42, :42], image)
    # a size that is no whole number of pixels is still rounded up
    photons(run(f"{START} -nonoise -pixel 0.1 -detpixels 0 -detsize 4.25 -corrected"), (43, 43))


def test_medians(run: Run, tmp_path: Path) -> None:
    # one bin, and so the median of all pixels
    save(tmp_path, "0.1 5\n", "one.stol")
    run(f"{START} -stol one.stol -fluence 1e19 -seed 2 -adc 0 -point_pixel -nopolar -fluence 1e11")
    shutil.copy(tmp_path / "noiseimage.img", tmp_path / "shot.img")
    words = "nonbragg -stol one.stol -img shot.img -adc 0 -nopolar -Fmap -nonoise -noprogress"
    run(f"{words} -corrected NBQ10")
    row = np.loadtxt(tmp_path / "output.stol")
    counts = np.frombuffer((tmp_path / "shot.img").read_bytes()[512:], dtype="<u2")
    assert row[5] == counts.size == 400
    assert row[4] > 0.0
    assert row[3] == pytest.approx(row[1], rel=0.2)
    run(words)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "output.stol")[[3, 4]], 0.0)


def test_comments_are_skipped(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    plain = photons(run(QUIET))
    save(tmp_path, f"# s F\n{TABLE}# end\n", "commented.stol")
    words = f"{QUIET} -stol commented.stol"
    right = run(f"{words} -corrected NBQ12")
    np.testing.assert_array_equal(photons(right), plain)
    assert "NBQ12" not in right.err
    assert "  9 initialized F points" in right.out
    assert not np.array_equal(photons(run(words)), plain)


def test_the_ends_continue_the_table(run: Run, tmp_path: Path) -> None:
    save(tmp_path, "0.02 5\n0.05 4\n0.08 1\n", "short.stol")
    words = f"{QUIET} -stol short.stol -Fmap"
    wrong, right = photons(run(words)), photons(run(f"{words} -corrected NBQ14"))
    assert wrong.min() < 0.0
    inside = (right > 1.0) & (right < 5.0)
    assert inside.any()
    np.testing.assert_array_equal(right[inside], wrong[inside])
    assert set(np.unique(right[~inside])) == {1.0, 5.0}


def test_intensities_are_not_negative(run: Run, tmp_path: Path) -> None:
    save(tmp_path, "0 1\n0.1 -1\n0.2 -2\n1 -3\n", "negative.stol")
    words = f"{QUIET} -stol negative.stol"
    wrong, right = photons(run(words)), photons(run(f"{words} -corrected NBQ14"))
    assert (wrong < 0.0).any()
    np.testing.assert_array_equal(right, np.abs(wrong))


def test_tables_are_sorted(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    plain = photons(run(QUIET))
    lines = TABLE.splitlines()
    save(tmp_path, "\n".join([lines[0], lines[2], lines[1], *lines[3:]]) + "\n", "mixed.stol")
    words = f"{QUIET} -stol mixed.stol"
    right = run(f"{words} -corrected NBQ15")
    np.testing.assert_array_equal(photons(right), plain)
    assert not np.array_equal(photons(run(words)), plain)
    save(tmp_path, f"{TABLE}0.2 1\n0.2 5\n", "thrice.stol")
    np.testing.assert_allclose(
        photons(run(f"{QUIET} -stol thrice.stol -corrected NBQ15")), plain, rtol=1e-6
    )


def test_the_deviation_of_the_pixels(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    words = f"{QUIET} -roi 2 12 3 9"
    right = run(f"{words} -corrected NBQ16")
    region = photons(right)[3:10, 2:13]
    deviation = region.std(ddof=1)
    assert number_after(right, "rmsd=") == pytest.approx(deviation, rel=1e-5)
    assert number_after(right, "pgm_scale =") == pytest.approx(50.0 / deviation, rel=1e-5)
    assert number_after(run(words), "rmsd=") > 1.05 * deviation


def test_the_mean_after_an_average(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "shot.img").write_bytes(run(f"{START} -seed 1").files["noiseimage.img"])
    words = f"{QUIET} -img shot.img"
    right = run(f"{words} -corrected NBQ16,NBQ17")
    image = photons(right)
    assert number_after(right, "mean=") == pytest.approx(image.mean(), rel=1e-5)
    assert number_after(right, "rmsd=") == pytest.approx(image.std(ddof=1), rel=1e-5)
    assert number_after(run(words), "mean=") == pytest.approx(image.sum(), rel=1e-5)


def test_the_solid_angle(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    label = "subtended by detector ="
    once = number_after(run(QUIET), label)
    words = f"{QUIET} -oversample 3"
    assert number_after(run(words), label) == pytest.approx(9.0 * once, rel=1e-2)
    right = number_after(run(f"{words} -corrected NBQ21"), label)
    assert right == pytest.approx(once, rel=1e-2)


def test_all_corrections_at_once(run: Run, tmp_path: Path) -> None:
    save(tmp_path, f"# s F\n{TABLE}0.9 2\n")
    outcome = run(f"{START} -seed 1 -detpixels 42 -pixel 0.1 -width 3 -lambda 0.5 -corrected")
    assert outcome.err == ""
    assert pixels(outcome, shape=(42, 42)).min() > 0
