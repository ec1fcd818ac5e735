"""Response files: named responses, own files, mistakes, and responses as text."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from cupysim import read_response, response_names
from cupysim.detection.analogue import Analogue
from cupysim.detection.counter import Counter
from cupysim.detection.response import Response
from cupysim.detection.response_file import figure_sources, figures
from cupysim.detection.response_text import response_from_text, response_text
from cupysim.errors import CupysimError, FileFormatError
from tests.detection.responses import all_responses, exposure, grid_of, spread_of

NAMES = response_names()

WITHOUT_SOURCE = {
    "kind", "pixel_type", "knows_pixels", "title", "note", "scan", "dead_time",
    "point_spread", "gains",
}  # fmt: skip
"""Keys that describe the model, and tables whose figures have sources of their own."""

ONE_GAIN = (
    'kind = "analogue"\npair_energy = 3.66\nfano = 0.1\n[[gains]]\nadu_per_kev = 40\nnoise = 50\n'
    "pedestal = 100\nrange_end = 1000\n"
)

INNER_WITHOUT_SOURCE = {"name", "after_counting", "retrigger", "bits", "function"}


def test_all_kinds_of_detectors_have_a_response() -> None:
    wanted = {"eiger2", "eiger", "pilatus3", "jungfrau", "agipd", "epix10k", "rayonix-mx",
              "adsc-q315", "mar345"}  # fmt: skip
    assert wanted <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_a_source(name: str) -> None:
    known, sources = figures(name), figure_sources(name)
    for key, value in known.items():
        if key in ("title", "note", "kind", "pixel_type", "knows_pixels", "masked_value"):
            continue
        inner = value[0] if isinstance(value, list) else value
        if isinstance(inner, dict):
            for figure in set(inner) - INNER_WITHOUT_SOURCE:
                told = [text for text in sources if text.startswith(f"{key}.{figure}")]
                assert told or figure == "pedestal_spread", f"{name}: {key}.{figure}"
        else:
            assert key in sources, f"{name}: {key}"


def test_all_sources_are_used() -> None:
    text = resources.files("cupysim.detection").joinpath("responses.toml").read_text()
    data = tomllib.loads(text)
    used = {key for name in NAMES for key in data[name]["source"].values()}
    assert used == set(data["sources"])


@pytest.mark.parametrize("name", NAMES)
def test_named_responses_detect(name: str) -> None:
    response = read_response(name)
    image = np.full((50, 50), 8.0, dtype=np.float32)
    found = response.detect(image, grid_of(50, 50), exposure(duration=1.0))
    photons = found.photons()
    known = photons[np.isfinite(photons)]
    assert known.mean() == pytest.approx(8.0, rel=0.25)  # light that a point spread loses
    assert found.overloads == 0


@pytest.mark.parametrize("name", NAMES)
def test_text_of_a_response_makes_it_again(name: str) -> None:
    response = read_response(name)
    assert response_from_text(response_text(response)) == response


@pytest.mark.parametrize("name", all_responses())
def test_text_holds_every_figure(name: str) -> None:
    response = all_responses()[name]
    again = response_from_text(response_text(response))
    if isinstance(response.readout, Analogue):
        # ADU per keV and per eV differ by rounding
        assert isinstance(again.readout, Analogue)
        for one, other in zip(response.readout.gains, again.readout.gains, strict=True):
            assert one.adu_per_ev == pytest.approx(other.adu_per_ev, rel=1e-14)
    else:
        assert again == response


def test_text_holds_a_kernel() -> None:
    kernel = np.arange(15.0).reshape(3, 5)
    spread = spread_of("kernel", kernel=kernel)
    again = response_from_text(response_text(Response(Counter(), point_spread=spread)))
    assert again.point_spread is not None
    np.testing.assert_allclose(again.point_spread.kernel, kernel / kernel.sum())


def write(folder: Path, text: str, name: str = "own.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_own_file_with_a_base(tmp_path: Path) -> None:
    write(tmp_path, 'base = "jungfrau"\nfano = 0.2\n[defects]\ndead = 0.01\n', "first.toml")
    path = write(tmp_path, 'base = "first.toml"\nserial = 7\n[defects]\nhot = 0.02\n')
    response = read_response(path)
    assert isinstance(response.readout, Analogue)
    assert response.readout.fano == 0.2
    assert (response.serial, response.name) == (7, "own")
    assert (response.defects.dead, response.defects.hot) == (0.01, 0.02)
    assert len(response.readout.gains) == 3


def test_kernel_from_a_file(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "k.txt", [[0, 1, 0], [1, 4, 1], [0, 1, 0]])
    np.save(tmp_path / "k.npy", np.ones((3, 3)))
    for name, middle in (("k.txt", 0.5), ("k.npy", 1 / 9)):
        text = f'kind = "counting"\n[point_spread]\nfunction = "kernel"\nkernel = "{name}"\n'
        spread = read_response(write(tmp_path, text)).point_spread
        assert spread is not None
        assert spread.kernel is not None
        assert spread.kernel[1, 1] == pytest.approx(middle)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "kind"),
        ('kind = "counting"\nbit = 16', "line 2: bit: unknown; did you mean bits"),
        ('kind = "counting"\nbits = 40', "line 2: bits: expected an integer from 1 to 32"),
        ('kind = "counting"\nbits = 32\npixel_type = "uint16"', "do not fit into uint16"),
        ('kind = "counting"\npixel_type = "uint16"\nbits = 16\nmasked_value = -1', "masked_value"),
        ('kind = "counting"\nthreshold = 1.0', "threshold"),
        ('kind = "counting"\nrate_correction = true', "dead time"),
        ('kind = "counting"\ndead_time = { model = "slow", pulse = 1e-7 }', "dead_time.model"),
        ('kind = "counting"\ncharge_cloud = 1', "charge_cloud"),
        ('kind = "counting"\nflicker = -0.1', "flicker"),
        ('kind = "counting"\npoint_spread = { function = "gaussian" }', "point_spread.width"),
        ('kind = "counting"\npoint_spread = { function = "gaussian", width = 0 }', "width"),
        ('kind = "counting"\ndefects = { dead = 0.7, hot = 0.7 }', "fractions"),
        ('kind = "analogue"\npair_energy = 3.6\nfano = 0.1', "1 to 4 gains"),
        ('base = "jungfrau"\npixel_type = "uint32"', "raw numbers have gain bits"),
        ('base = "jungfrau"\nadc_bits = 16', "gain bits"),
        ('base = "jungfrou"', "line 1: base: there is no response 'jungfrou'; similar"),
        ('base = "own.toml"', "its own base"),
        ('kind = "counting"\nserial = -1', "serial"),
        ('kind = "counting"\n[[gains]]\nnoise = 1', "gains: unknown"),
        ('kind = "counting"\nmasked_value = "none"', "line 2: masked_value: expected an integer"),
        ('kind = "counting"\nmasked_value = 5', "masked_value 5 is also a count"),
        ('kind = "counting"\nflicker = 1.5', "flicker: rms must be from 0 to 1"),
        ('base = "rayonix-mx"\noverload = 0', "overload must be at least 1"),
        ('base = "rayonix-mx"\noverload = 10', "pedestal of the first gain must be from 0"),
        ('base = "jungfrau"\ngain_jitter = 2', "gain_jitter must be at most"),
        (f"{ONE_GAIN}bits = 1", "gain bits 1 above the 16 bits"),
        (f"{ONE_GAIN}gain_spread = 1e9", "gain_spread of gain 1 must be at most"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FileFormatError) as caught:
        read_response(write(tmp_path, text))
    assert message in str(caught.value)
    assert "own.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "kernel", [np.ones((3, 3)) * 1j, np.full((3, 3), "a"), np.zeros(3, dtype=[("a", "f4")])]
)
def test_kernels_are_real_numbers(tmp_path: Path, kernel: np.ndarray) -> None:
    np.save(tmp_path / "k.npy", kernel)
    text = 'kind = "counting"\n[point_spread]\nfunction = "kernel"\nkernel = "k.npy"\n'
    with pytest.raises(FileFormatError, match="real numbers"):
        read_response(write(tmp_path, text))


@pytest.mark.parametrize("name", ["k.npy", "k.txt"])
def test_empty_kernel_files_are_errors(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    text = f'kind = "counting"\n[point_spread]\nfunction = "kernel"\nkernel = "{name}"\n'
    with pytest.raises(FileFormatError):
        read_response(write(tmp_path, text))


def test_mistakes_in_one_of_several_gains_are_told_with_its_line(tmp_path: Path) -> None:
    text = ONE_GAIN.replace("noise = 50", "noise = -5") + ONE_GAIN[ONE_GAIN.index("[[") :]
    with pytest.raises(FileFormatError, match=r"line 6: gains\.noise"):
        read_response(write(tmp_path, text))


def test_mistakes_in_a_base_are_told_with_its_name(tmp_path: Path) -> None:
    write(tmp_path, 'kind = "counting"\n\n[defects]\ndead = 5\n', "base.toml")
    path = write(tmp_path, 'serial = 3\nbase = "base.toml"\n[defects]\nhot = 0.1\n')
    with pytest.raises(FileFormatError, match=r"base\.toml, line 4: defects\.dead"):
        read_response(path)


def test_unknown_names_list_similar_ones() -> None:
    with pytest.raises(CupysimError, match="similar names: eiger"):
        read_response("eigr")


def test_names_may_have_capitals_and_blanks() -> None:
    assert read_response("Rayonix MX").name == "Rayonix MX"
    assert isinstance(read_response("ADSC_Q315").readout, Analogue)
