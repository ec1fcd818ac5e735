"""Parts of a CBF file: its text, and the sections with packed pixels."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import warnings
from dataclasses import dataclass

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.optional_libraries import require
from cupysim.storage.reading import opened

MARKER = b"\x0c\x1a\x04\xd5"
"""Bytes before the packed pixels."""

BEGIN = b"--CIF-BINARY-FORMAT-SECTION--"
END = b"--CIF-BINARY-FORMAT-SECTION----"

TYPES = {
    f"{sign} {bits}-bit {kind}": np.dtype(f"<{letter}{bits // 8}")
    for sign, kind, letter, sizes in (
        ("signed", "integer", "i", (8, 16, 32, 64)),
        ("unsigned", "integer", "u", (8, 16, 32, 64)),
        ("signed", "real ieee", "f", (32, 64)),
    )
    for bits in sizes
}
"""Element types of CBF, in lower case, and the types of numpy."""

USUAL_TYPE = "signed 32-bit integer"
"""Element type if the section does not name one."""

BYTE_OFFSET, NONE = "x-CBF_BYTE_OFFSET", "x-CBF_NONE"

BY_CBFLIB = ("x-CBF_PACKED", "x-CBF_PACKED_V2")
"""Packings that CBFlib unpacks. CBFlib can also unpack x-CBF_CANONICAL. But damaged pixels make it
overwrite memory, and it loses the signs of short integers."""

FLAT = "flat"
"""Flag of these packings."""

TIGHTEST = 200
"""Largest number of pixels in a byte: x-CBF_PACKED needs six bits for 128 equal pixels."""

PADDING = 16
"""Number of zeros after packed pixels. A reader may read as many bytes beyond the last number."""


@dataclass(frozen=True)
class BinarySection:
    """Packed pixels of a CBF file, and their description.

    Parameters
    ----------
    n_fast, n_slow : int
        Number of pixels along the fast and slow axis.
    type_name : str
        Element type, a key of `TYPES`.
    packing : str
        Name of the packing: ``x-CBF_...``.
    flags : tuple of str
        Flags of the packing.
    big_endian : bool
        Whether pixels that are not packed have big-endian byte order.
    digest : str
        Checksum; empty if there is none.
    packed : bytes
        Packed pixels.
    identifier : str
        Number of the section in the file (X-Binary-ID); empty if there is none.
    """

    n_fast: int
    n_slow: int
    type_name: str
    packing: str
    flags: tuple[str, ...]
    big_endian: bool
    digest: str
    packed: bytes
    identifier: str = ""


TRANSFER_ENCODING = re.compile(rb"Content-Transfer-Encoding:\s*\"?([\w-]+)", re.IGNORECASE)

BY_EDITORS = (MARKER[:3] + b"\xc3\x95", MARKER[:3] + b"\xef\xbf\xbd", MARKER[:3] + b"?")
"""What editors make of the marker when they save a file as text."""

NUL_TAIL = 64
"""Number of bytes at the end of a file that are zero if it was not written completely."""


def split(path: os.PathLike[str] | str) -> tuple[str, list[BinarySection]]:
    """Split a CBF file into text and binary sections.

    Parameters
    ----------
    path : path_like
        File to read.

    Returns
    -------
    text : str
        Text of the file without the binary sections.
    sections : list of BinarySection
        Binary sections. Their sizes agree with each other and with the number of bytes.

    Raises
    ------
    FileFormatError
        If the file cannot be read, holds no image, or a section is damaged.
    """
    with opened(path) as stream:
        data = stream.read()
    pieces, sections, place = [], [], 0
    while (begin := data.find(BEGIN, place)) >= 0:
        start = data.find(MARKER, begin)
        if start < 0:
            break
        section = _section(path, data[begin:start], data, start + len(MARKER))
        sections.append(section)
        pieces.append(data[place:begin])
        place = start + len(MARKER) + len(section.packed)
        end = data.find(END, place)
        if end < 0:
            # close the text field of the section at the end of the file
            pieces.append(b"\n;\n")
            place = len(data)
        else:
            place = end + len(END)
    if not sections:
        raise FileFormatError(path, f"the CBF holds no image{_why_no_image(data)}")
    return _decoded(b"".join([*pieces, data[place:]])), sections


def _why_no_image(data: bytes) -> str:
    """Words about a section whose marker is missing; empty if there is no section."""
    begin = data.find(BEGIN)
    if begin < 0:
        return ""
    if any(each in data[begin:] for each in BY_EDITORS):
        return ": an editor or a transfer changed its bytes as if they were text; copy it again"
    encoding = TRANSFER_ENCODING.search(data, begin)
    if encoding is not None and encoding[1].upper() != b"BINARY":
        name = encoding[1].decode("ascii", "replace")
        return f": its pixels are encoded as {name}; BINARY can be read"
    if not any(data[-NUL_TAIL:]):
        return ": it ends with zeros, as if it had not been written completely"
    return ": its binary section has no marker of the beginning of pixels"


def unpack(
    path: os.PathLike[str] | str, section: BinarySection
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Unpack the pixels of a section.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    section : BinarySection
        Binary section.

    Returns
    -------
    pixels : ndarray, shape (n_slow, n_fast)
        Pixels of the type that the file declares.
    remarks : tuple of str
        Warnings that the file may be damaged.

    Raises
    ------
    FileFormatError
        If the file has too few pixels, or CBFlib cannot unpack them.
    CupysimError
        If a library is missing.
    """
    remarks = []
    if section.digest:
        found = base64.b64encode(hashlib.md5(section.packed).digest()).decode()
        if found != section.digest:
            remarks.append("its checksum is not that of its pixels: the file may be damaged")
    dtype = TYPES[section.type_name]
    count = section.n_fast * section.n_slow
    if section.packing == NONE:
        order = dtype.newbyteorder(">") if section.big_endian else dtype
        if len(section.packed) < count * dtype.itemsize:
            raise FileFormatError(path, "the CBF is cut off: it has fewer pixels than it says")
        values = np.frombuffer(section.packed, order, count).astype(dtype)
    elif section.packing == BYTE_OFFSET:
        values, surplus = _byte_offset(path, section, dtype)
        if surplus:
            remarks.append(
                f"it has {surplus} more packed pixels than its size says: it may be damaged"
            )
    else:
        values = _by_cbflib(path, section, dtype)
    return values.reshape(section.n_slow, section.n_fast), tuple(remarks)


