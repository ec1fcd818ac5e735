"""Values that place the detector exactly, from the geometry of a file."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.geometry import ImageGeometry
from cupysim.maths.arrays import cross, dot, norm, unit
from cupysim.maths.resolution import along_axes, are_skewed

TO_MOSFLM = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
"""Rotation from imgCIF's frame to MOSFLM's, with the beam along x and the spindle along z.

nanoBragg's orientations are in MOSFLM's frame by default.
"""


def geometry_values(path: object, geometry: ImageGeometry) -> dict[str, Any]:
    """Values that place the detector exactly, in the CUSTOM convention and MOSFLM's frame.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    geometry : ImageGeometry
        Geometry from the file.

    Returns
    -------
    dict
        Values by the names of `cupysim.nanobragg.arguments`, in SI units.

    Raises
    ------
    FileFormatError
        If the detector's plane goes through the sample, or numbers are impossible.
    """
    if min(geometry.n_fast, geometry.n_slow) < 1:
        raise FileFormatError(
            path,
            f"its detector has {geometry.n_fast} x {geometry.n_slow} pixels; at least 1 x 1 are "
            "expected",
        )
    fast, slow, origin, beam, spindle = (
        TO_MOSFLM @ vector
        for vector in (
            geometry.fast, geometry.slow, geometry.origin, geometry.beam, geometry.spindle
        )
    )  # fmt: skip
    normal = unit(cross(fast, slow))
    distance = float(dot(origin, normal))
    if distance < 0.0:
        normal, distance = -normal, -distance
    normal = _exactly_unit(normal)
    numbers = [*fast, *slow, *origin, *beam, *spindle, geometry.pixel_size]
    if not np.isfinite(numbers).all() or not (distance > 0.0 and geometry.pixel_size > 0.0):
        reason = ": the distance is 0" if distance == 0.0 else ""
        raise FileFormatError(path, f"its detector has an impossible position{reason}")
    # for perpendicular unit vectors, projections are as exact as they can be
    beam_x, beam_y = -float(dot(origin, fast)), -float(dot(origin, slow))
    if are_skewed(fast, slow):
        beam_x, beam_y = along_axes(-origin, fast, slow)
    values: dict[str, Any] = {
        "convention": "custom",
        "pivot": "sample",
        "n_fast": geometry.n_fast,
        "n_slow": geometry.n_slow,
        "pixel": geometry.pixel_size,
        "fast_vector": tuple(map(float, fast)),
        "slow_vector": tuple(map(float, slow)),
        "normal_vector": tuple(map(float, normal)),
        "beam_vector": tuple(map(float, beam)),
        "spindle_axis": tuple(map(float, spindle)),
        # in this convention, the beam centre gives the point of normal incidence
        "beam_x": beam_x,
        "beam_y": beam_y,
        "close_distance": distance,
    }
    values |= _vector_values(geometry)
    for name in ("wavelength", "phi", "oscillation"):
        number = getattr(geometry, name)
        if number is not None:
            if not np.isfinite(number) or (name == "wavelength" and not number > 0.0):
                raise FileFormatError(path, f"{name} {number:g} is not possible")
            values[name] = number
    if values.get("oscillation") == 0.0:
        # a still: without a given range, there is one angle; a range of zero would give two
        del values["oscillation"]
    return values


def _exactly_unit(vector: np.ndarray) -> np.ndarray:
    """Change a vector by a few last bits until its length is exactly 1.

    The C program computes a normal of any other length again from the fast and slow axes. This
    would invert a normal that points the other way.
    """
    largest = int(np.argmax(np.abs(vector)))
    nudged = vector.copy()
    for toward in (np.inf, -np.inf):
        nudged[:] = vector
        for _ in range(16):
            if norm(nudged) == 1.0:
                return nudged
            nudged[largest] = np.nextafter(nudged[largest], toward)
    return vector


def _vector_values(geometry: ImageGeometry) -> dict[str, Any]:
    """Values of polarization and crystal, as far as the file gives them."""
    across = cross(geometry.beam, geometry.spindle)
    field = TO_MOSFLM @ (geometry.spindle if dot(across, across) > 0.0 else geometry.fast)
    values: dict[str, Any] = {"polar_vector": tuple(map(float, field))}
    if geometry.polarization is not None:
        kahn, field = geometry.polarization
        values |= {"polarization": kahn, "polar_vector": tuple(map(float, TO_MOSFLM @ field))}
    if geometry.reciprocal is not None:
        values["reciprocal"] = geometry.reciprocal @ TO_MOSFLM.T
    return values
