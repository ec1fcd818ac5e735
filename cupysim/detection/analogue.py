"""Read-out of detectors that integrate charge or light.

The compiled code has the same operations in `cuda_src/readout.cuh`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.random_numbers import Stage, stage_normals
from cupysim.errors import ModelError
from cupysim.models.checks import finite, whole

MOST_GAINS = 4
"""Largest number of gains of a pixel."""

MOST_BITS = 24
"""Largest number of bits of an analogue-to-digital converter."""

RAW_BITS = 16
"""Bits of a raw number that also tells the gain."""

LARGEST_SPREAD = 0.2
"""Largest relative spread of gains. The gains of some pixels would otherwise be close to zero."""

MEAN_SHOT = (0.0, 1.0)
"""Pedestal drift (ADU) and gain factor of a shot without drift and jitter."""


@dataclass(frozen=True)
class Gain:
    """One gain of a pixel.

    Parameters
    ----------
    adu_per_ev : float
        Gain (ADU/eV). It is negative if the raw number falls with the signal.
    noise : float
        Read-out noise (electrons rms).
    pedestal : float
        Raw number of a pixel without signal (ADU).
    range_end : float
        Signal (eV) at which the pixel switches to the next gain. For the last gain, the largest
        signal.
    gain_spread : float, optional
        Relative standard deviation of the gain among pixels.
    pedestal_spread : float, optional
        Standard deviation of the pedestal among pixels (ADU).
    bits : int, optional
        Bits that tell the gain, above those of the converter.
    name : str, optional
        Name of the gain.

    Raises
    ------
    ModelError
        If a number is impossible.
    """

    adu_per_ev: float
    noise: float
    pedestal: float
    range_end: float
    gain_spread: float = 0.0
    pedestal_spread: float = 0.0
    bits: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        if finite(self.adu_per_ev, "gain: adu_per_ev") == 0.0:
            raise ModelError("gain: adu_per_ev must not be zero")
        for name in ("noise", "gain_spread", "pedestal_spread"):
            if not finite(getattr(self, name), f"gain: {name}") >= 0.0:
                raise ModelError(f"gain: {name} must not be negative, got {getattr(self, name):g}")
        finite(self.pedestal, "gain: pedestal")
        if not finite(self.range_end, "gain: range_end") > 0.0:
            raise ModelError(f"gain: range_end must be above zero, got {self.range_end:g} eV")


@dataclass(frozen=True)
class Analogue:
    """A pixel that integrates the signal of all photons, with one gain or several.

    Parameters
    ----------
    pair_energy : float
        Photon energy (eV) that makes one electron. In a semiconductor, this is the energy of an
        electron-hole pair. For a phosphor and a CCD, it is the photon energy divided by the number
        of electrons for one photon.
    fano : float
        Variance of the number of electrons for one photon, divided by its mean: the Fano factor of
        a semiconductor, or 1 for a phosphor whose light quanta are counted.
    gains : sequence of Gain
        Gains in the order in which a growing signal switches through them.
    adc_bits : int, optional
        Bits of the analogue-to-digital converter.
    pedestal_drift : float, optional
        Standard deviation (ADU) of the pedestal from shot to shot. The drift of a shot is the same
        for all pixels.
    gain_jitter : float, optional
        Relative standard deviation of the gain from shot to shot. The gain factor of a shot is the
        same for all pixels.
    overload : float, optional
        Raw number (ADU) of overloads. By default the largest number of the converter.
    knows_pixels : bool, optional
        Whether the calibration knows the pedestals and gains of the pixels. Otherwise, their spread
        is an error that calibrated images keep.

    Raises
    ------
    ModelError
        If a number is impossible, or ranges do not increase.
    """

    pair_energy: float
    fano: float
    gains: tuple[Gain, ...]
    adc_bits: int = RAW_BITS
    pedestal_drift: float = 0.0
    gain_jitter: float = 0.0
    overload: float | None = None
    knows_pixels: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "gains", tuple(self.gains))
        if not finite(self.pair_energy, "analogue: pair_energy") > 0.0:
            raise ModelError(f"analogue: pair_energy must be above zero, got {self.pair_energy:g}")
        for name in ("fano", "pedestal_drift", "gain_jitter"):
            if not finite(getattr(self, name), f"analogue: {name}") >= 0.0:
                raise ModelError(
                    f"analogue: {name} must not be negative, got {getattr(self, name):g}"
                )
        if not 1 <= len(self.gains) <= MOST_GAINS:
            raise ModelError(f"analogue: expected 1 to {MOST_GAINS} gains, got {len(self.gains)}")
        ends = [gain.range_end for gain in self.gains]
        if ends != sorted(set(ends)):
            raise ModelError("analogue: the ranges of the gains must increase")
        if not 1 <= whole(self.adc_bits, "analogue: adc_bits") <= MOST_BITS:
            raise ModelError(f"analogue: adc_bits must be from 1 to {MOST_BITS}")
        self._check_limits()
        codes = [gain.bits for gain in self.gains]
        if len(codes) > 1 and len(set(codes)) < len(codes):
            raise ModelError("analogue: two gains have the same bits")
        for code in codes:
            if not 0 <= code << self.adc_bits < 2**RAW_BITS:
                raise ModelError(
                    f"analogue: raw numbers have {RAW_BITS} bits; they cannot hold the gain bits "
                    f"{code} above the {self.adc_bits} bits of the converter (adc_bits)"
                )

    def _check_limits(self) -> None:
        """Check that a pixel without signal is no overload."""
        most = float(self.largest_value)
        if self.overload is not None:
            if not finite(self.overload, "analogue: overload") >= 1.0:
                raise ModelError(f"analogue: overload must be at least 1, got {self.overload:g}")
            most = min(most, float(int(self.overload)))
        pedestal = self.gains[0].pedestal
        if not 0.0 <= pedestal < most:
            raise ModelError(
                f"analogue: the pedestal of the first gain must be from 0 to below {most:g}, the "
                f"largest number, got {pedestal:g}"
            )
        spreads = {"gain_jitter": self.gain_jitter}
        spreads |= {f"gain_spread of gain {n}": g.gain_spread for n, g in enumerate(self.gains, 1)}
        for name, spread in spreads.items():
            if spread > LARGEST_SPREAD:
                raise ModelError(
                    f"analogue: {name} must be at most {LARGEST_SPREAD:g}, got {spread:g}"
                )

    @property
    def as_known(self) -> Analogue:
        """The read-out as the calibration knows it: without spreads that it does not know."""
        if self.knows_pixels:
            return self
        gains = [replace(gain, gain_spread=0.0, pedestal_spread=0.0) for gain in self.gains]
        return replace(self, gains=tuple(gains))

    @property
    def largest_value(self) -> int:
        """Largest number of the converter (ADU)."""
        return int(2**self.adc_bits - 1)

    def electrons_per_photon(self, photon_energy: float) -> float:
        """Mean electrons of a photon of an energy (eV)."""
        return photon_energy / self.pair_energy

    def variance_per_photon(self, photon_energy: float) -> float:
        """Variance of a photon's signal (photons^2)."""
        return self.fano / self.electrons_per_photon(photon_energy)

    def in_photons(self, photon_energy: float, shot: tuple[float, float]) -> list[GainInPhotons]:
        """The gains for photons of an energy (eV), with the drift and the gain factor of a shot."""
        drift, factor = shot
        return [
            GainInPhotons(
                gain.adu_per_ev * photon_energy * factor,
                gain.noise / self.electrons_per_photon(photon_energy),
                gain.pedestal + drift,
                gain.range_end / photon_energy,
                gain.gain_spread,
                gain.pedestal_spread,
                gain.bits << self.adc_bits,
            )
            for gain in self.gains
        ]

    def shot(self, exposure: Exposure) -> tuple[float, float]:
        """Drift of the pedestals (ADU), and factor of the gains, of a shot."""
        normals = stage_normals(
            np.zeros(1, dtype=np.uint64), Stage.DRIFT, 0, exposure.shot, exposure.seed
        )
        drift, jitter = (float(normal[0]) for normal in normals)
        return self.pedestal_drift * drift, 1.0 + self.gain_jitter * jitter

    def read(
        self, photons: np.ndarray, grid: PixelGrid, exposure: Exposure, serial: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read analogue signals out.

        Parameters
        ----------
        photons : ndarray of float32, shape (n_slow, n_fast)
            Signal of each pixel (photons).
        grid : PixelGrid
            The pixels.
        exposure : Exposure
            The shot.
        serial : int
            Serial number of the detector, to which pedestals and gains of the pixels belong.

        Returns
        -------
        values : ndarray of float64, shape (n_slow, n_fast)
            Numbers of the converter (ADU), before they are rounded and limited.
        gain_bits : ndarray of uint16, shape (n_slow, n_fast)
            Bits that tell the gain.
        is_overload : ndarray of bool, shape (n_slow, n_fast)
            Whether the signal is beyond the last range.
        """
        gains = self.in_photons(exposure.photon_energy, self.shot(exposure))
        numbers = grid.numbers()
        conversion, noise = stage_normals(numbers, Stage.READINGS, 0, exposure.shot, exposure.seed)
        signal = photons.astype(np.float64)
        variance = self.variance_per_photon(exposure.photon_energy)
        signal = signal + np.sqrt(variance * np.maximum(signal, 0.0)) * conversion
        which = self._switched(signal, gains, numbers, serial)
        end = gains[-1].range_end
        values, bits = np.empty(signal.shape), np.empty(signal.shape, dtype=np.uint16)
        for number, gain in enumerate(gains):
            chosen = which == number
            pedestal, factor = pixel_calibration(gain, number, numbers[chosen], serial)
            read = np.minimum(signal[chosen], end) + gain.noise * noise[chosen]
            values[chosen] = pedestal + gain.adu * factor * read
            bits[chosen] = gain.bits
        return values, bits, signal > end

    @staticmethod
    def _switched(
        signal: np.ndarray, gains: Sequence[GainInPhotons], numbers: np.ndarray, serial: int
    ) -> np.ndarray:
        """Number of the gain of each pixel.

        All pixels leave a gain at the same number of the converter. The signal at which a pixel
        leaves the gain therefore depends on its own gain factor and pedestal.
        """
        which = np.zeros(signal.shape, dtype=np.int64)
        for number, gain in enumerate(gains[:-1]):
            chosen = which == number
            pedestal, factor = pixel_calibration(gain, number, numbers[chosen], serial)
            shift = (pedestal - gain.pedestal) / gain.adu
            which[chosen] += signal[chosen] * factor + shift > gain.range_end
        return which

    def photons(
        self, raw: np.ndarray, numbers: np.ndarray, photon_energy: float, serial: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Photons of raw numbers, with the calibration of the detector.

        Parameters
        ----------
        raw : ndarray of uint16
            Raw numbers with gain bits.
        numbers : ndarray of uint64, same shape
            Numbers of the pixels, as in `PixelGrid.numbers`.
        photon_energy : float
            Photon energy (eV).
        serial : int
            Serial number of the detector.

        Returns
        -------
        photons : ndarray of float64, same shape
            Signals (photons); not-a-number where no gain has the bits.
        which : ndarray of int64, same shape
            Number of the gain of each pixel; -1 where no gain has the bits.
        """
        gains = self.as_known.in_photons(photon_energy, MEAN_SHOT)
        values = (raw & self.largest_value).astype(np.float64)
        codes = raw.astype(np.int64) - (raw & self.largest_value)
        signal, which = np.full(raw.shape, np.nan), np.full(raw.shape, -1)
        for number, gain in enumerate(gains):
            chosen = codes == gain.bits
            pedestal, factor = pixel_calibration(gain, number, numbers[chosen], serial)
            signal[chosen] = (values[chosen] - pedestal) / (gain.adu * factor)
            which[chosen] = number
        return signal, which

    def weakened(
        self,
        raw: np.ndarray,
        numbers: np.ndarray,
        photon_energy: float,
        serial: int,
        share: float,
    ) -> np.ndarray:
        """Raw numbers of pixels that get only a share of their signal.

        Other parameters are those of `photons`.
        """
        signal, _ = self.photons(raw, numbers, photon_energy, serial)
        signal = np.nan_to_num(signal) * share
        gains = self.in_photons(photon_energy, MEAN_SHOT)
        which = self._switched(signal, gains, numbers, serial)
        result = np.empty_like(raw)
        for number, gain in enumerate(gains):
            chosen = which == number
            pedestal, factor = pixel_calibration(gain, number, numbers[chosen], serial)
            value = np.rint(pedestal + gain.adu * factor * signal[chosen])
            result[chosen] = np.clip(value, 0, self.largest_value).astype(raw.dtype) | gain.bits
        return result


@dataclass(frozen=True)
class GainInPhotons:
    """A gain for photons of one energy.

    Parameters
    ----------
    adu : float
        ADU per photon.
    noise : float
        Read-out noise (photons rms).
    pedestal : float
        Pedestal (ADU).
    range_end : float
        End of the range (photons).
    gain_spread, pedestal_spread : float
        Spreads of `Gain`.
    bits : int
        Bits that tell the gain, at their place in a raw number.
    """

    adu: float
    noise: float
    pedestal: float
    range_end: float
    gain_spread: float
    pedestal_spread: float
    bits: int


def switched_gains(signal: np.ndarray, gains: Sequence[GainInPhotons]) -> np.ndarray:
    """Numbers of the gains to which signals (photons) switch pixels of mean gains: int64."""
    which = np.zeros(signal.shape, dtype=np.int64)
    for gain in gains[:-1]:
        which += signal > gain.range_end
    return which


def pixel_calibration(
    gain: GainInPhotons, number: int, pixels: np.ndarray, serial: int
) -> tuple[np.ndarray | float, np.ndarray | float]:
    """Pedestals and gain factors of pixels. The serial number of the detector selects them.

    Parameters
    ----------
    gain : GainInPhotons
        The gain.
    number : int
        Number of the gain, from 0.
    pixels : ndarray of uint64
        Numbers of the pixels, as in `PixelGrid.numbers`.
    serial : int
        Serial number of the detector.

    Returns
    -------
    pedestal, factor : ndarray or float
        Pedestals (ADU), and gains divided by the mean gain.
    """
    if gain.gain_spread == 0.0 and gain.pedestal_spread == 0.0:
        return gain.pedestal, 1.0
    first, second = stage_normals(pixels, Stage.PIXELS, number, 0, serial)
    return gain.pedestal + gain.pedestal_spread * first, 1.0 + gain.gain_spread * second
