"""Scattering of beamstops, and of matter in front of the crystal and behind it, as an image.

The image is a sum over places along the beam. At each, the geometry is that of a detector which is
closer or farther. The image is smooth, so it is computed at some pixels and interpolated.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cupysim.errors import CupysimWarning, ModelError
from cupysim.maths.absorption import slab_transmission
from cupysim.maths.arrays import unit
from cupysim.maths.interpolation_smooth import interpolated
from cupysim.maths.polarization import polarization_form, polarization_of_form
from cupysim.models.absorber_parameters import ABSORPTION_SIZE
from cupysim.models.attenuation import Beamstop
from cupysim.models.background import Amorphous
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel
from cupysim.models.panel_motion import motion_of
from cupysim.models.parameters import OF_ONE_PANEL, changed, current
from cupysim.models.polarization_parameters import STOKES
from cupysim.models.source_parameters import WIDTHS
from cupysim.plan.attenuation import warn_of_mean_wavelength
from cupysim.plan.last_result import LastResult
from cupysim.quirks import Quirk

PLACES = 16
"""Number of places along the beam, of Gauss-Legendre quadrature between two beamstops."""

ROWS_AT_ONCE = 16
"""Rows of pixels that are computed together; few, so that they fit the cache."""

NODES_OF_INTERVAL = 10
"""Number of computed pixels within the shortest interval of a table of F."""

STEP = 1e-6
"""Change of a length (m) or angle (rad) of the detector for central differences."""

OF_WIDTH = 1e-4
"""Relative change of the wavelength, of bandwidths, and of the size of an absorber."""

OF_STOKES = 0.01
"""Change of Stokes parameters."""

LARGEST_SPACING, SPACING_OF_SHADOWS = 8, 2
"""Largest distance between computed pixels (pixels): without a beamstop, and with its shadow."""


_last: LastResult[np.ndarray] = LastResult()
"""Image of the last experiment, for other crystals and the next shots."""


def path_image(experiment: Experiment) -> np.ndarray | None:
    """Photons from beamstops, and from matter that has a beginning along the beam.

    Parameters
    ----------
    experiment : Experiment
        The experiment.

    Returns
    -------
    ndarray of float32, shape (n_panels, n_slow, n_fast), or None
        Expected photons; None if there is no such matter.

    Raises
    ------
    ModelError
        If the detector is curved, or matter reaches it.
    """
    detector = experiment.detector
    if not any(_scatterers(experiment)):
        return None
    if isinstance(detector, Detector) and detector.curved:
        raise ModelError("matter along the beam: not possible with a curved detector")
    key = (
        experiment.backgrounds, experiment.background_scale, experiment.beam, detector,
        experiment.attenuators, experiment.policy,
    )  # fmt: skip
    kept = _last.of(key)
    if kept is not None:
        return kept
    warn_of_mean_wavelength(experiment, "matter along the beam")
    found = _image(experiment, _spacings(experiment), np.float32)
    found.setflags(write=False)
    return _last.keep(found, key)


def path_slopes(experiment: Experiment, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Derivatives of `path_image`, by central differences.

    Parameters
    ----------
    experiment : Experiment
        Experiment with such matter.
    names : sequence of str
        Names of parameters.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_panels, n_slow, n_fast)
        Derivatives (photons over the SI unit of the parameter) with respect to the geometry of the
        detector, wavelength and bandwidth, polarization, and the size of an absorbing sample. Other
        parameters have no entry.
    """
    found: dict[str, np.ndarray] = {}
    spacings = _spacings(experiment)
    for name in names:
        start, step = experiment, _step(experiment, name)
        if step == 0.0:
            continue
        if name in STOKES:
            # photons depend linearly on them; from an unpolarized beam, both changes are possible
            beam = replace(experiment.beam, polarization=0.0, stokes=np.zeros(2))
            start = replace(experiment, beam=beam)
        with warnings.catch_warnings():
            # the experiment itself has warned
            warnings.simplefilter("ignore", CupysimWarning)
            less, more = (
                _image(changed(start, name, by), spacings, np.float64) for by in (-step, step)
            )
        found[name] = (more - less) / (2.0 * step)
    return found


def _step(experiment: Experiment, name: str) -> float:
    """Change of a parameter for central differences; zero if the image does not depend on it."""
    if name in OF_ONE_PANEL or motion_of(name) is not None:
        return STEP
    if name in ("wavelength", *WIDTHS, ABSORPTION_SIZE):
        return OF_WIDTH * current(experiment, name)
    return OF_STOKES if name in STOKES else 0.0


def _scatterers(experiment: Experiment) -> tuple[list[Amorphous], list[Beamstop]]:
    """Matter along the beam, and beamstops that scatter."""
    matter = [each for each in experiment.backgrounds if each.begin is not None]
    return matter, [each for each in beamstops(experiment) if each.matter is not None]


