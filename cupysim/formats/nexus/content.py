"""Content of an HDF5 file that cupysim wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cupysim.models.experiment import Experiment


@dataclass(frozen=True, eq=False)
class Content:
    """An image, its experiment, its ground truth, and the record of how it was made.

    Parameters
    ----------
    experiment : Experiment
        Simulated experiment.
    expected : ndarray of float32, shape ([n_panels,] n_slow, n_fast)
        Expected photons.
    counts : ndarray of int32, shape of `expected`, optional
        Counted photons, with noise.
    spots : ndarray, optional
        Structured array of predicted spots; see `cupysim.prediction.spots`.
    provenance : mapping of str to str or number
        Arguments, version, seeds.
    record : str
        Complete record of how the image was made, as JSON.
    """

    experiment: Experiment
    expected: np.ndarray
    counts: np.ndarray | None = None
    spots: np.ndarray | None = None
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)
    record: str = ""

    @property
    def rendered(self) -> np.ndarray:
        """Pixels that were computed: ndarray of bool, shape of `expected`."""
        return self.experiment.rendered_pixels
