"""Comparison with golden outputs of CrystFEL's pattern_sim, and with its geometry files."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from golden_outcomes import Outcome, wanted

from cupysim.constants import ANGSTROM, CLASSICAL_ELECTRON_RADIUS_SQUARED
from cupysim.errors import CupysimError, CupysimWarning
from cupysim.formats.crystfel import CrystfelLayout, read_cell, read_geometry
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.models.beam import Beam
from cupysim.models.crystal import Crystal
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.rendering import Rendering
from cupysim.models.spot_shape import Shape
from cupysim.models.structure_factors import StructureFactors
from cupysim.plan.planning import make_plan
from cupysim.quirks import CORRECTED, Quirk
from cupysim.readers import read_structure
from cupysim.renderer import Renderer

EXACT = 2e-5
"""Largest difference, over the maximum of the panel's image. The program's lattice factor is a
table; an exact computation differs from its images by up to 1.1e-5 (README of the golden data)."""

TABLE_STEP = 1.0 / 4096
"""Step of the program's table of lattice factors, within which the edges of flat spots lie."""

UPRIGHT = 5e-4
"""Largest difference with the right solid angle, for panels perpendicular to the beam. The program
takes the solid angle at the pixel's outer corner (README of the golden data)."""

GEOMETRY = 1e-9
"""Largest difference from the panels in the manifest: of a corner (m), of an axis, and relative
of a pixel edge."""

AXES = 4e-7
"""Largest difference of the crystal's axes from the golden ones, relative to the longest axis. The
program has quaternions in single precision (6e-8), and its matrix has their doubled products."""

SIGMAS = 5.0
"""Largest deviation of statistics of noise, in standard deviations. One of 2e6 right images fails.
Images are not compared pixel by pixel: if one photon changes, so does all noise after it."""

WAVELENGTH = 0.51
"""Largest difference of a wavelength in the table of geometry files, in units of its last digit."""

PROGRAM_RADIUS = 2.81794e-15
"""Classical electron radius (m) in the program. Its square differs from cupysim's by 8e-7."""

EVERY_INTENSITY = 100.0
"""Intensity of every reflection if there is no list."""

SUB_PIXELS = 4
"""Positions along a pixel's edge. In the program they begin at the edge, and not half a step from
it: its images are those of panels moved by 1/8 pixel."""

SHIFT = 0.5 / SUB_PIXELS

REACH = 8.0
"""Standard deviations that noise does not exceed."""

TRUNCATED = 100.0
"""Mean number of photons above which the program's noise is half a photon too low."""

FIRST_CORNER = tuple(int(quirk) for quirk in CORRECTED.corrected - {Quirk.FIRST_SUB_PIXEL})
"""All corrections except that of quirk Q21: a pixel has the solid angle of its first position. This
is the outer corner of the program's pixel."""

NOT_COVERED = {
    "interpolate": "the program interpolates intensities trilinearly, cupysim amplitudes",
    "phased": "the program interpolates intensities with phases, which cupysim does not",
    "empty": "a crystal without cells, which cupysim refuses",
    "negative": "wavenumbers are negative or not those of X-rays (P1), which cupysim refuses",
}
"""Why cases cannot be computed."""

PLAUSIBLE_WAVENUMBERS = (1e8, 1e12)
"""Wavenumbers (1/m) of X-rays."""


Figure = tuple[str, float, float]
"""Name of a measured quantity, its value, and the largest value that passes."""


@dataclass(frozen=True)
class Case:
    """A case of the manifest with its files.

    Parameters
    ----------
    folder : Path
        Folder of its inputs and outputs.
    content : dict
        Its part of the manifest.
    geometry, layout : DetectorGeometry, CrystfelLayout
        Content of its geometry file.
    factors : StructureFactors
        Square roots of its intensities.
    """

    folder: Path
    content: dict[str, Any]
    geometry: DetectorGeometry
    layout: CrystfelLayout
    factors: StructureFactors


