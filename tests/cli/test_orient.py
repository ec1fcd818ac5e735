"""The sub-command orient: matrices from cells and angles, and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.transform import Rotation

from cupysim import api
from cupysim.campaign.definition.shots import draw_shot
from cupysim.cli.main import main
from cupysim.formats import mosflm_matrix
from tests.campaign.campaigns import campaign_of, text
from tests.formats.test_mosflm_matrix import CELLS, OBLIQUE, as_ubtoa, mosflm_text, oriented

SAME_CRYSTAL = 1e-12
"""Relative difference of lattices: of the 18 decimals of the file nothing is lost."""

PRINTED = 1e-8
"""The same for options, which are printed with nine digits."""

LIKELY = 1e-3
"""Probability below which random numbers are not what they should be; seeds are fixed."""

Command = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def orient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs the sub-command in an empty folder; gives its status, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["orient", *words.split()])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def options(cell: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in cell)


def lattice(words: str) -> np.ndarray:
    """Direct and reciprocal vectors of what the drop-in command would render."""
    crystal = api.from_args(f"{words} -default_F 1 -detpixels 8 -nodump").oriented
    return np.concatenate([crystal.lattice.direct / 100.0, crystal.lattice.reciprocal * 100.0])


def told(out: str, name: str) -> str:
    (line,) = (line for line in out.splitlines() if line.startswith(name))
    return line.removeprefix(name).strip()


def told_u(out: str) -> np.ndarray:
    lines = out.splitlines()
    (first,) = (number for number, line in enumerate(lines) if line.startswith("U  "))
    return np.array([line[1:].split() for line in lines[first : first + 3]], dtype=float)


@pytest.mark.parametrize("misset", ["10 20 30", "-123.4 56.7 89.1", "1e1 -2e-1 -.3", "0 90 40"])
@pytest.mark.parametrize("name", CELLS)
def test_matrix_is_that_of_the_drop_in(name: str, misset: str, orient: Command) -> None:
    cell = options(CELLS[name])
    status, out, err = orient(f"--cell {cell} --misset {misset} --lambda 0.9795 a.mat")
    assert (status, err) == (0, "")
    assert told(out, "written") == "a.mat"
    made = lattice("-mat a.mat -lambda 0.9795")
    wrong = name in ("oblique", "rhombohedral")
    words = f"-cell {cell} -misset {misset} -lambda 0.9795"
    wanted = lattice(f"{words} {'-corrected Q5' if wrong else ''}")
    np.testing.assert_allclose(made, wanted, rtol=0.0, atol=SAME_CRYSTAL)
    # the correction is needed where it is said to be
    assert ("-corrected Q5" in told(out, "as options")) == wrong
    if wrong:
        assert abs(made - lattice(words)).max() > 1e-3
    # and back, by the cell in the file, and by what is told
    status, back, err = orient("a.mat")
    assert (status, err) == (0, "")
    assert told(back, "as options") == told(out, "as options")
    again = lattice(f"{told(back, 'as options')} -lambda 0.9795")
    np.testing.assert_allclose(made, again, rtol=0.0, atol=PRINTED)


def test_report(orient: Command) -> None:
    status, out, _ = orient("--cell 40 50 60 60 70 110 --misset 10 -20 30 --lambda 0.9795 a.mat")
    assert status == 0
    assert told(out, "cell") == "40.0000 50.0000 60.0000 A, 60.0000 70.0000 110.0000 degrees"
    assert told(out, "wavelength") == "0.9795 A"
    assert told(out, "hand") == "right"
    assert told(out, "misset") == "10.0000 -20.0000 30.0000 degrees"
    turn = Rotation.from_euler("xyz", (10, -20, 30), degrees=True).as_matrix()
    np.testing.assert_allclose(told_u(out), turn, atol=1e-8)
    assert (
        orient("a.mat")[1].splitlines()[0] == "a.mat was made for 0.9795 A, according to its cell"
    )


def test_without_a_file(orient: Command) -> None:
    status, out, err = orient("--cell 40 50 60 90 90 90 --misset 0 -90 0")
    assert (status, err) == (0, "")
    assert told(out, "as options") == "-cell 40 50 60 90 90 90 -misset 0 -90 0"
    assert "wavelength" not in out
    assert list(Path().iterdir()) == []


def test_u_matrix(orient: Command) -> None:
    turn = Rotation.from_euler("xyz", (10, -20, 30), degrees=True).as_matrix()
    rounded = " ".join(f"{value:.4f}" for value in turn.flat)
    cell = options(OBLIQUE)
    status, out, _ = orient(f"--cell {cell} --umatrix {rounded} --lambda 1 a.mat")
    assert status == 0
    # four decimals turn the crystal, but they do not change the cell
    assert told(out, "cell") == "40.0000 50.0000 60.0000 A, 60.0000 70.0000 110.0000 degrees"
    np.testing.assert_allclose(told_u(out), turn, atol=2e-4)
    # and then by missetting angles
    status, out, _ = orient(f"--cell {cell} --umatrix {rounded} --misset 1 2 3 --lambda 1 b.mat")
    assert status == 0
    more = Rotation.from_euler("xyz", (1, 2, 3), degrees=True).as_matrix()
    np.testing.assert_allclose(told_u(out), more @ turn, atol=2e-4)


def test_a_matrix_is_turned(orient: Command) -> None:
    """As by -mat and -misset; the wavelength is that which the file tells."""
    a_matrix = 0.9795 * oriented(OBLIQUE, (10.0, -20.0, 30.0))
    Path("old.mat").write_text(mosflm_text(a_matrix, OBLIQUE))
    wanted = lattice("-mat old.mat -misset 1 2 3 -lambda 0.9795")
    for words in ("", "--lambda 0.9795", "--lambda 0.9795 --matrix-lambda 0.9795"):
        status, _, err = orient(f"--matrix old.mat --misset 1 2 3 {words} new.mat")
        assert (status, err) == (0, "")
        made = lattice("-mat new.mat -lambda 0.9795")
        # by the cell, eight decimals of A tell the wavelength within a millionth
        limit = SAME_CRYSTAL if words else 2e-6
        np.testing.assert_allclose(made, wanted, rtol=0.0, atol=limit)


def test_a_matrix_for_another_wavelength(orient: Command) -> None:
    a_matrix = 6.2 * oriented(CELLS["monoclinic"], (10.0, -20.0, 30.0))
    Path("six.mat").write_text(mosflm_text(a_matrix, CELLS["monoclinic"], decimals=10))
    Path("nine.mat").write_text("".join(Path("six.mat").read_text().splitlines(True)[:3]))
    wanted = lattice("-mat six.mat -lambda 6.2")
    for name in ("six.mat", "nine.mat --matrix-lambda 6.2"):
        status, out, err = orient(f"--matrix {name} --lambda 1.1 one.mat")
        assert (status, err) == (0, "")
        assert told(out, "wavelength") == "1.1 A"
        made = lattice("-mat one.mat -lambda 1.1")
        np.testing.assert_allclose(made, wanted, rtol=0.0, atol=2e-8)
    assert "six.mat was made for 6.2 A, according to its cell" in orient("six.mat")[1]


def test_wrong_files_are_told(orient: Command) -> None:
    Path("ub.mat").write_text(mosflm_text(as_ubtoa(OBLIQUE), OBLIQUE))
    status, out, err = orient("ub.mat --lambda 1")
    assert status == 0
    assert told(out, "cell") == "39.2499 47.9740 49.5646 A, 64.5019 73.2657 114.8955 degrees"
    assert err.startswith("cupysim: warning: ub.mat: at 1 A the matrix has the cell 39.2499 ")
    status, out, err = orient("ub.mat")
    assert (status, out) == (2, "")
    assert err == (
        "cupysim orient: error: --lambda is missing: ub.mat has a cell in line 8 that does not "
        "fit its matrix at any wavelength\n"
    )
    right = oriented(OBLIQUE, (0.0, 0.0, 0.0))
    Path("left.mat").write_text(mosflm_matrix.text(-right.T, 1e-10))
    status, out, err = orient("left.mat")
    assert status == 0
    assert told(out, "hand") == "left: no missetting angles give this orientation"
    assert told(out, "cell") == "40.0000 50.0000 60.0000 A, 60.0000 70.0000 110.0000 degrees"
    assert "misset" not in out.replace("no missetting", "")
    assert "the matrix is left-handed" in err


def test_random_can_be_repeated(orient: Command) -> None:
    cell = "--cell 40 50 60 60 70 110 --lambda 1"
    status, out, err = orient(f"{cell} --random a.mat")
    assert (status, err) == (0, "")
    seed = told(out, "seed")
    assert orient(f"{cell} --random --seed {seed} b.mat")[0] == 0
    assert Path("a.mat").read_bytes() == Path("b.mat").read_bytes()
    other = orient(f"{cell} --random c.mat")[1]
    assert told(other, "seed") != seed
    assert Path("a.mat").read_bytes() != Path("c.mat").read_bytes()
    np.testing.assert_allclose(
        lattice("-mat a.mat -lambda 1"),
        lattice(f"{told(out, 'as options')} -lambda 1"),
        rtol=0.0,
        atol=PRINTED,
    )
    # a matrix has another orientation to start with, which does not matter
    assert orient(f"--matrix c.mat --random --seed {seed} --lambda 1 d.mat")[0] == 0
    np.testing.assert_allclose(
        lattice("-mat d.mat -lambda 1"), lattice("-mat a.mat -lambda 1"), rtol=0.0, atol=1e-9
    )


@pytest.mark.parametrize(
    ("orientation", "words"),
    [('"uniform"', ""), ("{ spread = 5.0 }", "--spread 5 --misset 1 2 3")],
)
def test_random_orientations_are_those_of_campaigns(
    orientation: str, words: str, orient: Command
) -> None:
    base = "-cell 40 50 60 -misset 1 2 3 -default_F 1 -lambda 1 -detpixels 8 -corrected"
    campaign = campaign_of(Path(), text(f"orientation = {orientation}", base=base))
    experiment = draw_shot(campaign, 0).experiments[0]
    cell = "--cell 40 50 60 90 90 90 --lambda 1"
    assert orient(f"{cell} --random --seed {campaign.seed} {words} a.mat")[0] == 0
    made = lattice("-mat a.mat -lambda 1")
    if not words:
        turns = rotations(orient(f"--random --seed {campaign.seed} --number 3")[1], 3)
        for number, turn in enumerate(turns):
            misset = draw_shot(campaign, number).experiments[0].crystal.misset
            wanted = Rotation.from_euler("xyz", misset or ()).as_matrix()
            np.testing.assert_allclose(turn, wanted, rtol=0.0, atol=1e-11)
    np.testing.assert_allclose(
        made[3:] / 100.0, experiment.lattice.reciprocal, rtol=0.0, atol=1e-14
    )


def rotations(out: str, count: int) -> np.ndarray:
    rows = np.array([line.split() for line in out.splitlines()], dtype=float)
    assert rows.shape == (3 * count, 4)
    np.testing.assert_array_equal(rows[:, 0], np.repeat(np.arange(count), 3))
    return rows[:, 1:].reshape(count, 3, 3)


def test_uniform_rotations(orient: Command) -> None:
    """Angles of uniform rotations have the density (1 - cos)/pi; any direction goes anywhere."""
    count = 3000
    status, out, err = orient(f"--random --seed 1 --number {count}")
    assert (status, err) == (0, "")
    matrices = rotations(out, count)
    np.testing.assert_allclose(
        matrices @ matrices.transpose(0, 2, 1), np.broadcast_to(np.eye(3), matrices.shape),
        atol=1e-11,
    )  # fmt: skip
    angles = Rotation.from_matrix(matrices).magnitude()
    assert stats.kstest(angles, lambda angle: (angle - np.sin(angle)) / np.pi).pvalue > LIKELY
    for element in matrices.reshape(count, 9).T:
        # coordinates of even directions are even
        assert stats.kstest(element, "uniform", args=(-1.0, 2.0)).pvalue > LIKELY
    # the first is that of the command without --number
    single = orient("--cell 40 50 60 90 90 90 --random --seed 1")[1]
    np.testing.assert_allclose(told_u(single), matrices[0], atol=1e-8)


def test_rotations_within_a_spread(orient: Command) -> None:
    """Cubes of the angles are even, as of nanoBragg's mosaic domains."""
    count = 3000
    status, out, err = orient(f"--random --spread 2.5 --number {count}")
    assert status == 0
    (seed,) = re.findall(r"^cupysim orient: --seed (\d+) draws these rotations again$", err, re.M)
    assert orient(f"--random --spread 2.5 --number {count} --seed {seed}") == (0, out, "")
    status, out, _ = orient(f"--random --spread 2.5 --number {count} --seed 4")
    turns = Rotation.from_matrix(rotations(out, count))
    part = turns.magnitude() / np.radians(2.5)
    # twelve decimals
    assert part.max() < 1.0 + 1e-6
    assert stats.kstest(part**3, "uniform").pvalue > LIKELY
    axes = turns.as_rotvec() / turns.magnitude()[:, None]
    for coordinate in axes.T:
        assert stats.kstest(coordinate, "uniform", args=(-1.0, 2.0)).pvalue > LIKELY


