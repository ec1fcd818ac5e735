"""Experiments with one parameter changed a little, and differences of their images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from cupysim import UnitCell
from cupysim.gradients.parameters import GROUPS, GradientPlan, plan_gradients
from cupysim.models.conventions import Convention
from cupysim.models.crystal import Mosaicity
from cupysim.models.experiment import Experiment
from cupysim.render.planning import make_plan

STEPS: dict[str, float] = {
    **dict.fromkeys(GROUPS["misset"], 2e-6),
    **dict.fromkeys(GROUPS["cell"][:3], 2e-5),
    **dict.fromkeys(GROUPS["cell"][3:], 1e-6),
    **dict.fromkeys(GROUPS["n_cells"], 1e-4),
    "mosaic_spread": 1e-6,
    "wavelength": 1e-16,
    "distance": 1e-7,
    **dict.fromkeys(GROUPS["beam_centre"], 1e-7),
    **dict.fromkeys(GROUPS["rotation"], 1e-6),
    "twotheta": 1e-6,
    "phi": 2e-6,
    "fluence": 1e20,
}
"""Changes at which neither rounding nor the fifth derivative counts, for crystals of some ten
cells of 50 Angstrom."""


def changed(experiment: Experiment, name: str, by: float) -> Experiment:
    """The experiment with a parameter changed; numbers of cells change in its plan alone."""
    crystal, detector, beam = experiment.crystal, experiment.detector, experiment.beam
    if name in GROUPS["misset"]:
        misset = np.zeros(3) if crystal.misset is None else np.array(crystal.misset)
        misset[GROUPS["misset"].index(name)] += by
        return replace(experiment, crystal=replace(crystal, misset=misset))
    if name in GROUPS["cell"]:
        cell = crystal.cell
        assert cell is not None
        numbers = [*cell.lengths_angstrom, *cell.angles]
        numbers[GROUPS["cell"].index(name)] += by
        other = UnitCell(tuple(numbers[:3]), tuple(numbers[3:]))
        return replace(experiment, crystal=replace(crystal, cell=other))
    if name == "mosaic_spread":
        mosaicity = crystal.mosaicity
        vectors = Rotation.from_matrix(mosaicity.rotations).as_rotvec()
        grown = Rotation.from_rotvec(vectors * (1 + by / mosaicity.spread)).as_matrix()
        other_mosaicity = Mosaicity(mosaicity.spread + by, grown)
        return replace(experiment, crystal=replace(crystal, mosaicity=other_mosaicity))
    if name in ("wavelength", "fluence"):
        return replace(experiment, beam=replace(beam, **{name: getattr(beam, name) + by}))
    if name == "distance":
        which = "distance" if detector.close_distance is None else "close_distance"
        moved = replace(detector, **{which: getattr(detector, which) + by})
        return replace(experiment, detector=moved)
    if name in GROUPS["beam_centre"]:
        return replace(experiment, detector=_moved(detector, name, by))
    if name in GROUPS["rotation"]:
        lab = list(detector.angles.lab)
        lab[GROUPS["rotation"].index(name)] += by
        angles = replace(detector.angles, lab=tuple(lab))
        return replace(experiment, detector=replace(detector, angles=angles))
    if name == "twotheta":
        angles = replace(detector.angles, twotheta=detector.angles.twotheta + by)
        return replace(experiment, detector=replace(detector, angles=angles))
    assert name == "phi"
    scan = replace(experiment.scan, start=experiment.scan.start + by)
    return replace(experiment, scan=scan)


def _moved(detector, name: str, by: float):
    """The beam centre moved along fast or slow, as each convention means it."""
    axis = GROUPS["beam_centre"].index(name)
    if detector.convention in (Convention.XDS, Convention.DIALS):
        centre = detector.centre
        pixels = [c / detector.pixel_size + 0.5 for c in (centre.close_fast, centre.close_slow)]
        pixels[axis] += by / detector.pixel_size
        return replace(detector, origin_pixels=tuple(pixels))
    given = [detector.centre.x, detector.centre.y]
    if detector.convention in (Convention.MOSFLM, Convention.DENZO):
        given[1 - axis] += by
    elif detector.convention is Convention.ADXV:
        given[axis] += -by if axis else by
    else:
        given[axis] += by
    return replace(detector, beam_centre=tuple(given))


def gradient_plan(
    experiment: Experiment, names: str, n_changed: tuple[str, float] | None = None
) -> GradientPlan:
    plan = make_plan(experiment)
    if n_changed is not None:
        n_cells = plan.crystals.n_cells.copy()
        n_cells[..., GROUPS["n_cells"].index(n_changed[0])] += n_changed[1]
        plan = replace(plan, crystals=replace(plan.crystals, n_cells=n_cells))
    return plan_gradients(experiment, plan, names)


def difference(
    photons: Callable[[GradientPlan], np.ndarray],
    experiment: Experiment,
    name: str,
    part: float = 1.0,
) -> np.ndarray:
    """Derivative of an image with a parameter by central differences of the fourth order.

    Of so large a part of the usual steps.
    """
    step = part * STEPS[name]

    def at(by: float) -> np.ndarray:
        if name in GROUPS["n_cells"]:
            return photons(gradient_plan(experiment, "scale", (name, by)))
        return photons(gradient_plan(changed(experiment, name, by), "scale"))

    return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)
