"""NXmx files which tests make: one panel of 80 x 64 pixels of 75 um, 150 mm away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

N_FAST, N_SLOW, PIXEL, DISTANCE = 80, 64, 75e-6, 0.15
CENTRE = (38.5, 28.25)
"""Beam centre in pixels, fast and slow."""

LEAVE_OUT = "leave out"
"""In place of an item which the file shall not have."""


def text(value: str) -> np.bytes_:
    return np.bytes_(value)


def write(
    path: Path,
    images: np.ndarray | None = None,
    wavelength: Any = 0.98,
    weights: Any = None,
    beam: Mapping[str, Any] | None = None,
    omega: Sequence[float] = (0.0,),
    beside_omega: Mapping[str, Any] | None = None,
    chain: bool = True,
    mask: bool = True,
    detector: Mapping[str, Any] | None = None,
) -> Path:
    """An NXmx file; `beam`, `beside_omega` and `detector` are further data sets, with units."""
    if images is None:
        images = np.zeros((max(len(omega), 1), N_SLOW, N_FAST), dtype=np.uint32)
    with h5py.File(path, "w") as file:
        entry = group(file, "entry", "NXentry")
        entry["definition"] = text("NXmx")
        entry["start_time"] = text("2026-01-01T00:00:00Z")
        group(entry, "data", "NXdata")["data"] = images
        instrument = group(entry, "instrument", "NXinstrument")
        beam_group = group(instrument, "beam", "NXbeam")
        if wavelength is not LEAVE_OUT:
            dataset(beam_group, "incident_wavelength", wavelength, units="angstrom")
        if weights is not None:
            dataset(beam_group, "incident_wavelength_weights", weights)
        for name, value in (beam or {}).items():
            dataset(beam_group, name, value, units="angstrom")
        detectors = group(instrument, "detector", "NXdetector")
        if mask:
            detectors["pixel_mask"] = np.zeros((N_SLOW, N_FAST), dtype=np.uint32)
        for name, (value, units) in (detector or {}).items():
            dataset(detectors, name, value, units=units)
        if chain:
            _chain(detectors)
        sample = group(entry, "sample", "NXsample")
        _goniometer(sample, omega, beside_omega or {})
    return path


def group(parent: Any, name: str, kind: str) -> Any:
    made = parent.create_group(name)
    made.attrs["NX_class"] = kind
    return made


def dataset(parent: Any, name: str, value: Any, **attributes: Any) -> None:
    parent[name] = np.asarray(value)
    for key, each in attributes.items():
        parent[name].attrs[key] = each


def _chain(detector: Any) -> None:
    moved = group(detector, "transformations", "NXtransformations")
    dataset(moved, "det_z", [DISTANCE], depends_on=".", transformation_type="translation",
            units="m", vector=[0.0, 0.0, 1.0])  # fmt: skip
    detector["depends_on"] = text(moved["det_z"].name)
    module = group(detector, "module", "NXdetector_module")
    module["data_origin"] = np.array([0, 0])
    module["data_size"] = np.array([N_SLOW, N_FAST])
    offset = PIXEL * np.array([CENTRE[0], CENTRE[1], 0.0])
    dataset(module, "module_offset", [0.0], depends_on=moved["det_z"].name,
            transformation_type="translation", units="m", vector=[1.0, 0.0, 0.0], offset=offset,
            offset_units="m")  # fmt: skip
    for name, vector in (("fast", [-1.0, 0.0, 0.0]), ("slow", [0.0, -1.0, 0.0])):
        dataset(module, f"{name}_pixel_direction", [PIXEL],
                depends_on=f"{module.name}/module_offset",
                transformation_type="translation", units="m", vector=vector,
                offset=[0.0, 0.0, 0.0], offset_units="m")  # fmt: skip


def _goniometer(sample: Any, omega: Sequence[float], beside: Mapping[str, Any]) -> None:
    moved = group(sample, "transformations", "NXtransformations")
    # a kappa axis which stands, outside of the one which turns
    dataset(moved, "kappa", [0.0], depends_on=".", transformation_type="rotation", units="deg",
            vector=[0.0, 1.0, 0.0])  # fmt: skip
    dataset(moved, "omega", omega, depends_on=f"{moved.name}/kappa",
            transformation_type="rotation", units="deg", vector=[-1.0, 0.0, 0.0])  # fmt: skip
    for name, value in beside.items():
        dataset(moved, name, value, units="deg")
    sample["depends_on"] = text(moved["omega"].name)
