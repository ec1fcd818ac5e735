"""Simulate X-ray diffraction images of small crystals on an absolute scale.

Each name below is loaded on its first use. The command's help therefore does not wait for NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cupysim.api import fit, from_args, render_gradients, simulate
    from cupysim.backends.derivatives import Gradients
    from cupysim.campaign.data_set import Campaign
    from cupysim.convergence import converged
    from cupysim.detection.photon_noise import PhotonNoise
    from cupysim.detection.response import Response
    from cupysim.detection.response_file import read_response, response_names
    from cupysim.detectors.named import named_detector
    from cupysim.errors import CupysimError, CupysimWarning
    from cupysim.image import Image
    from cupysim.materials.named import material, material_names
    from cupysim.maths.detector_geometry import DetectorAngles
    from cupysim.maths.nr_random import RandomStream
    from cupysim.models.attenuation import Beamstop, FlightPath, Slab, Sphere
    from cupysim.models.background import Amorphous, Water
    from cupysim.models.beam import Beam
    from cupysim.models.beam_profile import BeamProfile, ProfileKind
    from cupysim.models.body import Body, BodyForm
    from cupysim.models.conventions import Convention, Frame, Pivot
    from cupysim.models.crystal import Crystal
    from cupysim.models.decay import Decay
    from cupysim.models.detector import Detector
    from cupysim.models.diffuse import Diffuse, DiffuseModel
    from cupysim.models.dose import absorbed_dose
    from cupysim.models.experiment import Experiment
    from cupysim.models.further_crystal import FurtherCrystal
    from cupysim.models.mosaic_model import Distribution, MosaicModel
    from cupysim.models.mosaicity import Mosaicity
    from cupysim.models.panel import Panel
    from cupysim.models.panel_detector import PanelDetector
    from cupysim.models.panel_group import PanelGroup
    from cupysim.models.rendering import Region, Rendering
    from cupysim.models.sampling import Sweep
    from cupysim.models.scan import Scan
    from cupysim.models.sensor import Sensor
    from cupysim.models.size_spread import SizeSpread
    from cupysim.models.sources import Sources
    from cupysim.models.spectrum import Spectrum
    from cupysim.models.spot_shape import Shape
    from cupysim.models.structure_factors import StructureFactors
    from cupysim.models.tolerance import Tolerance
    from cupysim.models.unit_cell import UnitCell
    from cupysim.quirks import Quirk, Quirks, QuirkWarning
    from cupysim.readers import (
        read_detector,
        read_experiment,
        read_image,
        read_orientation,
        read_structure,
        read_structure_factors,
    )
    from cupysim.refine.outcome import Refined
    from cupysim.renderer import Renderer

__version__ = "0.1.0"

_HOMES = {
    "api": (
        "fit",
        "from_args",
        "render_gradients",
        "simulate",
    ),
    "errors": ("CupysimError", "CupysimWarning"),
    "backends.derivatives": ("Gradients",),
    "convergence": ("converged",),
    "campaign.data_set": ("Campaign",),
    "detection.photon_noise": ("PhotonNoise",),
    "detection.response": ("Response",),
    "detection.response_file": ("read_response", "response_names"),
    "detectors.named": ("named_detector",),
    "image": ("Image",),
    "maths.detector_geometry": ("DetectorAngles",),
    "maths.nr_random": ("RandomStream",),
    "materials.named": ("material", "material_names"),
    "models.attenuation": ("Beamstop", "FlightPath", "Slab", "Sphere"),
    "models.background": ("Amorphous", "Water"),
    "models.beam": ("Beam",),
    "models.sources": ("Sources",),
    "models.conventions": ("Convention", "Frame", "Pivot"),
    "models.crystal": ("Crystal",),
    "models.beam_profile": ("BeamProfile", "ProfileKind"),
    "models.body": ("Body", "BodyForm"),
    "models.decay": ("Decay",),
    "models.size_spread": ("SizeSpread",),
    "models.unit_cell": ("UnitCell",),
    "models.spot_shape": ("Shape",),
    "models.detector": ("Detector",),
    "models.dose": ("absorbed_dose",),
    "models.diffuse": ("Diffuse", "DiffuseModel"),
    "models.experiment": ("Experiment",),
    "models.further_crystal": ("FurtherCrystal",),
    "models.rendering": ("Region", "Rendering"),
    "models.mosaic_model": ("Distribution", "MosaicModel"),
    "models.mosaicity": ("Mosaicity",),
    "models.panel": ("Panel",),
    "models.panel_detector": ("PanelDetector",),
    "models.panel_group": ("PanelGroup",),
    "models.sampling": ("Sweep",),
    "models.scan": ("Scan",),
    "models.sensor": ("Sensor",),
    "models.spectrum": ("Spectrum",),
    "models.structure_factors": ("StructureFactors",),
    "models.tolerance": ("Tolerance",),
    "readers": (
        "read_detector",
        "read_experiment",
        "read_image",
        "read_orientation",
        "read_structure",
        "read_structure_factors",
    ),
    "renderer": ("Renderer",),
    "quirks": ("Quirk", "Quirks", "QuirkWarning"),
    "refine.fit": ("Refined",),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Amorphous",
    "Beam",
    "BeamProfile",
    "Beamstop",
    "Body",
    "BodyForm",
    "Campaign",
    "Convention",
    "Crystal",
    "CupysimError",
    "CupysimWarning",
    "Decay",
    "Detector",
    "DetectorAngles",
    "Diffuse",
    "DiffuseModel",
    "Distribution",
    "Experiment",
    "FlightPath",
    "Frame",
    "FurtherCrystal",
    "Gradients",
    "Image",
    "MosaicModel",
    "Mosaicity",
    "Panel",
    "PanelDetector",
    "PanelGroup",
    "PhotonNoise",
    "Pivot",
    "ProfileKind",
    "Quirk",
    "QuirkWarning",
    "Quirks",
    "RandomStream",
    "Refined",
    "Region",
    "Renderer",
    "Rendering",
    "Response",
    "Scan",
    "Sensor",
    "Shape",
    "SizeSpread",
    "Slab",
    "Sources",
    "Spectrum",
    "Sphere",
    "StructureFactors",
    "Sweep",
    "Tolerance",
    "UnitCell",
    "Water",
    "__version__",
    "absorbed_dose",
    "converged",
    "fit",
    "from_args",
    "material",
    "material_names",
    "named_detector",
    "read_detector",
    "read_experiment",
    "read_image",
    "read_orientation",
    "read_response",
    "read_structure",
    "read_structure_factors",
    "render_gradients",
    "response_names",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'cupysim' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"cupysim.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
