"""The command ``cupysim parity``: with programs in the place of the C program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cupysim.cli.main import main
from cupysim.parity import cases as parity_cases
from cupysim.parity.cases import default_cases, read_cases
from tests.conftest import GOLDEN, INPUTS

SMALL = "-cell 50 -default_F 10 -N 5 -detpixels 20 -pixel 2 -lambda 1 -distance 60 -seed 3"
OURS = f"{sys.executable} -m cupysim"
LIST = f"""# two cases
first: {SMALL}
{SMALL} -round_xtal -hkl few.hkl   # without a name
"""


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["parity", *words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text(LIST)
    shutil.copyfile(INPUTS / "few.hkl", tmp_path / "few.hkl")
    return tmp_path


def program(folder: Path, text: str) -> str:
    """A program which takes nanoBragg's options."""
    path = folder / "program"
    path.write_text(f"#!{sys.executable}\nimport sys\nfrom cupysim.cli.main import main\n{text}\n")
    path.chmod(0o755)
    return "./program"


def test_a_list_and_a_program(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--reference", f"{OURS} -backend numpy", "--cases", "list.txt"]
    status, out, _ = told([*words, "--backend", "numpy"], capsys)
    assert status == 0
    lines = out.splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [
        ["first", "numpy", "double"], ["line", "3", "numpy"],
    ]  # fmt: skip
    # all four files, the noise of a known seed among them
    assert "4/4" in lines[1]
    assert lines[-2] == "2 of 2 the same"
    assert lines[-1].startswith("numpy double: 2 runs of the whole command in")
    # nothing was written here
    assert {path.name for path in folder.iterdir()} == {"list.txt", "few.hkl"}


def test_all_backends_and_precisions(
    folder: Path, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--reference", f"{OURS} -backend numpy", "--backend", backend, "--json"]
    words += ["--precision", "double", "--precision", "mixed", *SMALL.split()]
    status, out, _ = told(words, capsys)
    assert status == 0
    rows = json.loads(out)
    precisions = ["double"] if backend == "numpy" else ["double", "mixed"]
    assert [(row["backend"], row["precision"]) for row in rows] == [
        (backend, precision) for precision in precisions
    ]
    assert all(row["same"] and row["pixels"] == 400 for row in rows)
    assert rows[0]["correlation"] > 0.999999
    assert set(rows[0]["files_equal"]) == {
        "floatimage.bin", "intimage.img", "image.pgm", "noiseimage.img",
    }  # fmt: skip


def test_a_program_which_differs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table says where, and how to look into the pixel."""
    wrong = program(folder, "sys.exit(main([*sys.argv[1:], '-Xbeam', '25']))")
    status, out, _ = told(["--reference", wrong, "--backend", "numpy", *SMALL.split()], capsys)
    assert status == 1
    assert "DIFFERENT: 400 of 400 pixels beyond 1e-06" in out
    assert f"look there: cupysim trace {SMALL} --pixel" in out
    assert out.splitlines()[-1] == "0 of 1 the same"


FAILURES = {
    "import os, shutil; shutil.rmtree(os.getcwd())": "wrote no floatimage.bin",
    "print('all is lost', file=sys.stderr); sys.exit(3)": "ended with status 3: all is lost",
    "sys.exit(0)": "program wrote no floatimage.bin of 20 x 20 pixels",
    "open('floatimage.bin', 'wb').write(bytes(100))": "program wrote no floatimage.bin of 20",
    "import time; time.sleep(60)": "program was stopped after 1 s",
    "import numpy as n; n.full(400, n.nan, 'f4').tofile('floatimage.bin')": "not finite",
}


@pytest.mark.parametrize("text", FAILURES)
def test_programs_which_fail(text: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--reference", program(folder, text), "--backend", "numpy", "--timeout", "1"]
    if "sleep" not in text:
        words[-1] = "60"
    status, out, _ = told([*words, *SMALL.split()], capsys)
    assert status == 1
    assert FAILURES[text] in out


def test_stored_images(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--cases", str(GOLDEN), "--only", "conv_adxv", "--only", "fdump_reread"]
    status, out, _ = told([*words, "--only", "benchmark_512", "--backend", "numpy"], capsys)
    assert status == 0
    assert out.splitlines()[-1] == "3 of 3 the same"


def test_stored_images_which_differ(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another image in the place of one which is stored, and of a sample."""
    for name in ("roi", "benchmark_512"):
        shutil.copytree(GOLDEN / "cases" / name, folder / "golden" / "cases" / name)
    shutil.copytree(INPUTS, folder / "golden" / "inputs")
    path = folder / "golden" / "cases" / "roi" / "float.npz"
    with np.load(path) as arrays:
        image = arrays["image"].copy()
    image[np.unravel_index(image.argmax(), image.shape)] *= 1.001
    np.savez(path, image=image)
    path = folder / "golden" / "cases" / "benchmark_512" / "sample.npz"
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, "sample": 2.0 * arrays["sample"]})
    case = folder / "golden" / "cases" / "benchmark_512" / "case.json"
    case.write_text(case.read_text().replace("aa2c35", "000000"))
    status, out, _ = told(["--cases", "golden", "--backend", "numpy"], capsys)
    assert status == 1
    assert "DIFFERENT: 1 of" in out
    assert "the NumPy backend's image differs from the stored sample of the reference" in out


