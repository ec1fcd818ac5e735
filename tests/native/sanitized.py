"""Runs compiled code in a process whose memory is watched; see `test_sanitizers`.

usage: python -m tests.native.sanitized TOOLS
       python -m tests.native.sanitized TOOLS RENDER PRECISION CASE ...
       python -m tests.native.sanitized TOOLS RENDER GRADIENTS
       python -m tests.native.sanitized TOOLS RENDER TOLERANCE
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np

from cupysim.api import from_args
from cupysim.backends.compiled import bands, culled, culled_differentiation
from cupysim.backends.compiled import differentiation as compiled
from cupysim.backends.compiled.host import HostEngine
from cupysim.backends.compiled.host_library import prepare
from cupysim.backends.compiled.variants import Precision
from cupysim.backends.numpy import differentiation as reference
from cupysim.backends.rendered import Observer
from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats import hkl_text
from cupysim.models.tolerance import Tolerance
from cupysim.native import tools
from cupysim.plan.gradient_plan import plan_gradients
from cupysim.plan.planning import make_plan
from tests.native.support import ROOT, render

GOLDEN = ROOT / "tests" / "golden"
LIMITS = {Precision.DOUBLE: 2e-7, Precision.MIXED: 1e-6, Precision.PAIRS: 1e-6}
"""Differences from the C program, of the image's maximum: enough to see that it was rendered."""


def use_tools() -> None:
    """Call every tool with usual and with odd arguments."""
    _read_reflections()
    _draw_photons()
    _reduce_images()
    _draw_pixels()
    _scatter_light()
    _digitise()


def _read_reflections() -> None:
    text = b"# h k l F\n1 2 3 4.5\r\n-1 0 7 1e-30\n\n 5 5 5 1.25E+05\n999999999 1 1 0x1\n1 2 3 4 5"
    whole = text[: text.index(b"9999")]
    assert len(tools.read_reflections(whole, 10)[1]) == 3
    random = np.random.default_rng(1)
    letters = np.frombuffer(b"0123456789+-..eE \t\n\r#x\0\xff", dtype=np.uint8)
    texts = [text[:end] for end in range(len(text))]
    texts += [text[start:] for start in range(len(text))]
    texts += [random.choice(letters, size).tobytes() for size in range(400)]
    texts += [random.bytes(size) for size in range(100)]
    texts += [b"9" * 999, b"1 2 3 " + b"9" * 999, b"1 2 3 1e" + b"9" * 99, b"1 2 3 ." + b"0" * 999]
    texts += [b"\n" * 99, b" " * 99, b"#" * 99, b"1", b"1 ", b"1 2 3 -", b"1 2 3 1e", b"1 2 3 1e-"]
    for some in texts:
        tools.read_reflections(some, 10**6)
    path = Path("reflections.hkl")
    for some in texts[::7]:
        path.write_bytes(some)
        with suppress(FileFormatError):
            hkl_text.read(path)


def _draw_photons() -> None:
    random = np.random.default_rng(2)
    means = np.exp(random.uniform(-9.0, 17.0, 400)).astype(np.float32)
    means[:12] = [0.0, -1.0, -1e30, 12.0, 1e6, 1e7, 3e38, 1e-45, np.inf, -np.inf, 1e20, 11.999999]
    for seed in (-5, 0, 5, -2147483647, 2147483647, -2147483648):
        for count in (0, 1, 12, len(means)):
            state = np.zeros(1, dtype=tools.NOISE_STATE)
            state["seed"] = seed
            assert tools.draw_photons(state, means[:count].copy()).shape == (count,)


def _reduce_images() -> None:
    random = np.random.default_rng(3)
    # each is a block of memory of its own, whose end is watched
    for shape in ((1, 1), (7, 5), (64, 64), (0, 5), (5, 0)):
        image = random.normal(0.0, 1e5, shape).astype(np.float32)
        for region in (image, image[1:, 2:], image[-1:, -1:], image[:0]):
            _, where, _, _ = tools.add_up(region)
            assert where[0] < max(region.shape[0], 1)
            tools.add_deviations(region, 0.5)
            for factor, offset in ((1.0, 40.0), (-1e300, 1e300), (1e300, -1e300), (np.inf, 0.0)):
                tools.scale(region, factor, offset, np.empty(region.shape, dtype=np.uint16))


def _draw_pixels() -> None:
    random = np.random.default_rng(4)
    means = np.exp(random.uniform(-9.0, 17.0, 300)).astype(np.float32)
    means[:12] = [-1.0, -1.0, 0.0, -1e30, 12.0, 1e6, 1e7, 3e38, 1e-45, np.inf, -np.inf, np.nan]
    for seeds in ((-5, 123456789), (0, 0), (5, -7), (-2147483647, -2147483648)):
        for tables in (0, 1):
            state = np.zeros(1, dtype=tools.SHARED_NOISE)
            state["seeds"], state["table_of"][0, 1] = seeds, tables
            for errors in ((0.0, 0.03), (0.1, 0.0), (5.0, 5.0)):
                tools.draw_pixels(state, means, 1.0, *errors, True)
            tools.draw_gaussians(state, 7)


def _scatter_light() -> None:
    random = np.random.default_rng(5)
    for shape in ((1, 1), (1, 70), (70, 1), (33, 130), (9, 9)):
        light = random.poisson(2.0, shape).astype(np.float32)
        light[random.random(shape) > 0.9] = random.choice([50.0, 1e4, 1e9])
        light[0, 0] = np.nan
        for is_fibre, width, given in ((True, 0.3, 0), (True, 2.0, 7), (False, 2.5, 0)):
            reach, lost = tools.find_reach(is_fibre, width, given, max(shape), True, light)
            radius = max(int(reach.max()), 1)
            tools.point_spread(is_fibre, width, radius, 2)
            tools.scatter_light(light, reach, (is_fibre, width, radius), lost, True, 2)


