"""Writing NXmx files: the tree which DIALS, nxmx, fabio, silx and XDS' readers accept."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from typing import Any, BinaryIO

import numpy as np

import cupysim
from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.formats.frames import to_nexus
from cupysim.formats.nexus.content import Content
from cupysim.formats.nexus.stored_models import store
from cupysim.formats.pixels import GAP, LARGEST_COUNT, THINNEST_SENSOR
from cupysim.maths.arrays import norm
from cupysim.maths.resolution import beam_spot
from cupysim.models.experiment import Experiment

ENTRY, OURS = "/entry", "/entry/cupysim"
TRANSFORMATIONS = "/entry/instrument/detector/transformations"
MODULE = "/entry/instrument/detector/module"

SENSOR_MATERIAL = "Si"
"""NXmx demands a material; that of most detectors. The sensor which was simulated is known by its
attenuation, which is kept beside the experiment."""


def write(stream: BinaryIO, content: Content) -> None:
    """Write an image and all that belongs to it.

    Parameters
    ----------
    stream : binary stream
        Where, open for reading and writing.
    content : Content
        What.
    """
    import h5py

    with h5py.File(stream, "w") as file:
        _Writer(file, content).write()


def compression() -> dict[str, Any]:
    """Keywords of h5py for images: Bitshuffle-LZ4 where hdf5plugin is installed, else gzip."""
    slow = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    if importlib.util.find_spec("hdf5plugin") is None:
        return slow
    import hdf5plugin

    fast = dict(hdf5plugin.Bitshuffle(cname="lz4"))
    return fast if _works(fast) else slow


def _works(filters: dict[str, Any]) -> bool:
    """Whether HDF5 takes these filters: with HDF5_PLUGIN_PATH set, it may find others' first."""
    import h5py

    try:
        with h5py.File("trial", "w", driver="core", backing_store=False) as file:
            file.create_dataset("data", data=np.zeros((1, 16, 16)), chunks=(1, 16, 16), **filters)
    except (ValueError, OSError):
        return False
    return True


