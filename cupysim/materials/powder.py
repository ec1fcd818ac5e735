"""Powder rings of hexagonal ice as a table of structure factors of a molecule.

The intensity of a powder of randomly oriented grains is a mean over all orientations. For one
molecule, the squared structure factor is

    F^2(q) = 1/(n V) sum over h k l of F_hkl^2 g(q - q_hkl)/(4 pi q_hkl^2)

with the volume V of the unit cell, n molecules in the cell, and the profile g of a ring
(Guinier, X-ray Diffraction, 1963, 5.2). The integral of g is one.
"""

from __future__ import annotations

import numpy as np

OXYGEN = ((3.0485, 2.2868, 1.5463, 0.867), (13.2771, 5.7011, 0.3239, 32.9089), 0.2508)
HYDROGEN = (
    (0.489918, 0.262003, 0.196767, 0.049879),
    (20.6593, 7.74039, 49.5519, 2.20159),
    0.001305,
)
"""Atomic form factors: amplitudes, widths (Angstrom^2) and constant of four Gaussians
(International Tables for Crystallography C, 1992, table 6.1.1.4)."""

BOND = 0.96
"""Distance of hydrogen from oxygen (Angstrom): hydrogen is averaged over this sphere."""

B_FACTOR = 1.5
"""B factor of a molecule at 100 K (Angstrom^2)."""

HEIGHT = 1.0 / 16.0
"""Fractional coordinate z of oxygen in the cell of ice Ih, position 4f of P6_3/mmc."""

LARGEST_STOL = 0.75
"""End of the table, sin(theta)/lambda (1/Angstrom)."""

POINTS_PER_WIDTH = 4
"""Points of the table for each standard deviation of a ring's profile."""

SCHERRER = 0.9394 / 2.3548
"""Standard deviation of a Gaussian profile (1/Angstrom) times the edge of a cubic grain
(Scherrer, 1918)."""


def ice_table(cell: tuple[float, float, float], grain: float) -> tuple[np.ndarray, np.ndarray]:
    """Structure factors of a molecule in a powder of hexagonal ice.

    Parameters
    ----------
    cell : tuple of 3 float
        Edges a, b, c (Angstrom); the angle between a and b is 120 degrees.
    grain : float
        Size of a grain (Angstrom), which gives the rings their width.

    Returns
    -------
    stol, factors : ndarray, shape (n,)
        sin(theta)/lambda (1/Angstrom), and structure factors (electrons).
    """
    a, _, c = cell
    volume = a * a * c * np.sqrt(3.0) / 2.0
    ends = [int(2.0 * LARGEST_STOL * edge) + 1 for edge in cell]
    h, k, l = np.meshgrid(*(np.arange(-end, end + 1) for end in ends), indexing="ij")
    q = np.sqrt(4.0 / 3.0 * (h * h + h * k + k * k) / a**2 + (l / c) ** 2).ravel()
    squares = (np.abs(_phases(h, k, l)).ravel() * _molecule(0.5 * q)) ** 2
    is_seen = (q > 0.0) & (q < 2.0 * LARGEST_STOL) & (squares > 1e-9)
    q, squares = q[is_seen], squares[is_seen]
    width = SCHERRER / grain
    step = width / POINTS_PER_WIDTH
    places = np.arange(0.0, 2.0 * LARGEST_STOL, step)
    total = np.zeros_like(places)
    for centre, square in zip(q, squares, strict=True):
        near = np.abs(places - centre) < 8.0 * width
        profile = np.exp(-0.5 * ((places[near] - centre) / width) ** 2)
        total[near] += square * profile / (width * np.sqrt(2.0 * np.pi) * 4.0 * np.pi * centre**2)
    return 0.5 * places, np.sqrt(total / (4.0 * volume))


def _phases(h: np.ndarray, k: np.ndarray, l: np.ndarray) -> np.ndarray:
    """Sum of exp(2 pi i h.x) over the four molecules of the cell."""
    places = [
        (1.0 / 3.0, 2.0 / 3.0, HEIGHT),
        (2.0 / 3.0, 1.0 / 3.0, HEIGHT + 0.5),
        (2.0 / 3.0, 1.0 / 3.0, -HEIGHT),
        (1.0 / 3.0, 2.0 / 3.0, 0.5 - HEIGHT),
    ]
    return np.asarray(sum(np.exp(2j * np.pi * (h * x + k * y + l * z)) for x, y, z in places))


def _molecule(stol: np.ndarray) -> np.ndarray:
    """Form factor of a water molecule, averaged over its orientations (electrons)."""
    turned = np.sinc(4.0 * stol * BOND)
    found = _atom(OXYGEN, stol) + 2.0 * turned * _atom(HYDROGEN, stol)
    return np.asarray(found * np.exp(-B_FACTOR * stol**2))


def _atom(
    coefficients: tuple[tuple[float, ...], tuple[float, ...], float], stol: np.ndarray
) -> np.ndarray:
    amplitudes, widths, constant = coefficients
    found = np.full_like(stol, constant)
    for amplitude, width in zip(amplitudes, widths, strict=True):
        found += amplitude * np.exp(-width * stol**2)
    return found
