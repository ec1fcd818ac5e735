"""The rules of the house: who may import whom, and what starts fast."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cupysim

PACKAGE = Path(cupysim.__file__).parent
BASICS = {"constants", "errors", "quirks"}
ALLOWED = {
    "maths": set(),
    "models": {"maths"},
    "native": set(),
    "render": {"maths", "models", "native"},
    "gradients": {"maths", "models", "render"},
    "refine": {"maths", "models", "render", "gradients"},
    "torch": {"models", "render", "gradients", "refine", "formats"},
    "noise": {"maths", "native"},
    "trace": {"maths", "models", "render", "formats"},
    "comparison": {"trace"},
    "formats": {"maths", "models", "native"},
    "provenance": {"native", "render"},
    "image": {"maths", "models", "render", "gradients", "noise", "formats", "provenance"},
    "api": {"image", "maths", "models", "render", "gradients", "refine", "noise", "formats", "cli"},
    "campaign": {"maths", "models", "render", "formats", "image", "api"},
    "cli": {
        "campaign",
        "maths",
        "models",
        "render",
        "gradients",
        "refine",
        "noise",
        "formats",
        "trace",
        "comparison",
        "image",
        "provenance",
        "api",
    },
}
"""Rooms and the rooms they may use, besides the basics and themselves. Of the command line, the
Python interface uses the builder alone, for `from_args`."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return {name for name in names if name.split(".")[0] == "cupysim"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_dependencies_point_one_way(path: Path) -> None:
    home = room(path)
    if home in ("__init__", "__main__"):
        return
    for name in imports(path):
        parts = name.split(".")
        used = parts[1] if len(parts) > 1 else ""
        if home in BASICS:
            assert used in BASICS, f"{home} imports {name}"
        elif used and used not in BASICS and used != home:
            assert used in ALLOWED[home], f"{home} imports {name}"
        if home != "cli" and used == "cli":
            assert name == "cupysim.cli.build", f"{home} imports {name}"


def test_rooms_are_known() -> None:
    rooms = {room(path) for path in MODULES}
    assert rooms == {*ALLOWED, *BASICS, "__init__", "__main__"}


@pytest.mark.parametrize("words", [["-h"], ["-version"], []])
def test_help_loads_no_libraries(words: list[str]) -> None:
    script = (
        "import sys; from cupysim.cli.main import main; main(sys.argv[1:]);"
        "heavy = {'numpy', 'scipy', 'h5py', 'cupy'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script, *words], check=True, capture_output=True)


def test_modules_can_be_held_in_the_head() -> None:
    for path in MODULES:
        name = str(path.relative_to(PACKAGE))
        assert len(path.read_text().splitlines()) <= 400, name
