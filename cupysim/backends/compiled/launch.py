"""The launch of an image: the struct of `cuda_src/launch.cuh`, filled from a plan."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from cupysim.backends.compiled.records import number_members, struct_type
from cupysim.plan.axes import arrays_of, tables_of
from cupysim.plan.render_plan import RenderPlan


def describe(plan: RenderPlan, shot: int, panel: int) -> np.ndarray:
    """The part of a launch that is the same for all pixels and steps of an image.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    shot, panel : int
        Which image.

    Returns
    -------
    ndarray of ``Launch``, shape ()
        Addresses, pixels and steps are zero.
    """
    return describe_shots(plan, slice(shot, shot + 1), panel).reshape(())


def describe_shots(plan: RenderPlan, shots: slice, panel: int) -> np.ndarray:
    """What `describe` gives for each of several shots.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    shots : slice
        Which shots.
    panel : int
        Which panel.

    Returns
    -------
    ndarray of ``Launch``, shape (n_shots,)
        Addresses, pixels and steps are zero.
    """
    launch = np.zeros(len(plan.background[shots]), dtype=struct_type("Launch"))
    for name, value in (_of_same_name(plan, shots, panel) | _others(plan, shots)).items():
        launch[name] = value
    return launch


def _of_same_name(plan: RenderPlan, shots: slice, panel: int) -> dict[str, Any]:
    """Numbers of the plan and its tables that the launch has too."""
    found: dict[str, Any] = {}
    members = number_members("Launch")
    for _, table in tables_of(plan):
        axes = arrays_of(type(table))
        for field in fields(table):
            if field.name not in members:
                continue
            value = getattr(table, field.name)
            if axes.get(field.name, ())[:2] == ("shots", "panels"):
                value = value[shots, panel]
            elif axes.get(field.name, ())[:1] == ("shots",):
                value = value[shots]
            found[field.name] = value
    return found


def _others(plan: RenderPlan, shots: slice) -> dict[str, Any]:
    bend, table = plan.panels.bend, plan.factors.table
    found = {
        "first_row": plan.rows.start,
        "first_column": plan.columns.start,
        "n_columns": max(plan.columns.stop - plan.columns.start, 1),
        "n_fast": plan.shape[3],
        "is_curved": bend is not None,
        "n_sources": len(plan.sources.channel),
        "n_crystals": plan.crystals.n_crystals,
        "orientations_each": plan.crystals.n_orientations,
        "grid": _grids(plan, shots),
        "channel_size": table[0].size,
        "table_shape": table.shape[1:],
        "first_index": plan.factors.first,
        "constant_factor": 1.0,
        "term_scale": np.square(plan.factors.largest),
    }
    if bend is not None:
        found |= {
            "bend_radial": bend.radial,
            "bend_radius": bend.radius,
            "bend_centre": bend.centre,
            "bend_axes": bend.axes.reshape(-1),
            "bend_measures": bend.measures.reshape(-1),
            "bend_offsets": bend.offsets,
        }
    return found


def _grids(plan: RenderPlan, shots: slice) -> np.ndarray:
    """1.5 2^23 times the grid to which pairs of floats round products of vectors, for each shot.

    The grid is as fine as the largest Miller index allows: partial sums stay
    below 2^21 grid steps, half of what floats hold exactly.
    """
    cells = plan.crystals.phi_cells[shots]
    lengths = np.sqrt((cells**2).sum(axis=-1)).reshape(len(cells), -1)
    largest = 2.0 * lengths.max(axis=1) / plan.sources.wavelength[shots].min(axis=1)
    return np.asarray(1.5 * 2.0 ** (23 + np.ceil(np.log2(np.maximum(largest, 1.0))) - 21))
