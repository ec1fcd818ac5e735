"""Beams in NXmx files: which one has the wavelength, its polarization and photons."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.formats.geometry import Spectrum, is_x_ray
from cupysim.formats.nxmx_wavelength import (
    in_unit,
    other_wavelengths,
    read_wavelength,
    text_of,
)

MOST_POLARIZED = 1.001
"""Degree of polarization up to which Stokes parameters are possible: they are rounded."""

SQUARE_BEAM = 1e-3
"""Relative difference of a beam's edges up to which it is square."""

STOKES = ("incident_polarization_stokes", "incident_polarisation_stokes")
"""Spellings of NXbeam and of NXmx."""

TRANSMISSION = "attenuator_transmission"
"""Name in NXattenuator."""

PER_SECOND = ("hz", "/s", "1/s", "s-1", "s^-1")
"""Units of a flux, in lower case, without the word photons, blanks and signs of a product."""

_PHOTONS = re.compile(r"photons?|ph|[\s.*]")

LEFT_OUT = {
    "incident_beam_divergence": "-divergence gives one",
    "incident_wavelength_spread": "-dispersion gives a bandwidth",
    "incident_energy_spread": "-dispersion gives a bandwidth",
    "incident_polarization": "-polar gives a factor",
    "flux": "-fluence gives the photons per area",
    "fluence": "-fluence gives the photons per area",
    "pulse_energy": "-fluence gives the photons per area",
    "average_power": "-fluence gives the photons per area",
    "extent": "-beamsize gives a square beam",
}
"""What NXbeam may tell and is not taken, and what is to be done."""


@dataclass(frozen=True, eq=False)
class FileBeam:
    """What a file tells of its beam.

    Parameters
    ----------
    wavelength : float or None
        Wavelength (m), of a spectrum the mean.
    spectrum : Spectrum or None
        Several wavelengths of one image.
    no_wavelength : str
        Why there is no wavelength; empty where there is one.
    polarization : tuple of (float, ndarray of shape (3,)) or None
        Kahn factor, and direction of the electric field in NeXus' frame.
    flux : float or None
        Photons per second of the whole beam.
    size : float or None
        Edge (m) of a square beam of even intensity.
    remarks : tuple of str
        What the user must know.
    """

    wavelength: float | None
    spectrum: Spectrum | None
    no_wavelength: str
    polarization: tuple[float, np.ndarray] | None
    flux: float | None
    size: float | None
    remarks: tuple[str, ...]


def read_beam(nxmx: Any, entry: Any, number: int, n_images: int) -> FileBeam:
    """The beam of an image: the first one with a wavelength, and what only others tell.

    Parameters
    ----------
    nxmx : module
        The library.
    entry : nxmx.NXentry
        The entry.
    number : int
        The image, from 0.
    n_images : int
        How many images the file has.

    Returns
    -------
    FileBeam
        What the file tells.
    """
    holders = [each._handle for each in (*entry.instruments, *entry.samples)]
    beams = [
        group
        for holder in holders
        for group in (holder[name] for name in holder if name in holder)
        if hasattr(group, "keys") and text_of(group.attrs.get("NX_class", "")) == "NXbeam"
    ]
    wavelength, spectrum, reason = None, None, "the file has no NXbeam group"
    remarks: list[str] = _probes([entry._handle, *holders])
    for beam in beams:
        wavelength, spectrum, reason = read_wavelength(nxmx, beam, number, n_images)
        if wavelength is None:
            continue
        reason = ""
        if len(beams) > 1:
            remarks.append(f"{len(beams)} beams; the wavelength is that of {beam.name}")
        beams = [beam, *(each for each in beams if each is not beam)]
        break
    if any("depends_on" in beam and text_of(beam["depends_on"][()]) not in (".", "")
           for beam in beams[:1]):  # fmt: skip
        remarks.append("the transformations of its beam are not applied: it flies along +z")
    if wavelength is not None:
        remarks += other_wavelengths(nxmx, entry, beams[0], wavelength, number, n_images)
    polarization, more = _polarization(beams, number, n_images)
    remarks += more
    flux, more = _flux(beams, number, n_images)
    remarks += more
    attenuated = _attenuators(entry, number, n_images)
    if attenuated:
        flux, remarks = None, [*remarks, attenuated]
    size, more = _size(nxmx, beams)
    remarks += more
    for name, option in LEFT_OUT.items():
        is_spread = name.endswith("_spread") and spectrum is not None
        if not is_spread and any(_holds_a_number(beam, name) for beam in beams):
            remarks.append(f"{name} is not taken; {option}")
    return FileBeam(wavelength, spectrum, reason, polarization, flux, size, tuple(remarks))


