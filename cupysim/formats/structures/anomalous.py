"""Anomalous scattering of a model's atoms: what f' and f'' add to structure factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM, ELECTRONVOLT_ANGSTROM
from cupysim.errors import CupysimError
from cupysim.formats.edge_table import EdgeTable

NOTICEABLE = 0.05
"""Limit of |f'| + |f''| (electrons). Elements that do not exceed it at any wavelength, such as C,
N, O and H, are left out."""

LARGEST_ERROR = 0.02
"""Largest error (electrons) of f' + i f'' between wavelengths that `channel_wavelengths` chose."""

NOT_MEASURED = -1
"""Stands for the number of an edge, for atoms without measured values."""

AT_ONCE = 2**16
"""Number of Miller indices that are computed together."""


@dataclass(frozen=True)
class Scatterer:
    """The atoms of an element.

    Parameters
    ----------
    name : str
        Symbol of the element, with the file of measured values.
    corrections : ndarray of complex, shape (n_wavelengths,)
        f' + i f'' at each wavelength (electrons).
    places : ndarray, shape (n, 3)
        Fractional coordinates in the asymmetric unit.
    occupancies, b_factors : ndarray, shape (n,)
        Occupancies and isotropic B factors (Angstrom^2).
    anisotropic : ndarray, shape (n, 3, 3)
        Tensors U (Angstrom^2) that replace the B factors; zero for isotropic atoms.
    """

    name: str
    corrections: np.ndarray
    places: np.ndarray
    occupancies: np.ndarray
    b_factors: np.ndarray
    anisotropic: np.ndarray


def scatterers(
    gemmi: Any,
    structure: Any,
    wavelengths: Sequence[float],
    edges: Sequence[EdgeTable] = (),
) -> list[Scatterer]:
    """Atoms with noticeable anomalous scattering.

    Parameters
    ----------
    gemmi : module
        gemmi.
    structure : gemmi.Structure
        The model.
    wavelengths : sequence of float
        Wavelengths (m).
    edges : sequence of EdgeTable, optional
        Measured values of some atoms.

    Returns
    -------
    list of Scatterer
        One for each element, with f' and f'' of Cromer & Liberman (1981) Acta Cryst. A37, 267, as
        gemmi computes them; and one for each element with measured values.

    Raises
    ------
    CupysimError
        If measured values are for atoms that the model lacks, or a wavelength is beyond them.
    """
    measured = _measured_atoms(gemmi, structure, edges)
    by_kind: dict[tuple[str, int], list[Any]] = {}
    for site in structure[0].all():
        kind = site.atom.element.name, measured.get(_address(site), NOT_MEASURED)
        by_kind.setdefault(kind, []).append(site.atom)
    found = []
    energies = ELECTRONVOLT_ANGSTROM * ANGSTROM / np.asarray(wavelengths, dtype=np.float64)
    for (name, edge), atoms in sorted(by_kind.items()):
        number = atoms[0].element.atomic_number
        if edge != NOT_MEASURED:
            corrections = edges[edge].at(energies)
            name = f"{name} ({edges[edge].path})"
        else:
            pairs = [gemmi.cromer_liberman(number, energy) for energy in energies] if number else []
            corrections = np.array([complex(real, imaginary) for real, imaginary in pairs])
        sizes = np.abs(corrections.real) + np.abs(corrections.imag)
        if not (sizes > NOTICEABLE).any():
            continue
        found.append(_scatterer(structure, name, corrections, atoms))
    return found


def _address(site: Any) -> tuple[str, ...]:
    """Chain, residue and atom."""
    residue, atom = site.residue, site.atom
    return site.chain.name, str(residue.seqid), residue.name, atom.name, atom.altloc


def _measured_atoms(
    gemmi: Any, structure: Any, edges: Sequence[EdgeTable]
) -> dict[tuple[str, ...], int]:
    """Numbers of the measured edges, by the addresses of their atoms."""
    found: dict[tuple[str, ...], int] = {}
    for number, edge in enumerate(edges):
        if any(other.atoms.lower() == edge.atoms.lower() for other in edges[:number]):
            raise CupysimError(f"{edge.path}: a second table for {edge.atoms}")
        addresses = _addresses(gemmi, structure, edge.atoms)
        if not addresses:
            raise CupysimError(f"{edge.path}: the model has no atoms {edge.atoms}")
        found |= dict.fromkeys(addresses, number)
    return found


def _addresses(gemmi: Any, structure: Any, atoms: str) -> list[tuple[str, ...]]:
    """Addresses of the atoms of an element, or of a selection."""
    if "/" in atoms:
        try:
            chosen = gemmi.Selection(atoms).copy_model_selection(structure[0])
        except (RuntimeError, ValueError) as error:
            raise CupysimError(f"{atoms!r} is no selection of atoms: {error}") from error
        return [_address(site) for site in chosen.all()]
    return [
        _address(site)
        for site in structure[0].all()
        if site.atom.element.name.lower() == atoms.lower()
    ]


