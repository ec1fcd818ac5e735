"""Names of what may vary from shot to shot: parameters, and groups with one number."""

from __future__ import annotations

from cupysim.models.parameters import GROUPS, PARAMETERS

SHARED = {
    "edges": GROUPS["cell"][:3],
    "n_cells": GROUPS["n_cells"],
    "edge_spreads": GROUPS["edge_spreads"],
    "diffuse_gamma": GROUPS["diffuse_gamma"],
    "diffuse_sigma": GROUPS["diffuse_sigma"],
}
"""Names that give several parameters the same number."""

OF_CRYSTALS = {*(name for name, each in PARAMETERS.items() if each.of_crystal), *SHARED}
"""Names that have a number for each crystal of a shot."""

VARIABLE = (*(name for name, each in PARAMETERS.items() if each.varies), *SHARED)
"""Names that may vary, in addition to orientation, spectrum and the number of crystals."""
