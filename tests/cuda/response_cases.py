"""Responses of all kinds, a panel and its photons, for the tests of the cuda backend."""

from __future__ import annotations

import numpy as np

from cupysim.detection.analogue import Analogue, Gain
from cupysim.detection.counter import Counter
from cupysim.detection.dead_time import DeadTime, DeadTimeModel
from cupysim.detection.flicker import BeamFlicker
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.point_spread import Border, PointSpread
from cupysim.detection.response import Response

SHAPE = (37, 53)
"""Neither edge is a multiple of a tile's."""

ENERGY = 12400.0
GRID = PixelGrid(
    *SHAPE, 75e-6, 75e-6, normal_slow=-11.5, normal_fast=80.25, distance=6e-3,
    first_number=2**32 - 900, row_step=61,
)  # fmt: skip
"""Pixel numbers on both sides of 2^32."""
EXPOSURE = Exposure(ENERGY, seed=2**63 + 12345, shot=2**40 + 7)

THREE_GAINS = Analogue(
    3.62, 0.12,
    (
        Gain(0.00331, 80.0, 3000.0, 6e4, gain_spread=0.02, pedestal_spread=40.0),
        Gain(-0.00012, 90.0, 15000.0, 4e6, gain_spread=0.03, pedestal_spread=0.0, bits=1),
        Gain(-0.0000088, 200.0, 14000.0, 1e8, gain_spread=0.0, pedestal_spread=30.0, bits=3),
    ),
    adc_bits=14, pedestal_drift=3.0, gain_jitter=0.001,
)  # fmt: skip

FINE = Analogue(3.62, 0.0, (Gain(0.03, 0.0, 100.0, 1e9),), adc_bits=24)
"""Numbers as fine as the rounding of float32, so that the order of sums is seen."""

CASES = {
    "counter": Response(Counter(bits=20)),
    "small counter": Response(Counter(bits=8), pixel_type="uint16"),
    "signed": Response(Counter(bits=31), pixel_type="int32"),
    "flicker": Response(Counter(), flicker=BeamFlicker(0.2)),
    "three gains": Response(THREE_GAINS, pixel_type="uint16", serial=2**63 + 5),
    "three gains share": Response(THREE_GAINS, pixel_type="uint16", charge_cloud=12e-6, serial=3),
    "first gain with bits": Response(
        Analogue(
            3.6, 0.1, (Gain(1e-4, 50.0, 100.0, 1e8, bits=2), Gain(1e-6, 60.0, 200.0, 1e9)),
            adc_bits=14,
        ),
        pixel_type="uint16",
    ),
    "fine shares": Response(FINE, charge_cloud=12e-6),
    "shares from a half": Response(Counter(), charge_cloud=10e-6),
    "shares from less": Response(Counter(threshold=0.3), charge_cloud=14e-6),
    "shares of the smallest cloud": Response(Counter(threshold=0.3), charge_cloud=1e-7),
    "shares and spread": Response(
        THREE_GAINS, pixel_type="uint16", charge_cloud=12e-6,
        point_spread=PointSpread("gaussian", 1e-4, border="kept"),
    ),
}  # fmt: skip
for _model in DeadTimeModel:
    for _pulse in (2e-9, 3e-4, 2e-2):
        for _corrects in (False, True):
            _dead = DeadTime(
                _model, _pulse, 1.7 * _pulse if _model is DeadTimeModel.RETRIGGER else 0.0
            )
            CASES[f"{_model} {_pulse:g} {_corrects}"] = Response(
                Counter(bits=24, dead_time=_dead, rate_correction=_corrects)
            )
for _border in Border:
    for _after in (False, True):
        for _radius in (0, 60):
            CASES[f"{_border} {_after} {_radius}"] = Response(
                FINE if _after else THREE_GAINS, pixel_type="uint32" if _after else "uint16",
                point_spread=PointSpread(
                    "gaussian", 1.3e-4, _radius, border=_border, after_counting=_after
                ),
            )  # fmt: skip


BRIGHTEST_BEFORE_SPREAD = 2e4
"""Most photons of a pixel if light spreads, so that not all pixels are overloads."""


def expected_photons(response: Response) -> np.ndarray:
    """Photons of all sizes: none, denormal, few, around the limit of inversion, and too many."""
    shape = SHAPE
    rng = np.random.default_rng(7)
    image = rng.exponential(1.0, shape) * 10.0 ** rng.uniform(-4, 3, shape)
    flat = image.reshape(-1)
    chosen = rng.permutation(flat.size)[:160].reshape(8, 20)
    flat[chosen[0]], flat[chosen[1]], flat[chosen[2]] = 0.0, -1.0, 1e-41
    flat[chosen[3]], flat[chosen[4]] = rng.uniform(38.0, 42.0, 20), rng.uniform(0.0, 40.0, 20)
    flat[chosen[5]], flat[chosen[6]], flat[chosen[7]] = 3e6, 1e12, 1e17
    most = np.inf if response.point_spread is None else BRIGHTEST_BEFORE_SPREAD
    return np.minimum(image, most).astype(np.float32)
