"""Geometry from the header of an SMV image, and contradictions in the header."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.smv import SmvFile
from cupysim.models.conventions import Convention, beam_centre

MILLIMETRE = 1e-3

TILTED = 1e-4
"""Limit above which a detector is tilted: relative difference of the header's distances, or cosine
of the angle between beam and panel."""

NOTICEABLE_PIXELS = 1.0
"""Largest difference (pixels) of beam centres: programs count from centres or from corners."""

SAME_PIXEL = 0.05
"""Largest difference (pixels) of two places that a header rounds."""

BY_ORIGIN = (Convention.XDS, Convention.DIALS)
"""Conventions that use XDS_ORGX in place of BEAM_CENTER_X."""

GONIOMETER = ("OMEGA", "KAPPA", "CHI", "PHI")
"""Axes of a goniometer: keys, and values of AXIS."""

Place = tuple[float, float]


def is_tilted(image: SmvFile) -> bool:
    """Whether the distance along the beam differs from that to the point of normal incidence.

    Parameters
    ----------
    image : SmvFile
        Image with its header.
    """
    return _distances_differ(image) and not _is_seen_untilted(image)


def _distances_differ(image: SmvFile) -> bool:
    near, far = (image.number(key, whole_key=True) for key in ("CLOSE_DISTANCE", "DISTANCE"))
    if near is None or far is None:
        return False
    return abs(abs(far) - abs(near)) > TILTED * max(abs(far), abs(near))


def _is_seen_untilted(image: SmvFile) -> bool:
    """Whether direct beam and point of normal incidence are the same pixel."""
    pixel = image.number("PIXEL_SIZE", whole_key=True)
    near = _pair(image, ("XDS_ORGX", "XDS_ORGY"))
    spot = _pair(image, ("DENZO_Y_BEAM", "DENZO_X_BEAM"))
    if near is None or spot is None or not pixel or image.number("TWOTHETA", whole_key=True):
        return False
    places = [(at / pixel, origin - 0.5) for at, origin in zip(spot, near, strict=True)]
    return all(abs(at - origin) <= SAME_PIXEL for at, origin in places)


def contradictory_distances(image: SmvFile) -> str:
    """Warning about two distances of a detector that is not tilted.

    Parameters
    ----------
    image : SmvFile
        Image with its header.

    Returns
    -------
    str
        Warning; empty if the header has one distance, or those of a tilted detector.
    """
    if not (_distances_differ(image) and _is_seen_untilted(image)):
        return ""
    near, far = (image.number(key, whole_key=True) for key in ("CLOSE_DISTANCE", "DISTANCE"))
    return (
        f"its DISTANCE is {far:g} mm, but its CLOSE_DISTANCE is {near:g} mm and is used: its beam "
        "centres are those of a detector that is not tilted"
    )


def first_angles(image: SmvFile) -> dict[str, float]:
    """First angles of the rotation (degrees) from all keys that have one, the valid one first.

    Parameters
    ----------
    image : SmvFile
        Image with its header.

    Returns
    -------
    dict of str to float
        Values of OSC_START, of the axis that AXIS names, and of PHI. PHI is left out if AXIS names
        another axis that has a value.
    """
    axis = image.word("AXIS").upper()
    names = ["OSC_START", *((axis,) if axis in GONIOMETER else ()), "PHI"]
    found = {name: image.number(name, whole_key=True) for name in names}
    if axis in GONIOMETER and found[axis] is not None and axis != "PHI":
        del found["PHI"]
    return {name: angle for name, angle in found.items() if angle is not None}


def geometry(image: SmvFile) -> ImageGeometry | None:
    """Geometry in the detector's own frame: fast along x, slow along y.

    Parameters
    ----------
    image : SmvFile
        Image with its header.

    Returns
    -------
    ImageGeometry or None
        The geometry; None if the header does not define it, for example without the direction of a
        tilt.

    Notes
    -----
    The distance along the beam, and the vector from the point of normal incidence to the direct
    beam, give the cosines between the beam and the fast and slow axis. These are correct even if
    nanoBragg's distance is wrong (quirk Q7): the position of the beam on the detector is then wrong
    by the same factor.
    """
    n_slow, n_fast = image.image.shape
    pixel = image.number("PIXEL_SIZE", whole_key=True)
    distance = image.number("CLOSE_DISTANCE") or image.number("DISTANCE", whole_key=True)
    if not (pixel and distance):
        return None
    near = _pair(image, ("XDS_ORGX", "XDS_ORGY"))
    if near is not None:
        x, y = (place - 0.5 for place in near)
    else:
        # in MOSFLM's convention, x is slow, and both lack half a pixel
        centre = _pair(image, ("BEAM_CENTER_Y", "BEAM_CENTER_X"))
        if centre is None:
            return None
        x, y = (place / pixel + 0.5 for place in centre)
    beam = _beam(image, pixel, (x, y)) if near is not None else None
    if beam is None:
        if is_tilted(image):
            return None
        beam = np.array([0.0, 0.0, 1.0])
    fast, slow, normal = np.eye(3)
    size = pixel * MILLIMETRE
    wavelength = image.number("WAVELENGTH", whole_key=True)
    start = next(iter(first_angles(image).values()), None)
    width = image.number("OSC_RANGE", whole_key=True)
    return ImageGeometry(
        n_fast=n_fast, n_slow=n_slow, pixel_size=size,
        origin=distance * MILLIMETRE * normal - size * (x * fast + y * slow),
        fast=fast, slow=slow, beam=beam, spindle=fast,
        wavelength=wavelength * ANGSTROM if wavelength else None,
        phi=None if start is None else start / DEGREES_PER_RADIAN,
        oscillation=None if width is None else width / DEGREES_PER_RADIAN,
    )  # fmt: skip


def _pair(image: SmvFile, keys: tuple[str, str]) -> Place | None:
    first, second = (image.number(key, whole_key=True) for key in keys)
    return None if first is None or second is None else (first, second)


def _beam(image: SmvFile, pixel: float, near: Place) -> np.ndarray | None:
    """Direction of the beam in the panel's frame; None if the header does not define it."""
    spot = _pair(image, ("DENZO_Y_BEAM", "DENZO_X_BEAM"))
    along = image.number("DISTANCE", whole_key=True)
    if spot is None or not along or image.number("CLOSE_DISTANCE", whole_key=True) is None:
        return None
    fast, slow = ((place - pixel * at) / along for place, at in zip(spot, near, strict=True))
    squared = fast * fast + slow * slow
    if squared < TILTED * TILTED:
        # the six digits of a header are not more precise
        return np.array([0.0, 0.0, 1.0])
    return np.array([fast, slow, math.sqrt(1.0 - squared)]) if squared < 1.0 else None


