"""Photons scattered into the pixels, in blocks of rows that bound the memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cupysim.constants import CLASSICAL_ELECTRON_RADIUS_SQUARED
from cupysim.maths.arrays import dot_of, unit
from cupysim.maths.detector_geometry import (
    Bend,
    bend,
    mirrored_bend,
    pixel_position,
    sub_pixel_centre,
)
from cupysim.maths.pixel_factors import solid_angle
from cupysim.maths.polarization import polarization_factor
from cupysim.models.sources import Sources
from cupysim.nonbragg.frame import Frame
from cupysim.nonbragg.sample import Sample
from cupysim.nonbragg.table import ScatteringTable, Walk

PIXELS_AT_ONCE = 2**14
"""Pixels of a block: their numbers fit the processor's cache."""


@dataclass(frozen=True, eq=False)
class Scattering:
    """The experiment from which photons are computed.

    Parameters
    ----------
    frame : Frame
        Size and place of the detector.
    sample : Sample
        The sample.
    sources : Sources
        Sources of the beam.
    table : ScatteringTable
        Structure factors.
    kahn : float, optional
        Kahn factor; None for no polarization factor.
    polarization : ndarray, shape (3,)
        Polarization axis, unit vector.
    oversample : int
        Sub-pixels along an edge.
    is_curved, is_point_pixel : bool
        Whether the detector is curved, and whether pixels are points.
    is_map : bool
        Whether pixels are structure factors instead of photons.
    has_sign : bool
        Whether a negative structure factor gives negative photons (NBQ14).
    """

    frame: Frame
    sample: Sample
    sources: Sources
    table: ScatteringTable
    kahn: float | None
    polarization: np.ndarray
    oversample: int = 1
    is_curved: bool = False
    is_point_pixel: bool = False
    is_map: bool = False
    has_sign: bool = True

    @property
    def n_steps(self) -> int:
        """Number of sub-pixels and sources."""
        return len(self.sources.wavelengths) * self.oversample**2


@dataclass
class Ray:
    """Scattering from one source into one sub-pixel of each pixel of a block.

    Parameters
    ----------
    source : int
        Number of the source.
    position : list of 3 ndarray, shape (n,)
        Position of the sub-pixels (m).
    s : ndarray, shape (n,)
        sin(theta)/lambda (1/m).
    polar, omega : ndarray, shape (n,)
        Polarization factor, and solid angle (sr).
    """

    source: int
    position: list[np.ndarray]
    s: np.ndarray
    polar: np.ndarray
    omega: np.ndarray


@dataclass
class Block:
    """Some rows of the region that is rendered.

    Parameters
    ----------
    rows, columns : slice
        Their place in the image.
    photons : ndarray of float32, shape (n_rows, n_columns)
        Photons, or structure factors.
    total : ndarray, shape (n,)
        Sum of the terms of each pixel.
    omega_sum : ndarray, shape (n,)
        Sum of the solid angles of the sub-pixels (sr).
    last : Ray
        The last ray.
    place : ndarray of int, shape (n,)
        Place of the last ray in the table.
    factors : ndarray, shape (n,)
        Structure factors of the last ray (electrons).
    is_beyond : ndarray of bool, shape (n,)
        Whether any ray is beyond the ends of the table.
    """

    rows: slice
    columns: slice
    photons: np.ndarray
    total: np.ndarray
    omega_sum: np.ndarray
    last: Ray
    place: np.ndarray
    factors: np.ndarray
    is_beyond: np.ndarray


