"""Derivatives with respect to bandwidth, divergence and spreads of the cell: differences, limits,
fits and campaigns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cupysim import (
    Body,
    BodyForm,
    CupysimError,
    Decay,
    Experiment,
    FurtherCrystal,
    Spectrum,
    StructureFactors,
    render_gradients,
    simulate,
)
from cupysim.models.parameters import changed, current
from cupysim.refine.fit import _bounds, refine
from cupysim.refine.free_parameters import free_parameters
from cupysim.refine.observation import Observation
from cupysim.refine.report import report_lines
from cupysim.refine.settings import Settings
from cupysim.renderer import Renderer
from tests.campaign.test_shots import shots_of
from tests.corrected.rendering import experiment_of

PROMISED = 1e-6
"""Of the largest value of a derivative."""

WORDS = (
    "-cell 50 50 70 90 90 120 -misset 10 20 30 -detpixels 10 -pixel 3 -lambda 1.3 -distance 80 "
    "-fluence 1e24 -oversample 1 -corrected"
)
STRAINED = f"{WORDS} -N 4 -mosaic 0.5 -mosaic_dom 4 -spread_edges 2 1 1.5"
STEP = 2e-6
"""Change for central differences of strains and angles."""


def central(experiment: Experiment, name: str, backend: str, step: float) -> np.ndarray:
    """Central differences of the fourth order."""

    def at(by: float) -> np.ndarray:
        other = changed(experiment, name, by)
        return render_gradients(other, "scale", backend=backend).photons

    return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)


def assert_slopes(
    experiment: Experiment, names: tuple[str, ...], backend: str, step: float = STEP
) -> None:
    found = render_gradients(experiment, names, backend=backend)
    for name in names:
        expected = central(experiment, name, backend, step)
        largest, noise = np.abs(expected).max(), 3e-14 * found.photons.max() / step
        assert largest > 0.0, name
        assert np.abs(found[name] - expected).max() <= PROMISED * largest + noise, name


def symmetric_factors() -> StructureFactors:
    """With a sixfold axis along c."""
    edge = np.arange(-8, 9)
    hkl = np.stack(np.meshgrid(edge, edge, edge, indexing="ij"), -1).reshape(-1, 3)
    h, k, l = hkl.T
    square = h * h + h * k + k * k
    amplitudes = 5.0 + 3.0 * np.cos(square + 0.7 * l)
    return StructureFactors.from_list(hkl, np.where(square <= 48, amplitudes, 0.0))


def settings_of_a_hexagonal_cell() -> Experiment:
    """The matrices of these settings mix a and b, so that strains are not diagonal."""
    experiment = experiment_of(f"{STRAINED} -Na 3 -Nb 5 -Nc 2 -average_settings 6/m -default_F 1")
    return replace(experiment, structure_factors=symmetric_factors())


def body_and_decay() -> Experiment:
    experiment = experiment_of(f"{STRAINED} -default_F 10 -osc 3 -phisteps 3 -water 0.001")
    body = Body(BodyForm.ELLIPSOID, (3e-5, 2e-5, 4e-5), attenuation=2e3)
    return replace(experiment, body=body, decay=Decay(3e6, half_dose=5e6))


CASES = {
    "settings": (settings_of_a_hexagonal_cell, ("misset_x", "cell_a", "cell_c", "edge_spread_b")),
    "body and decay": (body_and_decay, ("misset_y", "edge_spread_a", "edge_spread_c", "cell_c")),
    "diffuse": (
        lambda: experiment_of(
            f"{STRAINED} -default_F 10 -diffuse_gamma 10 12 8 -diffuse_sigma 0.4 0.3 0.5"
        ),
        ("misset_z", "cell_b", "edge_spread_a", "mosaic_spread"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_strained_cells(case: str, backend: str) -> None:
    make, names = CASES[case]
    assert_slopes(make(), names, backend)


def test_spreads_of_a_further_crystal(backend: str) -> None:
    one = experiment_of(f"{STRAINED} -default_F 10")
    second = replace(one.crystal.with_misset(5, 50, 0), cell_spreads=(0.01, 0.03, 0.0))
    both = replace(one, further_crystals=(FurtherCrystal(second),))
    names = ("edge_spread_a", "edge_spread_b:2")
    found = render_gradients(both, names, backend=backend)
    for name, each in zip(names, (one, replace(one, crystal=second)), strict=True):
        alone = render_gradients(each, name.partition(":")[0], backend=backend)
        np.testing.assert_allclose(found[name], alone.values[0], rtol=1e-12, atol=1e-15)


def test_an_edge_without_a_spread_has_a_derivative(backend: str) -> None:
    """One-sided differences, of the second order."""
    experiment = experiment_of(f"{WORDS} -N 4 -default_F 10 -mosaic_dom 4 -spread_edges 1 0 0")
    found = render_gradients(experiment, "edge_spread_b", backend=backend)
    none, once, twice = (
        render_gradients(changed(experiment, "edge_spread_b", by), "scale", backend=backend).photons
        for by in (0.0, 1e-5, 2e-5)
    )
    expected = (4.0 * once - twice - 3.0 * none) / 2e-5
    largest = np.abs(expected).max()
    np.testing.assert_allclose(found["edge_spread_b"], expected, atol=1e-5 * largest)


def test_near_zero_an_image_changes_with_the_square_of_a_spread(backend: str) -> None:
    """The mean of the deviates is zero, so the domains cancel to the first order."""
    experiment = experiment_of(f"{WORDS} -N 4 -default_F 10 -mosaic_dom 6 -spread_edges 1e-7 0 0")
    found = render_gradients(experiment, "edge_spread_b,cell_b", backend=backend)
    edge = experiment.lattice.lengths[1]
    scale = edge * np.abs(found["cell_b"]).max()
    assert scale > 0.0
    assert np.abs(found["edge_spread_b"]).max() <= 1e-4 * scale


SPECTRA = {
    "dispersion": "-dispersion 3 -dispsteps 4",
    "spectrum_width": "-spectrum two-colour,2,0.5 -spectrum_samples 6",
    "wavelength": "-spectrum sase,1,5,3 -spectrum_samples 8",
    "divergence_horizontal": "-hdivrange 4 -hdivsteps 3 -vdivrange 3 -vdivsteps 2 -polar 0.9",
    "divergence_vertical": "-vdivrange 4 -vdivsteps 3 -round_div -stokes 0.6 -0.3 -water 0.01",
}


@pytest.mark.parametrize("name", SPECTRA)
def test_sources(name: str, backend: str) -> None:
    experiment = experiment_of(f"{WORDS} -N 4 -default_F 10 {SPECTRA[name]}")
    step = 1e-16 if name == "wavelength" else STEP
    assert_slopes(experiment, (name,), backend, step)


def test_the_scattering_of_matter_changes_with_the_sources(backend: str) -> None:
    words = (
        f"{WORDS} -N 1 -default_F 1e-3 -background water,1 -hdivrange 40 -hdivsteps 3 -dispersion 9"
    )
    assert_slopes(experiment_of(words), ("divergence_horizontal", "dispersion"), backend)


def test_all_wavelengths_together_are_the_wavelength(backend: str) -> None:
    """If a narrow spectrum moves, the photons change as with one wavelength."""
    one = experiment_of(f"{WORDS} -N 4 -default_F 10")
    narrow = Spectrum(1.3e-10 * (1.0 + 1e-9 * np.arange(-1, 2)), [1.0, 2.0, 1.0])
    several = replace(one, beam=replace(one.beam, spectrum=narrow))
    found, expected = (
        render_gradients(each, "wavelength", backend=backend)["wavelength"]
        for each in (several, one)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_widths_of_spectra() -> None:
    places = np.linspace(-1.0, 1.0, 5)
    spectrum = Spectrum(1e-10 / (1.0 + 0.01 * places), np.ones(5))
    assert spectrum.width == pytest.approx(0.01 * np.sqrt(0.5), rel=1e-12)
    wider = spectrum.stretched(3.0)
    np.testing.assert_allclose(wider.wavelengths, 1e-10 / (1.0 + 0.03 * places), rtol=1e-12)
    gaussian = Spectrum.gaussian(1e-10, 0.02, 400)
    # within three standard deviations
    assert gaussian.width == pytest.approx(0.02 / 2.3548, rel=0.02)
    with pytest.raises(CupysimError, match="reach the energy zero"):
        spectrum.stretched(200.0)


@pytest.mark.parametrize(
    ("words", "name", "told"),
    [
        ("", "edge_spread_a", "all domains have the same cell"),
        ("", "dispersion", "the beam has no dispersion"),
        ("", "divergence_vertical", "option -vdivrange"),
        ("", "spectrum_width", "the beam has no spectrum"),
        ("-spectrum gaussian,1", "dispersion", "use spectrum_width"),
        ("-spectrum gaussian,1 -spectrum_samples 1", "spectrum_width", "a single wavelength"),
    ],
)
def test_what_has_no_derivatives(words: str, name: str, told: str) -> None:
    experiment = experiment_of(f"{WORDS} -N 4 -default_F 10 {words}")
    with pytest.raises(CupysimError, match=told):
        render_gradients(experiment, name, backend="numpy")
    with pytest.raises(CupysimError, match=told):
        changed(experiment, name, 1e-3)


def test_a_width_stays_positive() -> None:
    experiment = experiment_of(f"{WORDS} -N 4 -default_F 10 -dispersion 1 -dispsteps 3")
    with pytest.raises(CupysimError, match="must stay positive"):
        changed(experiment, "dispersion", -0.02)


FITS = {
    "edge_spread_a,edge_spread_c": (
        "-mosaic_dom 30 -spread_edges 2 0 3", (("edge_spread_a", 0.005), ("edge_spread_c", -0.006))
    ),
    "spectrum_width": ("-spectrum gaussian,3 -spectrum_samples 12", (("spectrum_width", 0.003),)),
    "divergence_horizontal": (
        "-hdivrange 10 -hdivsteps 5", (("divergence_horizontal", 0.002),)
    ),
}  # fmt: skip


@pytest.mark.parametrize("names", FITS)
def test_fits(names: str) -> None:
    words, errors = FITS[names]
    truth = experiment_of(
        f"{WORDS} -N 8 -default_F 100 -detpixels 60 -pixel 1 -fluence 1e28 {words}"
    )
    start = truth
    for name, error in errors:
        start = changed(start, name, error)
    image = simulate(truth).array.astype(np.float64)
    found = refine(
        start,
        Observation(image, np.ones(image.shape, dtype=bool)),
        free_parameters(names),
        Renderer().differentiate,
        Settings(),
    )
    assert found.converged, found.reason
    for name, _ in errors:
        assert current(found.experiment, name) == pytest.approx(current(truth, name), rel=1e-3)


def test_campaigns_vary_them(tmp_path: Path) -> None:
    base = f"{WORDS} -N 4 -default_F 10 -dispersion 1 -dispsteps 3 -mosaic_dom 4 "
    base += "-spread_edges 1 1 1"
    vary = "dispersion = { uniform = [0.5, 2] }\nedge_spread_b = { uniform = [0.5, 2] }"
    shots = [shot.experiment for shot in shots_of(tmp_path, vary, 3, base=base)]
    for read in (
        lambda e: 100 * e.beam.dispersion.range, lambda e: 100 * e.crystal.cell_spreads[1]
    ):  # fmt: skip
        values = [read(each) for each in shots]
        assert len(set(values)) == 3
        assert all(0.5 <= value <= 2.0 for value in values)


def test_the_wavelength_of_a_shot_moves_its_spectrum(tmp_path: Path) -> None:
    base = f"{WORDS} -N 4 -default_F 10 -spectrum gaussian,2 -spectrum_samples 5"
    vary = "wavelength = { list = [1.1, 1.3] }"
    (one, other) = (shot.experiment for shot in shots_of(tmp_path, vary, 2, base=base))
    expected = experiment_of(f"{base} -lambda 1.1").sources.wavelengths
    np.testing.assert_allclose(one.sources.wavelengths, expected, rtol=1e-12)
    np.testing.assert_allclose(other.sources.wavelengths, 1.3 / 1.1 * expected, rtol=1e-12)


def test_the_wavelength_of_a_full_table_does_not_vary(tmp_path: Path) -> None:
    (tmp_path / "sources.txt").write_text("-1 0 0 1 1.3e-10\n")
    base = f"{WORDS} -N 4 -default_F 10 -sourcefile {tmp_path / 'sources.txt'}"
    with pytest.raises(CupysimError, match="wavelength: has no effect: the table of sources"):
        shots_of(tmp_path, "wavelength = { constant = 1.1 }", 1, base=base)


def test_the_wavelength_of_a_spectrum_from_a_file(tmp_path: Path) -> None:
    """It is that of the mean energy, and not that of -lambda, which such a spectrum ignores."""
    energies = np.array([9400.0, 9500.0, 9600.0])
    (tmp_path / "s.txt").write_text(
        "\n".join(["# energy/eV weight", *(f"{energy} 1" for energy in energies)])
    )
    base = f"{WORDS} -N 4 -default_F 10 -spectrum {tmp_path / 's.txt'}"
    experiment = experiment_of(base)
    of_mean = 12398.42 / 9500.0
    assert current(experiment, "wavelength") == pytest.approx(1e-10 * of_mean, rel=1e-6)
    assert_slopes(experiment, ("wavelength",), "numpy", 1e-16)
    vary = "wavelength = { list = [1.1, 1.2] }"
    for expected, shot in zip((1.1, 1.2), shots_of(tmp_path, vary, 2, base=base), strict=True):
        wavelengths = 1e10 * shot.experiment.sources.wavelengths
        assert 1.0 / np.mean(1.0 / wavelengths) == pytest.approx(expected, rel=1e-12)
        assert shot.experiment.beam.wavelength == pytest.approx(1e-10 * expected, rel=1e-12)


def test_a_fit_tells_how_the_spectrum_changes() -> None:
    words = f"{WORDS} -N 8 -default_F 100 -detpixels 40 -pixel 1 -fluence 1e28"
    truth = experiment_of(f"{words} -spectrum gaussian,3 -spectrum_samples 9")
    start = changed(changed(truth, "spectrum_width", 0.001), "wavelength", 3e-13)
    image = simulate(truth).array.astype(np.float64)
    found = refine(
        start,
        Observation(image, np.ones(image.shape, dtype=bool)),
        free_parameters("wavelength,spectrum_width"),
        Renderer().differentiate,
        Settings(),
    )
    (line,) = [line for line in report_lines(found) if "-spectrum" in line]
    ratios = [
        current(truth, name) / current(start, name) for name in ("wavelength", "spectrum_width")
    ]
    told = [float(word.rpartition(" ")[2]) for word in line.split(",")]
    assert told == pytest.approx(ratios, rel=1e-3)
    assert not any("-lambda" in line for line in report_lines(found))


def test_a_fit_of_an_edge_spread_may_begin_and_end_at_zero() -> None:
    words = f"{WORDS} -N 8 -default_F 100 -detpixels 60 -pixel 1 -fluence 1e28 -mosaic_dom 20"
    truth = experiment_of(f"{words} -spread_edges 2 1 0")
    image = simulate(truth).array.astype(np.float64)
    for begin in ("2 0.4 0.3", "2 1.1 0"):
        found = refine(
            experiment_of(f"{words} -spread_edges {begin}"),
            Observation(image, np.ones(image.shape, dtype=bool)),
            free_parameters("edge_spread_b,edge_spread_c"),
            Renderer().differentiate,
            Settings(),
        )
        assert "allowed limit" not in found.reason
        np.testing.assert_allclose(
            found.experiment.crystal.cell_spreads, (0.02, 0.01, 0.0), atol=2e-4
        )


@pytest.mark.parametrize(
    ("vary", "told"),
    [
        ("dispersion = { constant = -1 }", "dispersion: -1 is impossible: .*must stay positive"),
        (
            "edge_spread_a = { list = [30, 20] }",
            "edge_spread_a: 30 is impossible: .*0 to 10 %",
        ),
        ("size_spread = { constant = -3 }", "size_spread: -3 is impossible"),
    ],
)
def test_impossible_numbers_of_a_campaign(vary: str, told: str, tmp_path: Path) -> None:
    words = f"{WORDS} -N 4 -default_F 10 -dispersion 1 -dispsteps 3 -mosaic_dom 4"
    with pytest.raises(CupysimError, match=told):
        shots_of(tmp_path, vary, 1, base=f"{words} -spread_edges 1 1 1 -size_spread 10")


@pytest.mark.parametrize("name", ["dispersion", "spectrum_width"])
def test_campaigns_with_drawn_spectra_have_no_other_width(name: str, tmp_path: Path) -> None:
    words = "-dispersion 1 -dispsteps 3" if name == "dispersion" else "-spectrum gaussian,1"
    vary = f"{name} = {{ uniform = [0.5, 2] }}\nspectrum = {{ bandwidth = 0.4, channels = 5 }}"
    with pytest.raises(CupysimError, match=f"{name}.*no effect"):
        shots_of(tmp_path, vary, 1, base=f"{WORDS} -N 4 -default_F 10 {words}")


def test_a_fit_keeps_edge_spreads_from_becoming_negative() -> None:
    low, high = _bounds(("edge_spread_a", "edge_spread_b:2"), np.array([0.5, 3.0]), {})
    np.testing.assert_array_equal(low, [-0.5, -2.0])
    np.testing.assert_array_equal(high, [2.0, 2.0])
