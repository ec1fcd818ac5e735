"""Structure factors of atoms and bulk solvent, from densities on grids, computed by gemmi."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.errors import CupysimError

SAMPLING_RATE = 2.0
"""gemmi's sampling rate of the density: its grid spacing is the resolution limit / (2 x rate)."""

MASK_SPACING = 0.6
"""Spacing (Angstrom) of the solvent mask's grid. It is the same for all resolution limits, so that
a reflection's amplitude does not depend on the limit."""

LARGEST_FINE_MASK = 2**30
"""Largest size (bytes) of a mask's grid with the spacing `MASK_SPACING`. For larger cells, the
spacing follows the resolution limit."""

COARSE_PROBE, COARSE_SHRINKAGE = 0.45, 0.0
"""Radius of the solvent's probe, and its shrinkage (Angstrom), on coarser grids. Such grids do not
resolve the usual 1.0 and 0.8. With these values, the volume of 1ORC is the same within 1 % on grids
of 0.6 to 3 Angstrom."""

MASK_POINTS = 7.0
"""Points of the mask's grid per resolution limit, if the limit is coarse."""

FINEST_SOLVENT = 1.3
"""Resolution limit (Angstrom) of the solvent's contribution. The grid resolves no more, and the
contribution beyond it is small."""

FEW_WAVES = 5e7
"""Reflections times atoms. Up to this number, structure factors are sums over atoms, which take a
few seconds."""

BYTES_OF_A_POINT = 12.0
"""Memory (bytes) of a grid point: density, its transform, and the transform's work space."""

LARGEST_GRIDS = 8 * 2**30
"""Largest size (bytes) of all grids together."""

ROUNDED_UP = 1.15
"""Factor by which an axis of a grid may grow, so that its length has small prime factors."""


@dataclass(frozen=True, eq=False)
class Transforms:
    """Fourier transforms of a model and its solvent in the unit cell.

    Parameters
    ----------
    atoms : gemmi grid or DirectSum
        Transform of the atoms' density.
    blur : float
        B factor (Angstrom^2) that blurs the density.
    mask : gemmi grid or None
        Transform of the solvent's mask.
    """

    atoms: Any
    blur: float
    mask: Any

    def at(self, hkl: np.ndarray, inverse_d2: np.ndarray, k_sol: float, b_sol: float) -> np.ndarray:
        """Structure factors (electrons).

        Parameters
        ----------
        hkl : ndarray of int32, shape (n, 3)
            Miller indices.
        inverse_d2 : ndarray, shape (n,)
            1/d^2 (1/Angstrom^2).
        k_sol, b_sol : float
            Electron density (electrons/Angstrom^3) and B factor (Angstrom^2) of the solvent.

        Returns
        -------
        ndarray of complex, shape (n,)
            F_atoms + k_sol exp(-b_sol/4d^2) F_mask: Fokine & Urzhumtsev (2002) Acta Cryst. D58,
            1387.
        """
        values = self.atoms.get_value_by_hkl(hkl, unblur=self.blur)
        if self.mask is not None:
            coarse = inverse_d2 < 1.0 / FINEST_SOLVENT**2
            smoothing = k_sol * np.exp(-b_sol / 4.0 * inverse_d2[coarse])
            values[coarse] += smoothing * self.mask.get_value_by_hkl(hkl[coarse])
        return np.asarray(values)


def mask_spacing(edges: Sequence[float], limit: float) -> float:
    """Spacing of the solvent mask's grid.

    Parameters
    ----------
    edges : sequence of 3 float
        a, b, c (Angstrom).
    limit : float
        Resolution (Angstrom).

    Returns
    -------
    float
        `MASK_SPACING` (Angstrom), or more for a coarse limit in a large cell.
    """
    if _bytes(edges, MASK_SPACING) <= LARGEST_FINE_MASK:
        return MASK_SPACING
    return max(MASK_SPACING, limit / MASK_POINTS)


