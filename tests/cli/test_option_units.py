"""Every option with a unit, all quirks corrected, against the same quantity told in another way.

A row has options, what is measured of the experiment or of its image in SI units, and what it must
be: numbers worked out here, or other options which tell the same.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import gemmi
import numpy as np
import pytest
from scipy import constants
from scipy.spatial.transform import Rotation

from cupysim.api import from_args, simulate
from cupysim.drop_ins.units import Unit
from cupysim.errors import CupysimWarning, OptionError
from cupysim.models.detector import Sensor
from cupysim.models.experiment import Experiment
from cupysim.models.mosaicity import Mosaicity
from cupysim.nanobragg.arguments import scan
from cupysim.nanobragg.option_kinds import Kind, Match, Option
from cupysim.nanobragg.options import OPTIONS
from cupysim.nanobragg.words import UNIT_WORDS
from cupysim.quirks import CORRECTABLE, QuirkWarning
from tests.conftest import INPUTS, Run
from tests.corrected.rendering import experiment_of
from tests.formats.structures import MODEL
from tests.tolerances import FLOAT32_BITS, LAST_BITS

BASE = "-cell 50 60 70 -default_F 10 -N 5 -pixel 2 -detpixels 12 -oversample 1 -nodump"
POINT = "-N 1 -nopolar -pixel 0.1 -detpixels 1"
"""A crystal of one cell, which scatters alike everywhere, and a pixel next to the direct beam."""

FINE = "-distance 20 -pixel 0.4 -detpixels 60"

EVERY = "-corrected"
ALL_BUT_Q10 = "-corrected " + ",".join(f"Q{quirk:d}" for quirk in sorted(CORRECTABLE - {10}))
"""The CUSTOM convention, to which some options belong, is not left where Q10 is corrected."""

CONSTANTS = 2e-6
"""The C program's constants are those of 2006, or have seven digits."""

OFF_AXIS = 1e-5
"""Relative; the pixel of `POINT` is seen 2 mrad from the direct beam."""

IMAGES = 5 * FLOAT32_BITS
"""Quotients and differences of two float32 images."""

GRID = 1e-5
"""gemmi transforms its grid in single precision, and the share is a difference of squares."""

ELECTRON_RADIUS = constants.physical_constants["classical electron radius"][0]


@dataclass(frozen=True)
class Row:
    """Options, what is measured, and what it must be; a text is other options."""

    words: str
    measured: Callable[[Experiment], Any]
    expected: Any
    tolerance: float = LAST_BITS
    corrected: str = EVERY


def experiment(words: str, corrected: str = EVERY) -> Experiment:
    return experiment_of(f"{BASE} {words} {corrected}")


def image(shot: Experiment) -> np.ndarray:
    return simulate(shot, "numpy").array.astype(np.float64)


STOL = f"-stol {INPUTS / 'amorph.stol'}"


def matter(name: str) -> Callable[[Experiment], float]:
    """A number of the amorphous matter."""
    return lambda shot: getattr(shot.backgrounds[0], name)


def photons(shot: Experiment) -> float:
    """In the only pixel of `POINT`, over its solid angle."""
    return float(image(shot)[0, 0]) / solid_angle(shot)


def solid_angle(shot: Experiment) -> float:
    """Of the only pixel of `POINT`, from its centre."""
    panel, edge = shot.geometry, shot.detector.pixel_size
    centre = panel.origin + edge / 2 * (panel.fast + panel.slow)
    return edge**2 * float(centre @ panel.normal) / float(np.linalg.norm(centre)) ** 3


def captured(shot: Experiment) -> float:
    """What the sensor absorbs of the photons which fall on `POINT`."""
    bare = replace(shot.detector, sensor=Sensor())
    return float(image(shot)[0, 0] / image(replace(shot, detector=bare))[0, 0])


def background(shot: Experiment) -> float:
    """What water scatters into a steradian."""
    return photons(shot) - photons(experiment(POINT))