def test_what_runs_leave_behind(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--reference", OURS, "--backend", "numpy", "--keep", "kept", *SMALL.split()]
    assert told(words, capsys)[0] == 0
    kept = {str(path.relative_to(folder / "kept")) for path in (folder / "kept").rglob("*.bin")}
    assert kept == {
        "000_options/reference/floatimage.bin", "000_options/numpy-double/floatimage.bin",
    }  # fmt: skip
    status, _, err = told(words, capsys)
    assert status == 2
    assert "--keep: kept: File exists" in err


def test_inputs_elsewhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files above the folder, and named from the root."""
    (folder / "below").mkdir()
    (folder / "below" / "list.txt").write_text(
        f"up: {SMALL} -hkl ../few.hkl\nroot: {SMALL} -hkl {folder}/few.hkl\n"
    )
    words = ["--reference", OURS, "--backend", "numpy", "--cases", "below/list.txt"]
    assert told(words, capsys)[0] == 0


@pytest.mark.parametrize("change", ["output", "word", "input", "shape", "nul"])
def test_stored_cases_stay_in_their_folder(
    change: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "precious.bin").write_text("precious")
    case = json.loads((GOLDEN / "cases" / "roi" / "case.json").read_text())
    if change == "output":
        case["outputs"]["float"] = str(folder / "precious.bin")
    elif change == "word":
        case["args"] += ["-floatfile", str(folder / "precious.bin")]
    elif change == "input":
        case["inputs"] = ["../precious.bin"]
    elif change == "shape":
        case["shape"] = [-4, 4]
    else:
        case["inputs"] = ["a\0b"]
    target = folder / "golden" / "cases" / "roi"
    shutil.copytree(GOLDEN / "cases" / "roi", target)
    (target / "case.json").write_text(json.dumps(case))
    status, _, err = told(["--cases", "golden", "--backend", "numpy"], capsys)
    assert status == 2
    assert "no case" in err
    assert (folder / "precious.bin").read_text() == "precious"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"nothing"])
def test_damaged_images(content: bytes, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(GOLDEN / "cases" / "cubic_defaultF", folder / "golden" / "cases" / "cubic")
    (folder / "golden" / "cases" / "cubic" / "float.npz").write_bytes(content)
    status, _, err = told(["--cases", "golden", "--backend", "numpy"], capsys)
    assert status == 2
    assert "float.npz: no stored image" in err


def test_logs_are_in_no_ones_way(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--reference", OURS, "--backend", "numpy", *SMALL.split(), "-floatfile", "stdout"]
    assert told(words, capsys)[0] == 0


def test_programs_end_with_their_children(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those which are stopped, and those which leave something behind."""
    child = "import subprocess; p = subprocess.Popen(['sleep', '600']); "
    note = f"open({str(folder / 'pid')!r}, 'w').write(str(p.pid)); "
    for rest in ("import time; time.sleep(600)", "sys.exit(0)"):
        words = ["--reference", program(folder, child + note + rest), "--backend", "numpy"]
        assert told([*words, "--timeout", "3", *SMALL.split()], capsys)[0] == 1
        pid = int((folder / "pid").read_text())
        status = Path(f"/proc/{pid}/stat")
        # ended, and perhaps not yet waited for by the system's first process
        assert not status.exists() or status.read_text().split()[2] == "Z"


def test_a_run_which_is_ended_leaves_nothing(folder: Path) -> None:
    (folder / "tmp").mkdir()
    wait = program(folder, f"open({str(folder / 'ready')!r}, 'w'); import time; time.sleep(600)")
    process = subprocess.Popen(
        [sys.executable, "-m", "cupysim", "parity", "--reference", wait, *SMALL.split()],
        cwd=folder, env={**os.environ, "TMPDIR": str(folder / "tmp")}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(600):
        if (folder / "ready").exists():
            break
        time.sleep(0.1)
    process.terminate()
    assert process.wait(60) != 0
    assert not list((folder / "tmp").iterdir())


def test_the_lists_which_are_shipped() -> None:
    """All can be built, cover the options, and are told apart by name."""
    cases = default_cases(with_reference=True)
    assert len({case.name for case in cases}) == len(cases) > 30
    assert {"benchmark_512", "benchmark_4096", "mosaic", "xds"} <= {case.name for case in cases}
    stored = default_cases(with_reference=False)
    assert len(stored) == len(list((GOLDEN / "cases").iterdir()))


def test_no_stored_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of an installation, not a checkout."""
    monkeypatch.setattr(
        parity_cases.cupysim, "__file__", str(tmp_path / "site/cupysim/__init__.py")
    )
    with pytest.raises(Exception, match="no stored images here: --cases FOLDER"):
        default_cases(with_reference=False)


def test_lines_which_cannot_be_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each says why, and the others run."""
    (folder / "bad.txt").write_text(
        f"random: {SMALL} -misset random\noutside: {SMALL} -floatfile outside/x.bin\n"
        f"{SMALL} -distance x\ngood: {SMALL}\n"
    )
    words = ["--reference", OURS, "--cases", "bad.txt", "--backend", "numpy"]
    status, out, _ = told(words, capsys)
    assert status == 1
    assert "FAILED: -misset random without -misset_seed is never the same" in out
    assert "FAILED: outside/x.bin is an output outside of the case's own folder" in out
    assert "FAILED: -distance: expected a number" in out
    assert "1 of 4 the same" in out
    assert not (folder / "outside").exists()
    # of options on the command line it is an error
    status, _, err = told(["--reference", OURS, *SMALL.split(), "-misset", "random"], capsys)
    assert status == 2
    assert "-misset random without" in err


def test_the_reference_has_its_own_package(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version of cupysim, which is found by its own path."""
    (folder / "other" / "cupysim").mkdir(parents=True)
    (folder / "other" / "cupysim" / "__init__.py").write_text("")
    (folder / "other" / "cupysim" / "__main__.py").write_text("import sys; sys.exit(7)")
    monkeypatch.setenv("PYTHONPATH", str(folder / "other"))
    _, out, _ = told(["--reference", OURS, "--backend", "numpy", *SMALL.split()], capsys)
    assert "ended with status 7" in out


def test_a_dump_which_lies_about(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copyfile(INPUTS / "Fdump_small.bin", folder / "Fdump.bin")
    words = ["--reference", OURS, "--backend", "numpy", "--keep", "kept", *SMALL.split()]
    assert told(words, capsys)[0] == 0
    assert not list((folder / "kept").rglob("Fdump.bin"))


def test_usage_is_no_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = program(folder, "print('usage: this and that'); sys.exit(9)")
    _, out, _ = told(["--reference", wrong, "--backend", "numpy", *SMALL.split()], capsys)
    assert "FAILED: program ended with status 9 (it printed its usage)" in out


ERRORS = {
    "--reference ./nowhere": "there is no program './nowhere'",
    "--reference ''": "there is no program ''",
    "--cases list.txt": "a list has no stored images; name a program with --reference CMD",
    "-cell 50": "options need a program to compare with: --reference CMD",
    "--cases list.txt -cell 50": "--cases and options exclude each other",
    "--cases nowhere": "nowhere: No such file",
    "--cases empty.txt": "no cases in it",
    "--cases bad.txt": "bad.txt, line 2: expected NAME: OPTIONS",
    "--cases quote.txt": "quote.txt, line 1: No closing quotation",
    "--cases damaged": "case.json: no case",
    "--backend numpy --precision mixed": "the numpy backend computes in double precision only",
    "--rtol -1": "--rtol: expected a number",
    "--timeout 0": "--timeout: expected seconds up to 1e+06",
    "--only nothing_like_it": "no case has nothing_like_it in its name",
}


@pytest.mark.parametrize("words", ERRORS)
def test_errors(words: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "empty.txt").write_text("# nothing\n\n")
    (folder / "bad.txt").write_text(f"a: {SMALL}\nwhat is this\n")
    (folder / "quote.txt").write_text("a: -cell '50\n")
    (folder / "damaged" / "cases" / "x").mkdir(parents=True)
    (folder / "damaged" / "cases" / "x" / "case.json").write_text("{}")
    import shlex

    status, out, err = told(shlex.split(words), capsys)
    assert (status, out) == (2, "")
    assert ERRORS[words] in err.splitlines()[-1]


def test_read_cases_of_the_golden_folder() -> None:
    found = {case.name: case for case in read_cases(GOLDEN)}
    case = found["rectangular_detpixels"]
    image = case.stored_image()
    assert image is not None
    assert image.shape == case.shape == (130, 70)
    assert found["benchmark_4096"].stored_image() is None