def _bytes(edges: Sequence[float], spacing: float) -> float:
    """Upper bound of the memory (bytes) of a grid and its transform."""
    points = np.prod([ROUNDED_UP * edge / spacing + 2.0 for edge in edges])
    return float(BYTES_OF_A_POINT * points)


def check_memory(edges: Sequence[float], limit: float, with_solvent: bool) -> None:
    """Reject grids that would not fit into memory.

    Parameters
    ----------
    edges : sequence of 3 float
        a, b, c (Angstrom).
    limit : float
        Resolution (Angstrom).
    with_solvent : bool
        Whether a mask of the solvent is needed.

    Raises
    ------
    CupysimError
        If they need more than `LARGEST_GRIDS`, or more than the free memory.
    """
    spacings = [limit / (2.0 * SAMPLING_RATE)] + [mask_spacing(edges, limit)] * with_solvent
    needed = sum(_bytes(edges, spacing) for spacing in spacings)
    free = available_memory()
    if needed > min(LARGEST_GRIDS, free):
        a, b, c = edges
        most = min(LARGEST_GRIDS, free) / 2**30
        raise CupysimError(
            f"structure factors to {limit:.2f} A of a cell of {a:g} x {b:g} x {c:g} A need grids "
            f"of {needed / 2**30:.1f} GiB, but {most:.1f} GiB are possible: give a coarser limit "
            "with -dmin"
        )


def available_memory() -> float:
    """Free memory (bytes) for this process; infinite if the system does not report it."""
    free = float("inf")
    with suppress(OSError, ValueError, IndexError):
        with open("/proc/meminfo") as stream:
            lines = [line.split() for line in stream if line.startswith("MemAvailable:")]
        free = 1024.0 * float(lines[0][1])
    with suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/memory.max") as stream:
            limit = float(stream.read())
        with open("/sys/fs/cgroup/memory.current") as stream:
            free = min(free, limit - float(stream.read()))
    return free


def transforms(gemmi: Any, structure: Any, limit: float, with_solvent: bool) -> Transforms:
    """Transforms of a model's density and of its solvent.

    Parameters
    ----------
    gemmi : module
        The gemmi module.
    structure : gemmi.Structure
        One model, with its cell and space group.
    limit : float
        Resolution (Angstrom).
    with_solvent : bool
        Whether to compute a mask of the solvent.
    """
    atoms: Any
    if _count_waves(structure, limit) <= FEW_WAVES:
        atoms, blur = DirectSum(gemmi, structure), 0.0
    else:
        atoms, blur = _density_transform(gemmi, structure, limit)
    if not with_solvent:
        return Transforms(atoms, blur, None)
    mask = gemmi.FloatGrid()
    spacing = mask_spacing(structure.cell.parameters[:3], limit)
    mask.setup_from(structure, spacing=spacing)
    masker = gemmi.SolventMasker(gemmi.AtomicRadiiSet.Refmac)
    if spacing > MASK_SPACING:
        masker.rprobe, masker.rshrink = COARSE_PROBE, COARSE_SHRINKAGE
    masker.put_mask_on_float_grid(mask, structure[0])
    return Transforms(atoms, blur, gemmi.transform_map_to_f_phi(mask))


class DirectSum:
    """Exact structure factors of few atoms, as sums over the atoms.

    Grids are less exact: they cut off densities at the size of a small cell.

    Parameters
    ----------
    gemmi : module
        The gemmi module.
    structure : gemmi.Structure
        One model, with the images of its cell.
    """

    def __init__(self, gemmi: Any, structure: Any) -> None:
        self._gemmi = gemmi
        self._calculator = gemmi.StructureFactorCalculatorX(structure.cell)
        self._models = _of_one_charge(gemmi, structure[0])

    def get_value_by_hkl(self, hkl: np.ndarray, unblur: float = 0.0) -> np.ndarray:
        """Structure factors (electrons), as gemmi's grids give them. `unblur` must be 0."""
        assert unblur == 0.0
        value = self._calculator.calculate_sf_from_model
        with ions(self._gemmi):
            return np.array(
                [sum(value(model, index) for model in self._models) for index in hkl.tolist()],
                dtype=complex,
            )


