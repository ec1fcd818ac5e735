"""What is given back of an image's derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.backends.factor_derivatives import FactorGradient
from cupysim.models.parameters import GROUPS
from cupysim.plan.gradient_plan import FACTORS, UNITS


@dataclass(frozen=True, eq=False, repr=False)
class Gradients:
    """An image and its derivatives.

    Parameters
    ----------
    names : tuple of str
        The parameters.
    values : ndarray or cupy.ndarray of float64, shape (n_parameters, n_slow, n_fast)
        Derivative of each pixel's photons with each of them, in photons per its unit
        (`cupysim.plan.gradient_plan.UNITS`); zero where nothing was computed.
    photons : ndarray or cupy.ndarray of float64, shape (n_slow, n_fast)
        The image before it is rounded to float32.
    structure_factors : FactorGradient or None
        Derivatives with structure factors, where they were wanted.
    """

    names: tuple[str, ...]
    values: np.ndarray
    photons: np.ndarray
    structure_factors: FactorGradient | None = None

    def __repr__(self) -> str:
        n_slow, n_fast = self.photons.shape
        return f"<cupysim.Gradients: {n_fast} x {n_slow} pixels with {', '.join(self.names)}>"

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each parameter, SI but for cell edges (Angstrom); empty for ratios.

        A derivative has the unit photons divided by this.
        """
        return tuple(UNITS[name] for name in self.names)

    def __getitem__(self, name: str) -> np.ndarray:
        """The derivative with one parameter, shape (n_slow, n_fast), or with those of a group.

        A `KeyError` tells which ones there are.
        """
        members = GROUPS.get(name, (name,))
        if not set(members) <= set(self.names):
            hint = "; .structure_factors has them" if name == FACTORS else ""
            raise KeyError(f"no derivative with {name}; there are {', '.join(self.names)}{hint}")
        places = [self.names.index(member) for member in members]
        return self.values[places] if name in GROUPS else self.values[places[0]]
