"""Detectors of panels for scripts/check_dials: four in nested groups, and a Jungfrau 4M."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from with_dials import dials, python_of_dials

from cupysim.api import from_args, simulate
from cupysim.formats import nexus
from cupysim.formats.dials_detector import read_detector as read_list
from cupysim.formats.dials_writer import write_experiments
from cupysim.formats.frames import to_imgcif
from cupysim.formats.lab_panels import detector_in
from cupysim.formats.nxmx_detector import read_detector as read_nxmx
from cupysim.maths.arrays import cross
from cupysim.maths.rotations import rotation_of_vector
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.panel_group import PanelGroup

EDGE, PIXEL = 512, 1e-4
"""Pixels along an edge of each of the four panels, and the edge of a pixel (m)."""

CUT = 4
"""Distance (pixels) from an edge or gap of a panel up to which a spot can be cut off, so that its
position is wrong."""

READ = """
import hashlib, json, sys
from dxtbx.model.experiment_list import ExperimentListFactory
found = {}
for name in sys.argv[1:]:
    if name.endswith(".expt"):
        experiments = ExperimentListFactory.from_json_file(name, check_format=True)
    else:
        experiments = ExperimentListFactory.from_filenames([name])
    (experiment,) = experiments
    corners = []
    for panel in experiment.detector:
        n_fast, n_slow = panel.get_image_size()
        fast, slow = panel.get_pixel_size()
        # in mm: from pixels, DIALS would also correct the parallax of the sensor
        places = [(x * fast, y * slow) for x in (0, n_fast) for y in (0, n_slow)]
        first, second, third, last = [list(panel.get_lab_coord(place)) for place in places]
        corners.append([first, third, second, last])
    beam = experiment.beam
    found[name] = {"corners": corners, "beam": [*beam.get_sample_to_source_direction()],
                   "wavelength": beam.get_wavelength()}
    raw = experiment.imageset.get_raw_data(0)
    found[name]["digests"] = [
        hashlib.sha256(pixels.as_numpy_array().astype("<i4").tobytes()).hexdigest()
        for pixels in raw
    ]
