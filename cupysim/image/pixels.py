"""Pixels of a simulated image: arrays, panels, statistics, integers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cupysim.backends.rendered import Rendered
from cupysim.detection import digitising
from cupysim.image_statistics import Statistics, image_statistics
from cupysim.models.experiment import Experiment
from cupysim.plan.render_plan import RenderPlan

if TYPE_CHECKING:
    from cupysim.backends.derivatives import Gradients

DEFAULT_OFFSET = 40.0
"""Offset of integer images (counts), as on the command line."""


@dataclass(frozen=True, eq=False, repr=False)
class ImagePixels:
    """The pixels of a simulated image of expected photons, on which `Image` is based.

    Parameters
    ----------
    experiment : Experiment
        Experiment that was simulated.
    plan : RenderPlan
        Plan from which the backend computed the image.
    rendered : Rendered
        Result of the backend.
    gradients : Gradients, optional
        Derivatives of the image, if they were requested.
    """

    experiment: Experiment
    plan: RenderPlan
    rendered: Rendered
    gradients: Gradients | None = None

    def __post_init__(self) -> None:
        self.plan.refuse_shots("an image")

    def __repr__(self) -> str:
        size, statistics = " x ".join(map(str, self.array.shape[::-1])), self.statistics
        return (
            f"<cupysim.Image: {size} pixels, maximum {statistics.maximum:.6g}, "
            f"mean {statistics.mean:.6g} photons>"
        )

    @property
    def array(self) -> np.ndarray:
        """Expected photons in each pixel: ndarray of float32, shape ([n_panels,] n_slow, n_fast).

        Detectors of panels have an axis of panels. Pixels of the array beyond a small panel are
        zero; `panel` leaves them out.
        """
        return self.rendered.image[0] if self.plan.has_panels else self.rendered.image[0, 0]

    def panel(self, which: int | str, pixels: np.ndarray | None = None) -> np.ndarray:
        """Pixels of one panel.

        Parameters
        ----------
        which : int or str
            Name of the panel, or its number.
        pixels : ndarray, shape (n_panels, n_slow, n_fast), optional
            Array to take them from, for example counted photons. By default the expected photons.

        Returns
        -------
        ndarray, shape (n_slow of the panel, n_fast of the panel)
            View of the pixels.

        Raises
        ------
        ModelError
            If the detector has no panels, or no such panel.
        """
        detector = self.experiment.panel_detector("image.panel")
        number = detector.number_of(which)
        panel, array = detector.panels[number], self.array if pixels is None else pixels
        return array[number, : panel.n_slow, : panel.n_fast]

    @property
    def region(self) -> tuple[slice, slice]:
        """Rows and columns that were computed, as slices of the last axes of `array`."""
        return self.plan.rows, self.plan.columns

    @property
    def _table(self) -> tuple[np.ndarray, tuple[slice, slice]]:
        """The array with two axes, panels below each other, and its region."""
        if not self.plan.has_panels:
            return self.array, self.region
        table = self.rendered.image[0].reshape(-1, self.plan.shape[3])
        return table, (slice(0, table.shape[0]), slice(0, table.shape[1]))

    def _of_panels(self, table: np.ndarray) -> np.ndarray:
        """Values made from `_table`, in the image's shape; zero in pixels that do not exist."""
        values = table.reshape(self.array.shape)
        if self.plan.has_panels:
            values[~self.experiment.rendered_pixels] = 0
        return values

    @cached_property
    def statistics(self) -> Statistics:
        """Maximum, mean and standard deviation of the expected photons."""
        return image_statistics(self.plan, self.rendered, self.experiment.policy)

    def integers(self, scale: float = 0.0, offset: float = DEFAULT_OFFSET) -> np.ndarray:
        """The image without noise, scaled to 16-bit integers.

        Parameters
        ----------
        scale : float, optional
            Counts per photon. Automatic if it is not above zero.
        offset : float, optional
            Counts of a pixel without photons.

        Returns
        -------
        ndarray of uint16, shape of `array`
            Counts.
        """
        table, region = self._table
        return self._of_panels(digitising.scaled(table, self.scale(scale), offset, region))

    def grey(self, scale: float = 0.0, fallback: float | None = None) -> tuple[np.ndarray, float]:
        """The image as eight-bit grey values.

        Parameters
        ----------
        scale : float, optional
            Grey values per photon. Automatic if it is not above zero.
        fallback : float, optional
            Automatic scale of an image with one value everywhere. By default that of `integers`.

        Returns
        -------
        grey : ndarray of uint8, shape (n_slow, n_fast)
            Grey values. Panels are below each other.
        scale : float
            Grey values per photon that were used.
        """
        if scale <= 0.0:
            flat = self.scale() if fallback is None else fallback
            scale = digitising.automatic_grey_scale(self.statistics.rmsd, flat)
        return digitising.grey(self._table[0], scale, self._table[1]), scale

    def scale(self, scale: float = 0.0) -> float:
        """The given scale (counts per photon), or the automatic scale if it is not above zero."""
        return scale if scale > 0.0 else digitising.automatic_scale(self.statistics.maximum)
