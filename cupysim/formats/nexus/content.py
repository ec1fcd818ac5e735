"""Content of an HDF5 file that cupysim wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cupysim.models.experiment import Experiment


@dataclass(frozen=True)
class DetectorRecord:
    """What files say about the response of a detector.

    Parameters
    ----------
    name : str
        Name of the response.
    text : str
        All figures, as TOML.
    duration : float
        Exposure time (s).
    photon_energy : float
        Photon energy (eV).
    saturation, underload : float
        Largest and smallest trusted number of a pixel.
    bit_depth : int
        Bits of the counter, or of the converter.
    threshold_energy : float, optional
        Threshold of a counter (eV).
    rate_corrected : bool, optional
        Whether counts are corrected for those that the dead time costs.
    gains : tuple of float, optional
        ADU per photon, for each gain.
    pedestals : tuple of float, optional
        Mean pedestals (ADU), for each gain.
    shot : mapping of str to int, optional
        Seed and number of the shot.
    """

    name: str
    text: str
    duration: float
    photon_energy: float
    saturation: float
    underload: float
    bit_depth: int
    threshold_energy: float | None = None
    rate_corrected: bool = False
    gains: tuple[float, ...] = ()
    pedestals: tuple[float, ...] = ()
    shot: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Content:
    """An image, its experiment, its ground truth, and the record of how it was made.

    Parameters
    ----------
    experiment : Experiment
        Simulated experiment.
    expected : ndarray of float32, shape ([n_panels,] n_slow, n_fast)
        Expected photons.
    counts : ndarray of int32 or float32, shape of `expected`, optional
        Counted photons, with noise; or photons that an analogue signal was calibrated to.
    spots : ndarray, optional
        Structured array of predicted spots; see `cupysim.prediction.spots`.
    provenance : mapping of str to str or number
        Arguments, version, seeds.
    record : str
        Complete record of how the image was made, as JSON.
    detector : DetectorRecord, optional
        The response of the detector.
    raw : ndarray of int, shape of `expected`, optional
        Numbers as the detector reads them out, if they differ from `counts`.
    has_value : ndarray of bool, shape of `expected`, optional
        Pixels whose `counts` are a measurement. By default those that were computed.
    """

    experiment: Experiment
    expected: np.ndarray
    counts: np.ndarray | None = None
    spots: np.ndarray | None = None
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)
    record: str = ""
    detector: DetectorRecord | None = None
    raw: np.ndarray | None = None
    has_value: np.ndarray | None = None

    @property
    def measured(self) -> np.ndarray:
        """Pixels with a measurement: ndarray of bool, shape of `expected`."""
        return self.rendered if self.has_value is None else self.has_value

    @property
    def rendered(self) -> np.ndarray:
        """Pixels that were computed: ndarray of bool, shape of `expected`."""
        return self.experiment.rendered_pixels
