"""Anomalous scattering on the command line, and measured edges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cupysim import (
    CupysimError,
    Experiment,
    Gradients,
    Spectrum,
    from_args,
    read_structure,
    render_gradients,
    simulate,
)
from cupysim.formats import edge_table
from cupysim.formats.structures.anomalous import LARGEST_ERROR, channel_wavelengths
from cupysim.formats.structures.structure import Structure
from tests.conftest import Run
from tests.formats.structures import amplitudes_of, unique_reflections, write_mtz

gemmi = pytest.importorskip("gemmi")

MODEL = """\
CRYST1   20.000   30.000   40.000  90.00  90.00  90.00 P 1
HETATM    1 SE   MSE A   1       3.000   4.000   5.000  1.00 12.00          SE
HETATM    2 SE   MSE A   7      13.000   9.000  15.000  1.00 12.00          SE
ATOM      3  C   ALA A   2       8.000   9.000  11.000  1.00 20.00           C
END
"""
WORDS = "-N 5 -detpixels 20 -pixel 5 -dmin 3 -k_sol 0 -nodump -anomalous"
SCAN = "# energy/eV f' f''\n12000 -3 0.5\n13000 -5 4.5\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "se.pdb"
    path.write_text(MODEL)
    return path


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.txt"
    path.write_text(SCAN)
    return path


def experiment(model: Path, words: str) -> Experiment:
    return from_args(f"-pdb {model} {WORDS} {words}")


def direct(hkl: tuple[int, int, int], corrections: tuple[complex, complex]) -> float:
    """|F| of the two selenium atoms and the carbon atom, as a sum over atoms."""
    h, cell = np.array(hkl), np.array([20.0, 30.0, 40.0])
    squared = 0.25 * float(((h / cell) ** 2).sum())
    total = 0j
    atoms = [
        ("Se", (3, 4, 5), 12.0, corrections[0]), ("Se", (13, 9, 15), 12.0, corrections[1]),
        ("C", (8, 9, 11), 20.0, 0j),
    ]  # fmt: skip
    for name, place, b_factor, correction in atoms:
        f = gemmi.Element(name).it92.calculate_sf(squared) + correction
        total += f * np.exp(-b_factor * squared + 2j * np.pi * (h @ (np.array(place) / cell)))
    return abs(total)


def amplitude(found: Experiment, hkl: tuple[int, int, int]) -> float:
    factors = found.structure_factors
    assert factors.table is not None
    return float(factors.table[tuple(np.array(hkl) - factors.first)])


@pytest.mark.parametrize("hkl", [(1, 2, 3), (-1, -2, -3), (4, -3, 2)])
def test_the_wavelength_of_the_beam_is_used(hkl: tuple[int, int, int], model: Path) -> None:
    found = experiment(model, "-energy 12700")
    correction = complex(*gemmi.cromer_liberman(34, 12700.0))
    assert amplitude(found, hkl) == pytest.approx(direct(hkl, (correction, correction)), rel=2e-3)


@pytest.mark.parametrize(
    ("atoms", "measured"), [("Se", (True, True)), ("se", (True, True)), ("//A/7", (False, True))]
)
def test_measured_edges(atoms: str, measured: tuple[bool, bool], model: Path, scan: Path) -> None:
    found = experiment(model, f"-energy 12700 -edge {atoms},{scan}")
    theory = complex(*gemmi.cromer_liberman(34, 12700.0))
    first, second = (-4.4 + 3.3j if each else theory for each in measured)
    for hkl in ((1, 2, 3), (-1, -2, -3)):
        assert amplitude(found, hkl) == pytest.approx(direct(hkl, (first, second)), rel=2e-3)
    wavelength = found.beam.wavelength
    made = read_structure(
        model, dmin=3e-10, solvent=False, wavelengths=[wavelength], edges={atoms: scan}
    )
    np.testing.assert_array_equal(made.factors.table, found.structure_factors.table)


def test_columns_in_the_other_order(tmp_path: Path) -> None:
    path = tmp_path / "choose.efs"
    path.write_text("# energy/keV f'' f'\n13.0 4.5 -5\n12.0 0.5 -3  # before the edge\n\n")
    table = edge_table.read(path, "Se")
    np.testing.assert_allclose(table.at(np.array([12250.0, 13000.0])), [-3.5 + 1.5j, -5 + 4.5j])


def test_channels_follow_the_edge(model: Path) -> None:
    """Few where f' and f'' are smooth; at every wavelength, they are nearly exact."""
    structure = gemmi.read_structure(str(model))
    for low, high, most in ((0.9, 0.905, 3), (0.975, 0.985, 60)):
        wavelengths = np.linspace(low, high, 101) * 1e-10
        chosen = channel_wavelengths(gemmi, structure, wavelengths.tolist())
        assert len(chosen) <= most
        exact = np.array(
            [complex(*gemmi.cromer_liberman(34, 12398.4198e-10 / each)) for each in wavelengths]
        )
        at = exact[np.searchsorted(wavelengths, chosen)]
        between = np.interp(wavelengths, chosen, at)
        assert np.abs(between - exact).max() <= 1.01 * LARGEST_ERROR


