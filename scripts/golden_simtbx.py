"""Comparison with golden outputs of simtbx: images, spot shapes, noise and point spreads.

simtbx multiplies a pixel by the polarization factor of its last step that contributed. So images
are computed without polarization here, and multiplied by the factor at this place. A second figure
compares the right image, in which each step has its own factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from golden_outcomes import Outcome, wanted
from simtbx_noise import add_noise, apply_psf

from cupysim import (
    Beam,
    Crystal,
    Experiment,
    Mosaicity,
    Panel,
    PanelDetector,
    Renderer,
    Rendering,
    Shape,
    StructureFactors,
)
from cupysim.maths import point_spread
from cupysim.maths.derivatives import upright_cell
from cupysim.maths.laue_groups import LAUE_GROUPS
from cupysim.models.background import Amorphous, Beyond
from cupysim.models.diffuse import Diffuse, DiffuseModel
from cupysim.models.mosaic_model import Distribution, MosaicModel, edge_axes
from cupysim.models.parameters import GROUPS

SINGLE = 1e-6
"""Largest difference of an image, relative to its maximum. cupysim rounds pixels to float32."""

CHANNELS = 1e-6
"""The same for channels, which simtbx rounds to float32 as well."""

RIGHT = 3e-3
"""The same for right polarization factors; the manifest's README gives 1e-5 to 3e-3."""

DERIVATIVES = 1e-6
"""The same for derivatives (README of the golden data)."""

ROTATIONS = 1e-15
"""Largest difference of elements of rotation matrices."""

DOUBLE = 1e-13
"""Largest difference, relative to the maximum, of stages in double precision."""

SPREADS = {"gauss": point_spread.GAUSSIAN, "fiber": point_spread.FIBRE}
"""simtbx's names of point spread functions, and those of cupysim."""

SHAPES = ("square", "round", "gauss", "gauss_argchk", "tophat", "gauss_star")

BEAM = np.array([0.0, 0.0, -1.0])
"""Direction of flight in dxtbx's frame."""

ELECTRIC = np.array([1.0, 0.0, 0.0])

TURNS = ("misset_x", "misset_y", "misset_z")

OF_DIFFBRAGG = {
    "rotX": "misset_x", "rotY": "misset_y", "rotZ": "misset_z",
    **{name: name for name in GROUPS["cell"]},
    "Na": "n_a", "Nb": "n_b", "Nc": "n_c", "Nd": "n_ab", "Ne": "n_bc", "Nf": "n_ac",
    "wavelength": "wavelength",
    "eta_a": "mosaic_a", "eta_b": "mosaic_b", "eta_c": "mosaic_c",
}  # fmt: skip
"""Parameters of diffBragg, and those of cupysim."""

UNITS = {
    **dict.fromkeys(("rotX", "rotY", "rotZ"), -1.0),
    "wavelength": 1e-10,
    **dict.fromkeys(("eta_a", "eta_b", "eta_c"), float(np.radians(1.0))),
}
"""Units of diffBragg's derivatives. Its turns have the opposite sense."""

Case = dict[str, Any]


def check(folder: Path, manifest: dict[str, Any], only: tuple[str, ...]) -> Iterator[Outcome]:
    """Compare the cases of a folder.

    Parameters
    ----------
    folder : Path
        Folder with the arrays.
    manifest : dict
        Content of its manifest.json.
    only : tuple of str
        Beginnings of the names of the cases; empty for all.

    Yields
    ------
    Outcome
        For each array that is compared, and each case that is not covered.
    """
    with Renderer("auto") as renderer:
        for name, case in manifest["cases"].items():
            if not wanted(name, only):
                continue
            arrays = np.load(folder / case["file"])
            kind = name.rpartition("_")[0]
            compare = _plain if kind.startswith("diffuse_") else COMPARISONS[kind]
            yield from compare(name, case, arrays, renderer)


def _shapes(name: str, case: Case, arrays: Any, renderer: Renderer) -> Iterator[Outcome]:
    for shape in SHAPES:
        if shape not in arrays:
            continue
        # many sub-pixels of top-hat spots are empty, so the last one often did not contribute
        one, last = {**case, "shape": shape}, shape != "tophat"
        yield from _image(f"{name} {shape}", one, arrays[shape], renderer, last)


