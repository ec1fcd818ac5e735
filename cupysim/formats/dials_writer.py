"""Writer of DIALS experiment lists (``.expt``) for an experiment."""

from __future__ import annotations

import json
import os
import re
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import CupysimError, CupysimWarning, ModelError
from cupysim.formats.dials import MILLIMETRE
from cupysim.formats.dials_panels import UNLIMITED
from cupysim.formats.frames import to_imgcif
from cupysim.formats.lab_panels import detector_in, is_too_skew
from cupysim.formats.rectangles import rectangles_of
from cupysim.formats.rotation import forward
from cupysim.maths.arrays import cross, dot, norm, unit
from cupysim.maths.rotations import rotate_axis
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.panel_group import PanelGroup

SPACE_GROUP = " P 1"
"""Hall symbol of the crystal: structure factors of an experiment are those of P1."""

NO_ROTATION = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
"""Matrix of a goniometer that does not turn the crystal."""

MANY_IMAGES = (".h5", ".hdf5", ".nxs")
"""Suffixes of files that can hold several images."""

PARALLEL = 1e-6
"""Sine of the angle between beam and electric field below which the field has no direction."""

SMALLEST_TRUSTED = -0.5
"""Smallest trusted count. DIALS 3.12 excludes the limit itself, and later versions include it: both
then use pixels without photons, and not those with -1, which were not computed."""

MOST_RECTANGLES = 1000
"""Largest number of rectangles of a panel's mask."""


