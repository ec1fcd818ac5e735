"""Which library is loaded, when one is compiled, and what happens where none can be.

Each test runs a copy of the package which has no libraries of its own, in a process of its own.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cupysim.native import library, recipe
from cupysim.native.recipe import BASELINE, RENDER, TOOLS, compile_library
from tests.native.support import (
    COMPILER,
    SOURCES,
    WORDS,
    make_compiler,
    make_program,
    needs_compiler,
    only_shape,
)

WHICH = "from cupysim.native.library import load\nprint(load({!r})._name)"
MESSAGE = "cupysim: compiling {}, once for this machine ...\n"
FAST = ("-O0",)

Python = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with the package, without libraries."""
    folder = tmp_path / "house"
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(Path(library.__file__).parents[1], folder / "cupysim", ignore=ignored)
    shutil.copytree(SOURCES, folder / "cupysim" / "cuda_src", ignore=ignored, dirs_exist_ok=True)
    only_shape(folder / "cupysim" / "cuda_src", "SQUARE")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def digest(house: Path) -> str:
    """The digest of its sources."""
    return recipe.source_digest(house / "cupysim" / "cuda_src")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def start(house: Path, cache: Path, tmp_path: Path) -> Python:
    """Start Python, with a fast compiler of one's own and an empty cache."""
    compiler = make_compiler(tmp_path, options="-O0") if COMPILER else ""

    def run(*words: str, **variables: str) -> subprocess.Popen[str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("CUPYSIM_")
        }
        environment |= {"PYTHONPATH": str(house), "CUPYSIM_CACHE_DIR": str(cache)}
        environment |= {"CXX": compiler, "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= {"CUPYSIM_HOST_LEVEL": BASELINE, **variables}
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=house / "empty",
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return run


def end(process: subprocess.Popen[str], status: int = 0) -> tuple[str, str]:
    """Standard output and error."""
    out, err = process.communicate()
    assert process.returncode == status, err
    return out, err


def loaded(start: Python, kind: str = TOOLS, **variables: str) -> tuple[Path, str]:
    """The library which is loaded, and what is said."""
    out, err = end(start("-c", WHICH.format(kind), **variables))
    return Path(out.strip()), err


def refused(start: Python, **variables: str) -> tuple[str, str]:
    """Why there is no library, and what is said."""
    code = (
        "from cupysim.native.library import NoLibraryError, load\n"
        "for _ in range(2):\n"
        "    try:\n        load('tools')\n"
        "    except NoLibraryError as error:\n        print(error)"
    )
    out, err = end(start("-c", code, **variables))
    first, second = out.splitlines()
    assert first == second
    return first, err


@needs_compiler
def test_compiled_once(start: Python, cache: Path, digest: str) -> None:
    name = recipe.file_name(TOOLS, BASELINE)
    expected = cache / digest / name
    assert loaded(start) == (expected, MESSAGE.format(name))
    assert loaded(start, CXX="false") == (expected, "")
    kept = [path.name for path in cache.rglob("*") if path.is_file()]
    assert sorted(kept) == [name, f"{name}.sum"]


@needs_compiler
def test_an_installed_library_of_these_sources(house: Path, start: Python, cache: Path) -> None:
    installed = house / "cupysim" / "native" / recipe.file_name(TOOLS, BASELINE)
    compile_library(TOOLS, BASELINE, house / "cupysim" / "cuda_src", installed, FAST)
    assert loaded(start, CXX="false") == (installed, "")
    # no folder for a cache is needed then
    assert loaded(start, CXX="false", CUPYSIM_CACHE_DIR="/dev/null/none") == (installed, "")
    assert not cache.exists()


@needs_compiler
def test_an_installed_library_of_other_sources(
    house: Path, start: Python, cache: Path, tmp_path: Path, digest: str
) -> None:
    other = shutil.copytree(SOURCES, tmp_path / "other")
    header = other / "launch.cuh"
    header.write_text(f"{header.read_text()}// edited\n")
    name = recipe.file_name(TOOLS, BASELINE)
    compile_library(TOOLS, BASELINE, other, house / "cupysim" / "native" / name, FAST)
    path, said = loaded(start)
    assert path == cache / digest / name
    assert said == MESSAGE.format(name)


@needs_compiler
@pytest.mark.parametrize("content", [b"", b"garbage" * 99, b"\x7fELF" + bytes(500)])
def test_a_corrupt_file_in_the_cache(
    content: bytes, start: Python, cache: Path, digest: str
) -> None:
    name = recipe.file_name(TOOLS, BASELINE)
    path = cache / digest / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert loaded(start) == (path, MESSAGE.format(name))
    assert loaded(start, CXX="false") == (path, "")


@needs_compiler
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_library_in_the_cache_which_was_cut_short(
    part: float, start: Python, cache: Path
) -> None:
    """It would crash whoever loads it."""
    path, _ = loaded(start)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    assert loaded(start) == (path, MESSAGE.format(path.name))
    assert path.read_bytes() == whole


@needs_compiler
@pytest.mark.skipif(len(recipe.supported_levels()) < 2, reason="one level of instructions")
def test_an_old_compiler_makes_a_lower_level(start: Python, cache: Path, tmp_path: Path) -> None:
    rejected = 'case "$*" in *-march=*) echo error: bad value for -march >&2; exit 1;; esac'
    old = make_compiler(tmp_path, rejected, "-O0", name="old")
    path, said = loaded(start, RENDER, CXX=old, CUPYSIM_HOST_LEVEL="")
    assert path.name == recipe.file_name(RENDER, BASELINE)
    assert MESSAGE.format(path.name) in said


@needs_compiler
def test_an_interrupted_compilation_leaves_no_process(
    start: Python, cache: Path, tmp_path: Path
) -> None:
    slow = make_program(tmp_path / "slow", f"(sleep 60; touch {tmp_path / 'late'}) & wait")
    process = start("-c", WHICH.format(TOOLS), CXX=slow)
    assert process.stderr is not None
    assert "compiling" in process.stderr.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(tmp_path / "slow") not in running.stdout


@needs_compiler
def test_a_foreign_library_in_the_cache(
    start: Python, cache: Path, tmp_path: Path, digest: str
) -> None:
    """It is not even opened: what is not known to be whole is compiled anew."""
    name = recipe.file_name(TOOLS, BASELINE)
    path = cache / digest / name
    path.parent.mkdir(parents=True)
    source = tmp_path / "another.cpp"
    source.write_text("int another;\n")
    subprocess.run([*COMPILER, "-shared", "-fPIC", "-o", path, source], check=True)
    assert loaded(start) == (path, MESSAGE.format(name))
    assert loaded(start, CXX="false") == (path, "")


@needs_compiler
def test_a_cache_which_cannot_be_written(start: Python, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    reason, said = refused(start, CUPYSIM_CACHE_DIR=str(tmp_path / "file" / "cache"))
    assert "Not a directory" in reason
    assert str(tmp_path / "file") in reason
    assert said.count("\n") == 1


@needs_compiler
@pytest.mark.skipif(os.getuid() == 0, reason="nothing is forbidden to root")
def test_a_cache_without_permission(start: Python, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    reason, _ = refused(start, CUPYSIM_CACHE_DIR=str(tmp_path / "locked" / "cache"))
    assert "Permission denied" in reason


def test_nobody_has_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("CUPYSIM_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(OSError, match=r"no home folder .*CUPYSIM_CACHE_DIR"):
        library.cache_folder()


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"CUPYSIM_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"CUPYSIM_CACHE_DIR": "", "XDG_CACHE_HOME": "/b"}, "/b/cupysim"),
        ({"CUPYSIM_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/cupysim"),
    ],
)
def test_cache_folder(
    variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert library.cache_folder() == Path(folder)


@needs_compiler
def test_two_processes_compile_at_once(
    start: Python, cache: Path, tmp_path: Path, digest: str
) -> None:
    """Each compiler waits until the other has begun."""
    before = (
        f"touch {tmp_path}/began-$$\n"
        f"for i in $(seq 600); do\n  [ $(ls {tmp_path} | grep -c began) -ge 2 ] && break\n"
        "  sleep 0.05\ndone"
    )
    compiler = make_compiler(tmp_path, before, "-O0", name="patient")
    processes = [start("-c", WHICH.format(TOOLS), CXX=compiler) for _ in range(2)]
    ends = [end(process) for process in processes]
    name = recipe.file_name(TOOLS, BASELINE)
    path = cache / digest / name
    assert ends == [(f"{path}\n", MESSAGE.format(name))] * 2
    assert len(list(tmp_path.glob("began-*"))) == 2
    kept = sorted(path.parent.iterdir())
    assert kept == [path, path.with_name(f"{path.name}.sum")]
    assert loaded(start, CXX="false") == (path, "")


@needs_compiler
def test_levels_give_the_same_image(start: Python, house: Path, tmp_path: Path) -> None:
    levels = [level for level in (BASELINE, "x86-64-v3") if level in recipe.supported_levels()]
    if len(levels) == 1:
        pytest.skip("this processor has the baseline's instructions alone")
    compiler = make_compiler(tmp_path, options="-O1", name="better")
    processes = {
        level: start(
            "-m", "cupysim", *WORDS.split(), "-detpixels", "64", "-nonoise", "-nopgm",
            "-backend", "host", "-floatfile", f"{level}.bin",
            CXX=compiler, CUPYSIM_HOST_LEVEL=level,
        )
        for level in levels
    }  # fmt: skip
    images = []
    for level, process in processes.items():
        assert MESSAGE.format(recipe.file_name(RENDER, level)) in end(process)[1]
        images.append(np.fromfile(house / "empty" / f"{level}.bin", dtype=np.float32))
    assert images[0].max() > 0.0
    difference = np.abs(images[0].astype(np.float64) - images[1]).max()
    assert difference <= 1e-9 * images[0].max()


@pytest.mark.parametrize(
    ("wanted", "taken"), [(None, "best"), ("low", "low"), ("unknown", "best"), ("", "best")]
)
def test_level(wanted: str | None, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "supported_levels", lambda: ["best", "low"])
    monkeypatch.delenv(library.LEVEL_VARIABLE, raising=False)
    if wanted is not None:
        monkeypatch.setenv(library.LEVEL_VARIABLE, wanted)
    assert library.level() == taken


def test_without_a_compiler_numpy_serves(start: Python, house: Path) -> None:
    """And says so once in a process, however often it is used."""
    code = (
        "from cupysim import from_args, simulate\n"
        "from cupysim.cli.main import main\n"
        "import sys\n"
        "for _ in range(2):\n"
        "    assert main(sys.argv[1:]) == 0\n"
        "simulate(from_args(sys.argv[1:]))\n"
    )
    words = [*WORDS.split(), "-detpixels", "16", "-noprogress", "-nonoise", "-nopgm"]
    words += ["-backend", "auto"]
    # GPUs are another matter
    without = {"CXX": "", "PATH": str(house / "empty"), "CUDA_VISIBLE_DEVICES": ""}
    _, err = end(start("-c", code, *words, **without))
    (line,) = [line for line in err.splitlines() if "NumPy" in line]
    assert line.startswith("cupysim: warning: rendering with NumPy")
    assert "no C++ compiler was found" in line
    assert "compiling" not in err


@pytest.mark.parametrize("compiler", ["", "false"])
def test_without_a_compiler_host_is_an_error(compiler: str, start: Python, house: Path) -> None:
    words = [*WORDS.split(), "-detpixels", "16", "-backend", "host"]
    _, err = end(start("-m", "cupysim", *words, CXX=compiler, PATH=str(house / "empty")), 9)
    lines = [line for line in err.splitlines() if "compiling" not in line]
    if compiler == "":
        assert lines == err.splitlines()
        assert lines == [
            "cupysim: error: backend host: no C++ compiler was found "
            "(c++, g++, clang++ or the variable CXX)"
        ]
    else:
        (line,) = lines
        assert line.startswith("cupysim: error: backend host: false ")
    assert list((house / "empty").iterdir()) == []


@needs_compiler
def test_another_struct_is_refused(
    house: Path, start: Python, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A struct which Python does not know cannot be filled."""
    sources = shutil.copytree(SOURCES, tmp_path / "other")
    header = sources / "launch.cuh"
    header.write_text(
        header.read_text().replace("double n_steps;", "double n_steps;\n    double more;")
    )
    made = tmp_path / "other.so"
    compile_library(RENDER, BASELINE, sources, made, FAST)
    from cupysim.backends.compiled import host_library

    with pytest.raises(library.NoLibraryError, match="another version of cupysim"):
        host_library.prepare(ctypes.CDLL(str(made)))
