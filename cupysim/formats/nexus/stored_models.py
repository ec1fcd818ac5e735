"""Models as HDF5 groups: each dataclass a group, each field an attribute or a data set.

A number, a text or a tuple is an attribute, an array a data set, None an empty attribute. Numbers
keep their last bit, so that an experiment read from a file renders the image in it.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.detector_geometry import DetectorAngles
from cupysim.models.background import Water
from cupysim.models.beam import Beam
from cupysim.models.conventions import Frame
from cupysim.models.crystal import Crystal, Mosaicity, UnitCell
from cupysim.models.detector import Detector, Sensor
from cupysim.models.experiment import Experiment, Region, Rendering
from cupysim.models.sampling import Sweep
from cupysim.models.scan import Scan
from cupysim.models.structure_factors import StructureFactors
from cupysim.quirks import Quirks

STORED_QUIRKS = "corrected"
"""Attribute with the numbers of the quirks that are corrected."""

MODEL = "model"
"""Attribute with the name of a group's class."""

CLASSES = {
    kind.__name__: kind
    for kind in (
        Beam, Crystal, Detector, DetectorAngles, Experiment, Frame, Mosaicity, Region, Rendering,
        Scan, Sensor, StructureFactors, Sweep, UnitCell, Water,
    )
}  # fmt: skip
"""Classes which are read; no other is ever made from a file."""


def store(group: Any, value: Any, **compression: Any) -> None:
    """Write a model into an empty group.

    Parameters
    ----------
    group : h5py.Group
        Where.
    value : dataclass instance
        One of `CLASSES`.
    compression : optional
        Keywords of h5py for large arrays.
    """
    import h5py

    group.attrs[MODEL] = type(value).__name__
    for item in filter(lambda item: item.init, dataclasses.fields(value)):
        content = getattr(value, item.name)
        if isinstance(content, Quirks):
            group.attrs[STORED_QUIRKS] = content.numbers
            continue
        if dataclasses.is_dataclass(content):
            store(group.create_group(item.name), content, **compression)
        elif isinstance(content, np.ndarray):
            group.create_dataset(item.name, data=content, **compression)
        elif content is None:
            group.attrs[item.name] = h5py.Empty("f8")
        elif isinstance(content, (tuple, list)):
            # None is not a number, and a number is never not one
            group.attrs[item.name] = [math.nan if part is None else part for part in content]
        elif isinstance(content, str):
            group.attrs[item.name] = str(content)
        else:
            group.attrs[item.name] = content


def restore(group: Any) -> Any:
    """The model which `store` wrote.

    Parameters
    ----------
    group : h5py.Group
        Where.

    Returns
    -------
    dataclass instance
        One of `CLASSES`.

    Raises
    ------
    ModelError
        If the group holds no model, or an impossible one.
    """
    name = group.attrs.get(MODEL) if hasattr(group, "keys") else None
    if not isinstance(name, str) or name not in CLASSES:
        raise ModelError(f"{group.name}: holds no model of cupysim")
    kind: Any = CLASSES[name]
    values = {}
    for item in filter(lambda item: item.init, dataclasses.fields(kind)):
        if item.name == "quirks":
            numbers = np.ravel(group.attrs.get(STORED_QUIRKS, ())).astype(np.int64)
            values[item.name] = Quirks.of(numbers.tolist())
        elif item.name in group:
            inner = group[item.name]
            values[item.name] = restore(inner) if MODEL in inner.attrs else inner[()]
        elif item.name in group.attrs:
            values[item.name] = _plain(group.attrs[item.name])
    try:
        return kind(**values)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(f"{group.name}: {error}") from error


def _plain(value: Any) -> Any:
    """An attribute as Python knows it."""
    if type(value).__name__ == "Empty":
        return None
    if isinstance(value, np.ndarray):
        return tuple(
            None if isinstance(part, float) and math.isnan(part) else part
            for part in value.tolist()
        )
    return value.item() if isinstance(value, np.generic) else value
