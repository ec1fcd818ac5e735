"""Spectra: their moments by formula, files, and images as sums over wavelengths."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

from cupysim import CupysimError, CupysimWarning, Spectrum, from_args, simulate
from cupysim.formats.spectrum_file import read_spectrum

WORDS = (
    "-cell 50 60 70 80 95 100 -misset 10 20 30 -default_F 10 -N 4 -detpixels 12 -pixel 3 "
    "-oversample 2 "
)
SINGLE = 4e-7


def moments(spectrum: Spectrum) -> tuple[float, float]:
    """Mean and standard deviation of the energy, relative to 1 Angstrom."""
    energies = 1e-10 / spectrum.wavelengths
    mean = float(energies @ spectrum.weights)
    return mean, float(np.sqrt((energies - mean) ** 2 @ spectrum.weights))


def test_moments() -> None:
    mean, sigma = moments(Spectrum.tophat(1e-10, 0.03, 1000))
    assert (mean, sigma) == pytest.approx((1.0, 0.03 / np.sqrt(12.0)), rel=1e-5)
    mean, sigma = moments(Spectrum.gaussian(1e-10, 0.03, 1000))
    # cut at three standard deviations: the variance is 0.973 of the whole
    assert mean == pytest.approx(1.0, rel=1e-9)
    assert sigma == pytest.approx(0.03 / 2.3548 * np.sqrt(0.9733), rel=1e-3)
    mean, sigma = moments(Spectrum.two_colours(1e-10, 0.02, 0.002, 1000))
    assert (mean, sigma) == pytest.approx((1.0, 0.01), rel=0.01)


def test_sase_is_spiky_and_its_mean_is_gaussian() -> None:
    spectra = [Spectrum.sase(1e-10, 0.005, 10.0, seed, 256) for seed in range(400)]
    weights = np.array([each.weights for each in spectra])
    mean = weights.mean(axis=0)
    expected = Spectrum.gaussian(1e-10, 0.005, 256).weights
    assert np.abs(mean - expected).max() < 0.2 * expected.max()
    # the intensity of a chaotic field has the relative variance 1; its share of some ten spikes 0.9
    middle = weights[:, 100:156]
    assert float(middle.var() / middle.mean() ** 2) == pytest.approx(0.9, abs=0.1)
    np.testing.assert_array_equal(
        spectra[3].weights, Spectrum.sase(1e-10, 0.005, 10.0, 3, 256).weights
    )


def test_merged_wavelengths_keep_photons_and_energy() -> None:
    fine = Spectrum.sase(1e-10, 0.01, 20.0, 4, 1000)
    coarse = fine.reduced(30)
    assert len(coarse.wavelengths) <= 30
    assert moments(coarse)[0] == pytest.approx(moments(fine)[0], rel=1e-12)
    assert moments(coarse)[1] == pytest.approx(moments(fine)[1], rel=0.02)
    assert fine.reduced(5000) is fine


def test_an_image_is_the_mean_over_wavelengths(backend: str) -> None:
    shown = from_args(f"{WORDS} -spectrum two-colour,2,0.5 -spectrum_samples 4 -hdivrange 1 "
                      "-hdivsteps 2 -corrected")  # fmt: skip
    assert shown.beam.spectrum is not None
    assert len(shown.sources.wavelengths) == 8
    image = simulate(shown, backend).array.astype(np.float64)
    expected = np.zeros_like(image)
    for wavelength, weight in zip(
        shown.beam.spectrum.wavelengths, shown.beam.spectrum.weights, strict=True
    ):
        alone = from_args(f"{WORDS} -lambda {float(1e10 * wavelength)!r} -hdivrange 1 -hdivsteps 2 "
                          "-corrected")  # fmt: skip
        expected += weight * simulate(alone, backend).array
    np.testing.assert_allclose(image, expected, rtol=SINGLE, atol=SINGLE * expected.max())


def test_files(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("# energy/keV current/A\n12.398 1.0\n12.4108 3.0\n")
    found = read_spectrum(text)
    np.testing.assert_allclose(found.wavelengths, [1.0000339e-10, 0.9990025e-10], rtol=1e-6)
    np.testing.assert_allclose(found.weights, [0.25, 0.75])
    text.write_text("# wavelength/A weight\n1.0, 1\n\n1.1 1  # red\n")
    np.testing.assert_allclose(read_spectrum(text).wavelengths, [1e-10, 1.1e-10])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["spectrum/wavelengths_A"], file["spectrum/pdf"] = [1.0, 1.2], [1.0, 1.0]
    np.testing.assert_allclose(read_spectrum(tmp_path / "a.h5").wavelengths, [1e-10, 1.2e-10])


def test_parts_of_files_that_are_not_used_are_told(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("# wavelength/A weight sigma\n1.0 1 0.1\n1.1 1 0.2\n")
    with pytest.warns(CupysimWarning, match="only the first two of 3 columns"):
        read_spectrum(text)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["wavelengths"], file["weights"] = [1.0, 1.2], [[1.0, 3.0], [2.0, 2.0]]
    with pytest.warns(CupysimWarning, match="the first of 2 spectra"):
        found = read_spectrum(tmp_path / "a.h5")
    np.testing.assert_allclose(found.weights, [0.25, 0.75])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("1 2\n", "the first line must say"),
        ("# energy/keV\n12.4\n", "line 2: '12.4' is not two numbers"),
        ("# energy/keV\n12.4 x\n", "line 2"),
        ("# energy/keV\n", "no wavelengths"),
        ("# energy/keV\n0 1\n", "energies must be positive"),
        ("# energy/A\n1 1\n", "the unit of the energy is A"),
        ("# energy/keV\n12.4 -1\n", "weights must not be negative"),
    ],
)
def test_mistakes_in_files(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(CupysimError, match=told):
        read_spectrum(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("-spectrum laser,1", "no file 'laser,1'; kinds are tophat"),
        ("-spectrum tophat", "expected tophat,WIDTH"),
        ("-spectrum gaussian,x", "'x' is not a number"),
        ("-spectrum gaussian,-1", "between 0 and 100 %"),
        ("-spectrum sase,1,20,0.5", "whole number"),
        ("-spectrum tophat,1 -dispersion 1 -dispsteps 3", "not two"),
        ("-spectrum tophat,1 -dispsteps 3", "-dispsteps needs -dispersion"),
        ("-spectrum_samples 3", "needs -spectrum"),
    ],
)
def test_mistakes(value: str, told: str) -> None:
    with pytest.raises(CupysimError, match=told):
        from_args(f"{WORDS} {value}")


@pytest.mark.parametrize(("wavelength", "is_told"), [("1.03", False), ("2", True), ("1", True)])
def test_a_wavelength_beside_the_spectrum_is_told(
    wavelength: str, is_told: bool, tmp_path: Path
) -> None:
    """Photons have the wavelengths of the file, but headers that of -lambda."""
    (tmp_path / "a.txt").write_text("# energy/eV weight\n12000 1\n12100 2\n")
    words = f"{WORDS} -lambda {wavelength} -spectrum {tmp_path / 'a.txt'}"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        from_args(words)
    told = any("is not within -spectrum, " in str(each.message) for each in caught)
    assert told == is_told


def test_narrow_spectra_in_wide_tables() -> None:
    """The parts divide the range that has the photons, not that of the table."""
    energies = np.arange(11400.0, 13400.0)
    weights = np.exp(-4.0 * np.log(2.0) * ((energies - 12525.0) / 60.0) ** 2)
    fine = Spectrum(12398.4198e-10 / energies, weights)
    for samples in (8, 32):
        coarse = fine.reduced(samples)
        assert len(coarse.weights) == samples
        assert moments(coarse)[0] == pytest.approx(moments(fine)[0], rel=1e-12)
        assert np.count_nonzero(coarse.weights > 0.2 * coarse.weights.max()) > 0.3 * samples
    assert moments(fine.reduced(32))[1] == pytest.approx(moments(fine)[1], rel=0.02)
    # evenly spaced lines are not joined
    lines = Spectrum.tophat(1e-10, 0.02, 64)
    assert lines.reduced(64) is lines
    np.testing.assert_allclose(lines.reduced(32).weights, 1.0 / 32.0, rtol=0.51)


@pytest.mark.parametrize("header", ["weight U Q", "Q U weight", "weight Q U V"])
def test_other_orders_of_stokes_parameters(header: str, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text(f"# energy/eV {header}\n12000 1 0.5 0.5\n")
    with pytest.raises(CupysimError, match="the first line has others"):
        read_spectrum(tmp_path / "s.txt")


def test_relative_stokes_parameters(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("# energy/eV weight Q/I u/i\n12000 1 0.5 -0.5\n")
    found = read_spectrum(tmp_path / "s.txt").stokes
    np.testing.assert_array_equal(found, [[0.5, -0.5]])
