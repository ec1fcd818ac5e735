"""The recipes of CONTRIBUTING.md are complete: by them alone, toys are added to a copy of the sources."""

# ruff: noqa: E501   (texts are quoted as they stand in files)

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.native.support import COMPILER, ROOT, SOURCES, make_compiler, needs_compiler

MOST_PLACES = {
    "A spot shape": 5, "A weight of all terms": 6, "A free parameter": 2, "A background": 3,
}  # fmt: skip

Edit = tuple[str, str]
"""A text of a file, and what it becomes; text is added at the end where the first is empty."""

LORENTZ: dict[str, list[Edit]] = {
    "cupysim/models/spot_shape.py": [
        ('    SQUARE = "square"\n', '    SQUARE = "square"\n    LORENTZ = "lorentz"\n'),
    ],
    "cupysim/maths/lattice_factor.py": [
        ("", """

def lorentz(offsets: Offsets, n_cells: Array, fudge: float) -> Array:
    squared = sum((offset * n) ** 2 for offset, n in zip(offsets, n_cells, strict=True))
    na, nb, nc = n_cells
    return na * nb * nc / (1.0 + squared / GAUSS_WIDTH * fudge)


def lorentz_slopes(offsets: Offsets, n_cells: Array, fudge: float) -> Slopes:
    return _radial_slopes(_lorentz_profile, offsets, n_cells, fudge)


def _lorentz_profile(radius_squared: Array, fudge: float) -> tuple[Array, Array]:
    below = 1.0 + radius_squared / GAUSS_WIDTH * fudge
    return below**-2, -2.0 * below**-3 * fudge / GAUSS_WIDTH
"""),
    ],
    "cupysim/maths/spot_profiles.py": [
        ("", """

def lorentz_section(projections, zeta, n_cells, cell_volume, fudge):
    core = GAUSS_WIDTH / fudge
    length = np.sqrt(((projections / n_cells) ** 2).sum(axis=1))
    height = np.prod(n_cells) / cell_volume * np.pi * core / length
    return height / (1.0 + (zeta / length) ** 2 / core)
"""),
    ],
    "cupysim/plan/spot_shapes.py": [
        ("    Shape.TOPHAT: SpotShape(", """    Shape.LORENTZ: SpotShape(
        Measure.OFFSETS,
        lambda offsets, size: lattice_factor.lorentz(offsets, size.n_cells, size.fudge),
        spot_profiles.lorentz_section,
        lambda offsets, size: lattice_factor.lorentz_slopes(offsets, size.n_cells, size.fudge),
    ),
    Shape.TOPHAT: SpotShape("""),
    ],
    "cuda_src/spot_shapes.cuh": [
        ("SHAPE(TOPHAT)", "SHAPE(LORENTZ) SHAPE(TOPHAT)"),
        ("// Top-hat spots:", """template <>
struct SpotShape<LORENTZ> {
    static constexpr bool HAS_DERIVATIVES = true, IS_WIDE = false, ALWAYS_DOUBLE = false;
    static constexpr int N_SIZES = 3;

    template <class Policy>
    static CUPYSIM_FUNCTION typename Policy::Real squared(const CrystalConstants<Policy>& crystal,
                                                          Triple<typename Policy::Offset> offsets) {
        using Real = typename Policy::Real;
        const auto scaled = multiply(radius_squared(crystal, offsets), crystal.fudge);
        const Real y = Narrow<Real>::of(scaled) * Real(1.0 / GAUSS_WIDTH);
        const Real amplitude = crystal.volume * reciprocal(Real(1) + y);
        return amplitude * amplitude;
    }

    template <class Policy>
    static CUPYSIM_FUNCTION bool vanishes(const CrystalConstants<Policy>&, Triple<typename Policy::Offset>) {
        return false;
    }

    static CUPYSIM_FUNCTION void derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                             LatticeDerivatives& lattice) {
        const double per_radius = crystal.fudge / GAUSS_WIDTH;
        const double inverse = reciprocal(1.0 + per_radius * radius_squared(crystal, offsets));
        const double value = crystal.volume * crystal.volume * inverse * inverse;
        radial_derivatives(crystal, offsets, i, value, -2.0 * value * inverse * per_radius, lattice);
    }

    static CUPYSIM_FUNCTION void size_derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets,
                                                  int i, LatticeDerivatives& lattice) {
        radial_size_derivatives(crystal, offsets, i, lattice);
    }
};

// Top-hat spots:"""),
    ],
}  # fmt: skip

