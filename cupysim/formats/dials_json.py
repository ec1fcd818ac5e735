"""The JSON of DIALS experiment lists: what is wrong with it, and keys that occur twice."""

from __future__ import annotations

import json
from typing import Any

from cupysim.errors import FileFormatError
from cupysim.formats.other_files import HEAD, kind_of_other

NO_LIST = "no experiment list of DIALS"

IMAGES = (b"\x89HDF", b"###CBF", b"{\nHEADER")
"""First bytes of images that are given as lists."""

FRAME = ("fast_axis", "slow_axis", "origin")
"""Items of the frame of a group of panels."""


def parsed(path: object, text: bytes) -> tuple[Any, tuple[str, ...]]:
    """Parse the text of a list.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    text : bytes
        Content of the file.

    Returns
    -------
    content : object
        What the JSON says. Of a key that occurs twice, the last value counts, as in DIALS.
    remarks : tuple of str
        Warnings about keys that occur twice.

    Raises
    ------
    FileFormatError
        If it is not JSON.
    """
    remarks: list[str] = []

    def joined(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = sorted({key for key in keys if keys.count(key) > 1})
            remarks.append(f"the key {', '.join(twice)[:80]} occurs twice; the last value is used")
        return made

    if text.startswith(IMAGES):
        raise FileFormatError(path, f"{NO_LIST}: give it by -img")
    # lists in UTF-16 or with a byte order mark are read
    is_list = text.lstrip(b"\xff\xfe\xef\xbb\xbf \t\r\n\0")[:1] in (b"{", b"[")
    kind = "" if is_list else kind_of_other(text[:HEAD])
    if kind:
        raise FileFormatError(path, f"{NO_LIST}, but {kind}")
    try:
        return json.loads(text, object_pairs_hook=joined), tuple(remarks)
    except json.JSONDecodeError as error:
        if not is_list:
            begin = error.doc.strip().partition("\n")[0]
            raise FileFormatError(
                path, f"{NO_LIST}, and not JSON: it begins {begin!a:.40}"
            ) from error
        if not error.doc.rstrip(" \t\r\n\0").endswith(("}", "]")):
            raise FileFormatError(path, f"{NO_LIST}: the file is cut off", error.lineno) from error
        reason = f"not JSON: {error.msg} at column {error.colno}"
        raise FileFormatError(path, f"{NO_LIST}: {reason}", error.lineno) from error
    except (ValueError, RecursionError) as error:
        reason = (str(error).splitlines() or ["damaged"])[0]
        raise FileFormatError(path, f"{NO_LIST}: {reason}") from error


def experiments_of(path: object, content: Any) -> list[Any]:
    """Experiments of a list.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    content : object
        What the JSON says.

    Raises
    ------
    FileFormatError
        If it is another kind of list, or has no experiment.
    """
    kind = content.get("__id__") if isinstance(content, dict) else None
    first = content[0] if isinstance(content, list) and content else None
    if isinstance(first, dict) and first.get("__id__") == "DataBlock":
        raise FileFormatError(
            path, f"{NO_LIST}, but a DataBlock of old DIALS; import the images again"
        )
    if kind != "ExperimentList":
        told = f": its __id__ is {kind!a:.40}" if kind is not None else ""
        raise FileFormatError(path, f"{NO_LIST}{told}")
    experiments = content.get("experiment")
    if not isinstance(experiments, list) or not experiments:
        raise FileFormatError(path, f"{NO_LIST}: it has no experiment")
    return experiments


def pair(path: object, model: Any, key: str) -> tuple[Any, Any]:
    """The two numbers of a key of a model.

    Raises
    ------
    FileFormatError
        If there are not two.
    """
    values = model[key]
    if not isinstance(values, (list, tuple)) or len(values) != 2:
        raise FileFormatError(path, f"{key} is {str(values)[:60]}; two numbers are expected")
    return values[0], values[1]


def edges_of(path: object, panel: Any) -> tuple[float, float]:
    """Edges of a panel's pixels (mm) along fast and slow.

    Raises
    ------
    FileFormatError
        If there are not two above zero.
    """
    sizes = pair(path, panel, "pixel_size")
    if not all(float(size) > 0.0 for size in sizes):
        raise FileFormatError(path, f"pixel_size is {list(sizes)}, not above zero")
    return float(sizes[0]), float(sizes[1])


def image_size(path: object, panel: Any) -> tuple[int, int]:
    """Number of a panel's pixels along fast and slow.

    Raises
    ------
    FileFormatError
        If there are not two integers.
    """
    n_fast, n_slow = pair(path, panel, "image_size")
    if int(n_fast) != n_fast or int(n_slow) != n_slow:
        raise FileFormatError(path, f"image_size {n_fast} x {n_slow}: integers are expected")
    return int(n_fast), int(n_slow)


def has_frame(path: object, group: Any) -> bool:
    """Whether a group of a detector's hierarchy has a frame of its own.

    A group without one moves nothing.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    group : dict
        Group of the list.

    Raises
    ------
    FileFormatError
        If a part of the frame is missing. dxtbx would ignore the other parts.
    """
    given = [name for name in FRAME if group.get(name) is not None]
    if given and len(given) < len(FRAME):
        lacking = next(name for name in FRAME if name not in given)
        raise FileFormatError(
            path, f"a group of its detector has {' and '.join(given)}, but no {lacking}"
        )
    return bool(given)
