"""Parameters which are refined: how an experiment changes with them, their units and bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cupysim.errors import ModelError
from cupysim.gradients.parameters import FACTORS, GROUPS, GradientPlan, expand, plan_gradients
from cupysim.maths.cell import oriented_lattice
from cupysim.maths.derivatives import upright_cell
from cupysim.models.conventions import Pivot
from cupysim.models.crystal import Crystal, Mosaicity, UnitCell
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.render.planning import make_plan

DEGREE = math.pi / 180.0
MILLIMETRE = 1e-3
ANGSTROM_IN_METRES = 1e-10


@dataclass(frozen=True)
class Kind:
    """What is known of a parameter.

    Parameters
    ----------
    unit : str
        Its unit for people.
    size : float
        That unit in the unit of its derivative.
    within : float
        How far it may go from its start, in that unit.
    relative : bool
        `within` is a part of the start's value.
    decimals : int
        Of its value for people.
    """

    unit: str
    size: float
    within: float
    relative: bool = False
    decimals: int = 4


_ANGLE = Kind("deg", DEGREE, 2.0)
KINDS: dict[str, Kind] = {
    **dict.fromkeys(GROUPS["misset"], _ANGLE),
    **dict.fromkeys(GROUPS["cell"][:3], Kind("A", 1.0, 0.03, relative=True)),
    **dict.fromkeys(GROUPS["cell"][3:], Kind("deg", DEGREE, 3.0)),
    **dict.fromkeys(GROUPS["n_cells"], Kind("cells", 1.0, 0.7, relative=True, decimals=2)),
    "mosaic_spread": Kind("deg", DEGREE, 0.9, relative=True),
    "wavelength": Kind("A", ANGSTROM_IN_METRES, 0.02, relative=True, decimals=6),
    "distance": Kind("mm", MILLIMETRE, 0.05, relative=True),
    **dict.fromkeys(GROUPS["beam_centre"], Kind("mm", MILLIMETRE, 2.0)),
    **dict.fromkeys(GROUPS["rotation"], _ANGLE),
    "twotheta": _ANGLE,
    "phi": _ANGLE,
    "fluence": Kind("photons/m^2", 1.0, 0.99, relative=True),
    "scale": Kind("", 1.0, math.inf),
}
"""Parameters which can be refined."""


def free_parameters(names: str | Sequence[str]) -> tuple[str, ...]:
    """Names of the parameters to refine.

    Parameters
    ----------
    names : str or sequence of str
        As for `cupysim.gradients.parameters.expand`.

    Returns
    -------
    tuple of str
        Each once.

    Raises
    ------
    ModelError
        If there is no such parameter, or two which cannot be told apart.
    """
    found = expand(names)
    if FACTORS in found:
        raise ModelError(f"refine: {FACTORS} cannot be refined, they are too many")
    if {"fluence", "scale"} <= set(found):
        raise ModelError("refine: fluence and scale are one and the same for an image")
    return found


def current(experiment: Experiment, name: str) -> float:
    """The value of a parameter, in the unit of its derivative.

    Parameters
    ----------
    experiment : Experiment
        Of which experiment.
    name : str
        One of `KINDS`.

    Returns
    -------
    float
        The value; 1 for the scale.
    """
    crystal, detector, beam = experiment.crystal, experiment.detector, experiment.beam
    if name in GROUPS["misset"]:
        return float((crystal.misset or (0.0, 0.0, 0.0))[GROUPS["misset"].index(name)])
    if name in GROUPS["cell"]:
        lattice = crystal.lattice
        return float([*lattice.lengths, *lattice.angles][GROUPS["cell"].index(name)])
    if name in GROUPS["n_cells"]:
        return crystal.cell_counts[GROUPS["n_cells"].index(name)]
    if name in GROUPS["rotation"]:
        return detector.angles.lab[GROUPS["rotation"].index(name)]
    if name in GROUPS["beam_centre"]:
        # where the beam hits a panel which turns about it, else the near point
        centre, geometry = detector.centre, detector.geometry
        about_sample = detector.effective_pivot is Pivot.SAMPLE
        pair = (geometry.close_fast, geometry.close_slow)
        return (pair if about_sample else (centre.fast, centre.slow))[name == "beam_slow"]
    close = detector.close_distance
    return {
        "mosaic_spread": crystal.mosaicity.spread,
        "wavelength": beam.wavelength,
        "distance": detector.distance if close is None else close,
        "twotheta": detector.angles.twotheta,
        "phi": experiment.scan.start,
        "fluence": beam.fluence,
        "scale": 1.0,
    }[name]


def changed(experiment: Experiment, name: str, by: float) -> Experiment:
    """The experiment with a parameter changed.

    Parameters
    ----------
    experiment : Experiment
        Of which experiment.
    name : str
        One of `KINDS`, but neither the scale nor a number of cells, which are no whole numbers
        and so belong to plans alone.
    by : float
        How much, in the unit of its derivative.

    Returns
    -------
    Experiment
        The other one.

    Raises
    ------
    ModelError
        If it is impossible.
    """
    crystal, detector, beam = experiment.crystal, experiment.detector, experiment.beam
    if name in GROUPS["misset"]:
        misset = list(crystal.misset or (0.0, 0.0, 0.0))
        misset[GROUPS["misset"].index(name)] += by
        return replace(experiment, crystal=replace(crystal, misset=tuple(misset)))
    if name in GROUPS["cell"]:
        return replace(experiment, crystal=_other_cell(crystal, GROUPS["cell"].index(name), by))
    if name == "mosaic_spread":
        grown = _grown(crystal.mosaicity, by)
        return replace(experiment, crystal=replace(crystal, mosaicity=grown))
    if name == "wavelength":
        return replace(experiment, beam=replace(beam, wavelength=beam.wavelength + by))
    if name == "fluence":
        return replace(experiment, beam=replace(beam, fluence=beam.fluence + by))
    if name == "phi":
        scan = replace(experiment.scan, start=experiment.scan.start + by)
        return replace(experiment, scan=scan)
    return replace(experiment, detector=_moved(detector, name, by))


def _other_cell(crystal: Crystal, which: int, by: float) -> Crystal:
    """The crystal with an edge or an angle changed, in the orientation which it has."""
    if crystal.cell is not None and crystal.reciprocal is None:
        numbers = [*crystal.cell.lengths_angstrom, *crystal.cell.angles]
        numbers[which] += by
        a, b, c, alpha, beta, gamma = numbers
        return replace(crystal, cell=UnitCell((a, b, c), (alpha, beta, gamma)))
    unturned = replace(crystal, misset=None).lattice
    numbers = [*unturned.lengths, *unturned.angles]
    upright, _ = upright_cell(np.array(numbers[:3]), np.array(numbers[3:]))
    orientation = np.linalg.solve(upright, unturned.direct)
    numbers[which] += by
    a, b, c, alpha, beta, gamma = numbers
    UnitCell((a, b, c), (alpha, beta, gamma))
    other, _ = upright_cell(np.array(numbers[:3]), np.array(numbers[3:]))
    reciprocal = np.linalg.inv(other @ orientation).T
    return replace(crystal, cell=None, reciprocal=oriented_lattice(reciprocal).reciprocal)


def _grown(mosaicity: Mosaicity, by: float) -> Mosaicity:
    """All domains turned away in proportion to the spread."""
    from scipy.spatial.transform import Rotation

    vectors = Rotation.from_matrix(mosaicity.rotations).as_rotvec()
    grown = Rotation.from_rotvec(vectors * (1.0 + by / mosaicity.spread)).as_matrix()
    return Mosaicity(mosaicity.spread + by, grown)


def _moved(detector: Detector, name: str, by: float) -> Detector:
    if name == "distance":
        if detector.close_distance is None:
            return replace(detector, distance=detector.distance + by)
        return replace(detector, close_distance=detector.close_distance + by)
    if name == "twotheta":
        angles = replace(detector.angles, twotheta=detector.angles.twotheta + by)
        return replace(detector, angles=angles)
    if name in GROUPS["rotation"]:
        lab = list(detector.angles.lab)
        lab[GROUPS["rotation"].index(name)] += by
        angles = replace(detector.angles, lab=(lab[0], lab[1], lab[2]))
        return replace(detector, angles=angles)
    if name == "beam_fast":
        return detector.with_beam_moved(by, 0.0)
    return detector.with_beam_moved(0.0, by)


def settled(experiment: Experiment) -> Experiment:
    """The experiment with its sampling as it is, lest it jump while parameters change.

    Parameters
    ----------
    experiment : Experiment
        Whose sub-pixels and interpolation may follow from the rest.

    Returns
    -------
    Experiment
        With the same of both, given.
    """
    rendering = replace(
        experiment.rendering,
        oversample=experiment.oversample,
        interpolate=experiment.interpolation_wanted,
    )
    a, b, c = (round(count) for count in experiment.crystal.cell_counts)
    crystal = replace(experiment.crystal, n_cells=(a, b, c), size=(0.0, 0.0, 0.0))
    return replace(experiment, rendering=rendering, crystal=crystal)


def gradient_plan(
    experiment: Experiment,
    shifts: Mapping[str, float],
    names: Sequence[str],
    coarseness: float = 1.0,
    background: bool = True,
) -> GradientPlan:
    """Prepare to differentiate an experiment of which some parameters are changed.

    Parameters
    ----------
    experiment : Experiment
        The start.
    shifts : mapping
        Changes by name, in units of derivatives.
    names : sequence of str
        With what to differentiate.
    coarseness : float, optional
        Numbers of cells are divided by it, which makes spots wider.
    background : bool, optional
        With the background, not the spots alone.

    Returns
    -------
    GradientPlan
        Without the factor by which the scale changes all photons.

    Raises
    ------
    ModelError
        If a change is impossible.
    """
    counts = np.array(experiment.crystal.cell_counts)
    for name, shift in shifts.items():
        if name in GROUPS["n_cells"]:
            counts[GROUPS["n_cells"].index(name)] += shift
        elif name != "scale" and shift != 0.0:
            experiment = changed(experiment, name, shift)
    plan = make_plan(experiment)
    counts = np.maximum(counts / coarseness, 1.0)
    spots = np.diag(counts)[None, None]
    crystals = replace(plan.crystals, n_cells=counts[None, None], spot_axes=spots)
    plan = replace(plan, crystals=crystals)
    if not background:
        plan = replace(plan, ray_background=0.0 * plan.ray_background)
    return plan_gradients(experiment, plan, names)