def check(folder: Path, manifest: dict[str, Any], only: tuple[str, ...]) -> Iterator[Outcome]:
    """Compare all cases of a folder.

    Parameters
    ----------
    folder : Path
        Folder with cases/ and geometry_files.json.
    manifest : dict
        Content of its manifest.json.
    only : tuple of str
        Beginnings of names of cases; all cases if there are none. The names of geometry files
        begin with "geometry".

    Yields
    ------
    Outcome
        Result of a case.
    """
    with warnings.catch_warnings(), Renderer() as renderer:
        warnings.simplefilter("ignore", CupysimWarning)
        for content in manifest["cases"]:
            if wanted(content["name"], only):
                try:
                    yield _image_case(folder, content, renderer)
                except CupysimError as error:
                    yield Outcome(content["name"], str(error), False)
        table = folder / "geometry_files.json"
        for entry in json.loads(table.read_text()) if table.exists() else []:
            name = f"geometry: {entry['case']}"
            if wanted(name, only):
                yield _geometry_file(name, entry)
        if wanted("geometry: stream", only) and (folder / "stream" / "det.geom").exists():
            yield _stream_geometry(folder / "stream")


def _image_case(folder: Path, content: dict[str, Any], renderer: Renderer) -> Outcome:
    name, reason = content["name"], _not_covered(folder, content)
    if reason:
        return Outcome(name, reason, None)
    place = folder / "cases" / name
    intensities = content["parameters"]["intensities"]
    factors = StructureFactors(default=float(np.sqrt(EVERY_INTENSITY)))
    if intensities:
        factors = read_structure(place / intensities).factors
    case = Case(place, content, *read_geometry(place / "det.geom"), factors)
    figures = [("geometry", _geometry_difference(case), GEOMETRY)]
    total: dict[str, np.ndarray] = {}
    parameters = content["parameters"]
    is_random = not parameters["no_noise"] or parameters["background_photons"] > 0.0
    for number, pattern in enumerate(content["patterns"]):
        golden = dict(np.load(place / pattern["file"]))
        if content["quaternions"]:
            figures.append(("axes", _axes_difference(case, number, golden), AXES))
        experiment = _experiment(case, pattern, golden)
        if parameters["flat"]:
            figures.append(_flat_figure(case, experiment, renderer, golden))
            continue
        photons = _program_photons(case, renderer(experiment).array)
        if is_random:
            figures += _noise_figures(case, photons, golden)
            continue
        for panel, image in zip(case.geometry.detector, photons, strict=True):
            image = image[: panel.n_slow, : panel.n_fast]
            made = np.minimum(image * panel.gain, panel.saturation)
            total[panel.name] = total.get(panel.name, 0.0) + made
            label = f"{pattern['file'].removesuffix('.npz')} {panel.name}"
            figures.append((label, _difference(made, golden[panel.name]), EXACT))
        if all(_is_upright(panel) for panel in case.geometry.detector):
            right = renderer(replace(experiment, quirks=CORRECTED)).array
            for panel, image in zip(case.geometry.detector, right, strict=True):
                made = image[: panel.n_slow, : panel.n_fast] * panel.gain * _radius_ratio()
                made = np.minimum(made, panel.saturation)
                difference = _difference(made, golden[panel.name])
                figures.append((f"{panel.name} with all corrections", difference, UPRIGHT))
    if total and (place / "powder.npz").exists():
        powder = np.load(place / "powder.npz")
        figures += [
            (f"powder {panel}", _difference(total[panel], powder[panel]), EXACT)
            for panel in powder.files
        ]
    return _outcome(name, figures, "; noise by its statistics" if is_random else "")


def _outcome(name: str, figures: list[Figure], more: str) -> Outcome:
    """Make an outcome from figures. It names the worst figure for each limit."""
    passed = all(value <= limit for _, value, limit in figures)
    worst: dict[float, tuple[str, float, float]] = {}
    for what, value, limit in figures:
        if limit not in worst or not value <= worst[limit][1]:
            worst[limit] = (what, value, limit)
    text = ", ".join(f"{what} {value:.1e} <= {limit:g}" for what, value, limit in worst.values())
    failed = [f"{what} {value:.1e} > {limit:g}" for what, value, limit in figures
              if not value <= limit]  # fmt: skip
    return Outcome(name, (", ".join(failed) if failed else text) + more, passed)


