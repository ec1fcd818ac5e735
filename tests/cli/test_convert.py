"""The command which writes structure factors of any file as a list."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
import pytest

from tests.conftest import Outcome, Run
from tests.field.writers import CELL, asymmetric_unit, minus_of, plus_of, write_mtz
from tests.formats.structures import MODEL

HKL = asymmetric_unit(5.0)
PLUS, MINUS = plus_of(HKL), minus_of(HKL)
SMALL = (
    "-N 3 -detpixels 32 -pixel 2 -distance 60 -oversample 3 -nodump -nonoise -nopgm -noprogress "
    "-misset 1 2 3"
)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_mtz(Path("mean.mtz"), HKL, [("F", "F", PLUS)])
    write_mtz(Path("mates.mtz"), HKL, [("F(+)", "G", PLUS), ("F(-)", "G", MINUS)])


def lines(path: str) -> np.ndarray:
    return np.loadtxt(path, ndmin=2)


def compare(first: Outcome, second: Outcome) -> None:
    """The images a.bin and b.bin, which may differ by the digits of a list."""
    images = [
        np.frombuffer(outcome.files[name], np.float32)
        for outcome, name in ((first, "a.bin"), (second, "b.bin"))
    ]
    assert images[0].max() > 0.0
    np.testing.assert_allclose(*images, rtol=1e-5, atol=1e-9 * images[0].max())


@pytest.mark.parametrize("name", ["mean", "mates"])
def test_p1_list(name: str, run: Run) -> None:
    outcome = run(f"convert {name}.mtz P1.hkl")
    assert outcome.status == 0, outcome.err
    rows = lines("P1.hkl")
    assert f"written P1.hkl: {len(rows)} lines of h k l F in P1" in outcome.out
    found = {tuple(map(int, row[:3])): row[3] for row in rows}
    assert len(found) == len(rows)
    minus = PLUS if name == "mean" else MINUS
    for index, f_plus, f_minus in zip(HKL.tolist(), PLUS, minus, strict=True):
        h, k, l = index
        assert found[h, -k, -l] == pytest.approx(f_plus)
        assert found[-h, k, l] == pytest.approx(f_minus)


@pytest.mark.parametrize("name", ["mean", "mates"])
@pytest.mark.parametrize("target", ["P1.hkl", "P1.txt", "other.mtz"])
def test_the_image_is_the_same(name: str, target: str, run: Run) -> None:
    assert run(f"convert {name}.mtz {target}").status == 0
    cell = "" if target.endswith("mtz") else "-lambda 1.25 -cell 30 40 50"
    first = run(f"-hkl {name}.mtz {SMALL} -floatfile a.bin")
    second = run(f"-hkl {target} {cell} {SMALL} -floatfile b.bin")
    assert second.status == 0, second.err
    images = [
        np.frombuffer(r.files[n], np.float32) for r, n in ((first, "a.bin"), (second, "b.bin"))
    ]
    assert images[0].max() > 0.0
    np.testing.assert_allclose(*images, rtol=1e-5, atol=1e-9 * images[0].max())


def test_mtz_says_what_it_is(run: Run) -> None:
    run("convert mates.mtz other.mtz")
    mtz = gemmi.read_mtz_file("other.mtz")
    assert mtz.spacegroup.hm == "P 21 21 21"
    assert mtz.cell.parameters == pytest.approx(CELL)
    assert [(c.label, c.type) for c in mtz.columns] == [
        ("H", "H"), ("K", "H"), ("L", "H"), ("F(+)", "G"), ("F(-)", "G"),
    ]  # fmt: skip
    assert mtz.datasets[1].wavelength == pytest.approx(1.25)
    assert mtz.nreflections == len(HKL)
    asu = gemmi.ReciprocalAsu(mtz.spacegroup)
    assert all(asu.is_in(index) for index in mtz.make_miller_array().tolist())


# of these widths no reflection lies between two bins
@pytest.mark.parametrize("width", [0.0011, 0.0103])
def test_resolution_bins(width: float, run: Run) -> None:
    """sqrt(<F^2>) of the file's reflections, each once, in bins of sin(theta)/lambda."""
    outcome = run(f"convert mean.mtz a.stol --bs {width}")
    assert outcome.status == 0, outcome.err
    bins: dict[int, list[float]] = {}
    for index, value in zip(HKL.tolist(), PLUS, strict=True):
        stol = np.sqrt(sum((i / edge) ** 2 for i, edge in zip(index, CELL, strict=False)) / 4.0)
        bins.setdefault(int(stol / width + 0.5), []).append(value)
    expected = [(n * width, np.sqrt(np.mean(np.square(bins[n])))) for n in sorted(bins)]
    np.testing.assert_allclose(lines("a.stol"), expected, rtol=1e-6)


