"""The render plan: the flat arrays and numbers which every backend takes.

It is the one contract between what is simulated and how it is computed. Axes
which are to grow are there already, with length one: shots in a batch, panels
of a detector, crystals in a shot, and channels of structure factors which a
source may choose by its wavelength.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.orientations import spindle_cells
from cupysim.models.crystal import Shape
from cupysim.models.experiment import Experiment

LARGEST_STEP_COUNT = 10**16
"""Steps of a whole image which no machine works off in a lifetime."""


@dataclass(frozen=True)
class Panels:
    """Geometry of the pixels.

    Parameters
    ----------
    origin, fast, slow, normal : ndarray, shape (n_shots, n_panels, 3)
        Outer corner of the first pixel (m), and unit vectors.
    close_distance : ndarray, shape (n_shots, n_panels)
        Distance of each panel's plane from the sample (m).
    bend_radius : float or None
        Radius of a curved detector (m).
    beam : ndarray, shape (3,)
        Direction towards which a curved detector is bent.
    pixel_size : float
        Pixel edge (m).
    point_pixel : bool
        Inverse-square law in place of the solid angle.
    n_layers : int
        Sensor layers.
    layer_step : float
        Their distance (m).
    attenuation : float
        Attenuation coefficient (1/m).
    absorbs_all : bool
        The sensor has no thickness and absorbs every photon.
    """

    origin: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    normal: np.ndarray
    close_distance: np.ndarray
    bend_radius: float | None
    beam: np.ndarray
    pixel_size: float
    point_pixel: bool
    n_layers: int
    layer_step: float
    attenuation: float
    absorbs_all: bool


@dataclass(frozen=True)
class SourceTable:
    """Where the photons come from.

    Parameters
    ----------
    incident : ndarray, shape (n_shots, n_sources, 3)
        Directions of flight, unit vectors.
    wavelength : ndarray, shape (n_shots, n_sources)
        Wavelengths (m).
    channel : ndarray of int, shape (n_sources,)
        Which table of structure factors a source uses.
    kahn : float
        Kahn factor.
    polarized : bool
        Whether the polarization factor is applied; where it is oversampled it
        is in any case.
    polarization_axis : ndarray, shape (3,)
        Direction of the electric field.
    """

    incident: np.ndarray
    wavelength: np.ndarray
    channel: np.ndarray
    kahn: float
    polarized: bool
    polarization_axis: np.ndarray


@dataclass(frozen=True)
class CrystalTable:
    """Orientations and lattice transforms.

    Parameters
    ----------
    phi_cells : ndarray, shape (n_shots, n_crystals, n_phi, 3, 3)
        Rows a, b, c (m) at each spindle angle, where an angle of exactly zero
        has the previous angle's (quirk Q3).
    first_cell : ndarray, shape (n_shots, n_crystals, 3, 3), or None
        Rows a, b, c (m) for spindle angle 0 in the first sweep which is
        executed at all, where no previous angle exists; None where the table
        holds for it too.
    mosaic_rotations : ndarray, shape (n_shots, n_crystals, n_mosaic, 3, 3)
        Rotations of the mosaic domains, applied after the spindle.
    reciprocal_angstrom : ndarray, shape (n_shots, n_crystals, 3, 3)
        Rows a*, b*, c* (1/Angstrom) before both, for gauss and tophat spots.
    n_cells : ndarray, shape (n_shots, n_crystals, 3)
        Cells along a, b, c.
    shape : Shape
        Which lattice transform, the same for all crystals.
    fudge : float
        Scale of the squared spot radius.
    """

    phi_cells: np.ndarray
    first_cell: np.ndarray | None
    mosaic_rotations: np.ndarray
    reciprocal_angstrom: np.ndarray
    n_cells: np.ndarray
    shape: Shape
    fudge: float

    @property
    def n_orientations(self) -> int:
        """Spindle angles times mosaic domains."""
        return self.phi_cells.shape[2] * self.mosaic_rotations.shape[2]

    @property
    def n_crystals(self) -> int:
        """Crystals in each shot."""
        return self.phi_cells.shape[1]


@dataclass(frozen=True)
class FactorTable:
    """Structure factors.

    Parameters
    ----------
    table : ndarray, shape (n_channels, n_h + 2, n_k + 2, n_l + 2)
        Amplitudes (electrons) with a border of the value outside the table.
    first : tuple of 3 int
        Smallest h, k, l, border not counted.
    default : float
        Amplitude outside the table.
    is_constant : bool
        There is no table: every reflection has the default.
    interpolate : bool
        Interpolate until the first step which leaves the table (quirk Q23).
    """

    table: np.ndarray
    first: tuple[int, int, int]
    default: float
    is_constant: bool
    interpolate: bool


@dataclass(frozen=True)
class RenderPlan:
    """All that a backend needs to compute an image.

    Parameters
    ----------
    shape : tuple of 4 int
        Shots, panels, slow and fast pixels of the image.
    rows, columns : slice
        Region to compute.
    mask : ndarray of bool, shape (n_panels, n_slow, n_fast), or None
        Pixels to compute.
    oversample : int
        Sub-pixels along an edge.
    oversample_thick, oversample_polar, oversample_omega : bool
        Factors which multiply the running sum at each step (quirk Q14).
    dmin : float
        Steps beyond this resolution (m) are skipped; 0 for no limit.
    background : ndarray, shape (n_shots,)
        What each pixel's sum starts with.
    has_background : bool
        Steps whose lattice factor is zero are still carried out.
    photons_per_squared_electron : ndarray, shape (n_shots,)
        r_e^2 times fluence (1/sr).
    n_steps : int
        Steps by which a pixel's sum is divided: sources, spindle angles, domains
        and sub-pixels. The images of several crystals add up.
    panels, sources, crystals, factors
        See their classes.
    """

    shape: tuple[int, int, int, int]
    rows: slice
    columns: slice
    mask: np.ndarray | None
    oversample: int
    oversample_thick: bool
    oversample_polar: bool
    oversample_omega: bool
    dmin: float
    background: np.ndarray
    has_background: bool
    photons_per_squared_electron: np.ndarray
    n_steps: int
    panels: Panels
    sources: SourceTable
    crystals: CrystalTable
    factors: FactorTable

    def __post_init__(self) -> None:
        n_shots, n_panels = self.shape[:2]
        crystals, sources = self.crystals, self.sources
        expected = {
            "panels.origin": (self.panels.origin, (n_shots, n_panels, 3)),
            "panels.close_distance": (self.panels.close_distance, (n_shots, n_panels)),
            "sources.incident": (sources.incident, (n_shots, len(sources.channel), 3)),
            "sources.wavelength": (sources.wavelength, (n_shots, len(sources.channel))),
            "crystals.phi_cells": (crystals.phi_cells, (n_shots, crystals.n_crystals)),
            "crystals.mosaic_rotations": (
                crystals.mosaic_rotations,
                (n_shots, crystals.n_crystals),
            ),
            "crystals.n_cells": (crystals.n_cells, (n_shots, crystals.n_crystals, 3)),
            "background": (self.background, (n_shots,)),
            "photons_per_squared_electron": (self.photons_per_squared_electron, (n_shots,)),
        }
        for name, (array, shape) in expected.items():
            assert array.shape[: len(shape)] == shape, f"{name}: {array.shape} is not {shape}"

    @property
    def n_region(self) -> int:
        """Pixels in the region, masked ones included."""
        rows = max(self.rows.stop - self.rows.start, 0)
        return rows * max(self.columns.stop - self.columns.start, 0)


def make_plan(experiment: Experiment) -> RenderPlan:
    """Flatten an experiment into what backends take.

    Parameters
    ----------
    experiment : Experiment
        What to simulate.

    Returns
    -------
    RenderPlan
        Arrays with shot, panel, crystal and channel axes of length one.

    Raises
    ------
    ModelError
        If the experiment is impossible, or so large that nobody can mean it.
    """
    detector, rendering = experiment.detector, experiment.rendering
    rows, columns = experiment.region.slices(detector.n_slow, detector.n_fast)
    oversample = experiment.oversample
    plan = RenderPlan(
        shape=(1, 1, detector.n_slow, detector.n_fast),
        rows=rows,
        columns=columns,
        mask=None if rendering.mask is None else rendering.mask[None],
        oversample=oversample,
        oversample_thick=rendering.oversample_thick,
        oversample_polar=rendering.oversample_polar,
        oversample_omega=rendering.oversample_omega,
        dmin=rendering.dmin,
        background=np.array([experiment.water.intensity(experiment.beam.fluence)]),
        has_background=experiment.water.size != 0.0,
        photons_per_squared_electron=np.array([experiment.beam.photons_per_squared_electron]),
        n_steps=experiment.n_steps,
        panels=_panels(experiment),
        sources=_sources(experiment),
        crystals=_crystals(experiment),
        factors=_factors(experiment),
    )
    total = plan.n_region * plan.n_steps * plan.panels.n_layers
    if total > LARGEST_STEP_COUNT:
        raise ModelError(
            f"this image needs {total:.3g} steps ({plan.n_region} pixels x {plan.n_steps} steps "
            f"x {plan.panels.n_layers} sensor layers); at most {LARGEST_STEP_COUNT:.0e} are "
            f"possible. Reduce -oversample (now {oversample}), -mosaic_dom, -phisteps, sources "
            "or the region"
        )
    return plan


def _panels(experiment: Experiment) -> Panels:
    detector = experiment.detector
    geometry, sensor = detector.geometry, detector.sensor
    return Panels(
        origin=geometry.origin[None, None],
        fast=geometry.fast[None, None],
        slow=geometry.slow[None, None],
        normal=geometry.normal[None, None],
        close_distance=np.full((1, 1), geometry.close_distance),
        bend_radius=geometry.distance if detector.curved else None,
        beam=detector.unit_frame.beam,
        pixel_size=detector.pixel_size,
        point_pixel=detector.point_pixel,
        n_layers=sensor.layers.count,
        layer_step=sensor.layers.step,
        attenuation=sensor.attenuation,
        absorbs_all=sensor.layers.range == 0.0,
    )


def _sources(experiment: Experiment) -> SourceTable:
    sources = experiment.sources
    return SourceTable(
        incident=sources.incident[None],
        wavelength=sources.wavelengths[None],
        channel=np.zeros(len(sources.wavelengths), dtype=np.int32),
        kahn=experiment.beam.polarization,
        polarized=experiment.beam.polarized,
        polarization_axis=experiment.detector.unit_frame.polarization,
    )


def _crystals(experiment: Experiment) -> CrystalTable:
    crystal = experiment.crystal
    cells, first = spindle_cells(
        crystal.direct, experiment.detector.unit_frame.spindle, experiment.scan.angles
    )
    return CrystalTable(
        phi_cells=cells[None, None],
        first_cell=None if first is None else first[None, None],
        mosaic_rotations=crystal.mosaicity.rotations[None, None],
        reciprocal_angstrom=crystal.lattice.reciprocal[None, None],
        n_cells=np.array([[crystal.cell_counts]]),
        shape=crystal.shape,
        fudge=crystal.fudge,
    )


def _factors(experiment: Experiment) -> FactorTable:
    factors = experiment.structure_factors
    return FactorTable(
        table=factors.bordered[None],
        first=factors.first,
        default=factors.default,
        is_constant=factors.table is None,
        interpolate=experiment.interpolate,
    )