def _probes(holders: Sequence[Any]) -> list[str]:
    """What to say of sources whose radiation is no X-rays."""
    found = []
    for holder in holders:
        for name in holder:
            group: Any = holder.get(name)
            if not hasattr(group, "keys") or "probe" not in group:
                continue
            probe = text_of(group["probe"][()])
            if text_of(group.attrs.get("NX_class", "")) == "NXsource" and not is_x_ray(probe):
                found.append(f"the probe of its source is {probe[:20]!a}; X-rays are simulated")
    return list(dict.fromkeys(found))


def _holds_a_number(beam: Any, name: str) -> bool:
    """Whether a beam has numbers of a name which are not all zero."""
    stored = beam.get(name)
    if not hasattr(stored, "dtype") or stored.dtype.kind not in "fiu":
        return False
    return bool(np.any(np.asarray(stored[()]) != 0))


def _row_of_image(stored: Any, number: int, n_images: int, length: int) -> np.ndarray | None:
    """So many numbers for an image, of a data set for all or with a row for each."""
    if not hasattr(stored, "dtype") or stored.dtype.kind not in "fiu":
        return None
    values = np.ravel(np.asarray(stored[()], dtype=np.float64))
    if values.size == length:
        return values
    return values.reshape(n_images, length)[number] if values.size == length * n_images else None


def _polarization(
    beams: Sequence[Any], number: int, n_images: int
) -> tuple[tuple[float, np.ndarray] | None, list[str]]:
    """Kahn factor and field of Stokes parameters (I, Q, U, V), and what is to be said.

    As NXbeam defines them: Q is positive for a field along x, U for one along x = y. Circular
    polarization (V) scatters as none does.
    """
    found = next(((beam, name) for beam in beams for name in STOKES if name in beam), None)
    if found is None:
        return None, []
    beam, name = found
    stokes = _row_of_image(beam[name], number, n_images, 4)
    if stokes is None:
        return None, [f"{name} has the shape {beam[name].shape} and is not taken; -polar is"]
    total, q, u, v = stokes
    if not (np.isfinite(stokes).all() and total > 0.0):
        return None, [f"{name} has no intensity and is not taken; -polar is"]
    if np.linalg.norm([q, u, v]) > MOST_POLARIZED * total:
        return None, [f"{name} is polarized more than wholly and is not taken; -polar is"]
    angle = 0.5 * np.arctan2(u, q)
    kahn = min(float(np.hypot(q, u) / total), 1.0)
    return (kahn, np.array([np.cos(angle), np.sin(angle), 0.0])), []


def _attenuators(entry: Any, number: int, n_images: int) -> str:
    """What to say of attenuators: they may or may not be in the flux."""
    for instrument in entry.instruments:
        for group in instrument._handle.values():
            stored = group.get(TRANSMISSION) if hasattr(group, "keys") else None
            values = None if stored is None else _row_of_image(stored, number, n_images, 1)
            if values is not None and values[0] != 1.0:
                return (
                    f"its {TRANSMISSION} of {values[0]:g} and its flux are not taken, since it is "
                    "not clear whether one is in the other; -fluence gives the photons"
                )
    return ""


def _flux(beams: Sequence[Any], number: int, n_images: int) -> tuple[float | None, list[str]]:
    """Photons per second, and what is to be said."""
    beam = next((beam for beam in beams if "total_flux" in beam), None)
    if beam is None:
        return None, []
    stored = beam["total_flux"]
    unit_name = text_of(stored.attrs.get("units", ""))
    values = _row_of_image(stored, number, n_images, 1)
    if values is None or not (np.isfinite(values[0]) and values[0] >= 0.0):
        return None, ["total_flux is impossible and is not taken; -flux is"]
    if _PHOTONS.sub("", unit_name.lower()) not in PER_SECOND:
        return None, [f"total_flux has the unit {unit_name!r} and is not taken; -flux is"]
    return (float(values[0]) or None), []


def _size(nxmx: Any, beams: Sequence[Any]) -> tuple[float | None, list[str]]:
    """Edge (m) of a square beam of even intensity, and what is to be said of others."""
    beam = next((each for each in beams if _holds_a_number(each, "incident_beam_size")), None)
    if beam is None:
        return None, []
    stored = beam["incident_beam_size"]
    edges = _row_of_image(stored, 0, 1, 2)
    profile = text_of(beam["profile"][()]) if "profile" in beam else "unknown"
    metres = None if edges is None else in_unit(nxmx, stored, edges, "meter")
    if metres is None:
        return None, ["incident_beam_size is not two lengths with a unit, and is not taken"]
    x, y = metres
    if profile.lower() == "rectangular" and x > 0.0 and abs(x / y - 1.0) <= SQUARE_BEAM:
        return float(x), []
    remark = (
        f"incident_beam_size of {1e6 * x:g} x {1e6 * y:g} um ({profile} profile) is not taken; "
        "-beamsize gives a square beam"
    )
    return None, [remark]
