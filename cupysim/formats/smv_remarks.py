"""Warnings about SMV headers that contradict themselves, or are probably wrong."""

from __future__ import annotations

from collections.abc import Iterator

from cupysim.formats.geometry_checks import NEVER_SET, doubts
from cupysim.formats.smv import SmvFile
from cupysim.formats.smv_geometry import contradictory_distances, geometry


def remarks(image: SmvFile) -> Iterator[str]:
    """Warnings about a header, whatever program reads it.

    Parameters
    ----------
    image : SmvFile
        Image with its header.
    """
    if image.surplus:
        yield (
            f"{image.surplus} bytes after its pixels are not read; are HEADER_BYTES, SIZE1, SIZE2 "
            "and TYPE right?"
        )
    if "}" not in image.text:
        yield (
            f"its header does not end within the {image.word('HEADER_BYTES')} bytes of "
            "HEADER_BYTES: its pixels may begin later"
        )
    if (image.number("SIZE3", whole_key=True) or 1.0) > 1.0:
        yield f"only the first of its SIZE3={image.word('SIZE3')} images is read"
    contradiction = contradictory_distances(image)
    if contradiction:
        yield contradiction
    centre = [image.number(f"BEAM_CENTER_{each}", whole_key=True) for each in "XY"]
    told = [each for each in centre if each is not None]
    never_set = len(told) == 2 and max(told) <= 0.0
    if never_set and image.number("XDS_ORGX", whole_key=True) is None:
        yield f"its BEAM_CENTER_X and _Y are {told[0]:g} {told[1]:g}, {NEVER_SET}"
    found = geometry(image)
    if found is not None:
        yield from (each for each in doubts(found) if not (never_set and NEVER_SET in each))
