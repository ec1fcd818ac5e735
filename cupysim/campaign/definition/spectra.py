"""Spectra of shots, as those of a free-electron laser or from a file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.campaign.definition.distributions import read_numbers, uniform_deviates
from cupysim.constants import ANGSTROM
from cupysim.formats.nexus.reader import hdf5_file
from cupysim.storage.toml_document import Section

MOST_CHANNELS = 10_000
"""Largest number of wavelengths in a spectrum."""

SIGMA_PER_WIDTH = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))
"""Standard deviation of a Gaussian, relative to its full width at half maximum."""

REACH = 1.5
"""Range of the channels on each side of the centre, in full widths at half maximum."""


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra of the shots: a random spectrum for each, or those of a file.

    Parameters
    ----------
    channels : int
        Number of wavelengths in a spectrum.
    bandwidth : float
        Full width at half maximum, relative to the wavelength.
    spikes : float
        Mean number of spikes within the full width at half maximum.
    file : str, optional
        HDF5 file with spectra, in place of random ones.
    wavelengths : ndarray, shape (channels,), optional
        Wavelengths from the file (m).
    weights : ndarray, shape (n_shots, channels), optional
        Weights of the wavelengths for each shot, from the file.
    """

    channels: int = 0
    bandwidth: float = 0.0
    spikes: float = 0.0
    file: str | None = None
    wavelengths: np.ndarray | None = None
    weights: np.ndarray | None = None

    def of(self, seed: int, shot: int, wavelength: float) -> tuple[np.ndarray, np.ndarray]:
        """Make the spectrum of a shot.

        Parameters
        ----------
        seed : int
            Seed of the campaign.
        shot : int
            Number of the shot, from 0.
        wavelength : float
            Central wavelength (m).

        Returns
        -------
        wavelengths : ndarray, shape (channels,)
            Wavelengths (m).
        weights : ndarray, shape (channels,)
            Source weights; their sum is 1.

        Notes
        -----
        A random spectrum is that of self-amplified spontaneous emission (Saldin, Schneidmiller &
        Yurkov (1998) Opt. Commun. 148, 383). It is the intensity of a field of random complex
        amplitudes, multiplied by a Gaussian. The length of the pulse decides the correlation of
        neighbouring frequencies.
        """
        if self.weights is not None and self.wavelengths is not None:
            weights = self.weights[shot]
            return self.wavelengths, weights / weights.sum()
        from scipy.ndimage import gaussian_filter1d
        from scipy.special import ndtri

        places = np.linspace(-REACH, REACH, self.channels)
        deviates = uniform_deviates(seed, "spectrum", shot, 0, 2 * self.channels)
        real, imaginary = ndtri(deviates).reshape(2, -1)
        width = self.channels / (2.0 * REACH * self.spikes) * SIGMA_PER_WIDTH
        field = [gaussian_filter1d(part, width, mode="wrap") for part in (real, imaginary)]
        envelope = np.exp(-0.5 * (places / SIGMA_PER_WIDTH) ** 2)
        weights = envelope * (field[0] ** 2 + field[1] ** 2)
        # energies are equally spaced
        return wavelength / (1.0 + self.bandwidth * places), weights / weights.sum()


def read_spectra(section: Section, n_shots: int) -> Spectra:
    """Read the spectra from a table of the campaign file.

    Parameters
    ----------
    section : Section
        Table with either channels, bandwidth (per cent) and spikes, or file.
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
        section.finish(("channels", "bandwidth", "spikes"))
        with hdf5_file(path) as file:
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
        return Spectra(file=path, wavelengths=wavelengths, weights=weights)
    channels = section.whole("channels", 64, 2, MOST_CHANNELS)
    found = {}
    for key, low, high, default in (("bandwidth", 0.0, 100.0, None), ("spikes", 0.0, 1e4, 20.0)):
        value = section.take(key, default)
        if value is None:
            section.fail(key, "is missing (full width at half maximum, %)")
        (number,) = read_numbers(section, key, value)[:1]
        if not low < number <= high:
            section.fail(key, f"expected a number above {low:g}, at most {high:g}; got {value!r}")
        found[key] = number
    section.finish(("file",))
    return Spectra(channels, found["bandwidth"] / 100.0, found["spikes"])
