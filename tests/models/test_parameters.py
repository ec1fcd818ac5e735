"""Parameters by name: experiments change with them as their names say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cupysim.api import from_args
from cupysim.errors import ModelError
from cupysim.maths.derivatives import upright_cell
from cupysim.models.absorber_parameters import ABSORPTION_SIZE, OF_AROUND
from cupysim.models.background_parameters import BACKGROUND_SCALE
from cupysim.models.cell_spread_parameters import EDGE_SPREADS
from cupysim.models.diffuse_parameters import OF_DIFFUSE
from cupysim.models.parameters import GROUPS, PARAMETERS, changed, current, without_effect
from cupysim.models.sample_parameters import OF_SAMPLE
from cupysim.models.source_parameters import OF_SOURCES, SPECTRUM_WIDTH
from tests.conftest import INPUTS
from tests.corrected.rendering import experiment_of

CELL = "-cell 50 60 70 80 95 100 -misset 10 20 30"
MATRIX = f"-mat {INPUTS / 'tric.mat'} -misset 1 2 3"
REST = "-default_F 10 -N 5 -detpixels 12 -pixel 2 -mosaic 1 -mosaic_dom 4 -lambda 1.2 -corrected"
SETUPS = [
    CELL, MATRIX, f"{CELL} -xds", f"{CELL} -adxv -twotheta 7", f"{MATRIX} -close_distance 80",
    f"{CELL} -denzo -detector_rotx 4", f"{CELL} -dials -ORGX 4 -ORGY 5",
]  # fmt: skip
SAMPLE = (
    "-decay 20,1 -image_dose 3 -dose_before 1 -body box,1,1,1 -body_position 1 2 3 "
    "-beam_profile gaussian,1,2 -size_spread 10"
)
CHANGEABLE = [name for name in PARAMETERS if name not in (*GROUPS["n_cells"], "scale")]


@pytest.mark.parametrize("words", SETUPS)
@pytest.mark.parametrize("name", CHANGEABLE)
def test_one_changes_and_the_others_stay(name: str, words: str) -> None:
    rest = REST
    if name in GROUPS["n_cells_off_diagonal"]:
        rest = f"{rest} -gauss_xtal -off_diagonal_cells 0.1 0.2 0.3"
    if name in OF_SAMPLE:
        rest = f"{rest} {SAMPLE}"
    if name == BACKGROUND_SCALE:
        rest = f"{rest} -water 1"
    if name in OF_DIFFUSE:
        rest = f"{rest} -diffuse_gamma 11 7 16 -diffuse_sigma 0.5 0.3 0.6"
    if name in OF_AROUND:
        rest = f"{rest} -body box,1,1,1 -around box,2,2,3,kapton@1,2,3"
    if name == ABSORPTION_SIZE:
        rest = f"{rest} -absorption slab,water,2"
    if name in EDGE_SPREADS:
        rest = f"{rest} -spread_edges 1 2 3"
    if name in OF_SOURCES:
        width = "-spectrum gaussian,1" if name == SPECTRUM_WIDTH else "-dispersion 1 -dispsteps 3"
        rest = f"{rest} {width} -hdivrange 2 -hdivsteps 2 -vdivrange 3 -vdivsteps 2"
    if name in GROUPS["mosaic_spreads"]:
        spreads = "-spread_abc 0.5 0.4 0.3 -spread_off_diagonal 0.1 0.05 0.02"
        rest = rest.replace("-mosaic 1", f"-domain_model normal {spreads}")
    experiment = experiment_of(f"{words} {rest}")
    by = 1e-3 * (abs(current(experiment, name)) or 1.0)
    other = changed(experiment, name, by)
    assert current(other, name) == pytest.approx(current(experiment, name) + by, rel=1e-9)
    # where the beam hits depends on the distance, if the panel is turned about the sample
    kept = [each for each in PARAMETERS if each != name and each not in GROUPS["beam_centre"]]
    if name in GROUPS["mosaic_spreads"]:
        # the largest of the three
        kept.remove("mosaic_spread")
    for each in kept:
        assert current(other, each) == pytest.approx(current(experiment, each), rel=1e-9), each


@pytest.mark.parametrize("words", [CELL, MATRIX])
@pytest.mark.parametrize("name", GROUPS["cell"])
def test_a_cell_keeps_its_orientation(name: str, words: str) -> None:
    """In the frame in which c is along z and b in the yz plane."""
    experiment = experiment_of(f"{words} {REST}")
    lattice = experiment.lattice
    orientation = np.linalg.solve(upright_cell(lattice.lengths, lattice.angles)[0], lattice.direct)
    other = changed(experiment, name, 0.01).lattice
    after = np.linalg.solve(upright_cell(other.lengths, other.angles)[0], other.direct)
    np.testing.assert_allclose(after, orientation, atol=1e-9)


@pytest.mark.parametrize("pivot", ["", "-pivot beam", "-pivot sample"])
@pytest.mark.parametrize("centre", ["", "-Xbeam 9 -Ybeam 14", "-ORGX 4 -ORGY 7", "-Xclose 3"])
@pytest.mark.parametrize("convention", ["-mosflm", "-denzo", "-adxv", "-xds", "-dials"])
def test_the_panel_moves_against_the_beam_centre(convention: str, centre: str, pivot: str) -> None:
    """By as much along its axes, whatever the convention and the pivot."""
    words = f"{CELL} -detpixels 12 -default_F 1 -pixel 2 {convention} {centre} {pivot} -twotheta 9"
    experiment = experiment_of(f"{words} -corrected")
    moved = replace(experiment, detector=experiment.detector.with_beam_moved(1e-4, -2e-4))
    before, after = experiment.geometry, moved.geometry
    expected = before.origin - 1e-4 * before.fast + 2e-4 * before.slow
    np.testing.assert_allclose(after.origin, expected, atol=1e-12)
    np.testing.assert_array_equal(after.fast, before.fast)


def test_domains_turn_in_proportion() -> None:
    experiment = experiment_of(f"{CELL} {REST}")
    grown = changed(experiment, "mosaic_spread", current(experiment, "mosaic_spread"))
    before, after = (
        Rotation.from_matrix(e.crystal.mosaicity.rotations).magnitude() for e in (experiment, grown)
    )
    np.testing.assert_allclose(after, 2.0 * before, rtol=1e-9)


@pytest.mark.parametrize("name", ["scale", "n_a", "beam_middle"])
def test_what_no_experiment_changes_by_is_an_error(name: str) -> None:
    with pytest.raises(ModelError, match=name):
        changed(from_args("-cell 40 -default_F 1 -N 3 -corrected"), name, 0.1)


def test_an_origin_overrules_distance_and_beam_centre() -> None:
    """Truth tables have the geometry as it is, and nothing moves without a word."""
    words = "-cell 30 40 50 90 90 90 -default_F 10 -N 3 -detpixels 60 -pixel 0.1 -corrected"
    placed = from_args(f"{words} -pix0_vector_mm 200 -3 3")
    assert current(placed, "distance") == pytest.approx(0.2)
    # of the lab frame's axes: fast is +z, slow is -y, the beam +x
    assert current(placed, "beam_fast") == pytest.approx(-3e-3)
    assert current(placed, "beam_slow") == pytest.approx(-3e-3)
    for name in ("distance", "beam_fast", "beam_slow"):
        assert "origin is given" in without_effect(placed, name)
        with pytest.raises(ModelError, match="it has no effect: the detector's origin"):
            changed(placed, name, 1e-3)
    assert without_effect(placed, "misset_x") == ""
