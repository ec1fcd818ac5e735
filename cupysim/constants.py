"""Physical and numerical constants, in SI units, with their source; the precision promised.

The values are those of the C program nanoBragg, digit for digit: a different
rounding of any of them would show in the last bits of every image.
"""

from __future__ import annotations

import math

DEGREES_PER_RADIAN = 180.0 * (1.0 / math.pi)
"""Degrees in one radian, as 180 times the double nearest to 1/pi.

Angles given in degrees are *divided* by it, so that they become the very
numbers which the C program uses.
"""

CLASSICAL_ELECTRON_RADIUS_SQUARED = 7.94079248018965e-30
"""Square of the classical electron radius r_e (m^2), the Thomson cross section
per electron and steradian."""

AVOGADRO = 6.02214179e23
"""Molecules in a mole (CODATA 2006, the value in the C program)."""

ANGSTROM = 1e-10
"""One Angstrom (m)."""

ELECTRONVOLT_ANGSTROM = 12398.42
"""Photon energy (eV) times wavelength (Angstrom), the value in the C program and of
-energy, whose table imports nothing of ours."""

SOURCE_DISTANCE = 10.0
"""Distance of generated source points from the sample (m); only the direction
to them enters the image."""

WATER_STRUCTURE_FACTOR = 2.57
"""Forward scattering of one water molecule in liquid water (electrons)."""

WATER_MOLAR_MASS = 18.0
"""Molar mass of water (g/mol)."""

WATER_DENSITY = 1e6
"""Density of water (g/m^3)."""

PROTEIN_CRYSTAL_DENSITY = 1.2e6
"""Density from which the report estimates the molecular weight (g/m^3)."""

SMALLEST_NORMAL = 2.2250738585072014e-308
"""The C macro DBL_MIN, put in place of zeros which would divide."""

RTOL = 1e-6
"""Relative difference of pixels and traced values from nanoBragg's beyond which they differ: what
cupysim promises in double precision."""
