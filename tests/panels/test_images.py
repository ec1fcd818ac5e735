"""Images of detectors of panels, on every backend, against a computation by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cupysim import (
    Detector,
    Panel,
    PanelDetector,
    PanelGroup,
    PhotonNoise,
    Region,
    Renderer,
    render_gradients,
    simulate,
)
from cupysim.errors import CupysimError, ModelError
from cupysim.parity.images.image_comparison import agreement
from tests import conftest
from tests.panels.by_hand import Shot, grouped, random_panels, turned
from tests.tolerances import FLOAT32_BITS, GOLDEN_ABSOLUTE, GOLDEN_RELATIVE, POSITION

SINGLE = 3e-6
"""Pixels rounded to float32, and flanks of the interference function, of the maximum."""


def panel_images(shot: Shot, array: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each panel's image, and the same by hand."""
    found = []
    for number, panel in enumerate(shot.panels):
        n_fast, n_slow = panel.size
        assert not array[number, n_slow:].any(), "beyond the panel"
        assert not array[number, :, n_fast:].any(), "beyond the panel"
        found.append((array[number, :n_slow, :n_fast], shot.image(panel)))
    return found


@pytest.mark.parametrize("thick", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_random_panels(renderer: conftest.Renderer, seed: int, thick: bool) -> None:
    shot = Shot(random_panels(np.random.default_rng(seed), thick=thick))
    with Renderer(renderer.backend, renderer.precision) as render:
        image = render(shot.experiment())
    pairs = panel_images(shot, image.array)
    largest = max(expected.max() for _, expected in pairs)
    assert largest > 0.0
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=SINGLE * largest)


@pytest.mark.parametrize("seed", range(3))
def test_groups_with_frames_change_nothing(seed: int, backend: str) -> None:
    shot = Shot(random_panels(np.random.default_rng(seed)))
    detector = grouped(shot.panels)
    assert [panel.name for panel in detector] == ["p0", "p1", "p2"]
    assert detector.paths == (("quadrant", "deep"), ("quadrant",), ())
    for panel, placed in zip(shot.panels, detector, strict=True):
        np.testing.assert_allclose(placed.origin, panel.origin, rtol=0.0, atol=POSITION)
    flat = simulate(shot.experiment(), backend=backend).array
    nested = simulate(shot.experiment(detector), backend=backend).array
    np.testing.assert_allclose(nested, flat, rtol=0.0, atol=SINGLE * flat.max())


def test_one_panel_is_the_drop_in_detector(renderer: conftest.Renderer) -> None:
    """To the last bit: a panel by its axes in a convention, and as a detector of panels."""
    (panel,) = random_panels(np.random.default_rng(5), 1, alike=True)
    one = Detector.from_axes(
        panel.origin, panel.fast, panel.slow, panel.edges[0], *panel.size, beam=(0, 0, 1),
        spindle=(1, 0, 0),
    )  # fmt: skip
    shot = Shot([panel])
    experiment = shot.experiment()
    with Renderer(renderer.backend, renderer.precision) as render:
        several = render(experiment)
        single = render(replace(experiment, detector=one))
    assert several.array.shape == (1, *single.array.shape)
    limit = {"double": GOLDEN_ABSOLUTE, "mixed": SINGLE, "pairs": SINGLE}[renderer.precision]
    np.testing.assert_allclose(
        several.array[0], single.array, rtol=GOLDEN_RELATIVE, atol=limit * single.array.max()
    )


def test_masks_and_regions(backend: str) -> None:
    rng = np.random.default_rng(11)
    shot = Shot(random_panels(rng))
    whole = simulate(shot.experiment(), backend=backend).array
    members = [
        panel.model(mask=rng.random(panel.size[::-1]) < 0.6) if number == 1 else panel.model()
        for number, panel in enumerate(shot.panels)
    ]
    detector = PanelDetector(members, beam=(0, 0, 1), spindle=(1, 0, 0))
    wanted = rng.random(whole.shape) < 0.8
    expected = whole * wanted
    n_fast, n_slow = shot.panels[1].size
    expected[1, :n_slow, :n_fast] *= members[1].mask
    masked = simulate(shot.experiment(detector, mask=wanted), backend=backend)
    np.testing.assert_array_equal(masked.array, expected.astype(np.float32))
    np.testing.assert_array_equal(masked.experiment.rendered_pixels & (whole > 0), expected > 0)

    region = {"p0": Region(1, 3, 0, 2), "p2": Region(0, 99, 2, 2)}
    some = np.zeros_like(whole)
    some[0, :3, 1:4], some[2, 2] = whole[0, :3, 1:4], whole[2, 2]
    found = simulate(shot.experiment(region=region), backend=backend)
    np.testing.assert_array_equal(found.array, some)
    same = simulate(shot.experiment(region=Region(1, 3, 0, 2)), backend=backend)
    np.testing.assert_array_equal(same.array[:, :3, 1:4], whole[:, :3, 1:4])
    assert same.array.sum() == pytest.approx(whole[:, :3, 1:4].sum(), rel=FLOAT32_BITS)