def _plain(name: str, case: Case, arrays: Any, renderer: Renderer) -> Iterator[Outcome]:
    yield from _image(name, case, arrays["image"], renderer)


def _cap(name: str, case: Case, arrays: Any, _: Renderer) -> Iterator[Outcome]:
    spread = np.radians(case["mosaic_spread_deg"])
    found = Mosaicity.simtbx(spread, case["mosaic_domains"], case["mosaic_seed"]).rotations
    yield _same_rotations(name, found, arrays["umats"])


def _domains(name: str, case: Case, arrays: Any, renderer: Renderer) -> Iterator[Outcome]:
    mosaicity = _mosaicity(case)
    yield _same_rotations(f"{name} rotations", mosaicity.rotations, arrays["umats"])
    yield from _image(name, case, arrays["image"], renderer, mosaicity=mosaicity)


def _same_rotations(name: str, found: np.ndarray, golden: np.ndarray) -> Outcome:
    difference = float(np.abs(found - golden).max())
    text = f"{difference:.1e} in an element (at most {ROTATIONS:.0e})"
    return Outcome(name, text, difference <= ROTATIONS)


def _mosaicity(case: Case) -> Mosaicity:
    spreads = tuple(np.radians(np.atleast_1d(case["mosaic"])).tolist())
    axes = edge_axes(_direct(case["cell"], case["misset_deg"]))
    return Mosaicity.of(MosaicModel(Distribution.DIFFBRAGG, spreads, case["n_dom"], axes))


def _background(name: str, case: Case, arrays: Any, renderer: Renderer) -> Iterator[Outcome]:
    """Compare a background alone. The kernel has polarization factors of each ray, as simtbx."""
    table = np.array(case["table_stol_perA_F"])
    sizes = 1e-3 * np.array(case["sample_mm"])
    matter = Amorphous(
        1e10 * table[:, 0], table[:, 1], sizes[0], 1e6 * case["density_g_cm3"],
        case["molecular_weight_g_mol"], sizes[1], sizes[2], Beyond.LINE,
    )  # fmt: skip
    case = {"F": {"n": 0, "a0": 0.0, "a1": 0.0, "v": [0.0, 0.0, 0.0]}, **case}
    # one source has the weight of all, and one sub-pixel
    first, count = {**case, "oversample": 1}, len(case.get("sources", [0]))
    if "sources" in case:
        first["sources"] = case["sources"][:1]
    for array, part, weight in (("image", case, 1), ("image_source0", first, count)):
        experiment = replace(_experiment(part, None, polarized=True), backgrounds=(matter,))
        found = weight * renderer(experiment).array.reshape(arrays[array].shape)
        yield _compared(f"{name} {array}", found, arrays[array], SINGLE)


def _derivatives(name: str, case: Case, arrays: Any, renderer: Renderer) -> Iterator[Outcome]:
    """Compare derivatives with the units and the frame of diffBragg."""
    experiment = _experiment(case, _mosaicity(case), polarized=not case["nopolar"])
    gradients = renderer.gradients(experiment, ",".join(OF_DIFFBRAGG.values()))
    turns = [gradients[name] for name in TURNS]
    yield _compared(f"{name} image", gradients.photons[None], arrays["image"], DERIVATIVES)
    for theirs, ours in OF_DIFFBRAGG.items():
        found = gradients[ours] * UNITS.get(theirs, 1.0)
        if theirs.startswith("cell_"):
            turned = _turned_by(case, list(OF_DIFFBRAGG).index(theirs) - len(TURNS))
            found = found + sum(t * turn for t, turn in zip(turned, turns, strict=True))
        yield _compared(f"{name} {theirs}", found, arrays[theirs], DERIVATIVES)


def _turned_by(case: Case, number: int) -> np.ndarray:
    """How much a crystal turns with a parameter of its cell, from cupysim's frame to diffBragg's.

    diffBragg keeps a along x and b in the xy plane of the crystal's frame, cupysim c along z and b
    in the yz plane.
    """
    cell = np.array(case["cell"])
    orientation = np.linalg.solve(_upright(cell), _direct(case["cell"], case["misset_deg"]))
    step = 1e-5 * cell[number]
    axes = []
    for sign in (-1.0, 1.0):
        changed = cell.copy()
        changed[number] += sign * step
        theirs = _direct(changed.tolist(), case["misset_deg"])
        axes.append(np.linalg.solve(_upright(changed) @ orientation, theirs))
    turn = (axes[1] - axes[0]) / (2.0 * (step if number < 3 else np.radians(step)))
    # rows turn: v' = v (1 + turn), turn = -[w]x
    return np.array([turn[1, 2], turn[2, 0], turn[0, 1]])


