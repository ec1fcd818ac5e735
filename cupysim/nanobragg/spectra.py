"""The spectrum that -spectrum describes."""

from __future__ import annotations

from pathlib import Path

from cupysim.errors import CupysimError
from cupysim.models.spectrum import SAMPLES, Spectrum

OPTION = "-spectrum"

KINDS = {
    "tophat": ("WIDTH",),
    "gaussian": ("WIDTH",),
    "two-colour": ("SEPARATION", "WIDTH"),
    "sase": ("WIDTH", "SPIKES", "SEED"),
}
"""Kinds of spectra, and the numbers that follow. Widths are in per cent of the energy."""

OPTIONAL = {"SPIKES": "20", "SEED": "1"}
"""Numbers that may be left out."""


def spectrum_of(value: str, wavelength: float, samples: int | None) -> Spectrum:
    """Make the spectrum of an option.

    Parameters
    ----------
    value : str
        ``KIND,NUMBERS`` or a file.
    wavelength : float
        Central wavelength (m) of a kind.
    samples : int or None
        Number of wavelengths, at most that many from a file.

    Raises
    ------
    CupysimError
        If the value is not understood, or the file cannot be read.
    """
    kind, *words = value.split(",")
    if kind not in KINDS:
        if not Path(value).exists():
            forms = ", ".join(",".join((name, *numbers)) for name, numbers in KINDS.items())
            raise CupysimError(f"{OPTION}: there is no file {value!r}; kinds are {forms}")
        from cupysim.formats.spectrum_file import read_spectrum

        found = read_spectrum(value)
        return found if samples is None else found.reduced(samples)
    names = KINDS[kind]
    given = [*words, *(OPTIONAL[name] for name in names[len(words) :] if name in OPTIONAL)]
    if len(given) != len(names):
        raise CupysimError(f"{OPTION} {value}: expected {','.join((kind, *names))}")
    numbers = []
    for word in given:
        try:
            numbers.append(float(word))
        except ValueError:
            raise CupysimError(f"{OPTION} {value}: {word!r} is not a number") from None
    count = SAMPLES if samples is None else samples
    if kind == "tophat":
        return Spectrum.tophat(wavelength, 0.01 * numbers[0], count)
    if kind == "gaussian":
        return Spectrum.gaussian(wavelength, 0.01 * numbers[0], count)
    if kind == "two-colour":
        return Spectrum.two_colours(wavelength, 0.01 * numbers[0], 0.01 * numbers[1], count)
    width, spikes, seed = numbers
    if seed != int(seed) or seed < 0:
        raise CupysimError(f"{OPTION} {value}: the seed must be a whole number, got {given[2]}")
    return Spectrum.sase(wavelength, 0.01 * width, spikes, int(seed), count)