def blocks(scattering: Scattering, region: tuple[slice, slice]) -> Iterator[Block]:
    """Render a region.

    Parameters
    ----------
    scattering : Scattering
        The experiment.
    region : tuple of 2 slice
        Rows and columns of the region.

    Yields
    ------
    Block
        Rows in their order. A pixel does not depend on the size of the blocks.
    """
    rows, columns = region
    n_columns = columns.stop - columns.start
    walk = None if scattering.table.is_ascending else Walk(scattering.table)
    pixels = PIXELS_AT_ONCE if walk is None else PIXELS_AT_ONCE // scattering.n_steps
    step = max(pixels // max(n_columns, 1), 1)
    for first in range(rows.start, rows.stop, step):
        some = slice(first, min(first + step, rows.stop))
        yield _render(scattering, some, columns, walk)


def _render(scattering: Scattering, rows: slice, columns: slice, walk: Walk | None) -> Block:
    slow = np.arange(rows.start, rows.stop, dtype=np.float64)
    fast = np.arange(columns.start, columns.stop, dtype=np.float64)
    shape = len(slow), len(fast)
    slow, fast = np.repeat(slow, shape[1]), np.tile(fast, shape[0])
    table, walked = scattering.table, None
    if walk is not None:
        values = np.stack([ray.s for ray in _rays(scattering, fast, slow)], axis=1)
        walked = walk.places(values)
    total, omega_sum = np.zeros(len(fast)), np.zeros(len(fast))
    is_beyond = np.zeros(len(fast), dtype=bool)
    n_sources = len(scattering.sources.wavelengths)
    for step, ray in enumerate(_rays(scattering, fast, slow)):
        place = table.places(ray.s) if walked is None else walked[:, step]
        factors = table.factors(ray.s, place)
        amplitudes = np.abs(factors) if scattering.has_sign else factors
        terms = factors * amplitudes * ray.polar * ray.omega
        total += terms * scattering.sources.brightness[ray.source]
        if step % n_sources == 0:
            omega_sum += ray.omega
        is_beyond |= table.is_beyond(ray.s)
    sample = scattering.sample
    photons = total * CLASSICAL_ELECTRON_RADIUS_SQUARED * sample.fluence * sample.molecules
    photons = factors if scattering.is_map else photons / scattering.n_steps
    image = photons.astype(np.float32).reshape(shape)
    return Block(rows, columns, image, total, omega_sum, ray, place, factors, is_beyond)


def _rays(scattering: Scattering, fast: np.ndarray, slow: np.ndarray) -> Iterator[Ray]:
    """All rays into some pixels, in nonBragg's order."""
    frame, oversample = scattering.frame, scattering.oversample
    panel, pixel = frame.panel, frame.pixel_size
    axes = np.stack([panel.fast, panel.slow, panel.normal])
    area = 1.0 if scattering.is_point_pixel else pixel * pixel
    bending: Bend | None = None
    if scattering.is_curved:
        bending = mirrored_bend(panel.distance, frame.beam, panel.fast, panel.slow)
    for sub_slow in range(oversample):
        along_slow = sub_pixel_centre(slow, sub_slow, oversample, pixel)
        for sub_fast in range(oversample):
            along_fast = sub_pixel_centre(fast, sub_fast, oversample, pixel)
            position = pixel_position(along_fast, along_slow, 0.0, axes, panel.origin)
            if bending is not None:
                bent = bend(position, bending)
                position = [bent[:, 0], bent[:, 1], bent[:, 2]]
            airpath = _length(position)
            omega = solid_angle(area, airpath, panel.close_distance, scattering.is_point_pixel)
            yield from _rays_of_sources(scattering, position, airpath, omega)


def _rays_of_sources(
    scattering: Scattering, position: list[np.ndarray], airpath: np.ndarray, omega: np.ndarray
) -> Iterator[Ray]:
    """The rays of all sources into a sub-pixel of each pixel.

    nonBragg's polarization routine normalises the direction to the pixel in place, so that it
    differs in its last bits from source to source.
    """
    sources, polar = scattering.sources, np.ones(len(airpath))
    diffracted = [x / airpath for x in position]
    for number, incident in enumerate(sources.incident):
        wavelength = sources.wavelengths[number]
        s = 0.5 * _length([(d - i) / wavelength for d, i in zip(diffracted, incident, strict=True)])
        if scattering.kahn is not None:
            length = _length(diffracted)
            diffracted = [d / length for d in diffracted]
            polar = polarization_factor(
                scattering.kahn, unit(incident), diffracted, scattering.polarization
            )
        yield Ray(number, position, s, polar, omega)


def _length(vector: list[np.ndarray]) -> np.ndarray:
    x, y, z = vector
    return np.asarray(np.sqrt(dot_of((x, y, z), (x, y, z))))
