"""Beams in NXmx files: wavelength, polarization, flux and size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.formats.geometry import Spectrum, is_x_ray
from cupysim.formats.nxmx_tree import Present, broken_at, distinct, groups_of, is_group, members
from cupysim.formats.nxmx_units import attribute, in_unit, text_of, unit_of
from cupysim.formats.nxmx_wavelength import other_wavelengths, read_wavelength

MOST_POLARIZED = 1.001
"""Largest possible degree of polarization. Stokes parameters are rounded."""

SQUARE_BEAM = 1e-3
"""Largest relative difference of the edges of a square beam."""

STOKES = ("incident_polarization_stokes", "incident_polarisation_stokes")
"""Names of the Stokes parameters in NXbeam and in NXmx."""

TRANSMISSION = "attenuator_transmission"
"""Name of the transmission in NXattenuator."""

PER_SECOND = ("hz", "/s", "1/s", "s-1", "s^-1")
"""Units of a flux, in lower case, without the word photons, blanks and product signs."""

_PHOTONS = re.compile(r"photons?|ph|[\s.*]")

LEFT_OUT = {
    "incident_beam_divergence": "-divergence gives one",
    "incident_wavelength_spread": "-dispersion gives a bandwidth",
    "incident_wavelength_spectrum": "-sourcefile and -dispersion give wavelengths",
    "incident_energy_spread": "-dispersion gives a bandwidth",
    "incident_polarization": "-polar gives a factor",
    "flux": "-fluence gives the photons per area",
    "fluence": "-fluence gives the photons per area",
    "pulse_energy": "-fluence gives the photons per area",
    "average_power": "-fluence gives the photons per area",
    "extent": "-beamsize gives a square beam",
}
"""Items of NXbeam that are not used, and what the user can do instead."""


@dataclass(frozen=True, eq=False)
class FileBeam:
    """Description of the beam in a file.

    Parameters
    ----------
    wavelength : float or None
        Wavelength (m); the mean of a spectrum.
    spectrum : Spectrum or None
        Several wavelengths of one image.
    no_wavelength : str
        Reason why there is no wavelength; empty if there is one.
    polarization : tuple of (float, ndarray of shape (3,)) or None
        Kahn factor, and direction of the electric field in NeXus' frame.
    flux : float or None
        Photons per second in the whole beam.
    size : float or None
        Edge (m) of a square beam of uniform intensity.
    remarks : tuple of str
        Warnings for the user.
    """

    wavelength: float | None
    spectrum: Spectrum | None
    no_wavelength: str
    polarization: tuple[float, np.ndarray] | None
    flux: float | None
    size: float | None
    remarks: tuple[str, ...]


def read_beam(nxmx: Any, entry: Any, number: int, n_images: int) -> FileBeam:
    """Read the beam of an image: the first one with a wavelength, completed from other beams.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    entry : Component
        Entry with the images.
    number : int
        Number of the image, counted from 0.
    n_images : int
        Number of images in the file.

    Returns
    -------
    FileBeam
        Beam of the image.
    """
    holders = [each.handle for each in (*entry.instruments, *entry.samples)]
    found = distinct(group for holder in holders for group in groups_of(holder, "NXbeam"))
    beams = [Present(each) for each in found]
    wavelength, spectrum, reason = None, None, "the file has no NXbeam group"
    reason += next(filter(None, (broken_at(each, ("beam",)) for each in holders)), "")
    remarks: list[str] = _probes([entry.handle, *holders])
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
        remarks.append("the transformations of its beam are not applied: its direction is +z")
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
            remarks.append(f"{name} is not used; {option}")
    return FileBeam(wavelength, spectrum, reason, polarization, flux, size, tuple(remarks))


def _probes(holders: Sequence[Any]) -> list[str]:
    """Warnings about sources of other radiation than X-rays."""
    found = []
    for holder in holders:
        for _, group in members(holder):
            if not is_group(group) or "probe" not in group:
                continue
            probe = text_of(group["probe"][()])
            if attribute(group, "NX_class") == "NXsource" and not is_x_ray(probe):
                found.append(
                    f"the probe of its source is {probe[:20]!a}; only X-rays are simulated"
                )
    return list(dict.fromkeys(found))


def _holds_a_number(beam: Any, name: str) -> bool:
    """Whether an item of a beam has numbers that are not all zero."""
    stored = beam.get(name)
    if not hasattr(stored, "dtype") or stored.dtype.kind not in "fiu":
        return False
    return bool(np.any(np.asarray(stored[()]) != 0))


def _row_of_image(stored: Any, number: int, n_images: int, length: int) -> np.ndarray | None:
    """The `length` numbers of an image, from a data set for all images or with a row for each."""
    if not hasattr(stored, "dtype") or stored.dtype.kind not in "fiu":
        return None
    values = np.ravel(np.asarray(stored[()], dtype=np.float64))
    if values.size == length:
        return values
    has_rows = length == 1 or stored.shape[-1] == length
    if values.size != length * n_images or not has_rows:
        return None
    return values.reshape(n_images, length)[number]


def _polarization(
    beams: Sequence[Any], number: int, n_images: int
) -> tuple[tuple[float, np.ndarray] | None, list[str]]:
    """Kahn factor and electric field from Stokes parameters (I, Q, U, V), and warnings.

    In the definition of NXbeam, Q is positive for a field along x, and U for one along x = y.
    Circular polarization (V) scatters like an unpolarized beam.
    """
    found = next(((beam, name) for beam in beams for name in STOKES if name in beam), None)
    if found is None:
        return None, []
    beam, name = found
    stokes = _row_of_image(beam[name], number, n_images, 4)
    if stokes is None:
        return None, [f"{name} has the shape {beam[name].shape} and is not used; use -polar"]
    total, q, u, v = stokes
    if not (np.isfinite(stokes).all() and total > 0.0):
        return None, [f"{name} has no intensity and is not used; use -polar"]
    if np.linalg.norm([q, u, v]) > MOST_POLARIZED * total:
        return None, [f"{name} is polarized by more than 100 % and is not used; use -polar"]
    angle = 0.5 * np.arctan2(u, q)
    kahn = min(float(np.hypot(q, u) / total), 1.0)
    return (kahn, np.array([np.cos(angle), np.sin(angle), 0.0])), []


def _attenuators(entry: Any, number: int, n_images: int) -> str:
    """Warning about an attenuator: the flux may or may not include it."""
    for instrument in entry.instruments:
        for _, group in members(instrument.handle):
            stored = group.get(TRANSMISSION) if is_group(group) else None
            values = None if stored is None else _row_of_image(stored, number, n_images, 1)
            if values is not None and values[0] != 1.0:
                return (
                    f"its {TRANSMISSION} of {values[0]:g} and its flux are not used, because it is "
                    "not clear whether the flux includes it; -fluence gives the photons"
                )
    return ""


def _flux(beams: Sequence[Any], number: int, n_images: int) -> tuple[float | None, list[str]]:
    """Photons per second, and warnings."""
    beam = next((beam for beam in beams if "total_flux" in beam), None)
    if beam is None:
        return None, []
    stored = beam["total_flux"]
    unit_name = unit_of(stored)
    values = _row_of_image(stored, number, n_images, 1)
    if values is None or not (np.isfinite(values[0]) and values[0] >= 0.0):
        return None, ["total_flux is impossible and is not used; use -flux"]
    if _PHOTONS.sub("", unit_name.lower()) not in PER_SECOND:
        return None, [f"total_flux has the unit {unit_name!r} and is not used; use -flux"]
    return (float(values[0]) or None), []


def _size(nxmx: Any, beams: Sequence[Any]) -> tuple[float | None, list[str]]:
    """Edge (m) of a square beam of uniform intensity, and warnings about other beams."""
    beam = next((each for each in beams if _holds_a_number(each, "incident_beam_size")), None)
    if beam is None:
        return None, []
    stored = beam["incident_beam_size"]
    edges = _row_of_image(stored, 0, 1, 2)
    profile = text_of(beam["profile"][()]) if "profile" in beam else "unknown"
    metres = None if edges is None else in_unit(nxmx, stored, edges, "meter")
    if metres is None:
        return None, ["incident_beam_size is not two lengths with a unit, and is not used"]
    x, y = metres
    if profile.lower() == "rectangular" and x > 0.0 and abs(x / y - 1.0) <= SQUARE_BEAM:
        return float(x), []
    remark = (
        f"incident_beam_size of {1e6 * x:g} x {1e6 * y:g} um ({profile} profile) is not used; "
        "-beamsize gives a square beam"
    )
    return None, [remark]
