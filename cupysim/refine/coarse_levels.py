"""Search for the orientation with crystals of few cells, which have wide spots.

Wide spots overlap the spots of the image even if the orientation is wrong by many widths of narrow
spots. So the orientation is scanned with few cells. Then all parameters are fitted with more and
more cells. At each level, the image is blurred as much as the spots are widened.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cupysim.backends.rendered import GradientFunction
from cupysim.constants import ANGSTROM
from cupysim.errors import ModelError
from cupysim.maths.arrays import array_namespace
from cupysim.maths.resolution import resolution_of
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import DEGREE, GROUPS
from cupysim.refine import filters
from cupysim.refine.deviance import FEWEST
from cupysim.refine.observation import Observation
from cupysim.refine.problem import Problem

SCAN_STEPS = 3
"""Number of steps of the first scan, to either side of the start."""

SCAN_CANDIDATES = 3
"""Number of orientations that fits begin from at a time."""

NARROW_SPOT = 0.4
"""Standard deviation of a spot's profile, in units of its width 1/(N a)."""

OPENING = 3.0
"""Half the width of a filter that keeps what is wider than a spot, in standard deviations of the
spot's profile."""

FORWARD = 0.8
"""Pixels with a scattering vector below this times 1/(largest cell edge) are not used."""


class Level:
    """The least-squares problem for a crystal with fewer cells and an equally blurred image.

    The photons of the model are scaled to those of the image, because a crystal of another size
    has another scale.

    Parameters
    ----------
    experiment : Experiment
        Experiment with the start values.
    observation : Observation
        The measured image.
    names : sequence of str
        Names of the free parameters.
    differentiate : GradientFunction
        Function that computes photons and their derivatives.
    coarseness : float
        Divisor of the numbers of cells.
    """

    def __init__(
        self,
        experiment: Experiment,
        observation: Observation,
        names: Sequence[str],
        differentiate: GradientFunction,
        coarseness: float,
    ) -> None:
        sigma = spot_pixels(experiment, coarseness)
        counts, background = _spots_and_background(observation, sigma)
        # neighbouring pixels of a blurred image hold the same information
        stride = max(1, int(sigma))
        used = np.zeros_like(observation.used)
        used[::stride, ::stride] = observation.used[::stride, ::stride]
        experiment = replace(experiment, rendering=replace(experiment.rendering, mask=used))
        self.problem = Problem(
            experiment, Observation(counts, used), names, "squares", differentiate, coarseness,
            variances=counts + background + 1.0,
        )  # fmt: skip
        self._scales = [names.index(name) for name in ("scale", "fluence") if name in names]

    def correlation(self, x: np.ndarray) -> float:
        """Correlation of the model and the blurred image."""
        photons = self.problem.photons(x)
        counts, xp = self.problem.near.counts, array_namespace(photons)
        if not (xp.ptp(photons) > 0.0 and xp.ptp(counts) > 0.0):
            return 0.0
        return float(xp.corrcoef(photons, counts)[0, 1])

    def _scaled(self, x: np.ndarray) -> tuple[Any, Any]:
        photons, slopes = self.problem.model(x)
        weights, counts = self.problem.near.weights, self.problem.near.counts
        product = (weights * counts * photons).sum()
        scale = product / self._squares(photons)
        return scale * photons, scale * slopes

    def _squares(self, photons: Any) -> Any:
        xp = array_namespace(photons)
        return xp.maximum((self.problem.near.weights * photons**2).sum(), FEWEST)

    def residuals(self, x: np.ndarray) -> Any:
        """Weighted differences, shape (n_pixels,); infinite if the model is impossible."""
        try:
            photons, _ = self._scaled(x)
        except ModelError:
            return np.full(len(self.problem.counts), np.inf)
        weights, counts = self.problem.near.weights, self.problem.near.counts
        return (counts - photons) * array_namespace(photons).sqrt(weights)

    def jacobian(self, x: np.ndarray) -> Any:
        """Derivatives of the residuals, shape (n_pixels, n_parameters).

        The scale follows the other parameters: variable projection in the approximation of
        Kaufman (1975) BIT 15, 49.
        """
        photons, slopes = self._scaled(x)
        weights = self.problem.near.weights
        along = (weights * photons) @ slopes / self._squares(photons)
        slopes = slopes - photons[:, None] * along
        slopes[:, self._scales] = 0.0
        return -slopes * array_namespace(photons).sqrt(weights)[:, None]


