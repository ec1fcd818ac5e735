"""Detectors of panels on the command line: geometry files (-geom, -expt) and names (-detector)."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

import numpy as np

from cupysim.drop_ins.sweeps import complete_sensor, turns_back
from cupysim.errors import FileFormatError, OptionError
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.frames import FLIP
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.mosaic import mosaic_of
from cupysim.formats.nexus.reader import is_hdf5
from cupysim.formats.poni_text import is_poni_name
from cupysim.maths.resolution import are_skewed
from cupysim.models.checks import vector_of
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.sampling import Sweep
from cupysim.models.sensor import Sensor
from cupysim.nanobragg.arguments import Arguments
from cupysim.nanobragg.exact_geometry import TO_MOSFLM
from cupysim.quirks import Quirk, Quirks, warn_quirk
from cupysim.storage.reading import check_regular

SOURCES = ("geometry_file", "detector_name")
"""Values that give a detector of panels; an experiment list may give one too."""

DEFAULT_DISTANCE = 0.1
"""Distance (m) of a named detector if -distance is not given, as in nanoBragg."""

OF_PYFAI = "pyfai:"
"""Beginning of names of detectors that pyFAI knows."""

OTHER_OPTIONS = frozenset(
    {"mask_file", "close_distance", "curved", "printout", "printout_pixel", "region", "pixel",
     "n_fast", "n_slow", "size_fast", "size_slow", "rotate_x", "rotate_y", "rotate_z", "twotheta"}
)  # fmt: skip
"""Values of options that have no meaning for a detector of several panels."""

SENSOR_VALUES = frozenset({"sensor_thickness", "sensor_layers", "attenuation"})
"""Values of options that describe a sensor. Each replaces that figure of all panels."""

FILES_OF_ONE_PANEL = {
    "int_file": "-intfile", "noise_file": "-noisefile", "pgm_file": "-pgmfile",
    "cbf_file": "-cbffile",
}  # fmt: skip
"""Values and options of files that can hold only one panel."""


def read_panels(given: Mapping[str, Any]) -> tuple[str, DetectorGeometry] | None:
    """Read the detector of panels that a file or -detector gives, in the frame of its format.

    Parameters
    ----------
    given : mapping
        Values that the command line gives.

    Returns
    -------
    tuple of str and DetectorGeometry, or None
        Name for messages, and the detector; None if no option gives one. Experiment lists and
        NXmx files of one panel give None.

    Raises
    ------
    CupysimError
        If several options give a detector, or it cannot be read.
    """
    names = {"geometry_file": "-geom", "detector_name": "-detector", "experiment_file": "-expt",
             "image_file": "-img"}  # fmt: skip
    used = [option for value, option in names.items() if given.get(value) is not None]
    for value in ("geometry_file", "experiment_file", "image_file"):
        # opening a pipe would wait for ever
        if given.get(value) is not None:
            check_regular(given[value])
    if given.get("image_number", 0) and not {"-geom", "-detector"}.isdisjoint(used):
        raise OptionError("-image", f"has no meaning with {used[0]}")
    if len(used) > 1 and not {"-geom", "-detector"}.isdisjoint(used):
        raise OptionError(used[0], f"cannot be combined with {used[1]}: both give the detector")
    if given.get("geometry_file") is not None:
        path = given["geometry_file"]
        wavelength, distance = given.get("wavelength"), given.get("distance")
        if is_poni_name(path):
            from cupysim.formats.pyfai_detector import read_poni

            return path, read_poni(path, wavelength=wavelength, distance=distance)
        from cupysim.formats.crystfel.reader import read_geometry

        return path, read_geometry(path, wavelength=wavelength, distance=distance)[0]
    if given.get("detector_name") is not None:
        name = given["detector_name"]
        return f"-detector {name}", _named(name, given)
    number = given.get("image_number", 0)
    if given.get("experiment_file") is not None:
        from cupysim.formats import dials_detector

        path = given["experiment_file"]
        if dials_detector.count_panels(path) > 1:
            if given.get("image_file") is not None:
                raise OptionError("-img", f"cannot be combined with the several panels of {path}")
            return path, dials_detector.read_detector(path, number)
    elif given.get("image_file") is not None:
        from cupysim.formats import nxmx_detector

        path = given["image_file"]
        if is_hdf5(path) and nxmx_detector.count_modules(path, number) > 1:
            return path, nxmx_detector.read_detector(path, number)
    return None


def _named(name: str, given: Mapping[str, Any]) -> DetectorGeometry:
    """A named detector, centred on the beam."""
    distance = given.get("distance", DEFAULT_DISTANCE)
    wavelength = given.get("wavelength")
    if name.startswith(OF_PYFAI):
        from cupysim.formats.pyfai_detector import from_pyfai

        return from_pyfai(name.removeprefix(OF_PYFAI), distance=distance, wavelength=wavelength)
    from cupysim.detectors.named import named_detector

    return DetectorGeometry(named_detector(name, distance, wavelength=wavelength))


def in_mosflm_frame(geometry: DetectorGeometry) -> DetectorGeometry:
    """Turn a detector, and the crystal if there is one, into MOSFLM's laboratory frame.

    Orientations of the command line are in this frame: the beam along x, the spindle along z. A
    beam or spindle that is not exactly along an axis of the file's frame stays so.
    """
    turn = TO_MOSFLM @ _to_imgcif(geometry.detector)
    reciprocal = geometry.reciprocal
    return replace(
        geometry,
        detector=geometry.detector.in_frame(turn),
        reciprocal=None if reciprocal is None else reciprocal @ turn.T,
    )


def _to_imgcif(detector: PanelDetector) -> np.ndarray:
    """The rotation from the frame of a file to that of imgCIF, which has the beam along -z.

    Frames with the beam along +z are those of NeXus and CrystFEL.
    """
    return FLIP if detector.beam[2] > 0.0 else np.eye(3)


def panel_values(path: str, geometry: DetectorGeometry) -> dict[str, Any]:
    """Values of options that a geometry file sets beside the detector.

    Parameters
    ----------
    path : str
        Name for messages.
    geometry : DetectorGeometry
        Geometry in MOSFLM's frame.

    Returns
    -------
    dict
        Values by the names of `cupysim.nanobragg.arguments`, in SI units.

    Raises
    ------
    FileFormatError
        If a number is impossible.
    """
    values: dict[str, Any] = {}
    for name in ("wavelength", "phi", "oscillation", "polarization"):
        number = getattr(geometry, name)
        if number is None:
            continue
        if not np.isfinite(number) or (name == "wavelength" and not number > 0.0):
            raise FileFormatError(path, f"{name} {number:g} is not possible")
        values[name] = number
    if values.get("oscillation") == 0.0:
        # a still: without a given range, there is one angle; a range of zero would give two
        del values["oscillation"]
    if geometry.reciprocal is not None:
        values["reciprocal"] = geometry.reciprocal
    return values


def as_image_geometry(geometry: DetectorGeometry, panel: Panel) -> ImageGeometry:
    """Geometry, in imgCIF's frame, of a detector of one panel that the C program can describe."""
    detector = geometry.detector
    turn = _to_imgcif(detector)
    polarization = None
    if geometry.polarization is not None:
        polarization = geometry.polarization, turn @ np.array(detector.polarization)
    return ImageGeometry(
        n_fast=panel.n_fast,
        n_slow=panel.n_slow,
        pixel_size=panel.edges[0],
        origin=turn @ np.array(panel.origin),
        fast=turn @ panel.axes[0],
        slow=turn @ panel.axes[1],
        beam=turn @ np.array(detector.beam),
        spindle=turn @ np.array(detector.spindle),
        wavelength=geometry.wavelength,
        phi=geometry.phi,
        oscillation=geometry.oscillation,
        polarization=polarization,
        reciprocal=None if geometry.reciprocal is None else geometry.reciprocal @ turn.T,
        spectrum=geometry.spectrum,
        remarks=geometry.remarks,
    )


