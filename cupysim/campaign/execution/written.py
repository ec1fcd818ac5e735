"""Facts about a shot that stay in memory after its image is written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.campaign.definition.shots import Shot


@dataclass(frozen=True, eq=False)
class Written:
    """Facts about a shot that stay in memory after its image is written.

    Parameters
    ----------
    shot : Shot
        Experiments and drawn values of the shot.
    photons, brightest : float
        Photons in all pixels, and in the brightest pixel.
    spots : structured ndarray, shape (n_spots,), or None
        Predicted spots; None if they are not written.
    """

    shot: Shot
    photons: float
    brightest: float
    spots: np.ndarray | None
