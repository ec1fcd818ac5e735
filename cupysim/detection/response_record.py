"""The struct of a response, and the launches that compute its image, on processors and GPUs.

`compiled_stages.py` and `cuda_stages.py` keep the arrays and carry out the launches. `stages.py`
computes the same numbers with NumPy.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from cupysim.detection import detector_library
from cupysim.detection.analogue import MEAN_SHOT, Analogue
from cupysim.detection.counter import Counter
from cupysim.detection.dead_time import CORRECTED_COUNTS, FEW_PHOTONS, DeadTimeModel
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.point_spread import Border, PointSpread, kept_light
from cupysim.detection.response import Response
from cupysim.detection.spiral_scan import SpiralScan

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


class Machine(Protocol):
    """The processor or GPU that carries out the launches of one image.

    Photons are arrays in its memory.
    """

    def address(self, array: np.ndarray) -> int:
        """Keep a NumPy array for the launches, and return the address that they read."""

    def run(
        self, struct: np.ndarray, photons: Any, kind: str, *, overwrite: bool = False
    ) -> tuple[Any, int]:
        """Compute the image of some photons, and the number of overloads.

        `kind` is the type of the pixels. This method sets the members of the struct (shape (1,))
        for `expected` and for the results. With `overwrite`, the image may take the place of the
        photons. Then no pixel may need the photons of others.
        """

    def spread(self, spread: PointSpread, photons: Any, grid: PixelGrid) -> Any:
        """Photons after a point spread that is not separable; they may replace those given."""

    def scanned(self, scan: SpiralScan, photons: Any, grid: PixelGrid, exposure: Exposure) -> Any:
        """Photons after the scan of an image plate; they may replace those given."""


class _Record:
    """The struct of a response for a machine."""

    def __init__(
        self, response: Response, grid: PixelGrid, exposure: Exposure, machine: Machine
    ) -> None:
        self.struct = np.zeros(1, dtype=detector_library.response_type())
        self.response, self.grid, self.exposure = response, grid, exposure
        self.machine = machine
        self.set(
            n_slow=grid.n_slow, n_fast=grid.n_fast, row_step=grid.row_step,
            first_number=_bits(grid.first_number), seed=_bits(exposure.seed),
            shot=_bits(exposure.shot), serial=_bits(response.serial), brightness=1.0,
            normal_slow=grid.normal_slow, normal_fast=grid.normal_fast,
            slope_slow=grid.slopes[0], slope_fast=grid.slopes[1],
        )  # fmt: skip

    def set(self, **values: float | np.ndarray) -> None:
        """Set members. An array sets a pointer, or all places of a member that is an array."""
        for name, value in values.items():
            kind = self.struct.dtype[name]
            if kind == np.uintp:
                self.struct[name] = self.machine.address(np.ascontiguousarray(value))
            elif kind.shape:
                self.struct[name][0, : len(np.atleast_1d(value))] = value
            else:
                self.struct[name] = value

    def set_source(self) -> None:
        """Set flicker and dead layer, which act before the sensor."""
        self.set(
            brightness=self.response.brightness(self.exposure),
            absorption=self.response.absorption(self.exposure.photon_energy),
        )

    def set_ways(self) -> None:
        """Set the ways in which pixels share a photon."""
        ways = self.response.ways(self.grid)
        self.set(n_ways=len(ways.probabilities), probabilities=ways.probabilities)
        if not ways.is_whole:
            self.set(shares=ways.shares)

    def set_spread(self, spread: PointSpread) -> None:
        """Set a separable point spread."""
        grid = self.grid
        slow, fast = spread.weights(grid)
        self.set(
            weights_slow=slow, weights_fast=fast, radius=len(slow) // 2,
            border=BORDERS[spread.border], spreads_counts=spread.after_counting,
        )  # fmt: skip
        if spread.border is Border.KEPT:
            self.set(
                kept_slow=kept_light(slow, grid.n_slow), kept_fast=kept_light(fast, grid.n_fast)
            )

    def set_readout(self) -> None:
        """Set the read-out."""
        readout = self.response.readout
        self.set(least_value=0.0, overload_value=float(self.response.overload_value(self.exposure)))
        if isinstance(readout, Counter):
            self._set_counter(readout)
        else:
            self.set_analogue(readout, readout.shot(self.exposure))

    def _set_counter(self, counter: Counter) -> None:
        self.set(readout=COUNTER)
        times = counter.pulse_times(self.exposure)
        if times is None:
            return
        none, at_most_one = times.overlap_probabilities()
        self.set(
            dead_time=DEAD_TIMES[times.model], pulse=times.pulse, retrigger=times.retrigger,
            no_overlap=none, one_overlap=at_most_one, n_few=FEW_PHOTONS,
        )  # fmt: skip
        if counter.rate_correction:
            self.set(corrected=times.correction_table, n_corrected=CORRECTED_COUNTS)

    def set_analogue(self, analogue: Analogue, shot: tuple[float, float]) -> None:
        """Set the gains, with the drift of pedestals and the gain factor of a shot."""
        gains = analogue.in_photons(self.exposure.photon_energy, shot)

        def each(name: str) -> np.ndarray:
            return np.array([getattr(gain, name) for gain in gains])

        self.set(
            readout=ANALOGUE, n_gains=len(gains), gain=each("adu"), gain_bits=each("bits"),
            conversion=analogue.variance_per_photon(self.exposure.photon_energy),
            **{name: each(name) for name in (
                "range_end", "noise", "pedestal", "pedestal_spread", "gain_spread"
            )},
        )  # fmt: skip

    def run(self, photons: Any, kind: str, *, overwrite: bool = False) -> tuple[Any, int]:
        """Compute the image of some photons, and the number of overloads; see `Machine.run`."""
        self.struct["pixel_type"] = PIXEL_TYPES[kind]
        return self.machine.run(self.struct, photons, kind, overwrite=overwrite)

    def photons(self, given: Any) -> Any:
        """Compute the photons before the read-out."""
        self.set(readout=PHOTONS, least_value=0.0, overload_value=UNLIMITED)
        return self.run(given, "float32")[0]


def raw_image(
    response: Response, expected: Any, grid: PixelGrid, exposure: Exposure, machine: Machine
) -> tuple[Any, int]:
    """Detect the photons of a panel.

    Parameters
    ----------
    response, grid, exposure
        As for `cupysim.detection.stages.raw_image`.
    expected : array of float32, shape (n_slow, n_fast)
        Expected photons, in the memory of the machine.
    machine : Machine
        The processor or GPU.

    Returns
    -------
    raw : array of the response's type, shape (n_slow, n_fast)
        Raw numbers before defects, in the memory of the machine.
    overloads : int
        Number of overloads.
    """
    spread, photons, is_at_sensor, is_counted = response.point_spread, expected, False, False
    if response.scan is not None:
        photons = _photons(response, expected, grid, exposure, machine)
        photons = machine.scanned(response.scan, photons, grid, exposure)
        spread, is_at_sensor, is_counted = None, True, True
    elif spread is not None and not spread.is_separable:
        is_counted = spread.after_counting
        photons = _spread(response, expected, grid, exposure, spread, machine)
        spread, is_at_sensor = None, True
    record = _Record(response, grid, exposure, machine)
    if not is_at_sensor:
        record.set_source()
    if not is_counted:
        record.set_ways()
    if spread is not None:
        record.set_spread(spread)
    record.set_readout()
    # counted photons are not those of the caller, and the read-out of a pixel needs only its own
    return record.run(photons, response.pixel_type, overwrite=is_counted)


def calibration(
    response: Response, analogue: Analogue, grid: PixelGrid, exposure: Exposure, machine: Machine
) -> np.ndarray:
    """The struct of a response for the calibration of raw numbers.

    Parameters
    ----------
    response, grid, exposure, machine
        As for `raw_image`.
    analogue : Analogue
        The read-out as the calibration knows it.

    Returns
    -------
    ndarray of the struct, shape (1,)
        Pixels, gains and pedestals.
    """
    record = _Record(response, grid, exposure, machine)
    record.set_analogue(analogue, MEAN_SHOT)
    return record.struct


def _photons(
    response: Response,
    expected: Any,
    grid: PixelGrid,
    exposure: Exposure,
    machine: Machine,
) -> Any:
    """Counted photons after the point spread, before the read-out."""
    photons, spread = expected, response.point_spread
    is_wide = spread is not None and not spread.is_separable
    if spread is not None and is_wide:
        photons = _spread(response, expected, grid, exposure, spread, machine)
        if spread.after_counting:
            return photons
    record = _Record(response, grid, exposure, machine)
    if not is_wide:
        record.set_source()
    record.set_ways()
    if spread is not None and not is_wide:
        record.set_spread(spread)
    return record.photons(photons)


def _spread(
    response: Response,
    expected: Any,
    grid: PixelGrid,
    exposure: Exposure,
    spread: PointSpread,
    machine: Machine,
) -> Any:
    """Expected or counted photons after a point spread that is not separable."""
    record = _Record(response, grid, exposure, machine)
    record.set_source()
    if spread.after_counting:
        record.set_ways()
    return machine.spread(spread, record.photons(expected), grid)


def _bits(number: int) -> int:
    """The signed number with the 64 bits of an unsigned one."""
    return number - 2**64 if number >= 2**63 else number
