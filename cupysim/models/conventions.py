"""Laboratory frames and beam centres of the five beam-centre conventions.

A convention is a set of lab vectors, a pivot for detector rotations, and a meaning of "beam
centre". If a user gives any vector, the convention becomes CUSTOM, which has its own default
vectors (quirk Q10).
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
"""Cosine of the angle between two detector axes above which cupysim warns."""


class Convention(StrEnum):
    """Beam-centre convention: the meaning of a beam centre, with lab vectors and pivot."""

    CUSTOM = "custom"
    """Vectors as given, and the point of normal incidence from the first pixel's outer corner."""
    ADXV = "adxv"
    """Beam centre along fast from the first column, along slow from the last row; beam along z."""
    MOSFLM = "mosflm"
    """Beam centre from the middle of the first pixel, beam along x. The default."""
    XDS = "xds"
    """Point of normal incidence in pixels, ORGX and ORGY; beam along z, spindle along x."""
    DIALS = "dials"
    """As XDS, with the spindle along y."""
    DENZO = "denzo"
    """Beam centre from the outer corner of the first pixel, beam along x."""


class Pivot(StrEnum):
    """The point about which detector rotations turn the panel: the sample or the direct beam."""

    SAMPLE = "sample"
    """The crystal: the point of normal incidence stays where it is on the panel."""
    BEAM = "beam"
    """The place where the direct beam meets the panel: this place does not move."""


@dataclass(frozen=True)
class Frame:
    """Directions of beam, detector axes and rotation axes, before the detector is turned.

    Parameters
    ----------
    beam : tuple of 3 float
        Direction of flight of the photons.
    fast, slow, normal : tuple of 3 float
        Detector axes. Pixel numbers increase along fast and slow; the normal points away from the
        sample.
    twotheta_axis : tuple of 3 float
        Axis of the two-theta swing.
    polarization : tuple of 3 float
        Polarization axis: direction of the electric field for a Kahn factor of 1.
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
        """Return a frame with some of the vectors replaced."""
        return replace(self, **vectors)


@dataclass(frozen=True)
class UnitFrame:
    """A laboratory frame of unit vectors, as arrays of shape (3,).

    The two-theta axis stays as given, unless quirk Q4 is corrected. `vertical` is perpendicular
    to beam and polarization. `made_normal` is true if the normal is the vector product of the fast
    and slow axes, because the given one did not have exactly length one.
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

    @property
    def horizontal(self) -> np.ndarray:
        """The direction across the beam that is nearest to the polarization axis, shape (3,).

        It is the polarization axis itself if that is parallel to the beam.
        """
        across = cross(self.vertical, self.beam)
        return np.asarray(unit(across) if across.any() else self.polarization)


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
"""Laboratory frame of each convention."""

PIVOTS: dict[Convention, Pivot] = {
    Convention.MOSFLM: Pivot.BEAM,
    Convention.DENZO: Pivot.BEAM,
    Convention.ADXV: Pivot.BEAM,
    Convention.XDS: Pivot.SAMPLE,
    Convention.DIALS: Pivot.SAMPLE,
}
"""Pivot of each convention; CUSTOM has no fixed one."""


def unit_frame(frame: Frame, twotheta: float, unit_axis: bool = False) -> UnitFrame:
    """Make the vectors of a frame unit vectors.

    Parameters
    ----------
    frame : Frame
        Frame with vectors of any length.
    twotheta : float
        Two-theta angle (rad), only for the warning about its axis.
    unit_axis : bool, optional
        Make the two-theta axis a unit vector too (quirk Q4 corrected).

    Returns
    -------
    UnitFrame
        Unit vectors and the vertical direction. The normal is new if the given one does not have
        length one.

    Raises
    ------
    ModelError
        If a vector that is needed is zero.
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
    """Beam centre and point of normal incidence, in the terms of the convention and of the panel.

    Parameters
    ----------
    x, y : float
        Beam centre as the convention defines it (m), for image headers.
    close_x, close_y : float
        Point of normal incidence as given (m), for the report.
    fast, slow : float
        Direct beam along the fast and slow axes, from the outer corner of the first pixel (m).
        Used if the pivot is the beam.
    close_fast, close_slow : float
        Point of normal incidence along the fast and slow axes, from the same corner (m). Used if
        the pivot is the sample.
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
        Convention with the rules.
    size : tuple of 2 float
        Detector size along fast and slow (m).
    pixel_size : float
        Pixel edge (m).
    beam : tuple of 2 float or None
        Beam centre X, Y as the convention defines them (m).
    close : tuple of 2 float or None
        Point of normal incidence X, Y (m).
    origin : tuple of 2 float or None
        XDS ORGX, ORGY (pixels; the centre of the first pixel is at 1).

    Returns
    -------
    BeamCentre
        Complete beam centre. MOSFLM adds half a pixel even to a given centre. The defaults depend
        on the convention (docs/physics.md, section 1).
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
