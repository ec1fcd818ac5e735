"""A panel: a flat rectangle of pixels, placed by its origin and axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.arrays import cross, dot, norm
from cupysim.models.checks import assign, direction, finite, frozen, three, vector_of, whole
from cupysim.models.sensor import Sensor

Vector = tuple[float, float, float]

PARALLEL = 1e-6
"""Smallest sine of the angle between fast and slow axis. Below it, the axes count as parallel."""

EDGE_ON = 1e-9
"""Distance of a panel's plane, relative to the distance of its origin, below which the panel is
edge-on."""


@dataclass(frozen=True, eq=False)
class Panel:
    """A flat panel of a detector.

    Parameters
    ----------
    name : str
        Name of the panel, unique in its detector.
    n_fast, n_slow : int
        Number of pixels along the fast and slow axes.
    origin : sequence of 3 float
        Outer corner of the first pixel (m): in the laboratory, or in the frame of the panel's
        group.
    fast, slow : sequence of 3 float
        Directions of the fast and slow axes. They become unit vectors. They need not be
        perpendicular, and may be left-handed.
    pixel_size : float or sequence of 2 float
        Pixel edge (m), or edges along fast and slow.
    sensor : Sensor, optional
        Thickness and absorption of the sensor. By default it absorbs every photon.
    mask : ndarray of bool, shape (n_slow, n_fast), optional
        True for pixels that exist. By default all do.
    gain : float, optional
        Counts per photon in files with counts.
    saturation : float, optional
        Largest count of a pixel. By default infinite.
    data_corner : tuple of 2 int, optional
        First fast and slow pixel of the panel in the array of its file, if that holds several
        panels.

    Raises
    ------
    ModelError
        If the panel has no pixels or no size, its axes are parallel, or a number is impossible.

    Examples
    --------
    >>> panel = Panel("q0", 512, 256, (-0.02, 0.01, 0.1), (1, 0, 0), (0, -1, 0), 75e-6)
    >>> panel.close_distance
    0.1
    """

    name: str
    n_fast: int
    n_slow: int
    origin: Sequence[float]
    fast: Sequence[float]
    slow: Sequence[float]
    pixel_size: float | Sequence[float]
    sensor: Sensor = field(default_factory=Sensor)
    mask: np.ndarray | None = None
    gain: float = 1.0
    saturation: float = math.inf
    data_corner: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        name = str(self.name)
        what = f"panel {name!r}"
        if not name or name != name.strip() or "/" in name:
            raise ModelError(
                f"{what}: the name must not be empty, contain / or have blanks at its ends"
            )
        sizes = self.pixel_size
        if not isinstance(sizes, Sequence | np.ndarray):
            sizes = (sizes, sizes)
        if len(sizes) != 2:
            raise ModelError(f"{what}: expected one or two pixel edges, got {len(sizes)}")
        edges = tuple(finite(size, f"{what}: pixel_size") for size in sizes)
        if not min(edges) > 0.0:
            raise ModelError(f"{what}: pixel_size must be positive, got {min(edges):g} m")
        n_fast, n_slow = (
            whole(self.n_fast, f"{what}: n_fast"),
            whole(self.n_slow, f"{what}: n_slow"),
        )
        if n_fast < 1 or n_slow < 1:
            raise ModelError(f"{what}: {n_fast} x {n_slow} pixels; it must have at least 1 x 1")
        fast, slow = direction(self.fast, f"{what}: fast"), direction(self.slow, f"{what}: slow")
        if float(norm(cross(fast, slow))) < PARALLEL:
            raise ModelError(f"{what}: its fast and slow axes are parallel")
        origin = tuple(
            finite(value, f"{what}: origin") for value in three(self.origin, f"{what}: origin")
        )
        gain, saturation = finite(self.gain, f"{what}: gain"), float(self.saturation)
        if not gain > 0.0:
            raise ModelError(f"{what}: gain must be positive, got {gain:g}")
        if not saturation > 0.0:
            raise ModelError(f"{what}: saturation must be positive, got {saturation:g}")
        if not isinstance(self.sensor, Sensor):
            raise ModelError(f"{what}: sensor must be a Sensor")
        mask = self.mask
        if mask is not None:
            mask = frozen(np.asarray(mask) != 0)
            if mask.shape != (n_slow, n_fast):
                raise ModelError(
                    f"{what}: a mask of {mask.shape[::-1]} pixels, but the panel has "
                    f"{(n_fast, n_slow)}"
                )
        assign(
            self, name=name, n_fast=n_fast, n_slow=n_slow, origin=origin, fast=vector_of(fast),
            slow=vector_of(slow), pixel_size=edges, gain=gain, saturation=saturation, mask=mask,
        )  # fmt: skip

    @property
    def edges(self) -> tuple[float, float]:
        """Pixel edges along fast and slow (m)."""
        edges = self.pixel_size
        assert isinstance(edges, tuple)
        return edges

    @cached_property
    def axes(self) -> np.ndarray:
        """Rows fast, slow and normal: unit vectors, shape (3, 3).

        The normal is perpendicular to the panel, and points away from the origin of the frame.
        """
        fast, slow = np.array(self.fast), np.array(self.slow)
        normal = cross(fast, slow)
        normal = normal / norm(normal)
        if float(dot(normal, np.array(self.origin))) < 0.0:
            normal = -normal
        return frozen(np.stack([fast, slow, normal]))

    @property
    def close_distance(self) -> float:
        """Distance of the panel's plane from the origin of the frame (m)."""
        return float(dot(np.array(self.origin), self.axes[2]))

    @property
    def pixel_area(self) -> float:
        """Area of a pixel (m^2): the product of the edges, times the sine between the axes."""
        fast, slow = self.edges
        return fast * slow * float(norm(cross(self.axes[0], self.axes[1])))

    @property
    def corners(self) -> np.ndarray:
        """Outer corners (m), shape (4, 3): the origin, along fast, along slow, and along both."""
        return self.position(
            np.array([0.0, self.n_fast, 0.0, self.n_fast]),
            np.array([0.0, 0.0, self.n_slow, self.n_slow]),
        )

    def position(self, fast: np.ndarray, slow: np.ndarray) -> np.ndarray:
        """Positions of points of the panel.

        Parameters
        ----------
        fast, slow : array_like, shape (...)
            Coordinates (pixels) from the outer corner of the first pixel.

        Returns
        -------
        ndarray, shape (..., 3)
            Positions (m) in the frame of the panel's origin.
        """
        along, down = (
            np.asarray(places, dtype=np.float64)[..., None] * edge
            for places, edge in zip((fast, slow), self.edges, strict=True)
        )
        return np.array(self.origin) + along * self.axes[0] + down * self.axes[1]

    def moved(self, rotation: np.ndarray, shift: np.ndarray) -> Panel:
        """Return the panel after a rotation about the origin of its frame, and a shift.

        Parameters
        ----------
        rotation : ndarray, shape (3, 3)
            Rotation matrix.
        shift : ndarray, shape (3,)
            Shift after the rotation (m).
        """
        origin = rotation @ np.array(self.origin) + shift
        return replace(
            self, origin=vector_of(origin), fast=vector_of(rotation @ self.axes[0]),
            slow=vector_of(rotation @ self.axes[1]),
        )  # fmt: skip

    def counting_photons(self) -> Panel:
        """Return the panel for files whose counts are photons: with a gain of one."""
        return replace(self, gain=1.0, saturation=self.saturation / self.gain)

    def check_faces_crystal(self) -> None:
        """Raise a `ModelError` if the panel's plane goes through the crystal.

        The panel must have its coordinates in the laboratory.
        """
        reach = float(norm(np.array(self.origin)))
        if not self.close_distance > EDGE_ON * reach:
            raise ModelError(
                f"panel {self.name!r}: its plane goes through the crystal, so that no photon meets "
                "its surface"
            )
