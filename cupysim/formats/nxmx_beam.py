"""Wavelengths in NXmx files: one, one for each image, or spectra."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM, ELECTRONVOLT_ANGSTROM
from cupysim.formats.geometry import Spectrum

ANGSTROMS = ("a", "ang", "angstrom", "angstroms", "\u00e5", "\u212b")
"""Spellings of the unit, in lower case."""

LARGEST_SPECTRUM = 100_000
"""Channels of a spectrum; more are not a spectrum."""


def read_wavelength(
    nxmx: Any, beam: Any, number: int, n_images: int
) -> tuple[float | None, Spectrum | None, str]:
    """The wavelength of an image.

    Parameters
    ----------
    nxmx : module
        The library.
    beam : h5py.Group
        The NXbeam group.
    number : int
        The image, from 0.
    n_images : int
        How many images the file has.

    Returns
    -------
    wavelength : float or None
        Wavelength (m), of a spectrum the mean.
    spectrum : Spectrum or None
        Several wavelengths of one image.
    reason : str
        Why there is none.

    Notes
    -----
    Which axis is that of images follows from the weights, as the definition of NXbeam says.
    """
    stored = beam.get("incident_wavelength")
    if stored is None:
        return _of_energy(nxmx, beam, number, n_images)
    weights = _weights(beam, "incident_wavelength")
    seen = set()
    while weights is None and (variant := _text(stored.attrs.get("variant"))) not in seen:
        # one wavelength for those who want it, which names the spectrum
        seen.add(variant)
        if variant not in beam:
            break
        stored, weights = beam[variant], _weights(beam, variant)
    if "units" not in stored.attrs:
        return None, None, "incident_wavelength has no unit"
    unit_name = _text(stored.attrs["units"])
    if unit_name.lower() in ANGSTROMS:
        metres = ANGSTROM * np.asarray(stored[()], dtype=np.float64)
    else:
        try:
            quantity = stored[()] * nxmx.units(stored)
            metres = np.asarray(quantity.to("meter").magnitude, dtype=np.float64)
        except Exception:
            # the library of units has exceptions of its own
            return None, None, f"incident_wavelength has the unit {unit_name!r}"
    if metres.size > LARGEST_SPECTRUM * max(n_images, 1):
        return None, None, f"incident_wavelength has {metres.size} numbers"
    if weights is None:
        return _of_image(metres, number, n_images)
    return _spectrum(metres, np.asarray(weights[()], dtype=np.float64), number, n_images)


def _weights(beam: Any, name: str) -> Any:
    """The weights of a data set, by the names which are in use."""
    return beam.get(f"{name}_weights", beam.get(f"{name}_weight"))


def _text(value: Any) -> str:
    value = np.ravel(value)[0] if isinstance(value, np.ndarray) and np.size(value) else value
    return value.decode() if isinstance(value, bytes) else str(value)


def _of_energy(
    nxmx: Any, beam: Any, number: int, n_images: int
) -> tuple[float | None, Spectrum | None, str]:
    """The wavelength by the photons' energy."""
    stored = beam.get("incident_energy")
    if stored is None or "units" not in stored.attrs:
        return None, None, "the file has no incident_wavelength"
    energies = (stored[()] * nxmx.units(stored)).to("electron_volt").magnitude
    with np.errstate(divide="ignore"):
        metres = ANGSTROM * ELECTRONVOLT_ANGSTROM / np.asarray(energies, dtype=np.float64)
    return _of_image(metres, number, n_images)


def _of_image(
    metres: np.ndarray, number: int, n_images: int
) -> tuple[float | None, Spectrum | None, str]:
    """Without weights: one wavelength, or one for each image."""
    metres = metres.ravel()
    if metres.size == 1:
        return _checked(float(metres[0])), None, "incident_wavelength is not above zero"
    if metres.size == n_images and number < metres.size:
        return _checked(float(metres[number])), None, "incident_wavelength is not above zero"
    reason = (
        f"incident_wavelength has {metres.size} numbers and no weights, but the file has "
        f"{n_images} images"
    )
    return None, None, reason


def _checked(wavelength: float) -> float | None:
    return wavelength if np.isfinite(wavelength) and wavelength > 0.0 else None


def _spectrum(
    metres: np.ndarray, weights: np.ndarray, number: int, n_images: int
) -> tuple[float | None, Spectrum | None, str]:
    """With weights: the channels, or those of the image."""
    channels = metres.shape[-1] if metres.ndim else 1
    rows = []
    for values in (metres, weights):
        values = values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
        if values.shape[-1] != channels or len(values) not in (1, n_images):
            reason = (
                f"incident_wavelength has the shape {metres.shape}, its weights {weights.shape}, "
                f"for {n_images} images"
            )
            return None, None, reason
        rows.append(values[min(number, len(values) - 1)])
    wavelengths, parts = rows
    usable = np.isfinite(parts).all() and parts.min() >= 0.0 and parts.any()
    used = parts > 0.0
    if not usable or not (np.isfinite(wavelengths[used]).all() and wavelengths[used].min() > 0.0):
        return None, None, "incident_wavelength or its weights are impossible"
    if np.count_nonzero(used) == 1:
        return float(wavelengths[used][0]), None, ""
    spectrum = Spectrum(wavelengths[used], parts[used] / parts.sum())
    return spectrum.mean, spectrum, ""
