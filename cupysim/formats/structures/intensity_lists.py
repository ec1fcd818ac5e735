"""Recognition of lists of intensities: XDS_ASCII.HKL, CrystFEL, Scalepack, and others."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from cupysim.formats.other_files import HEAD, kind_of_other
from cupysim.formats.structures import crystfel_list, scalepack, xds_ascii
from cupysim.formats.structures.table import ReflectionTable
from cupysim.formats.text_numbers import lines_of

PACKED, PDB_RECORDS = b"\x1f\x8b", (b"HEADER", b"CRYST1", b"REMARK", b"ATOM  ", b"HETATM")
"""First bytes of files that are not lists."""

_UNMERGED_SCALEPACK = re.compile(rb"\A *\d+ [a-zA-Z]\d\S*\s*\n( *-?[01]\.?\d*){3}")
_CNS = re.compile(rb"\s*(NREF\w*\s*=|ANOM\w*\s*=|DECL\w*\s+NAME\s*=|INDE\w*(\s+-?\d+){3}\s)", re.I)
_PHASES = re.compile(
    rb"( {0,3}-?\d{1,4}){3} +-?\d+\.\d* +[01]?\.\d+ +-?\d+\.\d*( +-?\d+\.?\d*)?\s*\Z"
)
_SHELX = re.compile(
    rb"( {0,3}-?\d{1,4}){3} {0,7}-?\d+\.?\d* +\d+\.?\d*( +-?\d+)?( +-?\d*\.\d+)*\s*\Z"
)


def kind_of(head: bytes) -> str | None:
    """Kind of a list ("xds", "crystfel" or "scalepack") from its first bytes; None for others.

    Parameters
    ----------
    head : bytes
        First bytes of the file, a few kibibytes at least.
    """
    if head.startswith(xds_ascii.SIGNATURE):
        return "xds"
    if crystfel_list.is_list(head):
        return "crystfel"
    if scalepack.HEAD.match(head):
        return "scalepack"
    return None


def looks_like(head: bytes) -> str | None:
    """Description of a file of another kind, for a message; None if it is unknown.

    Parameters
    ----------
    head : bytes
        First bytes of the file, a few kibibytes at least.
    """
    if _UNMERGED_SCALEPACK.match(head):
        return "an unmerged Scalepack file: merge it first"
    if head.startswith(b"!OUTPUT_FILE=INTEGRATE.HKL"):
        return "XDS' INTEGRATE.HKL, without scaling: give XDS_ASCII.HKL"
    if head.startswith(PACKED):
        return "a file compressed with gzip; through a pipe, only text is read"
    if head.startswith(PDB_RECORDS):
        return "a model (PDB): give it by -pdb"
    if _CNS.match(head):
        return "a list of CNS or X-PLOR; convert it to MTZ"
    line = next((line for line in head.splitlines() if line.strip()), b"")
    if _PHASES.match(line):
        return (
            "a list of h k l, F, figure of merit and phase (.phs), without cell and symmetry; "
            "convert it to MTZ"
        )
    if _SHELX.match(line):
        return (
            "a SHELX list of h k l, F^2 (HKLF 4) or F (HKLF 3), and sigma, without cell and "
            "symmetry: 'cupysim convert FILE P1.hkl --shelx 4 --cell A B C AL BE GA "
            "--group NAME' makes a list for -hkl"
        )
    return kind_of_other(head[:HEAD]) or None


def read(path: os.PathLike[str] | str, data: bytes) -> ReflectionTable:
    """Read a list of intensities.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    data : bytes
        Its content, unpacked; see `kind_of`.

    Returns
    -------
    ReflectionTable
        Reflections with the columns I and SIGI, or with those of Friedel mates.

    Raises
    ------
    FileFormatError
        If a line does not follow the format.
    """
    readers: dict[str | None, Callable[[object, list[str]], ReflectionTable]] = {
        "xds": xds_ascii.read,
        "crystfel": crystfel_list.read,
        "scalepack": scalepack.read,
    }
    return readers[kind_of(data[:4096])](path, lines_of(data))
