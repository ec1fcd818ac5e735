"""Stokes parameters: scattering of a dipole in the field of each source, on every backend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cupysim import CupysimError, Experiment, Spectrum, from_args, render_gradients, simulate
from cupysim.formats.spectrum_file import read_spectrum
from tests.conftest import Run

WORDS = (
    "-cell 40 50 60 80 95 100 -misset 10 20 30 -default_F 10 -N 3 -detpixels 12 -pixel 8 "
    "-distance 60 -oversample 2 -water 20 -corrected"
)
SINGLE = 4e-7
"""Relative rounding of float32."""


def with_stokes(q: float, u: float, words: str = WORDS) -> Experiment:
    experiment = from_args(words)
    return replace(experiment, beam=replace(experiment.beam, stokes=np.array([q, u])))


def fields(q: float, u: float) -> list[tuple[float, float]]:
    """Angles of two perpendicular linear polarizations, and their shares of the photons."""
    degree, angle = np.hypot(q, u), 0.5 * np.arctan2(u, q)
    return [(angle, 0.5 * (1 + degree)), (angle + np.pi / 2, 0.5 * (1 - degree))]


@pytest.mark.parametrize(("q", "u"), [(1.0, 0.0), (0.0, 0.6), (-0.3, -0.4), (0.2, 0.0)])
def test_dipole(q: float, u: float, backend: str) -> None:
    """Ratios to an image without polarization are the mean of 1 - (E.d)^2 over both fields."""
    words = WORDS.replace("-oversample 2", "-oversample 1")
    experiment = with_stokes(q, u, words)
    image = simulate(experiment, backend=backend)
    plain = simulate(from_args(f"{words} -nopolar"), backend=backend)
    geometry, frame = experiment.geometry, experiment.frame
    slow, fast = np.mgrid[0:12, 0:12] + 0.5
    pixel = experiment.one_panel("test").pixel_size
    place = geometry.origin + pixel * (
        fast[..., None] * geometry.fast + slow[..., None] * geometry.slow
    )
    direction = place / np.linalg.norm(place, axis=-1, keepdims=True)
    expected = np.zeros((12, 12))
    for angle, share in fields(q, u):
        field = np.cos(angle) * frame.polarization + np.sin(angle) * frame.vertical
        expected += share * (1.0 - (direction @ field) ** 2)
    np.testing.assert_allclose(image.array / plain.array, expected, rtol=SINGLE)


def test_each_wavelength_has_its_own(backend: str) -> None:
    lines, weights = np.array([1.0e-10, 1.05e-10]), np.array([0.3, 0.7])
    stokes = np.array([[1.0, 0.0], [-0.5, 0.5]])
    base = from_args(WORDS)
    both = Spectrum(lines, weights, stokes)
    together = simulate(
        replace(base, beam=replace(base.beam, spectrum=both)), backend=backend
    ).array
    expected = np.zeros_like(together, dtype=np.float64)
    for line, weight, each in zip(lines, weights, stokes, strict=True):
        beam = replace(base.beam, spectrum=Spectrum(np.array([line]), np.ones(1)), stokes=each)
        expected += weight * simulate(replace(base, beam=beam), backend=backend).array
    np.testing.assert_allclose(together, expected, rtol=SINGLE)


def test_rows_of_a_table(backend: str) -> None:
    base = from_args(WORDS)
    frame = base.frame
    rows = [[*(-10.0 * frame.beam), 1.0, 1e-10], [*(-10.0 * frame.beam), 3.0, 1.02e-10]]
    beam = replace(
        base.beam, source_table=np.array(rows), stokes=np.array([[0.9, 0.0], [0.0, -0.9]])
    )
    spectrum = Spectrum(
        np.array([1e-10, 1.02e-10]), np.array([1.0, 3.0]), np.array([[0.9, 0.0], [0.0, -0.9]])
    )
    tabulated = simulate(replace(base, beam=beam), backend=backend)
    swept = simulate(replace(base, beam=replace(base.beam, spectrum=spectrum)), backend=backend)
    np.testing.assert_allclose(tabulated.array, swept.array, rtol=SINGLE)


def test_tolerance_and_derivatives(backend: str) -> None:
    experiment = with_stokes(0.3, 0.8, WORDS.replace("-water 20", "-mosaic 0.5 -mosaic_dom 8"))
    exact = simulate(experiment, backend=backend)
    within = simulate(experiment, backend=backend, tolerance=1e-3)
    missing = exact.array - within.array
    assert 0.0 <= missing.max() <= 1e-3 + SINGLE * exact.array.max()
    gradients = render_gradients(experiment, "distance", backend=backend)
    step = 1e-7
    moved = [
        render_gradients(
            replace(experiment, detector=replace(experiment.detector, distance=0.06 + sign * step)),
            "distance",
            backend=backend,
        ).photons
        for sign in (1, -1)
    ]
    slope = (moved[0] - moved[1]) / (2 * step)
    np.testing.assert_allclose(gradients.values[0], slope, atol=1e-6 * np.abs(slope).max())


def test_command(run: Run, tmp_path: Path) -> None:
    outcome = run(f"{WORDS} -stokes -0.3 0.4")
    assert "Stokes parameters of linear polarization, Q/I and U/I: -0.3 0.4" in outcome.out
    image = np.frombuffer(outcome.files["floatimage.bin"], np.float32)
    np.testing.assert_array_equal(image, simulate(with_stokes(-0.3, 0.4)).array.ravel())
    # a Kahn factor is Q, for fields along the axis
    kahn = run(f"{WORDS} -polar 0.4 -floatfile k.bin").files["k.bin"]
    stokes = run(f"{WORDS} -stokes 0.4 0 -floatfile s.bin").files["s.bin"]
    np.testing.assert_allclose(
        np.frombuffer(stokes, np.float32), np.frombuffer(kahn, np.float32), rtol=SINGLE
    )
    (tmp_path / "s.txt").write_text("# wavelength/A weight Q U\n1.0 1 1 0\n1.1 3 0 -1\n")
    outcome = run(f"{WORDS} -spectrum s.txt")
    assert "Q/I and U/I: 0.25 -0.75" in outcome.out
    np.testing.assert_array_equal(read_spectrum(tmp_path / "s.txt").stokes, [[1, 0], [0, -1]])


def test_files(run: Run) -> None:
    """Files with one polarization have that of all photons together."""
    import io

    import h5py

    outcome = run(f"{WORDS} -stokes 0.3 0.4 -h5file a.h5 -exptfile a.expt")
    with h5py.File(io.BytesIO(outcome.files["a.h5"])) as file:
        stokes = file["entry/instrument/beam/incident_polarization_stokes"][0]
    assert np.hypot(stokes[1], stokes[2]) == pytest.approx(0.5)
    assert b'"polarization_fraction": 0.75' in outcome.files["a.expt"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-stokes 0.9 0.9", "polarized by 127.279 %; at most 100 % are possible"),
        ("-stokes 0.9 0 -polar 0.3", "-stokes and -polar both give the polarization"),
        ("-stokes 0.9 0 -nopolar", "-stokes and -nopolar both give the polarization"),
        ("-spectrum s.txt -stokes 1 0", "the spectrum has Stokes parameters already"),
        ("-spectrum t.txt", "t.txt, line 2: '1.0 1 1' is not four numbers"),
    ],
)
def test_mistakes(words: str, told: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("# wavelength/A weight Q U\n1.0 1 1 0\n")
    (tmp_path / "t.txt").write_text("# wavelength/A weight Q U\n1.0 1 1\n")
    outcome = run(f"{WORDS} {words}")
    assert outcome.status == 9
    assert told in outcome.err


def test_mistakes_in_python() -> None:
    base = from_args(WORDS)
    with pytest.raises(CupysimError, match="stokes has 2 rows, but there are 1"):
        replace(base.beam, stokes=np.zeros((2, 2)))
    with pytest.raises(CupysimError, match="pairs Q/I and U/I"):
        replace(base.beam, stokes=np.zeros(3))
    with pytest.raises(CupysimError, match="a row for each wavelength"):
        Spectrum(np.array([1e-10, 2e-10]), np.ones(2), np.zeros((1, 2)))
    with pytest.raises(CupysimError, match="not both"):
        replace(base.beam, polarization=0.5, stokes=np.zeros(2))