def check_options(
    path: str, detector: PanelDetector, given: Mapping[str, Any], seen: Set[str]
) -> None:
    """Reject options that have no meaning for a detector of several panels.

    Parameters
    ----------
    path : str
        File or option that gives the detector.
    detector : PanelDetector
        The detector.
    given : mapping
        Values that the command line gives.
    seen : set of str
        Names of the options on the command line.

    Raises
    ------
    OptionError
        If there is such an option.
    """
    from cupysim.nanobragg.options import OPTIONS

    for option in OPTIONS:
        touched = {*option.dest, *option.sets}
        if option.name in seen and touched & OTHER_OPTIONS & set(given):
            raise OptionError(
                option.name, f"not possible with the several panels of {path}; see docs/panels.md"
            )
    files = [word for name, word in FILES_OF_ONE_PANEL.items() if name in given]
    if files and mosaic_of(detector) is None:
        raise OptionError(
            files[0], f"such a file holds one panel, and the panels of {path} are not on one grid "
            "of pixels; -h5file and -cxifile hold them",
        )  # fmt: skip


def with_options(
    detector: PanelDetector,
    given: Mapping[str, Any],
    args: Arguments,
) -> PanelDetector:
    """The detector with the changes that options make to a detector of any kind.

    An option of the sensor replaces one figure of each panel's sensor, as with one panel. The panel
    keeps the other figures.

    Parameters
    ----------
    detector : PanelDetector
        Detector of a file.
    given : mapping
        Values that the command line gives.
    args : Arguments
        All values of the command line.
    """
    quirks = args.quirks
    if args.point_pixel and not quirks.corrects(Quirk.POINT_PIXEL_AREA):
        effect = "-point_pixel gives photons/m^2, not photons in a pixel"
        warn_quirk(Quirk.POINT_PIXEL_AREA, effect)
    spindle = np.array(detector.spindle)
    detector = replace(
        detector,
        point_pixel=args.point_pixel,
        # a negative rotation is a positive one about the opposite axis (quirk Q27)
        spindle=vector_of(-spindle if turns_back(args.oscillation, quirks) else spindle),
    )
    return detector.with_panels(
        lambda panel: replace(panel, sensor=changed_sensor(panel.sensor, given, quirks))
    )


