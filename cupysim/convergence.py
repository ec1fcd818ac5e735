"""Numbers of domains, spindle angles and wavelengths that an image needs: a convergence test."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

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


class Steps(NamedTuple):
    """Numbers of mosaic domains, of spindle angles, and of wavelengths of a spectrum."""

    domains: int
    angles: int
    wavelengths: int


FEWEST = Steps(4, 2, 8)
"""Numbers with which the test begins. Evenly spaced domains come in pairs."""

WHILE_OTHERS = Steps(64, 2, 16)
"""Numbers of the steps that are not chosen yet, while others are chosen."""

FIRST_LOOK = Steps(64, 32, 16)
"""Numbers with which spots are predicted."""

MOST_SPOTS, REACH = 100, 4
"""Number of the strongest spots that are looked at, and pixels on each side of them."""

COVERED = 1e-6
"""Largest difference between a range and its steps, relative to the range, that is rounding."""

MOST = 2**14
"""Largest number of steps of one kind that is tried."""

WITHIN = 0.02
"""Default for the largest change of an image."""


def converged(
    experiment: Experiment,
    within: float = WITHIN,
    *,
    domains: bool = True,
    angles: bool = True,
    wavelengths: bool = True,
    backend: str = "auto",
    threads: int | None = None,
    devices: Sequence[int] | None = None,
) -> Experiment:
    """Return the experiment with enough mosaic domains, spindle angles and wavelengths.

    The numbers are doubled until the image changes by less than a given part. Only pixels near the
    strongest predicted spots are compared, with half of the default's sub-pixels.

    Parameters
    ----------
    experiment : Experiment
        Experiment with one crystal. Its numbers of domains and angles do not matter. A spectrum is
        merged to the wavelengths that the image needs (`Spectrum.reduced`), so give one with many.
    within : float, optional
        Largest change by a doubling: the sum of all absolute differences of pixels, divided by the
        sum of these pixels. Background and the reflection 0 0 0 do not count.
    domains, angles, wavelengths : bool, optional
        Which numbers to choose. A crystal without mosaicity has one domain, and a still has one
        angle. Only the wavelengths of a spectrum are chosen, not those of a dispersion.
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

    spectrum = experiment.beam.spectrum
    which = domains and varies, angles and sweep.range != 0.0, wavelengths and spectrum is not None

    def with_numbers(steps: Steps) -> Experiment:
        crystal, scan, beam = experiment.crystal, experiment.scan, experiment.beam
        if which[0]:
            other = Mosaicity.aligned(steps.domains)
            if mosaicity.domain_model is not None:
                other = Mosaicity.of(replace(mosaicity.domain_model, n_domains=steps.domains))
            crystal = replace(crystal, mosaicity=other)
        if which[1]:
            sampled = Sweep(sweep.range, sweep.range / steps.angles, steps.angles)
            scan = replace(scan, sweep=sampled)
        if which[2] and spectrum is not None:
            beam = replace(beam, spectrum=spectrum.reduced(steps.wavelengths))
        return replace(experiment, crystal=crystal, scan=scan, beam=beam)

    with Renderer(backend, threads=threads, devices=devices) as renderer:
        return with_numbers(enough_steps(with_numbers, renderer, within, which))


def enough_steps(
    with_numbers: Callable[[Steps], Experiment],
    renderer: Renderer,
    within: float,
    which: tuple[bool, bool, bool],
) -> Steps:
    """Find numbers of steps whose doubling changes an image by less than a part.

    First the angles are doubled, with the domains and wavelengths of `WHILE_OTHERS`: more of these
    need no more angles. Then the wavelengths are doubled, and last the domains, always with the
    numbers that are chosen already.

    Parameters
    ----------
    with_numbers : callable
        Makes the experiment with these numbers of steps. With more wavelengths than the spectrum
        has, it has those of the spectrum.
    renderer : Renderer
        Renders the images.
    within : float
        Largest change of the image, see `converged`.
    which : tuple of 3 bool
        Which numbers of `Steps` to choose; the others are 1.

    Returns
    -------
    Steps
        The numbers.

    Raises
    ------
    CupysimError
        If the part is impossible, the image is empty, or it changes too much even with the largest
        numbers.
    """
    if not 0.0 < within < 1.0:
        raise CupysimError(f"convergence: the change must be between 0 and 1, got {within:g}")
    pixels = _pixels_of_spots(with_numbers(_where(which, FIRST_LOOK)))

    def image(numbers: Steps) -> np.ndarray:
        with warnings.catch_warnings():
            # the image itself warns again
            warnings.simplefilter("ignore", CupysimWarning)
            experiment = _cheaper(with_numbers(numbers), pixels)
            rendered = renderer.render_plan(renderer.plan(experiment)).image
        return np.asarray(rendered, dtype=np.float64)

    def doubled(steps: Steps, kind: str) -> Steps:
        count = getattr(FEWEST, kind)
        last = image(steps._replace(**{kind: count}))
        while 2 * count <= MOST:
            count *= 2
            finer = image(steps._replace(**{kind: count}))
            total = float(finer.sum())
            if not total > 0.0:
                raise CupysimError("convergence: the image has no spots")
            if float(np.abs(finer - last).sum()) <= within * total:
                return steps._replace(**{kind: count})
            last = finer
        raise CupysimError(
            f"convergence: with {MOST} {kind}, a doubling still changes the image by more than "
            f"{100 * within:g} %"
        )

    found = _where(which, WHILE_OTHERS)
    for kind in ("angles", "wavelengths", "domains"):
        if getattr(Steps(*which), kind):
            found = doubled(found, kind)
    return found


def _where(which: tuple[bool, bool, bool], steps: Steps) -> Steps:
    """The numbers that are chosen; 1 for the others."""
    return Steps(*(count if chosen else 1 for count, chosen in zip(steps, which, strict=True)))


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
