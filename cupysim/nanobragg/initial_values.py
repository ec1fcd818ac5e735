"""Values of arguments that options without a value set."""

from __future__ import annotations

from typing import Any

from cupysim.quirks import NANOBRAGG

INITIAL: dict[str, Any] = {
    "convention": "mosflm",
    "coherent": False,
    "quirks": NANOBRAGG,
    "curved": False,
    "diffuse_only": False,
    "explicit_pivot": None,
    "hydrogens": False,
    "interpolate": None,
    "merge": False,
    "oversample_omega": False,
    "oversample_polar": False,
    "oversample_thick": False,
    "point_pixel": False,
    "polarized": True,
    "printout": False,
    "progress": True,
    "round_divergence": True,
    "shape": "square",
    "stol_multiple": 1.0,
    "use_dump": True,
    "anomalous": False,
    "write_noise": True,
    "write_pgm": True,
}
"""Values of the arguments that options without a value set, if no such option is given."""