def _not_covered(folder: Path, content: dict[str, Any]) -> str:
    """Why a case cannot be computed; empty if it can."""
    parameters = content["parameters"]
    if parameters["gradients"] != "mosaic" and parameters["intensities"]:
        return NOT_COVERED[parameters["gradients"]]
    low, high = PLAUSIBLE_WAVENUMBERS
    for pattern in content["patterns"]:
        if 0 in pattern["n_cells"]:
            return NOT_COVERED["empty"]
        golden = np.load(folder / "cases" / content["name"] / pattern["file"])
        wavenumbers = golden["sampled_wavenumbers"]
        if not ((wavenumbers > low) & (wavenumbers < high)).all():
            return NOT_COVERED["negative"]
    return ""


def _flat_figure(
    case: Case, experiment: Experiment, renderer: Renderer, golden: dict[str, np.ndarray]
) -> Figure:
    """Compare an image of flat spots with images whose spots end a step earlier and later.

    A comparison at the edge can fall the other way, so pixels have no single value.
    """
    low, high = (
        _program_photons(case, _with_edges_moved(experiment, renderer, by)[0])
        for by in (-TABLE_STEP, TABLE_STEP)
    )
    worst = 0.0
    for number, panel in enumerate(case.geometry.detector):
        made = golden[panel.name].astype(np.float64)
        least, most = (
            np.minimum(image[number][: panel.n_slow, : panel.n_fast] * panel.gain, panel.saturation)
            for image in (low, high)
        )
        outside = max((least - made).max(), (made - most).max()) / made.max()
        worst = max(worst, float(outside))
    return ("flat spots, outside the range of their edges", worst, EXACT)


def _with_edges_moved(experiment: Experiment, renderer: Renderer, by: float) -> np.ndarray:
    """Image of flat spots that end at 1/N + by from a reflection, with their height unchanged."""
    plan = make_plan(experiment)
    counts = np.asarray(plan.crystals.n_cells, dtype=np.float64)
    moved = 1.0 / (1.0 / counts + by)
    crystals = replace(plan.crystals, n_cells=moved)
    scale = float(np.prod(counts / moved)) ** 2
    return np.asarray(renderer.render_plan(plan.with_crystals(crystals)).image) * scale


def _difference(made: np.ndarray, golden: np.ndarray) -> float:
    """Largest difference, relative to the maximum of the golden image."""
    golden = golden.astype(np.float64)
    return float(np.abs(made - golden).max() / np.abs(golden).max())


def _geometry_difference(case: Case) -> float:
    """Largest difference between the panels read and those of the manifest."""
    panels = case.content["panels"]
    detector = case.geometry.detector
    if {panel["name"] for panel in panels} != {panel.name for panel in detector}:
        return float("inf")
    worst = 0.0
    for resolved in panels:
        panel, pixel = detector[resolved["name"]], resolved["pixel_m"]
        corner = pixel * np.array(resolved["corner_px"])
        steps = [np.array(resolved[axis]) for axis in ("fs", "ss")]
        place = case.layout.of(panel.name)
        size = (resolved["width"], resolved["height"])
        slab = tuple(resolved["slab_origin_ss_fs"])
        top = np.inf if resolved["max_adu"] is None else resolved["max_adu"]
        if (
            (panel.n_fast, panel.n_slow) != size
            or place.corner[::-1] != slab
            or place.data != resolved["data"]
            or panel.saturation != top
        ):
            return float("inf")
        # the program's numbers of pixels and gains are single precision in places
        worst = max(
            worst,
            np.abs(np.array(panel.origin) - corner).max(),
            *(
                np.abs(edge / pixel * axis - step).max()
                for edge, axis, step in zip(panel.edges, panel.axes, steps, strict=False)
            ),
            abs(panel.gain / resolved["adu_per_photon"] - 1.0),
        )
    assert case.geometry.wavelength is not None
    return max(worst, abs(case.geometry.wavelength / case.content["wavelength_m"] - 1.0))


