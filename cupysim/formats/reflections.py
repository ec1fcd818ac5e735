"""Reflection files with symmetry: MTZ and mmCIF, read through gemmi."""

from __future__ import annotations

import gzip
import os
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats.optional import require
from cupysim.formats.reading import check_regular, opened
from cupysim.formats.structure import Structure, unit_cell
from cupysim.models.structure_factors import StructureFactors

LARGEST_FILE = 2**30
"""Bytes, unpacked; no structure has more."""

GZIP, MTZ = b"\x1f\x8b", b"MTZ "
"""How files of these kinds begin."""

AMPLITUDE, INTENSITY, AMPLITUDE_OF_ONE, INTENSITY_OF_ONE = "F", "J", "G", "K"
"""MTZ column types: F, I, and those of one of the two Friedel mates."""

DEVIATIONS = "QLM"
"""MTZ column types of standard deviations."""

USUAL = ("F", "FP", "FOBS", "F-obs", "F-obs-filtered", "F_XDSdataset", "F(+)", "I", "IMEAN", "I(+)")
"""Labels of measured data; one of these is chosen where there are several columns of a kind."""


@dataclass(frozen=True)
class _Column:
    """A column, or two with the data of Friedel mates."""

    labels: tuple[str, ...]
    is_intensity: bool

    @property
    def name(self) -> str:
        return ",".join(self.labels)


def kind_of(path: os.PathLike[str] | str) -> str | None:
    """What kind of reflection file this is.

    Parameters
    ----------
    path : path_like
        The file.

    Returns
    -------
    str or None
        "mtz", "cif", or None for anything else, such as lines of h k l F.

    Raises
    ------
    FileFormatError
        If it cannot be read, or its name says that it is of a kind which it is not.
    """
    if not os.path.isfile(path):
        # a pipe can be read once, by who reads text
        return None
    head = content(path, 4096)
    kind = None
    if head.startswith(MTZ):
        kind = "mtz"
    elif _first_word(head).lower().startswith(b"data_"):
        kind = "cif"
    name = os.fspath(path).lower().removesuffix(".gz")
    for suffix, wanted in ((".mtz", "mtz"), (".cif", "cif"), (".mmcif", "cif"), (".ent", "cif")):
        if name.endswith(suffix) and kind != wanted:
            raise FileFormatError(path, f"no {wanted.upper()} file, though its name says so")
    return kind


def content(path: os.PathLike[str] | str, size: int = -1) -> bytes:
    """The first bytes of a file, or all, unpacked if it was packed by gzip.

    Raises
    ------
    FileFormatError
        If it cannot be read.
    """
    check_regular(path)
    with opened(path) as stream:
        head = stream.read(2)
        stream.seek(0)
        most = LARGEST_FILE + 1 if size < 0 else size
        try:
            data = stream.read(most) if head != GZIP else gzip.GzipFile(fileobj=stream).read(most)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FileFormatError(path, f"damaged gzip file ({error})") from error
    if len(data) > LARGEST_FILE:
        raise FileFormatError(path, f"larger than {LARGEST_FILE >> 20} MiB")
    return data


def read(
    path: os.PathLike[str] | str, columns: Sequence[str] = (), default: float = 0.0
) -> Structure:
    """Read structure factors, expanded to P1.

    Parameters
    ----------
    path : path_like
        MTZ or mmCIF file, perhaps packed by gzip.
    columns : sequence of str, optional
        Label of the column of amplitudes or intensities, or of two for Friedel mates;
        a label of standard deviations after it is allowed. By default the usual one.
    default : float, optional
        Amplitude of what is not in the file (electrons).

    Returns
    -------
    Structure
        Symmetry equivalents have equal amplitudes, and so have Friedel mates unless
        the file tells them apart. Of intensities the square root is taken.

    Raises
    ------
    FileFormatError
        If there is no such file, no such column, or it is unclear which.
    CupysimError
        If gemmi is not installed.
    """
    gemmi = require("gemmi", "reading MTZ and mmCIF files")
    mtz = _open(gemmi, path)
    if mtz.spacegroup is None or mtz.cell.volume <= 1.0:
        raise FileFormatError(path, "it has no space group or no unit cell")
    if any(batch for batch in mtz.batches) or "M/ISYM" in mtz.column_labels():
        raise FileFormatError(path, "its reflections are not merged; merge them first")
    column = _choose(path, mtz, columns)
    hkl, values = _expanded(mtz, column)
    if len(hkl) == 0:
        raise FileFormatError(path, f"the column {column.name} has no values")
    if column.is_intensity:
        warnings.warn(
            CupysimWarning(
                f"{path}: amplitudes are square roots of the intensities {column.name}; "
                "negative ones become 0"
            ),
            stacklevel=2,
        )
        values = np.sqrt(np.maximum(values, 0.0))
    factors = StructureFactors.from_list(hkl, values, default)
    return Structure(factors, unit_cell(mtz.cell), mtz.spacegroup.xhm(), column.name)


