"""Files of a simulated image; the suffix of the name chooses the format."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cupysim.errors import CupysimError
from cupysim.formats import float_image, pgm, smv
from cupysim.storage.safe_writing import OutputFiles

if TYPE_CHECKING:
    from cupysim.image import Image

SUFFIXES = (".bin", ".img", ".pgm", ".h5", ".png")
"""Suffixes of the formats."""


def save(image: Image, path: os.PathLike[str] | str, seed: int | None = None) -> None:
    """Write an image to a file; see `cupysim.Image.save`."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise CupysimError(f"{path}: expected a name that ends in .bin, .img, .pgm, .h5 or .png")

    def write(stream: BinaryIO) -> None:
        if suffix == ".bin":
            float_image.write(stream, image.array)
        elif suffix == ".pgm":
            pgm.write(stream, *image.grey())
        elif suffix == ".png":
            from cupysim.formats import png
            from cupysim.image.picture import quick_look

            png.write(stream, quick_look(image))
        elif suffix == ".h5":
            from cupysim.formats import nexus

            nexus.write(stream, image.content(None if seed is None else image.counts(seed)))
        else:
            header = smv.header(image.experiment)
            smv.write(stream, header, image.integers() if seed is None else image.noisy(seed)[0])

    with OutputFiles() as files:
        files.write(path, write)