def test_a_spectrum_has_tables(model: Path) -> None:
    found = experiment(model, "-lambda 0.98 -spectrum tophat,1 -spectrum_samples 20 -corrected")
    channels = found.structure_factors.wavelengths
    assert channels is not None
    assert 2 <= len(channels) <= 20
    assert channels[0] == found.sources.wavelengths.min()
    assert channels[-1] == found.sources.wavelengths.max()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("12000 -3 0.5\n", "line 1: the first line must name the columns"),
        ("# energy/eV f' f'\n1 2 3\n", "line 1: the first line must name the columns"),
        ("# energy/eV f' f''\n1 2\n", "line 2: '1 2' is not three numbers"),
        ("# energy/eV f' f''\n1 2 nan\n", "line 2"),
        ("# energy/eV f' f''\n1 2 3\n", "fewer than two energies"),
        ("# energy/eV f' f''\n1 2 3\n1 2 3\n", "differ from each other"),
        ("# energy/eV f' f''\n1 2 -3\n2 2 3\n", "f'' is negative"),
    ],
)
def test_mistakes_in_tables(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "scan.txt").write_text(text)
    with pytest.raises(CupysimError, match=told):
        edge_table.read(tmp_path / "scan.txt", "Se")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-energy 11000 -edge Se,scan.txt", "from 12000 to 13000 eV, but the beam has 11000 eV"),
        ("-energy 12500 -edge Zn,scan.txt", "the model has no atoms Zn"),
        ("-energy 12500 -edge //B,scan.txt", "the model has no atoms //B"),
        ("-energy 12500 -edge Se", "expected ELEMENT,FILE"),
        ("-energy 12500 -edge Se,scan.txt -edge se,scan.txt", "a second table for se"),
        ("-energy 12500 -edge Se,missing.txt", "missing.txt"),
    ],
)
def test_mistakes(
    words: str, told: str, model: Path, scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scan.parent)
    with pytest.raises(CupysimError, match=told):
        experiment(model, words)


def test_options_that_need_others() -> None:
    for words, told in (
        ("-anomalous", "-anomalous: needs a model"), ("-edge Se,a.txt", "-edge: needs -anomalous"),
    ):  # fmt: skip
        with pytest.raises(CupysimError, match=told):
            from_args(f"-cell 50 -default_F 1 -N 3 -detpixels 9 {words}")


def shifted_scan(path: Path, real: float, imaginary: float) -> Path:
    """The measured edge, with all f' and f'' shifted."""
    path.write_text(
        f"# energy/eV f' f''\n12000 {-3 + real} {0.5 + imaginary}\n"
        f"13000 {-5 + real} {4.5 + imaginary}\n"
    )
    return path


@pytest.mark.parametrize("atoms", ["Se", "//A/7"])
@pytest.mark.parametrize("part", ["real", "imaginary"])
def test_derivatives_with_respect_to_f1_and_f2(
    atoms: str, part: str, model: Path, tmp_path: Path, backend: str
) -> None:
    """Against differences of structure factors, and of images, of shifted f' and f''."""
    step = 1e-3
    wavelength = 12398.42e-10 / 12700.0

    def made(shift: float) -> Structure:
        shifts = (shift, 0.0) if part == "real" else (0.0, shift)
        scan = shifted_scan(tmp_path / "scan.txt", *shifts)
        return read_structure(
            model, dmin=3e-10, solvent=False, wavelengths=[wavelength], edges={atoms: scan},
            slopes=[atoms],
        )  # fmt: skip

    base, less, more = made(0.0), made(-step), made(step)
    slopes = getattr(base.slopes[atoms], part)
    assert slopes.shape == base.factors.channels.shape
    difference = (more.factors.channels - less.factors.channels) / (2.0 * step)
    np.testing.assert_allclose(slopes, difference, atol=1e-6)
    assert np.abs(slopes).max() > 0.3
    # Friedel mates differ in their derivatives with respect to f''
    mates = slopes[:, ::-1, ::-1, ::-1]
    assert np.allclose(slopes, mates, atol=0.01) is False

    words = f"-pdb {model} {WORDS} -energy 12700 -nointerpolate -corrected"
    plain = from_args(words)
    plain = replace(plain, beam=replace(plain.beam, wavelength=wavelength))

    def photons(structure: Structure) -> np.ndarray:
        changed = replace(plain, structure_factors=structure.factors)
        return render_gradients(changed, "scale", backend=backend).photons

    gradients = render_gradients(
        replace(plain, structure_factors=base.factors), "structure_factors", backend=backend
    )
    assert gradients.structure_factors is not None
    found = gradients.structure_factors.along(slopes)
    expected = (photons(more) - photons(less)) / (2.0 * step)
    assert found.shape == expected.shape == (20, 20)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
    with pytest.raises(CupysimError, match="slopes for"):
        gradients.structure_factors.along(slopes[:, 1:])