def test_resolution_limit(run: Run) -> None:
    run("convert mean.mtz a.hkl --dmin 10")
    finest = np.sqrt(((lines("a.hkl")[:, :3] / CELL[:3]) ** 2).sum(axis=1)).max()
    assert 1 / 11 < finest <= 1 / 10


def test_lists_need_a_cell(run: Run) -> None:
    run("convert mean.mtz P1.hkl")
    outcome = run("convert P1.hkl a.mtz")
    assert (outcome.status, "a.mtz" in outcome.files) == (2, False)
    assert "the unit cell is not in the file: give it with --cell" in outcome.err
    assert run("convert P1.hkl a.mtz --cell 30 40 50 90 90 90").status == 0
    assert gemmi.read_mtz_file("a.mtz").spacegroup.hm == "P 1"
    assert run("convert P1.hkl a.stol --cell 30 40 50 90 90 90").status == 0
    run("convert mean.mtz b.stol")
    # the list has each equivalent, the file each once
    assert len(lines("a.stol")) == len(lines("b.stol"))


def test_lists_without_friedel_mates(run: Run) -> None:
    """As people write them: nothing is lost, and nothing is made up."""
    Path("half.hkl").write_text("1 2 -3 100\n1 2 3 50\n0 0 -4 7\n")
    assert run("convert half.hkl a.mtz --cell 30 40 50 90 90 90").status == 0
    run("convert a.mtz a.hkl")
    found = {tuple(map(int, row[:3])): row[3] for row in lines("a.hkl")}
    assert found == {
        (1, 2, -3): 100, (-1, -2, 3): 100, (1, 2, 3): 50, (-1, -2, -3): 50, (0, 0, -4): 7,
        (0, 0, 4): 7,
    }  # fmt: skip
    run("convert half.hkl a.stol --cell 30 40 50 90 90 90 --bs 0.05")
    found = dict(lines("a.stol"))
    # 0 0 4 is at 0.04, the other two at 0.039
    assert found == pytest.approx({0.05: np.sqrt((100**2 + 50**2 + 7**2) / 3)})


def test_calculated_mates_are_the_same(run: Run) -> None:
    """Rounding of what is absent makes no anomalous signal, and absences are in no list."""
    run(f"convert {MODEL} a.mtz --dmin 6")
    mtz = gemmi.read_mtz_file("a.mtz")
    assert mtz.column_labels() == ["H", "K", "L", "F"]
    operations = mtz.spacegroup.operations()
    indices = mtz.make_miller_array().tolist()
    assert not any(operations.is_systematically_absent(index) for index in indices)
    run(f"convert {MODEL} a.stol --dmin 6")
    assert lines("a.stol")[:, 1].min() > 1.0


def test_one_dash_will_do(run: Run) -> None:
    """As in the main command, whose options messages name."""
    assert run("convert mean.mtz a.hkl -mtzcol F -dmin 10").status == 0
    assert run("convert mean.mtz b.hkl --mtzcol F --dmin 10").status == 0
    assert Path("a.hkl").read_bytes() == Path("b.hkl").read_bytes()


def test_shelx_lists(run: Run) -> None:
    text = "".join("{:4d}{:4d}{:4d}{:8.1f}{:8.2f}\n".format(*i, f, 1.0)
                   for i, f in zip(HKL.tolist(), PLUS, strict=True))  # fmt: skip
    Path("s.hkl").write_text(text + "   0   0   0    0.00    0.00\n   9   9   9   1.0    1.0\n")
    known = "--cell 30 40 50 90 90 90"
    outcome = run(["convert", "s.hkl", "a.hkl", "--shelx", "3", *known.split(), "--group",
                   "P 21 21 21"])  # fmt: skip
    assert outcome.status == 0, outcome.err
    run("convert mean.mtz b.hkl")
    np.testing.assert_allclose(lines("a.hkl"), lines("b.hkl"), rtol=1e-4)
    run(["convert", "s.hkl", "a.hkl", "--shelx", "4", *known.split(), "--group", "P 21 21 21"])
    np.testing.assert_allclose(lines("a.hkl")[:, 3], np.sqrt(lines("b.hkl")[:, 3]), rtol=1e-4)
    assert "--shelx: needs --cell and --group" in run(f"convert s.hkl a.hkl --shelx 4 {known}").err


