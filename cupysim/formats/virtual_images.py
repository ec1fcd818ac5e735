"""Images of virtual data sets in HDF5 files: which source holds which pixel.

HDF5 fills pixels whose source is missing with a number, without an error. `find_sources` therefore
copies the layout of a virtual data set into a file in memory. In place of each source, the copy has
a data set of marks. HDF5 itself reads the marks of an image, so that all selections, and virtual
data sets of virtual data sets, mean the same as in the file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError

PREFIX = "HDF5_VDS_PREFIX"
"""Environment variable with folders in which HDF5 looks for sources."""

ORIGIN = "${ORIGIN}"
"""Beginning of a folder in `PREFIX`: the folder of the file with the virtual data set."""

SAME_FILE = "."
"""Name of a source file that means the file of the virtual data set itself."""

NO_SOURCE, HELD = 0, 2**32 - 1
"""Marks of pixels without a source, and of pixels that a source holds. Other marks are the numbers
of sources that lack the pixel."""

MARK = np.dtype(np.uint32)


@dataclass(frozen=True)
class Mapping:
    """A part of a virtual data set, and its source.

    Parameters
    ----------
    target : h5py.h5s.SpaceID
        Pixels of the virtual data set.
    selection : h5py.h5s.SpaceID or None
        Pixels of the source; None for all of them. Neither selection is unlimited.
    file_name, name : str
        Names of the source's file and data set.
    """

    target: Any
    selection: Any
    file_name: str
    name: str

    def chosen(self, held: Any) -> tuple[Any, tuple[int, ...]]:
        """Pixels of the source, and the shape that it must have at least.

        Parameters
        ----------
        held : h5py.Dataset or None
            The source, if there is one.
        """
        if self.selection is not None:
            last = self.selection.get_select_bounds()[1]
            ends = (int(each) + 1 for each in last)
            return self.selection, tuple(map(max, map(int, self.selection.shape), ends))
        # if all of a source is used, the file does not give its size
        total = int(self.target.get_select_npoints())
        plane = () if held is None or held.ndim == 0 else held.shape[1:]
        size = int(np.prod(plane))
        extent = (total // size, *plane) if size and total % size == 0 else (total,)
        return _box(extent, extent), extent


def is_virtual(stack: Any) -> bool:
    """Whether a data set of h5py is virtual."""
    return bool(getattr(stack, "is_virtual", False))


def missing_files(stack: Any) -> list[str]:
    """Names of the missing source files of a data set.

    Parameters
    ----------
    stack : h5py.Dataset
        Data set, virtual or not.
    """
    if not is_virtual(stack):
        return []
    sources = (each.file_name for each in stack.virtual_sources())
    names = dict.fromkeys(name for name in sources if name != SAME_FILE and "%" not in name)
    return [name for name in names if source_path(stack, name) is None]


def source_path(stack: Any, file_name: str) -> str | None:
    """File that HDF5 opens as the source of a virtual data set; None if there is none.

    Parameters
    ----------
    stack : h5py.Dataset
        Virtual data set.
    file_name : str
        Name of the source file, as the data set gives it.

    Notes
    -----
    The order is that of ``H5Pset_virtual_prefix``. An absolute name is tried as it is; then only
    its last part is used. HDF5 looks for this part, or for a relative name, in the folders of
    HDF5_VDS_PREFIX, in the folder of the file, in the current folder, and in the folder of the file
    to which a symbolic link points.
    """
    opened = stack.file.filename
    folder = os.path.dirname(os.path.abspath(opened))
    candidates, name = [], file_name
    if os.path.isabs(file_name):
        candidates, name = [file_name], os.path.basename(file_name)
    told = os.environ.get(PREFIX, "")
    prefixes = [each for each in told.split(":") if each]
    if told.startswith(ORIGIN):
        prefixes.append(folder + told.removeprefix(ORIGIN))
    for each in (*prefixes, folder, "", os.path.dirname(os.path.realpath(opened))):
        candidates.append(os.path.join(each, name))
    return next((each for each in candidates if os.path.isfile(each)), None)


def find_sources(path: object, stack: Any, place: int) -> tuple[np.ndarray, str]:
    """Find the pixels of an image that have a source.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    stack : h5py.Dataset
        Data set of images, virtual or not.
    place : int
        Number of the image in the data set, counted from 0.

    Returns
    -------
    has_source : ndarray of bool, shape of the image
        Pixels that a source holds.
    lacking : str
        Place where missing pixels should be, as the end of a sentence that begins "the image is";
        empty if all sources hold their pixels.

    Raises
    ------
    FileFormatError
        If virtual data sets refer to each other in a circle, or if a source is no HDF5 file.
    """
    import h5py

    if not is_virtual(stack):
        return np.ones(stack.shape[1:] if stack.ndim == 3 else stack.shape, dtype=bool), ""
    with h5py.File(f"{id(stack)}.marks", "w", driver="core", backing_store=False) as memory:
        copy = _Copy(path, memory)
        top = memory[copy.virtual(stack, place if stack.ndim == 3 else None)]
        marks = np.asarray(top[place] if stack.ndim == 3 else top[()])
    lacking = np.unique(marks[(marks != NO_SOURCE) & (marks != HELD)])
    has_source = marks == HELD
    if len(lacking):
        return has_source, copy.reasons[int(lacking[0])]
    return has_source, "" if has_source.any() else "not in any source of its virtual data set"


def numbers_told(path: object, group: Any) -> tuple[str, ...]:
    """Warnings about virtual lists of numbers, such as angles, whose sources lack some.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    group : h5py.Group
        Group with the data sets, in any depth.
    """
    told = []

    def look(_: str, item: Any) -> None:
        if is_virtual(item) and item.ndim == 1 and item.dtype.kind in "iuf":
            lacking = find_sources(path, item, 0)[1]
            if lacking:
                told.append(f"its {item.name} is {lacking}; {item.fillvalue:g} is read there")

    group.visititems(look)
    return tuple(told)


@dataclass
class _Copy:
    """A copy of virtual data sets in memory, with marks in place of pixels."""

    path: object
    memory: Any
    reasons: dict[int, str] = field(default_factory=dict)
    sources: dict[object, str] = field(default_factory=dict)
    under_way: list[tuple[str, str]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def virtual(self, stack: Any, place: int | None) -> str:
        """Copy a virtual data set, or only what an image needs; returns the copy's name."""
        here = (os.path.realpath(stack.file.filename), stack.name)
        if here in self.under_way:
            raise FileFormatError(self.path, f"the virtual data set {stack.name} is its own source")
        self.under_way.append(here)
        parts = [
            (each.target, *self._source(stack, each))
            for each in _mappings(stack)
            if place is None or _meets(each.target, place)
        ]
        self.under_way.pop()
        return self._made(stack.shape, NO_SOURCE, parts)

    def _source(self, stack: Any, mapping: Mapping) -> tuple[str, Any]:
        """Marks in place of a source, and the selection of marks that is used."""
        with ExitStack() as files:
            held, lacking = self._opened(stack, mapping, files)
            selection, extent = mapping.chosen(held)
            key = (stack.file.filename, mapping.file_name, mapping.name, extent)
            if key not in self.sources:
                number = next(self.numbers)
                self.sources[key] = self._marks(held, extent, number)
                self.reasons[number] = lacking or _too_small(held, extent, mapping)
            return self.sources[key], selection

    def _marks(self, held: Any, extent: tuple[int, ...], number: int) -> str:
        """A data set with `HELD` where a source has pixels, and the source's number elsewhere."""
        if held is None or held.ndim != len(extent):
            return self._made(extent, number)
        shared = tuple(map(min, held.shape, extent))
        inner = self.virtual(held, None) if is_virtual(held) else self._made(held.shape, HELD)
        return self._made(extent, number, [(_box(extent, shared), inner, _box(held.shape, shared))])

    def _opened(self, stack: Any, mapping: Mapping, files: ExitStack) -> tuple[Any, str]:
        """The data set of a source; None and words for its images if there is none."""
        import h5py

        file, name = stack.file, mapping.file_name
        if name != SAME_FILE:
            place = source_path(stack, name)
            if place is None:
                return None, f"in a file that is missing: {name}"
            if not h5py.is_hdf5(place):
                raise FileFormatError(self.path, f"its source {place} is no HDF5 file")
            file = files.enter_context(h5py.File(place, "r"))
        else:
            name = os.path.basename(file.filename)
        held = file.get(mapping.name)
        if getattr(held, "shape", None) is None:
            return None, f"in a data set that {name} does not have: {mapping.name}"
        return held, ""

    def _made(
        self, shape: tuple[int, ...], fill: int, parts: list[tuple[Any, str, Any]] | None = None
    ) -> str:
        """Make a data set of marks from parts of other data sets of marks; returns its name."""
        import h5py

        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_fill_value(np.array(fill, dtype=MARK))
        for target, source, selection in parts or ():
            layout.set_virtual(target, SAME_FILE.encode(), source.encode(), selection)
        name = f"/{len(self.memory)}"
        h5py.h5d.create(
            self.memory.id, name.encode(), h5py.h5t.py_create(MARK), _box(shape, shape), layout
        )
        return name


