"""The command ``cupysim compare``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cupysim.cli.commands import compare
from cupysim.cli.main import main
from tests.conftest import Run
from tests.parity.test_pixel import WORDS

SMALL = (
    "-cell 50 -default_F 10 -N 5 -detpixels 40 -pixel 1 -lambda 1 -distance 60 -nopgm -nodump "
    "-seed 3"
)


def told(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["compare", *words.split()])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def images(run: Run, tmp_path: Path) -> Path:
    """Files of all kinds, of an image and of another."""
    for name, more in (("a", ""), ("b", "-distance 61")):
        words = (
            f"{SMALL} {more} -floatfile {name}.bin -intfile {name}.img -noisefile {name}_noise.img "
            f"-h5file {name}.h5 -cbffile {name}.cbf"
        )
        assert run(words).status == 0
    return tmp_path


@pytest.mark.parametrize("kind", ["bin", "img", "h5", "cbf"])
def test_images(kind: str, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = told(f"a.{kind} a.{kind}", capsys)
    assert (status, out.splitlines()[0]) == (0, "the same")
    assert "1600 compared, 1600 equal" in out
    status, out, _ = told(f"a.{kind} b.{kind}", capsys)
    assert status == 1
    assert "pixels differ by more than 1e-06" in out.splitlines()[0]
    if kind != "bin":
        assert "distance       60 mm and 61 mm" in out


def test_kinds_may_differ(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An HDF5 file of counts and a CBF file of the same."""
    assert told("a.h5 a.cbf", capsys)[0] == 0
    assert told("a.bin a.img --corr 0.9", capsys)[0] == 0


