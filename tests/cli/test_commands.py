"""The sub-commands show and info, and quick-look pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image as Picture

from cupysim.cli.main import main
from cupysim.errors import CupysimError
from cupysim.formats import png, smv
from tests.conftest import Run

WORDS = (
    "-cell 70 80 90 -default_F 100 -N 5 -lambda 1.1 -detpixels_f 60 -detpixels_s 40 -pixel 1 -xds "
    "-misset 10 20 30 -fluence 1e27 -water 3 -seed 1 -nodump -h5file shot.h5 -cbffile shot.cbf "
    "-pngfile shot.png"
)

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Runs a sub-command beside the files of an image; gives its status, output and errors."""
    outcome = run(WORDS)
    assert outcome.status == 0, outcome.err
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)

    def run_command(words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(words.split())
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run_command


def test_info(command: Command) -> None:
    status, out, err = command("info shot.h5 shot.cbf intimage.img floatimage.bin --shape 60 40")
    assert (status, err) == (0, "")
    about = dict(zip(("h5", "cbf", "smv", "float"), out.split("\n\n"), strict=True))
    for kind, name in (("h5", "NeXus/HDF5, int32"), ("cbf", "CBF, int32"), ("smv", "SMV, uint16"),
                       ("float", "raw float32")):  # fmt: skip
        assert name in about[kind]
        assert "60 x 40 pixels" in about[kind]
    for kind in ("h5", "cbf", "smv"):
        assert "wavelength    1.1 A" in about[kind]
        assert "beam centre   30.000 20.000 pixels" in about[kind]
    assert "cell          70.000 80.000 90.000 A, 90.00 90.00 90.00 degrees" in about["h5"]
    assert "5 x 5 x 5 cells, square" in about["h5"]
    assert "-water 3" in about["h5"]
    assert "noise seed    1" in about["h5"]
    with h5py.File("shot.h5") as file:
        spots = file["entry/cupysim/spots"][()]
        strongest = spots[np.argmax(spots["photons"])]
    h, k, l, photons = (strongest[name] for name in ("h", "k", "l", "photons"))
    assert f"; the strongest, {h} {k} {l} at " in about["h5"]
    assert f", has {photons:.3g} expected photons" in about["h5"]
    maximum = np.fromfile("floatimage.bin", dtype=np.float32).max()
    assert f"to {maximum:g} (at" in about["float"]


PICTURES = {
    "one": "shot.h5 --hkl",
    "several": "shot.h5 shot.cbf intimage.img --same-scale",
    "difference": "shot.h5 shot.cbf --difference",
    "ratio": "intimage.img shot.h5 --ratio",
    "raw": "floatimage.bin --shape 60 40 --scale linear --rings 3 4 5 3",
    "bare": "shot.cbf --rings --scale sqrt --vmin 0 --vmax 100 --cmap viridis",
}


@pytest.mark.parametrize("case", PICTURES)
def test_show_saves_pictures(case: str, command: Command) -> None:
    before = set(Path().iterdir())
    status, _, err = command(f"show {PICTURES[case]} --save picture.png --dpi 60")
    assert (status, err) == (0, "")
    with Picture.open("picture.png") as picture:
        colours = picture.convert("RGB").getcolors(2**24)
        assert colours is not None
        assert len(colours) > 20
    assert set(Path().iterdir()) - before == {Path("picture.png")}


@pytest.mark.parametrize("kind", ["pdf", "svg", "jpg"])
def test_kinds_of_pictures(kind: str, command: Command) -> None:
    assert command(f"show shot.h5 --save picture.{kind}")[0] == 0
    beginning = {"pdf": b"%PDF", "svg": b"<?xml", "jpg": b"\xff\xd8"}[kind]
    assert Path(f"picture.{kind}").read_bytes().startswith(beginning)


ERRORS = {
    "info nothing.h5": "nothing.h5: No such file or directory",
    "info floatimage.bin": "--shape FAST SLOW gives its size",
    "info floatimage.bin --shape 60 41": "are not the raw float32 numbers of 60 x 41 pixels",
    "show shot.h5": "there is no display for a window; --save FILE writes a picture",
    "show shot.h5 --save a.gif": "--save: expected a name that ends in .png",
    "show shot.h5 --save no/a.png": "there is no directory",
    "show shot.h5 --save a.png --difference": "compare two files",
    "show shot.h5 other.bin --save a.png --ratio": "pixels differ in size",
    "show shot.cbf --save a.png --spots": "it holds no predicted spots",
    "show shot.h5 --save a.png --cmap nothing": "has no colour map 'nothing'",
    "show shot.h5 --save a.png --vmin 5 --vmax 4": "vmax: must be above vmin",
    "show shot.h5 --save a.png --dpi 0": "--dpi: from 10 to 1200, got 0",
    "show shot.h5 --save a.png --dpi 1000000": "--dpi: from 10 to 1200",
    "show shot.h5 --save a.png --vmax inf": "--vmax: expected a finite number",
    "show shot.h5 --save a.png --rings inf": "--rings: expected resolutions",
    "info /dev/zero": "not a regular file",
    "show shot.h5 --save a.png --image 1": "there is no image 1; the file has 0 to 0",
}


@pytest.mark.parametrize("words", ERRORS)
def test_errors(words: str, command: Command) -> None:
    np.zeros((10, 10), dtype=np.float32).tofile("other.bin")
    before = set(Path().iterdir())
    status, _, err = command(words)
    assert status == 2
    assert err.count("\n") == 1
    assert ERRORS[words] in err
    assert set(Path().iterdir()) == before


def test_show_of_spots_which_are_not_there(command: Command, run: Run) -> None:
    assert (
        run("-cell 70 -default_F 1 -N 2 -lambda 1 -detpixels 9 -curved_det -h5file c.h5").status
        == 0
    )
    status, _, err = command("show c.h5 --save a.png --spots")
    assert status == 2
    assert "no spots are predicted for it" in err


@pytest.mark.parametrize("words", ["show", "info", "show a --scale x", "info a --nothing"])
def test_wrong_arguments(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    name = words.split()[0]
    assert line.startswith(f"cupysim {name}: error: ")
    assert line.endswith(f"cupysim {name} --help lists the arguments")


@pytest.mark.parametrize("words", ["show --help", "info -h"])
def test_help(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 0
    assert "usage: cupysim" in capsys.readouterr().out


def test_quick_look(command: Command) -> None:
    with Picture.open("shot.png") as picture:
        assert picture.size == (60, 40)
        assert picture.mode == "L"
        tones = np.asarray(picture)
    counted = smv.read("noiseimage.img").image
    brightest = np.unravel_index(np.argmax(counted), counted.shape)
    assert tones[brightest] < 20  # spots are black
    assert np.median(tones) > 200  # the background is white


def test_pictures_have_a_limit_and_lose_no_spot() -> None:
    image = np.zeros((5000, 3001), dtype=np.float32)
    image[4999, 3000] = image[17, 33] = 1.0
    small = png.reduced(image)
    assert max(small.shape) <= png.LARGEST_EDGE
    assert np.count_nonzero(small) == 2
    assert png.tones(small)[small > 0].max() == 0


@pytest.mark.parametrize("background", [0.01, 1.0, 3000.0])
def test_spots_stand_out_of_an_uneven_background(background: float) -> None:
    """The background falls by a third from the middle to the edge, as that of water does."""
    slow, fast = np.mgrid[-100:101, -100:101]
    image = background * (1.0 - (fast**2 + slow**2) / 60000.0)
    is_spot = (fast % 20 == 0) & (slow % 20 == 0)
    image[is_spot] += 10.0 * background
    tones = png.tones(image)
    assert tones[is_spot].max() < 30
    assert tones[~is_spot].min() > 150


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_flat_images_are_white(value: float) -> None:
    assert (png.tones(np.full((9, 9), value)) == 255).all()


def test_pictures_need_their_library(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    outcome = run("-cell 70 -default_F 1 -N 2 -lambda 1 -detpixels 9 -pngfile a.png")
    assert (outcome.status, outcome.files) == (9, {})
    assert "pip install 'cupysim[pictures]'" in outcome.err
    with pytest.raises(CupysimError):
        png.write(sys.stdout.buffer, np.zeros((2, 2)))


@pytest.mark.parametrize("option", ["-h5file", "-hdf5file", "-cbffile", "-pngfile"])
def test_files_which_cannot_be_written(option: str, run: Run) -> None:
    words = "-cell 70 -default_F 1 -N 2 -lambda 1 -detpixels 9 -nodump"
    for name in ("no/a.x", "floatimage.bin"):
        outcome = run(f"{words} {option} {name}")
        assert (outcome.status, outcome.files) == (9, {})
        assert outcome.err.count("\n") == 1
