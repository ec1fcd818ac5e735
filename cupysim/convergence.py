"""Numbers of mosaic domains and spindle angles that an image needs, by a convergence test."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cupysim.errors import CupysimError, CupysimWarning
from cupysim.models.background import Water
from cupysim.models.checks import finite
from cupysim.models.experiment import Experiment
from cupysim.models.mosaicity import Mosaicity
from cupysim.models.sampling import Sweep
from cupysim.plan.planning import make_plan
from cupysim.prediction.spots import predict_spots
from cupysim.renderer import Renderer

FEWEST_DOMAINS, FEWEST_ANGLES = 4, 2
"""Numbers with which the test begins. Evenly spaced domains come in pairs."""

DOMAINS_OF_ANGLES = 64
"""Number of domains with which the number of angles is chosen."""

FIRST_LOOK = 32
"""Number of angles with which spots are predicted."""

MOST_SPOTS, REACH = 100, 4
"""Number of the strongest spots that are looked at, and pixels on each side of them."""

COVERED = 1e-6
"""Largest difference between a range and its steps, relative to the range, that is rounding."""

MOST = 2**14
"""Largest number of domains, or of angles, that is tried."""

WITHIN = 0.02
"""Default for the largest change of an image."""


def converged(
    experiment: Experiment,
    within: float = WITHIN,
    *,
    domains: bool = True,
    angles: bool = True,
    backend: str = "auto",
    threads: int | None = None,
    devices: Sequence[int] | None = None,
) -> Experiment:
    """Return the experiment with enough mosaic domains and spindle angles.

    The numbers are doubled until the image changes by less than a given part. Only pixels near the
    strongest predicted spots are compared, with half of the default's sub-pixels.

    Parameters
    ----------
    experiment : Experiment
        Experiment with one crystal. Its numbers of domains and angles do not matter.
    within : float, optional
        Largest change by a doubling: the sum of all absolute differences of pixels, divided by the
        sum of these pixels. Background and the reflection 0 0 0 do not count.
    domains, angles : bool, optional
        Which numbers to choose. A crystal without mosaicity has one domain, and a still has one
        angle.
    backend, threads, devices : optional
        As for `cupysim.simulate`.

    Returns
    -------
    Experiment
        The experiment with the chosen numbers.

    Raises
    ------
    CupysimError
        If the domains are those of nanoBragg, which are random, or the image changes too much even
        with the largest numbers.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from cupysim import MosaicModel, Mosaicity, from_args
    >>> words = "-cell 70 80 90 -default_F 100 -N 5 -detpixels 32 -pixel 2 -corrected"
    >>> experiment = from_args(words)
    >>> mosaicity = Mosaicity.of(MosaicModel("normal", (0.01,), 2))
    >>> experiment = replace(experiment, crystal=replace(experiment.crystal, mosaicity=mosaicity))
    >>> converged(experiment, 0.05).crystal.mosaicity.n_domains
    64
    """
    if not isinstance(experiment, Experiment):
        raise CupysimError(f"converged: expected an Experiment, got a {type(experiment).__name__}")
    within = finite(within, "converged: within")
    mosaicity, sweep = experiment.crystal.mosaicity, experiment.scan.sweep
    covered = sweep.step * sweep.count
    if angles and abs(covered - sweep.range) > COVERED * abs(sweep.range):
        raise CupysimError(
            f"converged: the scan's {sweep.count} steps of {sweep.step:g} rad do not cover its "
            f"range of {sweep.range:g} rad"
        )
    if experiment.further_crystals:
        raise CupysimError("converged: possible for one crystal only")
    varies = mosaicity.n_domains > 1
    if domains and varies and mosaicity.domain_model is None and mosaicity.spread > 0.0:
        raise CupysimError(
            "converged: the number of random domains cannot be changed; use Mosaicity.of"
        )

    def with_numbers(n_domains: int, n_angles: int) -> Experiment:
        crystal, scan = experiment.crystal, experiment.scan
        if domains and varies:
            other = Mosaicity.aligned(n_domains)
            if mosaicity.domain_model is not None:
                other = Mosaicity.of(replace(mosaicity.domain_model, n_domains=n_domains))
            crystal = replace(crystal, mosaicity=other)
        if angles and sweep.range != 0.0:
            scan = replace(scan, sweep=Sweep(sweep.range, sweep.range / n_angles, n_angles))
        return replace(experiment, crystal=crystal, scan=scan)

    with Renderer(backend, threads=threads, devices=devices) as renderer:
        numbers = enough_steps(
            with_numbers, renderer, within, domains and varies, angles and sweep.range != 0.0
        )
    return with_numbers(*numbers)


def enough_steps(
    with_numbers: Callable[[int, int], Experiment],
    renderer: Renderer,
    within: float,
    domains: bool,
    angles: bool,
) -> tuple[int, int]:
    """Find numbers of domains and angles whose doubling changes an image by less than a part.

    First the angles are doubled, with `DOMAINS_OF_ANGLES` domains: more domains need no more
    angles. Then the domains are doubled, with the chosen number of angles.

    Parameters
    ----------
    with_numbers : callable
        Makes the experiment with numbers of domains and angles.
    renderer : Renderer
        Renders the images.
    within : float
        Largest change of the image, see `converged`.
    domains, angles : bool
        Which numbers to choose; the others are 1.

    Returns
    -------
    tuple of 2 int
        Numbers of domains and of angles.

    Raises
    ------
    CupysimError
        If the part is impossible, the image is empty, or it changes too much even with the largest
        numbers.
    """
    if not 0.0 < within < 1.0:
        raise CupysimError(f"convergence: the change must be between 0 and 1, got {within:g}")
    n_domains = DOMAINS_OF_ANGLES if domains else 1
    n_angles = FEWEST_ANGLES if angles else 1
    pixels = _pixels_of_spots(with_numbers(n_domains, FIRST_LOOK if angles else 1))

    def image(numbers: tuple[int, int]) -> np.ndarray:
        with warnings.catch_warnings():
            # the image itself warns again
            warnings.simplefilter("ignore", CupysimWarning)
            experiment = _cheaper(with_numbers(*numbers), pixels)
            rendered = renderer.render_plan(renderer.plan(experiment)).image
        return np.asarray(rendered, dtype=np.float64)

    def doubled(first: int, kind: str, numbers_of: Callable[[int], tuple[int, int]]) -> int:
        count, last = first, image(numbers_of(first))
        while 2 * count <= MOST:
            count, finer = 2 * count, image(numbers_of(2 * count))
            total = float(finer.sum())
            if not total > 0.0:
                raise CupysimError("convergence: the image has no spots")
            if float(np.abs(finer - last).sum()) <= within * total:
                return count
            last = finer
        raise CupysimError(f"convergence: {MOST} {kind} change by more than {100 * within:g} %")

    if angles:
        n_angles = doubled(n_angles, "spindle angles", lambda count: (n_domains, count))
    if domains:
        n_domains = doubled(FEWEST_DOMAINS, "domains", lambda count: (count, n_angles))
    return n_domains, n_angles


def _pixels_of_spots(experiment: Experiment) -> np.ndarray | None:
    """Pixels around the strongest spots; None for all, if no spots are predicted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        experiment = spots_alone(experiment)
        spots = predict_spots(make_plan(experiment))[:MOST_SPOTS]
    if len(spots) == 0:
        return None
    found = np.zeros(experiment.image_shape, dtype=bool)
    panels = found[None] if found.ndim == 2 else found
    for panel, fast, slow in zip(spots["panel"], spots["fast"], spots["slow"], strict=True):
        left, top = max(int(fast) - REACH, 0), max(int(slow) - REACH, 0)
        panels[panel, top : int(slow) + REACH + 1, left : int(fast) + REACH + 1] = True
    return found & experiment.rendered_pixels


def _cheaper(experiment: Experiment, pixels: np.ndarray | None) -> Experiment:
    """The experiment with half of the sub-pixels, which is enough, and only around the spots."""
    oversample = experiment.rendering.oversample or max(experiment.oversample // 2, 1)
    rendering = replace(experiment.rendering, oversample=oversample)
    if pixels is not None:
        rendering = replace(rendering, mask=pixels, region=None)
    return spots_alone(replace(experiment, rendering=rendering))


def spots_alone(experiment: Experiment) -> Experiment:
    """The experiment without background and without the reflection 0 0 0."""
    further = [
        each
        if each.structure_factors is None
        else replace(each, structure_factors=each.structure_factors.with_value((0, 0, 0), 0.0))
        for each in experiment.further_crystals
    ]
    return replace(
        experiment,
        water=Water(),
        backgrounds=(),
        structure_factors=experiment.structure_factors.with_value((0, 0, 0), 0.0),
        further_crystals=tuple(further),
    )
