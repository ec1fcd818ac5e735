"""The result of differentiating an image: its derivatives with respect to parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.backends.factor_derivatives import FactorGradient
from cupysim.models.parameters import GROUPS
from cupysim.plan.gradient_plan import FACTORS, UNITS


@dataclass(frozen=True, eq=False, repr=False)
class Gradients:
    """An image and its derivatives with respect to parameters.

    Parameters
    ----------
    names : tuple of str
        Names of the parameters, in the order of `values`.
    values : ndarray or cupy.ndarray of float64, shape (n_parameters, n_slow, n_fast)
        Derivative of each pixel's expected photons with respect to each parameter, in photons per
        unit of the parameter (`cupysim.plan.gradient_plan.UNITS`); zero in pixels that were not
        computed.
    photons : ndarray or cupy.ndarray of float64, shape (n_slow, n_fast)
        Expected photons, before they are rounded to float32.
    structure_factors : FactorGradient or None
        Derivatives with respect to structure factors, if they were requested.
    limits : ndarray of float64, shape (n_parameters,), or None
        Within a tolerance, the largest error of the derivatives with respect to each parameter, in
        photons per unit of the parameter; None if they are exact.
    share : float
        Fraction of the terms that were computed.
    """

    names: tuple[str, ...]
    values: np.ndarray
    photons: np.ndarray
    structure_factors: FactorGradient | None = None
    limits: np.ndarray | None = None
    share: float = 1.0

    def __repr__(self) -> str:
        n_slow, n_fast = self.photons.shape
        return f"<cupysim.Gradients: {n_fast} x {n_slow} pixels with {', '.join(self.names)}>"

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each parameter: SI units, Angstrom for cell edges, empty for ratios.

        The unit of a derivative is photons divided by the unit of the parameter.
        """
        return tuple(UNITS[name] for name in self.names)

    def __getitem__(self, name: str) -> np.ndarray:
        """Derivatives with respect to one parameter, or to all parameters of a group.

        The shape is (n_slow, n_fast) for a parameter, (n_members, n_slow, n_fast) for a group. If
        there is no such derivative, a `KeyError` lists the names that exist.
        """
        members = GROUPS.get(name, (name,))
        if not set(members) <= set(self.names):
            hint = "; .structure_factors has them" if name == FACTORS else ""
            known = ", ".join(self.names)
            raise KeyError(f"no derivative with respect to {name}; there are {known}{hint}")
        places = [self.names.index(member) for member in members]
        return self.values[places] if name in GROUPS else self.values[places[0]]
