"""Groups of NXmx files: their classes, as writers leave them, and links that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cupysim.errors import FileFormatError
from cupysim.formats.nxmx_units import attribute, text_of

USUAL = {
    "NXinstrument": ("instrument",),
    "NXsample": ("sample",),
    "NXdetector": ("detector",),
    "NXdetector_module": ("module",),
    "NXbeam": ("beam",),
    "NXdata": ("data",),
}
"""Usual beginnings of the names of groups, in lower case, by class."""

DEEPEST = 6
"""Number of levels below an entry in which links are checked."""

IMAGES = "data/data"
"""Data set of the images in an entry."""

NOT_GEOMETRY = ("data", "flatfield", "pixel_mask", "countrate", "efficiency")
"""Beginnings of the names of links that place nothing. Images and masks are checked apart."""


def is_group(item: Any) -> bool:
    """Whether an item of a file is a group."""
    return hasattr(item, "keys")


def member(group: Any, name: str) -> Any:
    """An item of a group; None if it is missing, or a link that leads nowhere."""
    try:
        return group.get(name)
    except OSError:
        # a link to a file that is damaged
        return None


def members(group: Any) -> Iterator[tuple[str, Any]]:
    """Names and items of a group, without links that lead nowhere."""
    for name in group:
        item = member(group, name)
        if item is not None:
            yield name, item


def class_of(group: Any) -> str:
    """NeXus class of a group. Without one, its usual name gives it; empty if that is unknown."""
    told = attribute(group, "NX_class")
    if told:
        known = {name.lower(): name for name in USUAL}
        return known.get(told.lower(), told)
    name = str(group.name).rsplit("/", 1)[-1].lower()
    return next((kind for kind, begins in USUAL.items() if name.startswith(begins)), "")


class Present:
    """A group in which null data sets count as missing.

    Parameters
    ----------
    group : h5py.Group
        Group of the file.
    """

    def __init__(self, group: Any) -> None:
        self.group = group

    def __getattr__(self, name: str) -> Any:
        return getattr(self.group, name)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.group if name in self)

    def __contains__(self, name: str) -> bool:
        return name in self.group and not is_null(self.group[name])

    def __getitem__(self, name: str) -> Any:
        return self.group[name]

    def get(self, name: str, default: Any = None) -> Any:
        """An item, or the default if it is missing."""
        return self.group[name] if name in self else default


def is_null(item: Any) -> bool:
    """Whether an item is a data set without a shape, which holds nothing."""
    return not is_group(item) and getattr(item, "shape", None) is None


def groups_of(group: Any, kind: str) -> list[Any]:
    """Groups of a class in a group. A group with several names counts once."""
    return distinct(item for _, item in members(group) if is_group(item) and class_of(item) == kind)


def distinct(items: Iterable[Any]) -> list[Any]:
    """Different items of a file: a link to another item of the sequence is left out."""
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


@dataclass(frozen=True, eq=False)
class Component:
    """A group of an NXmx file that the geometry is read from.

    Parameters
    ----------
    handle : h5py.Group
        The group.
    """

    handle: Any

    @property
    def path(self) -> str:
        """Path of the group in the file."""
        return str(self.handle.name)

    def parts(self, kind: str) -> list[Component]:
        """Groups of a class in this one."""
        return [Component(each) for each in groups_of(self.handle, kind)]

    @cached_property
    def samples(self) -> list[Component]:
        """Samples of an entry."""
        return self.parts("NXsample")

    @cached_property
    def instruments(self) -> list[Component]:
        """Instruments of an entry."""
        return self.parts("NXinstrument")

    @cached_property
    def detectors(self) -> list[Component]:
        """Detectors of an instrument."""
        return self.parts("NXdetector")

    @cached_property
    def modules(self) -> list[Component]:
        """Modules of a detector."""
        return self.parts("NXdetector_module")


def entry_of(path: object, file: Any, wanted: str | None) -> tuple[Component, tuple[str, ...]]:
    """Find the entry that has the images.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    file : h5py.File
        Open file.
    wanted : str or None
        Path of the entry with images.

    Returns
    -------
    entry : Component
        The entry.
    remarks : tuple of str
        Warnings about other entries, groups without a class, and links that lead nowhere.

    Raises
    ------
    FileFormatError
        If there is no entry of the definition NXmx.
    """
    found = distinct(each for _, each in members(file) if is_group(each) and _is_entry(each))
    definitions = {each.name: _definition(each) for each in found}
    # files of early firmware do not say which definition they follow
    entries = [each for each in found if definitions[each.name].lower() == "nxmx"] or [
        each for each in found if not definitions[each.name] and "instrument" in each
    ]
    if not entries:
        others = ", ".join(f"{name} {told!a:.40}" for name, told in definitions.items() if told)
        hint = f"; its definition is that of {others}" if others else ""
        if not found:
            hint = broken_at(file, ("",))
        if not hint and any(is_group(each) and IMAGES in each for _, each in members(file)):
            hint = (
                ", but images without geometry, as in the data files of Dectris detectors: give "
                "the master file"
            )
        if not found and not hint:
            hint = f"; it holds {', '.join(f'/{name}' for name in list(file)[:3]) or 'nothing'}"
        raise FileFormatError(path, f"no NXmx entry{hint}")
    entry = next((each for each in entries if each.name == wanted), entries[0])
    told = [each.name for each in entries if each is not entry]
    remarks = (f"entry {entry.name} is read; others: {', '.join(told)}",) if told else ()
    return Component(entry), (*remarks, *_without_class(entry), *_broken_told(entry))


def _is_entry(group: Any) -> bool:
    told = attribute(group, "NX_class")
    if told:
        return told.lower() == "nxentry"
    return is_group(group.get("instrument"))


def _definition(entry: Any) -> str:
    stored = entry.get("definition")
    return text_of(stored[()]) if hasattr(stored, "shape") else ""


def _without_class(entry: Any) -> Iterator[str]:
    """Warning about groups that are read although they have no class."""
    found = [
        group.name
        for group in (entry, *_geometry_groups(entry))
        if not attribute(group, "NX_class") and (group is entry or class_of(group))
    ]
    if found:
        yield f"{', '.join(found)} of the file has no NX_class; it is read by its name"


def _geometry_groups(entry: Any) -> Iterator[Any]:
    """Groups whose class decides whether they are read."""
    for _, outer in members(entry):
        if not is_group(outer) or class_of(outer) not in ("NXinstrument", "NXsample"):
            continue
        yield outer
        for _, inner in members(outer):
            if is_group(inner) and class_of(inner) in ("NXdetector", "NXbeam"):
                yield inner
                yield from groups_of(inner, "NXdetector_module")


def link_target(group: Any, name: str) -> str:
    """File, or place in this file, that a link points to."""
    link = group.get(name, getlink=True)
    file = getattr(link, "filename", "")
    return str(file or getattr(link, "path", "") or "nowhere")


def broken_links(group: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Links below a group that lead nowhere: their places, and what they point to.

    Parameters
    ----------
    group : h5py.Group
        Entry, or a group of it.
    depth : int, optional
        Number of levels above the group.
    """
    for name in group:
        if name.startswith(NOT_GEOMETRY):
            continue
        item = member(group, name)
        if item is None:
            yield f"{group.name.rstrip('/')}/{name}", link_target(group, name)
        elif is_group(item) and depth < DEEPEST and not _is_alias(group, name):
            yield from broken_links(item, depth + 1)


def _is_alias(group: Any, name: str) -> bool:
    """Whether a name is that of another group of the same file."""
    return type(group.get(name, getlink=True)).__name__ == "SoftLink"


def _broken_told(entry: Any) -> Iterator[str]:
    found = list(broken_links(entry))
    if found:
        told = ", ".join(f"{place} ({target})" for place, target in found[:3])
        more = "" if len(found) <= 3 else f" and {len(found) - 3} more"
        yield f"links of the file lead nowhere, and what they name is not read: {told}{more}"


def broken_at(group: Any, names: tuple[str, ...]) -> str:
    """Words about a link of a group that leads nowhere; empty if there is none.

    Parameters
    ----------
    group : h5py.Group
        Group of a file.
    names : tuple of str
        Beginnings of the names that matter.
    """
    for name in group:
        if name.lower().startswith(names) and member(group, name) is None:
            place = f"{group.name.rstrip('/')}/{name}"
            return f"; {place} is a link to {link_target(group, name)}, which is missing"
    return ""