def _first_word(text: bytes) -> bytes:
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith(b"#"):
            return line.split()[0]
    return b""


def _open(gemmi: Any, path: os.PathLike[str] | str) -> Any:
    """The file as gemmi's Mtz."""
    kind = kind_of(path)
    try:
        if kind == "mtz":
            return gemmi.read_mtz_file(os.fspath(path))
        if kind == "cif":
            text = content(path).decode("utf-8", "replace")
            if "_refln.index_h" not in text.lower():
                raise FileFormatError(path, "the CIF has no reflections")
            blocks = gemmi.as_refln_blocks(gemmi.cif.read_string(text))
            return gemmi.CifToMtz().convert_block_to_mtz(blocks[0])
    except (RuntimeError, ValueError, IndexError) as error:
        raise FileFormatError(path, f"cannot be read: {str(error).splitlines()[0]}") from error
    raise FileFormatError(path, "neither an MTZ nor a CIF file")


def _choices(mtz: Any) -> list[_Column]:
    """Columns which can serve, amplitudes before intensities."""
    choices = []
    for mean, of_one, is_intensity in (
        (AMPLITUDE, AMPLITUDE_OF_ONE, False),
        (INTENSITY, INTENSITY_OF_ONE, True),
    ):
        ones = [column.label for column in mtz.columns if column.type == of_one]
        choices += [_Column(pair, is_intensity) for pair in _mates(ones)]
        means = [column.label for column in mtz.columns if column.type == mean]
        choices += [_Column((label,), is_intensity) for label in means]
    return choices


def _mates(labels: list[str]) -> list[tuple[str, ...]]:
    """Labels in pairs, that of hkl first: by their signs, else as they follow each other."""
    pairs: list[tuple[str, ...]] = []
    left = list(labels)
    for label in labels:
        mate = label.replace("(+)", "(-)")
        if mate != label and mate in labels:
            pairs.append((label, mate))
            left = [other for other in left if other not in (label, mate)]
    pairs += zip(left[::2], left[1::2], strict=False)
    return pairs


def _choose(path: object, mtz: Any, wanted: Sequence[str]) -> _Column:
    choices = _choices(mtz)
    listed = "; ".join(column.name for column in choices)
    if not choices:
        kinds = ", ".join(f"{column.label} ({column.type})" for column in mtz.columns)
        raise FileFormatError(path, f"no amplitudes and no intensities; it has {kinds}")
    if wanted:
        for label in wanted:
            if label not in mtz.column_labels():
                raise FileFormatError(path, f"no column {label}; choose from {listed}")
        for column in choices:
            if wanted[0] in column.labels:
                for label in wanted[1:]:
                    kind = mtz.column_with_label(label).type
                    if label not in column.labels and kind not in DEVIATIONS:
                        raise FileFormatError(
                            path, f"the column {label} holds no standard deviations of {wanted[0]}"
                        )
                return column
        raise FileFormatError(
            path, f"the column {wanted[0]} holds no amplitudes or intensities; choose from {listed}"
        )
    # amplitudes are what is needed, measured mates tell more than their mean
    for is_intensity in (False, True):
        of_kind = [column for column in choices if column.is_intensity is is_intensity]
        usual = [column for column in of_kind if column.labels[0] in USUAL]
        for some in (usual, of_kind):
            pairs = [column for column in some if len(column.labels) == 2]
            if len(pairs) == 1 or len(some) == 1:
                return (pairs or some)[0]
        if usual:
            return min(usual, key=lambda column: USUAL.index(column.labels[0]))
        if of_kind:
            break
    raise FileFormatError(
        path, f"several columns could be meant; choose one by -mtzcol from {listed}"
    )


def _expanded(mtz: Any, column: _Column) -> tuple[np.ndarray, np.ndarray]:
    """Miller indices and values of all symmetry equivalents and Friedel mates.

    Where the file itself has an equivalent, that comes last and counts.
    """
    hkl = np.asarray(mtz.make_miller_array(), dtype=np.int64)
    values = [
        np.asarray(mtz.column_with_label(label).array, dtype=np.float64) for label in column.labels
    ]
    plus, minus = values[0], values[-1]
    plus = np.where(np.isnan(plus), minus, plus)
    minus = np.where(np.isnan(minus), plus, minus)
    known = ~np.isnan(plus)
    hkl, plus, minus = hkl[known], plus[known], minus[known]
    rotations = [np.array(op.rot) // op.DEN for op in mtz.spacegroup.operations().sym_ops]
    equivalents = [hkl @ rotation for rotation in reversed(rotations)]
    indices = [-each for each in equivalents] + equivalents
    amplitudes = [minus] * len(equivalents) + [plus] * len(equivalents)
    return np.concatenate(indices), np.concatenate(amplitudes)