def _spacings(experiment: Experiment) -> list[int]:
    """Distances between computed pixels, for each panel (pixels)."""
    matter, scattering = _scatterers(experiment)
    placed = [*matter, *map(_placed, scattering)]
    return [_spacing(experiment, placed, panel) for panel in experiment.flat_panels]


def _image(experiment: Experiment, spacings: Sequence[int], dtype: type) -> np.ndarray:
    """Photons of all pixels, interpolated between those that are computed."""
    matter, scattering = _scatterers(experiment)
    panels, detector = experiment.flat_panels, experiment.detector
    found: np.ndarray = np.zeros((len(panels), detector.n_slow, detector.n_fast), dtype)
    for panel, image, spacing in zip(panels, found, spacings, strict=True):
        slow, fast = np.arange(panel.n_slow) + 0.5, np.arange(panel.n_fast) + 0.5
        nodes = [_nodes(places, spacing) for places in (slow, fast)]
        coarse = np.concatenate(
            [
                sum(_photons(experiment, each, panel, (rows, nodes[1])) for each in matter)
                + sum(_of_stop(experiment, each, panel, (rows, nodes[1])) for each in scattering)
                for rows in np.array_split(nodes[0], -(-len(nodes[0]) // ROWS_AT_ONCE))
            ]
        )
        photons = interpolated(coarse, nodes, slow, fast)
        image[: panel.n_slow, : panel.n_fast] = experiment.background_scale * photons
    return found


def _spacing(experiment: Experiment, matter: Sequence[Amorphous], panel: Panel) -> int:
    """Distance between computed pixels (pixels): F must be smooth between them."""
    largest = SPACING_OF_SHADOWS if beamstops(experiment) else LARGEST_SPACING
    last = max((each.begin or 0.0) + each.thickness for each in matter)
    # no ray is shorter than the distance of the panel's plane
    shortest = max(abs(panel.close_distance) - max(last, 0.0), max(panel.edges))
    step = max(panel.edges) / (2.0 * experiment.sources.mean_wavelength * shortest)
    intervals = [np.diff(each.stol).min() for each in matter if len(each.stol) > 1]
    finest = min(intervals, default=np.inf)
    return int(np.clip(finest / (NODES_OF_INTERVAL * step), 1, largest))


def _nodes(places: np.ndarray, spacing: int) -> np.ndarray:
    """Some of the places, the first and the last among them."""
    return np.linspace(places[0], places[-1], -(-(len(places) - 1) // spacing) + 1)


def _photons(
    experiment: Experiment, matter: Amorphous, panel: Panel, nodes: Sequence[np.ndarray]
) -> np.ndarray:
    """Photons at some pixels: the integral along the beam, up to where a beamstop hides it."""
    assert matter.begin is not None
    end = matter.begin + matter.thickness
    beam = unit(experiment.frame.beam)
    rows, columns = np.meshgrid(*nodes, indexing="ij")
    position = panel.position(columns, rows)
    stops = beamstops(experiment)
    edges = [matter.begin, *(each.distance for each in stops), end]
    edges = [edge for edge in edges if matter.begin <= edge <= end]
    total = np.zeros(position.shape[:2])
    for first, last in itertools.pairwise(edges):
        # stops at or before `first` weaken the beam; those at or behind `last` hide pixels
        passed = math.prod(stop.passed for stop in stops if stop.distance <= first)
        ahead = [stop for stop in stops if stop.distance >= last]
        hidden = [np.clip(_hidden_from(stop, position, beam), first, last) for stop in ahead]
        for hiding in itertools.product((False, True), repeat=len(ahead)):
            # between the places where these stops, and no others, hide a pixel
            begin, until = np.full_like(total, first), np.full_like(total, last)
            weight = passed
            for hides, stop, place in zip(hiding, ahead, hidden, strict=True):
                begin = np.maximum(begin, place) if hides else begin
                until = until if hides else np.minimum(until, place)
                weight *= stop.passed if hides else 1.0
            if weight > 0.0:
                total += weight * _integral(
                    experiment, matter, panel, position, begin, np.maximum(until, begin)
                )
    return total


def beamstops(experiment: Experiment) -> list[Beamstop]:
    """The beamstops of an experiment, in the order in which the beam reaches them."""
    found = [each for each in experiment.attenuators if isinstance(each, Beamstop)]
    return sorted(found, key=lambda stop: stop.distance)


def _placed(stop: Beamstop) -> Amorphous:
    """The matter of a beamstop as matter along the beam."""
    assert stop.matter is not None
    return replace(stop.matter, begin=stop.distance)


def _of_stop(
    experiment: Experiment, stop: Beamstop, panel: Panel, nodes: Sequence[np.ndarray]
) -> np.ndarray:
    """Photons that a beamstop scatters from the direct beam into some pixels.

    The disc absorbs them on the way in and out, as a slab does. Its thickness is small compared
    with its distance from the detector.
    """
    beam = unit(experiment.frame.beam)
    rows, columns = np.meshgrid(*nodes, indexing="ij")
    position, matter = panel.position(columns, rows), stop.matter
    assert matter is not None
    from_stop = position - stop.distance * beam
    cosine = from_stop @ beam / np.sqrt((from_stop**2).sum(axis=-1))
    weight = slab_transmission(stop.depth, cosine)
    for other in beamstops(experiment):
        if other is stop:
            continue
        if other.distance <= stop.distance:
            weight = weight * other.passed
        else:
            hidden = _hidden_from(other, position, beam) <= stop.distance
            weight = weight * np.where(hidden, other.passed, 1.0)
    place = np.full(position.shape[:2], stop.distance)
    return matter.thickness * weight * _at(experiment, matter, panel, position, place)


def _hidden_from(stop: Beamstop, position: np.ndarray, beam: np.ndarray) -> np.ndarray:
    """Places along the beam from which on a beamstop hides pixels (m); infinite if it never does.

    A ray from a place z passes the plane of the stop at r (d - z)/(L - z) from the beam. Here L and
    r are the coordinates of the pixel along the beam and across it, and d is the distance of the
    stop. It is hidden if this is at most the radius.
    """
    along = position @ beam
    across = np.sqrt(np.maximum((position**2).sum(axis=-1) - along**2, 0.0))
    radius = 0.5 * stop.diameter
    beside = across > radius
    margin = np.where(beside, across - radius, 1.0)
    place = (across * stop.distance - radius * along) / margin
    place = np.where(beside, place, -np.inf)
    # pixels between the matter and the stop are not in its shadow
    return np.asarray(np.where(along <= stop.distance, np.inf, place))


def _integral(
    experiment: Experiment,
    matter: Amorphous,
    panel: Panel,
    position: np.ndarray,
    begin: np.ndarray,
    end: np.ndarray,
) -> np.ndarray:
    """Photons from the matter between two places, which may differ from pixel to pixel."""
    total = np.zeros_like(begin)
    middle, half = 0.5 * (begin + end), 0.5 * (end - begin)
    if not half.any():
        return total
    for abscissa, share in zip(*np.polynomial.legendre.leggauss(PLACES), strict=True):
        total += share * half * _at(experiment, matter, panel, position, middle + half * abscissa)
    return total


def _at(
    experiment: Experiment,
    matter: Amorphous,
    panel: Panel,
    from_crystal: np.ndarray,
    place: np.ndarray,
) -> np.ndarray:
    """Photons for each metre of matter at places along the beam (m), without beamstops."""
    beam, sources = unit(experiment.frame.beam), experiment.sources
    position = from_crystal - place[..., None] * beam
    distance = np.sqrt((position**2).sum(axis=-1))
    normal = np.asarray(panel.axes[2])
    close = float(np.asarray(panel.origin) @ normal) - place * float(beam @ normal)
    if (close * panel.close_distance <= 0.0).any():
        worst = 1e3 * float(place.max())
        raise ModelError(
            f"matter along the beam (also a beamstop's): at {worst:g} mm it is behind a panel"
        )
    direction = position / distance[..., None]
    q = (direction - beam) / sources.mean_wavelength
    stol = 0.5 * np.sqrt((q**2).sum(axis=-1))
    factor = matter.factor(stol)
    weight = np.ones_like(stol)
    if experiment.beam.polarized:
        kahn, axis = experiment.beam.mean_polarization(experiment.frame, sources)
        (form,) = polarization_form(kahn, beam[None], axis)
        weight = polarization_of_form(form, tuple(np.moveaxis(direction, -1, 0)))
    detector = experiment.detector
    has_area = experiment.corrects(Quirk.POINT_PIXEL_AREA) or not detector.point_pixel
    weight = weight * (panel.pixel_area if has_area else 1.0) / distance**2
    if not detector.point_pixel:
        weight = weight * np.abs(close) / distance
    sensor = panel.sensor
    if sensor.layers.range > 0.0:
        cosine = np.abs(direction @ panel.axes[2])
        thickness = sensor.layers.step * sensor.layers.count
        weight = weight * -np.expm1(-thickness * sensor.attenuation / cosine)
    for each in experiment.attenuators:
        if not isinstance(each, Beamstop):
            weight = weight * each.fraction(position, beam)
    scattering = matter.molecules / matter.thickness * factor * np.abs(factor)
    return np.asarray(experiment.beam.photons_per_squared_electron * scattering * weight)
