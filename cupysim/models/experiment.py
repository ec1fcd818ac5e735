"""The experiment: all models together, with a check that they fit each other."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import cast

import numpy as np

from cupysim.errors import CupysimWarning, ModelError
from cupysim.maths.cell import Lattice
from cupysim.maths.detector_geometry import PanelGeometry
from cupysim.maths.rotations import rotate_axis
from cupysim.models.attenuation import Attenuator
from cupysim.models.background import Amorphous, Water
from cupysim.models.beam import Beam
from cupysim.models.body import Body
from cupysim.models.checks import assign, finite, tuple_of
from cupysim.models.conventions import UnitFrame
from cupysim.models.crystal import Crystal, OrientedCrystal
from cupysim.models.decay import Decay
from cupysim.models.detector import Detector, PlacedDetector
from cupysim.models.experiment_checks import check_fit, check_types
from cupysim.models.flat_panels import flat_panels
from cupysim.models.further_crystal import FurtherCrystal
from cupysim.models.mosaicity import Mosaicity
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector, PlacedPanels
from cupysim.models.rendering import Region, Rendering
from cupysim.models.sampling import recommended_oversample
from cupysim.models.scan import Scan
from cupysim.models.sensor import Sensor
from cupysim.models.sources import Sources
from cupysim.models.structure_factors import StructureFactors
from cupysim.quirks import CORRECTED, Quirk, Quirks

SMALL_CRYSTAL = 2
"""Largest number of cells along an axis with which structure factors are interpolated."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """Everything that determines an image: beam, crystal, detector and further parts.

    Parameters
    ----------
    beam : Beam
        X-ray beam.
    crystal : Crystal
        Crystal with cell, orientation, size and mosaicity.
    detector : Detector or PanelDetector
        Detector of one panel, whose convention sets the laboratory frame, or detector of panels.
    structure_factors : StructureFactors
        Amplitudes of the reflections.
    scan : Scan
        Rotation of the crystal during the image. By default a still.
    water : Water
        Background from water. By default none.
    backgrounds : sequence of Amorphous
        Amorphous matter in the beam.
    background_scale : float
        Factor of the photons of `water` and `backgrounds`.
    further_crystals : sequence of FurtherCrystal
        Crystals in the beam beside `crystal`; their photons add up.
    attenuators : sequence of Beamstop, FlightPath, Slab or Sphere
        What weakens the scattered photons on their way to the detector.
    body : Body, optional
        Form and place of the sample, for absorption on the way through it and for beams with a
        profile.
    around : sequence of Body
        Matter around `body`, such as solvent and loop: it absorbs, and turns with the spindle.
        Where bodies overlap, the matter is that of `body`, then of the first one here.
    decay : Decay, optional
        Decay of the crystals with dose.
    rendering : Rendering
        Region, mask and sampling.
    quirks : Quirks, str or iterable of int
        Corrected quirks of nanoBragg (docs/quirks.md). "corrected", the default, corrects all.
        "nanobragg" corrects none: the image is nanoBragg's. "nanobragg-gpu" corrects three.
        Numbers, also as "Q3,Q5", correct these quirks. The attribute becomes a `Quirks`.

    Raises
    ------
    ModelError
        If the parts do not fit each other.
    """

    beam: Beam
    crystal: Crystal
    detector: Detector | PanelDetector
    structure_factors: StructureFactors
    scan: Scan = field(default_factory=Scan)
    water: Water = field(default_factory=Water)
    backgrounds: tuple[Amorphous, ...] = ()
    background_scale: float = 1.0
    further_crystals: tuple[FurtherCrystal, ...] = ()
    attenuators: tuple[Attenuator, ...] = ()
    body: Body | None = None
    around: tuple[Body, ...] = ()
    decay: Decay | None = None
    rendering: Rendering = field(default_factory=Rendering)
    quirks: Quirks | str | Iterable[int] = CORRECTED

    def __post_init__(self) -> None:
        check_types(self)
        assign(
            self,
            quirks=Quirks.of(self.quirks),
            backgrounds=tuple_of(Amorphous, self.backgrounds, "experiment: backgrounds"),
            further_crystals=tuple_of(
                FurtherCrystal, self.further_crystals, "experiment: further_crystals"
            ),
            attenuators=tuple_of(Attenuator, self.attenuators, "experiment: attenuators"),
            around=tuple_of(Body, self.around, "experiment: around"),
            background_scale=finite(self.background_scale, "experiment: background_scale"),
        )
        check_fit(self)

    @property
    def bodies(self) -> tuple[Body, ...]:
        """The body of the sample and the matter around it; none without a body."""
        return () if self.body is None else (self.body, *self.around)

    @property
    def policy(self) -> Quirks:
        """The corrected quirks."""
        return cast(Quirks, self.quirks)

    def corrects(self, *quirks: Quirk) -> bool:
        """Whether all of these quirks are corrected."""
        return self.policy.corrects(*quirks)

    @property
    def placed(self) -> PlacedDetector | PlacedPanels:
        """The detector, placed in the laboratory."""
        return self.detector.placed(self.policy)

    @property
    def frame(self) -> UnitFrame:
        """Unit vectors of the laboratory frame."""
        return self.placed.frame

    @property
    def sensor(self) -> Sensor:
        """The sensor of the only panel, or of the first panel of a detector of panels."""
        detector = self.detector
        return detector.sensor if isinstance(detector, Detector) else detector.panels[0].sensor

    def one_panel(self, purpose: str) -> Detector:
        """The detector, if it is one panel in a convention of nanoBragg.

        Parameters
        ----------
        purpose : str
            Feature that needs such a detector, for the message.

        Raises
        ------
        ModelError
            If it is a detector of panels.
        """
        if not isinstance(self.detector, Detector):
            raise ModelError(f"{purpose}: not possible with a detector of panels")
        return self.detector

    def panel_detector(self, purpose: str) -> PanelDetector:
        """The detector, if it is one of panels.

        Parameters
        ----------
        purpose : str
            Feature that needs panels, for the message.

        Raises
        ------
        ModelError
            If it is one panel in a convention of nanoBragg.
        """
        if not isinstance(self.detector, PanelDetector):
            raise ModelError(f"{purpose}: the detector is one panel, not a PanelDetector")
        return self.detector

    @cached_property
    def mosaicity(self) -> Mosaicity:
        """The mosaic domains. The axes of several spreads are those in the middle of the scan."""
        angles, mosaicity = self.spindle_angles, self.crystal.mosaicity
        if not (mosaicity.has_axes and angles.any()):
            return mosaicity
        return mosaicity.turned(rotate_axis(np.eye(3), self.frame.spindle, np.mean(angles)))

    @property
    def spindle_angles(self) -> np.ndarray:
        """Spindle angles at which the crystal is rendered (rad), shape (count,)."""
        if self.corrects(Quirk.BEGINNINGS_OF_STEPS):
            return self.scan.centres
        return self.scan.beginnings

    @property
    def placed_panel(self) -> PlacedDetector:
        """The detector of one panel, placed in the laboratory.

        Raises
        ------
        ModelError
            If it is a detector of panels.
        """
        return self.one_panel("geometry of one panel").placed(self.policy)

    @property
    def geometry(self) -> PanelGeometry:
        """Geometry of the only panel: origin, axes, distances and beam centre.

        Raises
        ------
        ModelError
            If it is a detector of panels.
        """
        return self.placed_panel.geometry

    @property
    def oriented(self) -> OrientedCrystal:
        """The crystal's lattice at spindle angle zero."""
        return self.crystal.oriented(self.policy)

    @property
    def lattice(self) -> Lattice:
        """Cell vectors at spindle angle zero (Angstrom, 1/Angstrom)."""
        return self.oriented.lattice

    @property
    def cell_counts(self) -> tuple[float, float, float]:
        """Number of unit cells along a, b, c."""
        return self.oriented.cell_counts

    @cached_property
    def sources(self) -> Sources:
        """The sources of the beam."""
        return self.beam.sources(self.frame, self.policy)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of the image: (n_slow, n_fast), or (n_panels, n_slow, n_fast)."""
        detector = self.detector
        size = detector.n_slow, detector.n_fast
        return size if isinstance(detector, Detector) else (len(detector), *size)

    @cached_property
    def flat_panels(self) -> tuple[Panel, ...]:
        """The panels in the laboratory. A curved detector is the flat panel before its bend."""
        return flat_panels(self.detector, self.placed)

    @property
    def region(self) -> Region:
        """The rectangle that contains all pixels to compute, of every panel."""
        detector, region = self.detector, self.rendering.region
        if isinstance(region, Region):
            return region
        return Region(0, detector.n_fast, 0, detector.n_slow)

    @cached_property
    def mask(self) -> np.ndarray | None:
        """Pixels of `region` to compute, shape `image_shape`; None for all."""
        mask, detector, region = self.rendering.mask, self.detector, self.rendering.region
        if isinstance(detector, Detector):
            return mask
        if detector.existing is not None:
            mask = detector.existing if mask is None else mask & detector.existing
        if isinstance(region, Mapping):
            chosen = np.zeros(self.image_shape, dtype=bool)
            for name, part in region.items():
                place = (detector.number_of(name), *part.slices(*chosen.shape[1:]))
                chosen[place] = True if mask is None else mask[place]
            mask = chosen
        return mask

    @property
    def rendered_pixels(self) -> np.ndarray:
        """Pixels that are computed: ndarray of bool, shape `image_shape`."""
        result = np.zeros(self.image_shape, dtype=bool)
        region, mask = (..., *self.region.slices(*result.shape[-2:])), self.mask
        result[region] = True if mask is None else mask[region]
        return result

    @property
    def crystal_size(self) -> tuple[float, float, float]:
        """Edges of the crystal (m)."""
        return self.oriented.size

    @cached_property
    def each_crystal(self) -> tuple[Experiment, ...]:
        """The experiment with each of its crystals alone, with the same sub-pixels for all."""
        if not self.further_crystals:
            return (self,)
        rendering = replace(self.rendering, oversample=self.oversample)
        with warnings.catch_warnings():
            # this experiment has already warned
            warnings.simplefilter("ignore", CupysimWarning)
            first = replace(self, further_crystals=(), rendering=rendering)
            found = [first]
            for each in self.further_crystals:
                factors = each.structure_factors or self.structure_factors
                found.append(replace(first, crystal=each.crystal, structure_factors=factors))
        return tuple(found)

    def only_crystal(self, number: int) -> Experiment:
        """The experiment with one of its crystals alone.

        Parameters
        ----------
        number : int
            Number of the crystal, from 1.

        Raises
        ------
        ModelError
            If there is no such crystal.
        """
        crystals = self.each_crystal
        if not 1 <= number <= len(crystals):
            raise ModelError(f"there is no crystal {number}; the experiment has {len(crystals)}")
        return crystals[number - 1]

    def with_crystal(self, number: int, crystal: Crystal) -> Experiment:
        """Return the experiment with another crystal in the place of one of its crystals.

        Parameters
        ----------
        number : int
            Number of the crystal to replace, from 1.
        crystal : Crystal
            The other crystal.
        """
        if number == 1:
            return replace(self, crystal=crystal)
        further = list(self.further_crystals)
        further[number - 2] = replace(further[number - 2], crystal=crystal)
        return replace(self, further_crystals=tuple(further))

    @cached_property
    def recommended_oversample(self) -> int:
        """Number of sub-pixels along a pixel edge that the largest crystal needs."""
        if isinstance(self.detector, Detector):
            pixels = [(self.geometry.distance, self.detector.pixel_size)]
        else:
            pixels = [(panel.close_distance, max(panel.edges)) for panel in self.detector]
        crystals = self.crystal, *(each.crystal for each in self.further_crystals)
        size = max(each.largest_factor * max(each.oriented(self.policy).size) for each in crystals)
        wavelength = self.beam.wavelength
        return max(recommended_oversample(size, wavelength, *pixel) for pixel in pixels)

    @property
    def oversample(self) -> int:
        """Number of sub-pixels along a pixel edge."""
        return self.rendering.oversample or self.recommended_oversample

    @property
    def interpolation_wanted(self) -> bool:
        """Whether to interpolate structure factors if there is a table.

        By default, structure factors are interpolated if the crystal has at most two cells along
        at least one axis. This means `Crystal.n_cells`, even if the size replaces them, unless
        quirk Q25 is corrected.
        """
        if self.rendering.interpolate is not None:
            return self.rendering.interpolate
        by_size = self.corrects(Quirk.INTERPOLATION_BY_N)
        counts = self.cell_counts if by_size else self.crystal.n_cells
        return min(counts) <= SMALL_CRYSTAL

    @property
    def interpolate(self) -> bool:
        """Whether structure factors are interpolated."""
        return self.interpolation_wanted and self.structure_factors.table is not None

    @property
    def n_steps(self) -> int:
        """Number of steps that divides a pixel's sum (sensor layers do not count)."""
        return (
            len(self.sources.wavelengths)
            * self.crystal.mosaicity.n_domains
            * self.scan.sweep.count
            * self.oversample**2
        )