print(json.dumps(found))
"""

SPOTS = """
import json, sys
from dials.array_family import flex
table = flex.reflection_table.from_file(sys.argv[1])
x, y, _ = table["xyzobs.px.value"].parts()
panels = [int(panel) for panel in table["panel"]]
print(json.dumps([list(x), list(y), panels, list(table["intensity.sum.value"])]))
"""


@dataclass(frozen=True)
class Case:
    """A detector of panels that is checked.

    Parameters
    ----------
    stem : str
        Beginning of the names of files.
    name : str
        Name in the report.
    made : Experiment
        Experiment to simulate, with a distance of 100 mm.
    """

    stem: str
    name: str
    made: Experiment

    @property
    def h5(self) -> str:
        """Name of the image."""
        return f"{self.stem}.h5"

    @property
    def expt(self) -> str:
        """Name of the experiment list."""
        return f"{self.stem}.expt"


@dataclass(frozen=True)
class Limits:
    """Limits of differences; scripts/check_dials describes them."""

    position: float
    near: float
    certain: float
    direct_beam: float
    fewest_near: float
    fewest_indexed: float
    orientation: float
    cell: float


def _turn(x: float, y: float, z: float) -> np.ndarray:
    """Rotations about x, then y, then z (degrees)."""
    vectors = np.radians(np.diag([x, y, z]))
    about_x, about_y, about_z = (rotation_of_vector(vector) for vector in vectors)
    return np.asarray(about_z @ about_y @ about_x)


def _group(
    name: str, matrix: np.ndarray, origin: tuple[float, float, float], *members: Panel | PanelGroup
) -> PanelGroup:
    return PanelGroup(name, members, origin, matrix[:, 0], matrix[:, 1])


def _panel(name: str, degrees: float, centre: tuple[float, float]) -> Panel:
    """A panel in the plane of its group, turned about its centre."""
    matrix = _turn(180.0, 0.0, degrees)
    half = 0.5 * EDGE * PIXEL
    origin = np.array([*centre, 0.0]) - half * (matrix[:, 0] + matrix[:, 1])
    return Panel(name, EDGE, EDGE, origin, matrix[:, 0], matrix[:, 1], PIXEL)


def four_panels(words: str) -> Experiment:
    """An experiment of options, with four panels: two are turned, and a third one is tilted.

    Parameters
    ----------
    words : str
        Options of the command, for a beam along x and a spindle along z.
    """
    single = from_args(words)
    far = 0.029
    tilted = _group(
        "tilted", _turn(12.0, -17.0, 0.0), (far, -far, 0.004), _panel("p3", 0.0, (0.0, 0.0))
    )
    right = _group(
        "right", _turn(0.0, -2.0, 1.0), (0.001, 0.0, 0.0), _panel("p2", 180.0, (far, far)), tilted
    )
    left = _group(
        "left", _turn(1.5, 0.0, -2.0), (-0.001, 0.0005, 0.001), _panel("p0", 0.0, (-far, far)),
        _panel("p1", 90.0, (-far, -far)),
    )  # fmt: skip
    arm = _group("arm", _turn(4.0, -3.0, 0.0), (0.004, 0.006, -0.1), left, right)
    # from the frame of imgCIF to that of the options
    back = to_imgcif(single.frame).T
    frame = single.frame
    detector = PanelDetector(
        [arm.moved(back, np.zeros(3))], frame.beam.tolist(), frame.spindle.tolist(),
        frame.polarization.tolist(), name="four",
    )  # fmt: skip
    return replace(single, detector=detector)


def jungfrau(words: str) -> Experiment:
    """An experiment of options, with a Jungfrau 4M at 100 mm in place of their detector.

    Parameters
    ----------
    words : str
        Options of the command, see `four_panels`.
    """
    sizes = ("-detpixels", "-pixel")
    given = words.split()
    at = [given.index(option) for option in sizes]
    kept = [word for number, word in enumerate(given) if number - 1 not in at and number not in at]
    return from_args(["-detector", "jungfrau-4m", *kept])


def check_panels(program: str, words: str, limits: Limits) -> bool:
    """Check corners, spots and indexing of two detectors of panels.

    Parameters
    ----------
    program : str
        Path of a program of DIALS.
    words : str
        Options of a crystal and a beam along x, with a distance of 100 mm.
    limits : Limits
        Limits of the differences.
    """
    cases = (
        Case("panels", "four panels", four_panels(words)),
        Case("jungfrau", "Jungfrau 4M", jungfrau(words)),
    )
    fine = [_check(program, case, limits) for case in cases]
    return all(fine)


def _check(program: str, case: Case, limits: Limits) -> bool:
    simulate(case.made).save(case.h5, seed=1)
    with Path(case.expt).open("wb") as stream:
        write_experiments(stream, case.made, case.h5)
    fine = _check_geometry(program, case, limits)
    return _check_indexing(program, case, limits) and fine


def _corners(experiment: Experiment) -> np.ndarray:
    """Corners of the panels in the frame of imgCIF (m), by the models of cupysim."""
    rotation = to_imgcif(experiment.frame)
    panels = experiment.panel_detector("check_dials").panels
    return np.array([panel.corners @ rotation.T for panel in panels])


def _check_geometry(program: str, case: Case, limits: Limits) -> bool:
    made = case.made
    found = python_of_dials(program, READ, [case.h5, case.expt])
    assert isinstance(found, dict)
    ours = _corners(made)
    wavelength = 1e10 * made.sources.mean_wavelength
    counts = nexus.read(case.h5).counts
    assert counts is not None
    digests = [hashlib.sha256(panel.astype("<i4").tobytes()).hexdigest() for panel in counts]
    fine = True
    print(f"\n| {case.name} | corners of each panel (m) | beam, wavelength | pixels | read again "
          "by cupysim (m) |")  # fmt: skip
    print("|---|---|---|---|---|")
    for name, read in ((case.h5, read_nxmx), (case.expt, read_list)):
        apart = np.abs(1e-3 * np.array(found[name]["corners"]) - ours).max(axis=(1, 2))
        other = np.abs(np.array(found[name]["beam"]) - [0.0, 0.0, 1.0]).max()
        other = max(float(other), abs(found[name]["wavelength"] - wavelength))
        again = np.array([panel.corners for panel in read(name).detector])
        back = np.abs(again - ours).max()
        told = " ".join(f"{each:.0e}" for each in apart)
        same = found[name]["digests"] == digests
        pixels = "equal" if same else "different"
        print(f"| {name} | {told} | {other:.0e} | {pixels} | {back:.0e} |")
        fine &= same
        fine &= bool(apart.max() <= limits.position and back <= limits.position and other <= 1e-6)
    return fine


def _check_indexing(program: str, case: Case, limits: Limits) -> bool:
    folder, made = Path(program).parent, case.made
    imported, table, result = (
        f"{case.stem}_imported.expt",
        f"{case.stem}.refl",
        f"{case.stem}_indexed.expt",
    )
    dials([program, case.h5, f"output.experiments={imported}"])
    dials([str(folder / "dials.find_spots"), imported, f"output.reflections={table}"])
    spots = nexus.read(case.h5).spots
    assert spots is not None
    x, y, panel, photons = np.array(python_of_dials(program, SPOTS, [table]))
    counted = _beam_apart(made, x, y, panel) > limits.direct_beam
    x, y, panel, photons = x[counted], y[counted], panel[counted], photons[counted]
    apart = np.hypot(spots["fast"][:, None] - x, spots["slow"][:, None] - y)
    apart = np.where(spots["panel"][:, None] == panel, apart, np.inf).min(axis=0)
    certain = (photons >= limits.certain) & _are_whole(made, x, y, panel)
    near = float(np.mean(apart[certain] < limits.near))
    text = dials(
        [str(folder / "dials.index"), imported, table, "detector.fix=all",
         "beam.fix=all", "stills.indexer=sequences", f"output.experiments={result}"]
    )  # fmt: skip
    cell = re.findall(r"Unit cell: (.*)", text)[-1]
    share = float(re.findall(r"\|\s+([\d.]+)%\s+\|", text)[-1]) / 100.0
    edges = [float(re.sub(r"\(.*", "", number)) for number in cell.split(", ")[:3]]
    error = float(np.abs(np.array(edges) / made.lattice.lengths - 1.0).max())
    indexed, written = read_list(result), read_list(case.expt)
    assert indexed.reciprocal is not None
    assert written.reciprocal is not None
    # another basis of the same lattice has whole numbers, except for the error of the orientation
    basis = indexed.reciprocal @ np.linalg.inv(written.reciprocal)
    orientation = float(np.abs(basis - np.rint(basis)).max())
    moved = np.abs(
        np.array([panel.corners for panel in indexed.detector]) - _corners(made)
    ).max()  # fmt: skip
    per_panel = [int((panel == number).sum()) for number in range(len(indexed.detector))]
    print(
        f"\n* {case.name}: {len(x)} spots found ({per_panel} on the panels), of which "
        f"{certain.sum()} have at least {limits.certain} photons and are {CUT} pixels away from "
        f"edges and gaps; of these {near:.1%} lie within "
        f"{limits.near} pixels of a predicted spot, the median {np.median(apart[certain]):.3f} "
        f"pixels away, the farthest {apart[certain].max():.2f}"
    )
    print(f"* {case.name}, indexed: {share:.1%}; cell {cell}; largest error of an edge "
          f"{error:.2%}")  # fmt: skip
    print(f"* {case.name}: the indexed basis is {basis.round(3).tolist()} times the one written; "
          f"corners in indexed.expt within {moved:.0e} m")  # fmt: skip
    same = abs(abs(np.linalg.det(np.rint(basis))) - 1.0) < 1e-9
    return bool(
        near >= limits.fewest_near
        and share >= limits.fewest_indexed
        and error <= limits.cell
        and orientation <= limits.orientation
        and same
        and min(per_panel) > 0
        and moved <= limits.position
    )


def _are_whole(made: Experiment, x: np.ndarray, y: np.ndarray, panel: np.ndarray) -> np.ndarray:
    """Whether all pixels around spots exist, up to `CUT` away."""
    detector = made.panel_detector("check_dials")
    found = np.zeros(len(x), dtype=bool)
    for number, each in enumerate(detector):
        exists = np.zeros((each.n_slow + 2 * CUT, each.n_fast + 2 * CUT), dtype=bool)
        exists[CUT:-CUT, CUT:-CUT] = True if each.mask is None else each.mask
        size = 2 * CUT + 1
        around = np.lib.stride_tricks.sliding_window_view(exists, (size, size))
        here = panel == number
        rows, columns = y[here].astype(int), x[here].astype(int)
        found[here] = around[rows, columns].all(axis=(1, 2))
    return found


def _beam_apart(made: Experiment, x: np.ndarray, y: np.ndarray, panel: np.ndarray) -> np.ndarray:
    """Distances of spots from the direct beam, seen from the crystal, in pixels at the beam."""
    detector = detector_in(made, np.eye(3), "check_dials")
    beam = np.array(detector.beam)
    found = np.empty(len(x))
    for number, each in enumerate(detector):
        here = panel == number
        points = each.position(x[here], y[here])
        along = points @ beam
        found[here] = np.linalg.norm(cross(points, beam), axis=1) / np.abs(along)
    return found * 0.1 / detector.panels[0].edges[0]
