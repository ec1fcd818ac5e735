"""Geometry objects of EXtra-geom: corners, groups and names, against the objects' own tiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cupysim import read_detector
from cupysim.errors import ModelError
from cupysim.formats.extra_geom_detector import from_extra_geom
from tests.tolerances import LAST_BITS, POSITION

DISTANCE = 0.2
AGIPD_QUADRANTS = [(-525, 625), (-550, -10), (520, -160), (542.5, 475)]
LPD_QUADRANTS = [(11.4, 299), (-11.5, 8), (254.5, -16), (278.5, 275)]


def fake(n_modules: int = 4, n_tiles: int = 2, **changes: Any) -> Any:
    """An object like those of extra_geom: rows of tiles of 3 x 5 pixels."""
    modules = [
        [
            SimpleNamespace(
                corner_pos=np.array([-1e-3 * tile, 2e-3 * module, 1e-4 * tile]),
                fs_vec=np.array([-1e-4, 0.0, 0.0]), ss_vec=np.array([0.0, 2e-4, 0.0]),
                fs_pixels=5, ss_pixels=3,
            )
            for tile in range(n_tiles)
        ]
        for module in range(n_modules)
    ]  # fmt: skip
    told = {"modules": modules, "n_quads": 2, "detector_type_name": "Fake-1M", "metadata": {}}
    return SimpleNamespace(**{**told, **changes})


# without the library


def test_tiles_become_panels_in_groups() -> None:
    geometry = from_extra_geom(fake(), distance=DISTANCE)
    detector = geometry.detector
    assert [panel.name for panel in detector] == [f"p{m}a{t}" for m in range(4) for t in range(2)]
    assert detector.paths[0] == ("q0", "p0")
    assert detector.paths[-1] == ("q1", "p3")
    assert detector.group_panels("q1") == (4, 5, 6, 7)
    panel = detector["p2a1"]
    assert panel.origin == pytest.approx((-1e-3, 4e-3, DISTANCE + 1e-4), abs=POSITION)
    assert panel.corners[3] == pytest.approx((-1.5e-3, 4.6e-3, DISTANCE + 1e-4), abs=POSITION)
    assert panel.edges == pytest.approx((1e-4, 2e-4), rel=LAST_BITS)
    assert (panel.n_fast, panel.n_slow) == (5, 3)
    assert detector.beam == (0.0, 0.0, 1.0)
    assert geometry.wavelength is None


@pytest.mark.parametrize("n_quads", [0, 3])
def test_modules_without_quadrants(n_quads: int) -> None:
    detector = from_extra_geom(fake(n_quads=n_quads), distance=DISTANCE).detector
    assert detector.paths[-1] == ("p3",)


def test_numbers_of_the_file() -> None:
    told = {"crystfel": {"clen": 0.3, "photon_energy": 9300.0, "bad": {"b": {}}}}
    geometry = from_extra_geom(fake(metadata=told))
    assert geometry.detector[0].origin[2] == 0.3
    assert geometry.wavelength == pytest.approx(12398.42e-10 / 9300.0, rel=LAST_BITS)
    assert "bad regions" in geometry.remarks[0]
    geometry = from_extra_geom(fake(metadata=told), distance=DISTANCE, wavelength=1e-10)
    assert geometry.detector[0].origin[2] == DISTANCE
    assert geometry.wavelength == 1e-10
    headers = {"crystfel": {"clen": "/LCLS/clen", "photon_energy": "/LCLS/energy"}}
    geometry = from_extra_geom(fake(metadata=headers), distance=DISTANCE)
    assert geometry.wavelength is None
    with pytest.raises(ModelError, match="distance is missing"):
        from_extra_geom(fake(metadata=headers))


@pytest.mark.parametrize(
    ("geometry", "options", "problem"),
    [
        ("agipd.geom", {}, r"pip install 'cupysim\[extra-geom\]'\), got str"),
        (fake(modules=[]), {}, "expected a geometry object"),
        (fake(modules=[[3]]), {}, "module 0, tile 0: it has no corner_pos"),
        (fake(_pixel_corners=np.zeros((2, 6))), {"distance": 0.1}, "hexagons"),
        (fake(), {}, "distance is missing"),
        (fake(), {"distance": np.nan}, "distance"),
        (fake(), {"distance": 0.1, "wavelength": -1.0}, "wavelength"),
    ],
)
def test_errors(geometry: Any, options: dict[str, float], problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        from_extra_geom(geometry, **options)


# with it


@pytest.fixture
def library() -> Any:
    return pytest.importorskip("extra_geom")


def jungfrau(library: Any) -> Any:
    return library.JUNGFRAUGeometry.from_module_positions(
        [(617.5 - 1100 * m, -549.5) for m in range(2)], [(-1, -1), (1, 1)]
    )


MAKERS: dict[str, tuple[Callable[[Any], Any], int, tuple[str, ...], tuple[int, int]]] = {
    "AGIPD": (lambda e: e.AGIPD_1MGeometry.from_quad_positions(AGIPD_QUADRANTS), 128,
              ("q3", "p15"), (128, 64)),
    "AGIPD 500K": (lambda e: e.AGIPD_500K2GGeometry.from_origin(), 64, ("p7",), (128, 64)),
    "LPD": (lambda e: e.LPD_1MGeometry.from_quad_positions(LPD_QUADRANTS), 256, ("q3", "p15"),
            (128, 32)),
    "JUNGFRAU": (jungfrau, 16, ("p1",), (256, 256)),
    "pnCCD": (lambda e: e.PNCCDGeometry.from_relative_positions(), 2, ("p1",), (1024, 512)),
    "ePix100": (lambda e: e.Epix100Geometry.from_origin(), 4, ("p0",), (384, 352)),
    "generic": (
        lambda e: e.GenericGeometry.from_simple_description(
            1e-4, 20, 30, [np.array([0.01, 0.0, 0.0]), np.array([0.02, 0.0, 1e-3])],
            ss_vec=np.array([0, 1, 0]), fs_vec=np.array([1, 0, 0]),
        ), 2, ("p1",), (30, 20),
    ),
}  # fmt: skip
"""Geometry, and its number of panels, groups of the last one, and pixels of a panel."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MAKERS)
def test_corners_are_those_of_the_tiles(library: Any, name: str) -> None:
    maker, count, groups, pixels = MAKERS[name]
    geometry = maker(library)
    detector = from_extra_geom(geometry, distance=DISTANCE).detector
    assert len(detector) == count
    assert detector.paths[-1] == groups
    for number, module in enumerate(geometry.modules):
        for at, tile in enumerate(module):
            panel = detector[f"p{number}a{at}"]
            assert (panel.n_fast, panel.n_slow) == pixels
            # its own order goes around the tile
            expected = tile.corners()[[0, 1, 3, 2]] + [0.0, 0.0, DISTANCE]
            np.testing.assert_allclose(panel.corners, expected, rtol=0, atol=POSITION)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["AGIPD", "LPD", "JUNGFRAU", "generic"])