class _Writer:
    def __init__(self, file: Any, content: Content) -> None:
        self.file = file
        self.content = content
        self.experiment: Experiment = content.experiment
        self.rotation = to_nexus(self.experiment.detector.unit_frame)
        self.compression = compression()

    def write(self) -> None:
        """Fill the file."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.file.attrs.update(
            {
                "NX_class": "NXroot", "default": "entry", "file_time": now,
                "creator": f"cupysim {cupysim.__version__}",
            }
        )  # fmt: skip
        entry = self._group(ENTRY, "NXentry", default="data", version="1.0")
        entry["definition"] = "NXmx"
        entry["start_time"] = entry["end_time_estimated"] = now
        entry["title"] = str(self.content.provenance.get("arguments", "simulated image"))
        self._data()
        source = self._group(f"{ENTRY}/source", "NXsource")
        source["name"] = "simulation"
        self._sample()
        instrument = self._group(f"{ENTRY}/instrument", "NXinstrument")
        instrument["name"] = "cupysim"
        self._beam()
        self._detector()
        self._module()
        self._ours()

    def _group(self, path: str, kind: str, **attributes: str) -> Any:
        group = self.file.create_group(path)
        group.attrs["NX_class"] = kind
        group.attrs.update(attributes)
        return group

    def _image(self, path: str, image: np.ndarray) -> None:
        self.file.create_dataset(
            path, data=image[None], chunks=(1, *image.shape), **self.compression
        )

    def _data(self) -> None:
        content = self.content
        self._group(f"{ENTRY}/data", "NXdata", signal="data")
        image = content.expected
        if content.counts is not None:
            image = np.where(content.rendered, content.counts, GAP).astype(np.int32)
        self._image(f"{ENTRY}/data/data", image)

    def _sample(self) -> None:
        sample = self._group(f"{ENTRY}/sample", "NXsample")
        sample["name"] = "simulated crystal"
        scan = self.experiment.scan
        if scan.sweep.range == 0.0 and scan.start == 0.0:
            sample["depends_on"] = "."
            return
        self._group(f"{ENTRY}/sample/transformations", "NXtransformations")
        path = f"{ENTRY}/sample/transformations/omega"
        sample["depends_on"] = path
        spindle = self.rotation @ self.experiment.detector.unit_frame.spindle
        start, width = (angle * DEGREES_PER_RADIAN for angle in (scan.start, scan.sweep.range))
        self._transformation(path, [start], "deg", "rotation", spindle, ".")
        for name, value in (("omega_end", start + width), ("omega_increment_set", width)):
            self._number(f"{ENTRY}/sample/transformations/{name}", [value], "deg")

    def _beam(self) -> None:
        experiment = self.experiment
        beam = self._group(f"{ENTRY}/instrument/beam", "NXbeam")
        sources = experiment.sources
        wavelengths, which = np.unique(sources.wavelengths, return_inverse=True)
        path = f"{ENTRY}/instrument/beam/incident_wavelength"
        self._number(path, experiment.nominal_wavelength / ANGSTROM, "angstrom")
        if len(wavelengths) > 1:
            # as a variant, since readers take the elements of a list for one of each image
            self.file[path].attrs["variant"] = "incident_wavelength_1Dspectrum"
            self._number(f"{path}_1Dspectrum", wavelengths / ANGSTROM, "angstrom")
            weights = np.bincount(which, sources.brightness)
            beam["incident_wavelength_1Dspectrum_weights"] = weights / weights.sum()
        kahn = experiment.beam.polarization if experiment.beam.polarized else 0.0
        field = self.rotation @ experiment.detector.unit_frame.polarization
        twice = 2.0 * np.arctan2(field[1], field[0])
        beam["incident_polarization_stokes"] = [
            [1.0, kahn * np.cos(twice), kahn * np.sin(twice), 0.0]
        ]

    def _detector(self) -> None:
        experiment, content = self.experiment, self.content
        detector, geometry = experiment.detector, experiment.detector.geometry
        path = f"{ENTRY}/instrument/detector"
        group = self._group(path, "NXdetector")
        group["depends_on"] = f"{TRANSFORMATIONS}/det_z"
        group["description"] = "simulated detector"
        group["sensor_material"] = SENSOR_MATERIAL
        thickness = max(detector.sensor.layers.range, THINNEST_SENSOR)
        self._number(f"{path}/sensor_thickness", thickness, "m")
        as_counts = content.counts is not None
        largest = LARGEST_COUNT if as_counts else float(np.finfo(np.float32).max)
        group["saturation_value"], group["underload_value"] = largest, 0
        if as_counts:
            group["bit_depth_readout"] = 32
        panel = np.stack([geometry.origin, geometry.fast, geometry.slow])
        spot = beam_spot(panel, detector.unit_frame.beam)
        if spot is not None:
            self._number(f"{path}/beam_center_x", spot[0] / detector.pixel_size, "pixel")
            self._number(f"{path}/beam_center_y", spot[1] / detector.pixel_size, "pixel")
            self._number(f"{path}/distance", spot[2], "m")
            group["distance_derived"] = True
        for name in ("x_pixel_size", "y_pixel_size"):
            self._number(f"{path}/{name}", detector.pixel_size, "m")
        # contiguous, since some readers know no other
        group["pixel_mask"] = np.where(content.rendered, 0, 1).astype(np.uint32)
        group["data"] = self._link(f"{ENTRY}/data/data")
        specific = self._group(f"{path}/detectorSpecific", "NXcollection")
        specific["nimages"] = specific["ntrigger"] = 1
        specific["pixel_mask"] = self._link(f"{path}/pixel_mask")

    def _module(self) -> None:
        detector, geometry = self.experiment.detector, self.experiment.detector.geometry
        origin, fast, slow = (
            self.rotation @ v for v in (geometry.origin, geometry.fast, geometry.slow)
        )
        self._group(TRANSFORMATIONS, "NXtransformations")
        along_z = np.array([0.0, 0.0, 1.0])
        self._transformation(
            f"{TRANSFORMATIONS}/det_z", [origin[2]], "m", "translation", along_z, "."
        )
        module = self._group(MODULE, "NXdetector_module")
        module["data_origin"] = [0, 0]
        module["data_size"] = [detector.n_slow, detector.n_fast]
        # on module_offset: readers forget what stands at the pixel directions alone
        self._transformation(
            f"{MODULE}/module_offset", [0.0], "m", "translation", np.array([1.0, 0.0, 0.0]),
            f"{TRANSFORMATIONS}/det_z", offset=np.array([origin[0], origin[1], 0.0]),
        )  # fmt: skip
        for name, axis in (("fast_pixel_direction", fast), ("slow_pixel_direction", slow)):
            # a two-theta axis whose length is not one stretches the detector (quirk Q4)
            length = float(norm(axis))
            self._transformation(
                f"{MODULE}/{name}", [detector.pixel_size * length], "m", "translation",
                axis / length, f"{MODULE}/module_offset", offset=np.zeros(3),
            )  # fmt: skip

    def _ours(self) -> None:
        content, experiment = self.content, self.experiment
        ours = self._group(OURS, "NXcollection")
        ours.attrs["version"] = cupysim.__version__
        for name, value in content.provenance.items():
            ours.attrs[name] = value
        if content.record:
            ours["provenance"] = content.record
        if content.counts is not None:
            self._image(f"{OURS}/expected_photons", content.expected)
        self._number(f"{OURS}/a_matrix", experiment.crystal.lattice.reciprocal.T, "1/angstrom")
        ours["a_matrix"].attrs["columns"] = "a*, b*, c* in the laboratory, at spindle angle zero"
        self._number(f"{OURS}/laboratory_to_nexus", self.rotation, "")
        store(ours.create_group("experiment"), experiment, **self.compression)
        if content.spots is not None:
            ours.create_dataset("spots", data=content.spots)
            ours["spots"].attrs["position"] = (
                "fast and slow in pixels from the outer corner of the first pixel, whose centre "
                "is at 0.5"
            )

    def _link(self, path: str) -> Any:
        import h5py

        return h5py.SoftLink(path)

    def _number(self, path: str, value: Any, unit: str) -> None:
        self.file[path] = value
        if unit:
            self.file[path].attrs["units"] = unit

    def _transformation(
        self, path: str, values: list[float], unit: str, kind: str, vector: np.ndarray,
        depends_on: str, offset: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        self._number(path, values, unit)
        attributes = self.file[path].attrs
        attributes["transformation_type"], attributes["vector"] = kind, vector
        attributes["depends_on"] = depends_on
        if offset is not None:
            attributes["offset"], attributes["offset_units"] = offset, "m"