def test_statistics_counts_and_integers() -> None:
    shot = Shot(random_panels(np.random.default_rng(2)))
    experiment = shot.experiment()
    image = simulate(experiment, backend="host")
    exists, array = experiment.rendered_pixels, image.array.astype(np.float64)
    values = array[exists]
    assert exists.sum() == sum(np.prod(panel.size) for panel in shot.panels)
    statistics = image.statistics
    assert statistics.maximum == values.max()
    panel, slow, fast = np.unravel_index(np.argmax(array), array.shape)
    assert statistics.maximum_panel == panel
    edges, m, at = shot.panels[panel].edges, shot.oversample, (fast, slow)
    np.testing.assert_allclose(
        statistics.maximum_at,
        [(n + 1 - 0.5 / m) * e for n, e in zip(at, edges, strict=True)],
    )
    assert statistics.mean == pytest.approx(values.mean(), rel=1e-6)
    assert statistics.rmsd == pytest.approx(values.std(ddof=1), rel=1e-6)
    counts = image.counts(PhotonNoise(3))
    assert counts.shape == array.shape
    assert not counts[~exists].any()
    np.testing.assert_array_equal(
        image.panel("p1", counts), counts[1][: shot.panels[1].size[1], : shot.panels[1].size[0]]
    )
    assert abs(counts.sum() - array.sum()) < 6.0 * np.sqrt(array.sum())
    integers = image.integers(scale=1e-3)
    np.testing.assert_array_equal(integers[~exists], 0)
    assert (integers[exists] >= 40).all()


def test_spots_are_on_their_panels() -> None:
    """Spots of a fine image are the pixels around the maxima of each panel."""
    fine = [
        replace(panel, edges=(1e-4, 1.2e-4), size=(360, 300))
        for panel in random_panels(np.random.default_rng(7))
    ]
    shot = Shot(fine, n_cells=(40, 40, 40), wavelengths=(1e-10,), weights=(1.0,))
    experiment = shot.experiment()
    experiment = replace(experiment, crystal=replace(experiment.crystal, shape="gauss"))
    image = simulate(experiment, backend="host")
    spots = image.spots
    assert set(spots["panel"]) == {0, 1, 2}
    checked = 0
    for spot in spots[:60]:
        fast, slow = int(spot["fast"]), int(spot["slow"])
        n_fast, n_slow = shot.panels[spot["panel"]].size
        if not (4 <= fast < n_fast - 4 and 4 <= slow < n_slow - 4):
            continue
        box = image.array[spot["panel"], slow - 4 : slow + 5, fast - 4 : fast + 5].astype(float)
        rows, columns = np.indices(box.shape) - 3.5
        centre = [slow + (box * rows).sum() / box.sum(), fast + (box * columns).sum() / box.sum()]
        np.testing.assert_allclose(centre, [spot["slow"], spot["fast"]], rtol=0.0, atol=0.5)
        checked += 1
    assert checked > 10


