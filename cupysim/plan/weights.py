"""Weights that every term of a pixel's sum has, whatever the quirks.

One place for the NumPy backend, predicted spots and NumPy gradients; `cuda_src/weights.cuh` is its
twin for compiled kernels.
"""

from __future__ import annotations

import numpy as np

from cupysim.plan.render_plan import RenderPlan


def term_weight(
    plan: RenderPlan, shot: int, source: int, airpath: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What every term of a ray is multiplied by.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    shot : int
        Which shot.
    source : int
        From which source the ray comes.
    airpath : ndarray, shape (n,)
        Length of its way from the sample to each pixel (m).

    Returns
    -------
    weight : ndarray, shape (n,)
        The source's brightness (quirk Q13).
    derivative : ndarray, shape (n,)
        That of the weight's logarithm with respect to the airpath (1/m).
    """
    brightness = plan.sources.weight[shot, source]
    return np.full_like(airpath, brightness), np.zeros_like(airpath)
