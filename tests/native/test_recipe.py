"""The recipe which compiles libraries: what it does with compilers of all kinds."""

from __future__ import annotations

import ctypes
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from cupysim.backends.compiled.kernel_source import joined_source
from cupysim.native import recipe
from cupysim.native.recipe import BASELINE, RENDER, TOOLS, BuildError, compile_library
from tests.native.support import (
    CXX,
    SOURCES,
    WORDS,
    make_compiler,
    make_program,
    needs_compiler,
    only_shape,
    render,
)

FAST = ("-O0",)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The sources, to be changed."""
    return Path(shutil.copytree(SOURCES, tmp_path / "sources"))


def refused(folder: Path, sources: Path = SOURCES) -> str:
    """The error of a failing compilation, which leaves nothing behind."""
    folder = folder / "made"
    with pytest.raises(BuildError) as error:
        compile_library(TOOLS, BASELINE, sources, folder / "library.so", FAST)
    assert not folder.exists() or list(folder.iterdir()) == []
    message = str(error.value)
    assert message
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    ("compiler", "message"),
    [
        ("false", "false failed: no message"),
        ("true", "true failed: no message"),
        ("false -with options", "false -with options failed: no message"),
        ("/nonexistent/c++", "/nonexistent/c++ cannot be run: No such file or directory"),
        ("/", "/ cannot be run: Permission denied"),
        ("g++ 'unfinished", 'the variable CXX, "g++ \'unfinished", cannot be read: No closing'),
    ],
)
def test_useless_compilers(
    compiler: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program(tmp_path / "false", "exit 1")
    make_program(tmp_path / "true", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", compiler)
    assert refused(tmp_path).startswith(message)


def test_what_a_compiler_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talkative = "echo a warning >&2; echo >&2; echo fatal error: no disk >&2; exit 1"
    monkeypatch.setenv("CXX", make_program(tmp_path / "talkative", talkative))
    assert refused(tmp_path).endswith("talkative failed: fatal error: no disk")
    monkeypatch.setenv("CXX", make_program(tmp_path / "odd", "echo >&2; echo kaputt >&2; exit 1"))
    assert refused(tmp_path).endswith("odd failed: kaputt")


@pytest.mark.parametrize("given", [None, "", "  "])
def test_no_compiler(given: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    if given is not None:
        monkeypatch.setenv("CXX", given)
    assert refused(tmp_path).startswith("no C++ compiler was found")


@pytest.mark.parametrize("name", ["c++", "g++", "clang++"])
def test_usual_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_program(tmp_path / name, "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert recipe.find_compiler() == [name]


@needs_compiler
def test_rejected_source(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", CXX)
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    source = sources / recipe.SOURCES[TOOLS]
    source.write_text(f"{source.read_text()}\nthis is no C++;\n")
    message = refused(tmp_path, sources)
    assert "tools.cpp" in message
    assert "error" in message


@needs_compiler
@pytest.mark.parametrize("rejected", ["-fopenmp", "-fopenmp*"])
def test_compilers_without_openmp(
    rejected: str, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer threads, the same image."""
    only_shape(sources, "SQUARE")
    without = f'for a in "$@"; do case $a in {rejected}) echo error: $a >&2; exit 1;; esac; done'
    images = []
    for name, before in (("with", ""), ("without", without)):
        monkeypatch.setenv("CXX", make_compiler(tmp_path, before, name=name))
        library = tmp_path / f"{name}.so"
        compile_library(RENDER, BASELINE, sources, library, FAST)
        images.append(render(library))
    assert images[0].max() > 0.0
    np.testing.assert_array_equal(images[0], images[1])


@needs_compiler
def test_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler which dies while it writes leaves an earlier library as it was."""
    folder = tmp_path / "made"
    library = folder / "library.so"
    half = make_program(
        tmp_path / "half",
        'while [ "$1" != -o ]; do shift; done; echo half >"$2"; exit 1',
    )
    monkeypatch.setenv("CXX", half)
    with pytest.raises(BuildError):
        compile_library(TOOLS, BASELINE, SOURCES, library, FAST)
    assert list(folder.iterdir()) == []
    monkeypatch.setenv("CXX", CXX)
    compile_library(TOOLS, BASELINE, SOURCES, library, FAST)
    before = library.read_bytes()
    monkeypatch.setenv("CXX", half)
    with pytest.raises(BuildError):
        compile_library(TOOLS, BASELINE, SOURCES, library, FAST)
    assert [path.name for path in folder.iterdir()] == [library.name]
    assert library.read_bytes() == before


@needs_compiler
def test_the_digest_is_that_of_the_sources(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", CXX)
    compile_library(TOOLS, BASELINE, sources, tmp_path / "library.so", FAST)
    library = ctypes.CDLL(str(tmp_path / "library.so"))
    library.cupysim_digest.restype = ctypes.c_char_p
    assert library.cupysim_digest().decode() == recipe.source_digest(sources)


def test_each_source_counts_in_the_digest(sources: Path) -> None:
    digests = {recipe.source_digest(sources)}
    files = [path for path in sources.iterdir() if path.suffix in (".cpp", ".cu", ".cuh")]
    for path in files:
        path.write_text(f"{path.read_text()}//\n")
        digests.add(recipe.source_digest(sources))
    assert len(digests) == 1 + len(files)
    (sources / "notes.txt").write_text("not compiled")
    assert recipe.source_digest(sources) in digests


@needs_compiler
def test_an_edited_header_gives_another_image(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice the amplitude of round crystals, four times the photons."""
    monkeypatch.setenv("CXX", CXX)
    only_shape(sources, "ROUND")
    header = sources / "lattice_factor.cuh"
    joined, images = [], []
    for name in ("before", "after"):
        library = tmp_path / f"{name}.so"
        compile_library(RENDER, BASELINE, sources, library, FAST)
        images.append(render(library, f"{WORDS} -round_xtal"))
        joined.append(joined_source(lambda name: (sources / name).read_text()))
        pattern = r"(SPHERE_IN_CUBE = )([\d.]+)"
        text, edits = re.subn(pattern, lambda m: f"{m[1]}2.0 * {m[2]}", header.read_text())
        assert edits == 1
        header.write_text(text)
    assert images[0].max() > 0.0
    np.testing.assert_array_equal(images[1], 4.0 * images[0])
    assert joined[0] != joined[1]


def test_levels() -> None:
    assert recipe.levels()[-1] == BASELINE
    supported = recipe.supported_levels()
    assert supported[-1] == BASELINE
    assert set(supported) <= set(recipe.levels())
    names = {recipe.file_name(name, level) for name in recipe.SOURCES for level in recipe.levels()}
    assert len(names) == len(recipe.SOURCES) * len(recipe.levels())
