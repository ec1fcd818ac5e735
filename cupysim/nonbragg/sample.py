"""The illuminated sample: its size, density and molecules, and the fluence on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.constants import AVOGADRO
from cupysim.nonbragg.arguments import Arguments
from cupysim.nonbragg.quirks import QUIRKS, NonbraggQuirk

GRAMS_PER_AREA = 300.0
"""Mass per area (g/m^2) above which a warning tells of absorption. Water of this mass absorbs about
10 % at one Angstrom: its mass attenuation coefficient is about 3 cm^2/g there. Absorption grows
approximately with the cube of the wavelength."""

LENGTH_OF_THAT = 1e-10
"""Wavelength (m) at which `GRAMS_PER_AREA` absorbs 10 %."""


@dataclass(frozen=True)
class Sample:
    """The illuminated sample.

    Parameters
    ----------
    thickness, height, width : float
        Size along x, y and z (m).
    density : float
        Density (g/m^3).
    molecules : float
        Number of molecules.
    fluence : float
        Fluence (photons/m^2).
    """

    thickness: float
    height: float
    width: float
    density: float
    molecules: float
    fluence: float


def illuminated(args: Arguments) -> Sample:
    """Find what the beam illuminates, and warn of quirks.

    Parameters
    ----------
    args : Arguments
        Values of the options.

    Returns
    -------
    Sample
        The sample. As in nonBragg, impossible options give numbers that are not finite.
    """
    height, width = clipped(args)
    if (height, width) != (args.sample_y, args.sample_z) and "beam_size" not in args.given:
        QUIRKS.warn(
            NonbraggQuirk.CLIPPED_SAMPLE,
            f"the sample is clipped to {1e3 * args.beam_size:g} mm, though no beam size is given; "
            "give -beamsize",
        )
    with np.errstate(all="ignore"):
        # unlike those of Python, divisions of NumPy by zero are no errors
        fluence, beam = np.float64(args.fluence), np.float64(args.beam_size)
        if args.flux != 0.0 and args.exposure > 0.0 and args.beam_size >= 0.0:
            fluence = args.flux * args.exposure / beam / beam
        volume = np.float64(args.sample_x) * height * width
        density, mass = np.float64(args.density), np.float64(args.molar_mass)
        if args.molecules != 0.0:
            density = args.molecules / volume / AVOGADRO * mass
        molecules = volume * density * AVOGADRO / mass
        grams = float(density * args.sample_x * (np.float64(args.wavelength) / LENGTH_OF_THAT) ** 3)
    if grams > GRAMS_PER_AREA:
        QUIRKS.warn(
            NonbraggQuirk.NO_ATTENUATION,
            f"{1e3 * args.sample_x:g} mm of {density / 1e6:g} g/cm^3 absorb nothing here; water of "
            f"the same mass would absorb about {100.0 * _absorbed(grams):.0f} %",
        )
    return Sample(args.sample_x, height, width, float(density), float(molecules), float(fluence))


def clipped(args: Arguments) -> tuple[float, float]:
    """Height and width of the sample (m), which the beam clips (NBQ1)."""
    is_free = args.beam_size < 0.0
    if "beam_size" not in args.given and args.corrects(NonbraggQuirk.CLIPPED_SAMPLE):
        is_free = True
    if is_free:
        return args.sample_y, args.sample_z
    return min(args.sample_y, args.beam_size), min(args.sample_z, args.beam_size)


def _absorbed(grams: float) -> float:
    """Fraction that water of a mass per area (g/m^2) absorbs at one Angstrom."""
    return float(-np.expm1(-0.1 * grams / GRAMS_PER_AREA))
