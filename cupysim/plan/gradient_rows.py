"""Rows of the Jacobian: derivatives of the kernel's columns with respect to parameters."""

from __future__ import annotations

import numpy as np

from cupysim.maths.arrays import dot
from cupysim.maths.derivatives import cross_matrix, panel_slopes, turning_axes, upright_cell
from cupysim.models.background_parameters import BACKGROUND_SCALE, reason_for_no_background
from cupysim.models.cell_spread_parameters import EDGE_SPREADS, without_edge_spreads
from cupysim.models.conventions import PIVOTS, Pivot
from cupysim.models.detector import Detector
from cupysim.models.diffuse_parameters import OF_DIFFUSE, without_diffuse
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import GROUPS, OF_ONE_PANEL, spread_names, without_effect
from cupysim.models.polarization_parameters import STOKES, without_polarization
from cupysim.models.sample_parameters import SIZES as SPREAD_OF_SIZES
from cupysim.models.source_parameters import (
    OF_SOURCES,
    WIDTHS,
    without_own_wavelength,
    without_sources,
)
from cupysim.models.spot_shape import ELLIPSOIDAL
from cupysim.plan.diffuse_slopes import set_diffuse_rows
from cupysim.plan.fraction_slopes import reason_for_none, sample_without_slopes
from cupysim.plan.gradient_columns import (
    COLUMNS,
    INDICES,
    ORIGIN,
    PHOTONS,
    SIZES,
    SPREAD,
    WAVELENGTH,
)
from cupysim.plan.gradient_names import FACTORS, UNITS
from cupysim.plan.kinds import KindPlan
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.size_slopes import size_slopes
from cupysim.plan.source_slopes import SOURCE_COLUMNS


