"""Reflections of CIF files: mmCIF, CIF of small molecules, SHELX .fcf."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import FileFormatError
from cupysim.formats.structures.cif_blocks import UNKNOWN, CifBlock, read_blocks
from cupysim.formats.structures.cif_scales import of_reflections
from cupysim.formats.structures.cif_transform import transformed
from cupysim.formats.structures.symmetry import Symmetry, cell_text
from cupysim.formats.structures.table import (
    Cell,
    Column,
    Quantity,
    ReflectionTable,
    listed,
    miller_indices,
)
from cupysim.formats.structures.wavelengths import ToldWavelength, of_block, one_of

CATEGORIES = ("_refln_", "_diffrn_refln_")
"""Categories of merged or refined data, and of data as they were measured."""

_F, _I, _D = Quantity.AMPLITUDE, Quantity.INTENSITY, Quantity.DIFFERENCE
QUANTITIES: dict[str, tuple[Quantity, str]] = {
    "f_meas": (_F, "FP"),
    "f_meas_au": (_F, "FP"),
    "f_calc": (_F, "FC"),
    "f_calc_au": (_F, "FC"),
    "pdbx_f_calc_with_solvent": (_F, "FC_ALL"),
    "pdbx_fwt": (_F, "FWT"),
    "pdbx_delfwt": (_F, "DELFWT"),
    "pdbx_f_plus": (_F, "F(+)"),
    "pdbx_f_minus": (_F, "F(-)"),
    "intensity_meas": (_I, "I"),
    "f_squared_meas": (_I, "I"),
    "intensity_calc": (_I, ""),
    "f_squared_calc": (_I, ""),
    "pdbx_i_plus": (_I, "I(+)"),
    "pdbx_i_minus": (_I, "I(-)"),
    "intensity_net": (_I, "I"),
    "counts_net": (_I, "I"),
    "pdbx_anom_difference": (_D, "DP"),
}
"""Items of these categories: their quantity, and their usual label in MTZ files."""

DEVIATION_WORDS = ("_sigma", "_u", "_su")

ABSENT = "-"
"""Status of a reflection that the space group forbids."""

UNRELIABLE = "x"

STATUS = ("status", "include_status", "observed_status")

CRYSTAL = "crystal_id"
SETS = ("wavelength_id", CRYSTAL, "diffrn_id")
"""Items that distinguish the datasets in one loop."""

PHASE = "_pd_refln_phase_id"
"""Item that distinguishes the phases of a powder."""

RADIATION = (
    "_diffrn_radiation_probe", "_diffrn_radiation_pdbx_scattering_type", "_diffrn_radiation_type",
    "_exptl_method",
)  # fmt: skip
OTHER_PROBES = ("neutron", "electron")
"""Items that name the radiation, and radiation with other scattering laws than X-rays."""

EMBEDDED = {
    "_shelx_hkl_file": "raw intensities for SHELX",
    "_iucr_refine_reflections_details": "an .fcf file",
    "_iucr_refine_fcf_details": "an .fcf file",
    "_shelx_fcf_file": "an .fcf file",
}
"""Items that hold another file with reflections."""


def read(path: os.PathLike[str] | str, data: bytes) -> list[ReflectionTable]:
    """Read all reflections of a CIF file.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    data : bytes
        Content of the file, unpacked.

    Returns
    -------
    list of ReflectionTable
        One table for each block, or for each dataset of a block. A block without cell or space
        group gets those of the first block that has them. A block without wavelength gets that of
        the others if they have only one.

    Raises
    ------
    FileFormatError
        If there are no reflections, or a value is not a number.
    """
    blocks = read_blocks(path, data)
    tables = [table for block in blocks for table in _tables(path, block)]
    if not tables:
        raise FileFormatError(path, _nothing(blocks))
    cells = [
        (each, block.doubts_of_cell(path))
        for block in blocks
        if (each := block.cell(path)) is not None
    ]
    groups = [each.symmetry for each in tables if each.symmetry is not None]
    if not groups:
        told = (block.symmetry(path).symmetry for block in blocks)
        groups = [each for each in told if each is not None]
    waves = [of_block(block, path) for block in blocks]
    return [_completed(table, cells, groups, waves) for table in tables]


def _completed(
    table: ReflectionTable,
    cells: Sequence[tuple[Cell, list[str]]],
    groups: Sequence[Symmetry],
    waves: Sequence[ToldWavelength],
) -> ReflectionTable:
    """The table, completed by cell, space group and wavelength of other blocks.

    `cells` has each block's cell, with doubts about it.
    """
    borrowed, alarms = [], []
    if table.cell is None and cells:
        borrowed.append("unit cell")
        different = dict.fromkeys(cell for cell, _ in cells)
        if len(different) > 1:
            shown = "; ".join(cell_text(each) for each in different)
            alarms.append(f"its blocks have different cells, the first one is used: {shown}")
        cell, doubts = cells[0]
        alarms += doubts
        table = replace(table, cell=cell)
    if table.symmetry is None and groups:
        borrowed.append("space group")
        if not all(each.has_operators(groups[0]) for each in groups):
            shown = ", ".join(dict.fromkeys(each.name for each in groups))
            alarms.append(f"its blocks have different groups, the first one is used: {shown}")
        table = replace(table, symmetry=groups[0])
    if table.wavelength is None and not table.unclear_wavelength:
        wave = one_of([each.value / ANGSTROM for each in waves if each.value], "its blocks have")
        unclear = next((each.unclear for each in waves if each.unclear), wave.unclear)
        if wave.value is not None and not unclear:
            borrowed.append("wavelength")
            table = replace(table, wavelength=wave.value)
        table = replace(table, unclear_wavelength=unclear)
    what = f"{' and '.join(borrowed)} of another block of the file"
    return replace(
        table,
        remarks=(*table.remarks, what) if borrowed else table.remarks,
        warnings=(*table.warnings, *alarms),
    )


def _nothing(blocks: list[CifBlock]) -> str:
    """Message that says why there are no reflections."""
    for block in blocks:
        for name, what in EMBEDDED.items():
            if block.text(name):
                return (
                    f"the CIF has no loop of reflections; its item {name} holds {what}: "
                    "save that as a file of its own"
                )
        if any(name.startswith("_pdbx_diffrn_unmerged_refln") for name in block.columns):
            return "the CIF has unmerged reflections only: merge them first"
        if any(name.startswith("_atom_site_") for name in block.columns):
            return "the CIF has no reflections, but atoms: give it by -pdb"
    return "the CIF has no reflections"


def _tables(path: object, block: CifBlock) -> Iterator[ReflectionTable]:
    """Reflections of a block: merged or refined ones, otherwise those as measured."""
    for category in CATEGORIES:
        indices = [f"{category}index_{letter}" for letter in "hkl"]
        if all(name in block.columns for name in indices):
            table, absent = _without_absences(
                block, category, _table(path, block, category, indices)
            )
            for part, rows in _split(path, block, category, table):
                refused, alarms = of_reflections(block, path, category, rows & ~absent)
                part = replace(part, refused=refused, warnings=(*part.warnings, *alarms))
                yield part.rows(rows & ~absent)
            return


def _table(path: object, block: CifBlock, category: str, indices: list[str]) -> ReflectionTable:
    if f"{category}index_m_1" in block.columns:
        raise FileFormatError(path, "reflections of a modulated crystal, with more than 3 indices")
    hkl, turned = transformed(path, block, category, block.number_rows(path, indices))
    columns = []
    for name in block.columns:
        item = name.removeprefix(category)
        if item == name or len(block.columns[name]) != len(hkl):
            continue
        quantity, label = QUANTITIES.get(item, (Quantity.OTHER, ""))
        if quantity is Quantity.OTHER:
            base = next((w for w in DEVIATION_WORDS if w in item), None)
            if base is None:
                continue
            quantity = Quantity.DEVIATION
        columns.append(
            Column(
                label=label or _other_names(item)[-1],
                quantity=quantity,
                values=block.numbers(path, name),
                kind=name,
                of_one_mate="plus" in item or "minus" in item,
                other_names=_other_names(item),
            )
        )
    told = block.symmetry(path)
    names = block.texts(f"{category}wavelength_id")
    wave = of_block(block, path, set(names) if len(set(names)) == 1 else ())
    return ReflectionTable(
        kind="CIF",
        block=block.name,
        hkl=miller_indices(path, hkl),
        columns=tuple(columns),
        cell=block.cell(path),
        symmetry=told.symmetry,
        wavelength=wave.value,
        unclear_wavelength=wave.unclear,
        remarks=(*told.assumptions, *filter(None, [turned])),
        warnings=(*told.contradictions, *block.doubts_of_cell(path), *_other_radiation(block)),
    )


def _other_radiation(block: CifBlock) -> Iterator[str]:
    """Warning about data that were not measured with X-rays."""
    for name in RADIATION:
        for text in dict.fromkeys(block.texts(name)):
            other = next((each for each in OTHER_PROBES if each in text.lower()), None)
            if other is not None:
                yield f"its data are those of {other}s ({name}), used as they are"
                return


def _other_names(item: str) -> tuple[str, ...]:
    """Spellings of an item that a user may give."""
    written = item
    for lower, upper in (("f_", "F_"), ("pdbx_f", "pdbx_F"), ("pdbx_i", "pdbx_I")):
        if item.startswith(lower):
            written = upper + item[len(lower) :]
    return (item, written)


def _without_absences(
    block: CifBlock, category: str, table: ReflectionTable
) -> tuple[ReflectionTable, np.ndarray]:
    """The table with remarks, and the rows that the file calls systematically absent."""
    status = np.array(block.texts(*(f"{category}{each}" for each in STATUS)))
    if len(status) != len(table.hkl):
        return table, np.zeros(len(table.hkl), dtype=bool)
    absent, unreliable = status == ABSENT, int(np.count_nonzero(status == UNRELIABLE))
    remarks = list(table.remarks)
    if absent.any():
        remarks.append(f"{np.count_nonzero(absent)} systematically absent reflections are left out")
    if unreliable:
        remarks.append(
            f"{unreliable} reflections that the file calls unreliable (status x) are used"
        )
    return replace(table, remarks=tuple(remarks)), absent


def _split(
    path: object, block: CifBlock, category: str, table: ReflectionTable
) -> Iterator[tuple[ReflectionTable, np.ndarray]]:
    """Datasets of one loop, such as those of several wavelengths, and their rows."""
    names = [name for name in (*(category + each for each in SETS), PHASE) if name in block.columns]
    columns = {name: np.array(block.texts(name)) for name in names}
    columns = {name: each for name, each in columns.items() if len(each) == len(table.hkl)}
    labels = np.array(["/".join(row) for row in zip(*columns.values(), strict=True)])
    different = list(dict.fromkeys(labels.tolist()))
    by_wavelength = bool(columns) and next(iter(columns)).endswith("wavelength_id")
    waves_differ = by_wavelength and len(set(next(iter(columns.values())).tolist())) > 1
    phases_differ = len(set(columns.get(PHASE, np.array([])).tolist())) > 1
    if len(different) < 2 or not (waves_differ or phases_differ or _overlap(table.hkl)):
        several = dict.fromkeys(columns.get(category + CRYSTAL, np.array([])).tolist())
        named = [name for name in several if name not in UNKNOWN]
        if len(named) > 1:
            alarm = f"its reflections are those of {len(named)} crystals ({CRYSTAL}), used as one: "
            table = replace(table, warnings=(*table.warnings, alarm + listed(named)))
        yield table, np.ones(len(table.hkl), dtype=bool)
        return
    for label in different:
        others = [other for other in different if other != label]
        wave = of_block(block, path, [label.split("/")[0]] if by_wavelength else ())
        part = replace(
            table,
            block=f"{table.block}:{label}",
            wavelength=wave.value,
            unclear_wavelength=wave.unclear,
            remarks=(*table.remarks, f"other datasets of the loop: {listed(others)}"),
        )
        yield part, labels == label


def _overlap(hkl: np.ndarray) -> bool:
    """Whether a reflection occurs twice, or together with its Friedel mate."""
    h, k, l = hkl.T
    is_first = (h > 0) | ((h == 0) & ((k > 0) | ((k == 0) & (l >= 0))))
    return len(np.unique(np.where(is_first[:, np.newaxis], hkl, -hkl), axis=0)) < len(hkl)
