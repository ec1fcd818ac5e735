"""Wheels with compiled libraries: their tags, and what `scripts/build_wheels` accepts."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import platform
from pathlib import Path
from types import ModuleType

import pytest

from cupysim.native import recipe
from tests.native.support import ROOT, make_program

LEVELS = ["x86-64-v4", "x86-64-v3", "baseline"]
GOOD = "cupysim-1.2-py3-none-manylinux_2_34_x86_64.whl"
LIBRARIES = [
    f"cupysim/native/libcupysim_{name}_{level}.so" for name in recipe.SOURCES for level in LEVELS
]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = str(ROOT / "scripts" / "build_wheels")
    loader = importlib.machinery.SourceFileLoader("build_wheels", path)
    spec = importlib.util.spec_from_loader("build_wheels", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("processor", "given", "expected"),
    [
        ("x86_64", "linux_x86_64", "linux_x86_64"),
        ("x86_64", "linux_aarch64", "linux_aarch64"),
        ("arm64", "macosx_11_0_arm64", "macosx_11_0_arm64"),
        ("arm64", "macosx_11_0_universal2", "macosx_11_0_arm64"),
        ("x86_64", "macosx_10_13_universal2", "macosx_10_13_x86_64"),
    ],
)
def test_the_tag_names_the_platform_only(
    processor: str, given: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: processor)
    assert recipe.wheel_tag(given) == ("py3", "none", expected)


def test_levels_of_a_machine() -> None:
    assert recipe.levels("x86_64") == LEVELS
    assert recipe.levels("aarch64") == ["baseline"]
    assert recipe.levels(None) == recipe.levels(recipe.machine())


def test_no_library_is_for_one_processor_only() -> None:
    options = [*recipe.FLAGS, *(word for words in recipe.THREADS for word in words)]
    assert not [word for word in options if word.startswith(("-march", "-mcpu", "-mtune"))]
    assert "native" not in {level for levels in recipe.LEVELS.values() for level in levels}


@pytest.mark.parametrize(
    ("name", "machine"),
    [
        ("linux-x86_64", "x86_64"),
        ("linux-aarch64", "aarch64"),
        ("macosx-11.0-universal2", None),
    ],
)
def test_commands_of_setuptools(name: str, machine: str | None) -> None:
    pytest.importorskip("setuptools.command.bdist_wheel")
    from setuptools import Distribution, Extension

    from cupysim.native.extension import BuildLibraries, PlatformWheel

    package = Distribution({"name": "some", "ext_modules": [Extension("some.libraries", [])]})
    build = BuildLibraries(package)
    build.plat_name = name
    assert build._machine() == machine
    wheel = PlatformWheel(package)
    wheel.plat_name = name
    wheel.ensure_finalized()
    python, interface, found = wheel.get_tag()
    assert (python, interface) == ("py3", "none")
    assert found.startswith(name.split("-")[0])
    assert "universal" not in found


@pytest.mark.parametrize(
    "name", [GOOD, "cupysim-1.2-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"]
)
def test_good_wheels(name: str, script: ModuleType) -> None:
    members = [*LIBRARIES, "cupysim/__init__.py", "cupysim.libs/libgomp-0.so.1"]
    assert script.wrong_with(name, members, "x86_64", LEVELS) == []


@pytest.mark.parametrize(
    "name",
    [
        "cupysim-1.2-cp311-cp311-manylinux_2_34_x86_64.whl",
        "cupysim-1.2-py3-none-any.whl",
        "cupysim-1.2-py3-none-linux_x86_64.whl",
        "cupysim-1.2-py3-none-manylinux_2_34_aarch64.whl",
        "cupysim-1.2-py3-none-manylinux_2_34_x86_64.manylinux_2_34_aarch64.whl",
    ],
)
def test_wheels_with_another_tag(name: str, script: ModuleType) -> None:
    (problem,) = script.wrong_with(name, LIBRARIES, "x86_64", LEVELS)
    assert problem.startswith("the tag of")


@pytest.mark.parametrize("number", range(len(LIBRARIES)))
def test_wheels_without_a_library(number: int, script: ModuleType) -> None:
    missing = LIBRARIES[number].rpartition("/")[2]
    members = [*LIBRARIES[:number], *LIBRARIES[number + 1 :]]
    problems = script.wrong_with(GOOD, members, "x86_64", LEVELS)
    assert problems == [f"{missing} is missing"]


def test_wheels_with_a_library_too_many(script: ModuleType) -> None:
    members = [*LIBRARIES, "cupysim/native/libother.so"]
    problems = script.wrong_with(GOOD, members, "x86_64", LEVELS)
    assert problems == ["libother.so is not expected"]


@pytest.mark.parametrize("option", ["-march=native", "-mcpu=native"])
def test_compilers_for_one_processor_are_refused(
    option: str, script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = make_program(tmp_path / "compiler", "exit 0")
    monkeypatch.setenv("CXX", compiler)
    assert script.find_compiler("x86_64") == compiler
    monkeypatch.setenv("CXX", f"{compiler} {option}")
    with pytest.raises(script.FailedError, match="this processor only"):
        script.find_compiler("x86_64")


def test_its_golden_cases_exist(script: ModuleType) -> None:
    for name in script.CASES:
        assert (ROOT / "tests" / "golden" / "cases" / name / "float.npz").exists(), name
