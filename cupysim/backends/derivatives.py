"""The result of differentiating an image: its derivatives with respect to parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cupysim.backends.factor_derivatives import FactorGradient
from cupysim.models.crystal_names import numbered, with_number
from cupysim.models.parameters import GROUPS, parameter
from cupysim.plan.gradient_names import FACTORS
from cupysim.plan.gradient_plan import GradientPlan


@dataclass(frozen=True, eq=False, repr=False)
class Gradients:
    """An image and its derivatives with respect to parameters.

    Parameters
    ----------
    names : tuple of str
        Names of the parameters, in the order of `values`.
    values : ndarray or cupy.ndarray of float64, shape (n_parameters, [n_panels,] n_slow, n_fast)
        Derivative of each pixel's expected photons with respect to each parameter, in photons per
        unit of the parameter (`units`); zero in pixels that were not computed. Detectors of panels
        have an axis of panels.
    photons : ndarray or cupy.ndarray of float64, shape ([n_panels,] n_slow, n_fast)
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

    @classmethod
    def of_panels(
        cls,
        gradient_plan: GradientPlan,
        values: np.ndarray,
        *,
        structure_factors: FactorGradient | None = None,
        limits: np.ndarray | None = None,
        share: float = 1.0,
    ) -> Gradients:
        """Arrange what backends compute panel by panel.

        Parameters
        ----------
        gradient_plan : GradientPlan
            Plan of the derivatives.
        values : ndarray or cupy.ndarray, shape (n_panels, n_parameters + 1, n_slow * n_fast)
            Derivatives, and photons in the last row of each panel.
        structure_factors, limits, share
            As in `Gradients`.
        """
        n_panels, n_rows, _ = values.shape
        images = values.reshape(n_panels, n_rows, *gradient_plan.plan.shape[2:]).swapaxes(0, 1)
        if not gradient_plan.plan.has_panels:
            images = images[:, 0]
        return cls(gradient_plan.names, images[:-1], images[-1], structure_factors, limits, share)

    def add(self, other: Gradients) -> Gradients:
        """Add the photons and derivatives of a further part of an image, in place.

        `share` does not change. Parts need not have derivatives with respect to structure factors.
        """
        self.values[...] += other.values
        self.photons[...] += other.photons
        factors = self.structure_factors
        if factors is None or other.structure_factors is None:
            factors = other.structure_factors if factors is None else factors
        else:
            factors = factors.add(other.structure_factors)
        limits = self.limits
        if limits is None or other.limits is None:
            limits = other.limits if limits is None else limits
        else:
            limits = limits + other.limits
        return replace(self, limits=limits, structure_factors=factors)

    def __repr__(self) -> str:
        size = " x ".join(str(length) for length in reversed(self.photons.shape))
        return f"<cupysim.Gradients: {size} pixels with {', '.join(self.names)}>"

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each parameter: SI units, Angstrom for cell edges, empty for ratios.

        The unit of a derivative is photons divided by the unit of the parameter.
        """
        return tuple(parameter(name).unit for name in self.names)

    def __getitem__(self, name: str) -> np.ndarray:
        """Derivatives with respect to one parameter, or to all parameters of a group.

        The shape is (n_slow, n_fast) for a parameter, (n_members, n_slow, n_fast) for a group. If
        there is no such derivative, a `KeyError` lists the names that exist.
        """
        base, number = numbered(name)
        members = tuple(with_number(member, number) for member in GROUPS.get(base, (base,)))
        if not set(members) <= set(self.names):
            hint = "; .structure_factors has them" if name == FACTORS else ""
            known = ", ".join(self.names)
            raise KeyError(f"no derivative with respect to {name}; there are {known}{hint}")
        places = [self.names.index(member) for member in members]
        return self.values[places] if base in GROUPS else self.values[places[0]]