def test_pixels_are_where_the_library_has_them(library: Any, name: str) -> None:
    """Middles of pixels, which EXtra-geom computes from its data arrays."""
    geometry = MAKERS[name][0](library)
    found = geometry.get_pixel_positions()
    detector = from_extra_geom(geometry, distance=DISTANCE).detector
    for number, at in ((0, 0), (len(geometry.modules) - 1, len(geometry.modules[0]) - 1)):
        panel = detector[f"p{number}a{at}"]
        slow, fast = geometry._tile_slice(at)
        down, along = np.mgrid[: panel.n_slow, : panel.n_fast] + 0.5
        expected = found[number, slow, fast] + [0.0, 0.0, DISTANCE]
        np.testing.assert_allclose(panel.position(along, down), expected, rtol=0, atol=POSITION)


@pytest.mark.filterwarnings("ignore")
def test_hexagons_are_an_error(library: Any) -> None:
    geometry = library.DSSC_1MGeometry.from_quad_positions([(-130, 5), (-130, -125), (5, -125),
                                                            (5, 5)])  # fmt: skip
    with pytest.raises(ModelError, match="hexagons"):
        from_extra_geom(geometry, distance=DISTANCE)


@pytest.mark.filterwarnings("ignore")
def test_crystfel_file_of_the_library(library: Any, tmp_path: Path) -> None:
    """The file that EXtra-geom writes has the same panels, groups and numbers."""
    file = tmp_path / "agipd.geom"
    geometry = library.AGIPD_1MGeometry.from_quad_positions(AGIPD_QUADRANTS)
    geometry.write_crystfel_geom(file, adu_per_ev=1e-3, clen=DISTANCE, photon_energy=9300)
    expected = read_detector(file)
    for made in (
        from_extra_geom(library.AGIPD_1MGeometry.from_crystfel_geom(file)),
        from_extra_geom(geometry, distance=DISTANCE, wavelength=expected.wavelength),
    ):
        assert made.wavelength == pytest.approx(expected.wavelength, rel=1e-6)
        for group in ("q2", "p7"):
            names = {made.detector[n].name for n in made.detector.group_panels(group)}
            assert names == {
                expected.detector[n].name for n in expected.detector.group_panels(group)
            }
        for panel in made.detector:
            other = expected.detector[panel.name].corners
            # the file has lengths of pixels with few digits
            np.testing.assert_allclose(panel.corners, other, rtol=0, atol=1e-7)