def _upright(cell: np.ndarray) -> np.ndarray:
    """Rows a, b, c in the frame that cupysim keeps."""
    found, _ = upright_cell(cell[:3], np.radians(cell[3:]))
    return found


def _channels(name: str, case: Case, arrays: Any, renderer: Renderer) -> Iterator[Outcome]:
    for number, channel in enumerate(case["channels"]):
        image = arrays["channel_images"][number]
        yield from _image(f"{name} {number}", {**case, **channel}, image, renderer, limit=CHANNELS)


def _noise(name: str, case: Case, arrays: Any, _: Renderer) -> Iterator[Outcome]:
    flicker, calibration = case["flicker_noise_pct"] / 100, case["calibration_noise_pct"] / 100
    gain = {"gain": case["quantum_gain"], "offset": case["adc_offset_adu"]}
    readout = {"readout": case["readout_noise_adu"]}
    spread = (point_spread.GAUSSIAN, case["psf_fwhm_pixels"], case["psf_radius_pixels"])
    stages: dict[str, dict[str, Any]] = {
        "photons": {},
        "flicker": {"flicker": flicker},
        "calibration": {"calibration": calibration},
        "readout": readout,
        "gain_offset": gain,
        "all": {
            "flicker": flicker, "calibration": calibration, "spread": spread, **gain, **readout,
        },
    }  # fmt: skip
    for stage, values in stages.items():
        found = add_noise(arrays["expected"], case["seed"], case["calib_seed"], **values)
        yield _compared(f"{name} {stage}", found, arrays[stage], DOUBLE)


def _point_spread(name: str, case: Case, arrays: Any, _: Renderer) -> Iterator[Outcome]:
    for array in arrays:
        function, _, rest = array.partition("_")
        if function not in SPREADS:
            continue
        source, _, radius = rest.partition("_radius")
        found = apply_psf(arrays[source], SPREADS[function], case["fwhm_pixels"], int(radius))
        yield _compared(f"{name} {array}", found, arrays[array], DOUBLE)


def _compared(name: str, found: np.ndarray, golden: np.ndarray, limit: float) -> Outcome:
    difference = float(np.abs(found - golden).max() / np.abs(golden).max())
    return Outcome(name, f"{difference:.2g} of the maximum (limit {limit:g})", difference <= limit)


COMPARISONS: dict[str, Callable[[str, Case, Any, Renderer], Iterator[Outcome]]] = {
    "panels_square": _plain,
    "sources": _plain,
    "shapes": _shapes,
    "gauss_star": _shapes,
    "ncells_def": _plain,
    "mosaic_cap": _cap,
    "mosaic_iso": _domains,
    "derivatives": _derivatives,
    "background_air": _background,
    "background_water": _background,
    "mosaic_aniso": _domains,
    "channels_gauss": _channels,
    "noise": _noise,
    "psf": _point_spread,
}


def _image(
    name: str,
    case: Case,
    expected: np.ndarray,
    renderer: Renderer,
    last: bool = True,
    mosaicity: Mosaicity | None = None,
    limit: float = SINGLE,
) -> Iterator[Outcome]:
    """Compare an image: with the polarization factor of simtbx, and with the right one."""
    expected = np.asarray(expected, dtype=np.float64).reshape(-1, *expected.shape[-2:])
    largest = expected.max()
    if last:
        plain = renderer(_experiment(case, mosaicity, polarized=False)).array
        found = plain * _polarization(case)
        difference = np.abs(found - expected).max() / largest
        yield Outcome(
            name, f"{difference:.1e} of the maximum (at most {limit:.0e})",
            bool(difference <= limit),
        )  # fmt: skip
    if "sources" in case:
        # directions of sources differ, so the right factors may differ by more than the limit
        return
    right = renderer(_experiment(case, mosaicity, polarized=True)).array
    difference = np.abs(right - expected).max() / largest
    yield Outcome(
        f"{name}, right polarization", f"{difference:.1e} of the maximum (at most {RIGHT:.0e})",
        bool(difference <= RIGHT),
    )  # fmt: skip


