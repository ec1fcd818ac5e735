"""The detector: pixels, distances, beam centre, angles, sensor."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.arrays import dot
from cupysim.maths.detector_geometry import (
    Bend,
    DetectorAngles,
    PanelGeometry,
    beam_ratio,
    mirrored_bend,
    place_panel,
    right_bend,
)
from cupysim.models.checks import assign, finite, member, three, whole
from cupysim.models.conventions import (
    FRAMES,
    PIVOTS,
    BeamCentre,
    Convention,
    Frame,
    Pivot,
    UnitFrame,
    beam_centre,
    unit_frame,
)
from cupysim.models.sampling import Sweep
from cupysim.quirks import warn_quirk

LARGEST_PIXEL_COUNT = 2**31 - 1
"""The C program counts pixels with 32 bits."""

Pair = tuple[float | None, float | None]


@dataclass(frozen=True)
class Sensor:
    """The layer in which the photons are absorbed.

    Parameters
    ----------
    layers : Sweep
        Thickness (m), distance of the layers (m) and their number; the default
        is a sensor of no thickness which absorbs everything.
    attenuation : float
        Attenuation coefficient mu (1/m); negative where it does not matter.
    """

    layers: Sweep = field(default_factory=Sweep)
    attenuation: float = -1.0


@dataclass(frozen=True)
class Detector:
    """A flat (or curved) panel of square pixels.

    Parameters
    ----------
    n_fast, n_slow : int
        Number of pixels.
    pixel_size : float
        Pixel edge (m).
    distance : float
        Distance along the beam (m); not used if `close_distance` is given.
    close_distance : float, optional
        Distance of the detector plane from the sample (m).
    convention : Convention
        Whose beam centre, vectors and pivot.
    frame : Frame, optional
        Lab vectors; the convention's own without it. Used in the CUSTOM
        convention, and where quirk Q10 is corrected.
    pivot : Pivot, optional
        What stays in place when the detector turns; only the CUSTOM convention
        obeys it, unless quirk Q8 is corrected.
    beam_centre, close_point, origin_pixels : tuple of 2 float or None
        Beam centre (m) as the convention means it, near point (m), and XDS
        ORGX, ORGY (pixels); see `cupysim.models.conventions.beam_centre`.
    angles : DetectorAngles
        How the detector is turned.
    sensor : Sensor
        Thickness and absorption.
    curved : bool
        All pixels at the same distance (mirrored, unless quirk Q19 is corrected).
    point_pixel : bool
        Inverse-square law in place of the solid angle (quirk Q20).
    size : tuple of 2 float, optional
        Detector size along fast and slow (m), where it is not a whole number
        of pixels.
    origin : tuple of 3 float, optional
        Outer corner of the first pixel in the laboratory (m), after all rotations, in place of
        what distance, beam centre and pivot would make it.
    corrected : tuple of int
        Quirks which are corrected. An experiment sets it; it cannot be given.

    Raises
    ------
    ModelError
        If the detector has no pixels, too many, or no size.
    """

    n_fast: int = 1024
    n_slow: int = 1024
    pixel_size: float = 1e-4
    distance: float = 0.1
    close_distance: float | None = None
    convention: Convention = Convention.MOSFLM
    frame: Frame | None = None
    pivot: Pivot | None = None
    beam_centre: Pair = (None, None)
    close_point: Pair = (None, None)
    origin_pixels: Pair = (None, None)
    angles: DetectorAngles = field(default_factory=DetectorAngles)
    sensor: Sensor = field(default_factory=Sensor)
    curved: bool = False
    point_pixel: bool = False
    size: tuple[float, float] | None = None
    origin: tuple[float, float, float] | None = None
    corrected: tuple[int, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        assign(
            self,
            n_fast=whole(self.n_fast, "detector: n_fast"),
            n_slow=whole(self.n_slow, "detector: n_slow"),
            pixel_size=finite(self.pixel_size, "detector: pixel_size"),
            distance=finite(self.distance, "detector: distance"),
            convention=member(Convention, self.convention, "detector: convention"),
        )
        if self.pivot is not None:
            assign(self, pivot=member(Pivot, self.pivot, "detector: pivot"))
        if self.origin is not None:
            origin = three(self.origin, "detector: origin")
            assign(self, origin=tuple(finite(value, "detector: origin") for value in origin))
        if not 0.0 < self.pixel_size < math.inf:
            raise ModelError(f"pixel size: must be positive, got {1e3 * self.pixel_size:g} mm")
        if self.n_fast < 1 or self.n_slow < 1:
            raise ModelError(f"detector: {self.n_fast} x {self.n_slow} pixels; at least 1 x 1")
        if self.n_fast * self.n_slow > LARGEST_PIXEL_COUNT:
            raise ModelError(
                f"detector: {self.n_fast} x {self.n_slow} pixels; "
                f"at most {LARGEST_PIXEL_COUNT} altogether"
            )
        distance = self.distance if self.close_distance is None else self.close_distance
        if distance == 0.0 or not math.isfinite(distance):
            raise ModelError(f"distance: must not be zero, got {1e3 * distance:g} mm")

    @property
    def effective_pivot(self) -> Pivot:
        """The pivot which acts: the convention's, or in CUSTOM the given one."""
        if 8 in self.corrected and self.pivot is not None:
            return self.pivot
        return PIVOTS.get(self.convention, self.pivot or Pivot.BEAM)

    @property
    def extent(self) -> tuple[float, float]:
        """Size along fast and slow (m)."""
        if self.size is not None:
            return self.size
        return self.pixel_size * self.n_fast, self.pixel_size * self.n_slow

    @cached_property
    def unit_frame(self) -> UnitFrame:
        """Unit vectors of the lab frame."""
        frame = FRAMES[self.convention]
        obeyed = self.convention is Convention.CUSTOM or 10 in self.corrected
        if obeyed and self.frame is not None:
            frame = self.frame
        return unit_frame(frame, self.angles.twotheta, unit_axis=4 in self.corrected)

    @cached_property
    def centre(self) -> BeamCentre:
        """Beam centre and near point, completed by the convention's rules."""
        beam, pivot = self.beam_centre, PIVOTS.get(self.convention)
        if 9 in self.corrected and self.effective_pivot is pivot is Pivot.SAMPLE:
            # it has no effect, and so no place in a header
            beam = (None, None)
        return beam_centre(
            self.convention,
            self.extent,
            self.pixel_size,
            beam,
            self.close_point,
            self.origin_pixels,
        )

    def with_beam_moved(self, fast: float, slow: float) -> Detector:
        """The detector with its beam centre moved along its axes.

        Parameters
        ----------
        fast, slow : float
            How far (m): the direct beam where the panel turns about it, else the near point.

        Returns
        -------
        Detector
            With the beam centre given in the way which its convention and pivot obey.
        """
        centre, by_origin = self.centre, (Convention.XDS, Convention.DIALS)
        if self.convention in by_origin and self.effective_pivot is Pivot.SAMPLE:
            near = (centre.close_fast + fast, centre.close_slow + slow)
            pixels = [place / self.pixel_size + 0.5 for place in near]
            return replace(self, origin_pixels=(pixels[0], pixels[1]))
        moved = (centre.x + fast, centre.y + slow)
        if self.convention in (Convention.MOSFLM, Convention.DENZO):
            moved = (centre.x + slow, centre.y + fast)
        elif self.convention is Convention.ADXV:
            moved = (centre.x + fast, centre.y - slow)
        return replace(self, beam_centre=moved)

    @cached_property
    def geometry(self) -> PanelGeometry:
        """Where the panel is."""
        frame, centre = self.unit_frame, self.centre
        close_distance = self.close_distance
        if close_distance is None:
            if self.distance < 0.0 and 7 in self.corrected:
                raise ModelError(f"distance: must be positive, got {1e3 * self.distance:g} mm")
            ratio = beam_ratio(frame.beam, frame.normal, self.angles)
            close_distance = abs(ratio * self.distance)
        if self.curved and 19 not in self.corrected:
            warn_quirk(19, "the curved detector's image is mirrored about the beam")
        if self.point_pixel and 20 not in self.corrected:
            warn_quirk(20, "-point_pixel gives photons/m^2, not photons in a pixel")
        near_point = None
        if self.effective_pivot is Pivot.SAMPLE:
            near_point = (centre.close_fast, centre.close_slow)
            if PIVOTS.get(self.convention) is Pivot.BEAM:
                # unturned, the panel is where the other pivot has it
                rest = close_distance / beam_ratio(frame.beam, frame.normal, DetectorAngles())
                near_point = (
                    centre.fast - rest * float(dot(frame.beam, frame.fast)),
                    centre.slow - rest * float(dot(frame.beam, frame.slow)),
                )
        return place_panel(
            (frame.fast, frame.slow, frame.normal),
            frame.beam,
            frame.twotheta_axis,
            self.angles,
            close_distance,
            near_point,
            (centre.fast, centre.slow),
            origin=None if self.origin is None else np.array(self.origin),
            right_distance=7 in self.corrected,
        )

    @cached_property
    def bending(self) -> Bend | None:
        """How the panel is bent about the sample; None if it is flat."""
        if not self.curved:
            return None
        frame, geometry = self.unit_frame, self.geometry
        bent = right_bend if 19 in self.corrected else mirrored_bend
        return bent(geometry.distance, frame.beam, geometry.fast, geometry.slow)
