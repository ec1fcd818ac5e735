"""Photons, places and excitations of reflections, from the compiled library."""

from __future__ import annotations

import numpy as np

from cupysim.backends.compiled.variants import shape_number
from cupysim.models.spot_shape import Shape
from cupysim.plan.render_plan import RenderPlan, Use
from cupysim.plan.spot_shapes import SPOT_SHAPES, Measure, kernel_shape
from cupysim.prediction import spot_library
from cupysim.prediction.panel_reflections import ReflectionsOfPanel, StepSums


def has_sections(shape: Shape) -> bool:
    """Whether the compiled library is available, and has sections of this shape."""
    return spot_library.available() and spot_library.has_section(shape_number(kernel_shape(shape)))


def compiled_sums(reflections: ReflectionsOfPanel, weights: np.ndarray, fewest: float) -> StepSums:
    """Sum photons, positions and excitations over the steps.

    Parameters
    ----------
    reflections : ReflectionsOfPanel
        Reflections, and their steps. The library must have sections of their shape.
    weights : ndarray, shape (n_sources,)
        Weights of the sources, the same for all rays.
    fewest : float
        Smallest number of photons. Reflections with fewer photons even by an upper bound have sums
        of zero; 0 computes all reflections.
    """
    plan, size = reflections.plan, reflections.size
    sums = StepSums.zero(len(reflections.hkl))
    hkl = np.ascontiguousarray(reflections.hkl.T, dtype=np.float64)
    squares, steps = np.ascontiguousarray(reflections.squares), _step_records(reflections, weights)
    search = np.zeros((), dtype=spot_library.spot_search())
    search["hkl"], search["squares"] = hkl.ctypes.data, squares.ctypes.data
    search["n_channels"], search["n_reflections"] = squares.shape
    if fewest > 0.0 and (limits := reflections.limits) is not None:
        steps["bound_scale"], steps["bound_width"] = limits
    search["steps"], search["n_steps"] = steps.ctypes.data, len(steps)
    shape = plan.crystals.shape
    is_distance = SPOT_SHAPES[shape].measure is Measure.DISTANCE
    search["shape"] = shape_number(kernel_shape(shape))
    search["n_cells"] = 1.0 if is_distance else size.n_cells
    search["height"], search["fudge"] = size.height, size.fudge
    _describe_panel(search, plan, (reflections.shot, reflections.panel))
    search["fewest"] = fewest
    search["photons"], search["excitation"] = sums.photons.ctypes.data, sums.excitation.ctypes.data
    search["fast_sum"], search["slow_sum"] = sums.fast.ctypes.data, sums.slow.ctypes.data
    spot_library.add_spots(search)
    return sums


def _describe_panel(search: np.ndarray, plan: RenderPlan, at: tuple[int, int]) -> None:
    panels = plan.panels
    for name in (
        "origin", "normal", "fast", "slow", "pixel_fast", "pixel_slow", "layer_step", "attenuation"
    ):  # fmt: skip
        search[name] = getattr(panels, name)[at]
    search["n_layers"], search["absorbs_all"] = panels.n_layers, panels.absorbs_all
    search["captures_each"] = plan.capture_use is Use.EACH
    search["polarized"] = plan.sources.polarized


def _step_records(reflections: ReflectionsOfPanel, weights: np.ndarray) -> np.ndarray:
    """Sources and orientations as the library reads them."""
    plan, steps = reflections.plan, reflections.steps
    records = np.zeros(len(steps), dtype=spot_library.spot_step())
    star = np.linalg.inv(steps.cells)
    records["star"] = star.reshape(-1, 9)
    if SPOT_SHAPES[plan.crystals.shape].measure is Measure.DISTANCE:
        to_spot = reflections.size.to_spot(steps.cells)
        records["to_scattering"] = np.linalg.inv(to_spot).reshape(-1, 9)
        records["volume"] = np.abs(np.linalg.det(to_spot))
    else:
        records["to_scattering"] = records["star"]
        records["volume"] = np.abs(np.linalg.det(steps.cells))
    records["beam"] = steps.incident * steps.wavenumbers[:, None]
    records["wavenumber"], records["reach"] = steps.wavenumbers, reflections.reach
    if plan.sources.polarized:
        records["polarization"] = reflections.forms[steps.sources]
    records["weight"] = weights[steps.sources]
    records["channel"] = plan.sources.channel[steps.sources]
    return records
