"""Values which place the detector exactly, from the geometry of a file."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.geometry import ImageGeometry
from cupysim.maths.arrays import cross, dot, norm, unit

TO_MOSFLM = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
"""From imgCIF's frame to MOSFLM's, in which nanoBragg's orientations are by default: the beam along
x, the spindle along z."""


def geometry_values(path: object, geometry: ImageGeometry) -> dict[str, Any]:
    """Values which place the detector exactly, in the CUSTOM convention and MOSFLM's frame.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    geometry : ImageGeometry
        What it says.

    Returns
    -------
    dict
        Names as in `cupysim.nanobragg.arguments`.

    Raises
    ------
    FileFormatError
        If the detector's plane goes through the sample, or numbers are impossible.
    """
    if min(geometry.n_fast, geometry.n_slow) < 1:
        raise FileFormatError(path, f"a detector of {geometry.n_fast} x {geometry.n_slow} pixels")
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
        raise FileFormatError(path, "its detector has an impossible position")
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
        # the near point, which this convention takes from the beam centre
        "beam_x": -float(dot(origin, fast)),
        "beam_y": -float(dot(origin, slow)),
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
        # a still; an option of zero would mean two equal angles
        del values["oscillation"]
    return values


def _exactly_unit(vector: np.ndarray) -> np.ndarray:
    """The vector, nudged until its length is 1 to the last bit.

    The C program makes a normal of any other length again from the fast and slow axes, and
    so turns round one which points the other way.
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
    """Polarization and crystal, where they are known."""
    across = cross(geometry.beam, geometry.spindle)
    field = TO_MOSFLM @ (geometry.spindle if dot(across, across) > 0.0 else geometry.fast)
    values: dict[str, Any] = {"polar_vector": tuple(map(float, field))}
    if geometry.polarization is not None:
        kahn, field = geometry.polarization
        values |= {"polarization": kahn, "polar_vector": tuple(map(float, TO_MOSFLM @ field))}
    if geometry.reciprocal is not None:
        values["reciprocal"] = geometry.reciprocal @ TO_MOSFLM.T
    return values