def _experiment(case: Case, mosaicity: Mosaicity | None, polarized: bool) -> Experiment:
    size = case["F"]["n"]
    axis = np.arange(-size, size + 1)
    hkl = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    amplitudes = case["F"]["a0"] + case["F"]["a1"] * np.cos(hkl @ np.array(case["F"]["v"]))
    amplitudes[(hkl == 0).all(axis=1)] = 0.0
    table = None
    if "sources" in case:
        table = np.array(
            [
                [*source["to_source"], source["weight"], 1e-10 * source["wavelength_A"]]
                for source in case["sources"]
            ]
        )
    reciprocal = np.linalg.inv(_direct(case["cell"], case["misset_deg"])).T
    return Experiment(
        Beam(
            1e-10 * case["wavelength_A"], case["fluence"] * case.get("spot_scale", 1.0),
            case["kahn"], polarized=polarized, source_table=table,
        ),
        Crystal(
            reciprocal=reciprocal, n_cells=tuple(case["N"]),
            n_cells_off_diagonal=case.get("Ndef", (0.0, 0.0, 0.0)),
            shape=Shape(case.get("shape", "gauss")),
            fudge=case.get("fudge", 1.0),
            mosaicity=mosaicity or Mosaicity(),
            diffuse=_diffuse(case),
        ),
        PanelDetector(_panels(case), beam=BEAM, spindle=ELECTRIC, polarization=ELECTRIC),
        StructureFactors.from_list(hkl, amplitudes),
        rendering=Rendering(oversample=case["oversample"], interpolate=False),
    )  # fmt: skip


def _diffuse(case: Case) -> Diffuse | None:
    if "diffuse" not in case:
        return None
    given = case["diffuse"]
    gamma, sigma = (tuple(1e-10 * np.array(given[name])) for name in ("gamma", "sigma"))
    return Diffuse(
        gamma, sigma, list(LAUE_GROUPS)[given["laue"] - 1], given["stencil"],
        given.get("only", False), DiffuseModel.DIFFBRAGG,
    )  # fmt: skip


def _panels(case: Case) -> list[Panel]:
    return [
        Panel(
            f"p{number}", panel["nfast"], panel["nslow"], 1e-3 * np.array(panel["origin"]),
            panel["fast"], panel["slow"], 1e-3 * panel["pixel"],
        )
        for number, panel in enumerate(case["panels_mm"])
    ]  # fmt: skip


def _direct(cell: list[float], misset: list[float]) -> np.ndarray:
    """Rows a, b, c (Angstrom): a along x, b in the xy plane, then turned about x, y, z."""
    a, b, c = cell[:3]
    alpha, beta, gamma = np.radians(cell[3:])
    along = (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / np.sin(gamma)
    upright = np.array([
        [a, 0.0, 0.0],
        [b * np.cos(gamma), b * np.sin(gamma), 0.0],
        [c * np.cos(beta), c * along, c * np.sqrt(1.0 - np.cos(beta) ** 2 - along**2)],
    ])  # fmt: skip
    turn = np.eye(3)
    for axis, angle in enumerate(np.radians(misset)):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        turn = step @ turn
    return upright @ turn.T


def _polarization(case: Case) -> np.ndarray:
    """Kahn's factor where simtbx takes it: the last sub-pixel and source, or the pixel's centre."""
    m = case["oversample"]
    part = 0.5 if "polarization_at" in case else 1.0 - 0.5 / m
    incident = BEAM
    if "sources" in case:
        incident = -np.array(case["sources"][-1]["to_source"])
        incident = incident / np.linalg.norm(incident)
    magnetic = np.cross(ELECTRIC, incident)
    magnetic /= np.linalg.norm(magnetic)
    electric = np.cross(incident, magnetic)
    found = []
    for panel in case["panels_mm"]:
        fast, slow = (np.array(panel[name]) * panel["pixel"] for name in ("fast", "slow"))
        s, f = np.indices((panel["nslow"], panel["nfast"]))[..., None] + part
        place = np.array(panel["origin"]) + f * fast + s * slow
        d = place / np.linalg.norm(place, axis=-1, keepdims=True)
        cosine, along, across = d @ incident, d @ electric, d @ magnetic
        found.append(0.5 * (1.0 + cosine**2 - case["kahn"] * (along**2 - across**2)))
    return np.array(found)