def pack(pixels: np.ndarray) -> list[bytes]:
    """Pack pixels into the lines of a binary section.

    Parameters
    ----------
    pixels : ndarray of int32, shape (n_slow, n_fast)
        Counts. Neighbours must differ by less than 2**31, because readers use 32 bits.

    Returns
    -------
    list of bytes
        Lines without line ends.

    Raises
    ------
    CupysimError
        If fabio is not installed.
    """
    compression = require("fabio.compression", "writing CBF images")
    n_slow, n_fast = pixels.shape
    # with 32 bits, differences of neighbours would overflow
    packed = compression.compByteOffset(pixels.astype(np.int64).ravel())
    digest = base64.b64encode(hashlib.md5(packed).digest())
    return [
        BEGIN,
        b"Content-Type: application/octet-stream;",
        b'     conversions="%s"' % BYTE_OFFSET.encode(),
        b"Content-Transfer-Encoding: BINARY",
        b"X-Binary-Size: %d" % len(packed),
        b"X-Binary-ID: 1",
        b'X-Binary-Element-Type: "signed 32-bit integer"',
        b"X-Binary-Element-Byte-Order: LITTLE_ENDIAN",
        b"Content-MD5: %s" % digest,
        b"X-Binary-Number-of-Elements: %d" % pixels.size,
        b"X-Binary-Size-Fastest-Dimension: %d" % n_fast,
        b"X-Binary-Size-Second-Dimension: %d" % n_slow,
        b"X-Binary-Size-Padding: %d" % PADDING,
        b"",
        MARKER + packed + bytes(PADDING),
        END,
    ]


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _section(path: object, head: bytes, data: bytes, start: int) -> BinarySection:
    """Make a section from its MIME header and the position of its pixels."""
    text = _decoded(head)

    def field(name: str) -> str:
        match = re.search(
            rf"^\s*{name}\s*:[ \t\"]*([^\r\n\"]*)", text, re.MULTILINE | re.IGNORECASE
        )
        return "" if match is None else match[1].strip()

    def whole(name: str, default: int | None = None) -> int:
        value = field(name)
        if value == "" and default is not None:
            return default
        if not re.fullmatch(r"\d{1,15}", value, re.ASCII):
            raise FileFormatError(
                path, f"its binary section has no {name}, or its value is no number"
            )
        return int(value)

    size = whole("X-Binary-Size")
    if len(data) < start + size:
        raise FileFormatError(path, "the CBF is cut off")
    n_fast = whole("X-Binary-Size-Fastest-Dimension")
    n_slow = whole("X-Binary-Size-Second-Dimension")
    depth = whole("X-Binary-Size-Third-Dimension", 1)
    count = whole("X-Binary-Number-of-Elements", n_fast * n_slow * depth)
    if depth > 1:
        raise FileFormatError(path, f"a stack of {depth} images; one is expected")
    if count != n_fast * n_slow or count == 0 or count > TIGHTEST * (size + 1):
        raise FileFormatError(
            path, f"its binary section is damaged: {count} pixels, {n_fast} x {n_slow}, in {size} "
            "bytes"
        )  # fmt: skip
    encoding = field("Content-Transfer-Encoding") or "BINARY"
    if encoding.upper() != "BINARY":
        raise FileFormatError(path, f"pixels encoded as {encoding[:40]}; BINARY can be read")
    type_name = " ".join((field("X-Binary-Element-Type") or USUAL_TYPE).lower().split())
    if type_name not in TYPES:
        raise FileFormatError(path, f"pixels of the type {type_name[:40]!a} cannot be read")
    content = re.search(r"conversions\s*=\s*\"?([\w-]+)\"?((?:\s*;\s*\"[\w-]+\")*)", text, re.I)
    packing, flags = (NONE, "") if content is None else (content[1], content[2])
    known = {name.lower(): name for name in (BYTE_OFFSET, NONE, *BY_CBFLIB)}
    if packing.lower() not in known:
        raise FileFormatError(
            path, f"pixels packed as {packing[:40]}; {', '.join(known.values())} can be read"
        )
    return BinarySection(
        n_fast=n_fast,
        n_slow=n_slow,
        type_name=type_name,
        packing=known[packing.lower()],
        flags=tuple(re.findall(r"\"([\w-]+)\"", flags)),
        big_endian=field("X-Binary-Element-Byte-Order").upper() == "BIG_ENDIAN",
        digest=field("Content-MD5"),
        packed=data[start : start + size],
        identifier=field("X-Binary-ID"),
    )