AIR: dict[str, list[Edit]] = {
    "cupysim/models/detector.py": [
        ("    point_pixel: bool = False\n", "    point_pixel: bool = False\n    air: float = 0.0\n"),
    ],
    "cupysim/plan/render_plan.py": [
        ("    absorbs_all: bool\n", "    absorbs_all: bool\n    air_attenuation: float\n"),
    ],
    "cupysim/plan/planning.py": [
        ("        absorbs_all=sensor.layers.range == 0.0,\n",
         "        absorbs_all=sensor.layers.range == 0.0,\n        air_attenuation=detector.air,\n"),
    ],
    "cupysim/plan/weights.py": [
        ("    return np.full_like(path.airpath, brightness), np.zeros_like(path.airpath)\n",
         "    mu = plan.panels.air_attenuation\n"
         "    return brightness * np.exp(-mu * path.airpath), np.full_like(path.airpath, -mu)\n"),
    ],
    "cuda_src/launch.cuh": [
        ("    Int absorbs_all;\n", "    Int absorbs_all;\n    double air_attenuation;\n"),
    ],
    "cuda_src/weights.cuh": [
        ("term_weight(const Launch&, const PixelBlock&, const Source& source, int)",
         "term_weight(const Launch& launch, const PixelBlock& pixels, const Source& source, int i)"),
        ("    return source.weight;",
         "    return source.weight * exp_minus(launch.air_attenuation * pixels.airpath[i]);"),
        ("    found.airpath = (point - 3.0) * total;",
         "    found.airpath = (point - 3.0 - launch.air_attenuation * pixels.airpath[i]) * total;"),
    ],
}  # fmt: skip

LOG_FLUENCE: dict[str, list[Edit]] = {
    "cupysim/models/parameters.py": [
        ('    "scale": Parameter(',
         '    "log_fluence": Parameter("", "", 1.0, Limit(9.0)),\n    "scale": Parameter('),
        ('        "scale": 1.0,', '        "log_fluence": math.log(beam.fluence),\n        "scale": 1.0,'),
        ('    if name == "phi":\n', """    if name == "log_fluence":
        return replace(experiment, beam=replace(beam, fluence=beam.fluence * math.exp(by)))
    if name == "phi":
"""),
    ],
    "cupysim/plan/gradient_rows.py": [
        ('    rows["scale"][PHOTONS] = 1.0\n',
         '    rows["scale"][PHOTONS] = 1.0\n    rows["log_fluence"][PHOTONS] = 1.0\n'),
    ],
}  # fmt: skip

GLASS: dict[str, list[Edit]] = {
    "cupysim/models/background.py": [
        ("@dataclass(frozen=True)\nclass Water:", """@dataclass(frozen=True)
class Glass:
    squared_amplitude: float = 0.0


@dataclass(frozen=True)
class Water:"""),
    ],
    "cupysim/models/experiment.py": [
        ("import Amorphous, Water", "import Amorphous, Glass, Water"),
        ("    water: Water = field(default_factory=Water)\n",
         "    water: Water = field(default_factory=Water)\n    glass: Glass = field(default_factory=Glass)\n"),
    ],
    "cupysim/plan/planning.py": [
        ("        return water.squared_amplitude * experiment.n_steps\n",
         "        glass = experiment.glass.squared_amplitude\n"
         "        return (water.squared_amplitude + glass) * experiment.n_steps\n"),
    ],
}  # fmt: skip

TOYS = dict(zip(MOST_PLACES, (LORENTZ, AIR, LOG_FLUENCE, GLASS), strict=True))

PROGRAM = """
import sys
from dataclasses import replace
import numpy as np
import cupysim
from cupysim.formats.nexus import read
from cupysim.models.background import Glass
from cupysim.models.spot_shape import Shape
from cupysim.models.parameters import changed
from cupysim.plan.planning import make_plan
from cupysim.prediction.spots import predict_spots

start = cupysim.from_args(
    "-cell 50 60 70 80 95 100 -misset 12 7 33 -N 4 -default_F 10 -lambda 1 -distance 80 "
    "-detpixels 24 -pixel 3 -oversample 2 -corrected"
)
shaped = replace(start, crystal=replace(start.crystal, shape=Shape.LORENTZ))
glassy = replace(start, glass=Glass(1e6))
airy = replace(shaped, detector=replace(shaped.detector, air=9.0))
names = "misset, distance, n_cells, log_fluence"
found = {}
for backend in ("numpy", "host"):
    with cupysim.Renderer(backend, threads=1) as renderer:
        # glass at once after square: what the renderer keeps of the one must not serve for the other
        for name, each in (("square", start), ("glass", glassy), ("lorentz", shaped),
                           ("air", airy)):
            found[f"{backend} {name}"] = renderer(each).array
            gradients = renderer.gradients(each, names)
            found[f"{backend} {name} gradients"] = gradients.values
        step = 1e-8
        up, down = (renderer.gradients(changed(airy, "distance", by), "scale").photons
                    for by in (step, -step))
        found[f"{backend} difference"] = (up - down) / (2.0 * step)
        up, down = (renderer.gradients(changed(airy, "log_fluence", by), "scale").photons
                    for by in (step, -step))
        found[f"{backend} fluence difference"] = (up - down) / (2.0 * step)
cupysim.simulate(glassy, backend="numpy").save("glass.h5")
found["glass from a file"] = cupysim.simulate(read("glass.h5").experiment, backend="numpy").array
found["spots"] = predict_spots(make_plan(airy))["photons"]
found["spots without air"] = predict_spots(make_plan(shaped))["photons"]
np.savez(sys.argv[1], **found)
"""

