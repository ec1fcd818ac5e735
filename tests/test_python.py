"""What Python users work with: spots, pictures, counts, readers, panels, degrees, data sets."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

import cupysim
from cupysim import (
    Beam,
    Campaign,
    Crystal,
    CupysimError,
    Detector,
    DetectorAngles,
    Experiment,
    Image,
    Mosaicity,
    RandomStream,
    Scan,
    UnitCell,
    from_args,
    read_experiment,
    read_image,
    read_structure,
    render_gradients,
    simulate,
)
from cupysim.errors import ModelError
from cupysim.prediction.spots import SPOT
from tests.field import nxmx_files
from tests.field.test_coordinates import CRYST1, atom_lines
from tests.field.writers import amplitudes, asymmetric_unit, plus_of, write_mtz
from tests.formats.test_inherited import expt, save
from tests.tolerances import LAST_BITS

WORDS = "-cell 70 80 90 -default_F 100 -N 20 -detpixels 64 -pixel 0.4 -fluence 1e26 -corrected"
CELL = UnitCell.from_degrees(70, 80, 90, 90, 90, 90)


@pytest.fixture(scope="module")
def image() -> Image:
    return simulate(from_args(WORDS))


# images


def test_spots_are_a_table(image: Image) -> None:
    spots = image.spots
    assert spots.dtype == SPOT
    assert len(spots) > 100
    assert (np.diff(spots["photons"]) <= 0.0).all()
    strong = spots[spots["photons"] > np.median(spots["photons"])]
    table = strong.to_dataframe()
    assert list(table.columns) == list(SPOT.names or ())
    assert table.attrs["units"]["photons"] == "photons"
    np.testing.assert_array_equal(table["photons"].to_numpy(), strong["photons"])
    # the spots of the file are the same ones
    np.testing.assert_array_equal(image.content().spots, spots)


def without(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the import of a library fail."""
    real = builtins.__import__

    def failing(name: str, *arguments: Any, **options: Any) -> Any:
        if name.split(".")[0] == library:
            raise ImportError(f"No module named {library!r}")
        return real(name, *arguments, **options)

    for name in list(sys.modules):
        if name.split(".")[0] == library:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", failing)
    monkeypatch.setattr(sys, "meta_path", [_Refusing(library), *sys.meta_path])


class _Refusing:
    """A finder that knows nothing of a library, and says so."""

    def __init__(self, library: str) -> None:
        self.library = library

    def find_spec(self, name: str, *_: object) -> None:
        if name.split(".")[0] == self.library:
            raise ImportError(f"No module named {name!r}")


@pytest.mark.parametrize(
    ("library", "use"),
    [
        ("pandas", lambda image: image.spots.to_dataframe()),
        ("matplotlib", lambda image: image.show("a.png")),
    ],
)
def test_missing_libraries_are_named(
    library: str, use: Any, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(library, monkeypatch)
    with pytest.raises(CupysimError, match=r"pip install 'cupysim\[\w+\]'"):
        use(image)


@pytest.mark.parametrize("kind", ["png", "pdf", "svg", "jpg"])
def test_images_are_shown_in_files(kind: str, image: Image, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    image.show(path, spots=True, indices=True, rings=[10, 20], scale="sqrt")
    assert path.stat().st_size > 1000
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_shown_photons_are_those_of_the_image(image: Image, tmp_path: Path) -> None:
    """Counts without photons make another picture than expected photons."""
    pictures = []
    for counts in (None, np.zeros(image.array.shape), image.counts(1)):
        image.show(tmp_path / "a.png", counts=counts, rings=[])
        pictures.append(matplotlib.image.imread(tmp_path / "a.png"))
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])


