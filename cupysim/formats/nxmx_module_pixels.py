"""Pixels of the modules of an NXmx detector: their places in the images, and their masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.image_stacks import count_images, stacks
from cupysim.formats.nxmx_mask import stored_mask
from cupysim.formats.nxmx_tree import Component

UNLIMITED = 2**31 - 1
"""Saturation from which a detector has no limit."""


@dataclass(frozen=True, eq=False)
class DetectorPixels:
    """Properties that all modules of a detector share.

    Parameters
    ----------
    shape : tuple of int or None
        Shape of an image: (n_slow, n_fast), or with panels before; None if the file has none.
    good : ndarray of bool or None
        Good pixels of the image; None if there is no mask.
    saturation : float
        Largest count of a pixel.
    """

    shape: tuple[int, ...] | None
    good: np.ndarray | None
    saturation: float

    @classmethod
    def of(
        cls, path: object, file: Any, detector: Component, number: int, n_detectors: int
    ) -> DetectorPixels:
        """Read the properties that all modules of a detector share.

        Parameters
        ----------
        path : path_like
            File name, for messages.
        file : h5py.File
            Open file. Its images are those of the detector, if there is only one.
        detector : Component
            Detector.
        number : int
            Number of the image, counted from 0.
        n_detectors : int
            Number of detectors with modules.

        Raises
        ------
        FileFormatError
            If the images have several sizes, or another size than the mask.
        """
        own = detector.handle.get("data")
        found = [own] if n_detectors > 1 else stacks(file)
        shapes = {stack.shape for stack in found if getattr(stack, "ndim", 0) >= 2}
        ends = {shape[1:] if len(shape) > 2 else shape for shape in shapes}
        if len(ends) > 1:
            raise FileFormatError(path, f"its images have several sizes: {sorted(ends)}")
        shape = next(iter(ends), None)
        stored = stored_mask(path, detector, with_pixels=True)
        if stored is None:
            return cls(shape, None, _saturation(detector))
        name, good = stored
        wanted = shape or good.shape
        if good.ndim == len(wanted) + 1 and len(good) in (1, count_images(file)):
            good = good[number if len(good) > 1 else 0]
        if good.shape != wanted:
            raise FileFormatError(
                path, f"its {name} has the shape {good.shape}, but the images have {wanted}"
            )
        return cls(shape, good, _saturation(detector))

    def of_module(
        self, path: object, module: Component, n_slow: int, n_fast: int
    ) -> tuple[tuple[int, int] | None, np.ndarray | None]:
        """Place and mask of a module.

        Parameters
        ----------
        path : path_like
            File name, for messages.
        module : Component
            Module of the detector.
        n_slow, n_fast : int
            Number of its pixels.

        Returns
        -------
        corner : tuple of 2 int, or None
            First fast and slow pixel in the images. If images have an axis of panels, the panels
            count as if they were below each other.
        good : ndarray of bool, shape (n_slow, n_fast), or None
            Good pixels; None if all are.

        Raises
        ------
        FileFormatError
            If the module is not a part of the images.
        """
        stored = module.handle.get("data_origin")
        first = (0, 0) if stored is None else tuple(int(each) for each in np.ravel(stored[()]))
        stride = module.handle.get("data_stride")
        if stride is not None and np.any(np.ravel(stride[()])[-2:] != 1):
            raise FileFormatError(path, f"{module.path} has a data_stride; it is not read")
        shape = self.shape or (None if self.good is None else self.good.shape)
        if shape is None:
            return (first[-1], first[-2]) if stored is not None and len(first) == 2 else None, None
        if len(first) < len(shape) and np.prod(shape[:-2]) > 1:
            raise FileFormatError(
                path, f"{module.path} has the data_origin {list(first)}, in images of the shape "
                f"{tuple(shape)}: its panel is unknown"
            )  # fmt: skip
        begin = (*(0,) * (len(shape) - len(first)), *first)[-len(shape) :]
        ends = (*(each + 1 for each in begin[:-2]), begin[-2] + n_slow, begin[-1] + n_fast)
        if min(begin) < 0 or any(end > size for end, size in zip(ends, shape, strict=True)):
            raise FileFormatError(
                path, f"{module.path} has {n_fast} x {n_slow} pixels from {list(first)}, beyond "
                f"its images of the shape {tuple(shape)}"
            )  # fmt: skip
        panel = int(np.ravel_multi_index(begin[:-2], shape[:-2])) if len(shape) > 2 else 0
        corner = begin[-1], panel * shape[-2] + begin[-2]
        if self.good is None:
            return corner, None
        plane = self.good[begin[:-2]]
        good = plane[begin[-2] : ends[-2], begin[-1] : ends[-1]]
        return corner, None if good.all() else good.copy()


def _saturation(detector: Component) -> float:
    """Largest count of a pixel: the smallest one, if a file has several."""
    stored = detector.handle.get("saturation_value")
    if getattr(stored, "shape", None) is None or stored.dtype.kind not in "fiu":
        return np.inf
    values = np.ravel(np.asarray(stored[()], dtype=np.float64))
    if values.size == 0 or not np.isfinite(values).all():
        return np.inf
    value = float(values.min())
    return np.inf if value >= UNLIMITED or value <= 0.0 else value
