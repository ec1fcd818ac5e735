"""Fractions of the scattered photons that reach the pixels."""

from __future__ import annotations

import warnings

import numpy as np

from cupysim.errors import CupysimWarning, ModelError
from cupysim.models.attenuation import Beamstop
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.plan.last_result import LastResult

PARTS = 4
"""Number of points along each edge of a pixel over which the edge of a shadow is averaged."""

ROWS_AT_ONCE = 64
"""Rows of pixels that are computed together; few, to save memory."""


WIDE = 0.02
"""Largest relative difference of a wavelength from the mean that needs no warning."""


def warn_of_mean_wavelength(experiment: Experiment, what: str) -> None:
    """Warn if something is computed at the mean wavelength, and wavelengths differ much.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    what : str
        What is computed, for the message.
    """
    ratios = experiment.sources.wavelengths / experiment.sources.mean_wavelength
    widest = float(np.abs(ratios - 1.0).max())
    if widest > WIDE:
        warnings.warn(
            CupysimWarning(
                f"{what}: computed at the mean wavelength, from which some wavelengths differ by "
                f"{100 * widest:.2g} %"
            ),
            stacklevel=2,
        )


_last: LastResult[np.ndarray] = LastResult()
"""Fractions of the last detector with its attenuators, for the next shots."""


def pixel_fractions(experiment: Experiment) -> np.ndarray | None:
    """Fraction of the photons that pass all attenuators, for each pixel.

    Parameters
    ----------
    experiment : Experiment
        The experiment.

    Returns
    -------
    ndarray of float32, shape (n_panels, n_slow, n_fast), or None
        The fractions; None without attenuators.

    Raises
    ------
    ModelError
        If the detector is curved.
    """
    attenuators, detector = experiment.attenuators, experiment.detector
    if not attenuators:
        return None
    key = attenuators, experiment.policy
    kept = _last.of([detector], key)
    if kept is not None:
        return kept
    found = compute_fractions(experiment, np.float32)
    found.setflags(write=False)
    return _last.keep(found, [detector], key)


def compute_fractions(experiment: Experiment, kind: type[np.floating]) -> np.ndarray:
    """Compute the fractions of `pixel_fractions`.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    kind : dtype
        Type of the numbers.

    Returns
    -------
    ndarray, shape (n_panels, n_slow, n_fast)
        The fractions; 1 outside panels that are smaller than the largest.

    Raises
    ------
    ModelError
        If the detector is curved.
    """
    attenuators, detector = experiment.attenuators, experiment.detector
    if isinstance(detector, Detector) and detector.curved:
        raise ModelError("attenuators: not possible with a curved detector")
    beam = np.asarray(experiment.frame.beam, dtype=np.float64)
    # only shadows have edges within pixels
    parts = PARTS if any(isinstance(each, Beamstop) for each in attenuators) else 1
    places = (np.arange(parts) + 0.5) / parts
    without_shadow = {each for each in attenuators if isinstance(each, Beamstop)}
    found = np.ones((len(experiment.flat_panels), detector.n_slow, detector.n_fast), kind)
    for panel, fractions in zip(experiment.flat_panels, found, strict=True):
        for first in range(0, panel.n_slow, ROWS_AT_ONCE):
            rows = np.arange(first, min(first + ROWS_AT_ONCE, panel.n_slow))
            total = np.zeros((len(rows), panel.n_fast))
            for down in places:
                for along in places:
                    slow, fast = np.meshgrid(
                        rows + down, np.arange(panel.n_fast) + along, indexing="ij"
                    )
                    position = panel.position(fast, slow)
                    product = np.ones_like(total)
                    for each in attenuators:
                        passed = each.fraction(position, beam)
                        if isinstance(each, Beamstop) and (passed < 1.0).any():
                            without_shadow.discard(each)
                        product *= passed
                    total += product
            fractions[rows, : panel.n_fast] = total / parts**2
    for each in without_shadow:
        if each.passed < 1.0:
            warnings.warn(
                CupysimWarning(
                    f"the beamstop {1e3 * each.distance:g} mm from the sample, with a diameter of "
                    f"{1e3 * each.diameter:g} mm, has no shadow on the detector"
                ),
                stacklevel=2,
            )
    return found
