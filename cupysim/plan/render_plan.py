"""The render plan: the arrays and numbers from which every backend computes images.

It is the only interface between models and backends. It has axes for shots of a batch, panels of a
detector, crystals of a shot, and channels of structure factors, which sources choose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Annotated, Any, Self

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.detector_geometry import Bend
from cupysim.models.spot_shape import Shape
from cupysim.models.tolerance import Tolerance
from cupysim.plan.amorphous import AmorphousTable
from cupysim.plan.axes import Axes, Table, check_axes, same_shapes
from cupysim.plan.diffuse_table import DiffuseTable
from cupysim.plan.factor_table import FactorTable

IDENTITY = np.eye(3)
FIRST = np.ones((1, 1), dtype=np.int64)


class Use(IntEnum):
    """How a factor that varies within a pixel enters its sum. The kernel uses the same numbers."""

    ONCE = 0
    """The factor of one sub-pixel, or layer, multiplies the whole sum (quirks Q15, Q21)."""
    RUNNING = 1
    """The factor of each step multiplies the sum so far (quirk Q14)."""
    EACH = 2
    """The factor of each step multiplies the term of this step, which is right."""


@dataclass(frozen=True)
class Panels(Table):
    """Geometry and sensor of the panels.

    Parameters
    ----------
    origin : ndarray, shape (n_shots, n_panels, 3)
        Outer corner of each panel's first pixel (m).
    fast, slow, normal : ndarray, shape (n_shots, n_panels, 3)
        Unit vectors of each panel's axes. Fast and slow need not be perpendicular; the normal is
        perpendicular to both.
    close_distance : ndarray, shape (n_shots, n_panels)
        Distance of each panel's plane from the sample (m).
    bend : Bend or None
        Bend of a curved detector; None for a flat one.
    pixel_fast, pixel_slow : ndarray, shape (n_shots, n_panels)
        Pixel edges along fast and slow (m).
    pixel_area : ndarray, shape (n_shots, n_panels)
        Area of a pixel in its solid angle (m^2). 1 for point pixels, unless quirk Q20 is corrected.
    point_pixel : bool
        Use only the inverse-square law, without the obliquity of the pixel.
    n_layers : int
        Number of sensor layers.
    layer_step : ndarray, shape (n_shots, n_panels)
        Distance between sensor layers (m).
    attenuation : ndarray, shape (n_shots, n_panels)
        Attenuation coefficients (1/m).
    absorbs_all : bool
        Whether the sensor has no thickness and absorbs every photon.
    """

    origin: Annotated[np.ndarray, Axes("shots", "panels", 3)]
    fast: Annotated[np.ndarray, Axes("shots", "panels", 3)]
    slow: Annotated[np.ndarray, Axes("shots", "panels", 3)]
    normal: Annotated[np.ndarray, Axes("shots", "panels", 3)]
    close_distance: Annotated[np.ndarray, Axes("shots", "panels")]
    bend: Bend | None
    pixel_fast: Annotated[np.ndarray, Axes("shots", "panels")]
    pixel_slow: Annotated[np.ndarray, Axes("shots", "panels")]
    pixel_area: Annotated[np.ndarray, Axes("shots", "panels")]
    point_pixel: bool
    n_layers: int
    layer_step: Annotated[np.ndarray, Axes("shots", "panels")]
    attenuation: Annotated[np.ndarray, Axes("shots", "panels")]
    absorbs_all: bool


@dataclass(frozen=True)
class SourceTable(Table):
    """Sources of the beam, and its polarization.

    Parameters
    ----------
    incident : ndarray, shape (n_shots, n_sources, 3)
        Directions of flight of the photons, unit vectors.
    wavelength : ndarray, shape (n_shots, n_sources)
        Wavelengths (m).
    weight : ndarray, shape (n_shots, n_sources)
        Factor of each source's intensity, 1 on average: `brightness` of `Sources`.
    channel : ndarray of int, shape (n_sources,)
        Number of the table of structure factors that each source uses.
    kahn : ndarray, shape (n_shots, n_sources)
        Kahn factors.
    polarized : bool
        Whether the polarization factor is applied. A running product (quirk Q14) applies it in any
        case.
    polarization_axis : ndarray, shape (n_shots, n_sources, 3)
        Directions of the electric field, unit vectors.
    """

    incident: Annotated[np.ndarray, Axes("shots", "sources", 3)]
    wavelength: Annotated[np.ndarray, Axes("shots", "sources")]
    weight: Annotated[np.ndarray, Axes("shots", "sources")]
    channel: Annotated[np.ndarray, Axes("sources")]
    kahn: Annotated[np.ndarray, Axes("shots", "sources")]
    polarized: bool
    polarization_axis: Annotated[np.ndarray, Axes("shots", "sources", 3)]

    @cached_property
    def largest_kahn(self) -> float:
        """The largest absolute value of a Kahn factor."""
        return float(np.abs(self.kahn).max(initial=0.0))


@dataclass(frozen=True)
class CrystalTable(Table):
    """Orientations and lattice transforms of the crystals.

    Parameters
    ----------
    phi_cells : ndarray, shape (n_shots, n_crystals, n_phi, 3, 3)
        Rows a, b, c (m) at each spindle angle. At an angle of exactly zero, they are those of the
        previous angle, unless quirk Q3 is corrected.
    first_cell : ndarray, shape (n_shots, n_crystals, 3, 3), or None
        Rows a, b, c (m) for spindle angle 0 in the very first sweep, where no previous angle
        exists. None if `phi_cells` holds for this sweep too.
    mosaic_rotations : ndarray, shape (n_shots, n_crystals, n_mosaic, 3, 3)
        Rotations of the mosaic domains, applied after the spindle.
    spot_axes : ndarray, shape (n_shots, n_crystals, 3, 3)
        For Gaussian and top-hat spots: vectors that the offsets from a reflection multiply to give
        its distance. Rows a*, b*, c* (1/Angstrom) before spindle and mosaic rotations; if quirk Q6
        is corrected, the axes from `cupysim.plan.spot_axes.spot_axes`.
    spot_counts : ndarray, shape (n_shots, n_crystals, 3)
        Three numbers; their product multiplies this distance. Na, Nb, Nc, or ones if quirk Q6 is
        corrected.
    n_cells : ndarray, shape (n_shots, n_crystals, 3)
        Cells along a, b, c.
    spot_height : ndarray, shape (n_shots, n_crystals)
        Largest F_latt of Gaussian and top-hat spots: Na Nb Nc, or the determinant of the matrix of
        these numbers.
    shape : Shape
        Spot shape, the same for all crystals.
    fudge : float
        Factor of the squared distance from a reflection.
    numbers : ndarray of int, shape (n_shots, n_crystals)
        Number of the crystal in its shot, from 1. Several entries belong to one crystal if it has
        several kinds of domains.
    settings : ndarray, shape (n_shots, n_crystals, 3, 3)
        Matrix that turns the crystal's Miller indices into those of the entry.
    """

    phi_cells: Annotated[np.ndarray, Axes("shots", "crystals", "spindle angles", 3, 3)]
    first_cell: Annotated[np.ndarray | None, Axes("shots", "crystals", 3, 3)]
    mosaic_rotations: Annotated[np.ndarray, Axes("shots", "crystals", "domains", 3, 3)]
    spot_axes: Annotated[np.ndarray, Axes("shots", "crystals", 3, 3)]
    spot_counts: Annotated[np.ndarray, Axes("shots", "crystals", 3)]
    n_cells: Annotated[np.ndarray, Axes("shots", "crystals", 3)]
    spot_height: Annotated[np.ndarray, Axes("shots", "crystals")]
    shape: Shape
    fudge: float
    numbers: Annotated[np.ndarray, Axes("shots", "crystals")] = field(default_factory=lambda: FIRST)
    settings: Annotated[np.ndarray, Axes("shots", "crystals", 3, 3)] = field(
        default_factory=lambda: IDENTITY[None, None]
    )

    @property
    def n_orientations(self) -> int:
        """Number of orientations: spindle angles times mosaic domains."""
        return self.phi_cells.shape[2] * self.mosaic_rotations.shape[2]

    @cached_property
    def is_perfect(self) -> bool:
        """Whether each shot has one crystal in one orientation, without mosaic domains."""
        rotations = self.mosaic_rotations
        return self.n_crystals * self.n_orientations == 1 and bool((rotations == IDENTITY).all())

    @cached_property
    def largest_counts(self) -> np.ndarray:
        """The largest number of cells along an axis, for each shot."""
        return np.asarray(self.n_cells, dtype=np.float64).max(axis=(1, 2))

    @property
    def n_crystals(self) -> int:
        """Number of crystals in each shot."""
        return self.phi_cells.shape[1]

    def turned(self, phi_cells: np.ndarray, first_cell: np.ndarray | None) -> CrystalTable:
        """Return the same crystals in other orientations, without another check of the axes.

        Parameters
        ----------
        phi_cells, first_cell
            New arrays, of the same shapes as in this table.
        """
        return self.with_same_axes(series=self.series, phi_cells=phi_cells, first_cell=first_cell)

    @cached_property
    def series(self) -> object:
        """An object that tables share if `turned` made them: they differ only in orientations."""
        return object()


@dataclass(frozen=True)
class RenderPlan(Table):
    """All that a backend needs to compute an image.

    Parameters
    ----------
    shape : tuple of 4 int
        Numbers of shots, panels, slow pixels and fast pixels.
    rows, columns : slice
        Region to compute.
    mask : ndarray of bool, shape (n_panels, n_slow, n_fast), or None
        Pixels to compute; None for all.
    oversample : int
        Number of sub-pixels along a pixel edge.
    capture_use, polar_use, omega_use : Use
        Use of absorption, polarization and solid angle in the sum.
    dmin : float
        Resolution limit (m): steps at finer resolution are skipped. 0 for no limit.
    background : ndarray, shape (n_shots,)
        Start value of each pixel's sum (electron^2).
    ray_background : ndarray, shape (n_shots,)
        Background that each ray adds (electron^2), multiplied by the same factors as its terms.
        Not zero only if a factor has the use `Use.EACH`.
    has_background : bool
        Whether there is a background. Steps with a lattice factor of zero are then not skipped.
    photons_per_squared_electron : ndarray, shape (n_shots,)
        r_e^2 times fluence (1/sr).
    n_steps : int
        Number of steps that divides a pixel's sum: sources, spindle angles, domains and
        sub-pixels. It does not count crystals, because their images add up.
    panels : Panels
        Geometry and sensor of the panels.
    sources : SourceTable
        Sources of the beam, and its polarization.
    crystals : CrystalTable
        Orientations and lattice transforms of the crystals.
    factors : FactorTable
        Structure factors.
    amorphous : AmorphousTable
        Amorphous matter that each ray sees, in addition to the background.
    diffuse : DiffuseTable
        Halos around reflections.
    tolerance : Tolerance or None
        Photons by which each pixel may be below the exact image; None for exact images.
    has_panels : bool
        Whether the detector consists of panels, so that its images have an axis of panels.
    fractions : ndarray of float32, shape (n_panels, n_slow, n_fast), or None
        Fraction of the photons that reach each pixel; backends leave it out, and
        `cupysim.backends.parts` applies it. None if all do.
    path_image : ndarray of float32, shape (n_panels, n_slow, n_fast), or None
        Photons from matter in front of the crystal and behind it; backends leave it out, and
        `cupysim.backends.parts` adds it to the sum of all parts.
    further : tuple of RenderPlan
        Plans of further crystals of the shot, without the background. Their photons add up.
    """

    shape: tuple[int, int, int, int]
    rows: slice
    columns: slice
    mask: Annotated[np.ndarray | None, Axes("panels", "slow", "fast")]
    oversample: int
    capture_use: Use
    polar_use: Use
    omega_use: Use
    dmin: float
    background: Annotated[np.ndarray, Axes("shots")]
    ray_background: Annotated[np.ndarray, Axes("shots")]
    has_background: bool
    photons_per_squared_electron: Annotated[np.ndarray, Axes("shots")]
    n_steps: int
    panels: Panels
    sources: SourceTable
    crystals: CrystalTable
    factors: FactorTable
    amorphous: AmorphousTable
    diffuse: DiffuseTable
    tolerance: Tolerance | None = None
    has_panels: bool = False
    fractions: Annotated[np.ndarray | None, Axes("panels", "slow", "fast")] = None
    path_image: Annotated[np.ndarray | None, Axes("panels", "slow", "fast")] = None
    further: tuple[RenderPlan, ...] = ()

    def __post_init__(self) -> None:
        self._check_axes()
        sources = self.sources
        channel, count = sources.channel, len(self.factors.table)
        if len(channel) and not (channel.min() >= 0 and channel.max() < count):
            raise ModelError(
                "render plan: a source uses a channel of structure factors that does not exist"
            )

    def _check_axes(self) -> None:
        check_axes(self, dict(zip(("shots", "panels", "slow", "fast"), self.shape, strict=True)))

    def with_same_axes(self, **changed: Any) -> Self:
        """Return a copy with some fields replaced; see `Table.with_same_axes`.

        It is of another series if it differs in more than tolerance and further plans.
        """
        made = super().with_same_axes(**changed)
        if not changed.keys() <= {"series", "crystals", "tolerance", "further"}:
            made.__dict__.pop("series", None)
        return made

    def with_crystals(self, crystals: CrystalTable) -> RenderPlan:
        """Return this plan with other crystals; axes are checked only if a shape differs."""
        changed = self.with_same_axes(series=self.series, crystals=crystals)
        is_turned = crystals.series is self.crystals.series
        if not is_turned and not same_shapes(crystals, self.crystals):
            changed._check_axes()
        return changed

    @cached_property
    def series(self) -> object:
        """An object that plans share if `with_crystals` made them: they differ only in crystals."""
        return object()

    @property
    def parts(self) -> tuple[RenderPlan, ...]:
        """Plans without further ones, which backends render one after the other."""
        if not self.further:
            return (self,)
        return (self.with_same_axes(further=()), *self.further)

    @property
    def uses(self) -> tuple[Use, Use, Use]:
        """Uses of absorption, polarization and solid angle in the sum."""
        return self.capture_use, self.polar_use, self.omega_use

    def refuse_shots(self, purpose: str) -> None:
        """Raise an error if the plan has several shots.

        Parameters
        ----------
        purpose : str
            Feature that supports only one shot, for the message.

        Raises
        ------
        ModelError
            If there are several shots.
        """
        if self.shape[0] != 1:
            raise ModelError(
                f"{purpose}: {self.shape[0]} shots; it is possible for one shot at a time"
            )

    @property
    def n_rays(self) -> int:
        """Number of rays of a pixel: layers times sub-pixels times sources."""
        return self.panels.n_layers * self.oversample**2 * len(self.sources.channel)

    @property
    def n_orientations(self) -> int:
        """Number of orientations of all crystals of a shot."""
        return self.crystals.n_crystals * self.crystals.n_orientations

    @property
    def is_whole(self) -> bool:
        """Whether every pixel is computed."""
        whole = (slice(0, self.shape[2]), slice(0, self.shape[3]))
        return self.mask is None and (self.rows, self.columns) == whole

    @property
    def n_region(self) -> int:
        """Number of pixels in the region, including masked pixels."""
        rows = max(self.rows.stop - self.rows.start, 0)
        return rows * max(self.columns.stop - self.columns.start, 0)
