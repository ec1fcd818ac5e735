"""Parameters of an experiment by name: their values, units and limits, and how to change them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from cupysim.constants import ANGSTROM
from cupysim.errors import ModelError
from cupysim.maths.arrays import dot
from cupysim.models import absorber_parameters as absorbers
from cupysim.models import background_parameters as background
from cupysim.models import diffuse_parameters as diffuse
from cupysim.models import polarization_parameters as light
from cupysim.models import sample_parameters as sample
from cupysim.models.cell_change import with_other_cell
from cupysim.models.cell_spread_parameters import EDGE_SPREADS
from cupysim.models.conventions import Pivot
from cupysim.models.crystal_names import numbered
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.panel_motion import TURNS, motion_of, moved, panels_of
from cupysim.models.parameter_families import family_of, has_own_numbers
from cupysim.models.source_parameters import DIVERGENCE, WIDTHS, without_own_wavelength
from cupysim.models.spot_shape import ELLIPSOIDAL

DEGREE = math.pi / 180.0
"""One degree (rad)."""

MILLIMETRE = 1e-3
"""One millimetre (m)."""

GROUPS: dict[str, tuple[str, ...]] = {
    "misset": ("misset_x", "misset_y", "misset_z"),
    "cell": ("cell_a", "cell_b", "cell_c", "cell_alpha", "cell_beta", "cell_gamma"),
    "n_cells": ("n_a", "n_b", "n_c"),
    "n_cells_off_diagonal": ("n_ab", "n_bc", "n_ac"),
    "mosaic_spreads": (
        "mosaic_a", "mosaic_b", "mosaic_c", "mosaic_ab", "mosaic_bc", "mosaic_ac"
    ),
    "edge_spreads": EDGE_SPREADS,
    "beam_centre": ("beam_fast", "beam_slow"),
    "rotation": ("rotation_x", "rotation_y", "rotation_z"),
    "diffuse_gamma": diffuse.GAMMA,
    "diffuse_sigma": diffuse.SIGMA,
}  # fmt: skip
"""Names that stand for several parameters."""


@dataclass(frozen=True)
class Limit:
    """Default for the largest change of a parameter in a fit.

    Parameters
    ----------
    within : float
        Largest change from the start, in the parameter's shown unit.
    relative : bool
        Whether `within` is a fraction of the start value instead.
    """

    within: float
    relative: bool = False


@dataclass(frozen=True)
class Parameter:
    """Units, limit and use of a parameter of an experiment.

    Parameters
    ----------
    unit : str
        Unit of its value, and of derivatives with respect to it.
    shown_unit : str
        Unit of its value in reports and options.
    size : float
        One shown unit, expressed in `unit`.
    limit : Limit
        Default for its largest change in a fit.
    decimals : int
        Number of decimals of its shown value.
    of_crystal : bool
        Whether each crystal of a shot has its own value; otherwise a shot has one value.
    varies : bool
        Whether it may vary between the shots of a campaign under its own name.
    told : bool
        Whether campaigns write its value for each shot or crystal.
    """

    unit: str
    shown_unit: str
    size: float
    limit: Limit
    decimals: int = 4
    of_crystal: bool = False
    varies: bool = True
    told: bool = False


_TURN = Parameter("rad", "deg", DEGREE, Limit(2.0))
_PLACE = Parameter("m", "mm", MILLIMETRE, Limit(2.0), told=True)
_LENGTH = Parameter("m", "mm", MILLIMETRE, Limit(0.99, True), 6)
PLACING = ("distance", *GROUPS["beam_centre"])
"""Parameters that a given origin of the detector overrules."""

PARAMETERS: dict[str, Parameter] = {
    **dict.fromkeys(GROUPS["misset"], replace(_TURN, of_crystal=True, varies=False)),
    **dict.fromkeys(
        GROUPS["cell"][:3],
        Parameter("Angstrom", "A", 1.0, Limit(0.03, True), of_crystal=True, told=True),
    ),
    **dict.fromkeys(
        GROUPS["cell"][3:],
        Parameter("rad", "deg", DEGREE, Limit(3.0), of_crystal=True, told=True),
    ),
    **dict.fromkeys(
        GROUPS["n_cells"],
        Parameter("cells", "cells", 1.0, Limit(0.7, True), 2, of_crystal=True, told=True),
    ),
    **dict.fromkeys(
        GROUPS["n_cells_off_diagonal"],
        Parameter("cells", "cells", 1.0, Limit(math.inf), 2, of_crystal=True),
    ),
    "mosaic_spread": Parameter("rad", "deg", DEGREE, Limit(0.9, True), of_crystal=True, told=True),
    **dict.fromkeys(
        GROUPS["mosaic_spreads"][:3],
        Parameter("rad", "deg", DEGREE, Limit(0.9, True), of_crystal=True),
    ),
    **dict.fromkeys(
        GROUPS["mosaic_spreads"][3:], replace(_TURN, limit=Limit(1.0), of_crystal=True)
    ),
    **dict.fromkeys(EDGE_SPREADS, Parameter("", "%", 0.01, Limit(2.0), of_crystal=True)),
    "wavelength": Parameter("m", "A", ANGSTROM, Limit(0.02, True), 6),
    **dict.fromkeys(WIDTHS, Parameter("", "%", 0.01, Limit(0.99, True))),
    **dict.fromkeys(DIVERGENCE, Parameter("rad", "mrad", 1e-3, Limit(0.99, True))),
    "distance": replace(_PLACE, limit=Limit(0.05, True)),
    **dict.fromkeys(GROUPS["beam_centre"], _PLACE),
    **dict.fromkeys(GROUPS["rotation"], _TURN),
    "twotheta": _TURN,
    "phi": _TURN,
    "fluence": Parameter("photons/m^2", "photons/m^2", 1.0, Limit(0.99, True), told=True),
    "scale": Parameter("", "", 1.0, Limit(math.inf), varies=False),
    "crystal_scale": Parameter("", "", 1.0, Limit(0.99, True), of_crystal=True),
    background.BACKGROUND_SCALE: Parameter("", "", 1.0, Limit(math.inf)),
    **dict.fromkeys(sample.POSITION, replace(_PLACE, told=False)),
    **dict.fromkeys(absorbers.AROUND_PLACE, replace(_PLACE, told=False)),
    **dict.fromkeys((*sample.BODY_SIZES, *sample.PROFILE, *absorbers.AROUND_SIZES), _LENGTH),
    absorbers.ABSORPTION_SIZE: _LENGTH,
    absorbers.AROUND_ATTENUATION: Parameter("1/m", "1/mm", 1e3, Limit(0.99, True)),
    sample.ATTENUATION: Parameter("1/m", "1/mm", 1e3, Limit(0.99, True)),
    **dict.fromkeys(sample.DOSES, Parameter("Gy", "MGy", 1e6, Limit(math.inf))),
    "half_dose": Parameter("Gy", "MGy", 1e6, Limit(0.99, True)),
    "decay_b": Parameter("m^2/Gy", "A^2/MGy", ANGSTROM**2 / 1e6, Limit(math.inf)),
    **dict.fromkeys(light.STOKES, Parameter("", "", 1.0, Limit(2.0))),
    sample.SIZES: Parameter("", "%", 0.01, Limit(0.99, True), of_crystal=True),
    **dict.fromkeys(
        diffuse.OF_DIFFUSE, Parameter("m", "A", ANGSTROM, Limit(0.99, True), of_crystal=True)
    ),
}
"""Parameters that are numbers. A new one needs an entry here, its value and its change below, and a
row of slopes in `cupysim.plan.gradient_rows`."""


OF_ONE_PANEL = frozenset((*PLACING, *GROUPS["rotation"], "twotheta"))
"""Parameters that only detectors of one panel have; motions replace them for panels."""


def parameter(name: str) -> Parameter:
    """Units, limit and use of a parameter.

    Parameters
    ----------
    name : str
        One of `PARAMETERS`, or a motion of panels (`cupysim.models.panel_motion`). The number of a
        crystal may follow (`cupysim.models.crystal_names`).

    Raises
    ------
    KeyError
        If there is no such parameter.
    """
    motion = motion_of(name)
    if motion is None:
        return PARAMETERS[numbered(name)[0]]
    return replace(_TURN if motion[0] in TURNS else _PLACE, varies=False, told=False)


def current(experiment: Experiment, name: str) -> float:
    """Value of a parameter, in the unit of its derivative.

    Parameters
    ----------
    experiment : Experiment
        Experiment that has the parameter.
    name : str
        A name as for `parameter`.

    Returns
    -------
    float
        The value. It is 1 for the scale, and 0 for motions, which start at the present place.

    Raises
    ------
    ModelError
        If the experiment has no such parameter.
    """
    crystal, beam = experiment.crystal, experiment.beam
    if motion_of(name) is not None:
        panels_of(experiment, name)
        return 0.0
    name, number = (name, 1) if has_own_numbers(name) else numbered(name)
    if number > 1:
        return current(experiment.only_crystal(number), name)
    if name in OF_ONE_PANEL:
        return _of_detector(experiment, name)
    if family := family_of(name):
        return family.current(experiment, name)
    if name in GROUPS["misset"]:
        return float((crystal.misset or (0.0, 0.0, 0.0))[GROUPS["misset"].index(name)])
    if name in GROUPS["cell"]:
        lattice = experiment.lattice
        return float([*lattice.lengths, *lattice.angles][GROUPS["cell"].index(name)])
    if name in GROUPS["n_cells"]:
        return experiment.cell_counts[GROUPS["n_cells"].index(name)]
    if name in GROUPS["n_cells_off_diagonal"]:
        return crystal.n_cells_off_diagonal[GROUPS["n_cells_off_diagonal"].index(name)]
    if name in GROUPS["mosaic_spreads"]:
        names = spread_names(experiment)
        return crystal.mosaicity.spreads[names.index(name)] if name in names else 0.0
    return {
        "mosaic_spread": crystal.mosaicity.spread,
        "wavelength": beam.central_wavelength,
        "phi": experiment.scan.start,
        "fluence": beam.fluence,
        "scale": 1.0,
        "crystal_scale": crystal.scale,
    }[name]


def _of_detector(experiment: Experiment, name: str) -> float:
    """Value of a parameter of a detector of one panel."""
    detector = experiment.detector
    if not isinstance(detector, Detector):
        raise ModelError(f"parameter {name!r}: {without_effect(experiment, name)}")
    if name in GROUPS["rotation"]:
        return detector.angles.lab[GROUPS["rotation"].index(name)]
    if detector.origin is not None and name in PLACING:
        return _of_origin(experiment, name)
    if name in GROUPS["beam_centre"]:
        # the direct beam if it is the pivot, otherwise the point of normal incidence
        placed, geometry = experiment.placed_panel, experiment.geometry
        pair = (geometry.close_fast, geometry.close_slow)
        if placed.pivot is not Pivot.SAMPLE:
            pair = (placed.centre.fast, placed.centre.slow)
        return pair[name == "beam_slow"]
    close = detector.close_distance
    return {
        "distance": detector.distance if close is None else close,
        "twotheta": detector.angles.twotheta,
    }[name]


def spread_names(experiment: Experiment) -> tuple[str, ...]:
    """Names of the mosaic spreads of an experiment's crystal.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    """
    count = len(experiment.crystal.mosaicity.spreads)
    return ("mosaic_spread",) if count == 1 else GROUPS["mosaic_spreads"][:count]


