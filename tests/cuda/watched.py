"""Renders and detects small images of all kinds, for programs which watch memory accesses.

usage: python -m tests.cuda.watched cuda|host
"""

from __future__ import annotations

import sys
import warnings

import numpy as np

from cupysim.api import from_args, simulate
from cupysim.errors import CupysimWarning
from tests.conftest import INPUTS
from tests.cuda.response_cases import CASES as RESPONSES
from tests.cuda.response_cases import EXPOSURE, GRID, expected_photons

COMMON = (
    "-cell 50 60 70 80 95 100 -N 5 -lambda 1.3 -distance 60 -pixel 1 -detpixels 96 -nodump "
    f"-default_F 10 -mask {INPUTS / 'made.img'}"
)
FEW = f"-hkl {INPUTS / 'few.hkl'}"
CASES = (
    "-mosaic 1 -mosaic_dom 3 -osc 1 -phisteps 3 -oversample 2",
    f"{FEW} -nointerpolate -roi 3 30 7 33 -dmin 3",
    f"{FEW} -interpolate -round_xtal",
    "-gauss_xtal -oversample_omega -oversample_polar",
    "-tophat_spots -curved_det -dispersion 3 -dispsteps 3",
)
"""A table of structure factors, interpolation, searches, a part of the image, running products."""


DETECTED = ("counter", "retrigger 0.0003 True", "flicker", "shares and spread", "mirrored True 60")
"""Responses that need all kernels."""


def main(backend: str) -> None:
    """Render each case in each precision."""
    if backend == "cuda":
        import cupy

        # its pool would hide accesses beyond an array
        cupy.cuda.set_allocator(None)
    warnings.simplefilter("ignore", CupysimWarning)
    for case in CASES:
        for precision in ("double", "mixed"):
            experiment = from_args(f"{COMMON} {case}")
            image = simulate(experiment, backend, precision=precision).array
            assert np.isfinite(image).all()
            assert image.max() > 0.0
    for name in DETECTED:
        response = RESPONSES[name]
        response.detect(expected_photons(response), GRID, EXPOSURE, backend=backend)
    print(f"{len(CASES)} cases rendered, {len(DETECTED)} detected")


if __name__ == "__main__":
    main(sys.argv[1])
