"""`named_detector`: a real detector, placed behind the crystal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cupysim.detectors.catalogue import Entry, find_entry
from cupysim.detectors.layout import members_of
from cupysim.errors import ModelError
from cupysim.maths.arrays import cross, norm
from cupysim.maths.rotations import rotation_of_vector
from cupysim.models.checks import direction, finite, vector_of, whole
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.sensor import Sensor


def named_detector(
    name: str,
    distance: float,
    *,
    beam_centre: Sequence[float] | None = None,
    beam_pixel: Sequence[float] | None = None,
    beam: Sequence[float] = (0.0, 0.0, 1.0),
    wavelength: float | None = None,
    thickness: float | bool = True,
    material: str | None = None,
    layers: int = 1,
    saturation: float | None = None,
    gain: float | None = None,
) -> PanelDetector:
    """Return a real detector, perpendicular to the beam.

    The frame is that of CrystFEL: the beam along z, y upwards, x = y cross z (to the left if one
    looks along the beam). The spindle and the electric field are along -x. All figures and their
    sources are printed by ``cupysim detectors NAME``.

    Parameters
    ----------
    name : str
        Name of the detector, such as "eiger2-16m"; `cupysim detectors` lists them.
    distance : float
        Distance from the crystal to the detector's plane (m).
    beam_centre : sequence of 2 float, optional
        Where the direct beam meets the detector: x and y (m) from its middle, or from the middle
        of its hole if it has one. By default (0, 0).
    beam_pixel : sequence of 2 float, optional
        The same as fast and slow coordinates (pixels) from the outer corner of the first pixel.
        Only for a detector of one panel.
    beam : sequence of 3 float, optional
        Direction of flight of the photons. Another direction than z turns the detector by the
        shortest rotation from z, about y if the beam is along -z.
    wavelength : float, optional
        Wavelength (m), from which xraydb computes the attenuation in the sensor. By default, the
        sensor absorbs every photon.
    thickness : float or bool, optional
        Thickness of the sensor (m). True takes that of the file; if it is unknown, the sensor
        absorbs every photon. False makes a sensor that absorbs every photon.
    material : str, optional
        Chemical formula of the sensor, or a name that xraydb knows. By default that of the file.
    layers : int, optional
        Number of layers of the sensor. One layer gives the right absorption but no parallax.
    saturation : float, optional
        Largest number of a pixel. By default that of the file.
    gain : float, optional
        Counts per photon. By default that of the file, or 1.

    Returns
    -------
    PanelDetector
        The detector. Its panels are those of its images, or its modules or chips in groups.

    Raises
    ------
    CupysimError
        If there is no detector of this name, or xraydb is needed and not installed.
    ModelError
        If a number is impossible, or two beam centres are given.

    Examples
    --------
    >>> from cupysim import named_detector
    >>> detector = named_detector("jungfrau-4m", 0.1)
    >>> len(detector), detector.group_panels("q1")
    (8, (2, 3))
    """
    entry = find_entry(name)
    far = finite(distance, "distance")
    if not far > 0.0:
        raise ModelError(f"distance: expected metres above zero, got {far:g}")
    sensor = _sensor(entry, wavelength, thickness, material, layers)
    given = {"saturation": saturation, "gain": gain}
    changed = {figure: float(value) for figure, value in given.items() if value is not None}
    entry = replace(entry, figures={**entry.figures, **changed})
    x, y = _beam_centre(entry, beam_centre, beam_pixel)
    turn = _rotation_from_z(direction(beam, "beam"))
    shift = turn @ np.array([-x, -y, far])
    return PanelDetector(
        [member.moved(turn, shift) for member in members_of(entry, sensor)],
        beam=vector_of(turn[:, 2]), spindle=vector_of(-turn[:, 0]), name=entry.name,
    )  # fmt: skip


def _sensor(
    entry: Entry,
    wavelength: float | None,
    thickness: float | bool,
    material: str | None,
    layers: int,
) -> Sensor:
    count = whole(layers, "layers")
    thick = entry.thickness if thickness is True else thickness
    made_of = entry.sensor if material is None else material
    if wavelength is None and (material is not None or not isinstance(thickness, bool)):
        raise ModelError("wavelength is missing: the sensor's attenuation depends on it")
    if wavelength is None or thick is None or thick is False:
        return Sensor()
    metres = finite(thick, "thickness")
    if not metres > 0.0:
        raise ModelError(f"thickness: expected metres above zero, True or False, got {metres:g}")
    if made_of is None:
        raise ModelError(f"{entry.name}: the sensor's material is not known; give it by material")
    return Sensor.of_material(made_of, metres, wavelength, count)


def _beam_centre(
    entry: Entry, metres: Sequence[float] | None, pixels: Sequence[float] | None
) -> tuple[float, float]:
    """Where the beam meets the detector (m), from the origin of its plane."""
    if metres is not None and pixels is not None:
        raise ModelError("beam_centre and beam_pixel: give one of them")
    if pixels is not None:
        if entry.layout is not None:
            raise ModelError(f"beam_pixel: {entry.name} has several panels; give beam_centre (m)")
        fast, slow = _two(pixels, "beam_pixel")
        n_fast, n_slow = entry.pixels
        return entry.pixel * (0.5 * n_fast - fast), entry.pixel * (0.5 * n_slow - slow)
    return (0.0, 0.0) if metres is None else _two(metres, "beam_centre")


def _two(values: Sequence[float], name: str) -> tuple[float, float]:
    if len(values) != 2:
        raise ModelError(f"{name}: expected two numbers, got {len(values)}")
    first, second = (finite(value, name) for value in values)
    return first, second


def _rotation_from_z(beam: np.ndarray) -> np.ndarray:
    """The shortest rotation from z to a unit vector, about y if it is -z; shape (3, 3)."""
    along = np.array([0.0, 0.0, 1.0])
    axis = cross(along, beam)
    sine = float(norm(axis))
    if sine == 0.0:
        return np.eye(3) if beam[2] > 0.0 else np.diag([-1.0, 1.0, -1.0])
    return np.asarray(rotation_of_vector(axis / sine * math.atan2(sine, float(beam[2]))))
