"""MOSFLM's matrix files: what is written, and what is said of those which are wrong."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import cupysim
from cupysim.errors import CupysimWarning, ModelError
from cupysim.formats import matrix_checks, mosflm_matrix
from cupysim.maths.rotations import rotate_xyz, xyz_angles
from tests.conftest import INPUTS, Run
from tests.tolerances import LAST_BITS, PRINTED_DIGIT

EXAMPLES = Path(__file__).parent.parent.parent / "examples"

OBLIQUE = (40.0, 50.0, 60.0, 60.0, 70.0, 110.0)
CELLS = {
    "orthorhombic": (34.77, 39.17, 48.31, 90.0, 90.0, 90.0),
    "monoclinic": (50.0, 60.0, 70.0, 90.0, 105.0, 90.0),
    "hexagonal": (61.0, 61.0, 92.5, 90.0, 90.0, 120.0),
    "rhombohedral": (50.0, 50.0, 50.0, 70.0, 70.0, 70.0),
    "oblique": OBLIQUE,
}

EIGHT_DECIMALS = 2e-6
"""Of MOSFLM's files: numbers of A are about 0.01, half a unit of their last decimal is 5e-9."""

FROM_MOSFLM = """\
 -0.00495480 -0.01491776  0.00238445
  0.01505572 -0.00661190 -0.00149401
  0.00585043  0.00438127  0.00586415
       0.000       0.000       0.000
  -0.2932645  -0.8829514   0.3665960
   0.8911171  -0.3913446  -0.2296951
   0.3462750   0.2593185   0.9015806
     57.7822     57.7822    150.0931     90.0000     90.0000     90.0000
       0.000       0.000       0.000
"""
"""A file which MOSFLM wrote for 0.97625 A; dxtbx has it among its tests."""


def upright(cell: tuple[float, ...]) -> np.ndarray:
    """Columns a*, b*, c* (1/A), a* along x, b* in the xy plane, from the metric alone."""
    edges, cosines = np.array(cell[:3]), np.cos(np.radians(cell[3:]))
    metric = np.outer(edges, edges)
    for (i, j), cosine in zip(((1, 2), (0, 2), (0, 1)), cosines, strict=True):
        metric[i, j] *= cosine
        metric[j, i] *= cosine
    return np.linalg.cholesky(np.linalg.inv(metric)).T


def oriented(cell: tuple[float, ...], angles: tuple[float, ...]) -> np.ndarray:
    """Columns a*, b*, c* (1/A) of a cell turned about x, then y, then z (degrees)."""
    return Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ upright(cell)


def as_ubtoa(cell: tuple[float, ...]) -> np.ndarray:
    """The same with the mistake of UBtoA.awk: c*z is sin(gamma) / (c sin(gamma*))."""
    b_matrix = upright(cell)
    gamma_star = math.atan2(b_matrix[1, 1], b_matrix[0, 1])
    b_matrix[2, 2] = math.sin(math.radians(cell[5])) / cell[2] / math.sin(gamma_star)
    return b_matrix


def mosflm_text(
    a_matrix: np.ndarray,
    cell: tuple[float, ...],
    missets: tuple[float, ...] = (0.0, 0.0, 0.0),
    decimals: int = 8,
) -> str:
    """A file such as MOSFLM writes, with an U which nobody reads."""

    def row(*values: float, places: int = 4, width: int = 12) -> str:
        return "".join(f"{value:{width}.{places}f}" for value in values) + "\n"

    u_rows = (row(*values, places=7) for values in np.eye(3))
    a_rows = (row(*values, places=decimals, width=decimals + 4) for values in a_matrix)
    return "".join((*a_rows, row(*missets, places=3), *u_rows, row(*cell), row(*missets)))


Said = Callable[..., list[str]]


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """What is said when a text is read as a matrix file for a wavelength (A)."""

    def read(text: str, wavelength: float, lengths_count: bool = True) -> list[str]:
        path = tmp_path / "a.mat"
        path.write_text(text)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            matrix_checks.read_reciprocal(path, wavelength * 1e-10, lengths_count)
        assert all(each.category is CupysimWarning for each in caught)
        assert all(str(each.message).startswith(f"{path}: ") for each in caught)
        return [str(each.message).removeprefix(f"{path}: ") for each in caught]

    return read


