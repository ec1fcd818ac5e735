"""What an HDF5 file of ours holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cupysim.models.experiment import Experiment


@dataclass(frozen=True, eq=False)
class Content:
    """An image, the experiment of which it is, and how it was made.

    Parameters
    ----------
    experiment : Experiment
        What was simulated.
    expected : ndarray of float32, shape (n_slow, n_fast)
        Expected photons.
    counts : ndarray of int32, shape (n_slow, n_fast), optional
        Photons counted, with noise.
    spots : ndarray, optional
        Structured array of predicted spots, see `cupysim.prediction.spots`.
    provenance : mapping of str to str or number
        Arguments, version, seeds.
    record : str
        All that is known of how it was made, as JSON.
    """

    experiment: Experiment
    expected: np.ndarray
    counts: np.ndarray | None = None
    spots: np.ndarray | None = None
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)
    record: str = ""

    @property
    def rendered(self) -> np.ndarray:
        """Pixels which were computed, bool, shape (n_slow, n_fast)."""
        return self.experiment.rendered_pixels
