"""Space groups which a file tells twice, and operators which are none."""

from __future__ import annotations

import warnings
from pathlib import Path

import gemmi
import numpy as np
import pytest

from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats.structures import coordinates, reflections
from tests.field.test_coordinates import (
    CRYST1,
    SITE,
    UREA_HEAD,
    VACUUM,
    atom_lines,
    save,
)
from tests.field.writers import amplitudes, asymmetric_unit, cif_cell, loop, write_cif, write_mtz

HKL = np.array([[1, 2, 3]])
TAGS = ["_refln_index_h", "_refln_index_k", "_refln_index_l", "_refln_F_meas"]
DATA = loop(TAGS, [(1, 2, 3, 10.0)])
EQUIV, SYMOP = "_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz"
P222 = ("x,y,z", "x,-y,-z", "-x,y,-z", "-x,-y,z")
P212121 = ("x,y,z", "-x+1/2,-y,z+1/2", "-x,y+1/2,-z+1/2", "x+1/2,-y+1/2,-z")
QUARTER = ("x,y,z", "-x,-y,z+1/4")
"""Not a group: twice the second is x,y,z+1/2."""

NOT_A_GROUP = "its 2 symmetry operators do not form a group: -x,-y,z\\+1/4 and then -x,-y,z\\+1/4 is x,y,z\\+1/2"  # noqa: E501


def operators(triplets: tuple[str, ...], tag: str = EQUIV) -> str:
    return loop([tag], [(f"'{each}'",) for each in triplets])


def cif(tmp_path: Path, words: str) -> Path:
    return write_cif(tmp_path / "a.cif", {"x": cif_cell("_cell_length_") + words + DATA})


def told(path: Path) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reflections.read(path)
    return [str(each.message) for each in caught]


HM = "_symmetry_space_group_name_H-M"


@pytest.mark.parametrize("name", ["", f"{HM} 'P 1 1 2'\n"])
def test_operators_whose_translations_do_not_close(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=NOT_A_GROUP):
        reflections.read(cif(tmp_path, name + operators(QUARTER)))
    sites = loop(SITE, [("O1", "O", 0.1, 0.2, 0.3, 0.02)])
    model = write_cif(tmp_path / "b.cif", {"x": UREA_HEAD + name + operators(QUARTER) + sites})
    with pytest.raises(FileFormatError, match=NOT_A_GROUP):
        coordinates.read(model, 2e-10)


def remark_290(triplets: tuple[str, ...]) -> str:
    return "".join(f"REMARK 290     {n}555   {t.upper()}\n" for n, t in enumerate(triplets, 1))


def test_remark_290_which_is_no_group(tmp_path: Path) -> None:
    nameless = CRYST1.replace("P 21 21 21", "          ")
    path = save(tmp_path / "a.pdb", remark_290(QUARTER) + nameless + atom_lines())
    with pytest.raises(FileFormatError, match=NOT_A_GROUP):
        coordinates.read(path, 3e-10, VACUUM)


@pytest.mark.parametrize("triplet", ["x/2,y,z", "x+y,x+y,z"])
def test_operators_which_no_lattice_has(triplet: str, tmp_path: Path) -> None:
    with pytest.raises(
        FileFormatError, match=f"no symmetry operator: '{triplet.replace('+', '.')}"
    ):
        reflections.read(cif(tmp_path, operators(("x,y,z", triplet))))


@pytest.mark.parametrize("symbol", ["F m -3 m", "I 41/a c d:2", "R -3 c:H", "P 63/m m c"])
def test_groups_of_many_operators_close(symbol: str, tmp_path: Path) -> None:
    group = gemmi.SpaceGroup(symbol)
    triplets = tuple(op.triplet() for op in group.operations())
    edges = {"R": (5, 5, 9, 120), "P": (5, 5, 9, 120), "I": (5, 5, 9, 90), "F": (5, 5, 5, 90)}
    a, b, c, gamma = edges[symbol[0]]
    cell = (
        f"_cell_length_a {a}\n_cell_length_b {b}\n_cell_length_c {c}\n_cell_angle_gamma {gamma}\n"
    )
    path = write_cif(tmp_path / "a.cif", {"x": cell + operators(triplets) + DATA})
    assert reflections.read(path).space_group == group.xhm()
    assert told(path) == []
    path = write_cif(tmp_path / "b.cif", {"x": cell + operators(triplets[:-1]) + DATA})
    with pytest.raises(FileFormatError, match="do not form a group"):
        reflections.read(path)


HALL = "_symmetry_space_group_name_Hall"
NUMBER = "_symmetry_Int_Tables_number"


