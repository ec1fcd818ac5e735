"""Full disks, permissions, closed streams, pipes, interruptions: nothing half, nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_bad_input import BASE
from tests.conftest import Run


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(run: Run, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    outcome = run(f"{BASE} -floatfile locked/f.bin")
    assert outcome.status == 9
    assert "is not writable" in outcome.err


def test_full_disk(run: Run, tmp_path: Path) -> None:
    """A device without space: one line, and the other files do not appear."""
    outcome = run(f"{BASE} -noisefile /dev/full")
    assert outcome.status == 9
    assert "cannot write /dev/full: No space left on device" in outcome.err
    assert outcome.files == {}


def test_file_size_limit_leaves_nothing(tmp_path: Path) -> None:
    """A disk which is full in the middle of a file, as a limit on file sizes."""
    script = (
        "import resource, signal, sys; from cupysim.cli.main import main;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300));"
        "sys.exit(main(sys.argv[1:]))"
    )
    (tmp_path / "intimage.img").write_bytes(b"precious")
    done = subprocess.run(
        [sys.executable, "-c", script, *BASE.split()],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 9
    assert done.stderr == "cupysim: error: cannot write floatimage.bin: File too large\n"
    assert [path.name for path in tmp_path.iterdir()] == ["intimage.img"]
    assert (tmp_path / "intimage.img").read_bytes() == b"precious"


def test_interruption_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C, and a polite kill, in the middle of a long render."""
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        words = [*BASE.split(), "-detpixels", "2000", "-oversample", "50"]
        # a shell which runs the tests in the background makes its children ignore Ctrl-C
        start = (
            "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
            "from cupysim.cli.main import main; sys.exit(main(sys.argv[1:]))"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", start, *words],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            while "oversample steps" not in process.stdout.readline():
                assert process.poll() is None
            process.send_signal(number)
            process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == status
        assert list(tmp_path.iterdir()) == []


def test_a_reader_who_goes_away_does_not_stop_the_run(tmp_path: Path) -> None:
    command = f"{sys.executable} -m cupysim {BASE} -detpixels 300 | head -n 1"
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert (tmp_path / "noiseimage.img").exists()


@pytest.mark.parametrize(
    "redirection", ["2>&-", "2>/dev/full", ">&-", "<&-", "2>&1 >/dev/null | true"]
)
def test_runs_do_not_need_somebody_who_reads(redirection: str, tmp_path: Path) -> None:
    command = f"{sys.executable} -m cupysim {BASE} stray {redirection}"
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("words", ["-h", "-version"])
def test_help_into_a_pipe_which_closes(words: str) -> None:
    command = f"{sys.executable} -m cupysim {words} | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_output_into_pipes(tmp_path: Path) -> None:
    """As /dev/stdout, and as the shell's process substitution."""
    for target in ("/dev/stdout", ">(cat > through)"):
        command = (
            f"{sys.executable} -m cupysim {BASE} -noprogress -floatfile {target} | tail -c 999"
        )
        done = subprocess.run(
            ["bash", "-c", f"{command}; wait; sleep 0.2"],
            cwd=tmp_path, capture_output=True, check=True,
        )  # fmt: skip
        assert done.stderr == b""
    assert (tmp_path / "through").stat().st_size == 4 * 144


def test_a_failed_rename_restores_what_was_replaced(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["floatimage.bin", "intimage.img", "noiseimage.img"]
    for name in names[:2]:
        (tmp_path / name).write_bytes(b"old")
    original = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if target.name == "noiseimage.img":
            raise PermissionError(1, "Operation not permitted")
        return original(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    outcome = run(f"{BASE} -nopgm")
    assert outcome.status == 9
    assert "noiseimage.img: Operation not permitted" in outcome.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(
        names[:2], b"old"
    )


def test_files_are_replaced_not_overwritten(run: Run, tmp_path: Path) -> None:
    """Who has the old file open keeps the old content."""
    path = tmp_path / "floatimage.bin"
    path.write_bytes(b"old")
    with path.open("rb") as before:
        assert run(BASE).status == 0
        assert before.read() == b"old"
    assert path.stat().st_size == 4 * 144


def test_interruption_while_files_are_put_in_place(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits until all of them are there."""
    original = Path.replace

    def replace(self: Path, target: Path) -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        return original(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    outcome = run(BASE)
    assert outcome.status == 130
    assert outcome.err == "cupysim: error: interrupted; all files were written\n"
    assert len(outcome.files) == 4


def test_a_pipe_without_reader_can_be_given_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    # a background shell makes its children ignore Ctrl-C, Python's own handler undoes that
    start = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from cupysim.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    # in the foreground, timeout sends one signal, not another one to its group
    command = [
        "timeout",
        "--foreground",
        "-s",
        "INT",
        "3",
        sys.executable,
        "-c",
        start,
        *BASE.split(),
    ]
    done = subprocess.run(
        [*command, "-intfile", "pipe"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == "cupysim: error: interrupted; nothing was written\n"
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_pipe_which_lies_around_is_not_read(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "Fdump.bin")
    assert run(BASE).status == 0
