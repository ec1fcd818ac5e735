"""What a kernel is told: the struct of `cuda_src/launch.cuh`, filled from a plan."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np

from cupysim.maths.lattice_factor import GAUSS_WIDTH
from cupysim.maths.polarization import polarization_form
from cupysim.models.crystal import Shape
from cupysim.native import sources
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.spot_shapes import SPOT_SHAPES

FIELD = re.compile(r"FIELD\(([\w :*]+?), (\w+), (\d+)\)")
"""A line of the list of fields in ``launch.cuh``."""

SHAPES = tuple(SPOT_SHAPES)
"""Crystal shapes in the order of the kernel's enumeration."""


class Precision(IntEnum):
    """In which numbers a kernel computes, as the kernel counts them."""

    DOUBLE = 0
    MIXED = 1
    PAIRS = 2


class Factors(IntEnum):
    """Where structure factors come from, as the kernel counts them."""

    CONSTANT = 0
    NEAREST = 1
    TRICUBIC = 2


@dataclass(frozen=True)
class Variant:
    """What is known of a kernel when it is compiled.

    Parameters
    ----------
    precision : Precision
        Types of the numbers.
    shape : Shape
        Lattice transform.
    factors : Factors
        Structure factors.
    running : bool
        Factors multiply the running sum at each step (quirk Q14).
    """

    precision: Precision
    shape: Shape
    factors: Factors
    running: bool


LARGEST_MIXED = 2**18
"""Cells along an axis up to which mixed precision reads phases off the low word of N h."""


def suited_precision(
    precision: Precision, factors: Factors, largest_count: float = 1.0
) -> Precision:
    """The precision in which structure factors of this kind are computed.

    Interpolation sums large terms of both signs, of which floats lose too much; it gains
    nothing from them either, since it waits for its table. Crystals of very many cells, the
    largest number of which along an axis is given, ask for more digits than floats have.
    """
    if factors is Factors.TRICUBIC or largest_count > LARGEST_MIXED:
        return Precision.DOUBLE
    return precision


@cache
def launch_type() -> np.dtype:
    """The struct as a NumPy type, read from the header which declares it."""
    text = sources.folder().joinpath("launch.cuh").read_text()
    fields = []
    for kind, name, count in FIELD.findall(text):
        code = {"double": np.float64, "Int": np.int64}.get(kind, np.uintp)
        fields.append((name, code, (int(count),)))
    return np.dtype(fields, align=True)


def describe(plan: RenderPlan, shot: int, panel: int) -> np.ndarray:
    """The part of a launch which is the same for all pixels and steps of an image.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    shot, panel : int
        Which image.

    Returns
    -------
    ndarray of `launch_type`, shape ()
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
    ndarray of `launch_type`, shape (n_shots,)
        Addresses, pixels and steps are zero.
    """
    panels, at = plan.panels, (shots, panel)
    launch = np.zeros(len(panels.origin[shots]), dtype=launch_type())
    values: dict[str, object] = {
        "first_row": plan.rows.start,
        "first_column": plan.columns.start,
        "n_columns": max(plan.columns.stop - plan.columns.start, 1),
        "n_fast": plan.shape[3],
        "origin": panels.origin[at],
        "fast": panels.fast[at],
        "slow": panels.slow[at],
        "normal": panels.normal[at],
        "close_distance": panels.close_distance[at][:, None],
        "curved": panels.bend is not None,
        "pixel_size": panels.pixel_size,
        "pixel_area": panels.pixel_area,
        "layer_step": panels.layer_step,
        "attenuation": panels.attenuation,
        "point_pixel": panels.point_pixel,
        "absorbs_all": panels.absorbs_all,
        "n_layers": panels.n_layers,
        "oversample": plan.oversample,
        "capture_use": plan.capture_use,
        "polar_use": plan.polar_use,
        "omega_use": plan.omega_use,
        "dmin": plan.dmin,
        "n_sources": len(plan.sources.channel),
        "polarized": plan.sources.polarized,
        "n_crystals": plan.crystals.n_crystals,
        "orientations_each": plan.crystals.n_orientations,
        "fudge": plan.crystals.fudge,
        "grid": _grids(plan, shots)[:, None],
        "channel_size": int(np.prod(plan.factors.table.shape[1:])),
        "lengths": plan.factors.table.shape[1:],
        "first_index": plan.factors.first,
        "constant_factor": 1.0,
        "term_scale": np.square(largest_factor(plan)),
        "background": plan.background[shots, None],
        "ray_background": plan.ray_background[shots, None],
        "has_background": plan.has_background,
        "photons_per_squared_electron": plan.photons_per_squared_electron[shots, None],
        "n_steps": plan.n_steps,
    }
    if panels.bend is not None:
        values |= {
            "bend_radius": panels.bend.radius,
            "bend_centre": panels.bend.centre,
            "bend_axes": panels.bend.axes.reshape(-1),
            "bend_measures": panels.bend.measures.reshape(-1),
            "bend_offsets": panels.bend.offsets,
            "radial": panels.bend.radial,
        }
    for name, value in values.items():
        launch[name] = value
    return launch


