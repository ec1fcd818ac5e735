"""A simulated image as a detector reads it out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cupysim.constants import ANGSTROM, ELECTRONVOLT_ANGSTROM
from cupysim.detection.analogue import Analogue
from cupysim.detection.calibration import Calibrated, largest_photons, photons_of
from cupysim.detection.detected import Detected
from cupysim.detection.panel_grids import panel_grids
from cupysim.detection.pixel_grid import Exposure
from cupysim.detection.response import Response
from cupysim.models.panel_detector import PanelDetector

if TYPE_CHECKING:
    from cupysim.image import Image


@dataclass(frozen=True, eq=False)
class DetectedImage:
    """An image as a detector reads it out, as `Image.detect` returns it.

    Parameters
    ----------
    raw : ndarray, shape ([n_panels,] n_slow, n_fast)
        Numbers of the pixels: counts, or ADU with gain bits.
    has_value : ndarray of bool, same shape
        Pixels that exist, are not masked and are no known defects.
    overloads : int
        Number of overloads.
    response : Response
        The response.
    exposure : Exposure
        Photon energy, exposure time, seed and shot.
    panels : tuple of Detected
        The panels, or the only one.
    regions : tuple of 2 slices
        Rows and columns of each panel that were computed.
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
    def noise(self) -> np.ndarray:
        """Noise of the read-out of each pixel (photons rms): ndarray of float32, shape of `raw`."""
        return self._of_panels("noise")

    @cached_property
    def _calibrated(self) -> list[Calibrated]:
        return [
            photons_of(self.response, panel.raw, panel.grid, self.exposure, panel.has_value)
            for panel in self.panels
        ]

    def _of_panels(self, name: str) -> np.ndarray:
        whole = np.full(self.raw.shape, np.nan, dtype=np.float32)
        parts = zip(_panels_of(whole), self.regions, self._calibrated, strict=True)
        for panel, region, calibrated in parts:
            panel[region] = getattr(calibrated, name)
        return whole

    @property
    def measured(self) -> np.ndarray:
        """What files of measured images hold: counts, or photons of analogue signals."""
        return self.photons if isinstance(self.response.readout, Analogue) else self.raw

    @property
    def saturation(self) -> float:
        """Largest trusted number of `measured`."""
        return largest_photons(self.response, self.exposure)


def detect(
    image: Image,
    response: Response,
    seed: int,
    shot: int,
    duration: float,
    threads: int | None,
) -> DetectedImage:
    """Detect an image; see `cupysim.Image.detect`."""
    wavelength = image.experiment.sources.mean_wavelength
    energy = ELECTRONVOLT_ANGSTROM / (wavelength / ANGSTROM)
    exposure = Exposure(energy, duration, seed, shot)
    raw = np.full(image.array.shape, response.masked_value, dtype=response.dtype)
    has_value = np.zeros(image.array.shape, dtype=bool)
    regions = _regions(image)
    panels = []
    for expected, exists, region, grid, raw_panel, value_panel in zip(
        _panels_of(image.array), _panels_of(image.experiment.rendered_pixels), regions,
        panel_grids(image.plan), _panels_of(raw), _panels_of(has_value), strict=True,
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


def _panels_of(array: np.ndarray) -> np.ndarray:
    """An array of all panels, with an axis of panels."""
    return array if array.ndim == 3 else array[None]


def _regions(image: Image) -> list[tuple[slice, slice]]:
    """Rows and columns of each panel that were computed."""
    detector = image.experiment.detector
    if isinstance(detector, PanelDetector):
        return [(slice(0, panel.n_slow), slice(0, panel.n_fast)) for panel in detector.panels]
    return [image.region]