@pytest.mark.parametrize("name", CELLS)
def test_written_file(name: str, tmp_path: Path) -> None:
    """All nine lines, by the metric and scipy's rotations."""
    wavelength, angles = 0.9795, (12.0, -34.0, 156.0)
    columns = oriented(CELLS[name], angles)
    text = mosflm_matrix.text(columns.T, wavelength * 1e-10)
    rows = [list(map(float, line.split())) for line in text.splitlines()]
    assert [len(row) for row in rows] == [3, 3, 3, 3, 3, 3, 3, 6, 3]
    np.testing.assert_allclose(rows[:3], wavelength * columns, rtol=0.0, atol=1e-17)
    assert rows[3] == rows[8] == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(
        rows[4:7], Rotation.from_euler("xyz", angles, degrees=True).as_matrix(), atol=1e-11
    )
    np.testing.assert_allclose(rows[7], CELLS[name], atol=1e-6)
    # some programs take the sign of an exponent for the beginning of a number
    assert "e" not in text
    path = tmp_path / "a.mat"
    path.write_text(text)
    again = matrix_checks.read_reciprocal(path, wavelength * 1e-10)
    np.testing.assert_allclose(again, columns.T, rtol=0.0, atol=1e-17)


def test_columns_of_mosflm() -> None:
    quarter = oriented((50.0, 62.5, 80.0, 90.0, 90.0, 90.0), (0.0, -90.0, 0.0))
    assert mosflm_matrix.text(quarter.T, 2e-10, mosflm_matrix.MOSFLM) == (
        "  0.00000000  0.00000000 -0.02500000\n"
        "  0.00000000  0.03200000  0.00000000\n"
        "  0.04000000  0.00000000  0.00000000\n"
        "       0.000       0.000       0.000\n"
        "  0.00000000  0.00000000 -1.00000000\n"
        "  0.00000000  1.00000000  0.00000000\n"
        "  1.00000000  0.00000000  0.00000000\n"
        "     50.0000     62.5000     80.0000     90.0000     90.0000     90.0000\n"
        "       0.000       0.000       0.000\n"
    )


def test_file_of_mosflm(said: Said, tmp_path: Path) -> None:
    """U, cell and wavelength mean what they mean to MOSFLM."""
    assert said(FROM_MOSFLM, 0.97625) == []
    assert said(FROM_MOSFLM.replace("\n", "\r\n") + "SYMM P41212\n", 0.97625) == []
    file = mosflm_matrix.read(tmp_path / "a.mat")
    wavelength = file.wavelength()
    assert wavelength == pytest.approx(0.97625e-10, rel=EIGHT_DECIMALS)
    reciprocal = mosflm_matrix.reciprocal_vectors(file.a_matrix, 0.97625e-10)
    edges, angles, u_matrix = mosflm_matrix.decomposed(reciprocal)
    np.testing.assert_allclose(edges, (57.7822, 57.7822, 150.0931), rtol=EIGHT_DECIMALS)
    np.testing.assert_allclose(angles, math.pi / 2, rtol=EIGHT_DECIMALS)
    printed = [list(map(float, line.split())) for line in FROM_MOSFLM.splitlines()[4:7]]
    np.testing.assert_allclose(u_matrix, printed, atol=EIGHT_DECIMALS)


def test_numbers_which_touch(tmp_path: Path) -> None:
    """Such files exist; the C library's scanf reads them as they are meant."""
    path = tmp_path / "a.mat"
    path.write_text(
        " -0.00729930 -0.00995677  0.00173476\n  0.01009847-0.000409412  0.00174938\n"
        "  0.00242942  1.221117e-2-1.2e-3\n"
    )
    np.testing.assert_array_equal(
        mosflm_matrix.read(path).a_matrix,
        [
            [-0.00729930, -0.00995677, 0.00173476],
            [0.01009847, -0.000409412, 0.00174938],
            [0.00242942, 0.01221117, -0.0012],
        ],
    )


@pytest.mark.parametrize("name", CELLS)
def test_right_files_are_not_warned_of(name: str, said: Said) -> None:
    a_matrix = 0.9795 * oriented(CELLS[name], (12.0, -34.0, 156.0))
    assert said(mosflm_text(a_matrix, CELLS[name]), 0.9795) == []
    # the digits tell how well the cell is known
    assert said(mosflm_text(a_matrix, CELLS[name], decimals=5), 0.9795) == []
    # electrons: numbers of A are so small that eight decimals are few
    short = mosflm_text(a_matrix * 0.02 / 0.9795, CELLS[name])
    assert said(short, 0.02) == []


