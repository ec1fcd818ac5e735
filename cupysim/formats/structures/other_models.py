"""Kinds of files with coordinates that are not read: a message names them."""

from __future__ import annotations

import re

from cupysim.formats.other_files import HEAD, kind_of_other

BEGINNINGS = {
    b"@<TRIPOS>": "a file of Tripos (.mol2)",
    b"<PDBx:": "PDBML (XML); give the mmCIF file",
}
"""First bytes of lines, and kinds of files."""

_NUMBER = rb"[ \t]+-?\d+\.?\d*"
_KINDS = {
    re.compile(rb"^CELL +\d+\.\d+( +\d+\.?\d*){6}[^\n]*\n(.*\n)*?(ZERR|LATT|SFAC) ", re.I | re.M):
        "instructions of SHELX (.res, .ins); give the CIF that SHELXL writes (ACTA)",
    re.compile(rb"\A[ \t]*\d+[ \t]*\n.*\n[ \t]*[A-Za-z]{1,3}(%b){3}" % _NUMBER):
        "atoms without a crystal (.xyz)",
    re.compile(rb"\A.*\n[ \t]*\d+[ \t]*\n *\d+[A-Za-z]\w* +\S+ *\d+( *-?\d+\.\d+){3}"):
        "a file of GROMACS (.gro)",
    re.compile(rb"\A.*\n[ \t]*-?\d+\.?\d*[ \t]*\n(([ \t]*-?\d+\.?\d*){3}[ \t]*\n){3}"):
        "a file of VASP (POSCAR)",
    re.compile(rb"\A.*\n.*\n.*\n.* V[23]000"): "a molecule of MDL (.mol, .sdf)",
}  # fmt: skip
"""Patterns of texts, and kinds of files."""


def kind_of(data: bytes) -> str:
    """Kind of a file without atoms that cupysim reads, with advice; empty if it is unknown.

    Parameters
    ----------
    data : bytes
        Content of the file, unpacked.
    """
    text = data[: 16 * HEAD].replace(b"\r\n", b"\n")
    if b"encoder" in text[:16] and b"dataBlocks" in text:
        return "BinaryCIF (.bcif); give the mmCIF file"
    for begin, kind in BEGINNINGS.items():
        if any(line.startswith(begin) for line in text.split(b"\n")):
            return _with_advice(kind)
    for pattern, kind in _KINDS.items():
        if pattern.search(text):
            return _with_advice(kind)
    return kind_of_other(data[:HEAD])


def _with_advice(kind: str) -> str:
    return kind if ";" in kind else f"{kind}; convert it to PDB or CIF"