def _axes_difference(case: Case, number: int, golden: dict[str, np.ndarray]) -> float:
    """Largest difference of cell and quaternion from the axes that the program used."""
    cell = read_cell(case.folder / "crystal.cell").cell
    a, b, c = (ANGSTROM * length for length in cell.lengths_angstrom)
    alpha, beta, gamma = cell.angles
    height = ANGSTROM**3 * cell.volume_angstrom3 / (a * b * np.sin(gamma))
    across = c * (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / np.sin(gamma)
    upright = np.array(
        [
            (a, 0.0, 0.0),
            (b * np.cos(gamma), b * np.sin(gamma), 0.0),
            (c * np.cos(beta), across, height),
        ]
    )
    w, x, y, z = case.content["quaternions"][number]
    turn = np.array(
        [
            (1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)),
            (2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)),
            (2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)),
        ]
    )
    direct = golden["direct_axes_m"]
    return float(np.abs(upright @ turn.T - direct).max() / np.abs(direct).max())


def _experiment(case: Case, pattern: dict[str, Any], golden: dict[str, np.ndarray]) -> Experiment:
    """The experiment of a pattern, with the program's shift of 1/8 pixel."""
    detector = case.geometry.detector
    moved = [
        replace(panel, origin=tuple(panel.position(np.array(-SHIFT), np.array(-SHIFT))))
        for panel in detector
    ]
    wavenumbers, weights = golden["sampled_wavenumbers"], golden["sampled_weights"]
    table = np.zeros((len(wavenumbers), 5))
    table[:, 2], table[:, 3], table[:, 4] = -10.0, weights, 1.0 / wavenumbers
    wavelength = float(1.0 / wavenumbers.mean())
    beam = Beam(
        wavelength, case.content["fluence_photons_m2"], polarized=False, source_table=table,
        weights_count=True,
    )  # fmt: skip
    reciprocal = np.linalg.inv(golden["direct_axes_m"]).T * ANGSTROM
    names = {"flat": Shape.FLAT, "no_fringes": Shape.NO_FRINGES}
    chosen = [shape for key, shape in names.items() if case.content["parameters"][key]]
    shape = chosen[0] if chosen else Shape.SQUARE
    crystal = Crystal(reciprocal=reciprocal, n_cells=tuple(pattern["n_cells"]), shape=shape)
    plain = PanelDetector(moved, detector.beam, detector.spindle, detector.polarization)
    rendering = Rendering(oversample=SUB_PIXELS, interpolate=False)
    return Experiment(
        beam, crystal, plain, case.factors, rendering=rendering, quirks=FIRST_CORNER
    )  # fmt: skip


def _radius_ratio() -> float:
    """Ratio of the squares of the program's and cupysim's classical electron radius."""
    return PROGRAM_RADIUS**2 / CLASSICAL_ELECTRON_RADIUS_SQUARED


def _program_photons(case: Case, images: np.ndarray) -> np.ndarray:
    """Images with the program's solid angles and electron radius."""
    result = np.array(images, dtype=np.float64)
    pitches = {panel["name"]: panel["pixel_m"] for panel in case.content["panels"]}
    for image, panel in zip(result, case.geometry.detector, strict=True):
        ratio = _program_solid_angle(panel, pitches[panel.name]) / _solid_angle(panel)
        image[: panel.n_slow, : panel.n_fast] *= ratio * _radius_ratio()
    return result


def _program_solid_angle(panel: Panel, pitch: float) -> np.ndarray:
    """Solid angle of each pixel as the program computes it (crystfel.md, 2.6).

    The program counts lengths in the pitch 1/res (m), even where steps are not of length one.
    """
    slow, fast = np.ogrid[: panel.n_slow, : panel.n_fast]
    steps = [axis * edge / pitch for axis, edge in zip(panel.axes, panel.edges, strict=False)]
    corner = np.array(panel.origin) / pitch
    x = corner[0] + fast * steps[0][0] + slow * steps[1][0]
    # the slow coordinate twice: this is the program's slip P2
    y = corner[1] + slow * steps[0][1] + slow * steps[1][1]
    return np.asarray(corner[2] * (x**2 + y**2 + corner[2] ** 2) ** -1.5)


def _solid_angle(panel: Panel) -> np.ndarray:
    """Solid angle of each pixel at its outer corner: area times cosine over squared distance."""
    slow, fast = np.mgrid[: panel.n_slow, : panel.n_fast]
    place = panel.position(fast, slow)
    step = np.cross(panel.axes[0] * panel.edges[0], panel.axes[1] * panel.edges[1])
    return np.asarray(np.abs(place @ step) / np.linalg.norm(place, axis=-1) ** 3)


