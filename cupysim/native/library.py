"""Access to the libraries for this processor. They are compiled at first use if necessary."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
from functools import cache
from pathlib import Path

from cupysim.native import recipe, sources

LEVEL_VARIABLE = "CUPYSIM_HOST_LEVEL"
"""Environment variable that selects a lower level of instructions."""

CACHE_VARIABLE = "CUPYSIM_CACHE_DIR"
"""Environment variable that names the folder for libraries compiled at first use."""


class NoLibraryError(Exception):
    """There is no library for this machine. The message gives the reason."""


@cache
def load(library: str) -> ctypes.CDLL:
    """Load a library of compiled code.

    Parameters
    ----------
    library : str
        A name of `recipe.SOURCES`.

    Returns
    -------
    ctypes.CDLL
        The library: the installed one, one from the cache, or one that is compiled now.

    Raises
    ------
    NoLibraryError
        If there is none and it cannot be compiled.
    """
    problem = _failed.get(library)
    if problem is None:
        try:
            return _load(library)
        except (recipe.BuildError, OSError) as error:
            problem = _failed[library] = str(error)
    raise NoLibraryError(problem)


_failed: dict[str, str] = {}
"""Reasons why libraries could not be loaded, by library. They are not tried again."""


def level() -> str:
    """The level of instructions in use: the best one here, or a lower one from the environment."""
    supported = recipe.supported_levels()
    wanted = os.environ.get(LEVEL_VARIABLE)
    return wanted if wanted in supported else supported[0]


def usable_levels() -> list[str]:
    """The level of instructions in use, and all lower levels that this processor has."""
    supported = recipe.supported_levels()
    return supported[supported.index(level()) :]


def _load(library: str) -> ctypes.CDLL:
    with sources.folder_on_disk() as folder:
        digest = _digest(folder)
        problem: Exception | None = None
        for wanted in usable_levels():
            name = recipe.file_name(library, wanted)
            found = _open(Path(__file__).with_name(name), digest)
            if found is not None:
                return found
            cached = cache_folder() / digest / name
            found = _open(cached, digest) if _is_whole(cached) else None
            if found is not None:
                return found
            # a compiler that is older than a level does not know it: try the next lower level
            try:
                return _compile(library, wanted, folder, cached, digest)
            except recipe.BuildError as error:
                problem = problem or error
        assert problem is not None
        raise problem


@cache
def _digest(folder: Path) -> str:
    return recipe.source_digest(folder)


def _compile(library: str, wanted: str, folder: Path, cached: Path, digest: str) -> ctypes.CDLL:
    recipe.find_compiler()
    print(
        f"cupysim: compiling {cached.name}, once for this machine ...", file=sys.stderr, flush=True
    )
    recipe.compile_library(library, wanted, folder, cached)
    found = _open(cached, digest)
    if found is None:
        raise OSError(f"{cached} was compiled but is not usable")
    _sum_path(cached).write_text(_checksum(cached))
    return found


def _is_whole(path: Path) -> bool:
    """Whether a cached library is undamaged. A damaged one would crash the process."""
    try:
        return _sum_path(path).read_text() == _checksum(path)
    except (OSError, UnicodeDecodeError):
        return False


def _sum_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sum")


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _open(path: Path, digest: str) -> ctypes.CDLL | None:
    """Open a library; None if it is missing, not made from these sources, or not trusted.

    Trusted files belong to the administrator, the user, or the owner of the installation.
    """
    try:
        if not path.is_file() or path.stat().st_uid not in (0, os.getuid(), _owner()):
            return None
        opened = ctypes.CDLL(str(path))
        opened.cupysim_digest.restype = ctypes.c_char_p
    except (OSError, AttributeError):
        return None
    return opened if opened.cupysim_digest() == digest.encode() else None


def _owner() -> int:
    """The user number of the installation's owner."""
    return Path(__file__).stat().st_uid


def cache_folder() -> Path:
    """The folder of libraries that are compiled at first use.

    Raises
    ------
    OSError
        If the user has no home folder and `CACHE_VARIABLE` names no folder.
    """
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cupysim"
    except RuntimeError as error:
        raise OSError(
            f"there is no home folder for compiled libraries; set {CACHE_VARIABLE} to a folder"
        ) from error