def test_derivatives_of_f_double_prime_at_several_wavelengths(
    model: Path, tmp_path: Path, backend: str
) -> None:
    """Each wavelength of a spectrum has a derivative with respect to its own f''."""
    wavelengths, step = [0.96e-10, 0.98e-10, 1.0e-10], 0.02

    def made(shifts: tuple[float, float, float]) -> Structure:
        scan = tmp_path / "scan.txt"
        energies = [12398.419843320026 / (1e10 * each) for each in wavelengths]
        rows = [(e, 3.0 + by) for e, by in zip(energies, shifts, strict=True)]
        ends = [(12000.0, 3.0 + shifts[2]), (13000.0, 3.0 + shifts[0])]
        lines = [f"{e:.9f} -5 {f}\n" for e, f in sorted(rows + ends)]
        scan.write_text("".join(["# energy/eV f' f''\n", *lines]))
        return read_structure(
            model, dmin=3e-10, solvent=False, wavelengths=wavelengths, edges={"Se": scan},
            slopes=["Se"],
        )  # fmt: skip

    base = made((0.0, 0.0, 0.0))
    spectrum = Spectrum(wavelengths, [1.0, 2.0, 1.5])
    words = f"-pdb {model} {WORDS} -energy 12700 -nointerpolate -corrected"
    plain = from_args(words)
    plain = replace(plain, beam=replace(plain.beam, wavelength=0.98e-10, spectrum=spectrum))

    def gradients(structure: Structure, names: str) -> Gradients:
        changed = replace(plain, structure_factors=structure.factors)
        return render_gradients(changed, names, backend=backend)

    sparse = gradients(base, "structure_factors").structure_factors
    assert sparse is not None
    slopes = base.slopes["Se"].imaginary
    for number in range(3):
        alone = np.zeros_like(slopes)
        alone[number] = slopes[number]
        found = sparse.along(alone)
        more, less = (
            gradients(made(tuple(by * (n == number) for n in range(3))), "scale").photons  # type: ignore[arg-type]
            for by in (step, -step)
        )
        expected = (more - less) / (2.0 * step)
        assert np.abs(expected).max() > 0.0
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_slopes_of_unknown_atoms(model: Path) -> None:
    with pytest.raises(CupysimError, match="the model has no atoms Zn"):
        read_structure(model, dmin=3e-10, slopes=["Zn"])
    with pytest.raises(CupysimError, match="slopes are for coordinates"):
        read_structure(model, slopes=["Se"])


def test_columns_at_several_wavelengths(tmp_path: Path, run: Run) -> None:
    """Each set of columns is a channel, and F in between is interpolated."""
    hkl = unique_reflections()
    first, second = amplitudes_of(hkl), 1.5 * amplitudes_of(hkl)
    path = write_mtz(tmp_path / "mad.mtz", {"F_PK": ("F", first), "F_RM": ("F", second)}, hkl)
    words = "-hkl mad.mtz -N 5 -detpixels 20 -pixel 5 -nodump -nointerpolate -corrected"
    outcome = run(f"{words} -mtzcol F_PK@0.98;F_RM@0.94 -lambda 0.97 -floatfile a.bin")
    assert outcome.status == 0, outcome.err
    made = read_structure(path, {0.94e-10: ["F_RM"], 0.98e-10: ["F_PK"]})
    base = from_args(f"{words} -mtzcol F_PK -lambda 0.97".replace("mad.mtz", str(path)))
    image = simulate(replace(base, structure_factors=made.factors)).array
    np.testing.assert_array_equal(np.frombuffer(outcome.files["a.bin"], np.float32), image.ravel())
    # a quarter of the way from 0.98 to 0.94
    factor = (1.0 + 0.25 * 0.5) ** 2
    at_peak = simulate(base).array
    np.testing.assert_allclose(image, factor * at_peak, rtol=1e-5)
    beyond = run(f"{words} -mtzcol F_PK@0.98;F_RM@0.94 -lambda 1.1")
    assert (beyond.status, "is beyond the wavelengths" in beyond.err) == (9, True)
    for value, told in (
        ("F_PK@x", "expected columns and their wavelength"),
        ("F_PK@0.98;F_RM@0.98", "two sets of columns at 0.98 A"),
        ("F_PK@0.98;F_XX@0.94", "F_XX"),
    ):
        outcome = run(f"{words} -mtzcol {value} -lambda 0.97")
        assert (outcome.status, told in outcome.err) == (9, True), outcome.err
