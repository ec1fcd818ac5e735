"""Matter by name, from the file materials.toml."""

from __future__ import annotations

import difflib
import tomllib
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM, PER_CUBIC_METRE
from cupysim.errors import CupysimError
from cupysim.models.background import Amorphous

FILE = "materials.toml"


def material_names() -> tuple[str, ...]:
    """Names of all materials."""
    return tuple(_entries())


def material(
    name: str,
    thickness: float,
    *,
    width: float = 1e-4,
    height: float = 1e-4,
    density: float | None = None,
    scale: float = 1.0,
) -> Amorphous:
    """Make amorphous matter, or a powder, by its name.

    Parameters
    ----------
    name : str
        One of `material_names`.
    thickness : float
        Length along the beam (m).
    width, height : float, optional
        Size across the beam (m), of the illuminated part only.
    density : float, optional
        Density (g/m^3); by default that of the file.
    scale : float, optional
        Factor of the scattering.

    Returns
    -------
    Amorphous
        Matter for `Experiment.backgrounds`.

    Raises
    ------
    CupysimError
        If there is no such material.

    Examples
    --------
    >>> jet = material("water", 5e-6)
    >>> round(float(jet.factors[4]), 2)
    8.0
    """
    entry = _entry(name)
    if "table" in entry:
        stol, factors = np.array(entry["table"], dtype=np.float64).T
    else:
        from cupysim.materials.powder import ice_table

        a, b, c = entry["cell"]
        stol, factors = ice_table((a, b, c), entry["grain"])
    return Amorphous(
        stol / ANGSTROM,
        factors,
        thickness,
        PER_CUBIC_METRE * entry["density"] if density is None else density,
        entry["molar_mass"],
        width,
        height,
        scale=scale,
    )


@cache
def _entries() -> dict[str, dict[str, Any]]:
    return tomllib.loads(resources.files(__package__).joinpath(FILE).read_text())


def _entry(name: str) -> dict[str, Any]:
    entries = _entries()
    if name not in entries:
        close = difflib.get_close_matches(name, entries, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(entries)}"
        raise CupysimError(f"there is no material {name!r}; {hint}")
    return entries[name]
