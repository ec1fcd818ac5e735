"""Compression of images in HDF5 files, in parallel.

HDF5 compresses a chunk in one thread. Both compressions that cupysim uses divide a chunk into parts
that do not depend on each other, so several threads can make the parts:

* Bitshuffle-LZ4 (Masui et al. (2015) Astron. Comput. 12, 181) compresses blocks of 8192 bytes
  separately. The result is that of one thread, byte for byte.
* The format of gzip (RFC 1950, RFC 1951) allows blocks that refer to nothing before them. The
  result is about as long as that of one thread, and readers unpack the same bytes.
"""

from __future__ import annotations

import ctypes
import importlib.util
import struct
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from typing import Any, TypeAlias

import numpy as np

BITSHUFFLE, SHUFFLE, DEFLATE = 32008, 2, 1
"""Numbers of filters that HDF5 has registered."""

LZ4 = 2
"""Number of LZ4 among the options of Bitshuffle."""

PART = 2**20
"""Bytes of an image that a thread compresses at a time."""

SAMPLE = 2**15
"""Bytes of a part that are compressed in several ways, to choose one."""

INCOMPRESSIBLE, WITHOUT_SEARCH = 0.99, 1.02
"""Limits for a sample. The first limit is for the compressed length divided by the length: above
it, bytes are stored as they are. The second limit is for the length after a compression without a
search for repetitions, divided by the length with a search: up to it, there is no search."""

CHECKSUM_BASE = 65521
"""Largest prime below 2^16, the modulus of Adler-32."""

Filters: TypeAlias = Sequence[tuple[int, Sequence[int]]]
"""Numbers of the filters of a data set, in their order, and the options of each."""

Packer: TypeAlias = Callable[[np.ndarray, int], Any]
"""Compresses a contiguous array with a number of threads; returns a buffer of bytes."""


def compression() -> dict[str, Any]:
    """Keywords of h5py for images: Bitshuffle-LZ4 if hdf5plugin works, otherwise gzip."""
    slow = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    if importlib.util.find_spec("hdf5plugin") is None:
        return slow
    import hdf5plugin

    fast = dict(hdf5plugin.Bitshuffle(cname="lz4"))
    return fast if _works(tuple(fast.items())) else slow


@cache
def _works(filters: tuple[tuple[str, Any], ...]) -> bool:
    """Whether HDF5 accepts these filters. HDF5_PLUGIN_PATH may lead it to other filters."""
    import h5py

    try:
        with h5py.File("trial", "w", driver="core", backing_store=False) as file:
            file.create_dataset(
                "data", data=np.zeros((1, 16, 16)), chunks=(1, 16, 16), **dict(filters)
            )
    except (ValueError, OSError):
        return False
    return True


def packer(filters: Filters) -> Packer | None:
    """The function that compresses a chunk as the filters of a data set do.

    Parameters
    ----------
    filters : sequence of tuple of int and sequence of int
        Filters of the data set.

    Returns
    -------
    callable or None
        The function; None if only HDF5 can apply these filters.
    """
    match [(number, tuple(options)) for number, options in filters]:
        case [(number, (_, _, _, 0, method))] if number == BITSHUFFLE and method == LZ4:
            return None if _bitshuffle() is None else bitshuffle_lz4
        case [(first, _), (second, (level,))] if (first, second) == (SHUFFLE, DEFLATE):
            return lambda pixels, threads: shuffle_deflate(pixels, threads, level)
    return None


@cache
def _bitshuffle() -> ctypes.CDLL | None:
    """The library of hdf5plugin's Bitshuffle filter; None if it lacks the functions used here."""
    if importlib.util.find_spec("hdf5plugin") is None:
        return None
    import hdf5plugin

    try:
        path = hdf5plugin.get_config().registered_filters["bshuf"]
        library = ctypes.CDLL(path)
        size, pointer = ctypes.c_size_t, ctypes.c_void_p
        library.bshuf_default_block_size.argtypes = [size]
        library.bshuf_default_block_size.restype = size
        library.bshuf_compress_lz4_bound.argtypes = [size] * 3
        library.bshuf_compress_lz4_bound.restype = size
        library.bshuf_compress_lz4.argtypes = [pointer, pointer, size, size, size]
        library.bshuf_compress_lz4.restype = ctypes.c_int64
    except (AttributeError, KeyError, OSError):
        return None
    return library