@pytest.mark.parametrize(
    ("path", "wavelength"),
    [
        (INPUTS / "A.mat", 1.0),
        (INPUTS / "tric.mat", 0.9795),
        (INPUTS / "hex.mat", 1.5418),
        (EXAMPLES / "1orc" / "A_1.0.mat", 1.0),
        (EXAMPLES / "1orc" / "A_6.2.mat", 6.2),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_files_in_use_are_not_warned_of(path: Path, wavelength: float, said: Said) -> None:
    assert said(path.read_text(), wavelength) == []


@pytest.mark.parametrize("name", CELLS)
def test_another_wavelength(name: str, said: Said) -> None:
    text = mosflm_text(0.9795 * oriented(CELLS[name], (1.0, 2.0, 3.0)), CELLS[name])
    (message,) = said(text, 1.25)
    assert message.startswith("at 1.25 A the matrix has the cell ")
    shown = list(map(float, message.split("cell ")[1].split(", but")[0].split()))
    longer = [edge * 1.25 / 0.9795 for edge in CELLS[name][:3]]
    np.testing.assert_allclose(shown, [*longer, *CELLS[name][3:]], rtol=PRINTED_DIGIT)
    told = " ".join(f"{value:g}" for value in CELLS[name])
    assert f"but line 8 says {told}: edges differ by one factor, so it was made for 0.9795 A" in (
        message
    )
    # with -cell, the matrix gives directions alone
    assert said(text, 1.25, lengths_count=False) == []


@pytest.mark.parametrize("name", ["oblique", "rhombohedral"])
def test_files_of_ubtoa(name: str, said: Said) -> None:
    turn = Rotation.from_euler("xyz", (12.0, -34.0, 156.0), degrees=True).as_matrix()
    text = mosflm_text(turn @ as_ubtoa(CELLS[name]), CELLS[name])
    for lengths_count in (True, False):
        (message,) = said(text, 1.0, lengths_count)
        assert "UBtoA.awk writes such matrices" in message
        assert "cupysim orient makes a correct one" in message
    if name == "oblique":
        # as UBtoA.awk was seen to write it
        cell = message.split("cell ")[1].split(", but")[0]
        wrong = np.array(list(map(float, cell.split())))
        np.testing.assert_allclose(wrong, (39.25, 47.97, 49.56, 64.50, 73.27, 114.90), atol=0.0051)


def test_cells_which_do_not_belong_to_the_matrix(said: Said) -> None:
    a_matrix = oriented(OBLIQUE, (1.0, 2.0, 3.0))
    for cell in (
        (41.0, *OBLIQUE[1:]),
        (*OBLIQUE[:5], 110.1),
        (0.0,) * 6,
        (9.0,) * 3 + (170.0,) * 3,
    ):
        (message,) = said(mosflm_text(a_matrix, cell), 1.0)
        assert message.endswith("; they do not belong together; the matrix is used")
    assert said(mosflm_text(a_matrix, (41.0, *OBLIQUE[1:])), 1.0, lengths_count=False) == []


def test_missetting_angles(said: Said) -> None:
    a_matrix, missets = oriented(OBLIQUE, (1.0, 2.0, 3.0)), (-0.0985, 0.4512, -0.0134)
    (message,) = said(mosflm_text(a_matrix, OBLIQUE, missets), 1.0)
    assert message.startswith(
        "the missetting angles -0.099 0.451 -0.013 (line 4) and -0.0985 0.4512 -0.0134 (line 9) "
        "are not applied"
    )
    # blank lines do not count for MOSFLM's order, but for people who look for the line
    (message,) = said("\n" + mosflm_text(a_matrix, OBLIQUE, missets), 1.0)
    assert "(line 5) and" in message


def with_u(text: str, u_matrix: np.ndarray) -> str:
    """A file whose lines 5 to 7 are those of another U."""
    lines = text.splitlines(keepends=True)
    lines[4:7] = ["".join(f"{value:12.7f}" for value in row) + "\n" for row in u_matrix]
    return "".join(lines)


@pytest.mark.parametrize("name", CELLS)
def test_orientations_which_do_not_belong_to_the_matrix(name: str, said: Said) -> None:
    right = Rotation.from_euler("xyz", (12.0, -34.0, 156.0), degrees=True)
    text = mosflm_text(0.9795 * right.as_matrix() @ upright(CELLS[name]), CELLS[name])
    assert said(with_u(text, right.as_matrix()), 0.9795) == []
    assert said(with_u(text, np.zeros((3, 3))), 0.9795) == []
    for angle in (0.05, 2.0):
        turned = Rotation.from_rotvec([0.0, angle, 0.0], degrees=True) * right
        (message,) = said(with_u(text, turned.as_matrix()), 0.9795)
        assert message == (
            "the U matrix in lines 5 to 7 is another orientation than the first nine numbers, "
            f"{angle:g} degrees away; the first nine numbers are used"
        )
    # for another Cartesian frame of the cell: a along x, c* along z
    columns = right.as_matrix() @ upright(CELLS[name])
    a_axis, c_star = np.linalg.inv(columns)[0], columns[:, 2]
    x, z = (vector / np.linalg.norm(vector) for vector in (a_axis, c_star))
    assert said(with_u(text, np.column_stack([x, np.cross(z, x), z])), 0.9795) == []
    for no_rotation in (1.1 * right.as_matrix(), -right.as_matrix()):
        (message,) = said(with_u(text, no_rotation), 0.9795)
        assert "is not a rotation" in message
    # for another wavelength, only this is said
    assert len(said(with_u(text, right.as_matrix()), 1.25)) == 1


def test_angles_beside_a_matrix(run: Run, tmp_path: Path) -> None:
    columns = oriented(OBLIQUE, (1.0, 2.0, 3.0))
    (tmp_path / "a.mat").write_text(mosflm_matrix.text(columns.T, 1e-10))
    words = f"{COMMON} -mat a.mat -default_F 100 -floatfile a.bin -detpixels 8"
    edges = " ".join(f"{edge:g}" for edge in OBLIQUE[:3])
    degrees = " ".join(f"{angle:g}" for angle in OBLIQUE[3:])
    for cell in (edges, f"{edges} {degrees}", f"{edges} 0 0 0"):
        assert "are not used with -mat" not in run(f"{words} -cell {cell}").err
    right_angles = run(f"{words} -cell {edges} 90 90 90")
    message = "-cell: its angles 90 90 90 are not used with -mat; the angles of a.mat are used"
    message += f", {degrees}"
    assert message in (right_angles.err)


@pytest.mark.parametrize(
    ("words", "is_told"),
    [
        ("", False),
        ("-denzo", False),
        ("-xds", True),
        ("-adxv", True),
        ("-dials", True),
        ("-fdet_vector 0 0 1 -sdet_vector 0 -1 0", False),
        ("-beam_vector 0 0 1 -fdet_vector 1 0 0 -sdet_vector 0 1 0 -odet_vector 0 0 1", True),
    ],
)
def test_matrices_in_other_frames(words: str, is_told: bool, run: Run, tmp_path: Path) -> None:
    """The same crystal in another frame than MOSFLM's is not the same image."""
    columns = oriented(OBLIQUE, (1.0, 2.0, 3.0))
    (tmp_path / "a.mat").write_text(mosflm_matrix.text(columns.T, 1e-10))
    err = run(f"{COMMON} -mat a.mat -default_F 100 -floatfile a.bin -detpixels 8 {words}").err
    assert ("MOSFLM's matrices are for the beam along 1 0 0" in err) == is_told
    assert ("with the beam along 0 0 1" in err) == is_told
    plain = run(f"{COMMON} -cell 70 80 90 -default_F 100 -floatfile a.bin -detpixels 8 {words}")
    assert "MOSFLM's matrices" not in plain.err


def test_other_text_after_nine_numbers(said: Said) -> None:
    nine = "".join(f"{row[0]:12.8f}{row[1]:12.8f}{row[2]:12.8f}\n" for row in upright(OBLIQUE))
    for rest in ("", "made by hand\n", "1 2\n", "0.1 0.2 0.3 # what is this?\n", "1 2 3 4\n"):
        assert said(nine + rest, 1.0) == []
    one_line = " ".join(mosflm_text(upright(OBLIQUE), OBLIQUE, (1.0, 2.0, 3.0)).split())
    assert said(one_line, 1.0) == []


def test_left_hand(said: Said) -> None:
    mirror = np.diag([1.0, 1.0, -1.0])
    text = mosflm_text(mirror @ oriented(OBLIQUE, (1.0, 2.0, 3.0)), OBLIQUE)
    (message,) = said(text, 1.0)
    assert message == (
        "the matrix is left-handed (its determinant is negative): each reflection is rendered "
        "with the amplitude of its Friedel mate"
    )
    assert said(text, 1.0, lengths_count=False)[0].endswith("-cell inverts its axes, to -a, -b, -c")


COMMON = (
    "-lambda 1 -distance 50 -detpixels 60 -pixel 0.8 -N 4 -nodump -nopgm -nonoise -oversample 1"
)


def test_what_is_said_of_left_hands_is_true(run: Run, tmp_path: Path) -> None:
    """F(h) and F(-h) differ, so images tell which of them is where."""
    rng = np.random.default_rng(5)
    indices = [(h, k, l) for h in range(-6, 7) for k in range(-6, 7) for l in range(-6, 7)]
    lines = [(hkl, rng.uniform(10.0, 100.0)) for hkl in indices]
    for name, sign in (("plus", 1), ("mates", -1)):
        rows = (f"{sign * h} {sign * k} {sign * l} {f:.3f}\n" for (h, k, l), f in lines)
        (tmp_path / f"{name}.hkl").write_text("".join(rows))
    right = oriented((30.0, 35.0, 40.0, 90.0, 95.0, 90.0), (10.0, 20.0, 30.0))
    (tmp_path / "right.mat").write_text(mosflm_matrix.text(right.T, 1e-10))
    (tmp_path / "left.mat").write_text(mosflm_matrix.text(-right.T, 1e-10))
    images = {}
    for matrix, hkl, cell in (
        ("right", "plus", ""), ("left", "plus", ""), ("left", "mates", ""),
        ("left", "plus", "-cell 30 35 40 90 95 90"),
    ):  # fmt: skip
        outcome = run(f"-mat {tmp_path}/{matrix}.mat -hkl {tmp_path}/{hkl}.hkl {cell} {COMMON}")
        assert outcome.status == 0, outcome.err
        assert ("left-handed" in outcome.err) == (matrix == "left")
        images[matrix, hkl, bool(cell)] = outcome.float_image(60, 60)
        # what is there already would not be taken for a file of the next run
        (tmp_path / "floatimage.bin").unlink()
    truth = images["right", "plus", False]
    limit = 1e-5 * truth.max()
    np.testing.assert_allclose(images["left", "mates", False], truth, rtol=0.0, atol=limit)
    np.testing.assert_allclose(images["left", "plus", True], truth, rtol=0.0, atol=limit)
    assert abs(images["left", "plus", False] - truth).max() > 0.1 * truth.max()


def test_drop_in_and_python_warn(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "ub.mat"
    path.write_text(mosflm_text(as_ubtoa(OBLIQUE), OBLIQUE))
    outcome = run(f"-mat {path} -default_F 1 -lambda 1 -detpixels 8 -nodump -nopgm -nonoise")
    assert outcome.status == 0
    (line,) = (line for line in outcome.err.splitlines() if str(path) in line)
    assert line.startswith(f"cupysim: warning: {path}: at 1 A the matrix has the cell 39.2499 ")
    with pytest.warns(CupysimWarning, match="UBtoA"):
        cupysim.read_orientation(path, 1e-10)
    # the cell in line 8 is not that of -cell either, but edges do not count
    outcome = run(
        f"-mat {INPUTS / 'A.mat'} -cell 35 40 50 90 90 90 -default_F 1 -lambda 1.1 -detpixels 8 "
        "-nodump -nopgm -nonoise"
    )
    assert "A.mat" not in outcome.err


def test_flat_matrices(said: Said) -> None:
    with pytest.raises(ModelError, match="span no volume"):
        said("1 0 0\n0 1 0\n1 1 0\n", 1.0)


@pytest.mark.parametrize("y", [-90.0, -89.9999999, -30.0, 0.0, 89.99, 90.0])
@pytest.mark.parametrize(("x", "z"), [(0.0, 0.0), (10.0, 20.0), (-170.0, 95.0), (180.0, -180.0)])
def test_angles_give_the_rotation_back(x: float, y: float, z: float) -> None:
    matrix = Rotation.from_euler("xyz", (x, y, z), degrees=True).as_matrix()
    angles = xyz_angles(matrix)
    np.testing.assert_allclose(rotate_xyz(np.eye(3), angles).T, matrix, atol=LAST_BITS)
    if abs(y) == 90.0:
        assert angles[0] == 0.0
