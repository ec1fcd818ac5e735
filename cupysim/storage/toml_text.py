"""Conversion of a mapping to TOML."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cupysim.errors import CupysimError


def toml_text(content: Mapping[str, Any], subject: str = "campaign") -> str:
    """Write a mapping of tables as TOML.

    Parameters
    ----------
    content : mapping
        Tables of keys and values. Values are numbers, texts, truth values, sequences, arrays and
        mappings.
    subject : str, optional
        What the content is, for messages.

    Returns
    -------
    str
        Text of the TOML file.

    Raises
    ------
    CupysimError
        If a value has another type.
    """
    lines = []
    for name, table in content.items():
        if not isinstance(table, Mapping):
            raise CupysimError(f"{subject}: {name} must be a mapping, got {table!r:.60}")
        place = f"{subject}: {name}"
        keys = (f"{_key(key)} = {_value(table[key], f'{place}.{key}')}" for key in table)
        lines += [f"[{_key(name)}]", *keys, ""]
    return "\n".join(lines)


def _key(name: object) -> str:
    return json.dumps(str(name), ensure_ascii=False)


def _value(value: Any, place: str) -> str:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else {"inf": "inf", "-inf": "-inf"}.get(
            repr(value), "nan"
        )  # fmt: skip
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        inner = (f"{_key(key)} = {_value(each, f'{place}.{key}')}" for key, each in value.items())
        return f"{{ {', '.join(inner)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(each, place) for each in value)}]"
    raise CupysimError(f"{place} cannot be a {type(value).__name__}")
