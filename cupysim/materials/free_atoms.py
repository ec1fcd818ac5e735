"""Matter of any composition, which scatters as independent atoms."""

from __future__ import annotations

import numpy as np

from cupysim.constants import ANGSTROM, PER_CUBIC_METRE
from cupysim.errors import ModelError
from cupysim.models.background import Amorphous
from cupysim.optional_libraries import require

STOL = np.linspace(0.0, 3.0, 301)
"""sin(theta)/lambda of the table (1/Angstrom)."""


def free_atoms(name: str, thickness: float, width: float, height: float) -> Amorphous:
    """Make matter whose atoms scatter independently of each other.

    Beyond the first rings, the mean over a range of angles is that of a solid or liquid, which has
    rings or spots. At smaller angles, solids and liquids scatter much less.

    Parameters
    ----------
    name : str
        Chemical formula, or a name that xraydb knows.
    thickness : float
        Length along the beam (m).
    width, height : float
        Size across the beam (m), of the illuminated part only.

    Returns
    -------
    Amorphous
        The matter. F^2 of a formula unit is the sum of f0^2 of its atoms (Waasmaier & Kirfel (1995)
        Acta Cryst. A51, 416, in xraydb); Compton scattering is left out.

    Raises
    ------
    CupysimError
        If xraydb is not installed.
    ModelError
        If xraydb does not know the density of the material.
    """
    xraydb = require("xraydb", "the scattering of a material")
    known = xraydb.find_material(name)
    if known is None:
        raise ModelError(f"material: xraydb has no density of {name!r}; give a formula, such as Al")
    composition = xraydb.chemparse(known.formula)
    squares = sum(count * xraydb.f0(atom, STOL) ** 2 for atom, count in composition.items())
    mass = sum(count * xraydb.atomic_mass(atom) for atom, count in composition.items())
    return Amorphous(
        STOL / ANGSTROM,
        np.sqrt(squares),
        thickness,
        PER_CUBIC_METRE * known.density,
        mass,
        width,
        height,
    )
