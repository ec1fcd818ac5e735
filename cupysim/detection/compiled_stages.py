"""All stages of a response with compiled code; `stages.py` computes the same numbers with NumPy."""

from __future__ import annotations

import numpy as np

from cupysim.detection import detector_library
from cupysim.detection.analogue import Analogue
from cupysim.detection.counter import Counter
from cupysim.detection.dead_time import CORRECTED_COUNTS, FEW_PHOTONS, DeadTimeModel
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.point_spread import Border, PointSpread, kept_light
from cupysim.detection.response import Response

PHOTONS, COUNTER, ANALOGUE = range(3)
"""Values of `Readout` in `cuda_src/response.cuh`."""

DEAD_TIMES = {
    DeadTimeModel.NON_PARALYSABLE: 1,
    DeadTimeModel.PARALYSABLE: 2,
    DeadTimeModel.RETRIGGER: 3,
}
"""Values of `DeadTime`."""

BORDERS = {Border.LOST: 0, Border.MIRRORED: 1, Border.KEPT: 2}
"""Values of `Border`."""

PIXEL_TYPES = {"float32": 0, "uint16": 1, "int32": 2, "uint32": 3}
"""Values of `PixelType`."""

UNLIMITED = 1e300
"""A limit that no number of a pixel reaches."""


