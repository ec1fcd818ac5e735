"""Images that detectors read out: regions, panels, files, the command, campaigns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from cupysim import from_args, read_response, simulate
from cupysim.campaign.data_set import Campaign
from cupysim.campaign.definition.campaign_file import read_campaign
from cupysim.cli.main import main
from cupysim.detection.analogue import Analogue
from cupysim.detection.counter import Counter
from cupysim.detection.panel_grids import panel_grids
from cupysim.detection.pixel_grid import Exposure
from cupysim.errors import CupysimError, FileFormatError
from cupysim.formats import nexus
from cupysim.formats.any_image import open_image
from cupysim.image import Image
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.plan.planning import make_plan

CRYSTAL = "-cell 50 60 70 90 95 90 -default_F 300 -N 12 -misset 10 20 30 -lambda 1 -corrected"
WORDS = f"{CRYSTAL} -detpixels 80 -distance 60 -pixel 0.15 -fluence 3e25 -water 0.05"


@pytest.fixture(scope="module")
def image() -> Image:
    return simulate(from_args(WORDS))


def test_counts_have_the_mean_of_the_image(image: Image) -> None:
    shots = [image.detect("eiger2", seed=4, shot=shot).measured for shot in range(60)]
    error = np.sqrt(image.array / 60 + 1e-6)
    pulls = (np.mean(shots, axis=0) - image.array) / error
    assert np.abs(pulls[image.array > 0.5]).max() < 5.5


def test_a_region_has_the_counts_of_the_whole_image(image: Image) -> None:
    part = simulate(from_args(f"{WORDS} -roi 10 40 20 60"))
    some, whole = (each.detect("jungfrau", seed=3) for each in (part, image))
    np.testing.assert_array_equal(some.raw[20:61, 10:41], whole.raw[20:61, 10:41])
    assert (some.raw[:20] == 65535).all()
    assert np.isnan(some.photons[:20]).all()
    assert some.has_value.sum() == 41 * 31


def test_the_scan_of_a_region_has_the_plate_of_the_whole_image(image: Image) -> None:
    part = simulate(from_args(f"{WORDS} -roi 10 60 20 79"))
    some, whole = (each.detect("mar345", seed=3) for each in (part, image))
    inside = np.s_[26:73, 17:54]
    np.testing.assert_array_equal(some.raw[inside], whole.raw[inside])


def test_overloads_of_every_pixel_are_above_the_saturation_of_files(image: Image) -> None:
    bright = from_args(f"{CRYSTAL} -detpixels 80 -distance 60 -pixel 0.15 -fluence 1e33")
    detected = simulate(bright).detect("epix10k", seed=1)
    full = (detected.raw & 16383 == 16383) & (detected.raw > 16383)
    assert full.sum() > 20
    assert (detected.photons[full] < detected.saturation).any()
    assert (detected.measured[full] > detected.saturation).all()


def test_no_converter_ends_before_its_pixel_switches(image: Image) -> None:
    """Pixels differ in gains and pedestals, but all switch at one number of the converter."""
    for photons in (50.0, 58.0, 70.0):
        expected = np.full_like(image.rendered.image, photons)
        flat = replace(image, rendered=replace(image.rendered, image=expected))
        detected = flat.detect("epix10k", seed=1)
        assert not (detected.raw == 16383).any()
        assert np.isfinite(detected.measured).all()
        # the pedestal of the low gain drifts by 2 ADU, which is a photon
        error = np.hypot(np.sqrt((photons + 1.1) / 6400), 1.0 if photons > 60 else 0.0)
        assert detected.photons.mean() == pytest.approx(photons, abs=5 * error)


def test_pixels_whose_converter_ends_before_the_last_gain_have_no_value(image: Image) -> None:
    analogue = read_response("epix10k").readout
    assert isinstance(analogue, Analogue)
    first = replace(analogue.gains[0], range_end=9e5)  # beyond the end of the converter
    gains = (first, analogue.gains[1])
    response = replace(read_response("epix10k"), readout=replace(analogue, gains=gains))
    expected = np.full_like(image.rendered.image, 66.0)
    flat = replace(image, rendered=replace(image.rendered, image=expected))
    detected = flat.detect(response, seed=1)
    clipped = detected.raw == 16383
    assert clipped.sum() > 100
    assert np.isnan(detected.measured[clipped]).all()
    assert not detected.content()["has_value"][clipped].any()


def test_cbf_files_tell_overloads_and_keep_pixels_with_negative_photons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.cbf"
    words = [*WORDS.split(), "-nopgm", "-noisefile", "/dev/null", "-intfile", "/dev/null",
             "-floatfile", "/dev/null", "-exposure", "1e-3"]  # fmt: skip
    assert main([*words, "-response", "rayonix-mx", "-seed", "1", "-cbffile", str(path)]) == 0
    assert "pixels are negative, because" in capsys.readouterr().err
    assert not open_image(str(path)).masked.any()
    assert main([*words, "-response", "eiger2", "-seed", "1", "-cbffile", str(path)]) == 0
    header = path.read_bytes()[:1500]
    assert b"# Count_cutoff 10000 counts" in header
    assert b"# Exposure_time 0.001 s" in header


def test_a_run_with_a_response_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    spread = '[point_spread]\nfunction = "kernel"\nkernel = "k.npy"\n'
    Path("own.toml").write_text('base = "base.toml"\nserial = 3\n')
    Path("base.toml").write_text(f'base = "jungfrau"\n{spread}')
    np.save("k.npy", np.ones((3, 3)))
    words = [*WORDS.split(), "-nopgm", "-response", "own.toml", "-seed", "1"]
    assert main([*words, "-provenance", "run.json"]) == 0
    capsys.readouterr()
    assert main(["rerun", "run.json"]) == 0
    assert "the same counted photons" in capsys.readouterr().out
    assert main([*words, "-floatfile", "k.npy"]) == 9
    assert main(["photons", "noiseimage.img", "--response", "own.toml", "-o", "k.npy"]) == 2
    np.save("k.npy", np.eye(3))
    assert main(["rerun", "run.json"]) == 2
    assert "k.npy (-response, file 3) has changed" in capsys.readouterr().err


def panels() -> PanelDetector:
    """Two panels of different sizes, one of them tilted."""
    first = Panel("a", 40, 30, (-0.004, 0.001, 0.06), (1, 0, 0), (0, 1, 0), 1e-4)
    second = Panel("b", 50, 20, (-0.004, -0.005, 0.06), (0.8, 0, 0.6), (0, 1, 0), 1e-4)
    return PanelDetector([first, second], beam=(0, 0, 1), spindle=(1, 0, 0))


def test_panels_are_detected_one_by_one() -> None:
    from cupysim import Water

    experiment = replace(from_args(WORDS), detector=panels(), water=Water(5e-5))
    shot = simulate(experiment)
    response = read_response("rayonix-mx")
    found = shot.detect(response, seed=2)
    assert found.raw.shape == shot.array.shape == (2, 30, 50)
    assert found.has_value.sum() == 40 * 30 + 50 * 20
    # light that leaves a panel does not reach the padding or the other panel
    grids = panel_grids(shot.plan)
    for number, (n_slow, n_fast) in enumerate([(30, 40), (20, 50)]):
        region = slice(0, n_slow), slice(0, n_fast)
        alone = response.detect(
            shot.array[number][region], grids[number].part(*region), found.exposure
        )
        np.testing.assert_array_equal(alone.raw, found.raw[number][region])
    # a dead layer needs the point of normal incidence
    assert grids[0].distance == pytest.approx(0.06)
    assert grids[0].normal_fast == pytest.approx(39.5)
    assert grids[1].distance == pytest.approx(0.048 + 0.004 * 0.6)


def run(folder: Path, words: str) -> int:
    import contextlib

    with contextlib.chdir(folder):
        return main(words.split())


@pytest.mark.parametrize("name", ["eiger2", "jungfrau", "adsc-q315"])
def test_the_command_writes_what_python_detects(name: str, tmp_path: Path, image: Image) -> None:
    words = f"{WORDS} -seed 5 -exposure 0.01 -response {name} -h5file a.h5 -cbffile a.cbf"
    assert run(tmp_path, words) == 0
    found = image.detect(name, seed=5, duration=0.01)
    content = nexus.read(tmp_path / "a.h5")
    np.testing.assert_array_equal(content.counts, found.measured)
    np.testing.assert_array_equal(content.expected, image.array)
    assert content.detector is not None
    assert content.detector.name == name
    assert content.detector.duration == 0.01
    with h5py.File(tmp_path / "a.h5") as file:
        detector = file["entry/instrument/detector"]
        assert detector["saturation_value"][()] == pytest.approx(found.saturation)
        assert detector["count_time"][0] == 0.01
        if name == "eiger2":
            assert detector["threshold_energy"][()] == pytest.approx(6199.21)
            assert content.raw is None
        else:
            np.testing.assert_array_equal(content.raw, found.raw)
            assert detector["underload_value"][()] < 0
            assert len(detector["response/gain"]) == (3 if name == "jungfrau" else 1)
    smv = np.fromfile(tmp_path / "noiseimage.img", dtype="<u2", offset=512).reshape(80, 80)
    np.testing.assert_array_equal(smv, found.raw)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-response nonsense", "-response: there is no response 'nonsense'"),
        ("-response missing.toml", "missing.toml"),
        ("-response eiger2 -nonoise", "-nonoise"),
        ("-response eiger2 -exposure 0", "-exposure"),
    ],
)
def test_mistakes_write_nothing(
    words: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, f"{WORDS} {words}") == 9
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_options_without_effect_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, f"{WORDS} -response jungfrau -adc 10 -noise fast") == 0
    assert "-adc, -noise: no effect" in capsys.readouterr().err


def test_large_counts_do_not_fit_into_smv_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bright = WORDS.replace("3e25", "1e29")
    assert run(tmp_path, f"{bright} -response eiger2 -seed 1") == 0
    assert "which 2-byte integers cannot hold" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["eiger2", "jungfrau", "mar345"])
def test_photons_of_raw_images(name: str, tmp_path: Path, image: Image) -> None:
    assert run(tmp_path, f"{WORDS} -seed 5 -response {name} -h5file a.h5 -noisefile a.img") == 0
    assert run(tmp_path, "photons a.h5 -o a.npy") == 0
    assert run(tmp_path, f"photons a.img --response {name} -o b.npy") == 0
    assert run(tmp_path, "photons a.h5 -o c.h5") == 0
    expected = image.detect(name, seed=5).photons
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), expected)
    known = np.isfinite(expected)
    np.testing.assert_allclose(np.load(tmp_path / "b.npy")[known], expected[known], rtol=1e-5)
    np.testing.assert_array_equal(nexus.read(tmp_path / "c.h5").counts, expected)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("photons noiseimage.img -o a.npy", "--response is missing"),
        ("photons floatimage.bin --response eiger2 -o a.npy", "no raw numbers"),
        ("photons noiseimage.img --response eiger2 -o a.cbf", "ending"),
        ("photons noiseimage.img --response eiger2 -o a.h5", "only for HDF5 files"),
        ("photons noiseimage.img --response eiger2 -o noiseimage.img.npy --duration 0", "duration"),
    ],
)
def test_mistakes_of_photons(
    words: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, f"{WORDS} -seed 1") == 0
    before = set(tmp_path.iterdir())
    assert run(tmp_path, words) == 2
    assert message in capsys.readouterr().err
    assert set(tmp_path.iterdir()) == before


CAMPAIGN = {
    "campaign": {"shots": 3, "seed": 7},
    "base": {"arguments": WORDS},
    "vary": {"orientation": "uniform"},
    "response": {"base": "jungfrau", "pedestal_drift": 30.0, "duration": 1e-3, "serial": 5},
    "output": {"expected": True},
}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [({}, np.float32), ({"output": "raw"}, np.int32), ({"base": "eiger2"}, np.int32)],
)
def test_campaigns_detect_their_shots(changes: dict[str, str], kind: type, tmp_path: Path) -> None:
    table = {**CAMPAIGN["response"], **changes}
    if changes.get("base") == "eiger2":
        del table["pedestal_drift"]
    campaign = Campaign({**CAMPAIGN, "response": table}, tmp_path / "out")
    campaign.run()
    master = Path(campaign.master)
    (chunk,) = set((tmp_path / "out").rglob("*.h5")) - {master}
    with h5py.File(chunk) as file:
        images, expected = (
            file["entry/data/data"][:],
            file["entry/cupysim_shots/expected_photons"][:],
        )
        text = file["entry/instrument/detector/response/parameters"].asstr()[()]
    assert images.dtype == kind
    assert "serial" in text
    own = {key: value for key, value in table.items() if key not in ("duration", "output", "base")}
    path = tmp_path / "own.toml"
    lines = [f'base = "{table["base"]}"', *(f"{key} = {value}" for key, value in own.items())]
    path.write_text("\n".join(lines))
    response = read_response(path)
    plan = make_plan(from_args(WORDS))
    (grid,) = panel_grids(plan)
    for shot in range(3):
        found = response.detect(expected[shot], grid, Exposure(12398.42, 1e-3, seed=7, shot=shot))
        wanted = found.raw if kind is np.int32 else found.photons()
        np.testing.assert_array_equal(images[shot], wanted)
    assert master.exists()


def test_the_exposure_of_a_campaign_is_that_of_its_base(tmp_path: Path) -> None:
    text = f'[campaign]\nshots = 1\n[base]\narguments = "{WORDS} -exposure 1e-3"\n[response]\n'
    path = tmp_path / "c.toml"
    path.write_text(f'{text}base = "eiger2"\n')
    detection = read_campaign(str(path)).detection
    assert detection is not None
    assert detection.duration == 1e-3
    path.write_text(f'{text}base = "eiger2"\nduration = 1.0\n')
    with pytest.raises(FileFormatError, match=r"-exposure of the base is 0\.001 s"):
        read_campaign(str(path))


def test_counts_of_16_bits_are_measured(image: Image) -> None:
    response = replace(read_response("eiger2"), readout=Counter(16), pixel_type="uint16",
                       masked_value=65535)  # fmt: skip
    assert image.detect(response, seed=1).measured.dtype == np.int32


def test_calibrated_files_keep_their_raw_overloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*WORDS.replace("3e25", "1e31").split(), "-nopgm", "-seed", "1"]
    assert main([*words, "-response", "jungfrau", "-h5file", "a.h5"]) == 0
    assert main(["photons", "a.h5", "-o", "b.h5"]) == 0
    capsys.readouterr()
    assert main(["photons", "a.h5", "-o", "a.npy"]) == 0
    assert main(["photons", "b.h5", "-o", "b.npy"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert " 0 overloads" not in first


def test_numbers_of_another_response_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*WORDS.split(), "-nopgm", "-seed", "1", "-noisefile", "a.img", "-cbffile", "a.cbf"]
    assert main([*words, "-response", "jungfrau"]) == 0
    capsys.readouterr()
    assert main(["photons", "a.img", "--response", "jungfrau", "-o", "a.npy"]) == 0
    assert "warning" not in capsys.readouterr().err
    # the CBF file has photons
    assert main(["photons", "a.cbf", "--response", "jungfrau", "-o", "a.npy"]) == 0
    assert "may not be raw numbers of the response jungfrau" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "pedestal"), [("eiger2", 0.0), ("rayonix-mx", 10.0), ("jungfrau", None)]
)
def test_raw_images_tell_their_pedestal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, pedestal: float | None
) -> None:
    """`cupysim refine` without a response would subtract nanoBragg's offset of 40."""
    monkeypatch.chdir(tmp_path)
    assert main([*WORDS.split(), "-nopgm", "-noisefile", "a.img", "-response", name]) == 0
    assert open_image("a.img").pedestal == pedestal


