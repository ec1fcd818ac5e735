"""Detectors of panels on the command line: inputs, outputs and sub-commands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from cupysim import (
    Detector,
    PanelDetector,
    from_args,
    read_detector,
    read_experiment,
    read_image,
    simulate,
)
from cupysim.cli.main import main
from cupysim.errors import CupysimError
from cupysim.formats.crystfel.reader import read_geometry
from cupysim.formats.dials_detector import count_panels
from tests.conftest import Run

CRYSTAL = "-cell 70 80 90 -default_F 50 -N 8 -misset 10 20 30 -corrected -noprogress -seed 1"

GEOMETRY = """\
wavelength = 1.3 A
clen = 0.08 m
res = 2000
adu_per_photon = 3
left/min_fs = 0
left/max_fs = 19
left/min_ss = 0
left/max_ss = 15
left/corner_x = -23
left/corner_y = -6
left/fs = +1.0x
left/ss = +1.0y
right/min_fs = 0
right/max_fs = 19
right/min_ss = 16
right/max_ss = 31
right/corner_x = {corner}
right/corner_y = -6
right/fs = {fast}
right/ss = +1.0y
badspot/panel = left
badspot/min_fs = 2
badspot/max_fs = 4
badspot/min_ss = 1
badspot/max_ss = 1
group_both = left,right
"""
"""Two panels of 20 x 16 pixels of half a millimetre."""


@pytest.fixture
def geometry(tmp_path: Path) -> Path:
    """A geometry file with two panels, the second of them tilted."""
    path = tmp_path / "two.geom"
    path.write_text(GEOMETRY.format(corner=2.5, fast="+0.96x +0.28z"))
    return path


def floats(run: Run, words: str, name: str = "floatimage.bin") -> np.ndarray:
    done = run(words)
    assert done.status == 0, done.err
    return np.frombuffer(done.files[name], dtype=np.float32).reshape(2, 16, 20)


def test_all_files_hold_the_same_image(run: Run, geometry: Path) -> None:
    image = floats(run, f"-geom {geometry} {CRYSTAL} -h5file a.h5 -cxifile a.cxi -exptfile a.expt "
                   "-geomfile b.geom -pngfile a.png -nonoise")  # fmt: skip
    assert image.max() > 0.0
    assert (image[0, 1, 2:5] == 0.0).all()
    folder = geometry.parent
    # the orientation is that of the command, so files need none
    for number, words in enumerate(("-geom b.geom", "-img a.h5", "-expt a.expt")):
        given = CRYSTAL.replace("-misset 10 20 30", "") if "expt" in words else CRYSTAL
        name = f"again{number}.bin"
        again = floats(run, f"{words} {given} -nonoise -floatfile {name}", name)
        np.testing.assert_allclose(again, image, rtol=1e-5, atol=1e-9 * image.max())
    with h5py.File(folder / "a.cxi") as file:
        slab = file["/entry_1/data_1/data"][0]
        mask = file["/entry_1/data_1/mask"][()]
        energy = file["/LCLS/photon_energy_eV"][0]
        star = np.array([file[f"/cupysim/{name}star"][0] for name in "abc"])
    np.testing.assert_array_equal(slab.reshape(2, 16, 20), image)
    assert mask.sum() == 3
    assert energy == pytest.approx(12398.42 / 1.3, rel=1e-6)
    # lengths of a*, b*, c* of an orthorhombic cell, 1/m
    np.testing.assert_allclose(np.linalg.norm(star, axis=1), 1e10 / np.array([70, 80, 90]))
    beside = read_detector(folder / "a.geom", wavelength=1.3e-10).detector
    of_nexus = read_detector(folder / "b.geom").detector
    assert run(f"-geom {geometry} {CRYSTAL} -geomfile d.geom -nonoise").status == 0
    alone = read_detector(folder / "d.geom").detector
    assert [panel.gain for panel in beside] == [1.0, 1.0], "CXI files hold photons"
    assert [panel.gain for panel in of_nexus] == [1.0, 1.0], "HDF5 files hold photons"
    assert [panel.gain for panel in alone] == [3.0, 3.0]
    first = read_detector(geometry).detector
    for one in (beside, of_nexus, alone):
        for panel, known in zip(one, first, strict=True):
            np.testing.assert_allclose(panel.corners, known.corners, rtol=0.0, atol=1e-12)
            assert one.paths == first.paths
    stored = read_image(folder / "a.h5")
    np.testing.assert_array_equal(stored.pixels, image)
    assert stored.masked.sum() == 3
    assert stored.panels is not None
    experiment = read_experiment(folder / "a.h5")
    assert isinstance(experiment.detector, PanelDetector)
    assert [panel.gain for panel in experiment.detector] == [3.0, 3.0]


def test_the_frame_is_mosflms(geometry: Path) -> None:
    """x, y, z of CrystFEL become -z, y, x: the beam is along x."""
    detector = from_args(f"-geom {geometry} -cell 70 80 90 -default_F 1 -N 2").detector
    assert isinstance(detector, PanelDetector)
    np.testing.assert_allclose(detector.beam, [1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(detector.spindle, [0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(detector["left"].origin, [0.08, -0.003, 0.0115], atol=1e-12)
    np.testing.assert_allclose(detector["right"].fast, [0.28, 0.0, -0.96], atol=1e-12)
    # the panels are where a detector of one panel would be, in MOSFLM's convention
    assert detector["left"].close_distance == pytest.approx(0.08)


def test_flat_mosaics_are_written_as_one_panel(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "flat.geom"
    path.write_text(GEOMETRY.format(corner=2, fast="+1.0x"))
    done = run(f"-geom {path} {CRYSTAL} -cbffile a.cbf -h5file a.h5")
    assert done.status == 0, done.err
    assert {"intimage.img", "noiseimage.img", "image.pgm", "a.cbf"} <= set(done.files)
    panels = read_image(tmp_path / "a.h5").pixels
    whole = read_image(tmp_path / "a.cbf")
    # the second panel begins 25 pixels to the right of the first
    assert whole.pixels.shape == (16, 45)
    assert (whole.pixels[:, 20:25] == -1).all()
    np.testing.assert_array_equal(whole.pixels[:, 25:], panels[1])
    np.testing.assert_array_equal(whole.pixels[2:, :20], panels[0, 2:])
    smv = read_image(tmp_path / "noiseimage.img").pixels
    np.testing.assert_array_equal(smv[:, 25:], np.minimum(panels[1] + 40, 65535))
    assert (smv[:, 20:25] == 0).all()
    # the same as the panel that spans both
    assert whole.geometry is not None
    assert whole.geometry.near_distance == pytest.approx(0.08)


def test_python_writes_the_files_of_the_command(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "flat.geom"
    path.write_text(GEOMETRY.format(corner=2, fast="+1.0x"))
    done = run(f"-geom {path} {CRYSTAL} -cxifile b.cxi -nonoise")
    assert done.status == 0, done.err
    image = simulate(from_args(f"-geom {path} {CRYSTAL} -nonoise"))
    image.save(tmp_path / "a.img")
    image.save(tmp_path / "a.pgm")
    image.save(tmp_path / "a.cxi")
    assert (tmp_path / "a.img").read_bytes() == done.files["intimage.img"]
    assert (tmp_path / "a.pgm").read_bytes() == done.files["image.pgm"]
    assert (tmp_path / "a.geom").read_bytes() == done.files["b.geom"]
    with h5py.File(tmp_path / "a.cxi") as ours, h5py.File(tmp_path / "b.cxi") as other:
        np.testing.assert_array_equal(ours["entry_1/data_1/data"], other["entry_1/data_1/data"])
    path.write_text(GEOMETRY.format(corner=2.5, fast="+1.0x"))
    image = simulate(from_args(f"-geom {path} {CRYSTAL}"))
    for name in ("c.img", "c.pgm"):
        with pytest.raises(CupysimError, match="such a file holds one panel"):
            image.save(tmp_path / name)
        assert not (tmp_path / name).exists()


def test_geometry_files_of_others_are_not_replaced(run: Run, geometry: Path) -> None:
    """Users name only the CXI file. Files of cupysim may be written again."""
    words, text = f"-geom {geometry} {CRYSTAL} -nonoise", geometry.read_text()
    other = geometry.with_name("other.geom")
    other.write_text(text)
    image = simulate(from_args(words))
    for beside in (geometry, other):
        with pytest.raises(CupysimError, match="exists and is not of cupysim"):
            image.save(beside.with_suffix(".cxi"))
        assert beside.read_text() == text
        assert not beside.with_suffix(".cxi").exists()
    done = run(f"{words} -cxifile {other.with_suffix('.cxi')}")
    assert (done.status, other.read_text()) == (9, text)
    for _ in range(2):
        image.save(geometry.with_name("ours.cxi"))


def test_the_geometry_file_finds_the_panels_in_the_nexus_file(run: Run, tmp_path: Path) -> None:
    """Panels of different sizes are in blocks of the largest width and height."""
    text = GEOMETRY.format(corner=2, fast="+0.96x +0.28z")
    (tmp_path / "in.geom").write_text(text.replace("right/max_ss = 31", "right/max_ss = 27"))
    words = f"-geom in.geom {CRYSTAL} -nonoise"
    assert run(f"{words} -h5file a.h5 -geomfile a.geom -cxifile b.cxi").status == 0
    image = simulate(from_args(words))
    for name, source in (("a", "a.h5"), ("b", "b.cxi")):
        detector, layout = read_geometry(tmp_path / f"{name}.geom", wavelength=1.3e-10)[:2]
        with h5py.File(tmp_path / source) as file:
            for panel in detector.detector:
                of = layout.of(panel.name)
                assert of.dims == ("%", "ss", "fs")
                fast, slow = of.corner
                where = slice(slow, slow + panel.n_slow), slice(fast, fast + panel.n_fast)
                np.testing.assert_array_equal(file[of.data][0][where], image.panel(panel.name))
                (mask,) = of.masks
                bad = file[mask.data][where] & mask.bad != 0
                rendered = image.experiment.rendered_pixels[
                    image.experiment.detector.number_of(panel.name)
                ]
                np.testing.assert_array_equal(bad, ~rendered[: panel.n_slow, : panel.n_fast])


def test_an_image_beside_a_list_of_several_panels(run: Run, tmp_path: Path, geometry: Path) -> None:
    assert run(f"-geom {geometry} {CRYSTAL} -exptfile a.expt -h5file a.h5").status == 0
    done = run(f"-expt a.expt -img no.cbf {CRYSTAL} -floatfile b.bin")
    assert done.status == 9
    assert "-img: cannot be combined with the several panels of a.expt" in done.err


@pytest.mark.parametrize(("image", "count"), [("-h5file a.h5", 2), ("-cbffile a.cbf", 1)])
def test_experiment_lists_have_the_panels_of_the_images_they_name(
    run: Run, tmp_path: Path, image: str, count: int
) -> None:
    path = tmp_path / "flat.geom"
    path.write_text(GEOMETRY.format(corner=2, fast="+1.0x"))
    done = run(f"-geom {path} {CRYSTAL} {image} -exptfile a.expt")
    assert done.status == 0, done.err
    assert count_panels(tmp_path / "a.expt") == count


def test_a_file_of_one_panel_is_a_detector_of_nanobragg(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "one.geom"
    lines = GEOMETRY.format(corner=2, fast="+1.0x").splitlines()
    kept = [line for line in lines if not line.startswith(("right", "group", "bad"))]
    path.write_text("\n".join(kept) + "\n")
    done = run(f"-geom {path} {CRYSTAL}")
    assert done.status == 0, done.err
    assert "noiseimage.img" in done.files
    one = np.frombuffer(done.files["floatimage.bin"], dtype=np.float32).reshape(16, 20)
    # the panel in MOSFLM's frame, by hand
    axes = (0.08, -0.003, 0.0115), (0, 0, -1), (0, 1, 0)
    detector = Detector.from_axes(*axes, 5e-4, 20, 16)
    experiment = replace(from_args(f"-lambda 1.3 {CRYSTAL}"), detector=detector)
    other = simulate(experiment).array
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-9 * other.max())


def test_known_attenuations_are_no_defaults(run: Run) -> None:
    pytest.importorskip("xraydb")
    done = run(f"-detector jungfrau-1m -lambda 1 {CRYSTAL} -oversample 1 -nonoise")
    assert "setting detector attenuation" not in done.out


def test_named_detectors(run: Run) -> None:
    pytest.importorskip("xraydb")
    done = run(f"-detector jungfrau-1m -distance 150 -lambda 1 {CRYSTAL} -oversample 1 -nonoise")
    assert done.status == 0, done.err
    assert "detector jungfrau-1m: 2 panels (2 of 1030 x 514 pixels)" in done.out
    assert "sensor is 0.00032 m thick" in done.out
    assert "attenuation depth" not in done.out + done.err, "the detector has its own"
    image = np.frombuffer(done.files["floatimage.bin"], dtype=np.float32).reshape(2, 514, 1030)
    assert image.max() > 0.0
    # the rows and columns between chips are no pixels
    assert not image[:, 256:258].any()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-roi 0 5 0 5", "-roi: not possible with the several panels of"),
        ("-pixel 0.1", "-pixel: not possible with the several panels of"),
        ("-detpixels 100", "-detpixels: not possible with the several panels of"),
        ("-detector_rotx 5", "-detector_rotx: not possible with the several panels of"),
        ("-close_distance 50", "-close_distance: not possible with the several panels of"),
        ("-curved_det -oversample 1", "-curved_det: not possible with the several panels of"),
        ("-Xbeam 5", "-Xbeam: cannot be combined with"),
        ("-printout", "-printout: not possible with the several panels of"),
        ("-noisefile n.img", "-noisefile: such a file holds one panel"),
        ("-cbffile n.cbf", "-cbffile: such a file holds one panel"),
        ("-detector jungfrau-1m", "-geom: cannot be combined with -detector"),
        ("-expt some.expt", "-geom: cannot be combined with -expt"),
    ],
)
def test_what_has_no_meaning_for_panels(run: Run, geometry: Path, words: str, message: str) -> None:
    done = run(f"-geom {geometry} {CRYSTAL} {words}")
    assert done.status == 9
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert not done.files


def test_what_is_missing(run: Run, tmp_path: Path) -> None:
    done = run(f"-detector jungfrau-5m {CRYSTAL}")
    assert done.status == 9
    assert "jungfrau-4m" in done.err
    path = tmp_path / "header.geom"
    text = GEOMETRY.format(corner=2.5, fast="+1.0x").replace("clen = 0.08 m", "clen = /LCLS/z")
    path.write_text(text.replace("wavelength = 1.3 A", "photon_energy = /LCLS/photon_energy_eV"))
    done = run(f"-geom {path} {CRYSTAL}")
    assert done.status == 9
    assert "-lambda" in done.err or "wavelength" in done.err
    done = run(f"-geom {path} {CRYSTAL} -lambda 1.3 -distance 80 -nonoise")
    assert done.status == 0, done.err


def test_sub_commands(run: Run, geometry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(f"-geom {geometry} {CRYSTAL} -h5file a.h5 -fluence 1e28 -provenance p.json")
    assert done.status == 0, done.err
    folder = geometry.parent
    noisy, expected = str(folder / "a.h5"), str(folder / "floatimage.bin")
    assert main(["info", noisy]) == 0
    told = capsys.readouterr().out
    assert "2 panels of up to 20 x 16 pixels" in told
    assert "of panel " in told
    assert main(["compare", noisy, noisy]) == 0
    assert "the same" in capsys.readouterr().out
    assert main(["compare", expected, noisy, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [region["panel"] for region in found["regions"]] == ["left", "right"]
    counts, photons = read_image(noisy).pixels, np.fromfile(expected, np.float32)
    apart = np.abs(counts - photons.reshape(counts.shape).astype(np.float64))
    panel, slow, fast = np.unravel_index(np.argmax(apart), apart.shape)
    worst = found["absolute"]
    assert (worst["panel"], worst["slow"], worst["fast"]) == (("left", "right")[panel], slow, fast)
    assert main(["rerun", str(folder / "p.json")]) == 0
    assert "the same image, to the last bit" in capsys.readouterr().out
    words = [*f"-geom {geometry} {CRYSTAL}".split(), "--pixel", "right", "3", "4", "--strongest"]
    assert main(["trace", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "TRACE: panel = right" in lines
    (photons_line,) = [line for line in lines if line.startswith("TRACE: photons = ")]
    plain = floats(run, f"-geom {geometry} {CRYSTAL} -backend numpy -floatfile n.bin", "n.bin")
    assert float(photons_line.split()[3]) == pytest.approx(plain[1, 4, 3], rel=1e-6)
    both = [*words[:-5], "--pixel", "left", "3", "4", "--pixel", "right", "3", "4", "--strongest"]
    texts = {}
    for name, asked in (("both", both), ("right", words), ("left", [*both[:-5], "--strongest"])):
        assert main(["trace", *asked]) == 0
        texts[name] = str(folder / f"{name}.txt")
        Path(texts[name]).write_text(capsys.readouterr().out)
    assert main(["compare", texts["both"], texts["both"]]) == 0
    assert "pixel left 3 4: the same" in capsys.readouterr().out
    assert main(["compare", texts["both"], texts["right"]]) == 1
    assert "pixel left 3 4: only in" in capsys.readouterr().out
    assert main(["compare", texts["left"], texts["right"]]) == 2
    told = "the traces are of different pixels: left 3 4 and right 3 4 (panel fast slow)"
    assert told in capsys.readouterr().err
    assert main(["trace", *words[:-5], "--pixel", "3", "4"]) == 2
    assert "--pixel: expected PANEL FAST SLOW" in capsys.readouterr().err
    assert main(["show", noisy, "--save", str(folder / "shown.png"), "--spots"]) == 0
    assert (folder / "shown.png").stat().st_size > 10_000


def test_files_that_are_written_but_not_opened(
    run: Run, geometry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(f"-geom {geometry} {CRYSTAL} -cxifile a.cxi -nonoise")
    assert done.status == 0, done.err
    for command in ("info", "show"):
        assert main([command, str(geometry.parent / "a.cxi")]) == 2
        assert "a CXI file; it is not read: -h5file writes an image" in capsys.readouterr().err
    assert main(["info", str(geometry)]) == 2
    assert capsys.readouterr().err.strip().endswith("of CrystFEL (.geom); give it by -geom")
    before = geometry.read_text()
    done = run(f"-geom {geometry} {CRYSTAL} -cxifile {geometry.with_suffix('.cxi')}")
    assert done.status == 9
    assert "would replace an input file of this run, and -cxifile" in done.err
    assert geometry.read_text() == before


def test_a_campaign(tmp_path: Path, geometry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.toml"
    file.write_text(
        "[campaign]\nshots = 5\nseed = 3\n"
        f'[base]\narguments = "-geom {geometry} -cell 70 80 90 -default_F 50 -N 8 -corrected"\n'
        '[vary]\norientation = "uniform"\nwavelength = {normal = [1.3, 0.01]}\n'
        "[output]\nimages_per_file = 3\nspots = 1\n"
    )
    folder = str(tmp_path / "c")
    assert main(["campaign", "run", str(file), "-o", folder]) == 0
    assert main(["campaign", "verify", folder]) == 0
    capsys.readouterr()
    cxi = str(tmp_path / "c.cxi")
    assert main(["campaign", "export", folder, "--cxi", cxi]) == 0
    with h5py.File(cxi) as file, h5py.File(tmp_path / "c" / "c.h5") as master:
        slabs = file["/entry_1/data_1/data"][()]
        shown = master["/entry/data/data"][()]
        energies = file["/LCLS/photon_energy_eV"][()]
        waves = master["/entry/instrument/beam/incident_wavelength"][()]
    np.testing.assert_array_equal(slabs, np.maximum(shown, 0))
    np.testing.assert_allclose(energies, 12398.42 / waves, rtol=1e-6)
    assert len(set(energies)) == 5
    assert main(["campaign", "export", folder, "--images", str(tmp_path / "s_#.img")]) == 2
    assert "not on one grid of pixels; --cxi holds them" in capsys.readouterr().err


def test_options_that_act_on_any_detector(geometry: Path) -> None:
    """None of them is ignored without a word."""
    words = f"-geom {geometry} {CRYSTAL}"
    detector = from_args(words).detector
    assert isinstance(detector, PanelDetector)
    assert not detector.point_pixel
    points = from_args(f"{words} -point_pixel").detector
    assert points.point_pixel
    backward = from_args(f"{words} -osc -1 -phisteps 2").detector
    assert isinstance(backward, PanelDetector)
    np.testing.assert_allclose(backward.spindle, -np.array(detector.spindle))
    thick = from_args(f"{words} -detector_thick 320 -detector_abs 100 -detector_thicksteps 4")
    assert isinstance(thick.detector, PanelDetector)
    for panel in thick.detector:
        assert panel.sensor.layers.count == 4
        assert panel.sensor.attenuation == pytest.approx(1e4)


def test_masks_do_not_fill_gaps(run: Run, tmp_path: Path) -> None:
    """A mask file beside a detector of one panel excludes pixels in addition to its gaps."""
    path = tmp_path / "one.geom"
    lines = GEOMETRY.format(corner=2, fast="+1.0x").splitlines()
    kept = [line for line in lines if not line.startswith(("right", "group"))]
    path.write_text("\n".join(kept) + "\n")
    done = run(f"-geom {path} {CRYSTAL} -intfile mask.img -noisefile n.img -default_F 1")
    assert done.status == 0, done.err
    done = run(f"-geom {path} -mask mask.img {CRYSTAL} -floatfile m.bin -nonoise")
    assert done.status == 0, done.err
    image = np.frombuffer(done.files["m.bin"], dtype=np.float32).reshape(16, 20)
    assert (image[1, 2:5] == 0.0).all()
    assert np.count_nonzero(image == 0.0) == 3


def test_an_image_number_needs_images(run: Run, geometry: Path) -> None:
    done = run(f"-geom {geometry} -image 2 {CRYSTAL}")
    assert done.status == 9
    assert "-image: has no meaning with -geom" in done.err