def resolved(shot: Experiment) -> np.ndarray:
    """Pixels with photons."""
    return image(shot) > 0.0


def finer_than(limit: float) -> np.ndarray:
    """Pixels of FINE whose resolution is within a limit (m)."""
    panel = experiment(FINE).geometry
    centres = 4e-4 * (np.arange(60) + 0.5)
    places = panel.origin + centres[:, None, None] * panel.slow + centres[:, None] * panel.fast
    twotheta = np.arccos(places[..., 0] / np.linalg.norm(places, axis=-1))
    resolution = 1e-10 / (2 * np.sin(twotheta / 2))
    assert 0.1 < (resolution > limit).mean() < 0.9
    return resolution > limit


def directions(shot: Experiment) -> list[list[float]]:
    """Angles of the sources (rad) towards the electric field and across, in order."""
    incident = np.arcsin(shot.sources.incident)
    return [sorted(incident[:, 2].tolist()), sorted(incident[:, 1].tolist())]


def metric(shot: Experiment) -> np.ndarray:
    """Scalar products of the cell vectors (m^2)."""
    return shot.oriented.direct @ shot.oriented.direct.T


def panel_origin(shot: Experiment) -> np.ndarray:
    return shot.geometry.origin


def turned(axis: tuple[int, int, int], vector: tuple[int, int, int]) -> np.ndarray:
    """A vector after a turn by 10 degrees."""
    return Rotation.from_rotvec(np.multiply(axis, 10.0), degrees=True).apply(vector)


def solvent(shot: Experiment) -> float:
    """|F| of the solvent's mask in one reflection, from amplitudes with 0, 1 and 2 times of it.

    |A + kM|^2 has the second difference 2 k^2 |M|^2, whatever the atoms A are.
    """
    hkl = (1, 1, 1)
    table, first = shot.structure_factors.table, shot.structure_factors.first
    assert table is not None
    return float(table[tuple(np.subtract(hkl, first))])


@cache
def solvent_of_the_mask() -> tuple[float, float]:
    """|F| of reflection 1 1 1 of one electron/A^3 in the solvent, and its 1/d^2 (1/A^2)."""
    model, grid = gemmi.read_structure(str(MODEL)), gemmi.FloatGrid()
    grid.setup_from(model, spacing=0.6)
    gemmi.SolventMasker(gemmi.AtomicRadiiSet.Refmac).put_mask_on_float_grid(grid, model[0])
    mask = np.array(grid, copy=True)
    wave = abs(np.fft.fftn(mask)[1, 1, 1]) * model.cell.volume / mask.size
    return float(wave), sum(1 / edge**2 for edge in model.cell.parameters[:3])


def second_difference(density: float, b_factor: float) -> Callable[[Experiment], float]:
    # its own cell: in another one, the model would stand alone
    words = f"-pdb {MODEL} -cell 34.77 39.17 48.31 -dmin 9"

    def measured(_: Experiment) -> float:
        squares = [
            solvent(experiment(f"{words} -k_sol {density * n} -b_sol {b_factor}")) ** 2
            for n in range(3)
        ]
        return math.sqrt((squares[2] - 2 * squares[1] + squares[0]) / 2)

    return measured


def solvent_row(density: float, b_factor: float) -> Row:
    wave, inverse_d2 = solvent_of_the_mask()
    expected = density * wave * math.exp(-b_factor * inverse_d2 / 4)
    return Row("", second_difference(density, b_factor), expected, GRID)


SCATTERED = {
    "fluence": lambda shot: photons(shot) / 100.0,
    "amplitude": lambda shot: math.sqrt(photons(shot)),
}
"""Of one cell with F = 10: photons which an electron scatters into a steradian; and the amplitude
at the default fluence, which makes the former one."""

WATER_MOLECULES = (10e-6) ** 3 * 1e6 / 18.0 * constants.Avogadro
"""Of a cube of 10 um: 1e6 g/m^3, 18 g/mol."""

DOMAINS = Mosaicity.draw(math.radians(2.0), 40)

