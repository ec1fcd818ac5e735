"""The body of the sample: its form, size and place in the beam."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.checks import assign, finite, member, three


class BodyForm(StrEnum):
    """Form of a body."""

    BOX = "box"
    ELLIPSOID = "ellipsoid"


@dataclass(frozen=True)
class Body:
    """A body that turns with the spindle: the sample, which crystals fill evenly, or matter around.

    Its axes at spindle angle zero are the beam, the polarization axis of the frame (horizontal),
    and the product beam x polarization axis (vertical).

    Parameters
    ----------
    form : BodyForm
        Form of the body.
    size : tuple of 3 float
        Edges of a box, or diameters of an ellipsoid, along these axes (m).
    position : tuple of 3 float
        Place of its centre relative to the point where beam and spindle cross, along these axes
        (m).
    attenuation : float
        Attenuation coefficient of the body (1/m).

    Raises
    ------
    ModelError
        If a size is not positive, or the coefficient is negative.
    """

    form: BodyForm
    size: tuple[float, float, float]
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    attenuation: float = 0.0

    def __post_init__(self) -> None:
        assign(self, form=member(BodyForm, self.form, "body: form"))
        for name in ("size", "position"):
            values = three(getattr(self, name), f"body: {name}")
            assign(self, **{name: tuple(finite(value, f"body: {name}") for value in values)})
        if not min(self.size) > 0.0:
            raise ModelError(f"body: sizes must be positive, got {self.size} m")
        assign(self, attenuation=finite(self.attenuation, "body: attenuation"))
        if self.attenuation < 0.0:
            raise ModelError(f"body: attenuation must not be negative, got {self.attenuation:g}/m")

    @property
    def corners(self) -> np.ndarray:
        """Corners of a box relative to its centre, along its axes (m); none for an ellipsoid."""
        if self.form is BodyForm.ELLIPSOID:
            return np.empty((0, 3))
        signs = np.stack(np.meshgrid(*[[-0.5, 0.5]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        return np.asarray(signs * np.array(self.size))

    @property
    def volume(self) -> float:
        """Volume of the body (m^3)."""
        whole = float(np.prod(self.size))
        return whole if self.form is BodyForm.BOX else whole * math.pi / 6.0

    def chords(self, points: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where lines enter and leave the body.

        Parameters
        ----------
        points : ndarray, shape (n, 3)
            Points of the lines relative to the centre, along the body's axes (m).
        direction : ndarray, shape (3,)
            Direction of the lines, a unit vector along the same axes.

        Returns
        -------
        enter, leave : ndarray, shape (n,)
            Distances from the points along the direction (m). For lines beside the body, `leave`
            is not above `enter`.
        """
        half = 0.5 * np.array(self.size)
        if self.form is BodyForm.BOX:
            with np.errstate(divide="ignore", invalid="ignore"):
                faces = np.stack([(sign * half - points) / direction for sign in (-1.0, 1.0)])
            beside = (np.abs(points) > half) & (direction == 0.0)
            faces[:, :, direction == 0.0] = np.array([-np.inf, np.inf])[:, None, None]
            enter, leave = faces.min(axis=0).max(axis=1), faces.max(axis=0).min(axis=1)
            return enter, np.where(beside.any(axis=1), enter, leave)
        place, ray = points / half, direction / half
        a, b = float(ray @ ray), place @ ray
        root = np.sqrt(np.maximum(b * b - a * ((place * place).sum(axis=1) - 1.0), 0.0))
        return (-b - root) / a, (-b + root) / a

    def distance(self, points: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Distance along a direction from points inside the body to its surface.

        Parameters
        ----------
        points : ndarray, shape (..., 3)
            Places relative to the centre, along the body's axes (m).
        direction : ndarray, shape (..., 3)
            Unit vectors along the same axes.

        Returns
        -------
        ndarray, shape (...)
            Distances (m).
        """
        half = 0.5 * np.array(self.size)
        if self.form is BodyForm.BOX:
            with np.errstate(divide="ignore", invalid="ignore"):
                # the face towards which the direction points
                to_face = (np.copysign(half, direction) - points) / direction
            return np.asarray(np.where(direction == 0.0, np.inf, to_face).min(axis=-1))
        place, ray = points / half, direction / half
        a, b = (ray * ray).sum(axis=-1), (ray * place).sum(axis=-1)
        c = (place * place).sum(axis=-1) - 1.0
        return np.asarray((np.sqrt(np.maximum(b * b - a * c, 0.0)) - b) / a)


def optical_depth(bodies: Sequence[Body], points: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Exponent of the absorption between points of a body and the outside, without unit.

    Parameters
    ----------
    bodies : sequence of Body
        The body where rays begin, then those around it. Where bodies overlap, the matter is that of
        the first one.
    points : ndarray, shape (n, 3)
        Places in the first body, relative to its centre, along the axes of the bodies (m).
    direction : ndarray, shape (3,)
        Direction of the rays, a unit vector along the same axes.

    Returns
    -------
    ndarray, shape (n,)
        Sum over the bodies of the attenuation coefficient times the length in their matter. A
        fraction exp(-depth) of the photons gets through, in either direction.
    """
    first, *others = bodies
    leave = first.distance(points, direction)
    total = first.attenuation * leave
    begins, ends, covered = [np.zeros_like(leave)], [leave], leave
    for body in others:
        offset = np.array(first.position) - np.array(body.position)
        enter, leave = body.chords(points + offset, direction)
        begins.append(np.maximum(enter, 0.0))
        ends.append(np.maximum(leave, begins[-1]))
        # the length in this body and in those before it, without what counts twice
        union = _union_length(np.stack(begins), np.stack(ends))
        total = total + body.attenuation * (union - covered)
        covered = union
    return np.asarray(total)


def _union_length(begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Length of the union of intervals, shape (n,); a column has the intervals of a ray."""
    order = np.argsort(begins, axis=0)
    begins, ends = (np.take_along_axis(each, order, axis=0) for each in (begins, ends))
    total, reached = np.zeros(begins.shape[1]), np.full(begins.shape[1], -np.inf)
    for begin, end in zip(begins, ends, strict=True):
        total += np.maximum(end - np.maximum(begin, reached), 0.0)
        reached = np.maximum(reached, end)
    return total
