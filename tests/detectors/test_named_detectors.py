"""Named detectors: numbers of their makers, of other programs' geometry, and plain geometry."""

from __future__ import annotations

import sys
import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from cupysim import (
    Beam,
    Crystal,
    Experiment,
    PanelDetector,
    StructureFactors,
    UnitCell,
    named_detector,
    simulate,
)
from cupysim.detectors.catalogue import FIGURES, KINDS, detector_names, find_entry
from cupysim.errors import CupysimError, ModelError
from cupysim.models.sensor import attenuation

ROOT = Path(__file__).parents[2]
FAR = 0.15
NAMES = detector_names()

SIZES = {
    # makers' sizes in mm, width and height
    "eiger2-16m": (311.1, 327.2),
    "eiger2-9m": (233.1, 244.7),
    "eiger2-4m": (155.1, 162.2),
    "eiger2-1m": (77.1, 79.7),
    "eiger-16m": (311.2, 327.8),
    "eiger-9m": (233.2, 245.2),
    "eiger-4m": (155.2, 162.5),
    "eiger-1m": (77.2, 79.9),
    "pilatus3-6m": (423.6, 434.6),
    "pilatus-6m": (423.6, 434.6),
    "pilatus3-2m": (253.7, 288.8),
    "pilatus-300k": (83.8, 106.5),
    "rayonix-mx340": (340.0, 340.0),
    "rayonix-mx300": (300.0, 300.0),
    "rayonix-mx225": (225.0, 225.0),
    "adsc-q315r": (315.0, 315.0),
}
ROUNDED = 0.2
"""Millimetres to which makers round their sizes."""

EXISTING = {
    "eiger2-16m": 32 * 1028 * 512,
    "eiger2-9m": 18 * 1028 * 512,
    "eiger2-4m": 8 * 1028 * 512,
    "eiger2-1m": 2 * 1028 * 512,
    "eiger-16m": 32 * 1030 * 514,
    "eiger-4m": 8 * 1030 * 514,
    "pilatus3-6m": 60 * 487 * 195,
    "pilatus-6m": 60 * 487 * 195,
    "pilatus3-2m": 24 * 487 * 195,
    "pilatus-300k": 3 * 487 * 195,
    "rayonix-mx340": 3840**2,
    "jungfrau-16m": 32 * 1024 * 512,
    "jungfrau-4m": 8 * 1024 * 512,
    "jungfrau-1m": 2 * 1024 * 512,
    "agipd-1m": 16 * 512 * 128,
    "epix10k-2m": 16 * 352 * 384,
    "cspad": 32 * 185 * 388,
}

HOLES = ("jungfrau-16m", "jungfrau-4m", "agipd-1m", "epix10k-2m", "cspad")
MANY = (*HOLES, "jungfrau-1m")


def existing(detector: PanelDetector) -> list[np.ndarray]:
    """Pixels of each panel that exist."""
    return [
        np.ones((panel.n_slow, panel.n_fast), bool) if panel.mask is None else panel.mask
        for panel in detector
    ]


def rectangles(detector: PanelDetector) -> np.ndarray:
    """Smallest and largest x and y of each panel (m), shape (panels, 2, 2)."""
    corners = np.array([panel.corners[:, :2] for panel in detector])
    return np.stack([corners.min(axis=1), corners.max(axis=1)], axis=1)


@pytest.mark.parametrize("name", SIZES)
def test_size_is_that_of_the_maker(name: str) -> None:
    low, high = rectangles(named_detector(name, FAR))[0]
    assert 1e3 * (high - low) == pytest.approx(SIZES[name], abs=ROUNDED)


@pytest.mark.parametrize("name", EXISTING)
def test_number_of_pixels(name: str) -> None:
    found = sum(int(mask.sum()) for mask in existing(named_detector(name, FAR)))
    assert found == EXISTING[name]


def test_gaps_of_a_pilatus_6m_are_where_other_programs_have_them() -> None:
    """Columns and rows (from 1) that dxtbx and XDS exclude: 488 to 494, 196 to 212, and so on."""
    (exists,) = existing(named_detector("pilatus-6m", FAR))
    columns, rows = np.ones(2463, bool), np.ones(2527, bool)
    for first in (488, 982, 1476, 1970):
        columns[first - 1 : first + 6] = False
    for first in (196, 408, 620, 832, 1044, 1256, 1468, 1680, 1892, 2104, 2316):
        rows[first - 1 : first + 16] = False
    assert np.array_equal(exists, rows[:, None] & columns)


