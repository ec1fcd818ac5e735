"""Angles of NXmx files that are in unusual places or have unusual names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cupysim.formats.nxmx_axis import Axis, chain_of, depends_on
from cupysim.formats.nxmx_tree import class_of, groups_of, is_group, member, members
from cupysim.formats.nxmx_units import converted, has_unit, unit_of
from cupysim.formats.rotation import SETTING

ROTATION = "rotation_angle"
"""Name of the angle of a sample in NXsample."""

DEEPEST = 3
"""Number of levels below a sample or instrument in which angles are looked for."""

NO_SAMPLE = (
    "NXdetector", "NXdetector_group", "NXbeam", "NXsource", "NXattenuator", "NXmonochromator",
    "NXsensor", "NXlog", "NXmonitor", "NXmirror", "NXcrystal", "NXslit", "NXaperture",
    "NXcollimator", "NXinsertion_device",
)  # fmt: skip
"""Classes of groups whose angles do not turn the sample."""

ARM_NAMES = ("two_theta", "polar_angle", "azimuthal_angle")
"""Angles of a detector or its arm, in lower case."""

NO_ANGLES = (
    "time", "date", "count", "flux", "energy", "wavelength", "temperature", "current", "unit_cell",
)  # fmt: skip
"""Parts of names, in lower case, of data sets that are no angles of a goniometer."""

SAME_TILT = 0.1
"""Difference of angles (degrees) up to which an arm agrees with the detector's direction."""

MOST_NAMED = 4
"""Largest number of data sets that a warning names."""


def angles_elsewhere(entry: Any, goniometers: list[Any], names: tuple[str, ...]) -> Iterator[Any]:
    """Find angles of a goniometer outside its group, or with names in other capitals.

    Parameters
    ----------
    entry : Component
        Entry with the images.
    goniometers : list of h5py.Group
        Groups that usually hold the angles.
    names : tuple of str
        Usual names of the angles.

    Yields
    ------
    group : h5py.Group
        Group with angles.
    name : str
        Name of the angles in the group, without an ending such as ``_start``.
    usual : str
        Usual name.
    """
    samples = [each.handle for each in entry.samples]
    for group in (*goniometers, *samples, *groups_of(entry.handle, "NXdata")):
        wanted = (*names, ROTATION) if group in samples else names
        for usual in wanted:
            spellings = {
                name[: len(usual)]
                for name, item in members(group)
                if name.lower() in (usual, f"{usual}_start") and is_numeric(item)
            }
            # the usual names in a goniometer are read first
            for name in sorted(spellings - ({usual} if group in goniometers else set())):
                yield group, name, usual


def unread_told(
    nxmx: Any, path: object, entry: Any, read: Sequence[tuple[Any, str]], n_images: int
) -> str:
    """Warning about angles that are not used; empty if there are none.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    entry : Component
        Entry with the images.
    read : sequence of tuple of (h5py.Group, str)
        Groups with angles that are used, and their names.
    n_images : int
        Number of images in the file.
    """
    groups = [
        *(each.handle for each in (*entry.samples, *entry.instruments)),
        *groups_of(entry.handle, "NXdata"),
    ]
    found = list[Any]()
    of_detectors = list(_axes_of_detectors(path, entry))
    for item in (each for group in groups for each in _data_sets(group)):
        name = str(item.name).rsplit("/", 1)[-1].lower()
        if name.startswith(ARM_NAMES) or any(part in name for part in NO_ANGLES):
            continue
        used = item in of_detectors or any(
            group.get(usual) == item or (name.startswith(usual.lower()) and item.parent == group)
            for group, usual in read
        )
        if not used and item not in found and _is_angle(nxmx, item, n_images):
            found.append(item)
    if not found:
        return ""
    told = ", ".join(str(item.name) for item in found[:MOST_NAMED])
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return (
        f"no axis of its goniometer turns; the angles or changing numbers in {told}{more} are not "
        "used"
    )


def _axes_of_detectors(path: object, entry: Any) -> Iterator[Any]:
    """Data sets of the axes that place detectors."""
    for detector in (each for instrument in entry.instruments for each in instrument.detectors):
        for component in (detector, *detector.modules):
            first = depends_on(path, component)
            chain = [] if first is None else chain_of(path, first)
            pixels = member(component.handle, "fast_pixel_direction")
            if hasattr(pixels, "shape"):
                chain += chain_of(path, Axis(pixels))
            yield from (axis.handle for axis in chain)


def arms_told(nxmx: Any, entry: Any, detector: Any, tilt: float) -> Iterator[str]:
    """Warnings about angles of a detector, or of its arm, that do not turn it.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    entry : Component
        Entry with the images.
    detector : h5py.Group
        Group of the detector.
    tilt : float
        Angle (degrees) between the beam and the normal of the detector.
    """
    holders = [
        detector,
        *(
            group
            for part in (*entry.instruments, *entry.samples)
            for _, group in members(part.handle)
            if is_group(group) and class_of(group) not in NO_SAMPLE
        ),
    ]
    for item in (group.get(name) for group in holders for name in ARM_NAMES):
        if not is_numeric(item):
            continue
        values = np.ravel(np.asarray(item[()], dtype=np.float64))
        degrees = converted(nxmx, values, unit_of(item), "degree") if has_unit(item) else values
        largest = float(np.abs(values if degrees is None else degrees).max())
        if largest > SETTING and abs(largest - tilt) > SAME_TILT:
            yield f"{item.name} has an angle of {largest:g} degrees; it is not used"


def is_numeric(item: Any) -> bool:
    """Whether an item is a data set of numbers that is not empty."""
    return getattr(item, "shape", None) is not None and item.size > 0 and item.dtype.kind in "fiu"


def _data_sets(group: Any, depth: int = 0) -> Iterator[Any]:
    for _, item in members(group):
        if not is_group(item):
            yield item
        elif depth < DEEPEST and class_of(item) not in NO_SAMPLE:
            yield from _data_sets(item, depth + 1)


def _is_angle(nxmx: Any, item: Any, n_images: int) -> bool:
    """Whether a data set has angles that are not zero, or numbers that change with the image."""
    if not is_numeric(item) or item.ndim > 1:
        return False
    values = np.ravel(np.asarray(item[()], dtype=np.float64))
    if has_unit(item) and converted(nxmx, 1.0, unit_of(item), "degree") is None:
        return False
    changes = n_images > 1 and len(values) in (n_images, n_images + 1) and np.ptp(values) > 0.0
    return bool(changes or (has_unit(item) and np.abs(values).max() > SETTING))
