"""All stages of a response, computed by compiled code on a processor.

`stages.py` computes the same numbers with NumPy, and `cuda_stages.py` on a GPU.
"""

from __future__ import annotations

import numpy as np

from cupysim.detection import detector_library, response_record
from cupysim.detection.analogue import Analogue
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.point_spread import PointSpread
from cupysim.detection.response import Response
from cupysim.detection.spiral_scan import SpiralScan


class _Processor:
    """Launches on the processor; see `cupysim.detection.response_record.Machine`."""

    def __init__(self, threads: int | None) -> None:
        self._threads = threads
        self._kept: list[np.ndarray] = []

    def address(self, array: np.ndarray) -> int:
        self._kept.append(array)
        return array.ctypes.data

    def run(
        self, struct: np.ndarray, photons: np.ndarray, kind: str, *, overwrite: bool = False
    ) -> tuple[np.ndarray, int]:
        given = np.asarray(photons, dtype=np.float32)
        if given.strides[1] != given.itemsize or given.strides[0] % given.itemsize:
            given = np.ascontiguousarray(given)
        # threads read the photons of their rows before they write pixels there
        in_place = overwrite and np.dtype(kind).itemsize == given.itemsize
        image = given.view(kind) if in_place else np.empty(given.shape, dtype=kind)
        overloads = np.zeros(1, dtype=np.int64)
        struct["stride"] = given.strides[0] // given.itemsize
        struct["image_stride"] = image.strides[0] // image.itemsize
        struct["expected"], struct["image"] = given.ctypes.data, image.ctypes.data
        struct["overloads"] = overloads.ctypes.data
        if given.size:
            detector_library.detect(struct, self._threads)
        return image, int(overloads[0])

    def spread(self, spread: PointSpread, photons: np.ndarray, grid: PixelGrid) -> np.ndarray:
        return spread.apply(photons, grid, overwrite=True)

    def scanned(
        self, scan: SpiralScan, photons: np.ndarray, grid: PixelGrid, exposure: Exposure
    ) -> np.ndarray:
        return scan.apply(photons, grid, exposure, overwrite=True)


def raw_image(
    response: Response,
    expected: np.ndarray,
    grid: PixelGrid,
    exposure: Exposure,
    threads: int | None,
) -> tuple[np.ndarray, int]:
    """Detect the photons of a panel.

    Parameters
    ----------
    response, expected, grid, exposure
        As for `cupysim.detection.stages.raw_image`.
    threads : int, optional
        Number of threads; by default one on each core. It does not change the image.

    Returns
    -------
    raw, overloads
        As for `cupysim.detection.stages.raw_image`.
    """
    return response_record.raw_image(response, expected, grid, exposure, _Processor(threads))


def calibrated(
    response: Response, analogue: Analogue, raw: np.ndarray, grid: PixelGrid, exposure: Exposure
) -> tuple[np.ndarray, np.ndarray]:
    """Photons of raw numbers; see `cupysim.detection.analogue.Analogue.photons`.

    Returns
    -------
    photons : ndarray of float32, shape (n_slow, n_fast)
        Signals (photons); not-a-number where no gain has the bits.
    which : ndarray of int8, shape (n_slow, n_fast)
        Number of the gain of each pixel; -1 where no gain has the bits.
    """
    machine = _Processor(None)
    struct = response_record.calibration(response, analogue.as_known, grid, exposure, machine)
    numbers = np.ascontiguousarray(raw)
    photons, gains = detector_library.calibrate(struct, numbers, analogue.largest_value, None)
    return photons, gains.view(np.int8)
