"""A simulated image after the response of a detector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cupysim.constants import ANGSTROM, ELECTRONVOLT_ANGSTROM
from cupysim.detection.analogue import MEAN_SHOT, Analogue
from cupysim.detection.calibration import Calibrated, largest_photons, photons_of
from cupysim.detection.detected import Detected
from cupysim.detection.panel_grids import panel_grids
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.response import Response
from cupysim.detection.response_file import read_response
from cupysim.detection.response_text import response_text
from cupysim.errors import CupysimError
from cupysim.formats.nexus.content import DetectorRecord
from cupysim.formats.pixels import LARGEST_PIXEL_VALUE, with_gaps
from cupysim.maths.arrays import with_panel_axis
from cupysim.models.checks import whole
from cupysim.models.panel_detector import PanelDetector
from cupysim.native.cores import MOST_THREADS

if TYPE_CHECKING:
    import os

    from cupysim.image import Image
    from cupysim.models.experiment import Experiment
    from cupysim.plan.render_plan import RenderPlan
    from cupysim.refine.detector_model import DetectorModel

UNLIKELY = 10.0
"""Distance of the smallest trusted signal below zero (standard deviations of the noise)."""


@dataclass(frozen=True, eq=False)
class DetectedImage:
    """An image as a detector reads it out, as `Image.detect` returns it.

    Parameters
    ----------
    raw : ndarray, shape ([n_panels,] n_slow, n_fast)
        Raw numbers: counts, or ADU with gain bits.
    has_value : ndarray of bool, same shape
        Pixels that exist, that no mask hides, and that are not known defects.
    overloads : int
        Number of overloads.
    response : Response
        The response.
    exposure : Exposure
        Photon energy, exposure time, seed and shot.
    panels : tuple of Detected
        The panels, or the only one.
    regions : tuple of 2 slices
        Rows and columns of each panel that were detected.
    """

    raw: np.ndarray
    has_value: np.ndarray
    overloads: int
    response: Response
    exposure: Exposure
    panels: tuple[Detected, ...]
    regions: tuple[tuple[slice, slice], ...]

    @property
    def photons(self) -> np.ndarray:
        """Photons of each pixel, by the calibration of the detector.

        An array of float32 with the shape of `raw`; not-a-number in pixels without a value.
        """
        return self._of_panels("photons")

    @property
    def energies(self) -> np.ndarray:
        """Energy in each pixel (keV): `photons` times the photon energy."""
        return self.photons * np.float32(self.exposure.photon_energy / 1e3)

    @property
    def noise(self) -> np.ndarray:
        """Read-out noise of each pixel (photons rms): ndarray of float32, shape of `raw`."""
        return self._of_panels("noise")

    @cached_property
    def _calibrated(self) -> list[Calibrated]:
        return [
            photons_of(self.response, panel.raw, panel.grid, self.exposure, panel.has_value)
            for panel in self.panels
        ]

    def _of_panels(self, name: str) -> np.ndarray:
        whole = np.full(self.raw.shape, np.nan, dtype=np.float32)
        parts = zip(with_panel_axis(whole), self.regions, self._calibrated, strict=True)
        for panel, region, calibrated in parts:
            panel[region] = getattr(calibrated, name)
        return whole

    @property
    def is_analogue(self) -> bool:
        """Whether raw numbers are analogue signals, which need a calibration."""
        return isinstance(self.response.readout, Analogue)

    @cached_property
    def measured(self) -> np.ndarray:
        """The pixels for files of measured images, with the shape of `raw`.

        Counts as int32, -1 in pixels without a value; or, for analogue signals, `photons`. An
        overload is above `saturation`, even if the converter of its pixel ends below it. Pixels
        whose converter ends in a gain before the last one are not-a-number.
        """
        if self.is_analogue:
            return self._trusted_photons()
        return with_gaps(as_pixels(self.raw), self.has_value)

    def _trusted_photons(self) -> np.ndarray:
        found, readout = self.photons, self.response.readout
        assert isinstance(readout, Analogue)
        gains = readout.in_photons(self.exposure.photon_energy, MEAN_SHOT)
        above = np.nextafter(np.float32(self.saturation), np.float32(np.inf))
        parts = zip(
            with_panel_axis(found), self.regions, self._calibrated, self.panels, strict=True
        )
        for panel, region, calibrated, detected in parts:
            photons, chosen = calibrated.photons, calibrated.is_overload
            bits = detected.raw - (detected.raw & readout.largest_value)
            is_last = bits == gains[-1].bits
            limited = np.where(is_last, np.maximum(photons, above), np.nan)
            panel[region][chosen] = limited[chosen]
        return found

    @property
    def saturation(self) -> float:
        """Largest trusted number of `measured`."""
        return largest_trusted(self.response, self.exposure)

    def content(self) -> dict[str, Any]:
        """Fields of `nexus.Content` that HDF5 files hold in addition to `measured`."""
        return {
            "detector": detector_record(self.response, self.exposure),
            "raw": self.raw if self.is_analogue else None,
            "has_value": self.has_value & np.isfinite(self.measured),
        }


def photon_energy(wavelength: float) -> float:
    """Photon energy (eV) of a wavelength (m)."""
    return ELECTRONVOLT_ANGSTROM / (wavelength / ANGSTROM)


def as_pixels(raw: np.ndarray) -> np.ndarray:
    """Raw numbers as integers of 32 bits; larger ones are overloads and become the largest."""
    return np.minimum(raw.astype(np.int64), LARGEST_PIXEL_VALUE).astype(np.int32)


def largest_trusted(response: Response, exposure: Exposure) -> float:
    """Largest trusted number of files of measured images, whose integers have 32 bits."""
    return min(largest_photons(response, exposure), LARGEST_PIXEL_VALUE - 1.0)


def detector_record(response: Response, exposure: Exposure) -> DetectorRecord:
    """The record of a response for files.

    Parameters
    ----------
    response : Response
        The response.
    exposure : Exposure
        Photon energy, exposure time, seed and shot.

    Returns
    -------
    DetectorRecord
        Trusted range, bits, thresholds, gains, pedestals and all figures.
    """
    readout, energy = response.readout, exposure.photon_energy
    shared: dict[str, Any] = {
        "name": response.name, "text": response_text(response), "duration": exposure.duration,
        "photon_energy": energy, "saturation": largest_trusted(response, exposure),
        "shot": {"seed": exposure.seed, "shot": exposure.shot},
    }  # fmt: skip
    if not isinstance(readout, Analogue):
        return DetectorRecord(
            **shared, underload=0.0, bit_depth=readout.bits,
            threshold_energy=readout.threshold * energy, rate_corrected=readout.rate_correction,
        )  # fmt: skip
    gains = readout.in_photons(energy, MEAN_SHOT)
    # read-out noise and pedestal drift make some signals negative
    deepest = gains[0].noise + readout.pedestal_drift / abs(gains[0].adu)
    return DetectorRecord(
        **shared, underload=-UNLIKELY * deepest, bit_depth=readout.adc_bits,
        gains=tuple(gain.adu for gain in gains), pedestals=tuple(g.pedestal for g in gains),
    )  # fmt: skip


def detector_model(
    experiment: Experiment, response: Response | os.PathLike[str] | str, duration: float
) -> DetectorModel:
    """The model of a detector with a response, for fits.

    Parameters
    ----------
    experiment : Experiment
        Experiment. It gives the pixels and the photon energy.
    response : Response or path_like
        The response, its name, or its file.
    duration : float
        Exposure time (s).

    Returns
    -------
    DetectorModel
        The response of all panels.
    """
    from cupysim.plan.planning import make_plan
    from cupysim.refine.detector_model import DetectorModel

    found = response if isinstance(response, Response) else read_response(response)
    exposure = Exposure(photon_energy(experiment.sources.mean_wavelength), duration)
    return DetectorModel(found, exposure, existing_grids(experiment, make_plan(experiment)))


def existing_grids(experiment: Experiment, plan: RenderPlan) -> list[PixelGrid]:
    """Grids of the panels without places of the array beyond a small panel.

    Parameters
    ----------
    experiment : Experiment
        Experiment with the panels.
    plan : RenderPlan
        Its plan.

    Returns
    -------
    list of PixelGrid
        A grid for each panel.
    """
    grids, detector = panel_grids(plan), experiment.detector
    if not isinstance(detector, PanelDetector):
        return grids
    return [
        grid.part(slice(0, panel.n_slow), slice(0, panel.n_fast))
        for grid, panel in zip(grids, detector.panels, strict=True)
    ]


def detect(
    image: Image,
    response: Response,
    seed: int,
    shot: int,
    duration: float,
    threads: int | None,
) -> DetectedImage:
    """Detect an image; see `cupysim.Image.detect`."""
    if threads is not None and not 1 <= whole(threads, "threads") <= MOST_THREADS:
        raise CupysimError(f"threads: from 1 to {MOST_THREADS} are possible, got {threads}")
    energy = photon_energy(image.experiment.sources.mean_wavelength)
    exposure = Exposure(energy, duration, seed, shot)
    raw = np.full(image.array.shape, response.masked_value, dtype=response.dtype)
    has_value = np.zeros(image.array.shape, dtype=bool)
    regions = _regions(image, response)
    panels = []
    for expected, exists, region, grid, raw_panel, value_panel in zip(
        with_panel_axis(image.array), with_panel_axis(image.experiment.rendered_pixels), regions,
        panel_grids(image.plan), with_panel_axis(raw), with_panel_axis(has_value), strict=True,
    ):  # fmt: skip
        found = response.detect(
            expected[region], grid.part(*region), exposure, exists=exists[region], threads=threads
        )
        raw_panel[region], value_panel[region] = found.raw, found.has_value
        panels.append(found)
    overloads = sum(panel.overloads for panel in panels)
    return DetectedImage(
        raw, has_value, overloads, response, exposure, tuple(panels), tuple(regions)
    )


def _regions(image: Image, response: Response) -> list[tuple[slice, slice]]:
    """Rows and columns of each panel to detect: the computed ones, or all if a plate is scanned."""
    detector = image.experiment.detector
    if response.scan is not None and image.array.ndim == 2:
        # the middle of the plate is the middle of the whole image
        return [(slice(0, image.array.shape[0]), slice(0, image.array.shape[1]))]
    if isinstance(detector, PanelDetector):
        return [(slice(0, panel.n_slow), slice(0, panel.n_fast)) for panel in detector.panels]
    return [image.region]
