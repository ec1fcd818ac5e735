"""The launch of an image: the struct ``Launch`` of `cuda_src/launch.cuh`, filled from a plan."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupysim.backends.compiled.records import copied, number_members, struct_type
from cupysim.backends.compiled.variants import Precision
from cupysim.plan.axes import Table, arrays_of, tables_of
from cupysim.plan.render_plan import RenderPlan

OF_EACH_LAUNCH = frozenset(
    (
        "image", "image_first", "omega_sums", "state", "found", "found_indices",
        "numbers", "first_pixel", "n_pixels",
        "first_ray", "n_rays", "first_orientation", "n_orientations", "is_first_part",
        "is_last_part", "sources", "crystals", "materials", "factor_intervals",
        "diffuse_operations", "matrices",
        "first_matrix", "table",
        "groups", "n_parameters", "parameters", "parameter_columns",
        "n_spreads", "matrix_derivatives", "n_strained", "strains",
        "source_changes", "derivatives", "derivatives_stride",
        "capacity", "entry_places", "entry_values",
        "tolerated", "tiles", "tile_lanes", "tiles_across", "orientation_groups",
        "n_orientation_groups", "compact_matrices", "compact_stride", "block_maxima",
        "blocks_of_channel", "computed_terms", "largest_direct",
    )
)  # fmt: skip
"""Members that workers and engines fill: addresses, pixels and steps. The plan fills the others."""


class LaunchMaker:
    """Describes launches one after the other. It reuses what a launch shares with the last one."""

    def __init__(self) -> None:
        self._last: tuple[RenderPlan, int, np.ndarray] | None = None

    def __call__(
        self, plan: RenderPlan, shots: slice, panel: int, precision: Precision
    ) -> np.ndarray:
        """Make the part of launches that is the same for all pixels and steps of an image.

        Parameters
        ----------
        plan : RenderPlan
            Plan of the images.
        shots : slice
            Numbers of the shots.
        panel : int
            Number of the panel.
        precision : Precision
            Precision of the engine.

        Returns
        -------
        ndarray of ``Launch``, shape (n_shots,)
            Launches in which addresses, pixels and steps are still zero.
        """
        count = len(plan.background[shots])
        if count == 1 and self._last is not None:
            before, panel_before, launch = self._last
            if panel == panel_before and before.series is plan.series:
                launch = copied(launch)
                if before.crystals.series is not plan.crystals.series:
                    _fill(launch, _of_same_name(plan.crystals, shots, panel))
                    _fill(launch, _of_crystals(plan))
                _fill(launch, _of_orientations(plan, shots, precision))
                return launch
        launch = np.zeros(count, dtype=struct_type("Launch"))
        for table in tables_of(plan):
            _fill(launch, _of_same_name(table, shots, panel))
        _fill(launch, _of_crystals(plan))
        _fill(launch, _of_orientations(plan, shots, precision))
        _fill(launch, _others(plan))
        if plan.shape[0] == 1:
            self._last = plan, panel, copied(launch)
        return launch

    def of_panels(self, plan: RenderPlan, shots: slice, precision: Precision) -> np.ndarray:
        """Make the same part of launches for all panels of some shots.

        Parameters
        ----------
        plan, shots, precision
            As for a single panel.

        Returns
        -------
        ndarray of ``Launch``, shape (n_shots * n_panels,)
            Launches in the order of the images: the panels of a shot follow each other.
        """
        n_panels = plan.shape[1]
        launches = self(plan, shots, 0, precision)
        if n_panels == 1:
            return launches
        launches = np.repeat(launches, n_panels)
        for name, axes in _shared_names(type(plan.panels)):
            if "panels" in axes:
                value = getattr(plan.panels, name)[shots]
                launches[name] = value.reshape(-1, *value.shape[2:])
        return launches


def _fill(launch: np.ndarray, values: dict[str, Any]) -> None:
    for name, value in values.items():
        launch[name] = value


def _of_same_name(table: Table, shots: slice, panel: int) -> dict[str, Any]:
    """Numbers of a plan, or of one of its tables, that the launch has under the same name."""
    found: dict[str, Any] = {}
    for name, axes in _shared_names(type(table)):
        value = getattr(table, name)
        if axes:
            # a number or a vector for each shot
            place: dict[str | int, Any] = {"shots": shots, "panels": panel}
            value = value[tuple(place.get(axis, slice(None)) for axis in axes)]
        found[name] = value
    return found


_shared: dict[type, list[tuple[str, tuple[str | int, ...]]]] = {}


def _shared_names(kind: type[Table]) -> list[tuple[str, tuple[str | int, ...]]]:
    """Names that a class of the plan has in common with the launch, and the axes of its arrays."""
    if kind not in _shared:
        axes, members = arrays_of(kind), number_members("Launch")
        names = [name for name in kind.__annotations__ if name in members]
        _shared[kind] = [(name, tuple(axes.get(name, ()))) for name in names]
    return _shared[kind]


def _of_crystals(plan: RenderPlan) -> dict[str, Any]:
    return {
        "n_crystals": plan.crystals.n_crystals,
        "orientations_each": plan.crystals.n_orientations,
    }


def _of_orientations(plan: RenderPlan, shots: slice, precision: Precision) -> dict[str, Any]:
    return {"grid": _grids(plan, shots)} if precision is Precision.PAIRS else {}


def _others(plan: RenderPlan) -> dict[str, Any]:
    bend, factors, table = plan.panels.bend, plan.factors, plan.factors.table
    found = {
        "largest_kahn": plan.sources.largest_kahn,
        "first_row": plan.rows.start,
        "first_column": plan.columns.start,
        "n_columns": max(plan.columns.stop - plan.columns.start, 1),
        "n_fast": plan.shape[3],
        "is_curved": bend is not None,
        "n_sources": len(plan.sources.channel),
        "n_operations": plan.diffuse.n_operations,
        "n_materials": plan.amorphous.molecules.shape[1],
        "channel_size": table[0].size,
        "table_shape": table.shape[1:],
        "first_index": plan.factors.first,
        # the kernel's factors are divided by the largest; `term_scale` multiplies by its square
        "constant_factor": 1.0,
        "term_scale": np.square(factors.default if factors.is_constant else factors.largest),
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

    The grid is as fine as the largest Miller index allows. Partial sums stay below 2^21 grid
    steps, half of what floats hold exactly.
    """
    cells = plan.crystals.phi_cells[shots]
    lengths = np.sqrt((cells**2).sum(axis=-1)).reshape(len(cells), -1)
    largest = 2.0 * lengths.max(axis=1) / plan.sources.wavelength[shots].min(axis=1)
    return np.asarray(1.5 * 2.0 ** (23 + np.ceil(np.log2(np.maximum(largest, 1.0))) - 21))
