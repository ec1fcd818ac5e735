"""The structs of `cuda_src/launch.cuh` as NumPy types, and the arrays that the kernel reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cupysim.backends.compiled.variants import Precision
from cupysim.maths.lattice_factor import GAUSS_WIDTH
from cupysim.maths.polarization import polarization_form
from cupysim.maths.spot_bounds import distance_factors
from cupysim.native import sources
from cupysim.plan.culling import OrientationGroup
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.spot_shapes import SPOT_SHAPES, Measure

if TYPE_CHECKING:
    from cupysim.plan.gradient_plan import GradientPlan

STRUCT = re.compile(r"^struct (\w+) \{$(.*?)^\};$", re.MULTILINE | re.DOTALL)
MEMBER = re.compile(r"^    ((?:const )?\w+\*?) (\w+)(?:\[(\d+)\])?;", re.MULTILINE)
KINDS: dict[str, type] = {"double": np.float64, "Int": np.int64}


@cache
def struct_type(name: str, header: str = "launch.cuh") -> np.dtype:
    """A struct of the kernel as a NumPy type, read from the header that declares it.

    Parameters
    ----------
    name : str
        Name of the struct, for example "Launch".
    header : str, optional
        File of the header.
    """
    members = dict(STRUCT.findall(sources.folder().joinpath(header).read_text()))[name]
    fields = []
    for kind, member, count in MEMBER.findall(members):
        code = np.uintp if kind.endswith("*") else KINDS[kind]
        fields.append((member, code, (int(count),)) if count else (member, code))
    return np.dtype(fields, align=True)


@cache
def number_members(name: str) -> frozenset[str]:
    """Members of a struct that are numbers, not pointers."""
    kind = struct_type(name)
    return frozenset(each for each in kind.names or () if kind[each].base != np.uintp)


def copied(records: np.ndarray) -> np.ndarray:
    """A copy of records, byte by byte. NumPy would copy member by member, which is slower."""
    made = np.frombuffer(bytearray(records.tobytes()), dtype=records.dtype)
    return made.reshape(records.shape)


def addresses(start: int, count: int, size: int) -> np.ndarray | int:
    """Addresses of the equal parts of an array, one for each launch.

    Parameters
    ----------
    start : int
        Address of the array.
    count : int
        Number of parts.
    size : int
        Size of a part (bytes).

    Returns
    -------
    ndarray of uintp, shape (n,), or int
        Addresses; a number if there is one part.
    """
    if count == 1:
        return start
    return np.uintp(start) + np.arange(count, dtype=np.uintp) * np.uintp(size)


def source_records(plan: RenderPlan, shots: slice) -> np.ndarray:
    """Sources as the kernel reads them.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    shots : slice
        Numbers of the shots.

    Returns
    -------
    ndarray of ``Source``, shape (n_shots, n_sources)
        Directions, wavelengths, polarization forms, source weights and channels.
    """
    table = plan.sources
    incident = table.incident[shots]
    form = polarization_form(
        table.kahn[shots].reshape(-1),
        incident.reshape(-1, 3),
        table.polarization_axis[shots].reshape(-1, 3),
    )
    records = np.empty(incident.shape[:2], dtype=struct_type("Source"))
    records["incident"], records["wavelength"] = incident, table.wavelength[shots]
    records["polarization"] = form.reshape(*incident.shape[:2], 6)
    records["weight"], records["channel"] = table.weight[shots], table.channel
    return records


def source_change_records(gradient_plan: GradientPlan) -> np.ndarray:
    """How the sources change with the parameters of the beam, as the kernel reads it.

    Parameters
    ----------
    gradient_plan : GradientPlan
        Plan of the derivatives.

    Returns
    -------
    ndarray of ``SourceChange``, shape (n_sources, n_changes)
        Changes of the wavelength, the direction and the polarization form of each source.
    """
    slopes = gradient_plan.sources
    records = np.empty(slopes.wavelengths.T.shape, dtype=struct_type("SourceChange"))
    records["wavelength"] = slopes.wavelengths.T
    records["incident"] = slopes.incident.swapaxes(0, 1)
    records["polarization"] = slopes.polarization.swapaxes(0, 1)
    return records


def strain_records(strains: np.ndarray) -> np.ndarray:
    """Strains of cells that vary among domains, as the kernel reads them.

    Parameters
    ----------
    strains : ndarray, shape (n_strained, 3, 3)
        Matrices that change Miller indices.

    Returns
    -------
    ndarray of ``Strain``, shape (max(n_strained, 1),)
        Each matrix transposed, and its inverse.
    """
    records = np.zeros(max(len(strains), 1), dtype=struct_type("Strain"))
    if len(strains):
        records["transposed"] = strains.swapaxes(1, 2).reshape(-1, 9)
        records["inverse"] = np.linalg.inv(strains).reshape(-1, 9)
    return records


def crystal_records(plan: RenderPlan, shots: slice) -> np.ndarray:
    """Crystals as the kernel reads them.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    shots : slice
        Numbers of the shots.

    Returns
    -------
    ndarray of ``Crystal``, shape (n_shots, n_crystals)
        Numbers of cells, heights, spot axes and sharpness. The spot axes are those of the plan,
        scaled so that Gaussian spots fall off as exp(-y).
    """
    crystals = plan.crystals
    counts = np.prod(np.asarray(crystals.spot_counts[shots], dtype=np.float64), axis=-1)
    axes = crystals.spot_axes[shots] * (counts / np.sqrt(GAUSS_WIDTH))[..., None, None]
    records = np.empty(counts.shape, dtype=struct_type("Crystal"))
    records["n_cells"], records["height"] = crystals.n_cells[shots], crystals.spot_height[shots]
    records["spot_axes"] = axes.reshape(*counts.shape, 9)
    records["sharpness"] = crystals.n_cells[shots]
    records["distance_sum"] = records["distance_each"] = 0.0
    if plan.tolerance is not None and SPOT_SHAPES[crystals.shape].measure is Measure.DISTANCE:
        records["distance_sum"], records["distance_each"] = distance_factors(axes)
        records["sharpness"] = np.sqrt(GAUSS_WIDTH) * np.linalg.norm(axes, axis=-1)
    return records


def material_records(plan: RenderPlan, shots: slice) -> np.ndarray:
    """Amorphous matter as the kernel reads it.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    shots : slice
        Numbers of the shots.

    Returns
    -------
    ndarray of ``Material``, shape (n_shots, n_materials)
        Molecules, and places of the intervals.
    """
    table = plan.amorphous
    records = np.zeros(table.molecules[shots].shape, dtype=struct_type("Material"))
    records["molecules"] = table.molecules[shots]
    records["first_interval"], records["n_intervals"] = table.first, table.count
    return records


def diffuse_records(plan: RenderPlan, shots: slice) -> np.ndarray:
    """Operations of diffuse scattering as the kernel reads them.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    shots : slice
        Numbers of the shots.

    Returns
    -------
    ndarray of ``DiffuseOperation``, shape (n_shots, n_operations)
        Forms of halos and displacements, and matrices of the operations.
    """
    halos = plan.diffuse.halos[shots]
    records = np.zeros(halos.shape[:2], dtype=struct_type("DiffuseOperation"))
    records["halo"] = halos.reshape(*halos.shape[:2], 9)
    records["displacement"] = plan.diffuse.displacements[shots].reshape(*halos.shape[:2], 9)
    records["turn"] = plan.diffuse.turns[shots].reshape(*halos.shape[:2], 9)
    return records


def interval_records(plan: RenderPlan) -> np.ndarray:
    """Polynomials of amorphous matter as the kernel reads them.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.

    Returns
    -------
    ndarray of ``FactorInterval``, shape (n_intervals,)
        Beginnings and coefficients.
    """
    table = plan.amorphous
    records = np.zeros(len(table.begins), dtype=struct_type("FactorInterval"))
    records["begin"], records["coefficients"] = table.begins, table.coefficients
    return records


def group_records(groups: Sequence[OrientationGroup]) -> np.ndarray:
    """Groups of orientations as the kernel reads them.

    Parameters
    ----------
    groups : sequence of OrientationGroup
        The groups.

    Returns
    -------
    ndarray of ``OrientationGroup``, shape (n,)
        Their numbers, references, lengths and spreads.
    """
    records = np.empty(len(groups), dtype=struct_type("OrientationGroup"))
    for record, group in zip(records, groups, strict=True):
        record["first"], record["count"] = group.first, group.count
        record["crystal"], record["reference"] = group.crystal, group.reference.reshape(9)
        record["lengths"], record["spreads"] = group.lengths, group.spreads
    return records


def factor_records(plan: RenderPlan, precision: Precision) -> np.ndarray:
    """Structure factors as the kernel reads them: divided by the largest.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    precision : Precision
        Precision of the kernel: float64 for double precision, otherwise float32.

    Returns
    -------
    ndarray
        Array with the shape of the plan's table.
    """
    kind = np.float64 if precision is Precision.DOUBLE else np.float32
    table = plan.factors.table / plan.factors.largest
    return np.ascontiguousarray(table, dtype=kind)


def matrix_bytes(precision: Precision) -> int:
    """Size (bytes) of an orientation of `matrix_records`."""
    return 9 * (2 * 4 if precision is Precision.PAIRS else 8)


def matrix_records(cells: np.ndarray, precision: Precision) -> np.ndarray:
    """Orientations as the kernel reads them.

    Parameters
    ----------
    cells : ndarray, shape (n, 3, 3)
        Cell vectors: rows a, b, c (m).
    precision : Precision
        Precision of the kernel.

    Returns
    -------
    ndarray
        Float64 of shape (n, 9); for pairs, high and low parts as float32 of shape (n, 18).
    """
    matrices = np.ascontiguousarray(cells, dtype=np.float64).reshape(-1, 9)
    if precision is not Precision.PAIRS:
        return matrices
    high = matrices.astype(np.float32)
    return np.concatenate([high, (matrices - high).astype(np.float32)], axis=1)
