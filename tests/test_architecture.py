"""The rules of the house: who may import whom, and what starts fast."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cupysim

PACKAGE = Path(cupysim.__file__).parent
BASICS = {"constants", "errors", "quirks"}
LAYERS = (
    {"maths", "native", "storage", "optional_libraries", "terminal"},
    {"models"},
    {"plan", "detectors", "materials"},
    {"backends", "formats"},
    {"detection", "prediction", "advice", "plotting"},
    {"image_statistics", "refine"},
    {"provenance"},
    {"image", "drop_ins"},
    {"renderer", "nanobragg", "noisify", "nonbragg"},
    {"parity", "api", "readers", "torch", "convergence"},
    {"campaign"},
    {"cli"},
)
"""Rooms from the lowest layer to the highest; one may use the basics, itself and lower layers."""

LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}

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
            module = node.module or ""
            if module == "cupysim":
                # a room, or a public name of the package itself
                names.update(f"cupysim.{alias.name}" for alias in node.names if alias.name in LAYER)
            names.add(module)
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
            assert LAYER[used] < LAYER[home], f"{home} imports {name}"


def test_rooms_are_known() -> None:
    rooms = {room(path) for path in MODULES}
    assert rooms == {*LAYER, *BASICS, "__init__", "__main__"}


@pytest.mark.parametrize("words", [["-h"], ["-version"], [], ["noisify", "-h"], ["nonbragg", "-h"]])
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


UNNEEDED = (
    "argparse",
    "difflib",
    "subprocess",
    "json",
    "importlib.metadata",
    "h5py",
    "scipy",
    "cupysim.backends.derivatives",
    "cupysim.backends.compiled.culled",
    "cupysim.backends.compiled.cuda_engine",
    "cupysim.formats.cbf",
    "cupysim.formats.geometry",
    "cupysim.formats.nexus",
    "cupysim.formats.png",
    "cupysim.formats.structures.reflections",
    "cupysim.formats.structures.symmetry",
    "cupysim.nanobragg.headers",
    "cupysim.nanobragg.printout",
    "cupysim.plan.gradient_plan",
    "cupysim.prediction",
    "cupysim.provenance",
)
"""Modules that a run of the command without input files, HDF5 and derivatives does not need."""


def test_a_simple_run_loads_only_what_it_needs(tmp_path: Path) -> None:
    words = "-cell 70 80 90 90 90 90 -default_F 100 -N 5 -lambda 1 -distance 100 -detpixels 16"
    script = (
        "import sys; from cupysim.cli.main import main; status = main(sys.argv[2:]);"
        "loaded = set(sys.argv[1].split()) & set(sys.modules); assert not loaded, loaded;"
        "sys.exit(status)"
    )
    subprocess.run(
        [sys.executable, "-c", script, " ".join(UNNEEDED), *words.split()],
        check=True, capture_output=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
    )  # fmt: skip


def test_a_wheel_has_all_packages_and_their_data() -> None:
    """pyproject.toml lists each package, and each file that is not a module."""
    root = PACKAGE.parent
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent for path in MODULES if path.name == "__init__.py"}
    packages = {".".join(folder.relative_to(root).parts) for folder in folders}
    assert set(settings["packages"]) == {*packages, "cupysim.cuda_src"}
    for path in PACKAGE.rglob("*"):
        if path.suffix in (".toml", ".txt"):
            package = ".".join(path.parent.relative_to(root).parts)
            assert path.name in settings["package-data"].get(package, []), path
