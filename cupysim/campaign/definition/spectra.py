"""Spectra of shots, as those of a free-electron laser or from a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cupysim.campaign.definition.distributions import read_numbers, uniform_deviates
from cupysim.constants import ANGSTROM
from cupysim.errors import ModelError
from cupysim.formats.nexus.reader import hdf5_file
from cupysim.formats.spectrum_file import is_hdf5, read_spectrum
from cupysim.models.spectrum import SAMPLES, Spectrum
from cupysim.storage.toml_document import Section

MOST_CHANNELS = 10_000
"""Largest number of wavelengths in a spectrum."""

SEEDS = 2**53
"""Number of seeds of random spectra: a deviate has as many values."""


class Number(NamedTuple):
    """A number of a spectrum in a campaign file: unit, largest value, default (None: needed)."""

    unit: str
    most: float
    default: float | None


WIDTH = Number("%", 100.0, None)
KINDS: dict[str, dict[str, Number]] = {
    "sase": {"bandwidth": WIDTH, "spikes": Number("", 1e4, 20.0)},
    "gaussian": {"bandwidth": WIDTH},
    "tophat": {"bandwidth": WIDTH},
    "two-colour": {"separation": WIDTH, "bandwidth": WIDTH},
}
"""Kinds of spectra, and their numbers. Widths and separations are relative to the energy."""

KEYS = ("kind", "channels", "file", "bandwidth", "spikes", "separation")
"""Keys of the table of a spectrum."""


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra of the shots: of one kind about the wavelength of each shot, or from a file.

    Parameters
    ----------
    channels : int
        Number of wavelengths in a spectrum.
    kind : str
        Kind of the spectra, see `KINDS`. Only ``sase`` is random.
    numbers : dict of str to float
        Numbers of this kind; widths and separations are fractions.
    file : str, optional
        File with spectra, in place of a kind.
    of_file : tuple of Spectrum
        The spectra of the file: one for each shot, or one for all.
    """

    channels: int = 0
    kind: str = ""
    numbers: dict[str, float] | None = None
    file: str | None = None
    of_file: tuple[Spectrum, ...] = ()

    @property
    def most_wavelengths(self) -> int:
        """The largest number of wavelengths of a shot."""
        return max(len(each.weights) for each in self.of_file or (self.of(0, 0, ANGSTROM),))

    def of(self, seed: int, shot: int, wavelength: float) -> Spectrum:
        """Make the spectrum of a shot.

        Parameters
        ----------
        seed : int
            Seed of the campaign.
        shot : int
            Number of the shot, from 0.
        wavelength : float
            Central wavelength (m); spectra of a file have their own.
        """
        if self.of_file:
            return self.of_file[shot if len(self.of_file) > 1 else 0]
        numbers, channels = self.numbers or {}, self.channels
        if self.kind == "sase":
            (deviate,) = uniform_deviates(seed, "spectrum", shot, 0, 1)
            of_shot = int(deviate * SEEDS)
            return Spectrum.sase(wavelength, **numbers, seed=of_shot, samples=channels)
        if self.kind == "gaussian":
            return Spectrum.gaussian(wavelength, **numbers, samples=channels)
        if self.kind == "tophat":
            return Spectrum.tophat(wavelength, **numbers, samples=channels)
        assert self.kind == "two-colour"
        return Spectrum.two_colours(wavelength, **numbers, samples=channels)


def read_spectra(section: Section, n_shots: int) -> Spectra:
    """Read the spectra from a table of the campaign file.

    Parameters
    ----------
    section : Section
        Table with a kind and its numbers (widths in per cent), or a file; and channels.
    n_shots : int
        Number of shots that need a spectrum.

    Returns
    -------
    Spectra
        Spectra that the table describes.

    Raises
    ------
    FileFormatError
        If spectra are impossible, or the file has too few.
    """
    if "file" in section:
        path = section.text("file")
        wanted = section.whole("channels", MOST_CHANNELS, 2, MOST_CHANNELS)
        section.finish(KEYS)
        found = _of_file(section, path, n_shots)
        return Spectra(file=path, of_file=tuple(each.reduced(wanted) for each in found))
    kind = section.text("kind") if "kind" in section else "sase"
    if kind not in KINDS:
        section.fail("kind", f"there is no kind {kind!r}; there are {', '.join(KINDS)}")
    channels = section.whole("channels", SAMPLES, 2, MOST_CHANNELS)
    numbers = {}
    for key, (unit, most, default) in KINDS[kind].items():
        value = section.take(key, default)
        if value is None:
            section.fail(key, "is missing (full width at half maximum, %)"
                         if key == "bandwidth" else "is missing (%)")  # fmt: skip
        (number,) = read_numbers(section, key, value)[:1]
        if not 0.0 < number <= most:
            section.fail(key, f"expected a number above 0, at most {most:g}; got {value!r}")
        numbers[key] = number / 100.0 if unit == "%" else number
    section.finish(("kind", "channels", "file", *KINDS[kind]))
    spectra = Spectra(channels, kind, numbers)
    try:
        spectra.of(0, 0, ANGSTROM)
    except ModelError as error:
        section.fail("", str(error))
    return spectra


def _of_file(section: Section, path: str, n_shots: int) -> list[Spectrum]:
    """Spectra of a file: one for each shot, or one for all."""
    if not is_hdf5(path):
        return [read_spectrum(path)]
    with hdf5_file(path) as file:
        if "wavelengths" not in file or "weights" not in file:
            return [read_spectrum(path)]
        wavelengths = ANGSTROM * np.asarray(file["wavelengths"][()], dtype=np.float64)
        weights = np.asarray(file["weights"][()], dtype=np.float64)
    if weights.ndim != 2 or weights.shape[1:] != wavelengths.shape:
        section.fail("file", f"{path}: weights must have the shape (shots, wavelengths)")
    if len(weights) < n_shots:
        section.fail("file", f"{path} has {len(weights)} spectra for {n_shots} shots")
    possible = np.isfinite(weights).all() and (weights >= 0.0).all()
    if not possible or not (weights.sum(axis=1) > 0.0).all():
        section.fail("file", f"{path}: weights must not be negative, and not all zero")
    if not (np.isfinite(wavelengths) & (wavelengths > 0.0)).all():
        section.fail("file", f"{path}: wavelengths must be above zero")
    return [Spectrum(wavelengths, row) for row in weights]
