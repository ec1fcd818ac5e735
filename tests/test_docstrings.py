"""Docstrings: every public name has one that says what it is, with shapes of arrays and units."""

from __future__ import annotations

import ast
import enum
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cupysim
import cupysim.torch
from cupysim.formats.any_image import ImageFile
from cupysim.formats.structures.structure import Structure
from cupysim.prediction.spots import Spots

PACKAGE = Path(cupysim.__file__).parent
FEWEST_WORDS = 3
"""A docstring of one or two words is a riddle."""

PUBLIC = {name: getattr(cupysim, name) for name in cupysim.__all__ if name != "__version__"} | {
    "Structure": Structure,
    "ImageFile": ImageFile,
    "Spots": Spots,
    "torch.simulate": cupysim.torch.simulate,
}

QUANTITIES = re.compile(
    r"(distance|wavelength|pixel_size|thickness|fluence|flux|dmin|spread|twotheta|edge|radius)"
)
"""Parts of the names of parameters that have a unit."""

UNIT = re.compile(
    r"\((m|rad|degrees?|Angstrom|1/m|1/Angstrom|electrons?|photons|photons/m\^2|sr|pixels?|mm|"
    r"photons/s)\b|Photons/m\^2"
)
ENTRY = re.compile(r"^(\w[\w, *]*?) ?: ([^\n]*)\n((?:    [^\n]*\n?|\n)+)", re.MULTILINE)


def members(thing: Any) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that a class defines itself."""
    if not inspect.isclass(thing):
        return
    for name, member in vars(thing).items():
        if not name.startswith("_") and (
            inspect.isfunction(member)
            or isinstance(member, property | classmethod | staticmethod)
            or hasattr(member, "func")
        ):
            yield name, member


def documented() -> Iterator[tuple[str, str]]:
    """Names of all that users see, with their docstrings."""
    for name, thing in PUBLIC.items():
        yield name, inspect.getdoc(thing) or ""
        if inspect.isclass(thing) and issubclass(thing, enum.Enum):
            continue
        for member, value in members(thing):
            yield f"{name}.{member}", inspect.getdoc(value) or ""


DOCUMENTED = dict(documented())


@pytest.mark.parametrize("name", DOCUMENTED)
def test_public_names_have_docstrings(name: str) -> None:
    text = DOCUMENTED[name]
    summary = text.split("\n\n")[0]
    assert len(summary.split()) >= FEWEST_WORDS, summary
    assert summary.rstrip().endswith((".", ":", "?")), summary


@pytest.mark.parametrize("name", DOCUMENTED)
def test_arrays_have_shapes(name: str) -> None:
    for parameter, kind, description in ENTRY.findall(DOCUMENTED[name]):
        if re.search(r"\bndarray\b", kind):
            assert "shape" in kind + description, f"{parameter} : {kind}"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_quantities_have_units(name: str) -> None:
    for parameter, kind, description in ENTRY.findall(DOCUMENTED[name]):
        if QUANTITIES.fullmatch(parameter) and "float" in kind:
            assert UNIT.search(description), f"{parameter} : {kind}\n{description}"


def test_no_docstring_is_a_riddle() -> None:
    """Also not one of what only developers see."""
    short = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                text = ast.get_docstring(node)
                if text is not None and len(text.split()) < FEWEST_WORDS:
                    short.append(f"{path.name}: {getattr(node, 'name', '')}: {text}")
    assert short == []


def test_no_description_is_a_riddle() -> None:
    """No parameter is described by a word that only its author understands."""
    riddles = re.compile(
        r"^ +(How|Where|Which|What|Why|When|Whose|Whether|Ready|All of it)\.$", re.M
    )
    found = [
        f"{path.name}: {match}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for match in riddles.findall(path.read_text())
    ]
    assert found == []
