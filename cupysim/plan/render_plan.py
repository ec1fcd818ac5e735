"""The render plan: the flat arrays and numbers which every backend takes.

It is the one contract between what is simulated and how it is computed. Axes
which are to grow are there already, with length one: shots in a batch, panels
of a detector, crystals in a shot, and channels of structure factors which a
source may choose by its wavelength.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Annotated

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.detector_geometry import Bend
from cupysim.models.crystal import Shape
from cupysim.plan.axes import Axes, Table, check_axes, same_shapes

IDENTITY = np.eye(3)


class Use(IntEnum):
    """How a factor which varies within a pixel enters the pixel's sum, as the kernel counts it."""

    ONCE = 0
    """The factor of the first sub-pixel, or layer, multiplies the whole sum (quirks Q15, Q21)."""
    RUNNING = 1
    """The factor of each step multiplies the sum so far (quirk Q14)."""
    EACH = 2
    """Each term is multiplied by its own factor, which is right."""


@dataclass(frozen=True)
class Panels(Table):
    """Geometry of the pixels.

    Parameters
    ----------
    origin, fast, slow, normal : ndarray, shape (n_shots, n_panels, 3)
        Outer corner of the first pixel (m), and unit vectors.
    close_distance : ndarray, shape (n_shots, n_panels)
        Distance of each panel's plane from the sample (m).
    bend : Bend or None
        How a curved detector is bent.
    pixel_size : float
        Pixel edge (m).
    pixel_area : float
        Area of a pixel in its solid angle (m^2); 1 for point pixels without one (quirk Q20).
    point_pixel : bool
        Inverse-square law alone, without the slant.
    n_layers : int
        Sensor layers.
    layer_step : float
        Their distance (m).
    attenuation : float
        Attenuation coefficient (1/m).
    absorbs_all : bool
        The sensor has no thickness and absorbs every photon.
    """

    origin: Annotated[np.ndarray, Axes("shots", "panels", 3)]
    fast: Annotated[np.ndarray, Axes("shots", "panels", 3)]
    slow: Annotated[np.ndarray, Axes("shots", "panels", 3)]
    normal: Annotated[np.ndarray, Axes("shots", "panels", 3)]
    close_distance: Annotated[np.ndarray, Axes("shots", "panels")]
    bend: Bend | None
    pixel_size: float
    pixel_area: float
    point_pixel: bool
    n_layers: int
    layer_step: float
    attenuation: float
    absorbs_all: bool


@dataclass(frozen=True)
class SourceTable(Table):
    """Where the photons come from.

    Parameters
    ----------
    incident : ndarray, shape (n_shots, n_sources, 3)
        Directions of flight, unit vectors.
    wavelength : ndarray, shape (n_shots, n_sources)
        Wavelengths (m).
    weight : ndarray, shape (n_shots, n_sources)
        Brightness, 1 on average; 1 for all unless quirk Q13 is corrected.
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

    incident: Annotated[np.ndarray, Axes("shots", "sources", 3)]
    wavelength: Annotated[np.ndarray, Axes("shots", "sources")]
    weight: Annotated[np.ndarray, Axes("shots", "sources")]
    channel: Annotated[np.ndarray, Axes("sources")]
    kahn: float
    polarized: bool
    polarization_axis: Annotated[np.ndarray, Axes(3)]


@dataclass(frozen=True)
class CrystalTable(Table):
    """Orientations and lattice transforms.

    Parameters
    ----------
    phi_cells : ndarray, shape (n_shots, n_crystals, n_phi, 3, 3)
        Rows a, b, c (m) at each spindle angle, where an angle of exactly zero
        has the previous angle's (quirk Q3), unless that is corrected.
    first_cell : ndarray, shape (n_shots, n_crystals, 3, 3), or None
        Rows a, b, c (m) for spindle angle 0 in the first sweep which is
        executed at all, where no previous angle exists; None where the table
        holds for it too.
    mosaic_rotations : ndarray, shape (n_shots, n_crystals, n_mosaic, 3, 3)
        Rotations of the mosaic domains, applied after the spindle.
    spot_axes : ndarray, shape (n_shots, n_crystals, 3, 3)
        Gauss and tophat spots: offsets from a reflection times these rows are its distance, rows
        a*, b*, c* (1/Angstrom) before both rotations (quirk Q6) or a diagonal of Na, Nb, Nc.
    spot_counts : ndarray, shape (n_shots, n_crystals, 3)
        Three numbers whose product multiplies the distance: Na, Nb, Nc or ones.
    n_cells : ndarray, shape (n_shots, n_crystals, 3)
        Cells along a, b, c.
    shape : Shape
        Which lattice transform, the same for all crystals.
    fudge : float
        Scale of the squared spot radius.
    """

    phi_cells: Annotated[np.ndarray, Axes("shots", "crystals", "spindle angles", 3, 3)]
    first_cell: Annotated[np.ndarray | None, Axes("shots", "crystals", 3, 3)]
    mosaic_rotations: Annotated[np.ndarray, Axes("shots", "crystals", "domains", 3, 3)]
    spot_axes: Annotated[np.ndarray, Axes("shots", "crystals", 3, 3)]
    spot_counts: Annotated[np.ndarray, Axes("shots", "crystals", 3)]
    n_cells: Annotated[np.ndarray, Axes("shots", "crystals", 3)]
    shape: Shape
    fudge: float

    @property
    def n_orientations(self) -> int:
        """Spindle angles times mosaic domains."""
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
        """Crystals in each shot."""
        return self.phi_cells.shape[1]

    def turned(self, phi_cells: np.ndarray, first_cell: np.ndarray | None) -> CrystalTable:
        """The same crystals in other orientations, which keep what is known of the others.

        Parameters
        ----------
        phi_cells, first_cell
            As in the table, of the same shapes.
        """
        return self.with_same_axes(series=self.series, phi_cells=phi_cells, first_cell=first_cell)

    @cached_property
    def series(self) -> object:
        """Shared by tables that `turned` made of one another: only orientations differ."""
        return object()


@dataclass(frozen=True)
class FactorTable(Table):
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
        Interpolate where the table has the neighbours which that takes.
    stops : bool
        The first step which leaves the table ends interpolation for all later ones (quirk Q23).
    """

    table: Annotated[np.ndarray, Axes("channels", "h", "k", "l")]
    first: tuple[int, int, int]
    default: float
    is_constant: bool
    interpolate: bool
    stops: bool = True

    @cached_property
    def owner(self) -> np.ndarray:
        """The array of which the table is a view, and which the experiment keeps."""
        return self.table if self.table.base is None else self.table.base

    @cached_property
    def address(self) -> int:
        """Where the table begins in memory."""
        return int(self.table.ctypes.data)

    @cached_property
    def largest(self) -> float:
        """The largest structure factor (electrons), or 1 if all are zero."""
        if self.is_constant:
            return abs(self.default) or 1.0
        return float(max(self.table.max(), -self.table.min())) or 1.0