def test_thresholds(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = told("a.bin b.bin --corr 0.5", capsys)
    assert (status, out.splitlines()[0]) == (0, "within the given thresholds")
    assert told("a.bin b.bin --corr 0.999999", capsys)[0] == 1
    assert told("a.bin b.bin --rtol 1e-6 --corr 0.5", capsys)[0] == 1
    assert told("a.bin a.bin --peaks 1", capsys)[0] == 0
    status, out, _ = told("a.bin b.bin --corr 1 --peaks 1 --rtol 0", capsys)
    assert status == 1
    assert all(text in out.splitlines()[0] for text in ("pixels differ", "correlation", "peaks"))


def test_json(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = told("a.bin b.bin --json --regions 2", capsys)
    content = json.loads(out)
    first, second = (np.fromfile(images / f"{name}.bin", np.float32) for name in "ab")
    assert content["sums"] == pytest.approx([first.sum(), second.sum()], rel=1e-5)
    assert content["same"] is False
    assert len(content["regions"]) == 4
    assert content["peaks"]["first"] > 0


def test_pixels_which_are_not_finite(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one image only they are a difference, in both they are left out."""
    pixels = np.fromfile(images / "a.bin", np.float32)
    for name, value in (("nan", np.nan), ("inf", np.inf)):
        pixels[pixels.argmax()] = value
        pixels.tofile(images / f"{name}.bin")
        pixels = np.fromfile(images / "a.bin", np.float32)
    for words in ("a.bin nan.bin", "inf.bin a.bin --corr 0.1"):
        status, out, _ = told(words, capsys)
        assert status == 1
        assert "1 pixels are finite in only one of the images" in out.splitlines()[0]
    assert told("nan.bin inf.bin", capsys)[0] == 0


def test_sizes_of_raw_images(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A raw float image has the size of the other."""
    run(f"{SMALL} -detpixels_x 30 -detpixels_y 20 -fluence 1e20 -h5file a.h5 -nonoise")
    for words in ("floatimage.bin a.h5", "a.h5 floatimage.bin"):
        assert told(words, capsys)[0] == 0
    status, _, err = told("floatimage.bin floatimage.bin", capsys)
    assert status == 2
    assert "--shape FAST SLOW" in err


def test_picture(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told("a.bin b.bin --picture d.png", capsys)[0] == 1
    assert (images / "d.png").read_bytes().startswith(b"\x89PNG")


def test_traces(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("-h")
    for name, more in (("a", ""), ("b", "-distance 60.5"), ("c", "--json")):
        assert main(["trace", *f"{WORDS} {more} --pixel 5 7 --pixel 1 2 --out {name}".split()]) == 0
    assert told("a a", capsys)[0] == 0
    status, out, _ = told("a c --table", capsys)
    assert status == 0
    assert out.count("pixel ") == 2
    assert "same    scattering_vector" in out
    status, out, _ = told("a b", capsys)
    assert status == 1
    assert "first divergence: distance_at_rest, in setup" in out
    assert "ratio" in out
    assert told("a b --rtol 1e6", capsys)[0] == 0
    status, out, _ = told("a b --json", capsys)
    found = [each["first_divergence"] for each in json.loads(out)["pixels"]]
    assert found == ["distance_at_rest"] * 2


def test_a_pipe_is_a_trace(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What shells make of <(command)."""
    import os
    import threading

    run("-h")
    main(["trace", *f"{WORDS} --pixel 5 7 --out a".split()])
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(
        target=lambda: (tmp_path / "pipe").write_bytes((tmp_path / "a").read_bytes())
    )
    writer.start()
    assert told("a pipe", capsys)[0] == 0
    writer.join()


def test_images_are_not_replaced_by_the_picture(
    images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "a.png").write_bytes((images / "a.bin").read_bytes())
    (images / "link.png").symlink_to(images / "b.bin")
    before = {path.name: path.read_bytes() for path in images.iterdir()}
    for words in ("a.png b.bin --picture a.png", "a.bin b.bin --picture link.png"):
        status, _, err = told(words, capsys)
        assert status == 2
        assert "it would replace an input file" in err
    assert {path.name: path.read_bytes() for path in images.iterdir()} == before


def test_no_peaks(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to match is no match, unless the images are equal."""
    for name, value in (("zero", 0.0), ("five", 5.0)):
        np.full(256, value, np.float32).tofile(images / f"{name}.bin")
    assert told("zero.bin five.bin --peaks 1", capsys)[0] == 1
    assert told("zero.bin zero.bin --peaks 1", capsys)[0] == 0


def test_a_shape_is_of_an_image(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever its bytes look like."""
    (images / "text").write_bytes(b"ABCD" * 64)
    assert told("text text --shape 8 8", capsys)[0] == 0


@pytest.mark.parametrize("kind", ["images", "traces"])
def test_a_reader_who_goes_away(kind: str, images: Path) -> None:
    """The exit status stays; a full disk is an error."""
    command = [sys.executable, "-m", "cupysim", "compare"]
    names = ["a.bin", "b.bin", "--regions", "40"]
    if kind == "traces":
        for name, more in (("a", ""), ("b", "-distance 60.5")):
            main(["trace", *f"{WORDS} {more} --pixel 5 7 --out {name}".split()])
        names = ["a", "b", "--table"]
    pipe = subprocess.Popen([*command, *names], cwd=images, stdout=subprocess.PIPE)
    assert pipe.stdout is not None
    pipe.stdout.readline()
    pipe.stdout.close()
    assert pipe.wait(60) == 1
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*command, *names], cwd=images, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert (
        done.stderr.decode()
        .splitlines()[-1]
        .startswith("cupysim compare: error: cannot write to standard output")
    )


def test_half_a_trace_is_not_the_same(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("-h")
    main(["trace", *f"{WORDS} --pixel 5 7 --pixel 1 2 --out both".split()])
    main(["trace", *f"{WORDS} --pixel 5 7 --out one".split()])
    text = (tmp_path / "one").read_text()
    (tmp_path / "cut").write_text(text[: text.index("TRACE: intensity_sum")])
    (tmp_path / "no_steps").write_text(
        text[: text.index("TRACE: step ")] + text[text.index("TRACE: intensity_sum") :]
    )
    (tmp_path / "twice").write_text(text * 2)
    for first, second, said in (
        ("one", "cut", "different: a result in one of the traces only"),
        ("cut", "one", "different: a result in one of the traces only"),
        ("one", "no_steps", "different: steps in one of the traces only"),
        ("both", "one", "pixel 1 2: only in both"),
        ("one", "both", "pixel 1 2: only in both"),
    ):
        status, out, _ = told(f"{first} {second}", capsys)
        assert status == 1
        assert said in out
        assert json.loads(told(f"{first} {second} --json", capsys)[1])["same"] is False
    status, _, err = told("one twice", capsys)
    assert status == 2
    assert "pixel 5 7 is twice" in err


NUMBERS = {
    "F_cell = .*": ["F_cell = abc", "F_cell = 1e200", "F_cell = 1" + "0" * 400],
    "n_cells = .*": ["n_cells = 5 5", "n_cells = inf inf inf", "n_cells = 1" + "0" * 400],
    "distance = .*": ["distance = 1e200 m", "distance = 1e-200 m", "distance = 5 furlong"],
    "pixel_size = .*": ["pixel_size = 0 m", "pixel_size = abc"],
    "oversample = .*": ["oversample = abc"],
    "mosaic_rotation = .*": ["mosaic_rotation = 1 0 0"],
    "hkl = .*": ["hkl = 1 2", "hkl = nan nan nan"],
    "detector_fast = .*": ["detector_fast = 1 0"],
    "photons = .*": ["photons = inf photons", "photons = nan photons"],
}


@pytest.mark.parametrize("pattern", NUMBERS)
def test_impossible_numbers(
    pattern: str, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They differ, and no more happens; also where everything else differs too."""
    run("-h")
    for name, more in (("a", ""), ("moved", "-Xbeam 13 -N 6")):
        main(["trace", *f"{WORDS} {more} --pixel 5 7 --strongest --out {name}".split()])
    text = (tmp_path / "a").read_text()
    for replacement in NUMBERS[pattern]:
        changed = re.sub(rf"(?m)(?<=^TRACE: ){pattern}$", replacement, text)
        assert changed != text
        (tmp_path / "b").write_text(changed)
        for words in ("a b", "b a", "b moved", "moved b"):
            status, _, err = told(words, capsys)
            assert status == 1 or "different steps" in err, (words, replacement)
            assert told(f"{words} --json", capsys)[0] == status


ERRORS = {
    "a.bin a.bin --rtol inf": "--rtol: expected a number from 0",
    "a.bin a.bin --rtol nan": "--rtol: expected a number from 0",
    "a.bin a.bin --shape -7 -1": "--shape: expected positive numbers",
    ". a.bin": ".: it is a directory",
    "a.bin a.pgm": "a.pgm: a greymap is only a picture; use the float image or the SMV image",
    "a.bin nowhere": "nowhere: No such file",
    "a.bin a.bin --rtol -1": "--rtol: expected a number from 0",
    "a.bin a.bin --corr 2": "--corr: expected a number from 0 to 1, got 2",
    "a.bin a.bin --regions 1000": "--regions: expected a number from 0 to 100",
    "a.bin a.bin --picture x.doc": "--picture: expected a name that ends in .png",
    "a.bin a.bin --picture no/x.png": "there is no directory",
    "a.bin a.bin --shape 3 4": "--shape FAST SLOW gives its size",
    "a.bin text": "text is a trace and the other file is an image",
    "text text": "text: no trace in it",
    "a.h5 a.h5 --image 3": "there is no image 3",
    "text text --picture d.png": "--picture: only for images",
}


@pytest.mark.parametrize("words", ERRORS)
def test_errors(words: str, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (images / "text").write_text("not a trace\n")
    (images / "a.pgm").write_bytes(b"P5\n1 1\n255\n\xff")
    status, out, err = told(words, capsys)
    assert (status, out) == (2, "")
    assert ERRORS[words] in err.splitlines()[-1]
    assert not list(images.glob("d.png"))


def test_exit_statuses_are_told() -> None:
    assert compare.__doc__ is not None
    assert "Exit status 0" in compare.__doc__