KERNEL_ROUNDING = 1e-6
"""Of the brightest pixel: the kernels' promise for double precision."""

GRADIENT_ROUNDING = 1e-9
"""Of the steepest pixel: polynomials of the kernel against functions of NumPy."""

DIFFERENCES = 1e-6
"""Of the steepest pixel: central differences with steps of 1e-8, too short for a sub-pixel to reach the
edge between two reflections."""


def recipe(title: str) -> list[str]:
    """Files that a recipe names, one for each place."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text.split(f"### {title}\n")[1].split("\n### ")[0]
    return re.findall(r"^\d+\. `([\w/.]+)`", section, re.MULTILINE)


@pytest.mark.parametrize("title", MOST_PLACES)
def test_a_recipe_names_few_places_and_the_toy_needs_no_others(title: str) -> None:
    assert len(recipe(title)) <= MOST_PLACES[title]
    assert set(TOYS[title]) == set(recipe(title))


def edit(folder: Path, edits: dict[str, list[Edit]]) -> None:
    for name, changes in edits.items():
        path = folder / name
        for old, new in changes:
            text = path.read_text()
            assert old == "" or text.count(old) == 1, (name, old)
            path.write_text(text + new if old == "" else text.replace(old, new))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """What a copy of the sources with all toys renders."""
    folder = tmp_path_factory.mktemp("toys")
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "cupysim", folder / "cupysim", ignore=ignored)
    shutil.copytree(SOURCES, folder / "cuda_src", ignore=ignored)
    for edits in TOYS.values():
        edit(folder, edits)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CUPYSIM_")}
    environment |= {
        "PYTHONPATH": str(folder),
        "CUPYSIM_CACHE_DIR": str(folder / "cache"),
        "CUPYSIM_HOST_LEVEL": "baseline",
        "CXX": make_compiler(folder, options="-O0"),
    }
    command = [sys.executable, "-c", PROGRAM, str(folder / "found.npz")]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with np.load(folder / "found.npz") as found:
        return dict(found)


@needs_compiler
@pytest.mark.parametrize("name", ["square", "lorentz", "air", "glass"])
class TestToys:
    def test_numpy_and_kernel_agree(self, name: str, rendered: dict[str, np.ndarray]) -> None:
        oracle, kernel = (rendered[f"{backend} {name}"] for backend in ("numpy", "host"))
        np.testing.assert_allclose(kernel, oracle, atol=KERNEL_ROUNDING * oracle.max(), rtol=0.0)

    def test_so_do_derivatives(self, name: str, rendered: dict[str, np.ndarray]) -> None:
        oracle, kernel = (rendered[f"{backend} {name} gradients"] for backend in ("numpy", "host"))
        for one, other in zip(oracle, kernel, strict=True):
            limit = GRADIENT_ROUNDING * np.abs(one).max()
            np.testing.assert_allclose(other, one, atol=limit, rtol=0.0)


@needs_compiler
def test_the_toys_act(rendered: dict[str, np.ndarray]) -> None:
    square, lorentz, air = (rendered[f"host {name}"] for name in ("square", "lorentz", "air"))
    assert np.abs(lorentz - square).max() > 0.01 * square.max()
    # 80 mm of it, and more in the corners
    kept = air / lorentz
    assert np.exp(-9.0 * 0.097) < kept.min() < kept.max() <= np.exp(-9.0 * 0.08) * (1.0 + 1e-6)
    spots, without = rendered["spots"].sum(), rendered["spots without air"].sum()
    assert kept.min() < spots / without < kept.max()


@needs_compiler
def test_a_background_reaches_every_pixel_and_every_file(rendered: dict[str, np.ndarray]) -> None:
    """Of a renderer that rendered the same without it before."""
    added = rendered["host glass"] - rendered["host square"]
    # the solid angle of pixels falls towards the corners
    assert added.min() > 0.3 * added.max() > 0.0
    np.testing.assert_array_equal(rendered["glass from a file"], rendered["numpy glass"])


@needs_compiler
@pytest.mark.parametrize("backend", ["numpy", "host"])
def test_derivatives_are_those_of_differences(
    backend: str, rendered: dict[str, np.ndarray]
) -> None:
    *_, distance, _, _, _, fluence = rendered[f"{backend} air gradients"]
    for found, expected in (
        (distance, rendered[f"{backend} difference"]),
        (fluence, rendered[f"{backend} fluence difference"]),
    ):
        limit = DIFFERENCES * np.abs(expected).max()
        np.testing.assert_allclose(found, expected, atol=limit, rtol=0.0)


def test_a_compiler_is_there_where_ci_runs() -> None:
    if os.environ.get("CI"):
        assert COMPILER
