"""The sources of the beam: those of divergence and dispersion, or of a file."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cupysim.drop_ins.sweeps import complete_sweep
from cupysim.errors import ModelError
from cupysim.maths.arrays import cross, unit
from cupysim.models.sampling import Sweep
from cupysim.models.sources import (
    PLAUSIBLE_WAVELENGTHS,
    Sources,
    swept_sources,
    tabulated_sources,
)
from cupysim.nonbragg.arguments import Arguments
from cupysim.nonbragg.quirks import QUIRKS, NonbraggQuirk

WEIGHTS_DIFFER = 1e-9
"""Largest difference of the mean weight from 1 that may come from rounding."""


@dataclass(frozen=True, eq=False)
class Beam:
    """The beam: its sweeps and sources.

    Parameters
    ----------
    horizontal, vertical : Sweep
        Divergences (rad).
    dispersion : Sweep
        Bandwidth, relative to the wavelength.
    sources : Sources
        Sources. The report lists their weights, and the image depends on their brightness.
    """

    horizontal: Sweep
    vertical: Sweep
    dispersion: Sweep
    sources: Sources


def make_beam(args: Arguments, beam: np.ndarray, polarization: np.ndarray) -> Beam:
    """Make the beam, and warn of quirks.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    beam, polarization : ndarray, shape (3,)
        Directions of beam and polarization, unit vectors.

    Returns
    -------
    Beam
        The beam.

    Raises
    ------
    CupysimError
        If there are no sources, too many, or the file of sources is wrong.
    """
    horizontal = complete_sweep(
        args.hdiv_range, args.hdiv_step, args.hdiv_steps, "hdiv", tell=_tell_of_radian
    )
    vertical = complete_sweep(
        args.vdiv_range, args.vdiv_step, args.vdiv_steps, "vdiv", tell=_tell_of_radian
    )
    dispersion = complete_sweep(
        args.dispersion, None, args.dispersion_steps, "dispersion", tell=_tell_of_radian
    )
    if args.source_file is not None:
        sources = _tabulated(args, beam)
    else:
        sources = swept_sources(
            (horizontal, vertical, dispersion),
            args.wavelength,
            (beam, polarization, np.asarray(unit(cross(beam, polarization)))),
            args.round_divergence,
            args.source_distance,
        )
        sources = replace(sources, weights=sources.brightness)
    return Beam(horizontal, vertical, dispersion, sources)


def _tell_of_radian(effect: str, can_be_corrected: bool) -> None:
    QUIRKS.warn(NonbraggQuirk.ONE_RADIAN, effect, can_be_corrected)


def _tabulated(args: Arguments, beam: np.ndarray) -> Sources:
    from cupysim.formats import source_table

    assert args.source_file is not None
    positions, weights, wavelengths = tabulated_sources(
        source_table.read(args.source_file), beam, args.wavelength, args.source_distance
    )
    shortest, longest = PLAUSIBLE_WAVELENGTHS
    if wavelengths.min() < shortest or wavelengths.max() > longest:
        QUIRKS.warn(
            NonbraggQuirk.METRES_IN_SOURCES,
            f"{args.source_file}: wavelengths from {wavelengths.min():g} to "
            f"{wavelengths.max():g} m; the fifth column is in metres",
        )
    brightness = weights
    if args.corrects(NonbraggQuirk.WEIGHTS_NOT_NORMALISED):
        if not (weights.min() >= 0.0 and weights.any()):
            raise ModelError("sources: the weights must not be negative, nor all be zero")
        brightness = weights / weights.mean()
    elif abs(weights.mean() - 1.0) > WEIGHTS_DIFFER:
        QUIRKS.warn(
            NonbraggQuirk.WEIGHTS_NOT_NORMALISED,
            f"{args.source_file}: the mean of the weights, {weights.mean():g}, multiplies the "
            "image",
        )
    return Sources(positions, wavelengths, weights, brightness)