def _digitise() -> None:
    photons = np.array([0.0, -1.0, 1e5, 1e30, -1e30, np.inf, -np.inf, np.nan], dtype=np.float32)
    for kind, largest in ((np.uint16, 65535.0), (np.uint32, 2147483647.0)):
        for deviates in (None, photons[::-1].copy()):
            for flags in ((False, False), (True, True)):
                integers = np.empty(photons.shape, dtype=kind)
                tools.digitise(photons, deviates, (1.3, 0.5, 2.0, largest), *flags, integers)


def render_cases(library: str, precision: Precision, names: list[str]) -> None:
    """Render golden cases and compare them."""
    os.chdir(GOLDEN / "inputs")
    warnings.simplefilter("ignore", CupysimWarning)
    for name in names:
        case = json.loads((GOLDEN / "cases" / name / "case.json").read_text())
        with np.load(GOLDEN / "cases" / name / "float.npz") as arrays:
            expected = arrays["image"].astype(np.float64)
        image = render(Path(library), case["args"], precision)
        assert np.abs(image - expected).max() <= LIMITS[precision] * expected.max(), name
        print(name)


def differentiate(library: str) -> None:
    """Differentiate images with everything, and compare with NumPy's derivatives."""
    warnings.simplefilter("ignore", CupysimWarning)
    common = (
        "-cell 50 60 70 80 95 100 -N 3 -detpixels 9 -pixel 4 -mosaic 1 -mosaic_dom 2 -corrected"
    )
    table = f"-hkl {GOLDEN / 'inputs' / 'orc.hkl'} -nodump"
    names = "misset, cell, n_cells, mosaic_spread, wavelength, distance, rotation, phi"
    for name, words in {
        "constant": "-default_F 10 -round_xtal -detector_abs 90 -detector_thick 100 -water 1",
        "nearest": f"{table} -nointerpolate -gauss_xtal -hdivrange 2 -hdivsteps 2 -roi 1 8 2 7",
        "tricubic": f"{table} -interpolate -oversample 2",
    }.items():
        experiment = from_args(f"{common} -oversample 1 {words} -corrected")
        wanted = names if name == "constant" else f"{names}, structure_factors"
        plan = plan_gradients(experiment, make_plan(experiment), wanted)
        engine = HostEngine(prepare(ctypes.CDLL(library)), Precision.DOUBLE, 1)
        found, expected = (
            compiled.differentiate(plan, Observer(), [engine]),
            reference.differentiate(plan, Observer()),
        )
        for one, other in zip(found.values, expected.values, strict=True):
            assert np.abs(one - other).max() <= 1e-8 * np.abs(other).max()
        plan = plan_gradients(experiment, make_plan(experiment), names)
        tolerance = Tolerance(1e-3 * float(expected.photons.max()))
        within = culled_differentiation.differentiate(plan.within(tolerance), Observer(), [engine])
        assert within.limits is not None
        for one, other, limit in zip(within.values, expected.values, within.limits, strict=True):
            assert np.abs(one - other).max() <= limit + 1e-8 * np.abs(other).max()
        print(name)


def render_within_tolerances(library: str) -> None:
    """Render small images within a tolerance, and compare with exact ones."""
    warnings.simplefilter("ignore", CupysimWarning)
    common = (
        "-cell 50 60 70 80 95 100 -N 20 -lambda 1 -distance 200 -pixel 0.3 -detpixels 37 "
        "-mosaic 0.3 -corrected"
    )
    table = f"-hkl {GOLDEN / 'inputs' / 'orc.hkl'} -nodump"
    engine = HostEngine(prepare(ctypes.CDLL(library)), Precision.DOUBLE, 1)
    for name, words in {
        "constant": "-default_F 10 -gauss_xtal -mosaic_dom 1100 -oversample 1",
        "nearest": f"{table} -nointerpolate -mosaic_dom 3 -oversample 7 -roi 3 30 5 33",
        "tricubic": f"{table} -interpolate -tophat_spots -mosaic_dom 3 -oversample 5 -water 1",
        "layers": (
            f"{table} -gauss_xtal -mosaic_dom 20 -oversample 2 -hdivrange 2 -hdivsteps 2 "
            "-detector_abs 90 -detector_thick 100 -thicksteps 3"
        ),
    }.items():
        exact = make_plan(from_args(f"{common} {words}"))
        image = bands.render(exact, Observer(), [engine], np.zeros(exact.shape, np.float32)).image
        for fraction in (0.0, 1e-4, 1e-1):
            tolerance = fraction * float(image.max())
            plan = exact.with_same_axes(tolerance=Tolerance(tolerance))
            sink = np.zeros(plan.shape, dtype=np.float32)
            found = culled.render(plan, Observer(), [engine], sink).image
            rounding = 1e-6 * image + 1e-9 * image.max()
            assert (np.abs(found - image) <= tolerance + rounding).all(), (name, fraction)
        print(name)


if __name__ == "__main__":
    tools_library, *others = sys.argv[1:]
    tools.load = lambda _: ctypes.CDLL(tools_library)
    assert tools.available()
    if others[1:] == ["GRADIENTS"]:
        differentiate(others[0])
    elif others[1:] == ["TOLERANCE"]:
        render_within_tolerances(others[0])
    elif others:
        render_cases(others[0], Precision[others[1]], others[2:])
    else:
        use_tools()
