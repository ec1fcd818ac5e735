"""Random mutations of files of all kinds: no traceback, no hang, no half-understood file.

The way of tests/test_mutations.py, for files which other programs write.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import gemmi
import numpy as np
import pytest

from tests.conftest import Run
from tests.field import nxmx_files
from tests.field.test_coordinates import CRYST1, SITE, UREA, UREA_HEAD, atom_lines
from tests.field.test_geometry import COUNTS, nested, smv_file
from tests.field.writers import asymmetric_unit, cif_cell, loop, plus_of, write_cif, write_mtz
from tests.test_mutations import mutated_bytes, time_limit

MUTATIONS = 25
"""Of each kind of file. It was run once with 600."""

SECONDS = 20
"""Far more than any of these runs takes, far less than a hang."""

HKL = asymmetric_unit(10.0)
RUN = "-N 1 -detpixels 6 -pixel 5 -distance 60 -nodump -nonoise -nopgm -noprogress -oversample 1"
INHERITED = (
    "-cell 70 80 90 -default_F 9 -N 1 -nodump -nonoise -nopgm -noprogress -oversample 1 "
    "-roi 0 2 0 2"
)
NUMBERS = [b"nan", b"inf", b"-1", b"0", b"1e999", b"1e30", b"99999999999", b"?", b"'", b"\0"]


def mtz(path: Path) -> None:
    columns = [("F", "F", plus_of(HKL)), ("SIGF", "Q", plus_of(HKL))]
    write_mtz(path, HKL, columns, before=[("M_ISYM", "Y", np.ones(len(HKL)))])


def refln_cif(path: Path) -> None:
    tags = [f"_refln.{name}" for name in ("index_h", "index_k", "index_l", "intensity_meas")]
    rows = [(*i, v) for i, v in zip(HKL.tolist(), plus_of(HKL), strict=True)]
    head = cif_cell() + "_symmetry.space_group_name_H-M 'P 21 21 21'\n"
    write_cif(path, {"x": head + loop(tags, rows)})


def xds(path: Path) -> None:
    head = (
        "!FORMAT=XDS_ASCII MERGE=TRUE\n!SPACE_GROUP_NUMBER= 19\n"
        "!UNIT_CELL_CONSTANTS= 30 40 50 90 90 90\n!END_OF_HEADER\n"
    )
    path.write_text(head + "1 2 3 4.0 1.0\n2 0 0 5.0 1.0\n!END_OF_DATA\n")


def crystfel(path: Path) -> None:
    path.write_text(
        "CrystFEL reflection list version 2.0\nSymmetry: mmm\n"
        "   h    k    l          I    phase   sigma(I)   nmeas\n"
        "   1    2    3     144.00        -       1.00      10\nEnd of reflections\n"
    )


def scalepack(path: Path) -> None:
    path.write_text(
        "    1\n -985\n    30.000    40.000    50.000    90.000    90.000    90.000 p212121\n"
        "   1   2   3   144.0     1.0\n   2   0   0    25.0     1.0\n"
    )


def pdb(path: Path) -> None:
    path.write_text(CRYST1 + "MODEL        1\n" + atom_lines() + "ENDMDL\nEND\n")


def coordinates_cif(path: Path) -> None:
    gemmi.read_pdb_string(CRYST1 + atom_lines()).make_mmcif_document().write_file(str(path))


def small_molecule(path: Path) -> None:
    rows = [(label, element, *place, 0.02) for label, element, place in UREA]
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P -4 21 m'\n"
    write_cif(path, {"urea": head + loop(SITE, rows)})


def nxmx(path: Path) -> None:
    nxmx_files.write(path, omega=[0.0, 1.0])


def experiment_list(path: Path) -> None:
    path.write_text(json.dumps(nested(2)))


def smv(path: Path) -> None:
    smv_file(path, COUNTS.astype("<u2"))


KINDS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "mtz": ("a.mtz", mtz, f"-hkl a.mtz {RUN}"),
    "refln cif": ("a.cif", refln_cif, f"-hkl a.cif {RUN} -lambda 1"),
    "xds": ("a.HKL", xds, f"-hkl a.HKL {RUN}"),
    "crystfel": ("a.hkl", crystfel, f"-hkl a.hkl -cell 30 40 50 {RUN}"),
    "scalepack": ("a.sca", scalepack, f"-hkl a.sca {RUN}"),
    "pdb": ("a.pdb", pdb, f"-pdb a.pdb -dmin 6 {RUN}"),
    "coordinates cif": ("a.cif", coordinates_cif, f"-pdb a.cif -dmin 6 -hydrogens {RUN}"),
    "small molecule": ("a.cif", small_molecule, f"-pdb a.cif -dmin 2 {RUN}"),
    "nxmx": ("a.h5", nxmx, f"-img a.h5 {INHERITED}"),
    "expt": ("a.expt", experiment_list, f"-expt a.expt {INHERITED}"),
    "smv": ("a_001.img", smv, f"-img a_001.img {INHERITED}"),
}


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Bytes as in the other test, or a number replaced by another."""
    if rng.random() < 0.5:
        return mutated_bytes(rng, data)
    words = data.split(b" ")
    numbers = [n for n, word in enumerate(words) if word.strip().replace(b".", b"").isdigit()]
    if not numbers:
        return mutated_bytes(rng, data)
    words[rng.choice(numbers)] = rng.choice(NUMBERS)
    return b" ".join(words)


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files(kind: str, run: Run, tmp_path: Path) -> None:
    name, write, words = KINDS[kind]
    run("-h")
    write(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    assert run(words).status == 0
    rng = random.Random(kind)
    statuses = set()
    for number in range(MUTATIONS):
        for path in tmp_path.iterdir():
            path.unlink()
        data = mutated(rng, whole)
        (tmp_path / name).write_bytes(data)
        with time_limit(SECONDS, [kind, str(number)]):
            outcome = run(words)
        statuses.add(outcome.status)
        complaints = [line for line in outcome.err.splitlines() if ": warning: " not in line]
        assert (tmp_path / name).read_bytes() == data
        if outcome.status == 0:
            assert complaints == [], (kind, number)
        else:
            assert outcome.status == 9, (kind, number, outcome.err)
            assert len(complaints) == 1, (kind, number, outcome.err)
            assert outcome.files == {}, (kind, number)
    assert 9 in statuses