def test_eight_decimals(orient: Command) -> None:
    assert orient("--cell 50 62.5 80 90 90 90 --misset 0 -90 0 --lambda 2 --mosflm a.mat")[0] == 0
    lines = Path("a.mat").read_text().splitlines()
    assert lines[0] == "  0.00000000  0.00000000 -0.02500000"
    assert [len(line) for line in lines] == [36] * 7 + [72, 36]


def test_what_is_there_is_replaced_with_a_word(orient: Command) -> None:
    words = "--cell 40 50 60 90 90 90 --lambda 1"
    assert "written" in orient(f"{words} a.mat")[1]
    before = Path("a.mat").read_bytes()
    status, out, _ = orient(f"{words} --misset 1 2 3 a.mat")
    assert status == 0
    assert told(out, "replaced") == "a.mat"
    assert Path("a.mat").read_bytes() != before


ERRORS = {
    "": "nothing to do: give --cell or --matrix to start with, or a FILE to read",
    "a.mat --misset 1 2 3": "--misset: give --cell or --matrix to start with, or a FILE to read",
    "--random": "--random: give --cell or --matrix to start with",
    "none.mat --lambda 1": "none.mat: No such file or directory",
    "--matrix none.mat new.mat": "none.mat: No such file or directory",
    "short.mat --lambda 1": "short.mat: 3 numbers, but an A matrix has nine",
    "flat.mat --lambda 1": "crystal: the three reciprocal cell vectors span no volume",
    "flat.mat": "--lambda is missing: flat.mat has no cell that gives its wavelength",
    "--matrix a.mat a.mat": "cannot write a.mat: it would replace an input file",
    "--matrix a.mat no/a.mat": "cannot write no/a.mat: there is no directory",
    "--cell 1 2 3 90 90 90 new.mat": "--lambda is missing: the numbers of a matrix file depend",
    "--cell 1 2 3 90 90 90 --matrix a.mat": "--cell and --matrix: give one of them",
    "--cell 1 2 3 90 90 200": "unit cell: no cell has the angles 90, 90, 200 degrees",
    "--cell -1 2 3 90 90 90": "unit cell: edges must be positive",
    "--cell 1 2 3 90 90 nan": "--cell: expected finite numbers",
    "--cell 1 2 3 90 90 90 --misset 1 inf 2": "--misset: expected finite numbers",
    "--cell 1 2 3": "argument --cell: expected 6 arguments",
    "--cell 1 2 3 90 90 x": "argument --cell: invalid float value: 'x'",
    "--cell 1_0 2 3 90 90 90": "argument --cell: invalid float value: '1_0'",
    "--cell 1 2 3 90 90 90 --lambda 0 new.mat": "--lambda: expected a wavelength (A) above zero",
    "--matrix a.mat --matrix-lambda -1": "--matrix-lambda: expected a wavelength (A) above zero",
    "--cell 1 2 3 90 90 90 --matrix-lambda 1": "--matrix-lambda: only with --matrix",
    "--matrix a.mat --umatrix 1 0 0 0 1 0 0 0 1": "--umatrix: only with --cell",
    "--cell 1 2 3 90 90 90 --umatrix 1 0 0 0 1 0 0 0 2": "--umatrix: not a rotation: its rows",
    "--cell 1 2 3 90 90 90 --umatrix 1 0 0 0 1 0 0 0 -1": "--umatrix: not a rotation but left",
    "--cell 1 2 3 90 90 90 --seed 0": "--seed: only with --random",
    "--cell 1 2 3 90 90 90 --spread 0": "--spread: only with --random",
    "--number 5": "--number: only with --random",
    "--number 0 --random": "--number: expected a number from 1 to",
    "--number 5 --random a.mat": "--number: only with --random, --spread and --seed",
    "--number 5 --random --lambda 1": "--number: only with --random, --spread and --seed",
    "--cell 1 2 3 90 90 90 --random --seed -1": "--seed: expected a number from 0 to",
    "--cell 1 2 3 90 90 90 --random --spread 181": "--spread: expected a number from 0 to 180",
    "--cell 1 2 3 90 90 90 --random --spread nan": "--spread: expected a number from 0 to 180",
    "--cell 1 2 3 90 90 90 --random --misset 1 2 3": "--misset: --random replaces it, unless",
    "--cell 1 2 3 90 90 90 --mosflm": "--mosflm: no FILE to write is named",
    "a.mat --mosflm": "--mosflm: give --cell or --matrix to start with",
}


@pytest.mark.parametrize("words", ERRORS)
def test_errors(words: str, orient: Command) -> None:
    a_matrix = 0.9795 * oriented(OBLIQUE, (10.0, -20.0, 30.0))
    Path("a.mat").write_text(mosflm_text(a_matrix, OBLIQUE))
    Path("short.mat").write_text("1 2 3\n")
    Path("flat.mat").write_text("1 0 0\n0 1 0\n1 1 0\n")
    before = {path: path.read_bytes() for path in Path().iterdir()}
    status, out, err = orient(words)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith(f"cupysim orient: error: {ERRORS[words]}")
    assert before == {path: path.read_bytes() for path in Path().iterdir()}


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["orient", "--help"]) == 0
    assert "cupysim orient --cell" in capsys.readouterr().out
