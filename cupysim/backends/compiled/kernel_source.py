"""The kernel's source as one text, as CuPy compiles and caches it.

CuPy's cache of compiled kernels does not see headers which are included from
elsewhere; a text which contains them is its own key.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cupysim.backends.compiled.launch import Factors, Precision, Variant, launch_type

INCLUDE = re.compile(r'#include "([^"]+)"')

POLICIES = {Precision.DOUBLE: "Double", Precision.MIXED: "Mixed", Precision.PAIRS: "Pairs"}
"""Names of the kernel's sets of types."""

THREADS = 128
"""Threads of a block."""


def _common_options() -> tuple[str, ...]:
    size = launch_type().itemsize
    return ("-std=c++17", f"-DCUPYSIM_THREADS={THREADS}", f"-DCUPYSIM_LAUNCH_SIZE={size}")


def joined_source(read: Callable[[str], str], name: str = "render.cu") -> str:
    """A source file with its headers in the places where they are included first.

    Parameters
    ----------
    read : callable
        Takes a file name, gives its text.
    name : str, optional
        The file to begin with.

    Returns
    -------
    str
        The text; ``#line`` lets a compiler name the right file and line.
    """
    seen: set[str] = set()

    def expand(name: str) -> list[str]:
        seen.add(name)
        lines = [f'#line 1 "{name}"']
        for number, line in enumerate(read(name).splitlines(), 1):
            include = INCLUDE.match(line)
            if line.startswith("#pragma once"):
                lines.append("")
            elif include is None:
                lines.append(line)
            elif include[1] in seen:
                lines.append("")
            else:
                lines += [*expand(include[1]), f'#line {number + 1} "{name}"']
        return lines

    return "\n".join([*expand(name), ""])


def render_options(variant: Variant, batch: bool = False) -> tuple[str, ...]:
    """The compiler's options for a kernel which renders an image, or several of a batch."""
    return (
        *_common_options(),
        *(("-DCUPYSIM_BATCH",) if batch else ()),
        f"-DCUPYSIM_POLICY={POLICIES[variant.precision]}",
        f"-DCUPYSIM_SHAPE={variant.shape.name}",
        f"-DCUPYSIM_FACTORS={Factors(variant.factors).name}",
        f"-DCUPYSIM_RUNNING={str(variant.running).lower()}",
    )


def gradient_options(variant: Variant, entries: bool) -> tuple[str, ...]:
    """The compiler's options for slopes with parameters, or for entries of structure factors."""
    return (
        *_common_options(),
        "-DCUPYSIM_ENTRIES" if entries else "-DCUPYSIM_GRADIENT",
        f"-DCUPYSIM_SHAPE={variant.shape.name}",
        f"-DCUPYSIM_FACTORS={Factors(variant.factors).name}",
    )


def search_options(variant: Variant | None) -> tuple[str, ...]:
    """The compiler's options for a search: of the first ray, or with a variant of a stop."""
    if variant is None:
        return (*_common_options(), "-DCUPYSIM_SEARCH_RAY")
    return (*_common_options(), "-DCUPYSIM_SEARCH_STOP", f"-DCUPYSIM_SHAPE={variant.shape.name}")
