"""Kinds of files that are often given as images or geometry, but are none."""

from __future__ import annotations

HEAD = 512
"""Number of bytes that the kind of a file is recognised by."""

IMGCIF = "an imgCIF file without pixels; its pixels may be in other files"

BEGINNINGS = {
    b"II*\0": "a TIFF file",
    b"MM\0*": "a TIFF file",
    b"\x89PNG": "a picture (PNG)",
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"%PDF": "a PDF file",
    b"RAXIS": "an R-AXIS image",
    b"R-AXIS": "an R-AXIS image",
    b"FORMAT :": "a Bruker image (.sfrm)",
    b"mar": "a mar345 image",
    b"\xd2\x04\0\0": "a mar345 image",
    b"\0\0\x04\xd2": "a mar345 image",
    b"BZh": "a packed file (bzip2); unpack it first",
    b"\xfd7zXZ": "a packed file (xz); unpack it first",
    b"PK\x03\x04": "a packed file (zip); unpack it first",
    b"\x28\xb5\x2f\xfd": "a packed file (zstd); unpack it first",
    b"7z\xbc\xaf": "a packed file (7z); unpack it first",
    b"\x1f\x9d": "a packed file (compress, .Z); unpack it first",
    b"\x89HDF\r\n": "an HDF5 file; give its images by -img",
    b"{\nHeaderID": "an EDF image",
    b"{\r\nHeaderID": "an EDF image",
    b"{\nEDF_": "an EDF image",
    b"\x93NUMPY": "an array of NumPy (.npy)",
    b"OD SAPPHIRE": "an image of Rigaku (.img, .rodhypix of CrysAlisPro)",
    b"<?xml": "an XML file",
    b"version https://git-lfs": "a pointer of git-lfs in place of the file (git lfs pull)",
    b"CrystFEL stream": "a stream of CrystFEL",
    b"CrystFEL unit cell": "a unit cell of CrystFEL (.cell); give its numbers by -cell",
    b"ESPERANTO FORMAT": "an Esperanto image",
    b"FILEID Bruker": "an orientation of Bruker (.p4p)",
    b"!FORMAT=XDS_ASCII": "reflections of XDS; give them by -hkl",
}
"""First bytes of files, and their kinds."""

LATER = {
    2: (b"dials::af::reflection_table", "a reflection table of DIALS (.refl)"),
    208: (b"MAP ", "a map (CCP4, MRC)"),
    257: (b"ustar", "an archive (tar); unpack it first"),
}
"""Bytes at other places, and their kinds."""

PICKLES = {2: b"", 3: b"", 4: b"\x95", 5: b"\x95"}
"""Versions of Python's pickles, and the byte that follows the version."""

PICKLED = (b"dxtbx", b"scitbx", b"cctbx", b"dials", b"numpy")
"""Modules in pickles without a frame."""

WORDS = {
    b"<!doctype html": "a web page in place of the file",
    b"<html": "a web page in place of the file",
    b"xparm.xds": "geometry of XDS (XPARM.XDS); dials.import_xds makes an experiment list of it",
    b"gxparm": "geometry of XDS (GXPARM.XDS); dials.import_xds makes an experiment list of it",
    b"integrate.lp": "output of XDS (INTEGRATE.LP)",
    b"poni_version": "geometry of pyFAI (.poni); give it by -geom",
    b"poni1:": "geometry of pyFAI (.poni); give it by -geom",
    b"/min_fs": "geometry of CrystFEL (.geom); give it by -geom",
    b"dim_1": "an EDF image",
    b"detector_distance=": "input of XDS (XDS.INP)",
    b"x-ray_wavelength=": "input of XDS (XDS.INP)",
    b"_array_data.external": IMGCIF,
    b"_array_structure": IMGCIF,
    b"_diffrn_detector.diffrn_id": IMGCIF,
    b"_diffrn_radiation.diffrn_id": IMGCIF,
    b"_diffrn_source.diffrn_id": IMGCIF,
}
"""Words in lower case in the first lines of text files, and their kinds."""

CIF = (b"data_", rb"#\#CIF")
"""First bytes of CIF files."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

OURS = {b"###CBF": "a CBF file", b"{\nHEADER_BYTES": "an SMV image", b"\x89HDF": "an HDF5 file"}
"""First bytes of files that are read, unless something stands before them."""


def kind_of_other(head: bytes) -> str:
    """Kind of a file that is not read, from its first bytes.

    Parameters
    ----------
    head : bytes
        The first `HEAD` bytes; fewer if the file is shorter.

    Returns
    -------
    str
        Kind, as words; empty if it is unknown.
    """
    if not head:
        return "an empty file"
    if len(head) == HEAD and not any(head):
        return "a file that begins with zeros, as if it had not been written completely"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") and head.count(0) >= len(head) // 3:
        return "text in UTF-16; save it as UTF-8"
    for begin, kind in BEGINNINGS.items():
        if head.startswith(begin):
            return kind
    for place, (magic, kind) in LATER.items():
        if head.startswith(magic, place):
            return kind
    if _is_pickle(head):
        return "a pickle of Python, such as a mask of DIALS"
    rest = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    for begin, kind in OURS.items():
        if rest.startswith(begin) and rest != head:
            return f"{kind} with a byte order mark or blanks before it; remove them"
    if head.startswith(BYTE_ORDER_MARK):
        return "a file that begins with a byte order mark; remove it"
    if b"\0" in head.rstrip(b"\0"):
        return ""
    text = head.lower()
    kind = "a CIF file without pixels" if rest.startswith(CIF) else ""
    return next((kind for word, kind in WORDS.items() if word in text), kind)


def refusal(kind: str) -> str:
    """Message about a file of a kind that is not read; the kind may say what to do.

    Parameters
    ----------
    kind : str
        Kind from `kind_of_other`.

    Returns
    -------
    str
        End of the message.
    """
    return kind if ";" in kind else f"{kind}; it is not read"


def _is_pickle(head: bytes) -> bool:
    """Whether a file is a pickle; numbers of an image may begin with the same two bytes."""
    if head[:1] != b"\x80" or len(head) < 3 or head[1] not in PICKLES:
        return False
    frame = PICKLES[head[1]]
    if frame:
        # the length of the frame has eight bytes
        return head.startswith(frame, 2) and not any(head[7:11])
    return any(name in head for name in PICKLED)
