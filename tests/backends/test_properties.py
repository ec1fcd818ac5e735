"""What must hold for any experiment, on every backend."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cupysim import (
    Beam,
    Convention,
    Crystal,
    Detector,
    DetectorAngles,
    Experiment,
    Mosaicity,
    RandomStream,
    Region,
    Rendering,
    Scan,
    Sensor,
    Shape,
    StructureFactors,
    Sweep,
    UnitCell,
    Water,
    simulate,
)
from cupysim.backends.numpy import oracle as reference
from cupysim.maths.lattice_factor import reciprocal_distance_squared, tophat
from cupysim.maths.rotations import rotate_xyz
from cupysim.models.conventions import FRAMES
from cupysim.quirks import NANOBRAGG
from tests.tolerances import FLOAT32_BITS, FLOAT32_TINY, ROTATED_EXPERIMENT

RELAXED = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def lengths() -> st.SearchStrategy[float]:
    return st.floats(20.0, 90.0)


@st.composite
def factors(draw: st.DrawFn) -> StructureFactors:
    if draw(st.booleans()):
        return StructureFactors(default=draw(st.floats(1.0, 50.0)))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    size = draw(st.integers(2, 9))
    axis = np.arange(-size, size + 1)
    hkl = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    return StructureFactors.from_list(hkl, rng.uniform(0, 100, len(hkl)), default=3.0)


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    """Small experiments over all models."""
    convention = draw(st.sampled_from([c for c in Convention if c is not Convention.CUSTOM]))
    angle = st.floats(-0.4, 0.4)
    thick = draw(st.booleans())
    domains = draw(st.integers(1, 3))
    n_cells = tuple(draw(st.integers(1, 8)) for _ in range(3))
    return Experiment(
        beam=Beam(
            wavelength=draw(st.floats(0.7e-10, 2e-10)),
            polarization=draw(st.floats(-1, 1)),
            polarized=draw(st.booleans()),
            horizontal=Sweep(0.004, 0.004, 2) if draw(st.booleans()) else Sweep(),
            dispersion=Sweep(0.02, 0.01, 3) if draw(st.booleans()) else Sweep(),
        ),
        crystal=Crystal(
            UnitCell.from_degrees(draw(lengths()), draw(lengths()), draw(lengths()), 90, 80, 90),
            misset=[draw(angle) for _ in range(3)],
            n_cells=n_cells,
            shape=draw(st.sampled_from(list(Shape))),
            mosaicity=Mosaicity.draw(0.02 if domains > 1 else 0.0, domains, RandomStream(4)),
        ),
        detector=Detector(
            n_fast=draw(st.integers(1, 14)),
            n_slow=draw(st.integers(1, 14)),
            pixel_size=2e-3,
            convention=convention,
            angles=DetectorAngles((draw(angle), draw(angle), draw(angle)), draw(angle)),
            sensor=Sensor(Sweep(4e-4, 2e-4, 3), 2000.0) if thick else Sensor(),
        ),
        structure_factors=draw(factors()),
        scan=Scan(draw(angle) + 1.0, Sweep(0.02, 0.01, draw(st.integers(1, 2)))),
        water=Water(draw(st.sampled_from([0.0, 1e-6]))),
        rendering=Rendering(
            oversample=draw(st.integers(1, 2)), interpolate=draw(st.sampled_from([False, None]))
        ),
    )


@pytest.fixture(autouse=True)
def quiet() -> None:
    warnings.simplefilter("ignore")


@RELAXED
@given(experiments(), st.floats(1e-3, 1e3))
def test_fluence_scales_the_image(backend: str, experiment: Experiment, factor: float) -> None:
    experiment = replace(experiment, water=Water())
    brighter = replace(experiment.beam, fluence=experiment.beam.fluence * factor)
    first = simulate(experiment, backend).array.astype(np.float64)
    second = simulate(replace(experiment, beam=brighter), backend).array
    np.testing.assert_allclose(
        second, first * factor, rtol=FLOAT32_BITS, atol=FLOAT32_TINY * (1 + factor)
    )


@RELAXED
@given(experiments(), st.data())
def test_a_region_is_a_part_of_the_image(
    backend: str, experiment: Experiment, data: st.DataObject
) -> None:
    # where interpolation ends depends on the pixels before (quirk Q23)
    experiment = replace(experiment, rendering=Rendering(oversample=1, interpolate=False))
    detector = experiment.detector
    fast = sorted(data.draw(st.integers(0, detector.n_fast - 1)) for _ in range(2))
    slow = sorted(data.draw(st.integers(0, detector.n_slow - 1)) for _ in range(2))
    region = Region(*fast, *slow)
    part = replace(experiment, rendering=replace(experiment.rendering, region=region))
    whole = simulate(experiment, backend).array
    image = simulate(part, backend).array
    rows, columns = region.slices(*whole.shape)
    np.testing.assert_array_equal(image[rows, columns], whole[rows, columns])
    image[rows, columns] = 0.0
    assert not image.any()


@RELAXED
@given(experiments(), st.integers(0, 99))
def test_a_mask_is_a_part_of_the_image(backend: str, experiment: Experiment, seed: int) -> None:
    experiment = replace(experiment, rendering=Rendering(oversample=1, interpolate=False))
    whole = simulate(experiment, backend).array
    mask = np.random.default_rng(seed).random(whole.shape) < 0.5
    masked = replace(experiment, rendering=replace(experiment.rendering, mask=mask))
    np.testing.assert_array_equal(simulate(masked, backend).array, np.where(mask, whole, 0.0))


@RELAXED
@given(experiments())
def test_domains_add_up(backend: str, experiment: Experiment) -> None:
    """The image of some domains is the mean of the images of each."""
    crystal = experiment.crystal
    experiment = replace(
        experiment, water=Water(), rendering=Rendering(oversample=1, interpolate=False)
    )
    whole = simulate(experiment, backend).array.astype(np.float64)
    parts = [
        simulate(
            replace(
                experiment, crystal=replace(crystal, mosaicity=Mosaicity(0.02, rotation[None]))
            ),
            backend,
        ).array.astype(np.float64)
        for rotation in crystal.mosaicity.rotations
    ]
    np.testing.assert_allclose(
        np.mean(parts, axis=0), whole, rtol=3 * FLOAT32_BITS, atol=FLOAT32_TINY
    )


@RELAXED
@given(experiments(), st.integers(3, 40))
def test_block_size_does_not_matter(experiment: Experiment, size: int) -> None:
    whole = simulate(experiment, "numpy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "BLOCK_SIZE", size)
        patch.setattr(reference, "KEPT_ORIENTATIONS", 2)
        parts = simulate(experiment, "numpy")
    np.testing.assert_array_equal(parts.array, whole.array)
    assert parts.rendered.interpolation_stops == whole.rendered.interpolation_stops


@pytest.mark.parametrize("size", [1, 2, 5, 7, 30])
def test_block_size_does_not_matter_to_what_happens_once(size: int) -> None:
    """The first sweep (Q3) and the end of interpolation (Q23), in any split of the orientations."""
    axis = np.arange(-4, 5)
    hkl = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    experiment = Experiment(
        beam=Beam(wavelength=1e-10),
        crystal=Crystal(
            UnitCell.from_degrees(40, 40, 40, 90, 90, 90),
            n_cells=(2, 3, 4),
            mosaicity=Mosaicity.draw(0.3, 4, RandomStream(8)),
        ),
        detector=Detector(n_fast=12, n_slow=10, pixel_size=1e-3, beam_centre=(3e-3, 1e-3)),
        structure_factors=StructureFactors.from_list(hkl, 50.0 + hkl @ [3.0, 5.0, 7.0]),
        scan=Scan(0.0, Sweep(0.4, 0.2, 2)),
        rendering=Rendering(oversample=2),
        quirks=NANOBRAGG,
    )
    whole = simulate(experiment, "numpy")
    (stop,) = whole.rendered.interpolation_stops
    assert stop is not None
    assert 0 < stop.pixel < 119
    assert stop.step % 8 > 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "BLOCK_SIZE", size)
        parts = simulate(experiment, "numpy")
    np.testing.assert_array_equal(parts.array, whole.array)
    assert parts.rendered.interpolation_stops == [stop]


@RELAXED
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3), st.sampled_from(list(Shape)[:2]))
def test_turning_everything_leaves_the_image(
    backend: str, x: float, y: float, z: float, shape: Shape
) -> None:
    """Crystal, beam, detector and spindle, all turned by the same rotation."""
    frame = FRAMES[Convention.CUSTOM]
    crystal = Crystal(
        UnitCell.from_degrees(40, 50, 60, 90, 100, 90),
        misset=(0.1, 0.2, 0.3),
        n_cells=(5, 4, 3),
        shape=shape,
    )
    turned_frame = frame.with_vectors(
        **{
            name: tuple(rotate_xyz(np.array(vector), (x, y, z)))
            for name, vector in vars(frame).items()
        }
    )
    reciprocal = rotate_xyz(crystal.oriented().lattice.reciprocal, (x, y, z))
    images = [
        simulate(
            Experiment(
                beam=Beam(polarization=0.8),
                crystal=which,
                detector=Detector(
                    n_fast=12, n_slow=10, pixel_size=2e-3, convention=Convention.CUSTOM, frame=lab
                ),
                structure_factors=StructureFactors(default=10.0),
                scan=Scan(0.2),
                # the automatic choice jumps where a rounding error crosses a whole number
                rendering=Rendering(oversample=2),
            ),
            backend,
        ).array.astype(np.float64)
        for which, lab in (
            (crystal, frame),
            (replace(crystal, cell=None, reciprocal=reciprocal, misset=None), turned_frame),
        )
    ]
    np.testing.assert_allclose(
        images[1], images[0], rtol=0, atol=ROTATED_EXPERIMENT * images[0].max()
    )


def test_peak_grows_with_the_crystal(small_experiment: Experiment, backend: str) -> None:
    """At the direct beam F_latt is the number of cells."""
    one_pixel = Detector(
        n_fast=1, n_slow=1, pixel_size=1e-6, convention=Convention.XDS, distance=0.1
    )
    maxima = []
    for n in (4, 8):
        crystal = replace(small_experiment.crystal, n_cells=(n, n, n))
        experiment = replace(
            small_experiment,
            crystal=crystal,
            detector=one_pixel,
            rendering=Rendering(oversample=1, interpolate=False),
        )
        maxima.append(simulate(experiment, backend).statistics.maximum)
    assert maxima[1] / maxima[0] == pytest.approx(2.0**6, rel=1e-6)
    expected = 100.0 * 4**6 * (1e-6 / 0.1) ** 2
    assert maxima[0] == pytest.approx(expected, rel=1e-5)


def test_zero_angle_has_the_orientation_of_the_step_before(
    small_experiment: Experiment, backend: str
) -> None:
    """Quirk Q3: but for the first pixel, a sweep from zero is its last step twice."""
    step = 0.01
    small_experiment = replace(small_experiment, quirks=NANOBRAGG)
    swept = replace(small_experiment, scan=Scan(0.0, Sweep(2 * step, step, 2)))
    twice = replace(small_experiment, scan=Scan(step, Sweep(0.0, 0.0, 2)))
    first, second = (simulate(experiment, backend).array for experiment in (swept, twice))
    np.testing.assert_allclose(first.reshape(-1)[1:], second.reshape(-1)[1:], rtol=FLOAT32_BITS)
    assert first[0, 0] != second[0, 0]


def test_interpolation_ends_at_the_first_pixel_which_leaves_the_table(backend: str) -> None:
    axis = np.arange(-6, 7)
    hkl = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    table = StructureFactors.from_list(hkl, 50.0 + hkl @ [3.0, 5.0, 7.0])
    experiment = Experiment(
        beam=Beam(),
        crystal=Crystal(UnitCell.from_degrees(40, 40, 40, 90, 90, 90), n_cells=(1, 1, 1)),
        detector=Detector(n_fast=40, n_slow=40, pixel_size=1e-3, beam_centre=(5e-3, 5e-3)),
        structure_factors=table,
        rendering=Rendering(oversample=1),
        quirks=NANOBRAGG,
    )
    image = simulate(experiment, backend)
    (stop,) = image.rendered.interpolation_stops
    assert stop is not None
    nearest = replace(experiment, rendering=Rendering(oversample=1, interpolate=False))
    other = simulate(nearest, backend)
    assert other.rendered.interpolation_stops == [None]
    before, after = image.array.reshape(-1), other.array.reshape(-1)
    np.testing.assert_array_equal(before[stop.pixel :], after[stop.pixel :])
    assert (before[: stop.pixel] != after[: stop.pixel]).mean() > 0.5


def test_steps_which_are_skipped_do_not_end_interpolation() -> None:
    """Where a flat spot is zero the table is not looked at."""
    axis = np.arange(-4, 5)
    hkl = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    crystal = Crystal(
        UnitCell.from_degrees(40, 40, 40, 90, 90, 90), n_cells=(2, 9, 9), shape=Shape.TOPHAT
    )
    image = simulate(
        Experiment(
            beam=Beam(wavelength=1e-10),
            crystal=crystal,
            detector=Detector(n_fast=40, n_slow=40, pixel_size=1e-3),
            structure_factors=StructureFactors.from_list(hkl, 100.0 + hkl @ [3.0, 5.0, 7.0], 5.0),
            rendering=Rendering(oversample=1),
            quirks=NANOBRAGG,
        ),
        "numpy",
    )
    (stop,) = image.rendered.interpolation_stops
    assert stop is not None
    offsets = tuple(np.array([x - np.ceil(x - 0.5)]) for x in stop.indices)
    distance = reciprocal_distance_squared(
        (offsets[0], offsets[1], offsets[2]),
        crystal.oriented().lattice.reciprocal,
        crystal.oriented().cell_counts,
    )
    assert tophat(distance, crystal.oriented().cell_counts, 1.0)[0] != 0.0
    assert image.array.reshape(-1)[stop.pixel] > 0.0