def _spots_and_background(observation: Observation, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """The blurred image in two parts: spots, and the background that is wider than spots."""
    from scipy.ndimage import gaussian_filter, grey_opening

    used = observation.used.astype(np.float64)
    narrow, wide = (filters.sigmas(used.ndim, each) for each in (sigma, OPENING * sigma))
    weights = gaussian_filter(used, narrow)
    blurred = gaussian_filter(np.where(observation.used, observation.counts, 0.0), narrow)
    blurred /= np.maximum(weights, 1e-3)
    # gaps between used pixels must not look like dark holes
    filled = np.where(weights > 0.5, blurred, np.median(observation.counts[observation.used]))
    window = filters.sizes(used.ndim, 2 * int(OPENING * sigma) + 3)
    background = gaussian_filter(grey_opening(filled, size=window), wide)
    return np.maximum(blurred - background, 0.0), background


def levels(experiment: Experiment, search: float) -> list[float]:
    """Divisors of the numbers of cells, from large to small. The last one is 1."""
    if search <= 0.0:
        return [1.0]
    # so few cells that a step of the scan moves spots by half their width
    step = search / SCAN_STEPS * DEGREE
    lengths, counts = experiment.lattice.lengths, np.array(experiment.cell_counts)
    width = 1.0 / float((lengths * counts).max())
    wanted = _typical_scattering(experiment) * step * 2.0
    coarseness = max(wanted / width, 1.0)
    found = []
    while coarseness > 1.3:
        found.append(coarseness)
        coarseness /= 2.0
    return [*found, 1.0]


def scan_orientations(
    level: Level,
    names: tuple[str, ...],
    search: float,
    bounds: tuple[np.ndarray, np.ndarray],
    tell: Callable[[str], None],
) -> list[np.ndarray]:
    """Parameters at the orientations of a coarse grid, the best correlation first."""
    places = [names.index(name) for name in GROUPS["misset"]]
    offsets = np.linspace(-search, search, 2 * SCAN_STEPS + 1)
    found = []
    for turn in itertools.product(offsets, repeat=3):
        # the grid fills a ball, not a cube
        if np.linalg.norm(turn) > search * 1.01:
            continue
        x = np.zeros(len(names))
        x[places] = turn
        x = np.clip(x, bounds[0], bounds[1])
        found.append((level.correlation(x), x))
    found.sort(key=lambda pair: -pair[0])
    best = found[0]
    turned = ", ".join(f"{angle:+.3g}" for angle in best[1][places])
    tell(
        f"{len(found)} orientations within {search:g} deg: best correlation {best[0]:.3f} at "
        f"{turned} deg about x, y, z"
    )
    return [x for _, x in found]


def _typical_scattering(experiment: Experiment) -> float:
    """Median length of the scattering vectors of the image's pixels (1/Angstrom)."""
    return float(np.median(_scattering(experiment)))


def _scattering(experiment: Experiment) -> np.ndarray:
    """Length of the scattering vector of each pixel (1/Angstrom), in the shape of the image.

    Pixels of the array beyond a small panel are points of the panel's plane.
    """
    shape = experiment.image_shape
    slow, fast = np.indices(shape[-2:]) + 0.5
    beam, wavelength = experiment.frame.beam, experiment.beam.wavelength
    found = [
        ANGSTROM / resolution_of(panel.position(fast, slow), beam, wavelength)
        for panel in experiment.flat_panels
    ]
    return np.stack(found).reshape(shape)


def angular_width(experiment: Experiment) -> float:
    """Typical angle (degrees) that turns the crystal so far that spots move by their width."""
    lengths, counts = experiment.lattice.lengths, np.array(experiment.cell_counts)
    width = 1.0 / float((lengths * counts).max())
    return width / _typical_scattering(experiment) / DEGREE


def forward_pixels(experiment: Experiment) -> np.ndarray:
    """True for pixels so near the beam that the reflection 0 0 0 is brighter than all others."""
    largest = float(experiment.lattice.lengths.max())
    return _scattering(experiment) < FORWARD / largest


def spot_width(experiment: Experiment) -> float:
    """Width (pixels) of the spots of a crystal with all cells, at least 1."""
    return max(_width_pixels(experiment), 1.0)


def spot_pixels(experiment: Experiment, coarseness: float) -> float:
    """Standard deviation (pixels) of the blur that makes spots as wide as those of fewer cells."""
    return NARROW_SPOT * _width_pixels(experiment) * float(np.sqrt(coarseness**2 - 1.0))


def _width_pixels(experiment: Experiment) -> float:
    """Width 1/(N a) of a spot along the longest edge of the crystal, on the detector (pixels)."""
    lengths, counts = experiment.lattice.lengths, np.array(experiment.cell_counts)
    width = 1e10 / float((lengths * counts).max())  # 1/m
    detector = experiment.detector
    if isinstance(detector, Detector):
        reach = abs(experiment.geometry.distance) / detector.pixel_size
    else:
        reach = max(panel.close_distance / max(panel.edges) for panel in detector)
    return width * experiment.beam.wavelength * reach