def _is_upright(panel: Panel) -> bool:
    """Whether the panel's axes are x and y."""
    return bool(np.allclose(panel.axes[:2], np.eye(3)[:2], atol=1e-9))


def _noise_figures(case: Case, photons: np.ndarray, golden: dict[str, np.ndarray]) -> list[Figure]:
    """Compare an image with noise by its statistics.

    The variance of a Poisson number is its mean; that of the square of its normalised deviation is
    2 + 1/mean. Pixels for which the largest value is in reach are left out.
    """
    parameters = case.content["parameters"]
    background = parameters["background_photons"]
    figures: list[Figure] = []
    for panel, image in zip(case.geometry.detector, photons, strict=True):
        signal = image[: panel.n_slow, : panel.n_fast]
        variance = signal * (not parameters["no_noise"]) + background
        mean = signal + background
        made = golden[panel.name].astype(np.float64)
        kept = mean + REACH * np.sqrt(variance) < panel.saturation / panel.gain
        truncated = (signal > TRUNCATED) & (not parameters["no_noise"])
        deviation = (made / panel.gain - mean + 0.5 * truncated)[kept]
        variance = variance[kept]
        sums = abs(deviation.sum()) / np.sqrt(variance.sum())
        squares = deviation**2 / variance - 1.0
        spread = abs(squares.sum()) / np.sqrt((2.0 + 1.0 / variance).sum())
        figures += [
            (f"{panel.name} sum in sigmas", float(sums), SIGMAS),
            (f"{panel.name} chi squared in sigmas", float(spread), SIGMAS),
            (f"{panel.name} pixels above max_adu", float((made > panel.saturation).sum()), 0.0),
        ]
    return figures


def _read_text(text: str, **given: float) -> DetectorGeometry:
    """The geometry of a text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "det.geom"
        path.write_bytes(text.encode())
        return read_geometry(path, **given)[0]


def _geometry_file(name: str, entry: dict[str, Any]) -> Outcome:
    """Whether a file is accepted or refused as CrystFEL 0.12 does, or more strictly."""
    text, new, old = entry["geometry"], entry["v0_12_0"], entry["v0_10_2"]
    accepts = new.startswith("accepted")
    try:
        geometry, told = _read_text(text), ""
    except CupysimError as error:
        told = str(error).split("det.geom", 1)[-1].lstrip(",: ")
        if not accepts:
            return Outcome(name, f"refused as by 0.12: {told}", True)
        if "header of the images" not in told:
            return Outcome(name, f"refused, more strictly than by 0.12: {told}", True)
        try:
            _read_text(text, wavelength=1e-10, distance=0.1)
        except CupysimError as second:
            return Outcome(name, f"refused also with given values: {second}", False)
        return Outcome(name, f"accepted if the value is given: {told}", True)
    expected = entry["wavelength_A"]
    if expected is not None:
        assert geometry.wavelength is not None
        last_digit = 10.0 ** -len(str(expected).partition(".")[2])
        if abs(geometry.wavelength / ANGSTROM - expected) > WAVELENGTH * last_digit:
            return Outcome(name, f"wavelength {geometry.wavelength} m, not {expected} A", False)
    remarks = "; ".join(geometry.remarks)
    if accepts:
        if "message" in new and not remarks:
            return Outcome(name, "accepted, but 0.12 gives a message", False)
        return Outcome(name, f"accepted{': ' if remarks else ''}{remarks}", True)
    if old.startswith("accepted") and "refuses this file" in remarks:
        return Outcome(name, f"accepted as by 0.10, whose format is read too: {remarks}", True)
    return Outcome(name, "accepted, but 0.12 refuses it", False)


def _stream_geometry(folder: Path) -> Outcome:
    """Whether geometry and cell beside a stream can be read."""
    try:
        geometry, layout = read_geometry(folder / "det.geom")
        cell = read_cell(folder / "crystal.cell")
    except CupysimError as error:
        return Outcome("geometry: stream", str(error), False)
    dims = {place.dims for place in layout.panels.values()}
    text = f"{len(geometry.detector)} panels, dimensions {dims}, {cell.lattice} {cell.centering}"
    return Outcome("geometry: stream", text, True)