def test_known_defects_are_in_the_mask_of_cxi_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.toml").write_text('base = "eiger2"\n[defects]\ndead = 0.1\n')
    words = [*WORDS.split(), "-nopgm", "-seed", "1", "-response", "own.toml"]
    assert main([*words, "-h5file", "a.h5", "-cxifile", "a.cxi"]) == 0
    dead = open_image("a.h5").masked
    assert 400 < dead.sum() < 900
    campaign = Campaign({**CAMPAIGN, "response": {"base": "own.toml"}}, tmp_path / "out")
    campaign.run()
    assert main(["campaign", "export", "out", "--cxi", "b.cxi"]) == 0
    for name in ("a.cxi", "b.cxi"):
        with h5py.File(name) as file:
            np.testing.assert_array_equal(file["entry_1/data_1/mask"][:] != 0, dead)
            assert file["entry_1/data_1/data"][:].min() == 0


@pytest.mark.parametrize("threads", [0, -3])
def test_numbers_of_threads_are_checked(image: Image, threads: int) -> None:
    with pytest.raises(CupysimError, match="threads"):
        image.detect("eiger2", seed=1, threads=threads)


def test_files_of_campaigns_tell_response_and_exposure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    response = {"base": "jungfrau", "output": "raw", "duration": 1e-3}
    campaign = Campaign({**CAMPAIGN, "response": response, "output": {}}, tmp_path / "out")
    campaign.run()
    (chunk,) = set((tmp_path / "out").rglob("*.h5")) - {Path(campaign.master)}
    capsys.readouterr()
    assert main(["photons", str(chunk), "--image", "1", "-o", "a.npy"]) == 0
    assert " 0.001 s: " in capsys.readouterr().out
    experiment = campaign.shot(1)[0]
    wanted = simulate(experiment).detect("jungfrau", seed=7, shot=1).photons
    np.testing.assert_allclose(np.load("a.npy"), wanted, atol=2e-3)
