"""Portable greymaps: eight-bit pictures."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np


def write(stream: BinaryIO, image: np.ndarray, scale: float) -> None:
    """Write a greymap.

    Parameters
    ----------
    stream : binary stream
        Stream to write to.
    image : ndarray of uint8, shape (n_slow, n_fast)
        Grey values.
    scale : float
        Grey values per photon, for the comment in the header.
    """
    n_slow, n_fast = image.shape
    header = f"P5\n{n_fast} {n_slow}\n# pixels scaled by {scale:g}\n255\n"
    stream.write(header.encode("ascii"))
    stream.write(np.ascontiguousarray(image).data)
