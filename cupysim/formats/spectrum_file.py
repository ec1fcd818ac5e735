"""Reader of spectra: text with a header, and HDF5 files."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

import numpy as np

from cupysim.constants import ANGSTROM, ELECTRONVOLT_ANGSTROM
from cupysim.errors import CupysimWarning, FileFormatError, ModelError
from cupysim.formats.text_numbers import read_text
from cupysim.models.spectrum import Spectrum

HEADER = re.compile(r"#\s*(energy|wavelength)\s*/\s*(keV|eV|A|m)\b", re.IGNORECASE)
"""First line of a text file: what its first column is. CrystFEL has ``# energy/keV current/A``."""

STOKES = re.compile(r"\S+\s+Q(/I)?\s+U(/I)?\s*$", re.IGNORECASE)
"""End of the first line of a text file whose third and fourth columns are Q/I and U/I."""

OTHER_STOKES = re.compile(r"\s[QU](/I)?(\s|$)", re.IGNORECASE)
"""A column Q or U, anywhere in the first line of a text file."""

HDF5 = b"\x89HDF"
"""First bytes of an HDF5 file."""


def read_spectrum(path: os.PathLike[str] | str) -> Spectrum:
    """Read a spectrum.

    Parameters
    ----------
    path : path_like
        Text of two columns after a line like ``# energy/keV weight``, ``# energy/eV weight`` or
        ``# wavelength/A weight``, or of four columns after ``# energy/keV weight Q U``, where Q and
        U are Q/I and U/I; or an HDF5 file with /spectrum/wavelengths_A and /spectrum/pdf
        (CrystFEL), or with ``wavelengths`` (Angstrom) and ``weights``, of which the first row is
        used.

    Returns
    -------
    Spectrum
        Wavelengths and weights.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or its unit is not known.
    """
    return _from_hdf5(path) if is_hdf5(path) else _from_text(path)


def is_hdf5(path: os.PathLike[str] | str) -> bool:
    """Whether a file begins as HDF5 files do.

    Raises
    ------
    FileFormatError
        If it cannot be read.
    """
    try:
        with Path(path).open("rb") as stream:
            return stream.read(4) == HDF5
    except OSError as error:
        raise FileFormatError(path, f"cannot be read: {error.strerror}") from error


def _from_text(path: os.PathLike[str] | str) -> Spectrum:
    lines = read_text(path).splitlines()
    header = HEADER.match(lines[0]) if lines else None
    if header is None:
        raise FileFormatError(
            path,
            "the first line must say what the columns are, such as '# energy/keV weight' or "
            "'# wavelength/A weight'",
            1,
        )
    if OTHER_STOKES.search(lines[0]) and not STOKES.search(lines[0]):
        raise FileFormatError(
            path, "the columns of a spectrum with polarization are: energy or wavelength, weight, "
            "Q, U; the first line has others", 1
        )  # fmt: skip
    rows, most = [], 0
    columns = 4 if STOKES.search(lines[0]) else 2
    numbers = {2: "two numbers", 4: "four numbers"}[columns]
    for number, line in enumerate(lines[1:], 2):
        words = line.split("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            rows.append([float(word) for word in words[:columns]])
        except ValueError:
            raise FileFormatError(path, f"{line.strip()!r} is not {numbers}", number) from None
        if len(words) < columns:
            raise FileFormatError(path, f"{line.strip()!r} is not {numbers}", number)
        most = max(most, len(words))
    if most > columns:
        told = f"{path}: only the first {numbers.split()[0]} of {most} columns are used"
        warnings.warn(CupysimWarning(told), stacklevel=2)
    if not rows:
        raise FileFormatError(path, "it has no wavelengths")
    table = np.array(rows)
    places, weights = table[:, 0], table[:, 1]
    if header[1].lower() == "energy":
        if not (places > 0.0).all():
            raise FileFormatError(path, "energies must be positive")
        volts = {"ev": 1.0, "kev": 1e3}.get(header[2].lower())
        if volts is None:
            raise FileFormatError(path, f"the unit of the energy is {header[2]}, not eV or keV", 1)
        wavelengths = ELECTRONVOLT_ANGSTROM * ANGSTROM / (volts * places)
    else:
        metres = {"a": ANGSTROM, "m": 1.0}.get(header[2].lower())
        if metres is None:
            raise FileFormatError(path, f"the unit of the wavelength is {header[2]}, not A or m", 1)
        wavelengths = metres * places
    return _checked(path, wavelengths, weights, table[:, 2:] if columns == 4 else None)


def _from_hdf5(path: os.PathLike[str] | str) -> Spectrum:
    from cupysim.formats.nexus.reader import hdf5_file

    with hdf5_file(path) as file:
        for places, shares in (
            ("spectrum/wavelengths_A", "spectrum/pdf"), ("wavelengths", "weights"),
        ):  # fmt: skip
            if places in file and shares in file:
                wavelengths = ANGSTROM * np.asarray(file[places][()], dtype=np.float64)
                weights = np.atleast_2d(np.asarray(file[shares][()], dtype=np.float64))
                if len(weights) > 1:
                    told = f"{path}: the first of {len(weights)} spectra is used"
                    warnings.warn(CupysimWarning(told), stacklevel=2)
                return _checked(path, wavelengths, weights[0])
    raise FileFormatError(
        path, "it has neither /spectrum/wavelengths_A and /spectrum/pdf nor wavelengths and weights"
    )


def _checked(
    path: os.PathLike[str] | str,
    wavelengths: np.ndarray,
    weights: np.ndarray,
    stokes: np.ndarray | None = None,
) -> Spectrum:
    try:
        return Spectrum(wavelengths, weights, stokes)
    except ModelError as error:
        raise FileFormatError(path, str(error)) from error