def contradiction(image: SmvFile, convention: Convention) -> str:
    """Warning about a header with contradictory beam centres.

    Parameters
    ----------
    image : SmvFile
        Image with its header.
    convention : Convention
        Convention for the beam centre.

    Returns
    -------
    str
        Warning; empty if the beam centres agree. It is also empty for tilted detectors and for
        TWOTHETA: there, the keys mean different points.
    """
    pixel = image.number("PIXEL_SIZE", whole_key=True)
    if not pixel or is_tilted(image) or image.number("TWOTHETA", whole_key=True):
        return ""
    found = dict(_places(image, pixel, convention))
    taken = f"{'XDS_ORG' if convention in BY_ORIGIN else 'BEAM_CENTER_'}X and _Y"
    if taken not in found:
        return ""
    others = [
        f"{name} {place[0]:.1f} {place[1]:.1f}"
        for name, place in found.items()
        if math.dist(place, found[taken]) > NOTICEABLE_PIXELS
    ]
    if not others:
        return ""
    x, y = found[taken]
    return (
        f"{taken}, read in the {convention} convention, put the beam at pixel {x:.1f} {y:.1f} "
        f"(fast, slow), but other keys of its header put it elsewhere: {', '.join(others)}"
    )


def _places(image: SmvFile, pixel: float, convention: Convention) -> Iterator[tuple[str, Place]]:
    """Names of keys, and their positions of the beam in pixels (fast, slow, from the corner)."""
    n_slow, n_fast = image.image.shape
    for name, keys, meant in (
        ("BEAM_CENTER_X and _Y", ("BEAM_CENTER_X", "BEAM_CENTER_Y"), convention),
        ("MOSFLM_CENTER_X and _Y", ("MOSFLM_CENTER_X", "MOSFLM_CENTER_Y"), Convention.MOSFLM),
        ("DENZO_X_BEAM and _Y_BEAM", ("DENZO_X_BEAM", "DENZO_Y_BEAM"), Convention.DENZO),
        ("ADXV_CENTER_X and _Y", ("ADXV_CENTER_X", "ADXV_CENTER_Y"), Convention.ADXV),
    ):
        given = _pair(image, keys)
        if given is not None:
            size = n_fast * pixel, n_slow * pixel
            at = beam_centre(meant, size, pixel, given)
            yield name, (at.fast / pixel, at.slow / pixel)
    origin = _pair(image, ("XDS_ORGX", "XDS_ORGY"))
    if origin is not None:
        yield "XDS_ORGX and _Y", (origin[0] - 0.5, origin[1] - 0.5)