ROWS: dict[str, list[Row]] = {
    "-cell": [
        Row("-cell 50 60 70 80 95 100", metric, 1e-20 * np.array([
            [50 * 50, 50 * 60 * np.cos(np.radians(100)), 50 * 70 * np.cos(np.radians(95))],
            [50 * 60 * np.cos(np.radians(100)), 60 * 60, 60 * 70 * np.cos(np.radians(80))],
            [50 * 70 * np.cos(np.radians(95)), 60 * 70 * np.cos(np.radians(80)), 70 * 70],
        ])),
    ],
    "-misset": [
        Row("-misset 10 -20 30", lambda e: e.oriented.direct,
            Rotation.from_euler("xyz", [10, -20, 30], degrees=True).apply(
                1e-10 * np.diag([50, 60, 70]))),
    ],
    # 80 x 50, 67 x 60, 58 x 70 Angstrom are the first to fill 0.4 um
    "-samplesize": [
        Row("-samplesize 0.0004", lambda e: e.cell_counts, (80, 67, 58)),
        Row("-samplesize 0.0004 -N 5", lambda e: e.crystal_size, "-Na 80 -Nb 67 -Nc 58"),
    ],
    "-sample_thick": [Row("-sample_thick 0.0004", lambda e: e.cell_counts, (80, 5, 5))],
    "-sample_width": [Row("-sample_width 0.0004", lambda e: e.cell_counts, (5, 67, 5))],
    "-sample_heigh": [Row("-sample_heigh 0.0004", lambda e: e.cell_counts, (5, 5, 58))],
    "-density": [
        Row("-density 3", image, ""), Row(f"{STOL} -density 3", matter("density"), 3e6)
    ],
    "-MW": [Row("-MW 3", image, ""), Row(f"{STOL} -MW 3", matter("molar_mass"), 3)],
    "-molec": [Row("-molec 3", image, ""), Row(f"{STOL} -molec 3", matter("molar_mass"), 3)],
    # MOSFLM adds half a pixel; XDS counts pixels of 2 mm from 0.5
    "-Xbeam": [
        Row("-Xbeam 13", lambda e: e.geometry.beam_slow, 0.014),
        Row("-denzo -Xbeam 13", lambda e: e.geometry.beam_slow, "-xds -ORGY 7"),
        Row("-adxv -Xbeam 13", lambda e: e.geometry.beam_fast, "-xds -ORGX 7"),
    ],
    "-Ybeam": [
        Row("-Ybeam 13", lambda e: e.geometry.beam_fast, 0.014),
        Row("-denzo -Ybeam 13", lambda e: e.geometry.beam_fast, "-xds -ORGX 7"),
        # counted from the other edge of 24 mm
        Row("-adxv -Ybeam 13", lambda e: e.geometry.beam_slow, "-xds -ORGY 6"),
    ],
    "-Xclose": [
        Row("-beam_vector 1 0 0 -Xclose 13", panel_origin, "-beam_vector 1 0 0 -ORGX 7",
            corrected=ALL_BUT_Q10),
        Row("-beam_vector 1 0 0 -Xclose 13", panel_origin, (0.1, 0.012, -0.013),
            corrected=ALL_BUT_Q10),
    ],
    "-Yclose": [
        Row("-beam_vector 1 0 0 -Yclose 13", panel_origin, "-beam_vector 1 0 0 -ORGY 7",
            corrected=ALL_BUT_Q10),
        Row("-beam_vector 1 0 0 -Yclose 13", panel_origin, (0.1, 0.013, -0.012),
            corrected=ALL_BUT_Q10),
    ],
    "-ORGX": [Row("-xds -ORGX 7", panel_origin, (-0.013, -0.012, 0.1))],
    "-ORGY": [Row("-xds -ORGY 7", panel_origin, (-0.012, -0.013, 0.1))],
    "-pix0_vector": [
        Row("-pix0_vector 0.2 0.003 -0.004", panel_origin, (0.2, 0.003, -0.004)),
        Row("-pix0_vector_mm 20 -1.6 1.6", panel_origin, (0.02, -0.0016, 0.0016)),
        Row("-pix0_vector 0.15 0.014 -0.014", image, "-distance 150 -Xbeam 13 -Ybeam 13", IMAGES),
    ],
    "-distance": [
        Row("-distance 150", lambda e: panel_origin(e)[0], 0.15),
        Row("-distance 150", image, "-close_distance 150"),
    ],
    "-close_distance": [Row("-close_distance 150", lambda e: panel_origin(e)[0], 0.15)],
    "-detector_abs": [
        Row(f"{POINT} -detector_thick 100 -detector_abs {depth} -thicksteps 1", captured,
            1 - math.exp(-100 / depth), OFF_AXIS)
        for depth in (40, 90)
    ],
    "-detector_thick": [
        Row(f"{POINT} -detector_thick {thick} -detector_abs 90 -thicksteps 1", captured,
            1 - math.exp(-thick / 90), OFF_AXIS)
        for thick in (40, 100)
    ],
    "-twotheta": [
        Row("-twotheta 10", lambda e: e.geometry.normal, turned((0, 0, -1), (1, 0, 0)))
    ],
    "-detector_rotx": [
        Row("-detector_rotx 10", lambda e: e.geometry.slow, turned((1, 0, 0), (0, -1, 0)))
    ],
    "-detector_roty": [
        Row("-detector_roty 10", lambda e: e.geometry.fast, turned((0, 1, 0), (0, 0, 1)))
    ],
    "-detector_rotz": [
        Row("-detector_rotz 10", lambda e: e.geometry.slow, turned((0, 0, 1), (0, -1, 0)))
    ],
    "-detsize": [Row("-detpixels 0 -detsize 30", image, "-detpixels 15")],
    "-detsize_f": [Row("-detpixels_f 0 -detsize_f 30", image, "-detpixels_f 15")],
    "-detsize_s": [Row("-detpixels_s 0 -detsize_s 30", image, "-detpixels_s 15")],
    "-pixel": [
        Row("-pixel 0.5", lambda e: e.detector.pixel_size, 0.0005),
        Row("-pixel 0.5", image, "-pixel 0.5 -detpixels 0 -detsize 6"),
    ],
    "-lambda": [Row("-lambda 1.5", lambda e: e.sources.wavelengths, [1.5e-10])],
    "-energy": [
        Row("-energy 12000", lambda e: e.sources.wavelengths,
            [constants.h * constants.c / (12000 * constants.e)], CONSTANTS),
        Row("-energy 12000", image, f"-lambda {12398.42 / 12000!r}"),
    ],
    "-fluence": [
        Row(f"{POINT} -fluence 1e24", SCATTERED["fluence"], ELECTRON_RADIUS**2 * 1e24, CONSTANTS),
    ],
    # 1e12/s for 0.01 s through 0.05 mm x 0.05 mm
    "-flux": [
        Row("-flux 1e12 -exposure 0.01 -beamsize 0.05", image, "-fluence 4e18", IMAGES),
    ],
    "-exposure": [
        Row("-flux 1e12 -exposure 0.01 -beamsize 0.05", lambda e: e.beam.fluence, 4e18),
    ],
    "-beamsize": [
        Row("-flux 1e12 -exposure 0.01 -beamsize 0.05", lambda e: e.beam.fluence, 4e18),
        # it clips what is wider
        Row("-beamsize 0.0004 -samplesize 0.0008", lambda e: e.cell_counts, (160, 67, 58)),
    ],
    "-mosaic": [
        Row("-mosaic 2 -mosaic_dom 40", lambda e: e.crystal.mosaicity.rotations, DOMAINS.rotations),
    ],
    "-mosaici": [
        Row("-mosaici 2 -mosaic_dom 40", lambda e: e.crystal.mosaicity.rotations,
            DOMAINS.rotations),
    ],
    "-spread_edges": [
        Row("-mosaic_dom 4 -spread_edges 2 1 3", lambda e: e.crystal.cell_spreads,
            [0.02, 0.01, 0.03]),
    ],
    "-image_dose": [
        Row("-decay 20,1 -image_dose 3", lambda e: e.decay.dose, 3e6)
    ],
    "-dose_before": [
        Row("-decay 20,1 -image_dose 3 -dose_before 2", lambda e: e.decay.dose_before, 2e6)
    ],
    "-body_position": [
        Row("-body box,1,1,1 -body_position 1 2 -3", lambda e: e.body.position,
            [1e-3, 2e-3, -3e-3])
    ],
    "-size_spread": [Row("-size_spread 20", lambda e: e.crystal.sizes.spread, 0.2)],
    "-beamstop": [
        Row("-beamstop 20 4", lambda e: [e.attenuators[0].distance, e.attenuators[0].diameter],
            [0.02, 0.004]),
    ],
    "-convergence": [
        Row("-convergence 5", lambda _: scan(["-convergence", "5"])[0]["convergence"], 0.05)
    ],
    "-amorphous_thick": [
        Row(f"{STOL} -amorphous_thick 0.3", matter("thickness"), 3e-4)
    ],
    "-spread_abc": [
        Row("-domain_model normal -spread_abc 2 1 3", lambda e: e.crystal.mosaicity.spreads,
            np.radians([2, 1, 3])),
    ],
    "-spread_off_diagonal": [
        Row("-domain_model normal -spread_abc 2 1 3 -spread_off_diagonal 0.1 0.2 0.3",
            lambda e: e.crystal.mosaicity.spreads[3:], np.radians([0.1, 0.2, 0.3])),
    ],
    "-diffuse_gamma": [
        Row("-diffuse_sigma 1 1 1 -diffuse_gamma 20 30 40", lambda e: e.crystal.diffuse.gamma,
            [2e-9, 3e-9, 4e-9]),
    ],
    "-diffuse_sigma": [
        Row("-diffuse_gamma 20 20 20 -diffuse_sigma 0.2 0.3 0.4",
            lambda e: e.crystal.diffuse.sigma, [2e-11, 3e-11, 4e-11]),
    ],
    "-dispersion": [
        Row("-dispersion 2 -dispsteps 3", lambda e: e.sources.wavelengths,
            [0.99e-10, 1e-10, 1.01e-10]),
    ],
    "-divergence": [
        Row("-divergence 2 -divsteps 3", directions, [[-1e-3, 0, 0, 0, 1e-3]] * 2, CONSTANTS)
    ],
    "-hdivrange": [
        Row("-hdivrange 2 -hdivsteps 3", directions, [[-1e-3, 0, 1e-3], [0] * 3], CONSTANTS)
    ],
    "-vdivrange": [
        Row("-vdivrange 2 -vdivsteps 3", directions, [[0] * 3, [-1e-3, 0, 1e-3]], CONSTANTS)
    ],
    "-hdivstep": [
        Row("-hdivstep 1 -hdivsteps 3", directions, [[-1e-3, 0, 1e-3], [0] * 3], CONSTANTS)
    ],
    "-vdivstep": [
        Row("-vdivstep 1 -vdivsteps 3", directions, [[0] * 3, [-1e-3, 0, 1e-3]], CONSTANTS)
    ],
    # the spindle is along z
    "-phi": [
        Row("-phi 4", lambda e: e.spindle_angles, np.radians([4])),
        Row("-phi 4", image, "-misset 0 0 4", IMAGES),
    ],
    "-osc": [
        Row("-phi 1 -osc 4 -phisteps 4", lambda e: e.scan.beginnings, np.radians([1, 2, 3, 4]))
    ],
    "-phistep": [
        Row("-phi 1 -phistep 1 -phisteps 4", lambda e: e.scan.beginnings, np.radians([1, 2, 3, 4]))
    ],
    "-dmin": [Row(f"{FINE} -dmin 2.5", resolved, finer_than(2.5e-10))],
    "-default_F": [
        Row(f"{POINT} -default_F 7", SCATTERED["amplitude"], 7, CONSTANTS),
        Row("-default_F 7", lambda e: e.structure_factors.default, 7),
    ],
    "-k_sol": [solvent_row(0.3, 0.0), solvent_row(0.4, 0.0)],
    "-b_sol": [solvent_row(0.35, 1000.0)],
    "-water": [
        Row(f"{POINT} -water 10", background, 2.57**2 * WATER_MOLECULES, CONSTANTS),
        Row("-water 10", lambda e: e.water.size, 10e-6),
    ],
}  # fmt: skip
"""By the option's name, as in the help."""

