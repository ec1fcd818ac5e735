"""Names of what may vary from shot to shot, beside those of all parameters."""

from __future__ import annotations

from cupysim.models.parameters import GROUPS, KINDS

SHARED = {"edges": GROUPS["cell"][:3], "n_cells": GROUPS["n_cells"]}
"""Names which stand for several parameters with one number."""

OF_CRYSTALS = {*GROUPS["cell"], *GROUPS["n_cells"], *SHARED, "mosaic_spread"}
"""What each crystal of a shot has its own number of."""

VARIABLE = (*(name for name in KINDS if name not in (*GROUPS["misset"], "scale")), *SHARED)
"""What may vary, beside orientation, spectrum and the number of crystals."""