def changed_sensor(sensor: Sensor, given: Mapping[str, Any], quirks: Quirks) -> Sensor:
    """The sensor of a panel, with the figures that options give in place of its own.

    Parameters
    ----------
    sensor : Sensor
        Sensor that a file or a named detector describes.
    given : mapping
        Values that the command line gives.
    quirks : Quirks
        Corrected quirks.
    """
    if SENSOR_VALUES.isdisjoint(given):
        return sensor
    own = sensor.layers
    figures: dict[str, Any] = dict.fromkeys(SENSOR_VALUES)
    if own.range > 0.0:
        figures |= {
            "sensor_thickness": own.range,
            "sensor_layers": own.count,
            "attenuation": sensor.attenuation,
        }
    figures |= {name: given[name] for name in SENSOR_VALUES & set(given)}
    thickness, layers = figures["sensor_thickness"] or 0.0, figures["sensor_layers"]
    changed = complete_sensor(thickness, layers, figures["attenuation"], quirks)
    filled = changed.layers.range
    if "sensor_layers" in given or layers is None or filled == 0.0:
        return changed
    # layers of the file fill the sensor, as they do without options
    return replace(changed, layers=Sweep(filled, filled / layers, layers))


def only_panel(detector: PanelDetector) -> Panel | None:
    """The only panel of a detector, if the C program can describe the detector; otherwise None.

    Such a detector has one panel of square pixels, with perpendicular axes.
    """
    if len(detector) != 1:
        return None
    panel = detector.panels[0]
    fast, slow = panel.axes[0], panel.axes[1]
    if panel.edges[0] != panel.edges[1] or are_skewed(fast, slow):
        return None
    return panel
