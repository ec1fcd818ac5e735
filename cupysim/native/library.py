"""Finding, or compiling at first use, the libraries for this processor."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
from functools import cache
from importlib.resources import as_file
from pathlib import Path

from cupysim.native import recipe, sources

LEVEL_VARIABLE = "CUPYSIM_HOST_LEVEL"
"""Environment variable which asks for a lower level of instructions."""

CACHE_VARIABLE = "CUPYSIM_CACHE_DIR"
"""Environment variable with the folder for libraries compiled at first use."""


class NoLibraryError(Exception):
    """There is no library for this machine; says why."""


@cache
def load(library: str) -> ctypes.CDLL:
    """A library of compiled code.

    Parameters
    ----------
    library : str
        `recipe.RENDER` or `recipe.TOOLS`.

    Returns
    -------
    ctypes.CDLL
        The library: as installed, from the cache of an earlier use, or compiled
        now.

    Raises
    ------
    NoLibraryError
        If none can be had.
    """
    problem = _failed.get(library)
    if problem is None:
        try:
            return _load(library)
        except (recipe.BuildError, OSError) as error:
            problem = _failed[library] = str(error)
    raise NoLibraryError(problem)


_failed: dict[str, str] = {}


def level() -> str:
    """The level of instructions in use: the best here, unless the environment asks for a lower."""
    supported = recipe.supported_levels()
    wanted = os.environ.get(LEVEL_VARIABLE)
    return wanted if wanted in supported else supported[0]


def usable_levels() -> list[str]:
    """Levels of instructions from `level` downwards."""
    supported = recipe.supported_levels()
    return supported[supported.index(level()) :]


def _load(library: str) -> ctypes.CDLL:
    with as_file(sources.folder()) as folder:
        digest = recipe.source_digest(folder)
        problem: Exception | None = None
        for wanted in usable_levels() if library == recipe.RENDER else [recipe.BASELINE]:
            name = recipe.file_name(library, wanted)
            found = _open(Path(__file__).with_name(name), digest)
            if found is not None:
                return found
            cached = cache_folder() / digest / name
            found = _open(cached, digest) if _is_whole(cached) else None
            if found is not None:
                return found
            # compilers older than a level do not know it: then the next lower level serves
            try:
                return _compile(library, wanted, folder, cached, digest)
            except recipe.BuildError as error:
                problem = problem or error
        assert problem is not None
        raise problem


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
    """Whether a library is as it was compiled: a damaged one would crash who loads it."""
    try:
        return _sum_path(path).read_text() == _checksum(path)
    except (OSError, UnicodeDecodeError):
        return False


def _sum_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sum")


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _open(path: Path, digest: str) -> ctypes.CDLL | None:
    """A library, if it is there, ours, and made of the present sources."""
    try:
        if not path.is_file() or path.stat().st_uid not in (0, os.getuid(), _owner()):
            return None
        opened = ctypes.CDLL(str(path))
        opened.cupysim_digest.restype = ctypes.c_char_p
    except (OSError, AttributeError):
        return None
    return opened if opened.cupysim_digest() == digest.encode() else None


def _owner() -> int:
    """Who owns the installation."""
    return Path(__file__).stat().st_uid


def cache_folder() -> Path:
    """Where libraries compiled at first use are kept.

    Raises
    ------
    OSError
        If the user has no home and no variable names a folder.
    """
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cupysim"
    except RuntimeError as error:
        raise OSError(f"no home folder to compile into; {CACHE_VARIABLE} can name one") from error
