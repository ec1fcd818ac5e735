"""Wavelengths in NXmx files: one, one for each image, or spectra, by wavelengths or energies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM, ELECTRONVOLT_ANGSTROM
from cupysim.formats.geometry import Spectrum

ANGSTROMS = ("a", "ang", "angstrom", "angstroms", "\u00e5", "\u212b")
"""Spellings of the unit, in lower case."""

LARGEST_SPECTRUM = 100_000
"""Channels of a spectrum; more are not a spectrum."""

SAME_WAVELENGTH, SAME_SETTING = 1e-3, 1e-2
"""Relative differences of wavelengths which are worth a warning: of two numbers of the beam, and of
the energy for which a detector is set."""


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
    while weights is None and (variant := text_of(stored.attrs.get("variant"))) not in seen:
        # one wavelength for those who want it, which names the spectrum
        seen.add(variant)
        if variant not in beam:
            break
        stored, weights = beam[variant], _weights(beam, variant)
    if "units" not in stored.attrs:
        return None, None, "incident_wavelength has no unit"
    metres = _metres(nxmx, stored)
    if metres is None:
        return None, None, f"incident_wavelength has the unit {text_of(stored.attrs['units'])!r}"
    if metres.size > LARGEST_SPECTRUM * max(n_images, 1):
        return None, None, f"incident_wavelength has {metres.size} numbers"
    if weights is None:
        return _of_image(metres, number, n_images)
    return _spectrum(metres, np.asarray(weights[()], dtype=np.float64), number, n_images)


def _weights(beam: Any, name: str) -> Any:
    """The weights of a data set, by the names which are in use."""
    return beam.get(f"{name}_weights", beam.get(f"{name}_weight"))


def other_wavelengths(
    nxmx: Any, entry: Any, beam: Any, wavelength: float, number: int, n_images: int
) -> Iterator[str]:
    """What to say of energies and wavelengths in the file that contradict the beam's wavelength.

    Parameters
    ----------
    nxmx : module
        The library.
    entry : nxmx.NXentry
        The entry.
    beam : h5py.Group
        The NXbeam group.
    wavelength : float
        The beam's wavelength (m), which counts.
    number : int
        The image, from 0.
    n_images : int
        How many images the file has.

    Yields
    ------
    str
        A sentence for each contradiction.
    """
    places = []
    if "incident_wavelength" in beam:
        # beside a spectrum, which may be its variant, it is one wavelength
        is_spectrum = _weights(beam, "incident_wavelength") is not None
        names = ("incident_energy", *(() if is_spectrum else ("incident_wavelength",)))
        places += [(beam, name, SAME_WAVELENGTH) for name in names if name in beam]
    for instrument in entry.instruments:
        places += [
            (each._handle, name, SAME_SETTING)
            for each in instrument.detectors
            for name in ("photon_energy", "detectorSpecific/photon_energy")
            if name in each._handle
        ]
        handle = instrument._handle
        places += [
            (handle, name, SAME_WAVELENGTH)
            for name in ("monochromator/energy", "monochromator/wavelength")
            if name in handle
        ]
    for group, name, tolerance in places:
        other = _told(nxmx, group[name], name, number, n_images)
        if other is not None and abs(other / wavelength - 1.0) > tolerance:
            yield (
                f"its {name} is that of {other / ANGSTROM:.6g} A, but its wavelength, which "
                f"counts, is {wavelength / ANGSTROM:.6g} A"
            )


def _told(nxmx: Any, stored: Any, name: str, number: int, n_images: int) -> float | None:
    """The wavelength (m) of a data set of energies or wavelengths; None where it tells none."""
    if name.endswith("energy"):
        return _of_energies(nxmx, stored, name, number, n_images)[0]
    metres = _metres(nxmx, stored) if "units" in stored.attrs else None
    return None if metres is None else _of_image(metres, number, n_images)[0]


def _metres(nxmx: Any, stored: Any) -> np.ndarray | None:
    """Lengths of a data set in metres; None where its unit is unknown, or none of length."""
    if text_of(stored.attrs["units"]).lower() in ANGSTROMS:
        return np.asarray(ANGSTROM * np.asarray(stored[()], dtype=np.float64))
    return in_unit(nxmx, stored, stored[()], "meter")


def _of_energy(
    nxmx: Any, beam: Any, number: int, n_images: int
) -> tuple[float | None, Spectrum | None, str]:
    """The wavelength by the photons' energy."""
    stored = beam.get("incident_energy")
    if stored is None:
        return None, None, "the file has no incident_wavelength"
    return _of_energies(nxmx, stored, "incident_energy", number, n_images)


def _of_energies(
    nxmx: Any, stored: Any, name: str, number: int, n_images: int
) -> tuple[float | None, Spectrum | None, str]:
    """The wavelength by a data set of energies."""
    if "units" not in stored.attrs:
        return None, None, f"the file has no incident_wavelength, and its {name} has no unit"
    energies = in_unit(nxmx, stored, stored[()], "electron_volt")
    if energies is None:
        return None, None, f"{name} has the unit {text_of(stored.attrs['units'])!r}"
    with np.errstate(divide="ignore"):
        metres = ANGSTROM * ELECTRONVOLT_ANGSTROM / energies
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


def in_unit(nxmx: Any, stored: Any, values: Any, unit: str) -> np.ndarray | None:
    """Numbers of a data set in a unit.

    Parameters
    ----------
    nxmx : module
        The library.
    stored : h5py.Dataset
        Tells the unit of the numbers.
    values : array_like
        The numbers.
    unit : str
        The unit that is wanted.

    Returns
    -------
    ndarray or None
        None where the data set's unit is of another kind, or unknown.
    """
    if "units" not in stored.attrs:
        return None
    try:
        return np.asarray((values * nxmx.units(stored)).to(unit).magnitude, dtype=np.float64)
    except Exception:
        # the library of units has exceptions of its own
        return None


def text_of(value: Any) -> str:
    """A stored text, or the first one of an array, as str."""
    value = np.ravel(value)[0] if isinstance(value, np.ndarray) and np.size(value) else value
    return value.decode() if isinstance(value, bytes) else str(value)
