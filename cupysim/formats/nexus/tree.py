"""The tree of an NXmx file without its images, for DIALS, nxmx, fabio, silx and XDS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

import cupysim
from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.formats.frames import to_nexus
from cupysim.formats.lab_panels import detector_in
from cupysim.formats.nexus.chunks import ImageSet, stacked
from cupysim.formats.nexus.content import DetectorRecord
from cupysim.formats.nexus.panel_tree import (
    DET_Z,
    MODULE,
    TRANSFORMATIONS,
    ModulePlace,
    shared_numbers,
    write_panels,
)
from cupysim.formats.pixels import LARGEST_PIXEL_VALUE, THINNEST_SENSOR
from cupysim.maths.arrays import norm
from cupysim.maths.resolution import beam_spot
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.panel_detector import PanelDetector

ENTRY, DATA = "/entry", "/entry/data/data"

RESPONSE = "/entry/instrument/detector/response"
"""Group with the response of the detector."""

SENSOR_MATERIAL = "Si"
"""Material of the sensor, as in most detectors. NXmx requires one. The simulated sensor has no
material, but an attenuation; this is stored with the experiment."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Values that change from image to image.

    Parameters
    ----------
    count : int
        Number of images.
    starts : sequence of float, optional
        Spindle angle at the beginning of each image (rad). The default is that of the experiment.
    wavelengths : ndarray, shape (count,), optional
        Wavelength of each image (m). The default is that of the experiment.
    """

    count: int = 1
    starts: Sequence[float] | None = None
    wavelengths: np.ndarray | None = None


class Tree:
    """Writer of all groups of an NXmx file, without the images.

    Parameters
    ----------
    file : h5py.File
        Open file to write to.
    experiment : Experiment
        Experiment with the beam, detector and spindle to write.
    rendered : ndarray of bool, shape ([n_panels,] n_slow, n_fast)
        Pixels that were computed.
    counted : bool
        Whether images are counted photons, not expected photons.
    frames : Frames, optional
        Values of the images; a single image by default.
    threads : int, optional
        Number of threads that compress; by default, one for each core.
    response : DetectorRecord, optional
        The response of the detector.
    """

    def __init__(
        self,
        file: Any,
        experiment: Experiment,
        rendered: np.ndarray,
        counted: bool,
        frames: Frames | None = None,
        threads: int | None = None,
        response: DetectorRecord | None = None,
    ) -> None:
        self.response = response
        self.file = file
        self.experiment = experiment
        self.rendered = rendered
        self.counted = counted
        self.frames = frames or Frames()
        self.threads = threads
        self.rotation = to_nexus(experiment.frame)

    def write(self, title: str) -> None:
        """Write all groups. The images belong to `DATA`."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.file.attrs.update(
            {
                "NX_class": "NXroot", "default": "entry", "file_time": now,
                "creator": f"cupysim {cupysim.__version__}",
            }
        )  # fmt: skip
        entry = self.group(ENTRY, "NXentry", default="data", version="1.0")
        entry["definition"] = "NXmx"
        entry["start_time"] = entry["end_time_estimated"] = now
        entry["title"] = title
        self.group(f"{ENTRY}/data", "NXdata", signal="data")
        source = self.group(f"{ENTRY}/source", "NXsource")
        source["name"] = "simulation"
        self._sample()
        instrument = self.group(f"{ENTRY}/instrument", "NXinstrument")
        instrument["name"] = "cupysim"
        self._beam()
        self._detector()
        self._modules()

    def group(self, path: str, kind: str, **attributes: str) -> Any:
        """Make a group of a NeXus class."""
        group = self.file.require_group(path)
        group.attrs["NX_class"] = kind
        group.attrs.update(attributes)
        return group

    def number(self, path: str, value: Any, unit: str) -> None:
        """Write numbers with their unit."""
        self.file[path] = value
        if unit:
            self.file[path].attrs["units"] = unit

    def _sample(self) -> None:
        sample = self.group(f"{ENTRY}/sample", "NXsample")
        sample["name"] = "simulated crystal"
        scan = self.experiment.scan
        starts = self.frames.starts or [scan.start] * self.frames.count
        if scan.sweep.range == 0.0 and not any(starts):
            sample["depends_on"] = "."
            return
        self.group(f"{ENTRY}/sample/transformations", "NXtransformations")
        path = f"{ENTRY}/sample/transformations/omega"
        sample["depends_on"] = path
        spindle = self.rotation @ self.experiment.frame.spindle
        angles = [start * DEGREES_PER_RADIAN for start in starts]
        width = scan.sweep.range * DEGREES_PER_RADIAN
        self.transformation(path, angles, "deg", "rotation", spindle, ".")
        ends = [angle + width for angle in angles]
        for name, value in (("omega_end", ends), ("omega_increment_set", [width])):
            self.number(f"{ENTRY}/sample/transformations/{name}", value, "deg")

    def _beam(self) -> None:
        experiment = self.experiment
        beam = self.group(f"{ENTRY}/instrument/beam", "NXbeam")
        sources = experiment.sources
        wavelengths, which = np.unique(sources.wavelengths, return_inverse=True)
        path = f"{ENTRY}/instrument/beam/incident_wavelength"
        each = self.frames.wavelengths
        nominal = experiment.sources.mean_wavelength if each is None else each
        self.number(path, nominal / ANGSTROM, "angstrom")
        if len(wavelengths) > 1 and self.frames.wavelengths is None:
            # as a variant, because readers would assign the numbers of a list to images
            self.file[path].attrs["variant"] = "incident_wavelength_1Dspectrum"
            self.number(f"{path}_1Dspectrum", wavelengths / ANGSTROM, "angstrom")
            weights = np.bincount(which, sources.brightness)
            beam["incident_wavelength_1Dspectrum_weights"] = weights / weights.sum()
        kahn, axis = experiment.beam.mean_polarization(experiment.frame, sources)
        field = self.rotation @ axis
        twice = 2.0 * np.arctan2(field[1], field[0])
        beam["incident_polarization_stokes"] = [
            [1.0, kahn * np.cos(twice), kahn * np.sin(twice), 0.0]
        ]

    def _detector(self) -> None:
        experiment = self.experiment
        path = f"{ENTRY}/instrument/detector"
        group = self.group(path, "NXdetector")
        group["depends_on"] = DET_Z
        group["description"] = "simulated detector"
        group["sensor_material"] = SENSOR_MATERIAL
        thickness, largest = experiment.sensor.layers.range, np.inf
        if isinstance(experiment.detector, PanelDetector):
            thickness, largest = shared_numbers(experiment.detector)
        self.number(f"{path}/sensor_thickness", max(thickness, THINNEST_SENSOR), "m")
        storable = LARGEST_PIXEL_VALUE if self.counted else float(np.finfo(np.float32).max)
        if self.response is None:
            group["saturation_value"], group["underload_value"] = min(largest, storable), 0
            if self.counted:
                group["bit_depth_readout"] = 32
        else:
            self._response(path, group, self.response, storable)
        if isinstance(experiment.detector, Detector):
            self._beam_centre(path, experiment.detector)
        rendered = stacked(self.rendered)
        # one chunk with the filters of the images, as detectors write it: readers of XDS need this
        mask = ImageSet(group, "pixel_mask", rendered.shape, np.uint32, self.threads)
        # new zeros take no memory until they are written
        nothing = np.zeros(rendered.shape, dtype=np.uint32)
        mask.write(nothing if rendered.all() else ~rendered)
        group["data"] = self._link(DATA)
        specific = self.group(f"{path}/detectorSpecific", "NXcollection")
        specific["nimages"], specific["ntrigger"] = self.frames.count, 1
        specific["pixel_mask"] = self._link(f"{path}/pixel_mask")

    def _response(self, path: str, group: Any, response: DetectorRecord, storable: float) -> None:
        """What is known about the response of the detector."""
        group["saturation_value"] = min(response.saturation, storable)
        group["underload_value"] = response.underload
        group["bit_depth_readout"] = response.bit_depth
        group["countrate_correction_applied"] = response.rate_corrected
        group["gain_setting"] = response.name
        self.number(f"{path}/count_time", [response.duration] * self.frames.count, "s")
        if response.threshold_energy is not None:
            self.number(f"{path}/threshold_energy", response.threshold_energy, "eV")
        own = self.group(RESPONSE, "NXcollection")
        own.attrs.update({"name": response.name, **response.shot})
        own["parameters"] = response.text
        self.number(f"{RESPONSE}/photon_energy", response.photon_energy, "eV")
        if response.gains:
            self.number(f"{RESPONSE}/gain", list(response.gains), "ADU/photon")
            self.number(f"{RESPONSE}/pedestal", list(response.pedestals), "ADU")

    def _beam_centre(self, path: str, detector: Detector) -> None:
        """Beam centre, distance and pixel size, for readers that know one flat panel."""
        geometry = self.experiment.geometry
        panel = np.stack([geometry.origin, geometry.fast, geometry.slow])
        spot = beam_spot(panel, self.experiment.frame.beam)
        if spot is not None:
            self.number(f"{path}/beam_center_x", spot[0] / detector.pixel_size, "pixel")
            self.number(f"{path}/beam_center_y", spot[1] / detector.pixel_size, "pixel")
            self.number(f"{path}/distance", spot[2], "m")
            self.file[path]["distance_derived"] = True
        for name in ("x_pixel_size", "y_pixel_size"):
            self.number(f"{path}/{name}", detector.pixel_size, "m")

    def _modules(self) -> None:
        self.group(TRANSFORMATIONS, "NXtransformations")
        detector = self.experiment.detector
        if isinstance(detector, PanelDetector):
            write_panels(self, detector_in(self.experiment, self.rotation, "NXmx files"))
            return
        geometry = self.experiment.geometry
        origin, fast, slow = (
            self.rotation @ v for v in (geometry.origin, geometry.fast, geometry.slow)
        )
        along_z = np.array([0.0, 0.0, 1.0])
        self.transformation(DET_Z, [origin[2]], "m", "translation", along_z, ".")
        # a two-theta axis that is not a unit vector stretches the detector (quirk Q4)
        edges = [detector.pixel_size * float(norm(axis)) for axis in (fast, slow)]
        module = ModulePlace(
            np.array([origin[0], origin[1], 0.0]), fast / norm(fast), slow / norm(slow),
            (edges[0], edges[1]), DET_Z,
        )  # fmt: skip
        self.module(MODULE, module, (0, 0), (detector.n_slow, detector.n_fast))

    def module(
        self, path: str, place: ModulePlace, first: tuple[int, int], size: tuple[int, int]
    ) -> None:
        """Write a module.

        Parameters
        ----------
        path : str
            Path of its group.
        place : ModulePlace
            Where it is.
        first, size : tuple of 2 int
            First slow and fast pixel in the images, and number of slow and fast pixels.
        """
        module = self.group(path, "NXdetector_module")
        module["data_origin"], module["data_size"] = list(first), list(size)
        # on module_offset, because readers ignore offsets of the pixel directions
        offset, nothing = f"{path}/module_offset", np.zeros(3)
        self.transformation(
            offset, [0.0], "m", "translation", np.array([1.0, 0.0, 0.0]), place.depends_on,
            offset=place.origin, component=place.name,
        )  # fmt: skip
        for name, axis, edge in (
            ("fast_pixel_direction", place.fast, place.edges[0]),
            ("slow_pixel_direction", place.slow, place.edges[1]),
        ):
            self.transformation(
                f"{path}/{name}", [edge], "m", "translation", axis, offset, offset=nothing
            )

    def _link(self, path: str) -> Any:
        import h5py

        return h5py.SoftLink(path)

    def transformation(
        self, path: str, values: list[float], unit: str, kind: str, vector: np.ndarray,
        depends_on: str, offset: np.ndarray | None = None, component: str = "",
    ) -> None:  # fmt: skip
        """Write an axis of NXtransformations; the component is the part that it moves."""
        self.number(path, values, unit)
        attributes = self.file[path].attrs
        attributes["transformation_type"], attributes["vector"] = kind, vector
        attributes["depends_on"] = depends_on
        if offset is not None:
            attributes["offset"], attributes["offset_units"] = offset, "m"
        if component:
            attributes["equipment_component"] = component
