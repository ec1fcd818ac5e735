"""The response of a detector: stages from expected photons to raw numbers, in physical order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cupysim.detection.analogue import Analogue
from cupysim.detection.charge_sharing import ChargeSharing, Ways
from cupysim.detection.counter import Counter
from cupysim.detection.dead_layer import DeadLayer
from cupysim.detection.defects import Defects
from cupysim.detection.flicker import BeamFlicker
from cupysim.detection.photon_noise import LARGEST_SEED
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.point_spread import PointSpread
from cupysim.detection.spiral_scan import SpiralScan
from cupysim.errors import ModelError
from cupysim.models.checks import finite

if TYPE_CHECKING:
    from cupysim.detection.detected import Detected

PIXEL_TYPES = ("uint16", "int32", "uint32")
"""Types of the numbers of raw images."""

NO_DEFECTS = Defects()


@lru_cache(maxsize=16)
def _shared(sharing: ChargeSharing, pixel_slow: float, pixel_fast: float) -> Ways:
    """Ways of pixels of one size. The cache keeps them for the next image."""
    return sharing.ways(PixelGrid(1, 1, pixel_slow, pixel_fast))


@dataclass(frozen=True)
class Response:
    """The response of a detector.

    The stages act in this order: flicker of the beam, dead layer, point spread, charge sharing,
    counting noise (always), point spread of counted photons (`PointSpread.after_counting`), scan,
    read-out, defects. A stage that is None does nothing.

    Parameters
    ----------
    readout : Counter or Analogue
        Read-out of a pixel: a counter, or an analogue signal.
    name : str, optional
        Name.
    flicker : BeamFlicker, optional
        Fluence that differs from shot to shot.
    dead_layer : DeadLayer, optional
        Absorption in front of the sensor.
    point_spread : PointSpread, optional
        Spread of light or photons among pixels.
    charge_cloud : float, optional
        Standard deviation (m) of the charge of a photon along each axis; 0: no charge sharing.
    scan : SpiralScan, optional
        Scan of an image plate.
    defects : Defects, optional
        Pixels that do not work.
    serial : int, optional
        Serial number. It selects the pedestals, gains and defects of pixels.
    pixel_type : str, optional
        Type of raw numbers: "uint16", "int32" or "uint32".
    masked_value : int, optional
        Raw number of pixels without a value. By default the largest number of the type.

    Raises
    ------
    ModelError
        If stages or numbers do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from cupysim.detection.counter import Counter
    >>> from cupysim.detection.pixel_grid import Exposure, PixelGrid
    >>> from cupysim.detection.response import Response
    >>> response = Response(Counter(bits=16), pixel_type="uint16")
    >>> grid = PixelGrid(64, 64, 75e-6, 75e-6)
    >>> expected = np.full(grid.shape, 3.0, dtype=np.float32)
    >>> response.detect(expected, grid, Exposure(12400.0, seed=1)).raw.dtype
    dtype('uint16')
    """

    readout: Counter | Analogue
    name: str = "custom"
    flicker: BeamFlicker | None = None
    dead_layer: DeadLayer | None = None
    point_spread: PointSpread | None = None
    charge_cloud: float = 0.0
    scan: SpiralScan | None = None
    defects: Defects = NO_DEFECTS
    serial: int = 0
    pixel_type: str = "uint32"
    masked_value: int | None = None

    def __post_init__(self) -> None:
        if self.pixel_type not in PIXEL_TYPES:
            raise ModelError(
                f"response: pixel_type: expected one of {', '.join(PIXEL_TYPES)}, got "
                f"{self.pixel_type!r}"
            )
        if not isinstance(self.serial, int) or not 0 <= self.serial <= LARGEST_SEED:
            raise ModelError(
                f"response: serial must be an integer from 0 to 2^64 - 1, got {self.serial!r}"
            )
        if not finite(self.charge_cloud, "response: charge_cloud") >= 0.0:
            raise ModelError(
                f"response: charge_cloud must not be negative, got {self.charge_cloud:g} m"
            )
        limits = np.iinfo(self.dtype)
        if self.masked_value is None:
            object.__setattr__(self, "masked_value", int(limits.max))
        assert self.masked_value is not None
        if not limits.min <= self.masked_value <= limits.max:
            raise ModelError(
                f"response: masked_value {self.masked_value} does not fit into {self.pixel_type}"
            )
        if isinstance(self.readout, Analogue):
            has_bits = len(self.readout.gains) > 1
            if has_bits and self.pixel_type != "uint16":
                raise ModelError(
                    "response: pixel_type must be uint16 if raw numbers have gain bits"
                )
            if self.readout.adc_bits > limits.bits - (limits.min < 0):
                raise ModelError(
                    f"response: adc_bits: {self.readout.adc_bits} bits do not fit into "
                    f"{self.pixel_type}"
                )
        elif self.readout.bits > limits.bits - (limits.min < 0):
            raise ModelError(
                f"response: counts of {self.readout.bits} bits do not fit into {self.pixel_type}"
            )
        elif 0 <= self.masked_value < 2**self.readout.bits - 1:
            raise ModelError(
                f"response: masked_value {self.masked_value} is also a count; it must be negative, "
                f"or {2**self.readout.bits - 1} or more"
            )

    @property
    def dtype(self) -> np.dtype:
        """Type of raw numbers."""
        return np.dtype(self.pixel_type)

    @cached_property
    def sharing(self) -> ChargeSharing | None:
        """Charge sharing; None if each photon stays in its pixel."""
        if self.charge_cloud == 0.0:
            return None
        threshold = self.readout.threshold if isinstance(self.readout, Counter) else None
        return ChargeSharing(self.charge_cloud, threshold)

    def ways(self, grid: PixelGrid) -> Ways:
        """Ways in which pixels of a grid share a photon."""
        if self.sharing is not None:
            return _shared(self.sharing, grid.pixel_slow, grid.pixel_fast)
        alone = np.zeros((1, 3, 3), dtype=np.float32)
        alone[0, 1, 1] = 1.0
        return Ways(np.ones(1, dtype=np.float32), alone)

    def absorption(self, photon_energy: float) -> float:
        """Thickness of the dead layer over the attenuation length at a photon energy (eV)."""
        return 0.0 if self.dead_layer is None else self.dead_layer.absorption(photon_energy)

    @property
    def pedestal(self) -> float | None:
        """Mean number of a pixel without signal; None if it depends on the gain."""
        if isinstance(self.readout, Counter):
            return 0.0
        gains = self.readout.gains
        return gains[0].pedestal if len(gains) == 1 else None

    def brightness(self, exposure: Exposure) -> float:
        """Factor of the fluence of a shot."""
        return 1.0 if self.flicker is None else self.flicker.factor(exposure)

    def overload_value(self, exposure: Exposure) -> int:
        """The raw number of overloads, without gain bits. It is the largest one of a pixel."""
        if isinstance(self.readout, Counter):
            return min(self.readout.largest_count(exposure) + 1, 2**self.readout.bits - 1)
        value = self.readout.largest_value
        return value if self.readout.overload is None else min(value, int(self.readout.overload))

    def detect(
        self,
        expected: Any,
        grid: PixelGrid,
        exposure: Exposure,
        *,
        exists: np.ndarray | None = None,
        backend: str = "auto",
        threads: int | None = None,
    ) -> Detected:
        """Detect the photons of one panel.

        Parameters
        ----------
        expected : array of float32, shape (n_slow, n_fast)
            Expected photons: a NumPy or a CuPy array.
        grid : PixelGrid
            The pixels.
        exposure : Exposure
            Photon energy, exposure time, seed and shot.
        exists : ndarray of bool, shape (n_slow, n_fast), optional
            Pixels that exist and are not masked. By default all.
        backend : {"auto", "host", "numpy", "cuda"}, optional
            Compiled code on the processor, NumPy, which is slow, or a GPU. The images are equal,
            except that a wide point spread (not "gaussian") has other rounding errors on a GPU.
            "auto" uses the device of a CuPy array; for a NumPy array, compiled code if there is
            any.
        threads : int, optional
            Number of threads; by default one on each core. It does not change the image.

        Returns
        -------
        Detected
            Raw image as a NumPy array, with all that the calibration needs. `Detected.device_raw`
            is the raw image as a CuPy array, if a device detected the photons of a CuPy array.

        Raises
        ------
        CupysimError
            If the backend cannot be used, or some expected photons are not finite.
        ModelError
            If the stages do not fit the pixels.
        """
        from cupysim.detection import detected

        return detected.detect(self, expected, grid, exposure, exists, backend, threads)

    def with_serial(self, serial: int) -> Response:
        """The same response for the detector with another serial number."""
        return replace(self, serial=serial)