def test_gaps_of_an_eiger2_16m() -> None:
    """Untrusted rows (from 0) that a beamline gives XDS: 512 to 549, 1062 to 1099."""
    (exists,) = existing(named_detector("eiger2-16m", FAR))
    rows = exists.any(axis=1)
    assert not rows[512:550].any()
    assert not rows[1062:1100].any()
    assert rows[511]
    assert rows[550]
    assert rows.sum() == 8 * 512
    assert exists.any(axis=0).sum() == 4 * 1028


def test_the_active_area_of_a_mar165_is_round() -> None:
    (exists,) = existing(named_detector("mar165", FAR))
    area = exists.sum() * 79e-6**2
    # a circle of 165 mm without four segments beyond the square of 161.8 mm
    half, radius = 0.5 * 2048 * 79e-6, 82.5e-3
    angle = 2.0 * np.arccos(half / radius)
    segment = 0.5 * radius**2 * (angle - np.sin(angle))
    assert area == pytest.approx(np.pi * radius**2 - 4.0 * segment, rel=1e-4)
    assert not exists[0, 0]
    assert exists[1024, 0]


@pytest.mark.parametrize("name", NAMES)
def test_panels_do_not_overlap(name: str) -> None:
    for first, second in combinations(rectangles(named_detector(name, FAR)), 2):
        inside = np.minimum(first[1], second[1]) - np.maximum(first[0], second[0])
        assert inside.min() < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_panels_are_perpendicular_to_the_beam_at_the_distance(name: str) -> None:
    for panel in named_detector(name, FAR):
        assert panel.axes[2] == pytest.approx([0, 0, 1], abs=1e-12)
        assert panel.corners[:, 2] == pytest.approx(FAR, abs=1e-15)
        # parallel to x and y
        assert np.sort(np.abs(panel.axes[:2, :2]).ravel()) == pytest.approx([0, 0, 1, 1], abs=1e-12)


@pytest.mark.parametrize("name", HOLES)
def test_the_beam_passes_the_hole(name: str) -> None:
    boxes = rectangles(named_detector(name, FAR))
    nearest = np.linalg.norm(np.clip(0.0, boxes[:, 0], boxes[:, 1]), axis=1)
    assert 2.5e-3 < nearest.min() < 10e-3


@pytest.mark.parametrize("name", [name for name in NAMES if name not in HOLES])
def test_the_beam_meets_the_middle(name: str) -> None:
    boxes = rectangles(named_detector(name, FAR))
    assert boxes[:, 0].min(axis=0) == pytest.approx(-boxes[:, 1].max(axis=0))


def test_groups() -> None:
    for name in HOLES:
        detector = named_detector(name, FAR)
        parts = [detector.group_panels(group) for group in ("q0", "q1", "q2", "q3")]
        assert sorted(number for part in parts for number in part) == list(range(len(detector)))
    cspad = named_detector("cspad", FAR)
    assert [cspad[number].name for number in cspad.group_panels("q2s7")] == ["q2a14", "q2a15"]
    epix = named_detector("epix10k-2m", FAR)
    assert [epix[n].name for n in epix.group_panels("p13")] == [f"p13a{chip}" for chip in range(4)]
    large = named_detector("jungfrau-16m", FAR)
    assert sorted(panel.name for panel in large) == sorted(f"m{number}" for number in range(32))
    assert large["m11"].data_corner == (0, 11 * 514)


def test_quadrants_move_alone() -> None:
    before = named_detector("cspad", FAR)
    after = before.moved("q1", shift=(1e-3, 2e-3, 0.0))
    for panel, same in zip(after, before, strict=True):
        step = np.array(panel.origin) - same.origin
        expected = (1e-3, 2e-3, 0.0) if panel.name.startswith("q1a") else (0.0, 0.0, 0.0)
        assert step == pytest.approx(expected, abs=1e-12)


CRYSTFEL_CSPAD = {
    # doc/examples/cspad-cxiformat.geom of CrystFEL: fs, ss, corner (pixels); rotations made exact
    "q0a0": ((0, 1), (-1, 0), (443.8, -49.9)),
    "q0a9": ((0, -1), (1, 0), (480.7, 572.6)),
    "q1a0": ((-1, 0), (0, -1), (28.5, 436.8)),
    "q1a11": ((1, 0), (0, 1), (-590.0, 668.5)),
    "q2a3": ((0, -1), (1, 0), (-235.5, -177.8)),
    "q2a12": ((1, 0), (0, 1), (-442.0, -769.4)),
    "q3a4": ((0, 1), (-1, 0), (359.6, -886.5)),
    "q3a15": ((0, 1), (-1, 0), (555.7, -263.3)),
}


