"""Mosaic domains: the orientations of the blocks of a crystal."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import ModelError
from cupysim.maths.mosaic import draw_rotations
from cupysim.maths.nr_random import RandomStream
from cupysim.models.checks import assign, frozen
from cupysim.models.sampling import LARGEST_COUNT

DEFAULT_MOSAIC_SEED = 12345678
"""Default seed of the mosaic domains, that of the C program."""


@dataclass(frozen=True, eq=False)
class Mosaicity:
    """The orientations of the mosaic domains of a crystal.

    `Mosaicity.from_degrees` and `Mosaicity.draw` make random domains.

    Parameters
    ----------
    spread : float
        Largest misorientation of the domains (rad). 0 for a perfect crystal.
    rotations : ndarray, shape (n_domains, 3, 3), optional
        Rotation matrix of each domain. By default one domain without rotation.

    Raises
    ------
    ModelError
        If there is a spread but no rotations, or the rotations have another shape.
    """

    spread: float = 0.0
    rotations: np.ndarray = field(default_factory=lambda: np.empty((0, 3, 3)))

    def __post_init__(self) -> None:
        rotations = frozen(self.rotations, np.float64)
        if rotations.shape == (0, 3, 3) and self.spread == 0.0:
            rotations = frozen(np.eye(3)[None])
        if rotations.ndim != 3 or rotations.shape[1:] != (3, 3) or len(rotations) == 0:
            raise ModelError(
                f"mosaicity: a spread of {self.spread:g} rad needs rotations of shape (n, 3, 3); "
                "Mosaicity.draw makes random ones"
            )
        assign(self, rotations=rotations)

    @property
    def n_domains(self) -> int:
        """Number of mosaic domains."""
        return len(self.rotations)

    @classmethod
    def from_degrees(cls, spread: float, n_domains: int, seed: int | None = None) -> Mosaicity:
        """Make random domains, with the spread in degrees.

        Parameters
        ----------
        spread : float
            Largest misorientation (degrees).
        n_domains : int
            Number of mosaic domains.
        seed : int, optional
            Seed of the C program's random generator. By default the seed of the C program.

        Returns
        -------
        Mosaicity
            Random domains; the first one is not rotated.

        Raises
        ------
        ModelError
            If the spread is negative or there is no domain.
        """
        stream = None if seed is None else RandomStream(seed)
        return cls.draw(spread / DEGREES_PER_RADIAN, n_domains, stream)

    @classmethod
    def draw(cls, spread: float, n_domains: int, stream: RandomStream | None = None) -> Mosaicity:
        """Make random domains from a stream of random numbers, as the C program does.

        The same seed gives the domains of the C program.

        Parameters
        ----------
        spread : float
            Largest misorientation (rad).
        n_domains : int
            Number of mosaic domains.
        stream : RandomStream, optional
            Source of the random numbers. By default a stream with the C program's default seed.

        Returns
        -------
        Mosaicity
            Random domains. The first one is drawn too, and then replaced by the identity.

        Raises
        ------
        ModelError
            If the spread is negative or there is no domain.
        """
        if not 0.0 <= spread < math.inf or not 1 <= n_domains <= LARGEST_COUNT:
            raise ModelError(
                f"mosaicity: {n_domains} domains spread over {spread:g} rad; "
                f"from 1 to {LARGEST_COUNT} domains are possible"
            )
        stream = RandomStream(DEFAULT_MOSAIC_SEED) if stream is None else stream
        rotations = draw_rotations(spread, n_domains, stream)
        rotations[0] = np.eye(3)
        return cls(spread, rotations)