def bitshuffle_lz4(pixels: np.ndarray, threads: int) -> memoryview:
    """Compress an array as HDF5's filter Bitshuffle does with LZ4.

    Parameters
    ----------
    pixels : ndarray
        Contiguous array.
    threads : int
        Number of threads.

    Returns
    -------
    memoryview
        Number of bytes of the array (8 bytes) and of a block (4), both big-endian, then the
        compressed blocks.
    """
    library = _bitshuffle()
    assert library is not None
    size = pixels.itemsize
    block = library.bshuf_default_block_size(size)
    length = max(PART // (block * size), 1) * block
    room = library.bshuf_compress_lz4_bound(length, size, block)
    starts = range(0, pixels.size, length)
    header = struct.pack(">QI", pixels.nbytes, block * size)
    result = np.empty(len(header) + len(starts) * room, dtype=np.uint8)
    source, sink = pixels.ctypes.data, result.ctypes.data + len(header)

    def pack(start: int) -> int:
        return int(
            library.bshuf_compress_lz4(
                source + start * size, sink + start // length * room,
                min(length, pixels.size - start), size, block,
            )
        )  # fmt: skip

    end = 0
    for number, done in enumerate(_spread(pack, starts, threads)):
        if done < 0:
            raise MemoryError(f"Bitshuffle failed with the code {done}")
        ctypes.memmove(sink + end, sink + number * room, done)
        end += done
    result[: len(header)] = np.frombuffer(header, dtype=np.uint8)
    return result.data[: len(header) + end]


def shuffle_deflate(pixels: np.ndarray, threads: int, level: int) -> bytes:
    """Compress an array as HDF5's filters Shuffle and Deflate (gzip) do.

    Parameters
    ----------
    pixels : ndarray
        Contiguous array.
    threads : int
        Number of threads.
    level : int
        Level of the compression, from 0 to 9.

    Returns
    -------
    bytes
        The first bytes of all numbers, then their second bytes and so on, in the format of zlib.
    """
    numbers = pixels.reshape(-1).view(np.uint8).reshape(-1, pixels.itemsize)
    if numbers.size <= PART:
        return zlib.compress(np.ascontiguousarray(numbers.T).data, level)
    places = [
        (column, start)
        for column in range(pixels.itemsize)
        for start in range(0, len(numbers), PART)
    ]

    def pack(place: tuple[int, int]) -> tuple[bytes, int, int]:
        column, start = place
        part = np.ascontiguousarray(numbers[start : start + PART, column])
        is_last = place == places[-1]
        if not part.any():
            return _deflated_zeros(len(part), level, is_last)
        return _deflated(part, level, is_last)

    parts, checksum = [zlib.compress(b"", level)[:2]], 1
    for packed, of_part, length in _spread(pack, places, threads):
        parts.append(packed)
        checksum = _joined_checksum(checksum, of_part, length)
    return b"".join([*parts, checksum.to_bytes(4, "big")])


def _deflated(part: np.ndarray, level: int, is_last: bool) -> tuple[bytes, int, int]:
    """A part of a compressed stream, which ends at a whole byte; its checksum and length."""
    ending = zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH
    packed = _deflate(part, *_effort(part, level), ending)
    return packed, zlib.adler32(part.data), len(part)


def _effort(part: np.ndarray, level: int) -> tuple[int, int]:
    """Level and strategy for a part, from a sample: noise has no repetitions to search for."""
    middle = max(len(part) - SAMPLE, 0) // 2
    sample = part[middle : middle + SAMPLE]
    usual = len(_deflate(sample, level, zlib.Z_DEFAULT_STRATEGY, zlib.Z_FINISH))
    if usual > INCOMPRESSIBLE * len(sample):
        return 0, zlib.Z_DEFAULT_STRATEGY
    without_search = len(_deflate(sample, level, zlib.Z_HUFFMAN_ONLY, zlib.Z_FINISH))
    if without_search <= WITHOUT_SEARCH * usual:
        return level, zlib.Z_HUFFMAN_ONLY
    return level, zlib.Z_DEFAULT_STRATEGY


def _deflate(part: np.ndarray, level: int, strategy: int, ending: int) -> bytes:
    stream = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    return stream.compress(part.data) + stream.flush(ending)


@lru_cache(maxsize=16)
def _deflated_zeros(length: int, level: int, is_last: bool) -> tuple[bytes, int, int]:
    """A part of zeros, as most high bytes of counts are."""
    return _deflated(np.zeros(length, dtype=np.uint8), level, is_last)


def _joined_checksum(first: int, second: int, length: int) -> int:
    """Adler-32 of two texts from those of each, with the length of the second (RFC 1950)."""
    sums = (first & 0xFFFF) + (second & 0xFFFF) - 1
    weighted = (first >> 16) + (second >> 16) + length * ((first & 0xFFFF) - 1)
    return weighted % CHECKSUM_BASE << 16 | sums % CHECKSUM_BASE


def _spread(task: Callable[[Any], Any], items: Sequence[Any], threads: int) -> list[Any]:
    """Results of a task for all items, by several threads if that can be faster."""
    if min(threads, len(items)) <= 1:
        return [task(item) for item in items]
    with ThreadPoolExecutor(min(threads, len(items))) as pool:
        return list(pool.map(task, items))
