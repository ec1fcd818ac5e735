"""Storage of models in HDF5: each dataclass is a group, each field an attribute or a data set.

A number, a text or a tuple is an attribute; an array is a data set; None is an empty attribute. A
tuple of models is a group with a numbered group for each, and so is a mapping from names to models.
Numbers are exact to the last bit. An experiment from a file therefore renders the same image again.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_type_hints

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.experiment import Experiment
from cupysim.quirks import Quirks

STORED_QUIRKS = "corrected"
"""Attribute with the numbers of the quirks that are corrected."""

MODEL = "model"
"""Attribute with the name of a group's class."""


ITEMS, KEYS = "items", "keys"
"""Attributes of the group of a tuple or mapping of models: the number of items, and the names."""


def _with_its_parts(kind: type) -> set[type]:
    """A class of models, and the classes of its fields."""
    found: set[type] = set()
    hints: list[Any] = [kind]
    while hints:
        hint = hints.pop()
        hints += get_args(hint)
        is_model = isinstance(hint, type) and dataclasses.is_dataclass(hint)
        if is_model and hint is not Quirks and hint not in found:
            found.add(hint)
            hints += get_type_hints(hint).values()
    return found


CLASSES: dict[str, type] = {kind.__name__: kind for kind in _with_its_parts(Experiment)}
"""Classes that are written and read. A file cannot create objects of other classes."""


def store(group: Any, value: Any, **compression: Any) -> None:
    """Write a model into an empty group.

    Parameters
    ----------
    group : h5py.Group
        Empty group.
    value : dataclass instance
        Model of one of the `CLASSES`.
    compression : optional
        Keywords of h5py for large arrays.

    Raises
    ------
    ModelError
        If its class is not among `CLASSES`: it could not be read again.
    """
    import h5py

    kind: type = type(value)
    if CLASSES.get(kind.__name__) != kind:
        raise ModelError(f"{group.name}: {kind.__name__} is no part of an experiment")
    group.attrs[MODEL] = kind.__name__
    for item in filter(lambda item: item.init, dataclasses.fields(value)):
        content = getattr(value, item.name)
        if isinstance(content, Quirks):
            group.attrs[STORED_QUIRKS] = content.numbers
            continue
        if dataclasses.is_dataclass(content):
            store(group.create_group(item.name), content, **compression)
        elif isinstance(content, Mapping):
            inner = _numbered(group, item.name, list(content.values()), compression)
            inner.attrs[KEYS] = [str(name) for name in content]
        elif isinstance(content, (tuple, list)) and any(map(dataclasses.is_dataclass, content)):
            _numbered(group, item.name, content, compression)
        elif isinstance(content, np.ndarray):
            group.create_dataset(item.name, data=content, **compression)
        elif content is None:
            group.attrs[item.name] = h5py.Empty("f8")
        elif isinstance(content, (tuple, list)):
            # NaN stands for None: no number of a model is NaN
            group.attrs[item.name] = [math.nan if part is None else part for part in content]
        elif isinstance(content, str):
            group.attrs[item.name] = str(content)
        else:
            group.attrs[item.name] = content


def restore(group: Any) -> Any:
    """Read a model that `store` wrote.

    Parameters
    ----------
    group : h5py.Group
        Group with the model.

    Returns
    -------
    dataclass instance
        Model of one of the `CLASSES`.

    Raises
    ------
    ModelError
        If the group holds no model, an impossible model, or a model with unknown parts: those of
        another version of cupysim.
    """
    name = group.attrs.get(MODEL) if hasattr(group, "keys") else None
    if not isinstance(name, str) or name not in CLASSES:
        raise ModelError(f"{group.name}: holds no model of cupysim")
    kind: Any = CLASSES[name]
    values = {}
    known = {MODEL, STORED_QUIRKS, *(item.name for item in dataclasses.fields(kind))}
    strange = sorted({*group.attrs, *group} - known)
    if strange:
        raise ModelError(
            f"{group.name}: {name} of this version has no {', '.join(strange)}; the file is "
            "of another version of cupysim"
        )
    for item in filter(lambda item: item.init, dataclasses.fields(kind)):
        if item.name == "quirks":
            numbers = np.ravel(group.attrs.get(STORED_QUIRKS, ())).astype(np.int64)
            values[item.name] = Quirks.of(numbers.tolist())
        elif item.name in group:
            inner = group[item.name]
            is_several = ITEMS in inner.attrs
            values[item.name] = (
                restore(inner) if MODEL in inner.attrs
                else _several(inner) if is_several
                else inner[()]
            )  # fmt: skip
        elif item.name in group.attrs:
            values[item.name] = _plain(group.attrs[item.name])
    try:
        return kind(**values)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(f"{group.name}: {error}") from error


def _numbered(group: Any, name: str, models: Sequence[Any], compression: Any) -> Any:
    """Write models into a new group. Returns the group."""
    inner = group.create_group(name)
    inner.attrs[ITEMS] = len(models)
    for number, model in enumerate(models):
        store(inner.create_group(str(number)), model, **compression)
    return inner


def _several(group: Any) -> Any:
    """Models of a group that `_numbered` wrote: a tuple, or a dict if they have names."""
    count = int(group.attrs[ITEMS])
    if set(group) != {str(number) for number in range(count)}:
        raise ModelError(f"{group.name}: {len(group)} models, but {count} are expected")
    models = tuple(restore(group[str(number)]) for number in range(count))
    if KEYS not in group.attrs:
        return models
    return dict(zip((str(name) for name in group.attrs[KEYS]), models, strict=True))


def _plain(value: Any) -> Any:
    """An attribute as a plain Python object."""
    if type(value).__name__ == "Empty":
        return None
    if isinstance(value, np.ndarray):
        return tuple(
            None if isinstance(part, float) and math.isnan(part) else part
            for part in value.tolist()
        )
    return value.item() if isinstance(value, np.generic) else value