@pytest.mark.parametrize("panel", CRYSTFEL_CSPAD)
def test_the_cspad_is_that_of_crystfel(panel: str) -> None:
    """Its quadrants moved by some millimetres between experiments."""
    fast, slow, corner = CRYSTFEL_CSPAD[panel]
    found = named_detector("cspad", FAR)[panel]
    assert found.fast[:2] == pytest.approx(fast, abs=1e-12)
    assert found.slow[:2] == pytest.approx(slow, abs=1e-12)
    assert found.origin[:2] == pytest.approx(110e-6 * np.array(corner), abs=5.5e-3)


CRYSTFEL_JUNGFRAU = {
    # doc/examples/jf-swissfel-16M.geom of CrystFEL: corners (pixels)
    "m0": (2147.07, 1131.30),
    "m1": (2214.26, 92.01),
    "m2": (1597.40, 2101.70),
    "m9": (1112.41, -1014.29),
    "m11": (496.66, 1065.28),
    "m14": (-53.76, 2034.99),
    "m16": (14.47, -41.41),
    "m23": (-1152.14, 996.84),
    "m29": (-1638.73, -1081.46),
    "m30": (-2252.42, 997.52),
    "m31": (-2183.51, -41.16),
}


@pytest.mark.parametrize("panel", CRYSTFEL_JUNGFRAU)
def test_the_jungfrau_16m_is_that_of_crystfel(panel: str) -> None:
    """The origin of the file is the beam, 2 and 4 pixels from the middle of the hole."""
    found = named_detector("jungfrau-16m", FAR)[panel]
    assert found.fast == pytest.approx((0, -1, 0), abs=1e-12)
    assert found.slow == pytest.approx((-1, 0, 0), abs=1e-12)
    corner = 75e-6 * np.add(CRYSTFEL_JUNGFRAU[panel], (1.94, 3.73))
    # modules are mounted to some pixels
    assert found.origin[:2] == pytest.approx(corner, abs=7 * 75e-6)


def test_the_agipd_is_that_of_extra_geom() -> None:
    """First pixels of its example's quadrants, and 157 pixels from module to module."""
    detector = named_detector("agipd-1m", FAR)
    hole = np.array([-3.75, -3.0])
    for number, corner in {
        0: (-525, 625),
        4: (-550, -10),
        8: (520, -160),
        12: (542.5, 475),
    }.items():
        first, last = detector[f"p{number}"], detector[f"p{number + 3}"]
        assert first.origin[:2] == pytest.approx(200e-6 * (np.array(corner) - hole), abs=1e-9)
        step = np.array(last.origin) - first.origin
        assert step == pytest.approx((0, -3 * 157 * 200e-6, 0), abs=1e-9)
        sign = 1.0 if number < 8 else -1.0
        assert first.slow == pytest.approx((sign, 0, 0), abs=1e-12)
        assert first.fast == pytest.approx((0, -sign, 0), abs=1e-12)


