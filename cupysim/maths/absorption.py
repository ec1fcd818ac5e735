"""Transmission of samples that absorb: means over the places where photons scatter."""

from __future__ import annotations

import numpy as np

LARGEST_SPHERE = 5.0
"""Largest attenuation coefficient times radius of a sphere. Up to it, the quadrature is within 6e-4
of the closed forms for scattering angles of 0 and 180 degrees."""

SPHERE_POINTS = 40
"""Points of the Gauss-Legendre quadrature along each of three coordinates of a sphere."""

SPHERE_ANGLES = 91
"""Number of scattering angles for which the transmission of a sphere is tabulated."""


def slab_transmission(thickness: float, cosine: np.ndarray) -> np.ndarray:
    """Transmission of a slab perpendicular to the beam, which scatters at all depths.

    Parameters
    ----------
    thickness : float
        Attenuation coefficient times thickness.
    cosine : ndarray
        Cosine of the scattering angle.

    Returns
    -------
    ndarray
        Mean of exp(-t z - t (1 - z)/cos) over the depth z from 0 to 1. Behind the slab, cos < 0,
        the way out is z/|cos|. 0 along the slab.
    """
    t = thickness
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        slant = t / np.abs(cosine)
        longer = slant - t
        forward = np.exp(-t) * np.where(longer == 0.0, 1.0, -np.expm1(-longer) / longer)
        total = t + slant
        backward = np.where(total > 0.0, -np.expm1(-total) / total, 1.0)
    found = np.where(cosine > 0.0, forward, backward)
    return np.asarray(np.where(cosine == 0.0, float(t == 0.0), found))


def sphere_transmission(radius: float, cosine: np.ndarray) -> np.ndarray:
    """Transmission of a sphere in the beam, which scatters everywhere.

    Parameters
    ----------
    radius : float
        Attenuation coefficient times radius, at most `LARGEST_SPHERE`.
    cosine : ndarray
        Cosine of the scattering angle.

    Returns
    -------
    ndarray
        Mean of exp(-path) over the volume; path is the attenuation coefficient times the ways to
        the place of scattering and out of the sphere. It depends on the scattering angle alone
        (International Tables for Crystallography C, 6.3.3). Interpolated between
        `SPHERE_ANGLES` angles.
    """
    nodes, weights = np.polynomial.legendre.leggauss(SPHERE_POINTS)
    # volume elements r^2 dr dcos(theta) dphi about the beam's axis, in the scattering plane's frame
    r, r_weights = 0.5 * (nodes + 1.0), 0.5 * weights
    phi, phi_weights = np.pi * (0.5 * (nodes + 1.0)), 0.5 * weights
    shells, polar, around = np.meshgrid(r, nodes, phi, indexing="ij")
    volume = (r_weights * r**2)[:, None, None] * weights[None, :, None] * phi_weights[None, None, :]
    volume /= volume.sum()
    z = shells * polar
    x = shells * np.sqrt(1.0 - polar**2) * np.cos(around)
    way_in = z + np.sqrt(1.0 - shells**2 + z**2)
    angles = np.linspace(0.0, np.pi, SPHERE_ANGLES)
    table = []
    for angle in angles:
        along = x * np.sin(angle) + z * np.cos(angle)
        way_out = -along + np.sqrt(1.0 - shells**2 + along**2)
        table.append(float((volume * np.exp(-radius * (way_in + way_out))).sum()))
    found: np.ndarray = np.interp(np.arccos(np.clip(cosine, -1.0, 1.0)), angles, table)
    return found