def _of_one_charge(gemmi: Any, model: Any) -> list[Any]:
    """Split the atoms into models. In each model, all atoms of an element have one charge.

    gemmi's calculator uses the form factor of an element's first atom for all of its atoms.
    """
    charges: dict[str, list[int]] = {}
    for each in model.all():
        known = charges.setdefault(each.atom.element.name, [])
        if each.atom.charge not in known:
            known.append(each.atom.charge)
    models = []
    for number in range(max(map(len, charges.values()), default=0)):
        part = gemmi.Model(number + 1)
        for chain in model:
            kept_chain = gemmi.Chain(chain.name)
            for residue in chain:
                kept = gemmi.Residue()
                kept.name, kept.seqid = residue.name, residue.seqid
                for atom in residue:
                    if charges[atom.element.name].index(atom.charge) == number:
                        kept.add_atom(atom)
                kept_chain.add_residue(kept)
            part.add_chain(kept_chain)
        models.append(part)
    return models


def _count_waves(structure: Any, limit: float) -> float:
    """Number of reflections times number of atoms in the whole cell."""
    reflections = 4.0 / 3.0 * np.pi * structure.cell.volume / limit**3 + 1.0
    return float(reflections * structure[0].count_atom_sites() * (len(structure.cell.images) + 1))


def _density_transform(gemmi: Any, structure: Any, limit: float) -> tuple[Any, float]:
    """Transform of a model's density on a grid, and the B factor (Angstrom^2) that blurs it."""
    density = gemmi.DensityCalculatorX()
    density.d_min = limit
    density.rate = SAMPLING_RATE
    density.cutoff = 1e-6
    density.grid.setup_from(structure)
    density.set_refmac_compatible_blur(structure[0])
    with ions(gemmi):
        density.put_model_density_on_grid(structure[0])
    atoms = gemmi.transform_map_to_f_phi(density.grid)
    return atoms, density.blur


@contextmanager
def ions(gemmi: Any) -> Iterator[None]:
    """Context manager that lets gemmi use form factors of ions. By default, gemmi ignores charges.

    Parameters
    ----------
    gemmi : module
        The gemmi module.
    """
    before = gemmi.IT92_get_ignore_charge()
    gemmi.IT92_set_ignore_charge(False)
    try:
        yield
    finally:
        gemmi.IT92_set_ignore_charge(before)


def symmetric(structure: Any, operators: tuple[Any, ...]) -> None:
    """Add all symmetry equivalents to a model, and set its space group to P1.

    Parameters
    ----------
    structure : gemmi.Structure
        Model, changed in place.
    operators : tuple of gemmi.Op
        All operators of a group that has no name in gemmi.
    """
    cell, model = structure.cell, structure[0]
    chains = list(model)
    matrices = [np.array(op.float_seitz()) for op in operators]
    originals = [chain.clone() for chain in chains]
    orthogonal = np.array(cell.orth.mat.tolist())
    fractional = np.array(cell.frac.mat.tolist())
    for matrix in matrices:
        rotation = orthogonal @ matrix[:3, :3] @ fractional
        if np.allclose(matrix, np.eye(4)):
            continue
        shift = orthogonal @ matrix[:3, 3]
        for original in originals:
            copy = original.clone()
            for residue in copy:
                for atom in residue:
                    place = rotation @ np.array(atom.pos.tolist()) + shift
                    atom.pos = type(atom.pos)(*place)
                    if atom.aniso.nonzero():
                        u = rotation @ np.array(atom.aniso.as_mat33().tolist()) @ rotation.T
                        atom.aniso = type(atom.aniso)(
                            u[0, 0], u[1, 1], u[2, 2], u[0, 1], u[0, 2], u[1, 2]
                        )
            model.add_chain(copy)
    structure.spacegroup_hm = "P 1"