def without_effect(experiment: Experiment, name: str) -> str:
    """Reason why a parameter has no effect on an experiment; empty if it has one.

    Parameters
    ----------
    experiment : Experiment
        Experiment that has the parameter.
    name : str
        One of `PARAMETERS`.
    """
    detector = experiment.detector
    if name in OF_ONE_PANEL and not isinstance(detector, Detector):
        return "the detector has panels; move them with shift_x:GROUP, turn_x:GROUP and so on"
    if isinstance(detector, Detector) and detector.origin is not None and name in PLACING:
        return "the detector's origin is given and overrides it"
    if family := family_of(name):
        return family.without_effect(experiment, name)
    if name == "wavelength":
        return without_own_wavelength(experiment)
    spreads = ("mosaic_spread", *GROUPS["mosaic_spreads"])
    if name in spreads and name not in (known := spread_names(experiment)):
        return f"the crystal has another mosaic model, with {', '.join(known)}"
    shape = experiment.crystal.shape
    if name in GROUPS["n_cells_off_diagonal"] and shape not in ELLIPSOIDAL:
        return f"spots of the shape {shape} have no numbers off the diagonal"
    return ""


def _of_origin(experiment: Experiment, name: str) -> float:
    """Distance, or place of the direct beam (m), of a detector with a given origin."""
    geometry, beam = experiment.geometry, experiment.frame.beam
    if name == "distance":
        return geometry.distance
    # infinitely far if the detector is edge-on
    approach = float(dot(beam, geometry.normal))
    way = float(dot(geometry.origin, geometry.normal)) / approach if approach else math.inf
    axis = geometry.fast if name == "beam_fast" else geometry.slow
    return float(dot(way * beam - geometry.origin, axis))