MEASURES = [option for option in OPTIONS if option.unit.name]

SIZES = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    "cm": constants.centi, "mm": constants.milli, "nm": constants.nano, "pm": constants.pico,
    **dict.fromkeys(("um", "\u00b5m", "\u03bcm", "micron", "microns"), constants.micron),
    **dict.fromkeys(("A", "Ang", "angstrom", "angstroms"), constants.angstrom),
    **dict.fromkeys(("rad", "radian", "radians"), 1.0), "mrad": 1e-3, "urad": 1e-6,
    **dict.fromkeys(("deg", "degree", "degrees"), constants.degree),
    "arcmin": constants.arcminute, "arcsec": constants.arcsecond,
    "eV": constants.eV, "keV": constants.kilo * constants.eV, "MeV": constants.mega * constants.eV,
    "Gy": 1.0, "kGy": constants.kilo, "MGy": constants.mega,
    "s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15,
    "percent": 0.01, "%": 0.01,
    **dict.fromkeys(("pixels", "pixel", "px", "electrons"), 1.0),
    "m2": 1.0, "cm2": 1e4, "mm2": 1e6, "um2": 1e12, "photons/m^2": 1.0, "photons/s": 1.0,
    "A, deg": constants.angstrom,
}  # fmt: skip
"""Of all words for units, in SI units; densities on an area by what the area is."""