def test_raw_data_are_what_is_between_gaps() -> None:
    for name, shape in {"jungfrau-4m": (512, 1024), "agipd-1m": (512, 128)}.items():
        mask = named_detector(name, FAR)[0].mask
        assert mask is not None
        raw = np.arange(mask.size).reshape(mask.shape)[mask].reshape(shape)
        # rows and columns remain rows and columns
        assert (np.diff(raw, axis=1) > 0).all()
        assert (np.diff(raw, axis=0) > 0).all()
        assert np.ptp(raw // mask.shape[1], axis=1).max() == 0


def test_wide_pixels_fill_the_space_between_chips() -> None:
    """Two wide pixels are as wide as two ordinary ones and the space between."""
    cspad, epix = named_detector("cspad", FAR), named_detector("epix10k-2m", FAR)
    between = np.linalg.norm(np.subtract(cspad["q0a1"].origin, cspad["q0a0"].origin))
    assert between == pytest.approx(192 * 109.92e-6 + 2 * 274.8e-6)
    between = np.linalg.norm(np.subtract(epix["p0a1"].origin, epix["p0a0"].origin))
    assert between == pytest.approx(190 * 100e-6 + 2 * 225e-6)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_a_source(name: str) -> None:
    entry = find_entry(name)
    assert set(entry.sources) == set(entry.figures) <= set(FIGURES)
    assert all(len(source) > 10 for source in entry.sources.values())
    assert entry.figures["kind"] in KINDS
    assert {"pixels", "pixel"} <= set(entry.figures)
    for figure in ("modules", "module_pixels", "gap"):
        assert (figure in entry.figures) == ("gap" in entry.figures)
    if "gap" in entry.figures:
        modules, size, gap = (entry.figures[key] for key in ("modules", "module_pixels", "gap"))
        whole = tuple(n * s + (n - 1) * g for n, s, g in zip(modules, size, gap, strict=True))
        assert entry.pixels == whole


def test_the_file_is_package_data() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    setuptools = project["tool"]["setuptools"]
    assert "cupysim.detectors" in setuptools["packages"]
    assert setuptools["package-data"]["cupysim.detectors"] == ["detectors.toml"]
    file = tomllib.loads((ROOT / "cupysim/detectors/detectors.toml").read_text())
    used = {source for name in NAMES for source in find_entry(name).sources.values()}
    assert used == set(file["sources"].values())


def test_beam_centre_in_metres_and_pixels() -> None:
    detector = named_detector("eiger-4m", 0.2, beam_pixel=(1000.0, 1100.25))
    assert detector[0].position(1000.0, 1100.25) == pytest.approx((0, 0, 0.2), abs=1e-12)
    moved = named_detector("eiger-4m", 0.2, beam_centre=(2e-3, -3e-3))
    still = named_detector("eiger-4m", 0.2)
    step = np.subtract(moved[0].origin, still[0].origin)
    assert step == pytest.approx((-2e-3, 3e-3, 0.0), abs=1e-12)
    # as seen from the crystal, fast is to the right (-x) and slow is down
    assert still[0].fast == pytest.approx((-1, 0, 0), abs=1e-12)
    assert still[0].slow == pytest.approx((0, -1, 0), abs=1e-12)


@pytest.mark.parametrize("beam", [(1, 0, 0), (0, 1, 0), (0, 0, -1), (1, -2, 0.5), (0, 0, 5)])
def test_another_beam_turns_the_whole_detector(beam: tuple[float, float, float]) -> None:
    along = np.array(beam) / np.linalg.norm(beam)
    detector = named_detector("jungfrau-1m", 0.2, beam=beam)
    plain = named_detector("jungfrau-1m", 0.2)
    assert detector.beam == pytest.approx(along, abs=1e-12)
    assert np.dot(detector.spindle, along) == pytest.approx(0, abs=1e-12)
    corners = np.concatenate([panel.corners for panel in detector])
    assert corners @ along == pytest.approx(0.2, abs=1e-12)
    # a rotation keeps all distances and the hand
    others = np.concatenate([panel.corners for panel in plain])
    assert corners @ corners.T == pytest.approx(others @ others.T, abs=1e-12)
    triple = [np.linalg.det([p.fast, p.slow, along]) for p in detector]
    assert triple == pytest.approx([np.linalg.det([p.fast, p.slow, (0, 0, 1)]) for p in plain])


def test_y_stays_upwards_when_the_beam_is_along_minus_z() -> None:
    panel = named_detector("pilatus-300k", 0.2, beam=(0, 0, -1))[0]
    assert panel.slow == pytest.approx((0, -1, 0), abs=1e-12)
    assert panel.fast == pytest.approx((1, 0, 0), abs=1e-12)


def test_attenuation_of_silicon_is_that_of_nist() -> None:
    """Mass attenuation coefficients of NIST at 10 keV: silicon 33.89 cm2/g."""
    pytest.importorskip("xraydb")
    assert attenuation("Si", 1.239842e-10) == pytest.approx(100 * 33.89 * 2.33, rel=0.02)


def test_sensor_of_a_wavelength() -> None:
    pytest.importorskip("xraydb")
    plain = named_detector("eiger2-1m", 0.2)[0].sensor
    assert plain.layers.range == 0.0
    assert named_detector("eiger2-1m", 0.2, wavelength=1e-10, thickness=False)[0].sensor == plain
    silicon = named_detector("eiger2-1m", 0.2, wavelength=1e-10)[0].sensor
    assert silicon.layers.range == 450e-6
    assert silicon.layers.count == 1
    assert silicon.attenuation == attenuation("Si", 1e-10)
    cdte = named_detector(
        "eiger2-1m", 0.2, wavelength=1e-10, material="CdTe", thickness=750e-6, layers=5
    )[0].sensor
    assert (cdte.layers.range, cdte.layers.count) == (750e-6, 5)
    assert cdte.layers.step == pytest.approx(150e-6)
    assert cdte.attenuation > 5.0 * silicon.attenuation
    # nothing is known of the phosphor
    assert named_detector("rayonix-mx340", 0.2, wavelength=1e-10)[0].sensor == plain


def test_saturation() -> None:
    assert named_detector("pilatus-6m", 0.2)[0].saturation == 2**20 - 1
    assert named_detector("jungfrau-1m", 0.2)[0].saturation == np.inf
    assert named_detector("jungfrau-1m", 0.2, saturation=9000)[1].saturation == 9000


def test_gain() -> None:
    assert named_detector("rayonix-mx300", 0.2)[0].gain == 1.5
    assert named_detector("eiger-4m", 0.2)[0].gain == 1.0
    assert named_detector("cspad", 0.2, gain=2.5)[63].gain == 2.5


@pytest.mark.parametrize("name", ["Eiger2 16M", "EIGER2_16M", "eiger2-16m"])
def test_spellings_of_a_name(name: str) -> None:
    assert find_entry(name).name == "eiger2-16m"


def test_unknown_names_list_near_ones() -> None:
    with pytest.raises(CupysimError, match=r"'eiger2-15m'; similar names: .*eiger2-16m"):
        named_detector("eiger2-15m", 0.2)
    with pytest.raises(CupysimError, match=r"there are eiger2-16m, .*cspad"):
        named_detector("zzz", 0.2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"distance": 0.0}, "distance"),
        ({"distance": float("nan")}, "distance"),
        ({"distance": 0.1, "beam_centre": (1, 2, 3)}, "beam_centre: expected two"),
        ({"distance": 0.1, "beam_centre": (0, 0), "beam_pixel": (0, 0)}, "give one of them"),
        ({"distance": 0.1, "beam": (0, 0, 0)}, "beam"),
        ({"distance": 0.1, "thickness": 1e-3}, "wavelength is missing"),
        ({"distance": 0.1, "material": "CdTe"}, "wavelength is missing"),
        ({"distance": 0.1, "wavelength": 1e-10, "thickness": -1.0}, "thickness"),
        ({"distance": 0.1, "wavelength": -1e-10}, "wavelength"),
        ({"distance": 0.1, "wavelength": 1e-10, "layers": 0}, "layers"),
        ({"distance": 0.1, "wavelength": 1e-10, "material": "cheese"}, "cheese"),
        ({"distance": 0.1, "saturation": -1}, "saturation"),
    ],
)
def test_impossible_arguments(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        named_detector("eiger2-1m", **arguments)  # type: ignore[arg-type]


def test_what_detectors_of_several_panels_refuse() -> None:
    with pytest.raises(ModelError, match="several panels"):
        named_detector("cspad", 0.1, beam_pixel=(0, 0))
    with pytest.raises(ModelError, match="material"):
        named_detector("agipd-1m", 0.1, wavelength=1e-10, thickness=500e-6)


def test_a_missing_xraydb_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xraydb", None)
    with pytest.raises(CupysimError, match=r"pip install 'cupysim\[sensors\]'"):
        named_detector("eiger2-1m", 0.1, wavelength=1e-10)
    assert len(named_detector("eiger2-1m", 0.1)) == 1


def test_images_are_empty_in_gaps_and_weaker_behind_a_sensor() -> None:
    pytest.importorskip("xraydb")
    cell = UnitCell.from_degrees(70, 80, 90, 90, 90, 90)
    sums = []
    for sensor in (False, True):
        detector = named_detector("jungfrau-1m", 1.0, wavelength=1e-10, thickness=sensor)
        image = simulate(
            Experiment(
                beam=Beam(wavelength=1e-10), crystal=Crystal(cell, n_cells=(2, 2, 2)),
                detector=detector, structure_factors=StructureFactors(default=100.0),
            )
        ).array  # fmt: skip
        assert image.shape == (2, 514, 1030)
        mask = detector[0].mask
        assert mask is not None
        assert not image[:, ~mask].any()
        assert (image[:, mask] > 0.0).all()
        sums.append(image.sum())
    # nearly normal incidence; NIST at 12.398 keV, interpolated from 10 and 15 keV: 18.1 cm2/g
    absorbed = 1.0 - np.exp(-18.1 * 2.33 * 320e-4)
    assert sums[1] / sums[0] == pytest.approx(absorbed, rel=0.02)
