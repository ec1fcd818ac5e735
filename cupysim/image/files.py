"""Files of a simulated image; the suffix of the name chooses the format."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cupysim.errors import CupysimError
from cupysim.formats import float_image, pgm, smv
from cupysim.image.flat import FlatImage
from cupysim.storage.safe_writing import OutputFiles

if TYPE_CHECKING:
    from cupysim.image import Image

SUFFIXES = (".bin", ".img", ".pgm", ".h5", ".png", ".cxi")
"""Suffixes of the formats."""

OF_ONE_PANEL = (".img", ".pgm")
"""Suffixes of formats that hold one panel."""


def save(image: Image, path: os.PathLike[str] | str, seed: int | None = None) -> None:
    """Write an image to a file; see `cupysim.Image.save`."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise CupysimError(
            f"{path}: expected a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        )
    if suffix == ".cxi":
        _save_cxi(image, path, seed)
        return
    flat = FlatImage.of(image) if suffix in OF_ONE_PANEL else None
    if flat is None and suffix in OF_ONE_PANEL:
        raise CupysimError(
            f"{path}: such a file holds one panel, and the panels are not on one grid of pixels; "
            ".h5 and .cxi files hold them"
        )

    def write(stream: BinaryIO) -> None:
        if suffix == ".bin":
            float_image.write(stream, image.array)
        elif suffix == ".pgm":
            assert flat is not None, "checked above"
            grey, scale = image.grey()
            pgm.write(stream, flat.whole(grey), scale)
        elif suffix == ".png":
            from cupysim.formats import png
            from cupysim.image.picture import quick_look

            png.write(stream, quick_look(image))
        elif suffix == ".h5":
            from cupysim.formats import nexus

            nexus.write(stream, image.content(None if seed is None else image.counts(seed)))
        else:
            assert flat is not None, "checked above"
            pixels = image.integers() if seed is None else image.noisy(seed)[0]
            smv.write(stream, smv.header(flat.experiment), flat.whole(pixels))

    with OutputFiles() as files:
        files.write(path, write)


def _save_cxi(image: Image, path: os.PathLike[str] | str, seed: int | None) -> None:
    """Write a CXI file, and its geometry file beside it."""
    from cupysim.formats.crystfel import cxi

    cxi.refuse_foreign_geometry(os.fspath(path))
    pixels = image.array if seed is None else image.counts(seed)
    with OutputFiles() as files:
        files.write(path, lambda stream: cxi.write_shot(stream, image.experiment, pixels))
        files.write(
            cxi.geometry_beside(os.fspath(path)),
            lambda stream: cxi.write_geometry_beside(stream, image.experiment),
        )