class _Record:
    """The struct of a response. It keeps the arrays that the struct points to."""

    def __init__(self, grid: PixelGrid, exposure: Exposure, serial: int) -> None:
        self.struct = np.zeros(1, dtype=detector_library.response_type())
        self._arrays: list[np.ndarray] = []
        self.grid = grid
        self.set(
            n_slow=grid.n_slow, n_fast=grid.n_fast, row_step=grid.row_step,
            first_number=_bits(grid.first_number), seed=_bits(exposure.seed),
            shot=_bits(exposure.shot), serial=_bits(serial), brightness=1.0,
            normal_slow=grid.normal_slow, normal_fast=grid.normal_fast,
            slope_slow=grid.slopes[0], slope_fast=grid.slopes[1],
        )  # fmt: skip

    def set(self, **values: float | np.ndarray) -> None:
        """Set members. An array sets a pointer, or all places of a member that is an array."""
        for name, value in values.items():
            kind = self.struct.dtype[name]
            if kind == np.uintp:
                array = np.ascontiguousarray(value)
                self._arrays.append(array)
                self.struct[name] = array.ctypes.data
            elif kind.shape:
                self.struct[name][0, : len(np.atleast_1d(value))] = value
            else:
                self.struct[name] = value

    def set_spread(self, spread: PointSpread, is_after: bool) -> None:
        """Set a separable point spread."""
        grid = self.grid
        slow, fast = spread.weights(grid)
        self.set(
            weights_slow=slow, weights_fast=fast, radius=len(slow) // 2,
            border=BORDERS[spread.border], spreads_counts=is_after,
        )  # fmt: skip
        if spread.border is Border.KEPT:
            self.set(
                kept_slow=kept_light(slow, grid.n_slow), kept_fast=kept_light(fast, grid.n_fast)
            )

    def run(self, photons: np.ndarray, kind: str, threads: int | None) -> tuple[np.ndarray, int]:
        """Compute the image of some photons, of a type, and the number of overloads."""
        given = np.asarray(photons, dtype=np.float32)
        if given.strides[1] != given.itemsize or given.strides[0] % given.itemsize:
            given = np.ascontiguousarray(given)
        image, overloads = np.empty(given.shape, dtype=kind), np.zeros(1, dtype=np.int64)
        self.set(stride=given.strides[0] // given.itemsize, pixel_type=PIXEL_TYPES[kind],
                 image_stride=given.shape[1])  # fmt: skip
        # pointers to memory that this function keeps
        self.struct["expected"], self.struct["image"] = given.ctypes.data, image.ctypes.data
        self.struct["overloads"] = overloads.ctypes.data
        if given.size:
            detector_library.detect(self.struct, threads)
        return image, int(overloads[0])


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
        As of `cupysim.detection.stages.raw_image`.
    """
    spread, photons, is_at_sensor, is_counted = response.point_spread, expected, False, False
    if response.scan is not None:
        photons = _photons(response, expected, grid, exposure, spread, threads)
        photons = response.scan.apply(photons, grid, exposure)
        spread, is_at_sensor, is_counted = None, True, True
    elif spread is not None and not spread.is_separable:
        is_counted = spread.after_counting
        photons = _spread(response, expected, grid, exposure, spread, threads)
        spread, is_at_sensor = None, True
    record = _Record(grid, exposure, response.serial)
    if not is_at_sensor:
        _set_source(record, response, exposure)
    if not is_counted:
        _set_ways(record, response)
    if spread is not None:
        record.set_spread(spread, spread.after_counting)
    record.set(least_value=0.0, overload_value=float(response.overload_value(exposure)))
    if isinstance(response.readout, Counter):
        _set_counter(record, response.readout, exposure)
    else:
        readout = response.readout
        _set_analogue(record, readout, exposure, readout.shot(exposure))
    return record.run(photons, response.pixel_type, threads)


def _photons(
    response: Response,
    expected: np.ndarray,
    grid: PixelGrid,
    exposure: Exposure,
    spread: PointSpread | None,
    threads: int | None,
) -> np.ndarray:
    """Counted photons after the point spread, before they are read."""
    is_at_sensor = spread is not None and not spread.is_separable
    photons = expected
    if is_at_sensor:
        assert spread is not None
        photons = _spread(response, expected, grid, exposure, spread, threads)
        if spread.after_counting:
            return photons
    record = _Record(grid, exposure, response.serial)
    record.set(readout=PHOTONS, least_value=0.0, overload_value=UNLIMITED)
    if not is_at_sensor:
        _set_source(record, response, exposure)
    _set_ways(record, response)
    if spread is not None and spread.is_separable:
        record.set_spread(spread, spread.after_counting)
    return record.run(photons, "float32", threads)[0]


def _spread(
    response: Response,
    expected: np.ndarray,
    grid: PixelGrid,
    exposure: Exposure,
    spread: PointSpread,
    threads: int | None,
) -> np.ndarray:
    """Expected or counted photons after a point spread that is not separable."""
    record = _Record(grid, exposure, response.serial)
    record.set(readout=PHOTONS, least_value=0.0, overload_value=UNLIMITED)
    _set_source(record, response, exposure)
    if spread.after_counting:
        _set_ways(record, response)
    return spread.apply(record.run(expected, "float32", threads)[0], grid)


def _set_source(record: _Record, response: Response, exposure: Exposure) -> None:
    record.set(
        brightness=response.brightness(exposure),
        absorption=response.absorption(exposure.photon_energy),
    )


def _set_ways(record: _Record, response: Response) -> None:
    ways = response.ways(record.grid)
    record.set(n_ways=len(ways.probabilities), probabilities=ways.probabilities)
    if not ways.is_whole:
        record.set(shares=ways.shares)


def _set_counter(record: _Record, counter: Counter, exposure: Exposure) -> None:
    record.set(readout=COUNTER)
    times = counter.pulse_times(exposure)
    if times is None:
        return
    none, at_most_one = times.overlap_probabilities()
    record.set(
        dead_time=DEAD_TIMES[times.model], pulse=times.pulse, retrigger=times.retrigger,
        no_overlap=none, one_overlap=at_most_one, n_few=FEW_PHOTONS,
    )  # fmt: skip
    if counter.rate_correction:
        record.set(corrected=times.correction_table, n_corrected=CORRECTED_COUNTS)


def _set_analogue(
    record: _Record, analogue: Analogue, exposure: Exposure, shot: tuple[float, float]
) -> None:
    gains = analogue.in_photons(exposure.photon_energy, shot)

    def each(name: str) -> np.ndarray:
        return np.array([getattr(gain, name) for gain in gains])

    record.set(
        readout=ANALOGUE, n_gains=len(gains), gain=each("adu"), gain_bits=each("bits"),
        conversion=analogue.variance_per_photon(exposure.photon_energy),
        **{name: each(name) for name in (
            "range_end", "noise", "pedestal", "pedestal_spread", "gain_spread"
        )},
    )  # fmt: skip


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
    record = _Record(grid, exposure, response.serial)
    _set_analogue(record, analogue.as_known, exposure, (0.0, 1.0))
    numbers = np.ascontiguousarray(raw)
    photons, gains = detector_library.calibrate(
        record.struct, numbers, analogue.largest_value, None
    )
    return photons, gains.view(np.int8)


def _bits(number: int) -> int:
    """A 64-bit number without sign as one with a sign."""
    return number - 2**64 if number >= 2**63 else number