NAMED = [
    (option, word)
    for option in MEASURES
    for word in option.unit.kin
    # others are names in the help, which nobody writes behind an option
    if word.isalnum()
]


def cases(table: dict[str, list[Row]]) -> list[Any]:
    return [
        pytest.param(row, id=f"{name}: {row.words[:60]}{n}")
        for name, rows in table.items()
        for n, row in enumerate(rows)
    ]


def test_every_option_with_a_unit_has_a_row() -> None:
    assert {option.name for option in MEASURES} == set(ROWS)
    assert all(ROWS.values())


@pytest.mark.parametrize("row", cases(ROWS))
def test_a_quantity_is_what_its_unit_says(row: Row) -> None:
    measured = np.asarray(row.measured(experiment(row.words, row.corrected)), dtype=np.float64)
    expected = row.expected
    if isinstance(expected, str):
        expected = row.measured(experiment(expected, row.corrected))
    expected = np.asarray(expected, dtype=np.float64)
    smallest = row.tolerance * np.abs(expected).max()
    np.testing.assert_allclose(measured, expected, rtol=row.tolerance, atol=smallest)


def test_the_spread_is_the_largest_angle() -> None:
    angles = Rotation.from_matrix(DOMAINS.rotations).magnitude()
    assert math.radians(1.9) < angles.max() <= math.radians(2.0)


