"""Structure factors and MOSFLM A matrices of a protein model, for nanoBragg.

Needs gemmi (``pip install gemmi``).  The files beside this script were made with::

    python make_structure_factors.py 1orc.pdb
"""

import argparse
from pathlib import Path

import gemmi
import numpy as np
from numpy.typing import NDArray


def sphere_indices(cell: gemmi.UnitCell, dmin: float) -> NDArray[np.int32]:
    """List every (h, k, l) inside the resolution sphere, Friedel mates and (0, 0, 0) too.

    Parameters
    ----------
    cell : gemmi.UnitCell
        The unit cell.
    dmin : float
        High-resolution limit in Angstrom.

    Returns
    -------
    numpy.ndarray
        Miller indices, shape (n, 3), sorted by h, then k, then l.
    """
    ranges = [np.arange(-limit, limit + 1, dtype=np.int32) for limit in cell.get_hkl_limits(dmin)]
    hkl = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    return hkl[cell.calculate_1_d2_array(hkl) <= 1 / dmin**2]


def structure_factors(
    structure: gemmi.Structure, hkl: NDArray[np.int32], dmin: float, k_sol: float, b_sol: float
) -> NDArray[np.float64]:
    """Compute the amplitudes of the whole cell: the atoms and a flat bulk solvent.

    ``F = F_atoms + k_sol exp(-b_sol s^2 / 4) F_mask`` with s = 1/d.  Both maps are made with the
    symmetry of the crystal but are transformed over the whole cell, so the result is what P1
    needs.  F(0, 0, 0) is the number of electrons in the cell.

    Parameters
    ----------
    structure : gemmi.Structure
        The model; its first model is used as it stands (no hydrogen atom is added).
    hkl : numpy.ndarray
        Miller indices, shape (n, 3).
    dmin : float
        High-resolution limit in Angstrom, which sets the spacing of the maps.
    k_sol : float
        Electron density of the bulk solvent, electrons per cubic Angstrom.
    b_sol : float
        B factor that smooths the solvent's boundary, square Angstrom.

    Returns
    -------
    numpy.ndarray
        Amplitudes in electrons, shape (n,).
    """
    density = gemmi.DensityCalculatorX()
    density.d_min = dmin
    density.rate = 2.0
    density.cutoff = 1e-6
    density.grid.setup_from(structure)
    density.set_refmac_compatible_blur(structure[0])
    density.put_model_density_on_grid(structure[0])
    f_atoms = gemmi.transform_map_to_f_phi(density.grid).get_value_by_hkl(hkl, unblur=density.blur)

    mask = gemmi.FloatGrid()
    mask.setup_from(structure, spacing=min(0.6, dmin / 3))
    gemmi.SolventMasker(gemmi.AtomicRadiiSet.Refmac).put_mask_on_float_grid(mask, structure[0])
    f_mask = gemmi.transform_map_to_f_phi(mask).get_value_by_hkl(hkl)

    smoothing = np.exp(-b_sol / 4 * structure.cell.calculate_1_d2_array(hkl))
    return np.abs(f_atoms + k_sol * smoothing * f_mask).astype(np.float64)


def orientation(misset: list[float]) -> NDArray[np.float64]:
    """Make the matrix that rotates about x, then y, then z, by angles in degrees."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(misset)), np.sin(np.radians(misset))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    rotation: NDArray[np.float64] = about_z @ about_y @ about_x
    return rotation


def main() -> None:
    """Write P1.hkl and one A matrix per wavelength to the output folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="model with its unit cell (PDB or mmCIF)")
    parser.add_argument("--dmin", type=float, default=2.0, help="resolution limit, Angstrom (2.0)")
    parser.add_argument("--k-sol", type=float, default=0.35, help="solvent density, e/A^3 (0.35)")
    parser.add_argument("--b-sol", type=float, default=46.0, help="solvent B factor, A^2 (46)")
    parser.add_argument("--wavelength", type=float, nargs="+", default=[1.0, 6.2], help="Angstrom")
    parser.add_argument("--misset", type=float, nargs=3, default=[10.0, 20.0, 30.0], help="degrees")
    parser.add_argument("--out", type=Path, default=Path(), help="output folder (the current one)")
    args = parser.parse_args()

    structure = gemmi.read_structure(str(args.model))
    hkl = sphere_indices(structure.cell, args.dmin)
    amplitudes = structure_factors(structure, hkl, args.dmin, args.k_sol, args.b_sol)
    np.savetxt(args.out / "P1.hkl", np.column_stack([hkl, amplitudes]), fmt="%4d %4d %4d %.2f")

    # Columns a*, b*, c*, with a* along x and b* in the xy plane before the rotation.
    rotated = orientation(args.misset) @ np.array(structure.cell.reciprocal().orth.mat.tolist())
    for wavelength in args.wavelength:
        np.savetxt(args.out / f"A_{wavelength}.mat", wavelength * rotated, fmt="%11.8f")
    f_000 = amplitudes[~hkl.any(axis=1)].item()
    print(f"{len(hkl)} reflections, F(0,0,0) = {f_000:.2f} electrons")


if __name__ == "__main__":
    main()
