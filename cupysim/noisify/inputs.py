"""Expected photons from a file: raw float32 numbers, or an image with its geometry."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cupysim.errors import CupysimWarning, FileFormatError, OptionError
from cupysim.noisify.quirks import NoisifyQuirk
from cupysim.storage.reading import check_regular

if TYPE_CHECKING:
    from cupysim.formats.geometry import ImageGeometry

HDF5, CBF, SMV = b"\x89HDF\r\n\x1a\n", b"###CBF", b"{\nHEADER_BYTES="
"""First bytes of images that are read with their geometry."""


@dataclass(frozen=True, eq=False)
class Expected:
    """The content of an input file.

    Parameters
    ----------
    path : str
        Name of the file.
    numbers : ndarray of float32, shape (n,) or (n_slow, n_fast)
        Numbers, to be multiplied by fluence and scale. Raw files have no shape.
    geometry : ImageGeometry, optional
        Geometry, if the file has it.
    """

    path: str
    numbers: np.ndarray
    geometry: ImageGeometry | None = None

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return self.numbers.size

    def image(self, n_slow: int, n_fast: int) -> np.ndarray:
        """The numbers as an image.

        Parameters
        ----------
        n_slow, n_fast : int
            Size of the image.

        Returns
        -------
        ndarray of float32, shape (n_slow, n_fast)
            The first numbers of the file.

        Raises
        ------
        FileFormatError
            If the file has fewer numbers, or another shape.
        """
        needed = n_slow * n_fast
        if self.numbers.ndim == 2:
            if self.numbers.shape != (n_slow, n_fast):
                raise FileFormatError(
                    self.path,
                    f"its image has {self.numbers.shape[1]} x {self.numbers.shape[0]} pixels, not "
                    f"{n_fast} x {n_slow}",
                )
            return self.numbers
        if self.n_pixels < needed:
            raise FileFormatError(
                self.path,
                f"{self.n_pixels} numbers, but {n_fast} x {n_slow} pixels need {needed} "
                f"(NQ{NoisifyQuirk.SHORT_INPUT:d})",
            )
        return self.numbers[:needed].reshape(n_slow, n_fast)


def read_expected(path: str | None, option: str) -> Expected:
    """Read an input file.

    Parameters
    ----------
    path : str, optional
        Name of the file.
    option : str
        Option that names it, for messages.

    Returns
    -------
    Expected
        Its content.

    Raises
    ------
    CupysimError
        If there is no file, or it cannot be read.
    """
    number = f"(NQ{NoisifyQuirk.NO_INPUT:d})"
    if path is None:
        raise OptionError("-floatfile", f"expected a file with expected photons {number}")
    if not os.path.exists(path):
        raise OptionError(option, f"{path}: no such file {number}")
    check_regular(path)
    try:
        with open(path, "rb") as stream:
            head = stream.read(len(SMV))
            if not head.startswith((HDF5, CBF, SMV)):
                stream.seek(0)
                numbers = np.fromfile(stream, dtype=np.float32)
                if numbers.size == 0:
                    raise FileFormatError(path, "it has no numbers")
                return Expected(path, numbers)
    except OSError as error:
        raise FileFormatError(path, error.strerror or str(error)) from error
    return _read_image(path)


def _read_image(path: str) -> Expected:
    from cupysim.formats.any_image import open_image

    image = open_image(path)
    if image.pixels.ndim != 2:
        raise FileFormatError(path, "an image of several panels; noisify needs one")
    if image.pixels.dtype.kind != "f":
        warnings.warn(
            CupysimWarning(
                f"{path}: its integers are taken for expected photons; if it has noise or an "
                "offset already, the result is wrong"
            ),
            stacklevel=3,
        )
    numbers = image.pixels.astype(np.float64)
    if image.pedestal:
        numbers -= image.pedestal
    n_masked = int(np.count_nonzero(image.masked))
    if n_masked:
        numbers[image.masked] = 0.0
        warnings.warn(
            CupysimWarning(f"{path}: {n_masked} pixels without a value count as 0"), stacklevel=3
        )
    return Expected(path, numbers.astype(np.float32), image.geometry)