def write_experiments(
    stream: BinaryIO,
    experiment: Experiment,
    image_path: os.PathLike[str] | str | None = None,
) -> None:
    """Write an experiment as a list with one experiment for each crystal.

    Parameters
    ----------
    stream : binary stream
        Stream to write to.
    experiment : Experiment
        Experiment with one panel or a detector of panels.
    image_path : path_like, optional
        File with the image, absolute or relative to the folder of the list. By default the list
        has no image.

    Raises
    ------
    ModelError
        If the detector is curved, or DIALS would refuse the angle between two axes.
    CupysimError
        If the image of a scan has a name without a number, but is no HDF5 file.

    Notes
    -----
    The frame is that of imgCIF, as in NXmx files: z towards the source, and x along the component
    of the spindle perpendicular to the beam. A still has neither a goniometer nor a scan; its
    spindle angle turns the crystal. The space group is P1.
    """
    frame, sweep = experiment.frame, experiment.scan.sweep
    rotation = to_imgcif(frame)
    detector = detector_in(experiment, rotation, "experiment lists")
    is_still = sweep.range == 0.0
    numbers = {"beam": 0, "detector": 0, "crystal": 0}
    content: dict[str, Any] = {
        "__id__": "ExperimentList",
        "experiment": [{"__id__": "Experiment", "identifier": "", **numbers}],
        "imageset": [],
        "beam": [_beam(experiment, rotation)],
        "detector": [_detector(detector)],
        "goniometer": [],
        "scan": [],
        "crystal": [],
        "profile": [],
        "scaling_model": [],
    }
    first_image = 1
    if image_path is not None:
        # the numbers of its images are photons
        detector = detector.with_panels(Panel.counting_photons)
        content["detector"] = [_detector(detector)]
        images, first_image = _images(os.fspath(image_path), is_still)
        content["imageset"].append(images)
        content["experiment"][0]["imageset"] = 0
    if not is_still:
        spindle, start, width = forward(
            rotation @ frame.spindle, experiment.scan.start, sweep.range
        )
        assert start is not None
        assert width is not None
        content["experiment"][0] |= {"goniometer": 0, "scan": 0}
        content["goniometer"].append(
            {
                "rotation_axis": spindle.tolist(),
                "fixed_rotation": NO_ROTATION,
                "setting_rotation": NO_ROTATION,
            }
        )
        content["scan"].append(
            {
                "image_range": [first_image, first_image],
                "batch_offset": 0,
                "oscillation": [start * DEGREES_PER_RADIAN, width * DEGREES_PER_RADIAN],
                "exposure_time": [0.0],
                "epochs": [0.0],
                "valid_image_ranges": {},
            }
        )
    models = content["experiment"].pop()
    for number, each in enumerate(experiment.each_crystal):
        direct = each.lattice.direct
        if is_still:
            angle = np.float64(experiment.scan.start)
            direct = np.stack([rotate_axis(vector, frame.spindle, angle) for vector in direct])
        vectors = {
            f"real_space_{name}": (rotation @ vector).tolist()
            for name, vector in zip("abc", direct, strict=True)
        }
        content["crystal"].append(
            {"__id__": "crystal", **vectors, "space_group_hall_symbol": SPACE_GROUP}
        )
        content["experiment"].append(models | {"crystal": number})
    stream.write((json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def _images(path: str, is_still: bool) -> tuple[dict[str, Any], int]:
    """The image set with the image, and the number of the image in its template."""
    lookups: dict[str, None] = dict.fromkeys(("mask", "gain", "pedestal", "dx", "dy"))
    is_many = Path(path).suffix.lower() in MANY_IMAGES
    place = {"single_file_indices": [0]} if is_many else {}
    if is_still:
        return {"__id__": "ImageSet", "images": [path], **place, **lookups, "params": {}}, 1
    template, number = path, 1
    if not is_many:
        name = Path(path).name
        digits = list(re.finditer(r"\d+", Path(name).stem))
        if not digits:
            raise CupysimError(
                f"{path}: DIALS needs a number in the name of a scan's image, as in scan_00001.cbf"
            )
        begin, end = digits[-1].span()
        number = int(digits[-1].group())
        template = str(Path(path).with_name(name[:begin] + "#" * (end - begin) + name[end:]))
    images: dict[str, Any] = {
        "__id__": "ImageSequence",
        "template": template,
        **place,
        **lookups,
        "params": {},
    }
    return images, number


def _beam(experiment: Experiment, rotation: np.ndarray) -> dict[str, Any]:
    """The beam, whose direction is that to the source."""
    frame, beam = experiment.frame, experiment.beam
    to_source = -frame.beam
    kahn, axis = beam.mean_polarization(frame, experiment.sources)
    field = axis - dot(axis, to_source) * to_source
    if norm(field) < PARALLEL:
        field = rotation[0]
    normal = cross(to_source, unit(field))
    return {
        "__id__": "monochromatic",
        "direction": (rotation @ to_source).tolist(),
        "wavelength": experiment.sources.mean_wavelength / ANGSTROM,
        "divergence": 0.0,
        "sigma_divergence": 0.0,
        "polarization_normal": (rotation @ normal).tolist(),
        "polarization_fraction": 0.5 * (1.0 + kahn),
        "flux": 0.0,
        "transmission": 1.0,
        "probe": "x-ray",
    }


def _detector(detector: PanelDetector) -> dict[str, Any]:
    """Panels in the frames of their groups, and the hierarchy of the groups."""
    panels: list[dict[str, Any]] = []

    def children(members: Any) -> list[dict[str, Any]]:
        found = []
        for member in members:
            if is_too_skew(*member.axes[:2]):
                raise ModelError(
                    f"experiment lists: DIALS refuses {member.name!r}, because its fast and slow "
                    "axes are not perpendicular"
                )
            if isinstance(member, PanelGroup):
                found.append(group(member))
            else:
                found.append({"panel": len(panels)})
                panels.append(_panel(member))
        return found

    def group(node: PanelGroup) -> dict[str, Any]:
        return {
            **_nothing(node.name), "fast_axis": list(node.fast), "slow_axis": list(node.slow),
            "origin": _millimetres(node.origin), "children": children(node.members),
        }  # fmt: skip

    only, *others = detector.members
    if isinstance(only, PanelGroup) and not others and detector.name == "detector":
        # as the reader makes it of a hierarchy with a frame
        hierarchy = group(only)
    else:
        hierarchy = group(PanelGroup(detector.name, detector.members))
    return {"panels": panels, "hierarchy": hierarchy}


def _millimetres(lengths: Any) -> list[float]:
    return [float(length) / MILLIMETRE for length in lengths]


def _nothing(name: str) -> dict[str, Any]:
    """Entries that dxtbx requires of panels and groups, as it writes them for groups."""
    return {
        "name": name,
        "type": "",
        "fast_axis": [1.0, 0.0, 0.0],
        "slow_axis": [0.0, 1.0, 0.0],
        "origin": [0.0, 0.0, 0.0],
        "raw_image_offset": [0, 0],
        "image_size": [0, 0],
        "pixel_size": [0.0, 0.0],
        "trusted_range": [0.0, 0.0],
        "thickness": 0.0,
        "material": "",
        "mu": 0.0,
        "identifier": "",
        "mask": [],
        "gain": 1.0,
        "pedestal": 0.0,
        "px_mm_strategy": {"type": "SimplePxMmStrategy"},
    }


def _panel(panel: Panel) -> dict[str, Any]:
    layers, mu = panel.sensor.layers, panel.sensor.attenuation
    is_thick = layers.range > 0.0 and mu > 0.0
    # only several layers give parallax
    strategy = "ParallaxCorrected" if is_thick and layers.count > 1 else "Simple"
    return {
        **_nothing(panel.name),
        "type": "SENSOR_PAD",
        "fast_axis": list(panel.fast),
        "slow_axis": list(panel.slow),
        "origin": _millimetres(panel.origin),
        "raw_image_offset": list(panel.data_corner or (0, 0)),
        "image_size": [panel.n_fast, panel.n_slow],
        "pixel_size": _millimetres(panel.edges),
        "trusted_range": [SMALLEST_TRUSTED, min(panel.saturation, float(UNLIMITED))],
        "thickness": layers.range / MILLIMETRE if is_thick else 0.0,
        "mu": mu * MILLIMETRE if is_thick else 0.0,
        "mask": _rectangles(panel),
        "gain": panel.gain,
        "px_mm_strategy": {"type": f"{strategy}PxMmStrategy"},
    }


def _rectangles(panel: Panel) -> list[list[int]]:
    """Rectangles of masked pixels: first fast and slow pixel, fast and slow end."""
    if panel.mask is None:
        return []
    found = rectangles_of(~panel.mask, MOST_RECTANGLES)
    if found is None:
        warnings.warn(
            CupysimWarning(
                f"panel {panel.name!r}: its mask has more than {MOST_RECTANGLES} rectangles and is "
                "left out of the experiment list; NXmx files hold it as pixel_mask"
            ),
            stacklevel=2,
        )
        return []
    return [[fast, slow, last + 1, end + 1] for fast, last, slow, end in found]
