"""The detector: pixels, distances, beam centre, angles, sensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.arrays import cross, dot, norm
from cupysim.maths.detector_geometry import (
    Bend,
    DetectorAngles,
    PanelGeometry,
    beam_ratio,
    mirrored_bend,
    place_panel,
    right_bend,
)
from cupysim.models.checks import assign, direction, finite, member, three, vector_of, whole
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
from cupysim.models.sensor import Sensor
from cupysim.quirks import CORRECTED, Quirk, Quirks, warn_quirk

MOST_PIXELS = 2**31 - 1
"""Largest number of pixels, because the C program counts them with 32 bits."""

LARGEST_SKEW = 1e-6
"""Largest cosine of the angle between fast and slow axis that counts as a right angle."""

OptionalPair = tuple[float | None, float | None]


@dataclass(frozen=True)
class Detector:
    """A detector: one flat or curved panel of square pixels.

    Parameters
    ----------
    n_fast, n_slow : int
        Number of pixels along the fast and slow axes.
    pixel_size : float
        Pixel edge (m).
    distance : float
        Distance along the beam (m). Not used if `close_distance` is given.
    close_distance : float, optional
        Distance of the panel's plane from the sample (m).
    convention : Convention
        Convention of beam centre, lab vectors and pivot.
    frame : Frame, optional
        Lab vectors. By default those of the convention. Used in the CUSTOM convention, and in
        all conventions if quirk Q10 is corrected.
    pivot : Pivot, optional
        Point about which the detector rotations turn the panel. Only the CUSTOM convention uses
        it, unless quirk Q8 is corrected.
    beam_centre : tuple of 2 float or None
        Beam centre (m) as the convention defines it, see
        `cupysim.models.conventions.beam_centre`.
    close_point : tuple of 2 float or None
        Point of normal incidence (m).
    origin_pixels : tuple of 2 float or None
        XDS ORGX, ORGY (pixels).
    angles : DetectorAngles
        Detector rotations.
    sensor : Sensor
        Thickness and absorption of the sensor.
    curved : bool
        Bend the panel so that all pixels have the same distance from the sample (mirrored, unless
        quirk Q19 is corrected).
    point_pixel : bool
        Give a pixel the solid angle pixel_size^2/R^2 at the distance R (1/R^2 with quirk Q20).
    size : tuple of 2 float, optional
        Detector size along fast and slow (m), if it is not a multiple of the pixel size.
    origin : tuple of 3 float, optional
        Outer corner of the first pixel in the laboratory after all rotations (m). It overrides
        distance, beam centre and pivot.

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
    beam_centre: OptionalPair = (None, None)
    close_point: OptionalPair = (None, None)
    origin_pixels: OptionalPair = (None, None)
    angles: DetectorAngles = field(default_factory=DetectorAngles)
    sensor: Sensor = field(default_factory=Sensor)
    curved: bool = False
    point_pixel: bool = False
    size: tuple[float, float] | None = None
    origin: tuple[float, float, float] | None = None
    _placed: dict[Quirks, PlacedDetector] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        assign(
            self,
            _placed={},
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
            raise ModelError(
                f"detector: {self.n_fast} x {self.n_slow} pixels; it must have at least 1 x 1"
            )
        if self.n_fast * self.n_slow > MOST_PIXELS:
            raise ModelError(
                f"detector: {self.n_fast} x {self.n_slow} pixels; at most {MOST_PIXELS} in all"
            )
        distance = self.distance if self.close_distance is None else self.close_distance
        if distance == 0.0 or not math.isfinite(distance):
            raise ModelError(f"distance: must not be zero, got {1e3 * distance:g} mm")

    @property
    def extent(self) -> tuple[float, float]:
        """Size of the panel along fast and slow (m)."""
        if self.size is not None:
            return self.size
        return self.pixel_size * self.n_fast, self.pixel_size * self.n_slow

    @classmethod
    def from_axes(
        cls,
        origin: Sequence[float],
        fast: Sequence[float],
        slow: Sequence[float],
        pixel_size: float,
        n_fast: int,
        n_slow: int,
        *,
        beam: Sequence[float] = (1.0, 0.0, 0.0),
        spindle: Sequence[float] = (0.0, 0.0, 1.0),
        polarization: Sequence[float] | None = None,
        sensor: Sensor | None = None,
    ) -> Detector:
        """Make a panel from its origin and axes, as in dxtbx, NeXus and CrystFEL geometry files.

        All vectors are in one laboratory frame, and so are the vectors of the crystal.

        Parameters
        ----------
        origin : sequence of 3 float
            Vector from the crystal to the outer corner of the first pixel (m).
        fast, slow : sequence of 3 float
            Directions of the fast and slow axes, perpendicular to each other. They need not be
            unit vectors.
        pixel_size : float
            Pixel edge (m).
        n_fast, n_slow : int
            Number of pixels along the fast and slow axes.
        beam : sequence of 3 float, optional
            Direction of flight of the photons.
        spindle : sequence of 3 float, optional
            Rotation axis of the crystal.
        polarization : sequence of 3 float, optional
            Direction of the electric field. By default the spindle, or the fast axis if the
            spindle is along the beam.
        sensor : Sensor, optional
            Thickness and absorption of the sensor.

        Returns
        -------
        Detector
            Detector in the CUSTOM convention.

        Raises
        ------
        ModelError
            If a vector has no direction, the axes are not perpendicular, or the panel's plane
            contains the crystal.

        Examples
        --------
        A panel of 100 x 80 pixels, 0.2 m behind the crystal, in dxtbx's frame:

        >>> detector = Detector.from_axes(
        ...     (-0.005, 0.004, -0.2), (1, 0, 0), (0, -1, 0), 1e-4, 100, 80,
        ...     beam=(0, 0, -1), spindle=(1, 0, 0),
        ... )
        >>> geometry = detector.placed().geometry
        >>> round(geometry.distance, 6), round(geometry.beam_fast, 6), round(geometry.beam_slow, 6)
        (0.2, 0.005, 0.004)
        """
        corner = np.array(three(origin, "detector: origin"), dtype=np.float64)
        along, down, flight, axis = (
            direction(vector, f"detector: {name}")
            for name, vector in (
                ("fast", fast), ("slow", slow), ("beam", beam), ("spindle", spindle)
            )
        )  # fmt: skip
        skew = abs(float(dot(along, down)))
        if skew > LARGEST_SKEW:
            raise ModelError(f"detector: fast and slow are not at right angles (cosine {skew:g})")
        normal = cross(along, down)
        distance = float(dot(corner, normal))
        if distance == 0.0:
            raise ModelError("detector: the panel's plane goes through the crystal")
        electric = axis if norm(cross(flight, axis)) > 0.0 else along
        if polarization is not None:
            electric = direction(polarization, "detector: polarization")
        frame = Frame(
            beam=vector_of(flight),
            fast=vector_of(along),
            slow=vector_of(down),
            normal=vector_of(normal if distance > 0.0 else -normal),
            twotheta_axis=vector_of(axis),
            polarization=vector_of(electric),
            spindle=vector_of(axis),
        )
        return cls(
            n_fast=n_fast,
            n_slow=n_slow,
            pixel_size=pixel_size,
            close_distance=abs(distance),
            convention=Convention.CUSTOM,
            frame=frame,
            pivot=Pivot.SAMPLE,
            sensor=Sensor() if sensor is None else sensor,
            origin=vector_of(corner),
        )

    def placed(self, quirks: Quirks = CORRECTED) -> PlacedDetector:
        """Place the detector in the laboratory.

        Parameters
        ----------
        quirks : Quirks, optional
            Corrected quirks of nanoBragg.

        Returns
        -------
        PlacedDetector
            Detector with its geometry. It is made once for each choice of quirks.
        """
        if quirks not in self._placed:
            self._placed[quirks] = PlacedDetector(self, quirks)
        return self._placed[quirks]

    def with_beam_moved(self, fast: float, slow: float, quirks: Quirks = CORRECTED) -> Detector:
        """Return the detector with its beam centre moved along its axes.

        Parameters
        ----------
        fast, slow : float
            Shift along the fast and slow axes (m). It moves the direct beam if the pivot is the
            beam, otherwise the point of normal incidence.
        quirks : Quirks, optional
            Corrected quirks of nanoBragg.

        Returns
        -------
        Detector
            Detector with the new beam centre, given in the form that its convention and pivot
            use.
        """
        placed, by_origin = self.placed(quirks), (Convention.XDS, Convention.DIALS)
        centre = placed.centre
        if self.convention in by_origin and placed.pivot is Pivot.SAMPLE:
            near = (centre.close_fast + fast, centre.close_slow + slow)
            pixels = [place / self.pixel_size + 0.5 for place in near]
            return replace(self, origin_pixels=(pixels[0], pixels[1]))
        moved = (centre.x + fast, centre.y + slow)
        if self.convention in (Convention.MOSFLM, Convention.DENZO):
            moved = (centre.x + slow, centre.y + fast)
        elif self.convention is Convention.ADXV:
            moved = (centre.x + fast, centre.y - slow)
        return replace(self, beam_centre=moved)


class PlacedDetector:
    """A detector placed in the laboratory, for a choice of corrected quirks.

    Parameters
    ----------
    detector : Detector
        Detector to place.
    quirks : Quirks
        Corrected quirks of nanoBragg.
    """

    def __init__(self, detector: Detector, quirks: Quirks) -> None:
        self.detector = detector
        self.quirks = quirks

    @property
    def pivot(self) -> Pivot:
        """The pivot in use: that of the convention, or the given one where it is allowed."""
        detector = self.detector
        if self.quirks.corrects(Quirk.PIVOT_IN_CUSTOM_ONLY) and detector.pivot is not None:
            return detector.pivot
        return PIVOTS.get(detector.convention, detector.pivot or Pivot.BEAM)

    @cached_property
    def frame(self) -> UnitFrame:
        """Unit vectors of the laboratory frame."""
        detector, frame = self.detector, FRAMES[self.detector.convention]
        obeyed = self.quirks.corrects(Quirk.VECTORS_SWITCH_CONVENTION)
        if (obeyed or detector.convention is Convention.CUSTOM) and detector.frame is not None:
            frame = detector.frame
        unit_axis = self.quirks.corrects(Quirk.TWOTHETA_AXIS_LENGTH)
        return unit_frame(frame, detector.angles.twotheta, unit_axis=unit_axis)

    @cached_property
    def centre(self) -> BeamCentre:
        """Beam centre and point of normal incidence, completed by the convention's rules."""
        detector = self.detector
        beam, pivot = detector.beam_centre, PIVOTS.get(detector.convention)
        ignored = self.quirks.corrects(Quirk.BEAM_CENTRE_WITHOUT_EFFECT)
        if ignored and self.pivot is pivot is Pivot.SAMPLE:
            # the beam centre has no effect, so headers must not contain it
            beam = (None, None)
        return beam_centre(
            detector.convention,
            detector.extent,
            detector.pixel_size,
            beam,
            detector.close_point,
            detector.origin_pixels,
        )

    @cached_property
    def geometry(self) -> PanelGeometry:
        """Geometry of the panel: origin, axes, distances and beam centre."""
        detector, frame, centre = self.detector, self.frame, self.centre
        corrects = self.quirks.corrects
        close_distance = detector.close_distance
        if close_distance is None:
            if detector.distance < 0.0 and corrects(Quirk.DISTANCE_RATIO):
                raise ModelError(f"distance: must be positive, got {1e3 * detector.distance:g} mm")
            ratio = beam_ratio(frame.beam, frame.normal, detector.angles)
            close_distance = abs(ratio * detector.distance)
        if detector.curved and not corrects(Quirk.CURVED_MIRRORED):
            effect = "the curved detector's image is mirrored about the beam"
            warn_quirk(Quirk.CURVED_MIRRORED, effect)
        if detector.point_pixel and not corrects(Quirk.POINT_PIXEL_AREA):
            effect = "-point_pixel gives photons/m^2, not photons in a pixel"
            warn_quirk(Quirk.POINT_PIXEL_AREA, effect)
        near_point = None
        if self.pivot is Pivot.SAMPLE:
            near_point = (centre.close_fast, centre.close_slow)
            if PIVOTS.get(detector.convention) is Pivot.BEAM:
                # before the rotations, the panel has the place that the other pivot gives
                rest = close_distance / beam_ratio(frame.beam, frame.normal, DetectorAngles())
                near_point = (
                    centre.fast - rest * float(dot(frame.beam, frame.fast)),
                    centre.slow - rest * float(dot(frame.beam, frame.slow)),
                )
        return place_panel(
            (frame.fast, frame.slow, frame.normal),
            frame.beam,
            frame.twotheta_axis,
            detector.angles,
            close_distance,
            near_point,
            (centre.fast, centre.slow),
            origin=None if detector.origin is None else np.array(detector.origin),
            right_distance=corrects(Quirk.DISTANCE_RATIO),
        )

    @cached_property
    def bend(self) -> Bend | None:
        """Bend of the panel about the sample; None if the panel is flat."""
        if not self.detector.curved:
            return None
        frame, geometry = self.frame, self.geometry
        bent = right_bend if self.quirks.corrects(Quirk.CURVED_MIRRORED) else mirrored_bend
        return bent(geometry.distance, frame.beam, geometry.fast, geometry.slow)
