"""Responses, pixels and shots that several tests share."""

from __future__ import annotations

import numpy as np

from cupysim.detection.analogue import Analogue, Gain
from cupysim.detection.counter import Counter
from cupysim.detection.dead_layer import DeadLayer
from cupysim.detection.dead_time import DeadTime, DeadTimeModel
from cupysim.detection.defects import Defects
from cupysim.detection.flicker import BeamFlicker
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.point_spread import Border, PointSpread
from cupysim.detection.response import Response
from cupysim.detection.spiral_scan import SpiralScan

PIXEL = 75e-6
ENERGY = 12400.0
GAINS = (
    Gain(0.041, 50.0, 2900.0, 300e3, 0.03, 100.0, 0, "high"),
    Gain(-0.001439, 500.0, 15000.0, 1e7, 0.03, 50.0, 1, "medium"),
    Gain(-0.0001145, 5000.0, 14500.0, 1.2e8, 0.03, 50.0, 3, "low"),
)
THREE_GAINS = Analogue(3.66, 0.118, GAINS, 14, pedestal_drift=5.0, gain_jitter=0.01)
CCD = Analogue(1500.0, 1.0, (Gain(0.000125, 16.0, 10.0, 6e8, 0.03),), knows_pixels=False)


def grid_of(n_slow: int, n_fast: int, pixel: float = PIXEL, **values: float) -> PixelGrid:
    return PixelGrid(n_slow, n_fast, pixel, pixel, **values)  # type: ignore[arg-type]


def exposure(seed: int = 1, shot: int = 0, duration: float = 1e-3) -> Exposure:
    return Exposure(ENERGY, duration, seed, shot)


def varied_image(n_slow: int, n_fast: int) -> np.ndarray:
    """Expected photons from none to 1e5."""
    rng = np.random.default_rng(5)
    image = rng.exponential(3.0, (n_slow, n_fast)) * 10.0 ** rng.uniform(-2, 4, (n_slow, n_fast))
    image[rng.uniform(size=image.shape) < 0.02] = 0.0
    return image.astype(np.float32)


def counter(model: str | None = None, pulse: float = 1e-7, **values: object) -> Counter:
    dead_time = None if model is None else DeadTime(DeadTimeModel(model), pulse)
    return Counter(dead_time=dead_time, **values)  # type: ignore[arg-type]


def spread_of(function: str = "gaussian", **values: object) -> PointSpread:
    return PointSpread(function, 150e-6, **values)  # type: ignore[arg-type]


def all_responses() -> dict[str, Response]:
    """A response for each stage and for each kind of read-out."""
    found = {"plain": Response(Counter())}
    for border in Border:
        for after in (False, True):
            spread = spread_of(border=border, after_counting=after)
            found[f"gaussian {border} {after}"] = Response(Counter(), point_spread=spread)
    for after in (False, True):
        spread = spread_of("fibre", radius=20, after_counting=after)
        found[f"fibre {after}"] = Response(CCD, point_spread=spread, pixel_type="uint16")
    for model in DeadTimeModel:
        for pulse in (1e-9, 1e-7, 1e-6):
            found[f"{model} {pulse:g}"] = Response(counter(model, pulse))
        corrected = counter(model, 2e-7, rate_correction=True, largest_rate=3e6)
        found[f"{model} corrected"] = Response(corrected)
    found["long retrigger"] = Response(
        Counter(dead_time=DeadTime(DeadTimeModel.RETRIGGER, 1e-7, 2e-7))
    )
    for threshold in (0.3, 0.5, 0.7):
        found[f"threshold {threshold}"] = Response(
            Counter(16, threshold), charge_cloud=8e-6, pixel_type="uint16"
        )
    found["shared charge"] = Response(THREE_GAINS, charge_cloud=8e-6, pixel_type="uint16")
    found["three gains"] = Response(THREE_GAINS, pixel_type="uint16", serial=9)
    found["signed"] = Response(Counter(20), pixel_type="int32", masked_value=-2)
    found["everything"] = Response(
        THREE_GAINS,
        flicker=BeamFlicker(0.1),
        dead_layer=DeadLayer("Al", 5e-5),
        point_spread=spread_of(),
        defects=Defects(0.01, 0.01, 0.01, are_masked=False),
        pixel_type="uint16",
        serial=3,
    )
    found["image plate"] = Response(
        CCD, point_spread=spread_of(after_counting=True), scan=SpiralScan(75e-6, 40e-6, 0.01, 0.5),
        pixel_type="uint16", masked_value=0,
    )  # fmt: skip
    return found
