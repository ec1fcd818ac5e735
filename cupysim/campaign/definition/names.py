"""Names of what may vary from shot to shot, beside those of all parameters."""

from __future__ import annotations

from cupysim.models.parameters import GROUPS, PARAMETERS

SHARED = {"edges": GROUPS["cell"][:3], "n_cells": GROUPS["n_cells"]}
"""Names which stand for several parameters with one number."""

OF_CRYSTALS = {*(name for name, each in PARAMETERS.items() if each.of_crystal), *SHARED}
"""What each crystal of a shot has its own number of."""

VARIABLE = (*(name for name, each in PARAMETERS.items() if each.varies), *SHARED)
"""What may vary, beside orientation, spectrum and the number of crystals."""
