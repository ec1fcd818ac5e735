"""A detected image of one panel: raw numbers, and photons by the calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.detection import compiled_stages, cuda_stages, detector_library, stages
from cupysim.detection.analogue import Analogue
from cupysim.detection.calibration import photons_of
from cupysim.detection.defects import COLD_SIGNAL, Defect
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.response import NO_DEFECTS, Response
from cupysim.errors import CupysimError

BACKENDS = ("auto", "host", "numpy", "cuda")
"""How a response can be computed."""


@dataclass(frozen=True, eq=False)
class Detected:
    """The image of a panel, as a detector reads it out.

    Parameters
    ----------
    raw : ndarray, shape (n_slow, n_fast)
        Raw numbers: counts, or ADU with gain bits.
    overloads : int
        Number of overloads, before defects.
    has_value : ndarray of bool, shape (n_slow, n_fast)
        Pixels that exist, that no mask hides, and that are not known defects.
    response : Response
        The response.
    grid : PixelGrid
        The pixels.
    exposure : Exposure
        The shot.
    device_raw : CuPy array, shape (n_slow, n_fast), optional
        The same numbers as `raw` on the device, if the expected photons were a CuPy array and the
        device detected them.
    """

    raw: np.ndarray
    overloads: int
    has_value: np.ndarray
    response: Response
    grid: PixelGrid
    exposure: Exposure
    device_raw: Any = None

    def photons(self) -> np.ndarray:
        """Photons of each pixel, by the calibration of the detector.

        Returns
        -------
        ndarray of float32, shape (n_slow, n_fast)
            Photons; not-a-number in pixels without a value.
        """
        return photons_of(self.response, self.raw, self.grid, self.exposure, self.has_value).photons


def detect(
    response: Response,
    expected: Any,
    grid: PixelGrid,
    exposure: Exposure,
    exists: np.ndarray | None,
    backend: str,
    threads: int | None,
) -> Detected:
    """Detect the photons of a panel; see `Response.detect`."""
    # imported here, because only runs with a response need it
    from cupysim.backends.compiled.cuda_engine import on_device

    if backend not in BACKENDS:
        raise CupysimError(
            f"response: backend: expected one of {', '.join(BACKENDS)}, got {backend!r}"
        )
    if expected.shape != grid.shape:
        raise CupysimError(
            f"response: the expected photons have the shape {expected.shape}, but the pixels "
            f"{grid.shape}"
        )
    is_there = on_device(expected)
    if is_there and backend in ("host", "numpy"):
        expected, is_there = cuda_stages.to_host(expected), False
    total = cuda_stages.total(expected) if is_there else expected.sum(dtype=np.float64)
    if not np.isfinite(total):
        raise CupysimError("response: the expected photons of some pixels are not finite")
    device_raw = None
    if expected.size == 0:
        raw, overloads = np.empty(grid.shape, dtype=response.dtype), 0
    elif is_there or backend == "cuda":
        device_raw, overloads = cuda_stages.raw_image(response, expected, grid, exposure)
        raw = cuda_stages.to_host(device_raw)
    else:
        raw, overloads = _raw_on_host(response, expected, grid, exposure, backend, threads)
    has_value = np.ones(grid.shape, dtype=bool) if exists is None else exists.copy()
    if response.scan is not None:
        has_value &= response.scan.covers(grid)
    _apply_defects(response, raw, grid, exposure, has_value)
    raw[~has_value] = response.masked_value
    if not is_there:
        device_raw = None
    elif device_raw is not None and (response.defects != NO_DEFECTS or not has_value.all()):
        cuda_stages.replace(device_raw, raw)
    return Detected(raw, overloads, has_value, response, grid, exposure, device_raw)


def _raw_on_host(
    response: Response,
    expected: np.ndarray,
    grid: PixelGrid,
    exposure: Exposure,
    backend: str,
    threads: int | None,
) -> tuple[np.ndarray, int]:
    """Raw numbers before defects, and the number of overloads, without a GPU."""
    problem = detector_library.problem() if backend in ("auto", "host") else None
    if problem is not None and backend == "host":
        raise CupysimError(f"response: compiled code cannot be used: {problem}")
    if backend == "numpy" or problem is not None:
        return stages.raw_image(response, expected, grid, exposure)
    return compiled_stages.raw_image(response, expected, grid, exposure, threads)


def _apply_defects(
    response: Response,
    raw: np.ndarray,
    grid: PixelGrid,
    exposure: Exposure,
    has_value: np.ndarray,
) -> None:
    """Apply defects: known ones become False in `has_value`, others change `raw`."""
    places = response.defects.places(grid.shape, grid.first_number, grid.row_step, response.serial)
    flat = raw.reshape(-1)
    numbers = grid.numbers().reshape(-1) if any(map(len, places.values())) else None
    for defect, chosen in places.items():
        if not len(chosen):
            continue
        if response.defects.are_masked:
            has_value.reshape(-1)[chosen] = False
        elif defect is Defect.HOT:
            flat[chosen] = _hottest(response, exposure)
        else:
            assert numbers is not None
            share = COLD_SIGNAL if defect is Defect.COLD else 0.0
            flat[chosen] = _weakened(response, flat[chosen], numbers[chosen], exposure, share)


def _hottest(response: Response, exposure: Exposure) -> int:
    """The raw number of a hot pixel, that of an overload."""
    readout, most = response.readout, response.overload_value(exposure)
    if isinstance(readout, Analogue):
        last = readout.gains[-1]
        return (last.bits << readout.adc_bits) | (most if last.adu_per_ev > 0.0 else 0)
    return most


def _weakened(
    response: Response, raw: np.ndarray, numbers: np.ndarray, exposure: Exposure, share: float
) -> np.ndarray:
    """Raw numbers of pixels that get only a share of their signal and noise."""
    readout = response.readout
    if isinstance(readout, Analogue):
        return readout.weakened(raw, numbers, exposure.photon_energy, response.serial, share)
    return np.asarray(np.floor(raw * share), dtype=raw.dtype)