@pytest.mark.parametrize(
    ("words", "refused", "message"),
    [
        # one after the other: what counts, and what is told
        (f"{HALL} 'P 2ac 2ab'\n{HM} 'P 21 21 21'\n{NUMBER} 19\n", "", ""),
        (f"{HM} 'P n n n'\n{HALL} '-P 2ab 2bc'\n{NUMBER} 48\n", "", ""),
        (f"{HM} 'P 21 21 21'\n{NUMBER} 18\n", "", "its name 'P 21 21 21' is used (P 21 21 21), not its number 18"),  # noqa: E501
        (f"{HALL} 'P 2ac 2ab'\n{NUMBER} 16\n", "", "not its number 16"),
        (f"{HALL} 'P 2 2'\n{HM} 'P 21 21 21'\n", "its Hall symbol 'P 2 2' and its name 'P 21 21 21' are of different space groups", ""),  # noqa: E501
        (f"{HALL} '-P 2ac 2n'\n{HM} 'P n m a'\n", "", ""),
        (f"{HALL} '-P 2c 2ab'\n{HM} 'P n m a'\n", "", "its Hall symbol '-P 2c 2ab' is used (P b n m), not its name 'P n m a'"),  # noqa: E501
        (f"{HM} 'P 21 21 21'\n_space_group_name_H-M_alt 'P 2 2 2'\n", "'P 2 2 2' and its name 'P 21 21 21' are of different", ""),  # noqa: E501
        ("_space_group_name_H-M_alt 'P b n m'\n_space_group_name_H-M_ref 'P n m a'\n", "", ""),
        (f"{HM} 'P 21 21 21'\n_space_group_name_H-M_ref 'P 2 2 2'\n", "are of different", ""),
        (f"{NUMBER} 19\n_space_group_IT_number 18\n", "two space group numbers: 18, 19", ""),
        (operators(P212121) + operators(P222, SYMOP), f"its {EQUIV} and its {SYMOP} are of different space groups: P 21 21 21, P 2 2 2", ""),  # noqa: E501
        (operators(P212121) + operators(P212121[::-1], SYMOP), "", ""),
        (operators(P212121) + f"{HM} 'P 2 2 2'\n", "", "its operators are used (P 21 21 21), not its name 'P 2 2 2'"),  # noqa: E501
        (operators(P212121) + f"{HM} 'P 21 21 21'\n{HALL} 'P 2 2'\n", "", "not its Hall symbol 'P 2 2'"),  # noqa: E501
        (operators(P212121) + f"{NUMBER} 4\n", "", "not its number 4"),
        # a group which has no name: the axes do not meet
        (operators(("x,y,z", "-x+1/3,y+1/2,-z+1/4")) + f"{HM} 'P 1 21 1'\n", "", "are used (a group without a name), not its name 'P 1 21 1'"),  # noqa: E501
    ],
)  # fmt: skip
def test_words_which_contradict_each_other(
    words: str, refused: str, message: str, tmp_path: Path
) -> None:
    path = cif(tmp_path, words)
    if refused:
        with pytest.raises(FileFormatError, match=refused):
            reflections.read(path)
        return
    found = told(path)
    assert len(found) == bool(message), found
    assert message in "".join(found)
    np.testing.assert_allclose(amplitudes(reflections.read(path), HKL), 10.0)


def test_models_tell_contradictions_too(tmp_path: Path) -> None:
    words = operators(P212121) + f"{HM} 'P 2 2 2'\n"
    sites = loop(SITE, [("O1", "O", 0.1, 0.2, 0.3, 0.02)])
    path = write_cif(tmp_path / "a.cif", {"x": cif_cell("_cell_length_") + words + sites})
    with pytest.warns(CupysimWarning, match="not its name 'P 2 2 2'"):
        coordinates.read(path, 5e-10)


@pytest.mark.parametrize(
    ("triplets", "message"),
    [
        (P212121, ""),
        (P222, "CRYST1 is used, P 21 21 21; the operators of REMARK 290 are those of P 2 2 2"),
        (QUARTER, "CRYST1 is used, P 21 21 21; REMARK 290 has no group of operators"),
    ],
)
def test_remark_290_of_another_group(
    triplets: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "a.pdb", remark_290(triplets) + CRYST1 + atom_lines())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        structure = coordinates.read(path, 3e-10, VACUUM)
    found = [str(each.message) for each in caught if "CRYST1" in str(each.message)]
    assert len(found) == bool(message), found
    assert message in "".join(found)
    assert structure.space_group == "P 21 21 21"


def test_remark_290_tells_the_origin(tmp_path: Path) -> None:
    """CRYST1 has no place for it."""
    for choice in "12":
        group = gemmi.SpaceGroup(f"P n n n:{choice}")
        triplets = tuple(op.triplet() for op in group.operations())
        record = CRYST1.replace("P 21 21 21", "P n n n   ")
        path = save(tmp_path / "a.pdb", remark_290(triplets) + record + atom_lines())
        assert coordinates.read(path, 3e-10, VACUUM).space_group == group.xhm()


def changed_header(path: Path, before: bytes, after: bytes) -> Path:
    unit = asymmetric_unit()
    write_mtz(path, unit, [("F", "F", np.full(len(unit), 10.0))])
    data = path.read_bytes()
    assert len(before) == len(after)
    assert data.count(before) >= 1
    path.write_bytes(data.replace(before, after))
    return path


def test_operators_which_an_mtz_promises(tmp_path: Path) -> None:
    path = changed_header(tmp_path / "a.mtz", b"SYMINF   4", b"SYMINF   8")
    with pytest.raises(FileFormatError, match=r"promises 8 symmetry operators .SYMINF., but has 4"):
        reflections.read(path)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (b"P    19", b"P    16", "its operators (SYMM) are used (P 21 21 21), not its number 16"),
        (b"P    19", b"P  1019", ""),
        (b"'P 21 21 21'", b"'P 2 2 2'   ", "not its name 'P 2 2 2'"),
    ],
)  # fmt: skip
def test_names_of_an_mtz(before: bytes, after: bytes, message: str, tmp_path: Path) -> None:
    path = changed_header(tmp_path / "a.mtz", before, after)
    found = told(path)
    assert len(found) == bool(message), found
    assert message in "".join(found)
    np.testing.assert_allclose(amplitudes(reflections.read(path), HKL), 10.0)