MISTAKES = {
    "suffix": ({"path": "a.gif"}, "path: expected a name that ends in .png"),
    "display": ({}, "there is no display for a window; image.show.path. writes a picture"),
    "counts": ({"path": "a.png", "counts": np.zeros((2, 2))}, "show: expected counts of the shape"),
    "scale": ({"path": "a.png", "scale": "cubic"}, "scale: expected one of log, sqrt, linear"),
    "limits": ({"path": "a.png", "vmin": 2, "vmax": 1}, "vmax: must be above vmin, got 1 and 2"),
    "colours": ({"path": "a.png", "cmap": "none"}, "no colour map 'none'"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_pictures_that_are_impossible(
    case: str, image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, message = MISTAKES[case]
    monkeypatch.chdir(tmp_path)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CupysimError, match=message):
        image.show(**options)
    assert list(tmp_path.iterdir()) == []


def test_windows_show_the_figure(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.pyplot as plt

    shown: list[int] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(plt, "show", lambda: shown.append(len(plt.get_fignums())))
    image.show()
    plt.close("all")
    assert shown == [1]


def test_notebooks_get_a_quick_look(image: Image) -> None:
    picture = image._repr_png_()
    assert picture is not None
    assert picture.startswith(b"\x89PNG")


def test_counts_are_an_array(image: Image) -> None:
    counts = image.counts(5)
    assert (counts.dtype, counts.shape) == (np.int32, image.array.shape)
    np.testing.assert_array_equal(counts, image.counts(RandomStream(5)))
    again, photons = image.count_photons(5)
    np.testing.assert_array_equal(counts, again)
    assert photons == counts.sum()


def test_counts_of_numpys_generators(image: Image) -> None:
    counts = image.counts(np.random.default_rng(3))
    expected = np.random.default_rng(3).poisson(image.array.astype(np.float64))
    assert counts.dtype == np.int32
    np.testing.assert_array_equal(counts, expected)
    with pytest.raises(CupysimError, match="counts: expected an integer, a RandomStream, a Phot"):
        image.counts("seed")  # type: ignore[arg-type]


def test_counts_outside_of_the_region() -> None:
    image = simulate(from_args(f"{WORDS} -roi 10 30 20 40"))
    counts = image.counts(np.random.default_rng(3))
    assert counts[20:41, 10:31].any()
    counts[20:41, 10:31] = 0
    assert not counts.any()


def test_counts_that_do_not_fit() -> None:
    image = simulate(from_args(WORDS.replace("1e26", "1e44")))
    for rng in (1, np.random.default_rng(1)):
        assert image.counts(rng).max() == 2**31 - 1


# derivatives and fits


def test_units_of_derivatives() -> None:
    found = render_gradients(from_args(WORDS), "misset_x, cell_a, distance, n_a, scale")
    assert found.units == ("rad", "Angstrom", "m", "cells", "")


def test_fits_print_and_show_themselves(tmp_path: Path) -> None:
    start = from_args(WORDS)
    counts = simulate(start).counts(3).astype(float)
    refined = cupysim.fit(start, counts, "scale", search=0.0)
    assert refined.units == ("",)
    text = str(refined)
    assert text.splitlines()[0].startswith("1 parameters, ")
    assert "scale" in text
    assert text.splitlines()[-1].startswith("converged: ")
    refined.show(tmp_path / "fit.png")
    assert (tmp_path / "fit.png").stat().st_size > 1000
    np.testing.assert_array_equal(refined.counts, counts)


# readers


def test_read_structure(tmp_path: Path) -> None:
    hkl = asymmetric_unit()
    write_mtz(tmp_path / "a.mtz", hkl, [("F", "F", plus_of(hkl))])
    structure = read_structure(tmp_path / "a.mtz")
    np.testing.assert_allclose(amplitudes(structure, hkl), plus_of(hkl), rtol=1e-6)
    assert structure.cell == UnitCell.from_degrees(30, 40, 50, 90, 90, 90)
    assert structure.wavelength == pytest.approx(1.25e-10)
    Experiment(Beam(), Crystal(structure.cell), Detector(), structure_factors=structure.factors)


def test_read_structure_of_coordinates(tmp_path: Path) -> None:
    (tmp_path / "a.pdb").write_text(CRYST1 + atom_lines())
    origin = np.zeros((1, 3), dtype=int)
    dry = read_structure(tmp_path / "a.pdb", dmin=3e-10, solvent=False)
    wet = read_structure(tmp_path / "a.pdb", dmin=3e-10)
    electrons = 4 * (7 + 6 + 6 + 8 + 6)
    assert amplitudes(dry, origin)[0] == pytest.approx(electrons, rel=1e-3)
    assert amplitudes(wet, origin)[0] > 2 * electrons
    assert dry.cell == UnitCell.from_degrees(30, 34, 38, 90, 90, 90)
    with pytest.raises(CupysimError, match="no reflection file with symmetry"):
        read_structure(tmp_path / "a.pdb")


def test_read_experiment_of_a_list(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a.expt", expt(scan=[{"oscillation": [10.0, 0.5], "image_range": [1, 3]}])
    )
    experiment = read_experiment(path, 2)
    assert experiment.policy.is_right
    assert experiment.beam.wavelength == pytest.approx(1.25e-10)
    assert np.degrees(experiment.scan.start) == pytest.approx(11.0)
    edges = np.linalg.norm(experiment.lattice.direct, axis=1)
    np.testing.assert_allclose(edges, [50.0, 60.0, np.hypot(70.0, 5.0)])
    other = read_experiment(path, 2, crystal=Crystal(CELL, n_cells=(3, 4, 5)))
    assert other.crystal.n_cells == (3, 4, 5)
    np.testing.assert_array_equal(other.geometry.origin, experiment.geometry.origin)


def test_read_experiment_of_an_image(tmp_path: Path) -> None:
    path = nxmx_files.write(tmp_path / "a.nxs", omega=[20.0, 20.5])
    with pytest.raises(CupysimError, match="it has no crystal; give one with crystal="):
        read_experiment(path)
    experiment = read_experiment(path, 1, crystal=Crystal(CELL))
    assert experiment.geometry.distance == pytest.approx(nxmx_files.DISTANCE)
    assert np.degrees(experiment.scan.start) == pytest.approx(20.5)
    assert experiment.crystal.cell == CELL
    bare = nxmx_files.write(tmp_path / "b.nxs", wavelength=nxmx_files.LEAVE_OUT)
    with pytest.raises(CupysimError, match="wavelength"):
        read_experiment(bare, crystal=Crystal(CELL))
    experiment = read_experiment(bare, crystal=Crystal(CELL), wavelength=1.1e-10)
    assert experiment.beam.wavelength == pytest.approx(1.1e-10)


def test_read_experiment_of_our_own_files(image: Image, tmp_path: Path) -> None:
    image.save(tmp_path / "a.h5")
    stored = read_experiment(tmp_path / "a.h5")
    np.testing.assert_array_equal(simulate(stored).array, image.array)
    with pytest.raises(CupysimError, match="there is no image 1"):
        read_experiment(tmp_path / "a.h5", 1)


def test_read_image(image: Image, tmp_path: Path) -> None:
    image.save(tmp_path / "a.bin")
    np.testing.assert_array_equal(read_image(tmp_path / "a.bin").pixels, image.array)
    image.save(tmp_path / "a.h5", seed=4)
    found = read_image(tmp_path / "a.h5")
    np.testing.assert_array_equal(found.pixels, image.counts(4))
    assert found.geometry is not None


# models


def test_panels_from_axes() -> None:
    """The image of a panel is that of the same panel in MOSFLM's convention."""
    usual = from_args(WORDS)
    geometry = usual.geometry
    detector = Detector.from_axes(
        geometry.origin, 3.0 * geometry.fast, geometry.slow, usual.detector.pixel_size, 64, 64
    )
    experiment = Experiment(
        beam=usual.beam, crystal=usual.crystal, detector=detector,
        structure_factors=usual.structure_factors, rendering=usual.rendering,
    )  # fmt: skip
    expected, found = (simulate(each, "numpy").array for each in (usual, experiment))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_panels_behind_the_crystal_in_other_frames() -> None:
    detector = Detector.from_axes(
        (-0.0128, 0.0128, -0.1), (1, 0, 0), (0, -1, 0), 4e-4, 64, 64,
        beam=(0, 0, -1), spindle=(1, 0, 0),
    )  # fmt: skip
    placed = detector.placed()
    np.testing.assert_allclose(placed.geometry.origin, (-0.0128, 0.0128, -0.1), rtol=LAST_BITS)
    assert placed.geometry.distance == pytest.approx(0.1)
    np.testing.assert_array_equal(placed.frame.spindle, [1, 0, 0])
    np.testing.assert_array_equal(placed.frame.polarization, [1, 0, 0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fast": (1, 0.1, 0)}, "not at right angles"),
        ({"fast": (0, 0, 0)}, "detector: fast: a vector without a direction"),
        ({"origin": (0.1, 0.2, 0)}, "plane goes through the crystal"),
        ({"beam": (0, 0)}, "detector: beam"),
        ({"polarization": (0, 0, 0)}, "detector: polarization: a vector without a direction"),
    ],
)
def test_impossible_panels(changes: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {
        "origin": (-0.01, 0.01, -0.1), "fast": (1, 0, 0), "slow": (0, -1, 0), "pixel_size": 1e-4,
        "n_fast": 10, "n_slow": 10, "beam": (0, 0, -1), "spindle": (1, 0, 0),
    }  # fmt: skip
    with pytest.raises(ModelError, match=message):
        Detector.from_axes(**(given | changes))


def test_degrees() -> None:
    scan, other = Scan.from_degrees(10, 1, 4), from_args(f"{WORDS} -phi 10 -osc 1 -phisteps 4").scan
    np.testing.assert_allclose(scan.centres, other.centres, rtol=LAST_BITS)
    assert scan.sweep.range == pytest.approx(other.sweep.range)
    assert Scan.from_degrees(30).sweep.range == 0.0
    with pytest.raises(ModelError, match="4 steps need a width"):
        Scan.from_degrees(10, 0, 4)
    angles = DetectorAngles.from_degrees(1, 2, 3, twotheta=4)
    np.testing.assert_allclose([*angles.lab, angles.twotheta], np.radians([1, 2, 3, 4]))
    mosaic = Mosaicity.from_degrees(0.5, 7, seed=3)
    drawn = Mosaicity.draw(np.radians(0.5), 7, RandomStream(3))
    np.testing.assert_allclose(mosaic.rotations, drawn.rotations, atol=1e-15)
    crystal = Crystal(CELL).with_misset(10, 20, 30)
    np.testing.assert_allclose(crystal.misset, np.radians([10, 20, 30]))


# data sets


CONTENT: dict[str, Any] = {
    "campaign": {"shots": 5, "seed": 3},
    "base": {
        "arguments": "-cell 70 80 90 -default_F 100 -N 20 -detpixels 32 -pixel 0.8 "
        "-fluence 1e26 -corrected"
    },
    "vary": {
        "orientation": "uniform",
        "fluence": {"gamma": [1.0, 4], "mode": "times"},
        "crystals": {"choice": [0, 1, 2]},
    },
    "output": {"images_per_file": 2},
}


def content_without(*names: str) -> dict[str, Any]:
    vary = {name: value for name, value in CONTENT["vary"].items() if name not in names}
    return CONTENT | {"vary": vary}


@pytest.mark.parametrize("processes", [1, 2])
def test_campaigns(processes: int, tmp_path: Path) -> None:
    campaign = Campaign(content_without("crystals"), tmp_path / "out")
    assert (campaign.n_shots, campaign.n_done) == (5, 0)
    with pytest.raises(CupysimError, match="it has not been started; run"):
        campaign.image(0)
    heard: list[tuple[int, int]] = []
    campaign.run(processes, threads=1, listener=lambda *far: heard.append(far))
    assert campaign.n_done == 5
    assert campaign.failures == {}
    assert (heard != []) == (processes > 1)
    truth = campaign.truth
    np.testing.assert_array_equal(truth["shot"], np.arange(5))
    assert truth["a_matrix"].shape == (5, 1, 3, 3)
    assert campaign.truth_units["a_matrix"] == "1/angstrom"
    photons = [int(image.sum()) for image in campaign.images()]
    np.testing.assert_array_equal(truth["photons"], photons)
    (experiment,) = campaign.shot(3)
    assert experiment.beam.fluence == pytest.approx(truth["fluence"][3])
    np.testing.assert_allclose(experiment.lattice.reciprocal.T, truth["a_matrix"][3, 0])
    assert read_image(campaign.master, 3).pixels.sum() == photons[3]


def test_campaigns_go_on(tmp_path: Path) -> None:
    first = Campaign(content_without("crystals"), tmp_path / "out").run()
    images = [image.copy() for image in first.images()]
    (tmp_path / "out/chunks/campaign_00001.h5").unlink()
    again = Campaign(tmp_path / "out")
    assert again.n_done == 3
    with pytest.raises(CupysimError, match="chunk 1 is not finished"):
        again.image(2)
    again.run()
    for before, after in zip(images, again.images(), strict=True):
        np.testing.assert_array_equal(before, after)
    with pytest.raises(CupysimError, match="holds another campaign"):
        Campaign(CONTENT, tmp_path / "out")


def test_truth_of_shots_with_several_crystals(tmp_path: Path) -> None:
    """Files in which shots have one crystal, and files in which they have two, fit together."""
    campaign = Campaign(CONTENT | {"campaign": {"shots": 12, "seed": 5}}, tmp_path / "out").run()
    truth = campaign.truth
    assert set(truth["crystals"].tolist()) == {0, 1, 2}
    assert truth["a_matrix"].shape == (12, 2, 3, 3)
    for number, count in enumerate(truth["crystals"]):
        known = np.isfinite(truth["a_matrix"][number]).all(axis=(1, 2))
        assert known.tolist() == [count > 0, count > 1]
        experiments = campaign.shot(number)
        for place in range(count):
            matrix = experiments[place].lattice.reciprocal.T
            np.testing.assert_allclose(truth["a_matrix"][number, place], matrix)


def test_spots_of_campaigns(tmp_path: Path) -> None:
    """Spots of each shot are found where the truth says that they begin."""
    content = content_without("crystals") | {
        "output": {"images_per_file": 2, "spots": 0.01},
    }
    campaign = Campaign(content, tmp_path / "out").run()
    truth = campaign.truth
    assert len(truth["spots_begin"]) == 6
    assert truth["spots_begin"][-1] == len(truth["spots"])
    for number in range(5):
        begin, end = truth["spots_begin"][number : number + 2]
        (experiment,) = campaign.shot(number)
        expected = simulate(experiment).spots
        expected = expected[expected["photons"] >= 0.01]
        np.testing.assert_array_equal(truth["spots"]["h"][begin:end], expected["h"])


def test_campaigns_of_files(tmp_path: Path) -> None:
    from cupysim.storage.toml_text import toml_text

    (tmp_path / "small.toml").write_text(toml_text(content_without("crystals")))
    campaign = Campaign(tmp_path / "small.toml", tmp_path / "out").run()
    other = Campaign(content_without("crystals"), tmp_path / "other").run()
    for ours, theirs in zip(campaign.images(), other.images(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"campaign": 3}, "campaign must be a mapping"),
        (CONTENT | {"base": {"arguments": object()}}, "base.arguments cannot be a object"),
        (CONTENT | {"campaign": {"shots": 0}}, "shots"),
        (CONTENT | {"other": {}}, "unknown table"),
    ],
)
def test_impossible_campaigns(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(CupysimError, match=message):
        Campaign(content, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_mappings_as_toml() -> None:
    import tomllib

    from cupysim.storage.toml_text import toml_text

    content = {
        "a": {"text": 'quotes " and \\ and \u00c5\n', "number": 3, "real": 0.1, "yes": True,
              "array": np.arange(3), "nested": {"x": [1.5, [2, 3]], "y z": "w"},
              "numpy": np.float64(2.5), "endless": float("inf")},
    }  # fmt: skip
    found = tomllib.loads(toml_text(content))
    assert found["a"].pop("array") == [0, 1, 2]
    del content["a"]["array"]
    assert found == content


# types


USER = """
import numpy as np

import cupysim
from cupysim import Beam, Campaign, Crystal, Detector, Experiment, Image, Renderer, UnitCell

experiment = Experiment(
    beam=Beam(wavelength=1e-10),
    crystal=Crystal(UnitCell.from_degrees(70, 80, 90, 90, 90, 90), n_cells=(5, 5, 5)),
    detector=Detector(n_fast=64, n_slow=64),
    structure_factors=cupysim.StructureFactors(default=100.0),
)
image: Image = cupysim.simulate(experiment)
counts: np.ndarray = image.counts(np.random.default_rng(1))
strongest: float = image.spots["photons"][0]
with Renderer("host") as renderer:
    renderer(experiment)
refined = cupysim.fit(experiment, counts, "scale")
names: tuple[str, ...] = refined.names
truth: dict[str, np.ndarray] = Campaign("serial.toml").truth
"""


def test_types_hold_for_users(tmp_path: Path) -> None:
    """A user's script passes mypy's strictest checks, by the package's own annotations."""
    pytest.importorskip("mypy")
    (tmp_path / "user.py").write_text(USER)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "user.py"],
        cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"MYPYPATH": str(Path(cupysim.__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
