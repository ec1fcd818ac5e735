"""Wavelengths or energies in NXmx files: one for all images, one for each image, or a spectrum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM, ELECTRONVOLT_ANGSTROM
from cupysim.formats.geometry import Spectrum
from cupysim.formats.nxmx_units import has_unit, in_unit, text_of, unit_of

LARGEST_SPECTRUM = 100_000
"""Largest number of channels of a spectrum."""

SAME_WAVELENGTH, SAME_SETTING = 1e-3, 1e-2
"""Relative differences of wavelengths that are worth a warning: between two numbers of the beam,
and between the beam and the photon energy set for a detector."""


def read_wavelength(
    nxmx: Any, beam: Any, number: int, n_images: int
) -> tuple[float | None, Spectrum | None, str]:
    """Read the wavelength of an image.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    beam : h5py.Group
        NXbeam group.
    number : int
        Number of the image, counted from 0.
    n_images : int
        Number of images in the file.

    Returns
    -------
    wavelength : float or None
        Wavelength (m); the mean of a spectrum.
    spectrum : Spectrum or None
        Several wavelengths of one image.
    reason : str
        Reason why there is no wavelength.

    Notes
    -----
    In the definition of NXbeam, weights decide whether the numbers are those of images or channels.
    """
    stored = beam.get("incident_wavelength")
    if stored is None:
        return _of_energy(nxmx, beam, number, n_images)
    weights = _weights(beam, "incident_wavelength")
    seen = set()
    while weights is None and (variant := text_of(stored.attrs.get("variant"))) not in seen:
        # a single wavelength, with the name of the spectrum as its variant
        seen.add(variant)
        if variant not in beam:
            break
        stored, weights = beam[variant], _weights(beam, variant)
    if not has_unit(stored):
        return None, None, "incident_wavelength has no unit"
    metres = _metres(nxmx, stored)
    if metres is None:
        return None, None, f"incident_wavelength has the unit {unit_of(stored)!r}"
    if metres.size > LARGEST_SPECTRUM * max(n_images, 1):
        return None, None, f"incident_wavelength has {metres.size} numbers"
    if weights is None:
        return _of_image(metres, number, n_images)
    return _spectrum(metres, np.asarray(weights[()], dtype=np.float64), number, n_images)


def _weights(beam: Any, name: str) -> Any:
    """Weights of a data set. Two names are in use."""
    return beam.get(f"{name}_weights", beam.get(f"{name}_weight"))


def other_wavelengths(
    nxmx: Any, entry: Any, beam: Any, wavelength: float, number: int, n_images: int
) -> Iterator[str]:
    """Warnings about energies and wavelengths in the file that contradict the beam's wavelength.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    entry : Component
        Entry with the images.
    beam : h5py.Group
        NXbeam group.
    wavelength : float
        Wavelength of the beam (m). It is used; the others are compared with it.
    number : int
        Number of the image, counted from 0.
    n_images : int
        Number of images in the file.

    Yields
    ------
    str
        A warning for each contradiction.
    """
    places = []
    if "incident_wavelength" in beam:
        # if the spectrum is a variant, incident_wavelength is a single wavelength
        is_spectrum = _weights(beam, "incident_wavelength") is not None
        names = ("incident_energy", *(() if is_spectrum else ("incident_wavelength",)))
        places += [(beam, name, SAME_WAVELENGTH) for name in names if name in beam]
    for instrument in entry.instruments:
        places += [
            (each.handle, name, SAME_SETTING)
            for each in instrument.detectors
            for name in ("photon_energy", "detectorSpecific/photon_energy")
            if name in each.handle
        ]
        handle = instrument.handle
        places += [
            (handle, name, SAME_WAVELENGTH)
            for name in ("monochromator/energy", "monochromator/wavelength")
            if name in handle
        ]
    for group, name, tolerance in places:
        other = _told(nxmx, group[name], name, number, n_images)
        if other is not None and abs(other / wavelength - 1.0) > tolerance:
            yield (
                f"its {name} is that of {other / ANGSTROM:.6g} A, but its wavelength is "
                f"{wavelength / ANGSTROM:.6g} A and is used"
            )


def _told(nxmx: Any, stored: Any, name: str, number: int, n_images: int) -> float | None:
    """Wavelength (m) from a data set of energies or wavelengths; None if it has none."""
    if name.endswith("energy"):
        return _of_energies(nxmx, stored, name, number, n_images)[0]
    metres = _metres(nxmx, stored) if has_unit(stored) else None
    return None if metres is None else _of_image(metres, number, n_images)[0]


def _metres(nxmx: Any, stored: Any) -> np.ndarray | None:
    """Lengths of a data set in metres; None if its unit is unknown or not one of length."""
    return in_unit(nxmx, stored, stored[()], "meter")


def _of_energy(
    nxmx: Any, beam: Any, number: int, n_images: int
) -> tuple[float | None, Spectrum | None, str]:
    """Wavelength (m) from the photon energy of the beam."""
    stored = beam.get("incident_energy")
    if stored is None:
        return None, None, "the file has no incident_wavelength"
    return _of_energies(nxmx, stored, "incident_energy", number, n_images)


def _of_energies(
    nxmx: Any, stored: Any, name: str, number: int, n_images: int
) -> tuple[float | None, Spectrum | None, str]:
    """Wavelength (m) from a data set of energies."""
    if not has_unit(stored):
        return None, None, f"the file has no incident_wavelength, and its {name} has no unit"
    energies = in_unit(nxmx, stored, stored[()], "electron_volt")
    if energies is None:
        return None, None, f"{name} has the unit {unit_of(stored)!r}"
    with np.errstate(divide="ignore"):
        metres = ANGSTROM * ELECTRONVOLT_ANGSTROM / energies
    return _of_image(metres, number, n_images)


def _of_image(
    metres: np.ndarray, number: int, n_images: int
) -> tuple[float | None, Spectrum | None, str]:
    """Wavelength from data without weights: one for all images, or one for each image."""
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
    """Spectrum from data with weights: one for all images, or one for each image."""
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
    if not usable:
        reason = "its incident_wavelength_weights are zero, negative or not finite"
        return None, None, f"{reason} for image {number}"
    if not (np.isfinite(wavelengths[used]).all() and wavelengths[used].min() > 0.0):
        reason = "its incident_wavelength is not positive, or not finite"
        return None, None, f"{reason}, for image {number}"
    if np.count_nonzero(used) == 1:
        return float(wavelengths[used][0]), None, ""
    spectrum = Spectrum(wavelengths[used], parts[used] / parts.sum())
    return spectrum.mean, spectrum, ""
