"""Laboratory frames and beam centres of the five beam-centre conventions.

A convention is a set of lab vectors, a pivot about which the detector turns,
and a meaning of "beam centre". A user who gives any vector gets CUSTOM, which
starts from vectors of its own (quirk Q10).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from cupysim.errors import CupysimWarning, ModelError
from cupysim.maths.arrays import cross, dot, norm, unit
from cupysim.maths.rotations import is_unit
from cupysim.quirks import Quirk, warn_quirk

Vector = tuple[float, float, float]

NOTICEABLE_SKEW = 1e-3
"""Detector axes whose cosines are beyond this are worth a warning."""


class Convention(StrEnum):
    """Whose beam centre it is."""

    CUSTOM = "custom"
    ADXV = "adxv"
    MOSFLM = "mosflm"
    XDS = "xds"
    DIALS = "dials"
    DENZO = "denzo"


class Pivot(StrEnum):
    """What stays in place when the detector turns."""

    SAMPLE = "sample"
    BEAM = "beam"


@dataclass(frozen=True)
class Frame:
    """Directions in the laboratory, before the detector is turned.

    Parameters
    ----------
    beam : tuple of 3 float
        Direction in which the photons fly.
    fast, slow, normal : tuple of 3 float
        Detector axes: of growing fast and slow pixel number, and away from the
        sample.
    twotheta_axis : tuple of 3 float
        Axis of the two-theta swing.
    polarization : tuple of 3 float
        Direction of the electric field for which the Kahn factor is meant.
    spindle : tuple of 3 float
        Rotation axis of the crystal.
    """

    beam: Vector
    fast: Vector
    slow: Vector
    normal: Vector
    twotheta_axis: Vector
    polarization: Vector
    spindle: Vector

    def with_vectors(self, **vectors: Vector) -> Frame:
        """A frame with some of the vectors replaced."""
        return replace(self, **vectors)


@dataclass(frozen=True)
class UnitFrame:
    """A frame whose vectors were made unit vectors, as arrays of shape (3,).

    The two-theta axis stays as given, unless quirk Q4 is corrected. `vertical` is perpendicular
    to beam and polarization. `made_normal` tells that the normal was made from
    the fast and slow axes since the given one had not exactly length one.
    """

    beam: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    normal: np.ndarray
    twotheta_axis: np.ndarray
    polarization: np.ndarray
    spindle: np.ndarray
    vertical: np.ndarray
    made_normal: bool


_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_MINUS_X, _MINUS_Y, _MINUS_Z = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)

FRAMES: dict[Convention, Frame] = {
    Convention.MOSFLM: Frame(_X, _Z, _MINUS_Y, _X, _MINUS_Z, _Z, _Z),
    Convention.DENZO: Frame(_X, _Z, _MINUS_Y, _X, _MINUS_Z, _Z, _Z),
    Convention.ADXV: Frame(_Z, _X, _MINUS_Y, _Z, _MINUS_X, _X, _X),
    Convention.XDS: Frame(_Z, _X, _Y, _Z, _X, _X, _X),
    Convention.DIALS: Frame(_Z, _X, _Y, _Z, _Y, _Y, _Y),
    Convention.CUSTOM: Frame(_X, _Z, _MINUS_Y, _X, _Y, _Z, _Z),
}

PIVOTS: dict[Convention, Pivot] = {
    Convention.MOSFLM: Pivot.BEAM,
    Convention.DENZO: Pivot.BEAM,
    Convention.ADXV: Pivot.BEAM,
    Convention.XDS: Pivot.SAMPLE,
    Convention.DIALS: Pivot.SAMPLE,
}


def unit_frame(frame: Frame, twotheta: float, unit_axis: bool = False) -> UnitFrame:
    """Make the vectors of a frame unit vectors.

    Parameters
    ----------
    frame : Frame
        The frame.
    twotheta : float
        Two-theta angle (rad); only for the warning about its axis.
    unit_axis : bool, optional
        Make the two-theta axis a unit vector too (quirk Q4 corrected).

    Returns
    -------
    UnitFrame
        Unit vectors, a normal where none of length one was given, and the
        vertical direction.

    Raises
    ------
    ModelError
        If a vector which is needed is zero.
    """
    vectors = {
        name: np.array(getattr(frame, name), dtype=np.float64)
        for name in ("beam", "fast", "slow", "normal", "twotheta_axis", "polarization", "spindle")
    }
    for name in ("beam", "fast", "slow", "polarization", "spindle"):
        if not norm(vectors[name]) > 0.0:
            raise ModelError(f"{name} vector: {vectors[name]} has no direction")
        vectors[name] = unit(vectors[name])
    made_normal = bool(norm(vectors["normal"]) != 1.0)
    if made_normal:
        vectors["normal"] = cross(vectors["fast"], vectors["slow"])
        if not norm(vectors["normal"]) > 0.0:
            raise ModelError("fast and slow detector axes are parallel")
    vectors["normal"] = unit(vectors["normal"])
    axes = [vectors[name] for name in ("fast", "slow", "normal")]
    skew = max(abs(float(dot(axes[i], axes[j]))) for i, j in ((0, 1), (0, 2), (1, 2)))
    if skew > NOTICEABLE_SKEW:
        warnings.warn(
            CupysimWarning(
                "the fast, slow and normal vectors of the detector are not perpendicular to each "
                f"other (a cosine of {skew:g})"
            ),
            stacklevel=2,
        )
    if unit_axis:
        vectors["twotheta_axis"] = unit(vectors["twotheta_axis"])
        if twotheta != 0.0 and not norm(vectors["twotheta_axis"]) > 0.0:
            raise ModelError("two-theta axis: the vector has no direction")
    elif twotheta != 0.0 and not is_unit(vectors["twotheta_axis"]):
        length = float(norm(vectors["twotheta_axis"]))
        warn_quirk(
            Quirk.TWOTHETA_AXIS_LENGTH,
            f"the two-theta axis has length {length:g}, which distorts the detector",
        )
    vertical = unit(cross(vectors["beam"], vectors["polarization"]))
    return UnitFrame(vertical=vertical, made_normal=made_normal, **vectors)


@dataclass(frozen=True)
class BeamCentre:
    """Where the beam and the near point are, in the terms of every convention.

    Parameters
    ----------
    x, y : float
        Beam centre in the convention's own terms, for image headers (m).
    close_x, close_y : float
        Near point as given, for the report (m).
    fast, slow : float
        Direct beam along the fast and slow axes from the outer corner of the
        first pixel (m); used when the beam is the pivot.
    close_fast, close_slow : float
        Near point likewise (m); used when the sample is the pivot.
    """

    x: float
    y: float
    close_x: float
    close_y: float
    fast: float
    slow: float
    close_fast: float
    close_slow: float


def beam_centre(
    convention: Convention,
    size: tuple[float, float],
    pixel_size: float,
    beam: tuple[float | None, float | None] = (None, None),
    close: tuple[float | None, float | None] = (None, None),
    origin: tuple[float | None, float | None] = (None, None),
) -> BeamCentre:
    """Complete a beam centre by the rules of its convention.

    Parameters
    ----------
    convention : Convention
        Whose rules.
    size : tuple of 2 float
        Detector size along fast and slow (m).
    pixel_size : float
        Pixel edge (m).
    beam : tuple of 2 float or None
        Beam centre X, Y as the convention means them (m).
    close : tuple of 2 float or None
        Near point X, Y (m).
    origin : tuple of 2 float or None
        XDS ORGX, ORGY (pixels, the first pixel's centre is 1).

    Returns
    -------
    BeamCentre
        The half pixel is added in MOSFLM even to a given centre; the defaults
        differ by convention (docs/physics.md, section 1).
    """
    size_fast, size_slow = size
    close_fast = (origin[0] - 0.5) * pixel_size if origin[0] is not None else size_fast / 2.0
    close_slow = (origin[1] - 0.5) * pixel_size if origin[1] is not None else size_slow / 2.0
    close_x = close[0] if close[0] is not None else close_fast
    close_y = close[1] if close[1] is not None else close_slow

    default_x, default_y = close_x, close_y
    if convention in (Convention.MOSFLM, Convention.DENZO):
        default_x, default_y = (size_slow + pixel_size) / 2.0, (size_fast + pixel_size) / 2.0
    elif convention is Convention.ADXV:
        default_x, default_y = (size_fast + pixel_size) / 2.0, (size_slow - pixel_size) / 2.0
    x = beam[0] if beam[0] is not None else default_x
    y = beam[1] if beam[1] is not None else default_y

    fast, slow = x, y
    if convention is Convention.MOSFLM:
        fast, slow = y + 0.5 * pixel_size, x + 0.5 * pixel_size
    elif convention is Convention.DENZO:
        fast, slow = y, x
    elif convention is Convention.ADXV:
        slow = size_slow - y
    elif convention is Convention.CUSTOM:
        close_fast, close_slow = x, y
    return BeamCentre(x, y, close_x, close_y, fast, slow, close_fast, close_slow)
