"""How the rotations of mosaic domains depend on their spreads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths import mosaic_sets
from cupysim.maths.lattice_factor import METRIC
from cupysim.models.checks import assign, finite, frozen, member, whole
from cupysim.models.sampling import LARGEST_COUNT


class Distribution(StrEnum):
    """Distribution of the rotations of mosaic domains."""

    DIFFBRAGG = "diffbragg"
    """Axes on a spiral, and normal angles about each axis, as in diffBragg."""
    NORMAL = "normal"
    """Rotation vectors with normal components. A spread is a standard deviation about an axis."""
    CAP = "cap"
    """Uniformly distributed rotations by at most the spread."""
    FISHER = "fisher"
    """Unit quaternions with a von Mises-Fisher distribution; normal for small spreads."""


N_SPREADS = {
    Distribution.DIFFBRAGG: (1, 3),
    Distribution.NORMAL: (1, 3, 6),
    Distribution.CAP: (1,),
    Distribution.FISHER: (1,),
}
"""How many spreads each distribution may have."""


@dataclass(frozen=True, eq=False)
class MosaicModel:
    """A distribution of rotations, represented by a deterministic or random set.

    Parameters
    ----------
    distribution : Distribution
        The distribution.
    spreads : tuple of float
        One spread (rad); three about the axes; or six elements aa, bb, cc, ab, bc, ac of a
        symmetric matrix E, so that a rotation vector is E times a vector of three independent
        normal deviates in the frame of the axes.
    n_domains : int
        Number of domains. It must be even, because each rotation has its opposite.
    axes : ndarray, shape (3, 3), optional
        Rows: unit vectors in the laboratory, at a spindle angle of zero, about which the spreads
        hold. For DIFFBRAGG, they are along the edges of the cell and need not be perpendicular.
        NORMAL needs perpendicular axes.
    seed : int, optional
        Seed of random domains. By default, the set has low discrepancy.

    Raises
    ------
    ModelError
        If the distribution has another number of spreads, or a number is impossible.
    """

    distribution: Distribution
    spreads: tuple[float, ...]
    n_domains: int
    axes: np.ndarray = field(default_factory=lambda: np.eye(3))
    seed: int | None = None

    def __post_init__(self) -> None:
        kind = member(Distribution, self.distribution, "mosaicity: distribution")
        if not isinstance(self.spreads, Iterable):
            raise ModelError(f"mosaicity: spreads must be a sequence, got {self.spreads!r}")
        spreads = tuple(finite(spread, "mosaicity: spreads") for spread in self.spreads)
        n_domains = whole(self.n_domains, "mosaicity: n_domains")
        assign(
            self, distribution=kind, spreads=spreads, n_domains=n_domains,
            axes=frozen(self.axes, np.float64),
        )  # fmt: skip
        if len(spreads) not in N_SPREADS[kind]:
            known = " or ".join(str(number) for number in N_SPREADS[kind])
            raise ModelError(f"mosaicity: {kind} has {known} spreads, got {len(spreads)}")
        if not all(spread > 0.0 for spread in spreads[:3]):
            raise ModelError(f"mosaicity: spreads must be positive, got {spreads[:3]}")
        if kind is Distribution.CAP and spreads[0] > np.pi:
            raise ModelError("mosaicity: the spread of a cap is at most 180 degrees")
        if n_domains % 2 or not 2 <= n_domains <= LARGEST_COUNT:
            raise ModelError(
                f"mosaicity: {n_domains} domains; each rotation has its opposite, so the number "
                f"must be even, and at most {LARGEST_COUNT}"
            )
        if self.axes.shape != (3, 3):
            raise ModelError("mosaicity: axes must have the shape (3, 3)")
        if not np.isfinite(self.axes).all() or np.linalg.matrix_rank(self.axes) < 3:
            raise ModelError("mosaicity: axes must be three independent vectors")
        if self.seed is not None and whole(self.seed, "mosaicity: seed") < 0:
            raise ModelError(f"mosaicity: seed must not be negative, got {self.seed}")
        perpendicular = np.allclose(self.axes @ self.axes.T, np.eye(3), atol=1e-9)
        if kind is Distribution.NORMAL and not perpendicular:
            raise ModelError("mosaicity: normal distributions need perpendicular axes")
        if kind is Distribution.DIFFBRAGG and self.seed is not None:
            raise ModelError("mosaicity: domains of diffbragg are not random; give no seed")

    @property
    def _points(self) -> np.ndarray:
        count = self.n_domains // 2
        if self.seed is None:
            return mosaic_sets.low_discrepancy(count)
        return np.random.Generator(np.random.Philox(self.seed)).random((count, 3))

    def vectors(self) -> np.ndarray:
        """Rotation vectors of the domains (rad), shape (n_domains, 3)."""
        return self._vectors_and_slopes()[0]

    def slopes(self) -> np.ndarray:
        """Derivatives of the rotation vectors with respect to each spread, (n_spreads, n, 3)."""
        return self._vectors_and_slopes()[1]

    def changed(self, number: int, by: float) -> MosaicModel:
        """Return the model with one of its spreads changed (rad)."""
        spreads = list(self.spreads)
        spreads[number] += by
        return replace(self, spreads=tuple(spreads))

    def _vectors_and_slopes(self) -> tuple[np.ndarray, np.ndarray]:
        if self.distribution is Distribution.DIFFBRAGG:
            half, slopes = self._of_spiral()
        elif self.distribution is Distribution.NORMAL:
            half, slopes = self._of_normal()
        elif self.distribution is Distribution.CAP:
            half, slopes = self._of_angles(mosaic_sets.cap_angles)
        else:
            half, slopes = self._of_angles(mosaic_sets.fisher_angles)
        pairs = mosaic_sets.opposite_pairs
        return pairs(half), np.stack([pairs(slope) for slope in slopes])

    def _of_spiral(self) -> tuple[np.ndarray, list[np.ndarray]]:
        count = self.n_domains // 2
        axes = mosaic_sets.spiral(count)
        unit = mosaic_sets.half_normal(mosaic_sets.shuffled_quantiles(count))
        if len(self.spreads) == 1:
            return self.spreads[0] * unit[:, None] * axes, [unit[:, None] * axes]
        # T = S diag(1/eta^2) S^-1, the columns of S are the axes
        to_lab = self.axes.T
        from_lab = np.linalg.inv(to_lab)
        tensor = to_lab @ np.diag([1.0 / eta**2 for eta in self.spreads]) @ from_lab
        values = np.einsum("ni,ij,nj->n", axes, tensor, axes)
        spreads = mosaic_sets.spreads_along(axes, tensor)
        slopes = []
        for number, eta in enumerate(self.spreads):
            part = np.zeros((3, 3))
            part[number, number] = -2.0 / eta**3
            change = np.einsum("ni,ij,nj->n", axes, to_lab @ part @ from_lab, axes)
            slope = -0.5 * spreads**3 * np.sign(values) * change
            slopes.append((slope * unit)[:, None] * axes)
        return (spreads * unit)[:, None] * axes, slopes

    def _of_normal(self) -> tuple[np.ndarray, list[np.ndarray]]:
        deviates = mosaic_sets.normal_vectors(self._points)
        if len(self.spreads) == 1:
            return self.spreads[0] * deviates, [deviates]
        matrix, slopes = np.zeros((3, 3)), []
        for spread, (i, j) in zip(self.spreads, METRIC, strict=False):
            part = np.zeros((3, 3))
            part[i, j] = part[j, i] = 1.0
            matrix += spread * part
            slopes.append(deviates @ part @ self.axes)
        return deviates @ matrix @ self.axes, slopes

    def _of_angles(
        self, angles_of: Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        points = self._points
        axes = mosaic_sets.directions(points[:, :2])
        angles, slopes = angles_of(points[:, 2], self.spreads[0])
        return axes * angles[:, None], [axes * slopes[:, None]]


def cartesian_axes(direct: np.ndarray) -> np.ndarray:
    """A Cartesian frame of a crystal: x along a, z along c*.

    Parameters
    ----------
    direct : ndarray, shape (3, 3)
        Rows a, b, c in the laboratory.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows: unit vectors x, y, z.
    """
    x = direct[0] / np.linalg.norm(direct[0])
    z = np.cross(direct[0], direct[1])
    z /= np.linalg.norm(z)
    return np.stack([x, np.cross(z, x), z])


def cartesian_axes_slope(direct: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Derivative of `cartesian_axes`.

    Parameters
    ----------
    direct : ndarray, shape (3, 3)
        Rows a, b, c in the laboratory.
    change : ndarray, shape (3, 3)
        Their derivatives.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows: derivatives of x, y, z.
    """

    def unit(vector: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        length = float(np.linalg.norm(vector))
        along = vector / length
        return along, (slope - along * float(along @ slope)) / length

    x, dx = unit(direct[0], change[0])
    across = np.cross(direct[0], direct[1])
    z, dz = unit(across, np.cross(change[0], direct[1]) + np.cross(direct[0], change[1]))
    return np.stack([dx, np.cross(dz, x) + np.cross(z, dx), dz])


def edge_axes(direct: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Unit vectors along a, b, c, as rows."""
    rows = np.asarray(direct, dtype=np.float64)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
