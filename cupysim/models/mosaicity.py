"""Mosaic domains: the orientations of the blocks of a crystal."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import ModelError
from cupysim.maths.mosaic import draw_rotations, draw_rotations_in_double
from cupysim.maths.mosaic_sets import rotation_slopes
from cupysim.maths.nr_random import RandomStream
from cupysim.models.checks import assign, frozen
from cupysim.models.mosaic_model import MosaicModel
from cupysim.models.sampling import LARGEST_COUNT

DEFAULT_MOSAIC_SEED = 12345678
"""Default seed of the mosaic domains, that of the C program."""


@dataclass(frozen=True, eq=False)
class Mosaicity:
    """The orientations of the mosaic domains of a crystal.

    `Mosaicity.from_degrees` and `Mosaicity.draw` make nanoBragg's random domains,
    `Mosaicity.simtbx` those of simtbx, and `Mosaicity.of` the domains of a distribution.

    Parameters
    ----------
    spread : float
        Largest misorientation of the domains (rad), or the spread of a distribution. 0 for a
        perfect crystal.
    rotations : ndarray, shape (n_domains, 3, 3), optional
        Rotation matrix of each domain. By default one domain without rotation.
    domain_model : MosaicModel, optional
        Distribution from which the rotations follow. Without it, all rotation angles are
        proportional to the spread.

    Raises
    ------
    ModelError
        If there is a spread but no rotations, or the rotations have another shape.
    """

    spread: float = 0.0
    rotations: np.ndarray = field(default_factory=lambda: np.empty((0, 3, 3)))
    domain_model: MosaicModel | None = None

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

    @property
    def spreads(self) -> tuple[float, ...]:
        """Spreads (rad): those of the distribution, or the one spread."""
        return (self.spread,) if self.domain_model is None else self.domain_model.spreads

    @property
    def has_axes(self) -> bool:
        """Whether there are several spreads, about axes that turn with the crystal."""
        return len(self.spreads) > 1

    @classmethod
    def aligned(cls, n_domains: int) -> Mosaicity:
        """Make domains in the same orientation, which may differ in their cells.

        Parameters
        ----------
        n_domains : int
            Number of domains.
        """
        _check(0.0, n_domains)
        return cls(0.0, np.repeat(np.eye(3)[None], n_domains, axis=0))

    def turned(self, axes: np.ndarray) -> Mosaicity:
        """Return the domains of a crystal that is turned; without `has_axes`, the same ones.

        Parameters
        ----------
        axes : ndarray, shape (3, 3)
            Rows: what the unit vectors x, y, z become.
        """
        if self.domain_model is None or not self.has_axes:
            return self
        return Mosaicity.of(replace(self.domain_model, axes=self.domain_model.axes @ axes))

    def slopes(self) -> np.ndarray:
        """Derivatives of the rotations with respect to each spread (1/rad).

        Returns
        -------
        ndarray, shape (n_spreads, n_domains, 3, 3)
            Derivatives; zero for a perfect crystal.
        """
        if self.domain_model is not None:
            vectors = self.domain_model.vectors()
            return np.stack(
                [rotation_slopes(vectors, slope) for slope in self.domain_model.slopes()]
            )
        if self.spread == 0.0:
            return np.zeros((1, *self.rotations.shape))
        vectors = _rotation_vectors(self.rotations)
        return rotation_slopes(vectors, vectors / self.spread)[None]

    def changed(self, number: int, by: float) -> Mosaicity:
        """Return the domains with one of their spreads changed.

        Parameters
        ----------
        number : int
            Number of the spread.
        by : float
            Change (rad).

        Raises
        ------
        ModelError
            If the spread would not be positive.
        """
        from scipy.spatial.transform import Rotation

        if self.domain_model is not None:
            return Mosaicity.of(self.domain_model.changed(number, by))
        vectors = _rotation_vectors(self.rotations) * (1.0 + by / self.spread)
        return Mosaicity(self.spread + by, Rotation.from_rotvec(vectors).as_matrix())

    @classmethod
    def of(cls, model: MosaicModel) -> Mosaicity:
        """Make the domains of a distribution.

        Parameters
        ----------
        model : MosaicModel
            Distribution, spreads and number of domains.

        Examples
        --------
        >>> mosaicity = Mosaicity.of(MosaicModel("normal", (0.002, 0.001, 0.004), 100))
        >>> mosaicity.n_domains
        100
        """
        from scipy.spatial.transform import Rotation

        rotations = Rotation.from_rotvec(model.vectors()).as_matrix()
        return cls(max(model.spreads[:3]), rotations, model)

    @classmethod
    def simtbx(cls, spread: float, n_domains: int, seed: int = DEFAULT_MOSAIC_SEED) -> Mosaicity:
        """Make the random domains of simtbx's nanoBragg.

        They are the domains of nanoBragg's cap in double precision, but the first domain is the
        identity and takes no random numbers.

        Parameters
        ----------
        spread : float
            Largest misorientation (rad).
        n_domains : int
            Number of mosaic domains.
        seed : int
            Seed; its sign does not matter.

        Raises
        ------
        ModelError
            If the spread is negative or there is no domain.
        """
        _check(spread, n_domains)
        drawn = draw_rotations_in_double(spread, n_domains - 1, RandomStream(abs(seed)))
        return cls(spread, np.concatenate([np.eye(3)[None], drawn]))

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
        _check(spread, n_domains)
        stream = RandomStream(DEFAULT_MOSAIC_SEED) if stream is None else stream
        rotations = draw_rotations(spread, n_domains, stream)
        rotations[0] = np.eye(3)
        return cls(spread, rotations)


def _check(spread: float, n_domains: int) -> None:
    if not 0.0 <= spread < math.inf or not 1 <= n_domains <= LARGEST_COUNT:
        raise ModelError(
            f"mosaicity: {n_domains} domains spread over {spread:g} rad; "
            f"from 1 to {LARGEST_COUNT} domains are possible"
        )


def _rotation_vectors(rotations: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_matrix(rotations).as_rotvec())