def _too_small(held: Any, extent: tuple[int, ...], mapping: Mapping) -> str:
    """Words for an image that is not in its source."""
    name = mapping.file_name
    name = os.path.basename(held.file.filename) if name == SAME_FILE else name
    if held.ndim == len(extent) and np.all(np.greater_equal(held.shape[1:], extent[1:])):
        return f"not in {name}, which has {held.shape[0]} images"
    return f"not in {name}, whose {mapping.name} has the unexpected shape {held.shape}"


def _mappings(stack: Any) -> Iterator[Mapping]:
    """Parts of a virtual data set with finite selections."""
    import h5py

    for each in stack.virtual_sources():
        target, names = each.vspace, (each.file_name, each.dset_name)
        is_whole = each.src_space.get_select_type() == h5py.h5s.SEL_ALL
        selection = None if is_whole else each.src_space
        axis = _unlimited_axis(target)
        if axis is None:
            yield Mapping(target, selection, *map(_plain, names))
        elif selection is not None and _unlimited_axis(selection) is not None:
            target = _limited(target, stack.shape, axis)
            if target.get_select_npoints():
                yield Mapping(target, _like(selection, target), *map(_plain, names))
        else:
            # each block has a source of its own, whose name has the number of the block
            start, stride, _, _ = target.get_regular_hyperslab()
            for number in range(-((start[axis] - stack.shape[axis]) // stride[axis])):
                part = _limited(target, stack.shape, axis, number)
                yield Mapping(part, selection, *(_plain(name, number) for name in names))


def _plain(name: str, number: int | None = None) -> str:
    """A name of HDF5, in which ``%b`` stands for the number of the block, and ``%%`` for ``%``."""
    parts = name.split("%%")
    return "%".join(each if number is None else each.replace("%b", str(number)) for each in parts)


def _unlimited_axis(space: Any) -> int | None:
    """Axis in which a selection has no end; None if it has one."""
    import h5py

    if space.get_select_type() != h5py.h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        return None
    _, _, counts, blocks = space.get_regular_hyperslab()
    return next((axis for axis, sizes in enumerate(zip(counts, blocks, strict=True))
                 if h5py.h5s.UNLIMITED in sizes), None)  # fmt: skip


def _limited(space: Any, shape: tuple[int, ...], axis: int, number: int | None = None) -> Any:
    """The part of an unlimited selection that is within a shape, or one block of it."""
    import h5py

    start, stride, counts, blocks = (list(map(int, each)) for each in space.get_regular_hyperslab())
    if number is not None:
        start[axis] += number * stride[axis]
        counts[axis], blocks[axis] = 1, min(blocks[axis], shape[axis] - start[axis])
    elif blocks[axis] == h5py.h5s.UNLIMITED:
        blocks[axis] = max(shape[axis] - start[axis], 0)
    else:
        within = (shape[axis] - start[axis] - blocks[axis]) // stride[axis] + 1
        counts[axis] = max(within, 0)
    limited = h5py.h5s.create_simple(shape)
    limited.select_hyperslab(tuple(start), tuple(counts), tuple(stride), tuple(blocks))
    return limited


def _like(space: Any, target: Any) -> Any:
    """The part of an unlimited selection that has as many pixels as another selection."""
    import h5py

    axis = _unlimited_axis(space)
    assert axis is not None
    start, stride, counts, blocks = (list(map(int, each)) for each in space.get_regular_hyperslab())
    sizes = [n * block for n, block in zip(counts, blocks, strict=True)]
    across = math.prod(sizes[:axis] + sizes[axis + 1 :])
    along = int(target.get_select_npoints()) // across
    if blocks[axis] == h5py.h5s.UNLIMITED:
        blocks[axis] = along
    else:
        counts[axis] = along // blocks[axis]
    shape = list(map(int, space.shape))
    shape[axis] = start[axis] + (counts[axis] - 1) * stride[axis] + blocks[axis]
    limited = h5py.h5s.create_simple(tuple(shape))
    limited.select_hyperslab(tuple(start), tuple(counts), tuple(stride), tuple(blocks))
    return limited


def _meets(space: Any, place: int) -> bool:
    """Whether a selection may have pixels of an image."""
    import h5py

    if space.get_select_type() == h5py.h5s.SEL_ALL:
        return True
    if not space.get_select_npoints():
        return False
    first, last = space.get_select_bounds()
    return bool(first[0] <= place <= last[0])


def _box(shape: tuple[int, ...], size: tuple[int, ...]) -> Any:
    """A space of a shape, of which a box at the first corner is selected."""
    import h5py

    space = h5py.h5s.create_simple(tuple(map(int, shape)))
    if all(size):
        space.select_hyperslab((0,) * len(shape), tuple(map(int, size)))
    else:
        space.select_none()
    return space
