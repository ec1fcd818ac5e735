"""Conventions, detectors, crystals, beams, structure factors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupysim import (
    Beam,
    Convention,
    Crystal,
    Detector,
    DetectorAngles,
    Mosaicity,
    Pivot,
    RandomStream,
    Region,
    StructureFactors,
    Sweep,
    UnitCell,
    Water,
)
from cupysim.errors import ModelError
from cupysim.models.conventions import FRAMES
from cupysim.quirks import NANOBRAGG, QuirkWarning
from tests.tolerances import LAST_BITS

small_angles = st.floats(-0.6, 0.6)
conventions = st.sampled_from([c for c in Convention if c is not Convention.CUSTOM])


@pytest.mark.parametrize(
    ("convention", "offset"),
    [("mosflm", (1.0, 1.0)), ("denzo", (0.5, 0.5)), ("adxv", (0.5, 0.5)), ("xds", (0.0, 0.0)),
     ("dials", (0.0, 0.0)), ("custom", (0.0, 0.0))],
)  # fmt: skip
def test_default_beam_centre(convention: str, offset: tuple[float, float]) -> None:
    """How far the default beam is from the geometric centre, in pixels."""
    detector = Detector(n_fast=60, n_slow=40, pixel_size=2e-4, convention=Convention(convention))
    geometry = detector.placed().geometry
    pixels = (geometry.beam_fast / 2e-4 - 30, geometry.beam_slow / 2e-4 - 20)
    assert pixels == pytest.approx(offset, abs=1e-9)


@given(conventions, small_angles, small_angles, small_angles)
def test_axes_stay_orthonormal(convention: Convention, x: float, y: float, z: float) -> None:
    detector = Detector(convention=convention, angles=DetectorAngles((x, y, z), 0.3))
    geometry = detector.placed().geometry
    axes = np.stack([geometry.fast, geometry.slow, geometry.normal])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=LAST_BITS)
    # ADXV is the only left-handed set
    handedness = -1.0 if convention is Convention.ADXV else 1.0
    assert np.linalg.det(axes) == pytest.approx(handedness)


@given(conventions, small_angles, small_angles, small_angles)
def test_pivots(convention: Convention, x: float, y: float, z: float) -> None:
    """About the sample the plane keeps its distance, about the beam the spot stays."""
    straight = Detector(convention=convention).placed().geometry
    turned = Detector(convention=convention, angles=DetectorAngles((x, y, z)), close_distance=0.1)
    geometry = turned.placed().geometry
    if turned.placed().pivot is Pivot.SAMPLE:
        assert geometry.close_distance == pytest.approx(0.1)
        assert geometry.close_fast == pytest.approx(straight.close_fast)
    else:
        assert geometry.beam_fast == pytest.approx(straight.beam_fast)
        assert geometry.beam_slow == pytest.approx(straight.beam_slow)


def test_custom_convention_obeys_the_pivot() -> None:
    frame = FRAMES[Convention.CUSTOM]
    angles = DetectorAngles((0.0, 0.2, 0.0))
    origins = [
        Detector(convention=Convention.CUSTOM, frame=frame, pivot=pivot, angles=angles)
        .placed()
        .geometry.origin
        for pivot in Pivot
    ]
    assert not np.allclose(*origins)


def test_detector_refuses_nonsense() -> None:
    for wrong in ({"n_fast": 0}, {"pixel_size": 0.0}, {"distance": 0.0}, {"n_slow": 2**31}):
        with pytest.raises(ModelError):
            Detector(**wrong)


def test_unusual_two_theta_axis_is_reported() -> None:
    frame = FRAMES[Convention.CUSTOM].with_vectors(twotheta_axis=(0.0, 0.0, 2.0))
    detector = Detector(
        convention=Convention.CUSTOM, frame=frame, angles=DetectorAngles(twotheta=0.1)
    )
    with pytest.warns(QuirkWarning, match="Q4: the two-theta axis has length 2"):
        assert detector.placed(NANOBRAGG).geometry is detector.placed(NANOBRAGG).geometry


def test_crystal_size_and_counts() -> None:
    cell = UnitCell.from_degrees(100, 100, 100, 90, 90, 90)
    assert Crystal(cell, n_cells=(0, -3, 5)).oriented().cell_counts == (1.0, 1.0, 5.0)
    assert Crystal(cell, size=(3.5e-8, 0.0, 1e-12)).oriented().cell_counts == (4.0, 1.0, 1.0)
    with pytest.raises(ModelError, match="or reciprocal vectors"):
        Crystal()
    for wrong in ((0, 1, 1, 90, 90, 90), (1, 1, 1, 200, 200, 20), (1, 1, 1, 120, 120, 120)):
        with pytest.raises(ModelError, match="unit cell"):
            UnitCell.from_degrees(*wrong)


def test_wrong_cell_is_reported_once() -> None:
    crystal = Crystal(UnitCell.from_degrees(70, 80, 90, 75, 85, 95))
    with pytest.warns(QuirkWarning, match=r"Q5: .* 75\.039 85\.014 95\.008, not 75\.000") as caught:
        assert crystal.oriented(NANOBRAGG).lattice is crystal.oriented(NANOBRAGG).lattice
    assert len(caught) == 1


def test_mosaic_domains() -> None:
    mosaicity = Mosaicity.draw(0.01, 5, RandomStream(3))
    assert mosaicity.n_domains == 5
    np.testing.assert_array_equal(mosaicity.rotations[0], np.eye(3))
    angles = np.arccos((np.trace(mosaicity.rotations, axis1=1, axis2=2) - 1) / 2)
    assert angles[1:].min() > 0.0
    assert angles.max() <= 0.01 + 1e-8
    for wrong in ((-1.0, 1), (0.1, 0), (math.nan, 1), (0.1, 2_000_000)):
        with pytest.raises(ModelError):
            Mosaicity.draw(*wrong)


def test_sources_of_a_beam() -> None:
    frame = Detector().placed().frame
    beam = Beam(horizontal=Sweep(0.002, 0.001, 3), dispersion=Sweep(0.02, 0.02, 2))
    sources = beam.sources(frame)
    assert sources.positions.shape == (6, 3)
    np.testing.assert_allclose(sources.wavelengths, [0.99e-10, 1.01e-10] * 3)
    np.testing.assert_allclose(np.linalg.norm(sources.incident, axis=1), 1.0)
    assert sources.weights.sum() == pytest.approx(1.0)


def test_source_table_defaults() -> None:
    table = np.array([[np.nan] * 5, [-5.0, 0.1, np.nan, 1.0, np.nan]])
    sources = Beam(wavelength=2e-10, source_table=table).sources(Detector().placed().frame)
    np.testing.assert_allclose(sources.positions, [[-10, 0, 0], [-5, 0.1, 0]])
    np.testing.assert_allclose(sources.wavelengths, 2e-10)
    table[1, 3] = 3.0
    with pytest.warns(QuirkWarning, match="Q13"):
        Beam(source_table=table).sources(Detector().placed().frame, NANOBRAGG)
    table[:, 3:] = 1.0
    with pytest.warns(QuirkWarning, match="Q31: .* the fifth column is in metres"):
        Beam(source_table=table).sources(Detector().placed().frame)


def test_impossible_beams() -> None:
    for wrong in ({"wavelength": 0.0}, {"fluence": -1.0}, {"fluence": math.inf},
                  {"dispersion": Sweep(2.5, 0.5, 3)}):  # fmt: skip
        with pytest.raises(ModelError):
            Beam(**wrong)
    with pytest.raises(ModelError):
        Water(-1e-6)


def test_structure_factors_from_a_list() -> None:
    hkl = np.array([[1, 0, 0], [-1, 2, 0], [1, 0, 0]])
    factors = StructureFactors.from_list(hkl, np.array([5.0, 6.0, 7.0]), default=3.0)
    assert (factors.first, factors.last, factors.n_given) == ((-1, 0, 0), (1, 2, 0), 3)
    assert factors.table is not None
    assert factors.table[2, 0, 0] == 7.0
    assert factors.table[0, 2, 0] == 6.0
    assert (factors.table == 3.0).sum() == 7
    assert factors.bordered.shape == (5, 5, 3)
    assert factors.bordered[0].tolist() == [[3.0] * 3] * 5
    with pytest.raises(ModelError, match="no reflections"):
        StructureFactors.from_list(np.empty((0, 3), dtype=int), np.empty(0))


def test_regions() -> None:
    assert Region(-5, 200, 3, 4).slices(10, 12) == (slice(3, 5), slice(0, 12))
    assert Region(8, 2, 50, 60).n_pixels < 0
    rows, columns = Region(8, 2, 50, 60).slices(10, 12)
    assert np.zeros((10, 12))[rows, columns].size == 0
