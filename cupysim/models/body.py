"""The body of the sample: its form, size and place in the beam."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.checks import assign, finite, member, three


class BodyForm(StrEnum):
    """BodyForm of a body."""

    BOX = "box"
    ELLIPSOID = "ellipsoid"


@dataclass(frozen=True)
class Body:
    """The sample as a whole, which turns with the spindle: crystals fill it evenly.

    Its axes at spindle angle zero are those of the beam, horizontal (along the polarization axis)
    and vertical.

    Parameters
    ----------
    form : BodyForm
        BodyForm of the body.
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
            raise ModelError(f"body: sizes must be positive, got {self.size}")
        assign(self, attenuation=finite(self.attenuation, "body: attenuation"))
        if self.attenuation < 0.0:
            raise ModelError(f"body: attenuation must not be negative, got {self.attenuation:g}")

    def points(self, count: int, is_smooth: bool) -> tuple[np.ndarray, np.ndarray]:
        """Points of a quadrature over the body.

        Parameters
        ----------
        count : int
            Number of points along each axis, or of equal parts.
        is_smooth : bool
            Whether the integrand is smooth: then Gauss-Legendre points along the whole axis,
            otherwise two such points in each part.

        Returns
        -------
        points : ndarray, shape (n, 3)
            Places relative to the centre, along the body's axes (m).
        weights : ndarray, shape (n,)
            Shares of the volume; the sum is 1.
        """
        if is_smooth:
            nodes, shares = np.polynomial.legendre.leggauss(count)
        else:
            centres = (2.0 * np.arange(count) + 1.0) / count - 1.0
            nodes = (centres[:, None] + np.array([-1.0, 1.0]) / (math.sqrt(3.0) * count)).ravel()
            count *= 2
            shares = np.full(count, 2.0 / count)
        one, two, three_ = (each.ravel() for each in np.meshgrid(nodes, nodes, nodes))
        weights = np.prod([each.ravel() for each in np.meshgrid(shares, shares, shares)], axis=0)
        half = 0.5 * np.array(self.size)
        if self.form is BodyForm.BOX:
            return half * np.stack([one, two, three_], axis=1), weights / weights.sum()
        # radius and cosine by their nodes, and angles evenly spaced
        radius, cosine = 0.5 * (one + 1.0), two
        angle = np.pi * np.tile((2.0 * np.arange(count) + 1.0) / count, count**2)
        weights = np.prod(
            [each.ravel() for each in np.meshgrid(shares, shares, np.ones(count))], axis=0
        )
        sine = np.sqrt(1.0 - cosine**2)
        places = [radius * cosine, radius * sine * np.cos(angle), radius * sine * np.sin(angle)]
        weights = weights * radius**2
        return half * np.stack(places, axis=1), weights / weights.sum()

    def distance(self, points: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Distance from points inside to the surface.

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