def test_overlapped_reflections_of_a_twin(run: Run) -> None:
    """HKLF 5 marks those by negative batch numbers; each has the sum of several as its value."""
    Path("s.hkl").write_text("   1   2   3  100.00    1.00  -2\n  -3   1   2  100.00    1.00   1\n")
    known = ["--cell", "30", "40", "50", "90", "90", "90", "--group", "P 1"]
    outcome = run(["convert", "s.hkl", "a.hkl", "--shelx", "4", *known])
    assert outcome.status == 2
    assert "HKLF 5" in outcome.err
    assert not Path("a.hkl").exists()


def test_models(run: Run) -> None:
    """The SAXS recipe: one molecule in a large box, with its contrast at h k l = 0 0 0."""
    outcome = run(f"convert {MODEL} box.hkl --dmin 12 --cell 150 150 150 90 90 90 --hydrogens "
                  "--F000 contrast")  # fmt: skip
    assert outcome.status == 0, outcome.err
    rows = lines("box.hkl")
    forward = rows[~rows[:, :3].any(axis=1), 3]
    near = rows[(np.abs(rows[:, :3]).sum(axis=1) == 1), 3]
    # a small molecule in a large box: F varies slowly at the origin
    np.testing.assert_allclose(near, forward[0], rtol=0.15)
    image = run("-hkl box.hkl -cell 150 -lambda 1 -distance 1000 -detpixels 32 -pixel 4 -N 1 "
                "-nodump -nonoise -nopgm")  # fmt: skip
    assert image.status == 0
    assert image.float_image(32, 32).max() > 0


def test_the_same_as_the_main_command(run: Run) -> None:
    words = "-dmin 6 -nonoise -nopgm -nodump -N 2 -detpixels 16 -lambda 2 -pixel 4 -distance 60"
    first = run(f"-pdb {MODEL} {words} -floatfile a.bin")
    run(f"convert {MODEL} a.hkl --dmin 6")
    second = run(f"-hkl a.hkl -cell 34.77 39.17 48.31 {words} -floatfile b.bin")
    images = [
        np.frombuffer(r.files[n], np.float32) for r, n in ((first, "a.bin"), (second, "b.bin"))
    ]
    np.testing.assert_allclose(*images, rtol=1e-5, atol=1e-9 * images[0].max())


BAD = {
    "convert mean.mtz a.xyz": "its ending must name the format: .hkl, .txt, .stol, .mtz",
    "convert mean.mtz mean.mtz": "mean.mtz",
    "convert none.mtz a.hkl": "none.mtz: No such file or directory",
    f"convert {MODEL} a.hkl": "--dmin: a model needs a resolution limit",
    "convert mean.mtz a.hkl --dmin -1": "--dmin: must be positive, got -1",
    "convert mean.mtz a.hkl --dmin 1000": "--dmin: no reflection has a spacing of 1000 A or more",
    "convert mean.mtz a.stol --bs 0": "--bs: must be positive, got 0",
    "convert mean.mtz a.hkl --hydrogens": "--hydrogens: mean.mtz is not a model",
    "convert mean.mtz a.hkl --F000 contrast": "'contrast' needs a model",
    "convert mean.mtz a.hkl --F000 x": "-F000: expected a number or 'contrast', got 'x'",
    "convert mean.mtz a.hkl --mtzcol FX": "no column FX",
    "convert mean.mtz a.hkl --cell 30 40 50 90 90 90": "has a unit cell of its own",
    "convert mean.mtz a.hkl --group P1": "--group: only for SHELX lists",
    f"convert {MODEL} a.hkl --dmin 9 --mtzcol F": "--mtzcol: ",
    f"convert {MODEL} a.hkl --dmin 9 --k_sol -1": "--k_sol: must not be negative, got -1",
    "convert mean.mtz a.hkl --k_sol 0.3": "--k_sol: mean.mtz is not a model",
    "convert mean.mtz a.hkl --bs 0.1": "--bs: only for .stol files",
}


@pytest.mark.parametrize("words", BAD)
def test_bad_arguments(words: str, run: Run) -> None:
    before = Path("mean.mtz").read_bytes()
    outcome = run(words)
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1, outcome.err
    assert BAD[words] in outcome.err
    assert not Path("a.hkl").exists()
    assert Path("mean.mtz").read_bytes() == before
