"""Comparison with golden outputs of simtbx: images, spot shapes, noise and point spreads.

simtbx multiplies a pixel by the polarization factor of its last step that contributed. So images
are computed without polarization here, and multiplied by the factor at this place. A second figure
compares the right image, in which each step has its own factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

SINGLE = 1e-6
"""Largest difference of an image, of its maximum: pixels of cupysim are rounded to float32."""

CHANNELS = 1e-6
"""The same for channels, which simtbx rounds to float32 as well."""

RIGHT = 3e-3
"""The same for right polarization factors; the manifest's README gives 1e-5 to 3e-3."""

DOUBLE = 1e-13
"""The same for stages in double precision."""

SPREADS = {"gauss": point_spread.GAUSSIAN, "fiber": point_spread.FIBRE}
"""simtbx's names of point spread functions, and those of cupysim."""

SHAPES = ("square", "round", "gauss", "gauss_argchk", "tophat", "gauss_star")

BEAM = np.array([0.0, 0.0, -1.0])
"""Direction of flight in dxtbx's frame."""

ELECTRIC = np.array([1.0, 0.0, 0.0])

NOT_COVERED = {
    "mosaic_cap": "the random cap of simtbx",
    "diffuse": "diffuse scattering",
    "background": "backgrounds from tables of F against sin(theta)/lambda",
    "derivatives": "derivatives of diffBragg",
}
"""Kinds of cases, and what cupysim does not have."""

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
            reason = next((why for kind, why in NOT_COVERED.items() if name.startswith(kind)), "")
            if reason:
                yield Outcome(name, f"cupysim lacks {reason}", None)
                continue
            arrays = np.load(folder / case["file"])
            compare = COMPARISONS[name.rpartition("_")[0]]
            yield from compare(name, case, arrays, renderer)


def _shapes(name: str, case: Case, arrays: Any, renderer: Renderer) -> Iterator[Outcome]:
    for shape in SHAPES:
        if shape not in arrays:
            continue
        # many sub-pixels of flat spots are empty, so the last one often did not contribute
        one, last = {**case, "shape": shape}, shape != "tophat"
        yield from _image(f"{name} {shape}", one, arrays[shape], renderer, last)


def _plain(name: str, case: Case, arrays: Any, renderer: Renderer) -> Iterator[Outcome]:
    yield from _image(name, case, arrays["image"], renderer)


def _domains(name: str, case: Case, arrays: Any, renderer: Renderer) -> Iterator[Outcome]:
    mosaicity = Mosaicity(np.radians(np.max(case["mosaic"])), arrays["umats"])
    yield from _image(name, case, arrays["image"], renderer, mosaicity=mosaicity)


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
    "mosaic_iso": _domains,
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
        # their directions differ, so that the right factors may be farther away
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
            fudge=case.get("fudge", 1.0), mosaicity=mosaicity or Mosaicity(),
        ),
        PanelDetector(_panels(case), beam=BEAM, spindle=ELECTRIC, polarization=ELECTRIC),
        StructureFactors.from_list(hkl, amplitudes),
        rendering=Rendering(oversample=case["oversample"], interpolate=False),
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
