"""Kinds of mosaic domains of one crystal: several sizes, and several settings of the cell.

If the lattice has symmetry, its vectors a, b and c can be chosen in several ways, the settings. A
parallelepiped of Na, Nb, Nc cells has edges along other directions in each setting, so the spots of
equivalent reflections differ in form. A mean over the settings makes them alike.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cupysim.errors import CupysimWarning, ModelError
from cupysim.maths.laue_groups import LAUE_GROUPS, rotations
from cupysim.models.spot_shape import Shape
from cupysim.quirks import CORRECTED

if TYPE_CHECKING:
    from cupysim.models.crystal import Crystal


@dataclass(frozen=True, eq=False)
class DomainKind:
    """Domains of one size and setting.

    Parameters
    ----------
    size : float
        Length of the domains relative to that of the crystal's numbers of cells.
    setting : ndarray, shape (3, 3)
        Integer matrix P. The cell vectors, as rows, and the Miller indices, as a column, are P
        times those of the crystal.
    weight : float
        Share of the domains.
    growth : float
        Derivative of the logarithm of the size with respect to the spread of the sizes.
    """

    size: float = 1.0
    setting: np.ndarray = field(default_factory=lambda: np.eye(3))
    weight: float = 1.0
    growth: float = 0.0


OTHER_LATTICE = 0.02
"""Largest relative change of the metric in another setting if the cell has the symmetry."""

WHOLE = DomainKind()
"""The kind of a crystal whose domains are all alike."""


def has_kinds(crystal: Crystal) -> bool:
    """Whether a crystal has several kinds of domains."""
    return crystal.sizes is not None or bool(crystal.settings)


def domain_kinds(crystal: Crystal) -> tuple[DomainKind, ...]:
    """Kinds of the domains of a crystal; their weights add up to 1.

    Parameters
    ----------
    crystal : Crystal
        The crystal.
    """
    if not has_kinds(crystal):
        return (WHOLE,)
    sizes, weights, growth = np.ones(1), np.ones(1), np.zeros(1)
    if crystal.sizes is not None:
        (sizes, weights), growth = crystal.sizes.factors(), crystal.sizes.growth()
    # transposes of rotations of fractional coordinates act on Miller indices
    settings = [each.T for each in rotations(crystal.settings or "-1")]
    return tuple(
        DomainKind(float(size), setting, float(weight) / len(settings), float(slope))
        for size, weight, slope in zip(sizes, weights, growth, strict=True)
        for setting in settings
    )


def check_kinds(crystal: Crystal) -> None:
    """Check that a crystal can have its kinds of domains.

    Parameters
    ----------
    crystal : Crystal
        The crystal.

    Raises
    ------
    ModelError
        If the Laue group is unknown, or other properties of the crystal do not allow the kinds.
    """
    if crystal.settings and crystal.settings not in LAUE_GROUPS:
        raise ModelError(
            f"crystal: there is no Laue group {crystal.settings!r} for settings; there are "
            f"{', '.join(LAUE_GROUPS)}"
        )
    if crystal.settings:
        _warn_of_other_lattice(crystal)
    if crystal.settings and crystal.shape is Shape.GAUSS_STAR:
        raise ModelError(
            f"crystal: settings have no effect on the shape {crystal.shape}, whose spots are round"
        )
    if has_kinds(crystal) and crystal.diffuse is not None:
        raise ModelError("crystal: diffuse scattering needs domains of one size and setting")


def _warn_of_other_lattice(crystal: Crystal) -> None:
    """Warn if the cell is not that of the Laue group of the settings."""
    direct = crystal.oriented(CORRECTED).lattice.direct
    metric = direct @ direct.T
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    for rotation in rotations(crystal.settings):
        setting = rotation.T
        if (np.abs(setting @ metric @ setting.T - metric) > OTHER_LATTICE * scale).any():
            warnings.warn(
                CupysimWarning(
                    f"settings {crystal.settings}: the unit cell does not have this symmetry"
                ),
                stacklevel=2,
            )
            return
