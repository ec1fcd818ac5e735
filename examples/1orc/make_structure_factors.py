"""Structure factors and MOSFLM A matrices of a protein model, as files for nanoBragg.

cupysim itself reads the model: ``cupysim -pdb 1orc.pdb``. Needs gemmi.
The files beside this script were made with::

    python make_structure_factors.py 1orc.pdb
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.formats.structures import coordinates
from cupysim.maths.cell import upright_reciprocal
from cupysim.maths.rotations import rotate_xyz

UNKNOWN = -1.0
"""Marks indices beyond the limit; amplitudes are not negative."""


def main() -> None:
    """Write P1.hkl and one A matrix per wavelength to the output folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="model with its unit cell (PDB or mmCIF)")
    parser.add_argument("--dmin", type=float, default=2.0, help="resolution limit, Angstrom (2.0)")
    parser.add_argument("--wavelength", type=float, nargs="+", default=[1.0, 6.2], help="Angstrom")
    parser.add_argument("--misset", type=float, nargs=3, default=[10.0, 20.0, 30.0], help="degrees")
    parser.add_argument("--out", type=Path, default=Path(), help="output folder (the current one)")
    args = parser.parse_args()

    structure = coordinates.read(args.model, args.dmin * ANGSTROM, default=UNKNOWN)
    table = structure.factors.table
    assert table is not None
    known = table != UNKNOWN
    hkl = np.argwhere(known) + structure.factors.first
    rows = np.column_stack([hkl, table[known]])
    np.savetxt(args.out / "P1.hkl", rows, fmt="%4d %4d %4d %.2f")

    cell = structure.cell
    assert cell is not None
    upright = upright_reciprocal(cell.lengths_angstrom, cell.angles)
    rotated = rotate_xyz(upright, np.radians(args.misset))
    for wavelength in args.wavelength:
        np.savetxt(args.out / f"A_{wavelength}.mat", wavelength * rotated.T, fmt="%11.8f")
    f_000 = float(rows[~hkl.any(axis=1), 3][0])
    print(f"{len(hkl)} reflections, F(0,0,0) = {f_000:.2f} electrons")


if __name__ == "__main__":
    main()