def changed(experiment: Experiment, name: str, by: float) -> Experiment:
    """Return the experiment with one parameter changed.

    Parameters
    ----------
    experiment : Experiment
        Experiment to start from.
    name : str
        A name as for `parameter`, except the scale and the numbers of cells. A changed number of
        cells is not an integer, so only plans can have it.
    by : float
        Change, in the unit of the parameter's derivative.

    Returns
    -------
    Experiment
        Changed experiment.

    Raises
    ------
    ModelError
        If the change is impossible, or the parameter has no effect.
    """
    if motion_of(name) is not None:
        return moved(experiment, name, by)
    name, number = (name, 1) if has_own_numbers(name) else numbered(name)
    if number > 1:
        other = changed(experiment.only_crystal(number), name, by).crystal
        return experiment.with_crystal(number, other)
    crystal, beam = experiment.crystal, experiment.beam
    if name in GROUPS["misset"]:
        misset = list(crystal.misset or (0.0, 0.0, 0.0))
        misset[GROUPS["misset"].index(name)] += by
        return replace(experiment, crystal=replace(crystal, misset=tuple(misset)))
    if name in GROUPS["cell"]:
        return replace(
            experiment, crystal=with_other_cell(experiment, GROUPS["cell"].index(name), by)
        )
    if name in GROUPS["n_cells_off_diagonal"]:
        off_diagonal = list(crystal.n_cells_off_diagonal)
        off_diagonal[GROUPS["n_cells_off_diagonal"].index(name)] += by
        ab, bc, ac = off_diagonal
        ellipsoid = replace(crystal, n_cells_off_diagonal=(ab, bc, ac))
        return replace(experiment, crystal=ellipsoid)
    if name == "mosaic_spread" or name in GROUPS["mosaic_spreads"]:
        names = spread_names(experiment)
        if name not in names:
            raise ModelError(f"parameter {name!r}: {without_effect(experiment, name)}")
        mosaicity = crystal.mosaicity.changed(names.index(name), by)
        return replace(experiment, crystal=replace(crystal, mosaicity=mosaicity))
    if family := family_of(name):
        return family.changed(experiment, name, by)
    if name == "crystal_scale":
        return replace(experiment, crystal=replace(crystal, scale=crystal.scale + by))
    if name == "wavelength":
        return replace(experiment, beam=beam.with_wavelength(beam.central_wavelength + by))
    if name == "fluence":
        return replace(experiment, beam=replace(beam, fluence=beam.fluence + by))
    if name == "phi":
        scan = replace(experiment.scan, start=experiment.scan.start + by)
        return replace(experiment, scan=scan)
    return replace(experiment, detector=_moved(experiment, name, by))


def _moved(experiment: Experiment, name: str, by: float) -> Detector:
    reason = without_effect(experiment, name)
    if reason:
        raise ModelError(f"parameter {name!r}: it has no effect: {reason}")
    detector = experiment.one_panel(f"parameter {name!r}")
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
    if name in GROUPS["beam_centre"]:
        fast, slow = (by if each == name else 0.0 for each in GROUPS["beam_centre"])
        return detector.with_beam_moved(fast, slow, experiment.policy)
    raise ModelError(f"parameter {name!r}: only plans can change it, not an experiment")
