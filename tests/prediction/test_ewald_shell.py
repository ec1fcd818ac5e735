"""Reflections in a shell around the Ewald sphere, against a search of all Miller indices."""

from __future__ import annotations

import numpy as np
import pytest

from cupysim.prediction.ewald_shell import indices_in_shell

MARGIN = 1e-3
"""Relative: how far outside the limits a reflection may lie. Ranges are rounded outwards by 1e-6 of
an index."""


@pytest.mark.parametrize("seed", range(40))
def test_all_reflections_of_the_shell_are_found_once(seed: int) -> None:
    random = np.random.default_rng(seed)
    star = random.normal(size=(3, 3)) * random.uniform(0.2, 2.0, 3)
    beam = random.normal(size=3) * random.choice([1.0, 3.0, 30.0])
    radius = float(np.linalg.norm(beam))
    # shells that are thin, thick, and whole balls
    reach = radius * random.choice([1e-3, 0.1, 1.5])
    longest = radius * random.choice([0.3, 1.0, 2.5])
    first = random.integers(-9, 3, 3)
    ends = np.stack([first, first + random.integers(0, 12, 3)])
    axes = [np.arange(ends[0, i], ends[1, i] + 1) for i in range(3)]
    every = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)

    def inside(hkl: np.ndarray, margin: float) -> np.ndarray:
        q = hkl @ star.T
        distance = np.abs(np.linalg.norm(q + beam, axis=1) - radius)
        scale = 1.0 + margin
        return (distance <= reach * scale) & (np.linalg.norm(q, axis=1) <= longest * scale)

    found = indices_in_shell(star, beam, reach, longest, ends)
    needed = {tuple(hkl) for hkl in every[inside(every, 0.0)]}
    assert needed <= {tuple(hkl) for hkl in found}
    assert len({tuple(hkl) for hkl in found}) == len(found)
    assert inside(found, MARGIN).all()
    order = [tuple(hkl) for hkl in found]
    assert order == sorted(order)