def selected(gemmi: Any, structure: Any, atoms: str) -> Scatterer:
    """The atoms of an element, or of a selection, without f' and f''.

    Parameters
    ----------
    gemmi : module
        gemmi.
    structure : gemmi.Structure
        The model.
    atoms : str
        Symbol of an element, or a selection of gemmi.

    Raises
    ------
    CupysimError
        If the model has no such atoms, or gemmi does not understand the selection.
    """
    wanted = set(_addresses(gemmi, structure, atoms))
    if not wanted:
        raise CupysimError(f"slopes: the model has no atoms {atoms}")
    found = [site.atom for site in structure[0].all() if _address(site) in wanted]
    return _scatterer(structure, atoms, np.empty(0, dtype=complex), found)


def _scatterer(structure: Any, name: str, corrections: np.ndarray, atoms: list[Any]) -> Scatterer:
    return Scatterer(
        name,
        corrections,
        np.array([structure.cell.fractionalize(a.pos).tolist() for a in atoms]),
        np.array([a.occ for a in atoms]),
        np.array([a.b_iso for a in atoms]),
        np.array([_tensor(a) for a in atoms]),
    )


def channel_wavelengths(
    gemmi: Any, structure: Any, wavelengths: Sequence[float], edges: Sequence[EdgeTable] = ()
) -> tuple[float, ...]:
    """Choose wavelengths between which f' and f'' are nearly linear.

    Parameters
    ----------
    gemmi : module
        gemmi.
    structure : gemmi.Structure
        The model.
    wavelengths : sequence of float
        Wavelengths of the beam (m).
    edges : sequence of EdgeTable, optional
        Measured values of some atoms.

    Returns
    -------
    tuple of float
        Some of the wavelengths, ascending. At each of the others, f' + i f'' of every atom differs
        by at most `LARGEST_ERROR` from the value between the two neighbours.
    """
    every = np.unique(np.asarray(wavelengths, dtype=np.float64))
    values = np.array(
        [each.corrections for each in scatterers(gemmi, structure, every.tolist(), edges)]
    ).reshape(-1, len(every))
    chosen = sorted({0, len(every) - 1})
    while len(chosen) < len(every):
        error = np.zeros(len(every))
        for of_atoms in values:
            between = np.interp(every, every[chosen], of_atoms[chosen])
            error = np.maximum(error, np.abs(between - of_atoms))
        worst = int(np.argmax(error))
        if error[worst] <= LARGEST_ERROR:
            break
        chosen = sorted({*chosen, worst})
    return tuple(every[chosen].tolist())


def _tensor(atom: Any) -> np.ndarray:
    if not atom.aniso.nonzero():
        return np.zeros((3, 3))
    return np.array(atom.aniso.as_mat33().tolist())


def sums(structure: Any, scatterer: Scatterer, hkl: np.ndarray) -> np.ndarray:
    """Sum over the atoms of an element of occupancy, displacement and phase.

    Parameters
    ----------
    structure : gemmi.Structure
        The model with the images of its cell.
    scatterer : Scatterer
        The atoms.
    hkl : ndarray of int, shape (n, 3)
        Miller indices.

    Returns
    -------
    ndarray of complex, shape (n,)
        Sum of occ exp(-B/4d^2) exp(2 pi i h.x) over all atoms of the whole cell. For an
        anisotropic atom, the displacement is exp(-2 pi^2 s.U s), s = h A*.
    """
    to_fraction = np.array(structure.cell.frac.mat.tolist())
    identity = (np.eye(3), np.zeros(3))
    images = [
        (np.array(im.mat.tolist()), np.array(im.vec.tolist())) for im in structure.cell.images
    ]
    is_anisotropic = [bool(tensor.any()) for tensor in scatterer.anisotropic]
    total = np.zeros(len(hkl), dtype=complex)
    for start in range(0, len(hkl), AT_ONCE):
        part = hkl[start : start + AT_ONCE].astype(np.float64)
        s = part @ to_fraction
        damping_of = -0.25 * (s * s).sum(axis=1)
        for rotation, shift in (identity, *images):
            turned = part @ rotation
            vectors = turned @ to_fraction
            phase_of_shift = part @ shift
            for place, occupancy, b_factor, tensor, is_tensor in zip(
                scatterer.places, scatterer.occupancies, scatterer.b_factors,
                scatterer.anisotropic, is_anisotropic, strict=True,
            ):  # fmt: skip
                damping = damping_of * b_factor
                if is_tensor:
                    damping = -2.0 * np.pi**2 * np.einsum("ni,ij,nj->n", vectors, tensor, vectors)
                waves = np.exp(damping + 2j * np.pi * (turned @ place + phase_of_shift))
                total[start : start + len(part)] += occupancy * waves
    return total


def note(found: Sequence[Scatterer], wavelengths: Sequence[float]) -> str:
    """A line about the elements, with f' and f'' at the middle wavelength."""
    if not found:
        return "no element has noticeable anomalous scattering"
    middle = len(wavelengths) // 2
    parts = [
        f"{each.name} f' {value.real:.2f}, f'' {value.imag:.2f}"
        for each, value in ((each, each.corrections[middle]) for each in found)
    ]
    tables = "" if len(wavelengths) == 1 else f", in the middle of {len(wavelengths)} tables"
    where = f"{wavelengths[middle] / ANGSTROM:.5g} A{tables}"
    return f"anomalous scattering at {where}: " + "; ".join(parts)
