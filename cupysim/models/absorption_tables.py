"""Absorption coefficients of materials, from the tables of Elam et al. in xraydb."""

from __future__ import annotations

import math
from typing import Any

from cupysim.constants import ANGSTROM, ELECTRONVOLT_ANGSTROM


def photon_energy(wavelength: float) -> float:
    """Energy of a photon (eV) of this wavelength (m)."""
    return ELECTRONVOLT_ANGSTROM / (wavelength / ANGSTROM)


def coefficient(
    xraydb: Any, formula: str, density: float, wavelength: float, kind: str = "total"
) -> float | None:
    """Absorption coefficient of a material.

    Parameters
    ----------
    xraydb : module
        The library.
    formula : str
        Chemical formula.
    density : float
        Density (g/cm^3).
    wavelength : float
        Wavelength (m).
    kind : str, optional
        "total", or "photo" for the photoelectric effect alone.

    Returns
    -------
    float or None
        Coefficient (1/cm); None if the tables have none.
    """
    try:
        found = float(
            xraydb.material_mu(formula, photon_energy(wavelength), density=density, kind=kind)
        )
    except (ValueError, TypeError, LookupError, ArithmeticError):
        return None
    return found if 0.0 < found < math.inf else None
