"""Data sets with one chunk for each image, compressed by several threads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cupysim.formats.nexus.filters import compression, packer
from cupysim.native.cores import usable_cores


def stacked(pixels: np.ndarray) -> np.ndarray:
    """Pixels of an image as an array of two axes, with panels below each other.

    Parameters
    ----------
    pixels : ndarray, shape ([n_panels,] n_slow, n_fast)
        Pixels.

    Returns
    -------
    ndarray, shape ([n_panels times] n_slow, n_fast)
        The same pixels.
    """
    return pixels.reshape(-1, pixels.shape[-1])


class ImageSet:
    """A new data set with images.

    Parameters
    ----------
    file : h5py.Group
        Open file.
    path : str
        Path of the data set.
    shape : tuple of int
        Shape of the data set. The last two axes are those of an image; there may be one axis
        before them, which counts images.
    kind : type
        Type of the pixels.
    threads : int, optional
        Number of threads that compress; by default, one for each core.
    filters : mapping of str to object, optional
        Keywords of h5py for the compression; by default those of `compression`.
    """

    def __init__(
        self,
        file: Any,
        path: str,
        shape: tuple[int, ...],
        kind: type[np.generic],
        threads: int | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> None:
        before = len(shape) - 2
        self.data = file.create_dataset(
            path,
            shape,
            kind,
            chunks=(*(1,) * before, *shape[before:]),
            **(compression() if filters is None else filters),
        )
        """The data set of h5py."""
        self._before, self._threads = before, threads
        properties = self.data.id.get_create_plist()
        pipeline = [properties.get_filter(n) for n in range(properties.get_nfilters())]
        self._pack = packer([(number, options) for number, _, options, _ in pipeline])

    def write(self, image: np.ndarray, place: int = 0) -> None:
        """Write an image.

        Parameters
        ----------
        image : ndarray, shape ([n_panels,] n_slow, n_fast)
            Pixels. Panels are stored below each other.
        place : int, optional
            Number of the image, counted from 0.
        """
        where = (place,) * self._before
        pixels = np.ascontiguousarray(stacked(image), dtype=self.data.dtype)
        assert pixels.shape == self.data.shape[self._before :]
        if self._pack is None:
            self.data[where or ...] = pixels
            return
        packed = self._pack(pixels, self._threads or usable_cores())
        self.data.id.write_direct_chunk((*where, 0, 0), packed)