def _byte_offset(path: object, section: BinarySection, dtype: np.dtype) -> tuple[np.ndarray, int]:
    """Unpacked pixels, and the number of surplus pixels."""
    compression = require("fabio.compression", "reading CBF images")
    if dtype.kind == "f":
        raise FileFormatError(
            path, f"pixels of the type {section.type_name} cannot be packed as integers"
        )
    # the padding shows how many pixels there really are
    values = np.asarray(
        compression.decByteOffset(section.packed + bytes(PADDING), size=None, dtype="int64")
    )
    count = section.n_fast * section.n_slow
    surplus = len(values) - PADDING - count
    if surplus < 0:
        raise FileFormatError(path, "the CBF is cut off: it has fewer pixels than it says")
    # differences of unsigned numbers may have overflowed in the writer
    return values[:count].astype(dtype), surplus


def _by_cbflib(path: object, section: BinarySection, dtype: np.dtype) -> np.ndarray:
    """Pixels unpacked by CBFlib, from a file with only this section. Its sizes are checked."""
    with warnings.catch_warnings():
        # importing SWIG's types warns that they have no module
        warnings.simplefilter("ignore", DeprecationWarning)
        pycbf = require("pycbf", f"reading CBF images packed as {section.packing}")
    if dtype.itemsize == 8 and (dtype.kind != "f" or FLAT in section.flags):
        # CBFlib 0.9.6 does not read back what it wrote
        raise FileFormatError(
            path, f"pixels of the type {section.type_name}: CBFlib unpacks them wrongly"
        )
    content = "; ".join(
        [f'conversions="{section.packing}"', *(f'"{flag}"' for flag in section.flags)]
    )
    head = [
        "###CBF: VERSION 1.5", "data_image", "_array_data.data", ";", BEGIN.decode(),
        "Content-Type: application/octet-stream;", f"     {content}",
        "Content-Transfer-Encoding: BINARY", f"X-Binary-Size: {len(section.packed)}",
        "X-Binary-ID: 1", f'X-Binary-Element-Type: "{section.type_name.replace("ieee", "IEEE")}"',
        "X-Binary-Element-Byte-Order: LITTLE_ENDIAN",
        f"X-Binary-Number-of-Elements: {section.n_fast * section.n_slow}",
        f"X-Binary-Size-Fastest-Dimension: {section.n_fast}",
        f"X-Binary-Size-Second-Dimension: {section.n_slow}", "", "",
    ]  # fmt: skip
    tail = f"\r\n{END.decode()}\r\n;\r\n"
    file = "\r\n".join(head).encode() + MARKER + section.packed + tail.encode()
    try:
        handle = pycbf.cbf_handle_struct()
        handle.read_buffer(file, pycbf.MSG_NODIGEST)
        handle.rewind_datablock()
        handle.find_category(b"array_data")
        handle.find_column(b"data")
        handle.rewind_row()
        real = dtype.kind == "f"
        data = handle.get_realarray_as_string() if real else handle.get_integerarray_as_string()
    except Exception as error:
        # the wrapper raises plain exceptions with CBFlib's names of errors
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileFormatError(path, f"its pixels cannot be unpacked: {reason}") from error
    if len(data) != section.n_fast * section.n_slow * dtype.itemsize:
        raise FileFormatError(path, "the CBF is cut off: it has fewer pixels than it says")
    return np.frombuffer(data, dtype).copy()
