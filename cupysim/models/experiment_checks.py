"""Checks that the parts of an experiment are models, and fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cupysim.errors import ModelError
from cupysim.models.background import Water
from cupysim.models.beam import Beam
from cupysim.models.body import Body
from cupysim.models.checks import warn_of_length
from cupysim.models.crystal import Crystal
from cupysim.models.decay import Decay
from cupysim.models.detector import Detector
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.rendering import Rendering
from cupysim.models.scan import Scan
from cupysim.models.structure_factors import StructureFactors
from cupysim.quirks import Quirk, warn_quirk

if TYPE_CHECKING:
    from cupysim.models.experiment import Experiment

KINDS: dict[str, tuple[type, ...]] = {
    "beam": (Beam,),
    "crystal": (Crystal,),
    "detector": (Detector, PanelDetector),
    "structure_factors": (StructureFactors,),
    "scan": (Scan,),
    "water": (Water,),
    "rendering": (Rendering,),
}
"""Classes of the parts that every experiment has."""

OPTIONAL: dict[str, type] = {"body": Body, "decay": Decay}
"""Classes of parts that may be None."""


def check_types(experiment: Experiment) -> None:
    """Check the classes of the parts.

    Raises
    ------
    ModelError
        If one has another class.
    """
    for name, kinds in KINDS.items():
        if not isinstance(getattr(experiment, name), kinds):
            expected = " or a ".join(each.__name__ for each in kinds)
            raise ModelError(f"experiment: {name} must be a {expected}")
    for name, kind in OPTIONAL.items():
        if not isinstance(getattr(experiment, name), kind | None):
            raise ModelError(f"experiment: {name} must be a {kind.__name__} or None")


def check_fit(experiment: Experiment) -> None:
    """Check that the parts fit each other, and warn of lengths that are implausible.

    Raises
    ------
    ModelError
        If they do not.
    """
    _check_detector(experiment)
    mask, shape = experiment.rendering.mask, experiment.image_shape
    if mask is not None and mask.shape != shape:
        given, wanted = (" x ".join(map(str, each[::-1])) for each in (mask.shape, shape))
        raise ModelError(f"mask: {given} pixels, but the detector has {wanted}")
    thin = experiment.sensor.layers.range == 0.0
    is_empty = experiment.rendering.oversample_thick and thin
    if is_empty and not experiment.corrects(Quirk.NO_SENSOR_NO_IMAGE):
        effect = "-oversample_thick without -detector_thick: the whole image is zero"
        warn_quirk(Quirk.NO_SENSOR_NO_IMAGE, effect)
    if experiment.beam.profile is not None and experiment.body is None:
        raise ModelError("beam profile: it has no effect without the body of the sample")
    if experiment.background_scale < 0.0:
        raise ModelError(
            "experiment: background_scale must not be negative, got "
            f"{experiment.background_scale:g}"
        )
    if experiment.around and experiment.body is None:
        raise ModelError("around: there is no body of the sample that the matter surrounds")


def _check_detector(experiment: Experiment) -> None:
    detector, region = experiment.detector, experiment.rendering.region
    if isinstance(detector, Detector):
        warn_of_length("distance", abs(detector.close_distance or detector.distance))
        warn_of_length("pixel size", detector.pixel_size)
        if isinstance(region, Mapping):
            raise ModelError("rendering: regions by name need a detector of panels")
        return
    warn_of_length("distance", max(panel.close_distance for panel in detector))
    warn_of_length("pixel size", max(max(panel.edges) for panel in detector))
    if isinstance(region, Mapping):
        for name in region:
            detector.number_of(name)
