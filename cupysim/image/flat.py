"""Images as one panel, for file formats that hold only one panel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cupysim.formats.mosaic import Mosaic, mosaic_of
from cupysim.models.experiment import Experiment
from cupysim.models.panel_detector import PanelDetector

if TYPE_CHECKING:
    from cupysim.image import Image


@dataclass(frozen=True)
class FlatImage:
    """An image as one panel, for file formats that hold only one panel.

    Parameters
    ----------
    image : Image
        Image of a detector of one panel, or of a flat mosaic of panels.
    experiment : Experiment
        Experiment of the only panel.
    mosaic : Mosaic or None
        The panels; None if the detector is one panel.
    """

    image: Image
    experiment: Experiment
    mosaic: Mosaic | None

    @classmethod
    def of(cls, image: Image) -> FlatImage | None:
        """The image as one panel; None if its panels are not a flat mosaic."""
        experiment = image.experiment
        if not isinstance(experiment.detector, PanelDetector):
            return cls(image, experiment, None)
        mosaic = mosaic_of(experiment.detector)
        return None if mosaic is None else cls(image, mosaic.experiment(experiment), mosaic)

    def whole(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels in the array of the only panel."""
        if self.mosaic is None:
            return pixels
        return self.mosaic.assembled(pixels.reshape(self.image.array.shape))
