"""Integrals of |F_latt|^2 over the Ewald sphere near reflections, and places of the maxima."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import assert_never

import numpy as np

from cupysim.maths import spot_profiles
from cupysim.maths.arrays import norm
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.spot_shapes import SPOT_SHAPES, Measure, SpotSize
from cupysim.prediction.candidates import Steps


@dataclass(frozen=True)
class Pairs:
    """Pairs of a reflection and a step that brings it near the Ewald sphere.

    Parameters
    ----------
    reflections, steps : ndarray of int, shape (n,)
        Numbers of reflection and step.
    rays : ndarray, shape (n, 3)
        Wave vectors of the scattered photons (1/m).
    lengths : ndarray, shape (n,)
        Lengths of these (1/m).
    distances : ndarray, shape (n,)
        Distances from the sphere (1/m), positive outside.
    """

    reflections: np.ndarray
    steps: np.ndarray
    rays: np.ndarray
    lengths: np.ndarray
    distances: np.ndarray

    def __len__(self) -> int:
        return len(self.reflections)

    def __getitem__(self, chosen: slice) -> Pairs:
        return Pairs(*(getattr(self, each.name)[chosen] for each in fields(self)))


class Sections:
    """Integrals of |F_latt|^2 over the Ewald sphere near reflections.

    Parameters
    ----------
    plan : RenderPlan
        Plan, for the shape of the spots.
    size : SpotSize
        Size of the spots.
    steps : Steps
        Steps of the image.
    pairs : Pairs
        Reflections near the sphere.
    """

    def __init__(self, plan: RenderPlan, size: SpotSize, steps: Steps, pairs: Pairs) -> None:
        self._shape = SPOT_SHAPES[plan.crystals.shape]
        self._size, self._pairs = size, pairs
        normal = pairs.rays / pairs.lengths[:, None]
        if self._shape.measure is Measure.DISTANCE:
            # matrix from dq to the vector that measures the distance from the reflection
            to_spot = size.to_spot(steps.cells)
            self._from_spot = np.linalg.inv(to_spot)[pairs.steps]
            self._slopes = _row_times(normal, self._from_spot)
            self._steepness = norm(self._slopes)
            self._stretch = self._steepness * np.abs(np.linalg.det(to_spot))[pairs.steps]
        else:
            self._star = np.linalg.inv(steps.cells)[pairs.steps]
            self._projections = _row_times(normal, self._star)
            self._volume = np.abs(np.linalg.det(steps.cells))[pairs.steps]

    def _at(self, distance: np.ndarray) -> np.ndarray:
        shape, size = self._shape, self._size
        match shape.measure:
            case Measure.DISTANCE:
                scaled = distance / self._steepness
                return shape.section(scaled, size.height, size.fudge) / self._stretch
            case Measure.INDICES | Measure.OFFSETS:
                return shape.section(
                    self._projections, distance, size.n_cells, self._volume, size.fudge
                )
            case _:
                assert_never(shape.measure)

    def by_sphere(self) -> np.ndarray:
        """Integrals over the Ewald sphere (1/m^2), shape (n,)."""
        return self._at(self._pairs.distances)

    def through_reflection(self) -> np.ndarray:
        """Integrals with the reflection exactly on the sphere (1/m^2), shape (n,)."""
        return self._at(np.zeros(len(self._pairs)))

    def offsets(self) -> np.ndarray:
        """Vectors (1/m) to the reflection from the highest point of its transform on the sphere."""
        distance = self._pairs.distances
        if self._shape.measure is Measure.DISTANCE:
            along = (distance / self._steepness**2)[:, None] * self._slopes
            return _row_times(along, np.swapaxes(self._from_spot, -1, -2))
        nearest = spot_profiles.nearest_offset(self._projections, distance, self._size.n_cells)
        return -_row_times(nearest, np.swapaxes(self._star, -1, -2))


def _row_times(rows: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Multiply each row vector by its matrix."""
    return np.asarray((rows[:, None, :] @ matrices)[:, 0, :])