def addresses(start: int, count: int, size: int) -> np.ndarray:
    """Where the parts of an array lie, a field of several launches.

    Parameters
    ----------
    start : int
        Where the array lies.
    count : int
        How many parts it has, one for each launch.
    size : int
        Bytes of a part.

    Returns
    -------
    ndarray of uintp, shape (n, 1)
        Addresses.
    """
    return np.uintp(start) + np.arange(count, dtype=np.uintp)[:, None] * np.uintp(size)


SOURCE_NUMBERS = 12
"""Numbers of a source."""


def source_bytes(plan: RenderPlan) -> int:
    """Bytes of a shot's sources."""
    return 8 * SOURCE_NUMBERS * len(plan.sources.channel)


def source_records(plan: RenderPlan, shots: slice) -> np.ndarray:
    """Sources as the kernel reads them.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    shots : slice
        Which shots.

    Returns
    -------
    ndarray of float64, shape (n_shots, n_sources, 12)
        Direction, wavelength (m), form of the polarization factor, channel, brightness.
    """
    sources = plan.sources
    incident = sources.incident[shots]
    form = polarization_form(sources.kahn, incident.reshape(-1, 3), sources.polarization_axis)
    records = np.empty((*incident.shape[:2], SOURCE_NUMBERS))
    records[..., :3], records[..., 3] = incident, sources.wavelength[shots]
    records[..., 4:10] = form.reshape(*incident.shape[:2], 6)
    records[..., 10], records[..., 11] = sources.channel, sources.weight[shots]
    return records


def crystal_records(plan: RenderPlan, shots: slice) -> np.ndarray:
    """Crystals as the kernel reads them.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    shots : slice
        Which shots.

    Returns
    -------
    ndarray of float64, shape (n_shots, n_crystals, 12)
        Cells along a, b, c; rows by which Gaussian and flat spots are measured, as the plan's but
        scaled so that Gaussian spots fall off as exp(-y).
    """
    crystals = plan.crystals
    n_cells = np.asarray(crystals.n_cells[shots], dtype=np.float64)
    counts = np.prod(np.asarray(crystals.spot_counts[shots], dtype=np.float64), axis=-1)
    spots = crystals.spot_axes[shots] * (counts / np.sqrt(GAUSS_WIDTH))[..., None, None]
    return np.concatenate([n_cells, spots.reshape(*n_cells.shape[:2], 9)], axis=-1)


def factor_records(plan: RenderPlan, precision: Precision) -> np.ndarray:
    """Structure factors as the kernel reads them: divided by the largest.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    precision : Precision
        Decides their type.

    Returns
    -------
    ndarray
        Of the shape of the plan's table.
    """
    kind = np.float64 if precision is Precision.DOUBLE else np.float32
    table = plan.factors.table / largest_factor(plan)
    return np.ascontiguousarray(table, dtype=kind)


def largest_factor(plan: RenderPlan) -> float:
    """The largest structure factor (electrons), or 1 if all are zero."""
    return plan.factors.largest


def matrix_records(cells: np.ndarray, precision: Precision) -> np.ndarray:
    """Orientations as the kernel reads them.

    Parameters
    ----------
    cells : ndarray, shape (n, 3, 3)
        Rows a, b, c (m).
    precision : Precision
        Decides their type.

    Returns
    -------
    ndarray
        Float64 of shape (n, 9), or high and low parts as float32 of shape (n, 18).
    """
    matrices = np.ascontiguousarray(cells, dtype=np.float64).reshape(-1, 9)
    if precision is not Precision.PAIRS:
        return matrices
    high = matrices.astype(np.float32)
    return np.concatenate([high, (matrices - high).astype(np.float32)], axis=1)


def _grids(plan: RenderPlan, shots: slice) -> np.ndarray:
    """1.5 2^23 times the grid to which pairs of floats round products of vectors, for each shot.

    The grid is as fine as the largest Miller index allows: partial sums stay
    below 2^21 grid steps, half of what floats hold exactly.
    """
    cells = plan.crystals.phi_cells[shots]
    lengths = np.sqrt((cells**2).sum(axis=-1)).reshape(len(cells), -1)
    largest = 2.0 * lengths.max(axis=1) / plan.sources.wavelength[shots].min(axis=1)
    return np.asarray(1.5 * 2.0 ** (23 + np.ceil(np.log2(np.maximum(largest, 1.0))) - 21))