@pytest.mark.parametrize("group", ["p1", "deep", "quadrant", "detector"])
def test_derivatives_of_motions(backend: str, group: str) -> None:
    """Against differences of images computed by hand, with the panels moved by hand."""
    shot = Shot(
        random_panels(np.random.default_rng(4), thick=True), n_cells=(3, 2, 3), amplitude=100.0
    )
    detector = grouped(shot.panels)
    # the sensors survive the groups
    gradients = render_gradients(shot.experiment(detector), f"motion:{group}", backend=backend)
    members = {"p1": [1], "deep": [0], "quadrant": [0, 1], "detector": [0, 1, 2]}[group]
    corners = np.concatenate([shot.panels[n].model().corners for n in members])
    centre = corners.mean(axis=0)
    for name, found in zip(gradients.names, gradients.values, strict=True):
        kind, axis = name.partition(":")[0], np.eye(3)["xyz".index(name.partition(":")[0][-1])]
        step = 1e-7 if kind.startswith("shift") else 2e-6

        def moved(by: float, kind: str = kind, axis: np.ndarray = axis) -> list[np.ndarray]:
            images = []
            for number, panel in enumerate(shot.panels):
                if number in members and kind.startswith("shift"):
                    panel = replace(panel, origin=panel.origin + by * axis)
                elif number in members:
                    turn = turned(by * axis)
                    panel = replace(
                        panel, origin=turn @ (panel.origin - centre) + centre,
                        fast=turn @ panel.fast, slow=turn @ panel.slow,
                    )  # fmt: skip
                images.append(shot.image(panel))
            return images

        ends = [moved(by * step) for by in (-2, -1, 1, 2)]
        for number, panel in enumerate(shot.panels):
            far, near, next_, last = (images[number] for images in ends)
            expected = (far - 8 * near + 8 * next_ - last) / (12 * step)
            n_fast, n_slow = panel.size
            scale = max(np.abs(expected).max(), 1e-30)
            if number not in members:
                assert not found[number].any()
                continue
            np.testing.assert_allclose(
                found[number, :n_slow, :n_fast], expected, rtol=0.0, atol=1e-6 * scale, err_msg=name
            )


def test_impossible_detectors() -> None:
    first, second = (panel.model() for panel in random_panels(np.random.default_rng(0), 2))
    with pytest.raises(ModelError, match="have the name 'p0'"):
        PanelDetector([first, replace(second, name="p0")], (0, 0, 1), (1, 0, 0))
    with pytest.raises(ModelError, match="panel 'p0': its fast and slow axes are parallel"):
        replace(first, slow=first.fast)
    with pytest.raises(ModelError, match="panel 'p1': its plane goes through the crystal"):
        PanelDetector([first, replace(second, origin=second.fast)], (0, 0, 1), (1, 0, 0))
    thick = random_panels(np.random.default_rng(0), 1, thick=True)[0].model()
    with pytest.raises(ModelError, match="has 1 sensor layers, but panel 'p0' has 3"):
        PanelDetector([thick, second], beam=(0, 0, 1), spindle=(1, 0, 0))
    detector = PanelDetector([first, second], beam=(0, 0, 1), spindle=(1, 0, 0))
    with pytest.raises(ModelError, match="there is no panel 'q0'; they are p0, p1"):
        detector["q0"]
    with pytest.raises(ModelError, match="no group or panel 'q0'; there are no groups"):
        detector.moved("q0")


def test_other_numbers_of_panels_cannot_be_compared() -> None:
    """The message has the sizes of both images, also if one has no panels."""
    for shapes, told in (
        (((2, 4, 3), (4, 3)), r"3 x 4 x 2 and 3 x 4 pixels \(fast x slow x panels\)"),
        (((4, 3), (3, 4)), r"3 x 4 and 4 x 3 pixels \(fast x slow\)"),
    ):
        first, second = (np.zeros(shape) for shape in shapes)
        with pytest.raises(CupysimError, match=told):
            agreement(first, second)


def test_a_part_with_the_name_of_the_detector_moves_alone() -> None:
    first, second = (
        Panel(name, 8, 8, (x, 0.0, 0.1), (1, 0, 0), (0, 1, 0), 1e-4)
        for name, x in (("a", 0.0), ("b", 0.01))
    )
    detector = PanelDetector([PanelGroup("detector", [first]), second], (0, 0, 1), (1, 0, 0))
    assert detector.group_panels("detector") == (0,)
    moved = detector.moved("detector", shift=(0.0, 1e-3, 0.0))
    assert moved["a"].origin == pytest.approx((0.0, 1e-3, 0.1))
    assert moved["b"].origin == second.origin
    for wrong, told in ((2, "no panel 2"), (1.7, "no panel 1.7"), ("c", "no panel 'c'")):
        with pytest.raises(ModelError, match=told):
            detector[wrong]  # type: ignore[index]
