"""What is kept of a shot when its image is in the file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.campaign.definition.shots import Shot


@dataclass(frozen=True, eq=False)
class Written:
    """What is kept of a shot when its image is in the file.

    Parameters
    ----------
    shot : Shot
        The shot.
    photons, brightest : float
        All photons, and those of the brightest pixel.
    spots : ndarray, optional
        Predicted spots.
    """

    shot: Shot
    photons: float
    brightest: float
    spots: np.ndarray | None