@dataclass(frozen=True)
class RenderPlan(Table):
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
    capture_use, polar_use, omega_use : Use
        How absorption, polarization and solid angle enter the sum.
    dmin : float
        Steps beyond this resolution (m) are skipped; 0 for no limit.
    background : ndarray, shape (n_shots,)
        What each pixel's sum starts with.
    ray_background : ndarray, shape (n_shots,)
        What each ray adds, multiplied by the same factors as its terms; where there are any.
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

    def __post_init__(self) -> None:
        self._check_axes()
        sources = self.sources
        if len(sources.channel) and not (
            sources.channel.min() >= 0 and sources.channel.max() < len(self.factors.table)
        ):
            raise ModelError("render plan: a source uses structure factors that are not there")

    def _check_axes(self) -> None:
        check_axes(self, dict(zip(("shots", "panels", "slow", "fast"), self.shape, strict=True)))

    def with_crystals(self, crystals: CrystalTable) -> RenderPlan:
        """A plan like this one, with other crystals; it is checked again only where it must be."""
        changed = self.with_same_axes(series=self.series, crystals=crystals)
        is_turned = crystals.series is self.crystals.series
        if not is_turned and not same_shapes(crystals, self.crystals):
            changed._check_axes()
        return changed

    @cached_property
    def series(self) -> object:
        """Shared by plans that `with_crystals` made of one another: only crystals differ."""
        return object()

    @property
    def uses(self) -> tuple[Use, Use, Use]:
        """How absorption, polarization and solid angle enter the sum."""
        return self.capture_use, self.polar_use, self.omega_use

    def refuse_panels(self, purpose: str) -> None:
        """Refuse several shots or panels where only one of each is known.

        Parameters
        ----------
        purpose : str
            What they are refused for.

        Raises
        ------
        ModelError
            If there are several.
        """
        if self.shape[:2] != (1, 1):
            raise ModelError(
                f"{purpose}: {self.shape[0]} shots of {self.shape[1]} panels; one shot of one "
                "panel is possible so far"
            )

    def refuse_channels(self, purpose: str) -> None:
        """Refuse several channels of structure factors where only one is known.

        Parameters
        ----------
        purpose : str
            What they are refused for.

        Raises
        ------
        ModelError
            If there are several.
        """
        if len(self.factors.table) > 1:
            raise ModelError(
                f"{purpose}: {len(self.factors.table)} channels of structure factors; one is "
                "possible so far"
            )

    @property
    def is_whole(self) -> bool:
        """Whether every pixel is computed."""
        whole = (slice(0, self.shape[2]), slice(0, self.shape[3]))
        return self.mask is None and (self.rows, self.columns) == whole

    @property
    def n_region(self) -> int:
        """Pixels in the region, masked ones included."""
        rows = max(self.rows.stop - self.rows.start, 0)
        return rows * max(self.columns.stop - self.columns.start, 0)