def parameter_rows(
    experiment: Experiment, part: KindPlan
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Derivatives of the kernel's columns with respect to all parameters of an experiment.

    Parameters
    ----------
    experiment : Experiment
        Experiment with one crystal.
    part : KindPlan
        A kind of domains of the crystal, and its plan.

    Returns
    -------
    rows : dict of ndarray, shape (56,)
        By the parameter's name, except for motions of panels.
    unavailable : dict of str
        Parameters without derivatives, and the reasons.
    """
    kind, plan, _ = part
    known = {name: np.zeros(COLUMNS) for name in UNITS}
    _set_crystal(known, experiment, plan)
    for name in known:
        indices = kind.setting @ known[name][INDICES:ORIGIN].reshape(3, 3)
        known[name][INDICES:ORIGIN] = (indices @ np.linalg.inv(kind.setting)).reshape(-1)
    counts = (*GROUPS["n_cells"], *GROUPS["n_cells_off_diagonal"])
    of_counts = np.array([known[name][SIZES:SPREAD] for name in counts])
    known[SPREAD_OF_SIZES][SIZES:SPREAD] = kind.growth * _cell_counts(plan) @ of_counts
    for name in counts:
        known[name][SIZES:SPREAD] *= kind.size
    unavailable = _set_panel(known, experiment)
    _set_scales(known, experiment, unavailable)
    if plan.has_background:
        unavailable["crystal_scale"] = "it has a background, which scale multiplies too; use scale"
    if plan.diffuse.n_operations:
        set_diffuse_rows(known, experiment)
    for name in OF_DIFFUSE:
        if lacking := without_diffuse(experiment, name):
            unavailable[name] = lacking
    if no_background := reason_for_no_background(experiment, BACKGROUND_SCALE):
        unavailable[BACKGROUND_SCALE] = no_background
    elif experiment.background_scale == 0.0:
        unavailable[BACKGROUND_SCALE] = "it is zero"
    unavailable |= sample_without_slopes(experiment)
    if polarization := without_polarization(experiment):
        unavailable |= dict.fromkeys(STOKES, polarization)
    if experiment.structure_factors.table is None:
        unavailable[FACTORS] = "there is no table of structure factors"
    if reason := reason_for_none(experiment):
        unavailable |= dict.fromkeys(OF_ONE_PANEL, reason)
    return known, unavailable


def _cell_counts(plan: RenderPlan) -> np.ndarray:
    """Na, Nb, Nc, Nab, Nbc, Nac of a plan of one crystal, shape (6,)."""
    crystals = plan.crystals
    if crystals.shape not in ELLIPSOIDAL:
        return np.append(crystals.n_cells[0, 0], np.zeros(3))
    matrix = crystals.spot_axes[0, 0]
    return np.append(np.diagonal(matrix), matrix[[0, 1, 0], [1, 2, 2]])


def _set_crystal(rows: dict[str, np.ndarray], experiment: Experiment, plan: RenderPlan) -> None:
    """Set derivatives E of Miller indices, h -> (1 + E) h: E is (dB) B^-1 for cell vectors B."""
    crystal, beam_frame = experiment.crystal, experiment.frame
    lattice, direct = experiment.lattice, experiment.oriented.direct
    inverse = np.linalg.inv(direct)
    misset = np.zeros(3) if crystal.misset is None else np.array(crystal.misset)
    axes = dict(zip(GROUPS["misset"], turning_axes(misset), strict=True))
    axes["phi"] = beam_frame.spindle
    for name, axis in axes.items():
        # the crystal and B^T turn; in the crystal's frame, q turns back
        rows[name][INDICES:ORIGIN] = (-direct @ cross_matrix(axis) @ inverse).reshape(-1)
    upright, slopes = upright_cell(lattice.lengths, lattice.angles)
    for name, slope in zip(GROUPS["cell"], slopes, strict=True):
        rows[name][INDICES:ORIGIN] = (slope @ np.linalg.inv(upright)).reshape(-1)
    for name, of_sizes in size_slopes(plan.crystals, upright, slopes).items():
        rows[name][SIZES:SPREAD] = of_sizes
    for number, name in enumerate((*spread_names(experiment), *EDGE_SPREADS)):
        rows[name][SPREAD + number] = 1.0


def _set_panel(rows: dict[str, np.ndarray], experiment: Experiment) -> dict[str, str]:
    """Set derivatives of the panel's geometry; return parameters without any, with the reason."""
    detector = experiment.detector
    names = (*GROUPS["rotation"], "twotheta", "distance", *GROUPS["beam_centre"])
    if not isinstance(detector, Detector):
        return {name: without_effect(experiment, name) for name in names}
    if detector.curved:
        return dict.fromkeys(names, "a curved detector has no such derivative")
    frame, about_sample = experiment.frame, experiment.placed_panel.pivot is Pivot.SAMPLE
    near = (0.0, 0.0)
    if about_sample and PIVOTS.get(detector.convention) is Pivot.BEAM:
        at_rest = float(dot(frame.beam, frame.normal))
        fast, slow = (-float(dot(frame.beam, v)) / at_rest for v in (frame.fast, frame.slow))
        near = fast, slow
    found = panel_slopes(
        experiment.geometry,
        (frame.fast, frame.slow, frame.normal),
        frame.beam,
        frame.twotheta_axis,
        detector.angles,
        distance=detector.distance if detector.close_distance is None else None,
        about_sample=about_sample,
        near_slopes=near,
        placed=detector.origin is not None,
    )
    for name, slopes in found.items():
        rows[name][ORIGIN:WAVELENGTH] = slopes
    lacking = set(names) - set(found)
    return {name: without_effect(experiment, name) for name in lacking}


def _set_scales(
    rows: dict[str, np.ndarray], experiment: Experiment, unavailable: dict[str, str]
) -> None:
    fluence = experiment.beam.fluence
    rows["scale"][PHOTONS] = 1.0
    rows["crystal_scale"][PHOTONS] = 1.0 / experiment.crystal.scale
    if fluence > 0.0:
        rows["fluence"][PHOTONS] = 1.0 / fluence
    else:
        unavailable["fluence"] = "it is zero, so there are no photons"
    _set_sources(rows, experiment, unavailable)
    spreads = ("mosaic_spread", *GROUPS["mosaic_spreads"])
    for name in (*spreads, *GROUPS["n_cells_off_diagonal"]):
        if without_effect(experiment, name):
            unavailable[name] = without_effect(experiment, name)
    if experiment.crystal.mosaicity.has_axes:
        unavailable["phi"] = "the axes of the mosaic spreads turn with it; use misset instead"
    if not experiment.crystal.mosaicity.spread > 0.0:
        unavailable |= dict.fromkeys(spreads, "the crystal has no mosaic spread")


def _set_sources(
    rows: dict[str, np.ndarray], experiment: Experiment, unavailable: dict[str, str]
) -> None:
    """Set the columns of the sources, and the reasons why some parameters have no derivative."""
    for name, column in SOURCE_COLUMNS.items():
        rows[name][column] = 1.0
    unavailable |= {
        name: reason for name in OF_SOURCES if (reason := without_sources(experiment, name))
    }
    if of_table := without_own_wavelength(experiment):
        unavailable["wavelength"] = of_table
    if experiment.structure_factors.channels is not None:
        of_factors = "structure factors change with it, and have no such derivative"
        for name in ("wavelength", *WIDTHS):
            unavailable.setdefault(name, of_factors)
    for name in EDGE_SPREADS:
        if reason := without_edge_spreads(experiment, name):
            unavailable[name] = reason