def test_a_near_point_has_no_effect_outside_of_custom_and_this_is_told() -> None:
    with pytest.warns(QuirkWarning, match="Q9: -Xclose, -Yclose: no effect"):
        shot = from_args(f"{BASE} -Xclose 13 -Yclose 13 {EVERY}")
    np.testing.assert_array_equal(panel_origin(shot), panel_origin(experiment("")))


def test_python_has_the_origin_in_metres() -> None:
    """The same panel from millimetres, metres and Python."""
    base = experiment("")
    origin = (0.02, -0.0016, 0.0016)
    python = replace(base, detector=replace(base.detector, origin=origin))
    told = [
        experiment(w) for w in ("-pix0_vector_mm 20 -1.6 1.6", "-pix0_vector 0.02 -.0016 .0016")
    ]
    for shot in told:
        np.testing.assert_array_equal(image(shot), image(python))
    assert not np.allclose(image(python), image(base))


def read(words: str) -> tuple[dict[str, Any], list[str]]:
    """Values and warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CupysimWarning)
        given, _ = scan(words.split())
    given.pop("corrected", None)
    return given, [str(each.message) for each in caught]


def values(option: Option, number: float) -> str:
    """The number, as often as the option wants it."""
    return " ".join([repr(number)] * option.count)


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, list | float):
            np.testing.assert_allclose(value, other[name], rtol=LAST_BITS)
        else:
            assert value == other[name]


@pytest.mark.parametrize("option", MEASURES, ids=lambda option: option.name)
def test_all_spellings_have_the_same_unit(option: Option) -> None:
    (first, *_), *others = (read(f"{name} {values(option, 7.0)}") for name in option.spellings)
    for given, _ in others:
        assert given == first


@pytest.mark.parametrize(("option", "word"), NAMED, ids=lambda value: getattr(value, "name", value))
class TestUnitsInNames:
    """`-distance_m 0.1` and the like."""

    def own(self, option: Option, word: str) -> str:
        """The option with 1.25 of the named units, in its own."""
        own = "A" if option.name == "-cell" else option.unit.name
        number = 1.25 * SIZES[word] / SIZES[own]
        return f"{option.name} {values(option, number)}"

    def test_they_count_where_q51_is_corrected(self, option: Option, word: str) -> None:
        given, told = read(f"{option.name}_{word} {values(option, 1.25)} -corrected Q51")
        plain, expected = read(f"{self.own(option, word)} -corrected Q51")
        assert_same(given, plain)
        assert told == expected

    def test_they_do_not_count_for_the_c_program(self, option: Option, word: str) -> None:
        words = f"{option.name}_{word} {values(option, 1.25)}"
        if option.match is not Match.SUBSTRING:
            with pytest.raises(OptionError, match=r"unknown option; .* is in"):
                read(words)
            return
        given, told = read(words)
        plain, _ = read(f"{option.name} {values(option, 1.25)}")
        if option.name == "-pix0_vector":
            # it does not use the numbers
            plain, _ = read(self.own(option, word))
        assert_same(given, plain)
        own = option.name == "-cell" or SIZES[word] == SIZES[option.unit.name]
        warned = [text for text in told if text.startswith("Q51: ")]
        assert bool(warned) == (not own and option.name != "-pix0_vector"), told
        expected = f", in {option.unit.name}; -corrected Q51 corrects it"
        assert all(expected in text for text in warned)


def test_all_words_for_units_are_tried() -> None:
    assert set(SIZES) == UNIT_WORDS
    assert {word for _, word in NAMED} >= {word for word in UNIT_WORDS if word.isalnum()}


def foreign(unit: Unit) -> str:
    """A unit of another kind."""
    return "deg" if "mm" in unit.kin else "mm"


NUMBERS = [o for o in OPTIONS if o.kind in (Kind.FLOAT, Kind.INTEGER, Kind.SEED)]


@pytest.mark.parametrize("option", NUMBERS, ids=lambda option: option.name)
def test_units_of_another_kind_are_errors_or_told(option: Option) -> None:
    unit = foreign(option.unit)
    words = f"{option.name}_{unit} {values(option, 3)}"
    with pytest.raises(OptionError, match=f"{unit} is not a unit|{unit} is a unit|unknown option"):
        read(f"{words} {EVERY}")
    if option.match is not Match.SUBSTRING:
        with pytest.raises(OptionError, match="unknown option"):
            read(words)
        return
    if option.name == "-misset_seed":
        # the C program finds -misset in it too, which wants three numbers (Q2)
        return
    given, told = read(words)
    assert_same(given, read(f"{option.name} {values(option, 3)}")[0])
    meaning = f"in {option.unit.name}" if option.unit.name else "which has no unit"
    assert f"Q51: {option.name}_{unit} is read as {option.name}, {meaning}" in told


TOLD = [
    # the option's own unit, and words around it
    ("-distance_mm 100", ("distance", 0.1), []),
    ("-distance_in_mm 100", ("distance", 0.1), []),
    ("-distancemm 100 -corrected", ("distance", 0.1), []),
    ("--distance_m 0.1 -corrected", ("distance", 0.1), []),
    ("-fluence_per_um2 1e12 -corrected", ("fluence", 1e24), []),
    ("-oscillation 9", ("oscillation", math.radians(9)),
     ["'-oscillation' is read as -osc, in deg"]),
    ("-distances 100 -corrected", ("distance", 0.1), ["'-distances' is read as -distance, in mm"]),
    ("-distance_ 100", ("distance", 0.1), ["'-distance_' is read as -distance, in mm"]),
    ("-sample_thickness_um 5 -corrected", ("sample_x", 5e-6),
     ["'-sample_thickness_um' is read as -sample_thick, in um"]),
    ("-sample_thickness_um 5", ("sample_x", 5e-3),
     ["Q51: -sample_thickness_um is read as -sample_thick, in mm; -corrected Q51 corrects it"]),
    ("-distance_m_mm 5", ("distance", 5e-3), ["Q51: -distance_m_mm is read as -distance, in mm"]),
    ("-imgfile_mm x", ("image_file", "x"), ["'-imgfile_mm' is read as -img"]),
    # the C program does not use these numbers
    ("-pix0_vector_mm 1 2 3", ("pix0_vector", [1e-3, 2e-3, 3e-3]), []),
    ("-pix0_vector_mm 1 2 3 -corrected Q11", ("pix0_vector", [1e-3, 2e-3, 3e-3]), []),
    ("-misset_rad random -corrected", ("misset", "random"), []),
    ("-detector_abs_mm inf -corrected", ("attenuation", 0.0), []),
]  # fmt: skip


@pytest.mark.parametrize(("words", "value", "told"), TOLD, ids=[row[0] for row in TOLD])
def test_what_is_told_of_units(words: str, value: tuple[str, Any], told: list[str]) -> None:
    given, messages = read(words)
    name, expected = value
    assert given[name] == (
        expected if isinstance(expected, str) else pytest.approx(expected, rel=LAST_BITS)
    )
    assert messages == told


ERRORS = {
    "-distance_deg 100 -corrected": "-distance_deg: deg is not a unit of -distance, which is in mm",
    "-pixel_m_mm 1 -corrected": "-pixel_m_mm: m_mm is not a unit of -pixel, which is in mm",
    "-ORGX_mm 3 -corrected": "-ORGX_mm: mm is not a unit of -ORGX, which is in pixels",
    "-cell_nm 5 -corrected": "-cell_nm: nm is not a unit of -cell, which is in A, deg",
    # milli or mega
    "-energy_meV 5 -corrected": "-energy_meV: meV is not a unit of -energy, which is in eV",
    "-roi_mm 1 2 3 4 -corrected": "-roi_mm: mm is a unit; -roi has none",
    "-phi_rad 1": "-phi_rad: unknown option; -phi is in deg; with -corrected Q51 it may be in rad",
    "-detsize_px 9": "-detsize_px: unknown option; -detsize is in mm",
    "-detsize_px 9 -corrected": "-detsize_px: unknown option; -detsize is in mm",
    "-distance_m 0 -corrected": "-distance_m: must not be zero, got 0",
}


@pytest.mark.parametrize("words", ERRORS)
def test_wrong_units(words: str, run: Run) -> None:
    outcome = run(f"-cell 50 -default_F 9 -detpixels 4 {words}")
    assert outcome.status == 9
    assert outcome.err == f"cupysim: error: {ERRORS[words]}\n"
    assert outcome.files == {}
