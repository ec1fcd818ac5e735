"""Physical and numerical constants in SI units, with their sources, and the promised precision.

The values are those of the C program nanoBragg, digit for digit. A different rounding of any of
them would change the last bits of every image.
"""

from __future__ import annotations

import math

DEGREES_PER_RADIAN = 180.0 * (1.0 / math.pi)
"""Degrees in one radian, computed as 180 times the double nearest to 1/pi.

Angles in degrees are *divided* by it. The results are then exactly the numbers of the C program.
"""

CLASSICAL_ELECTRON_RADIUS_SQUARED = 7.94079248018965e-30
"""Square of the classical electron radius r_e (m^2): the Thomson cross section per electron and
steradian."""

AVOGADRO = 6.02214179e23
"""Avogadro constant (1/mol; CODATA 2006, the value in the C program)."""

ANGSTROM = 1e-10
"""One Angstrom (m)."""

ELECTRONVOLT_ANGSTROM = 12398.42
"""Photon energy (eV) times wavelength (Angstrom): the value in the C program. The table of options
has its own copy for -energy, because it imports no module of cupysim."""

JOULE_PER_ELECTRONVOLT = 1.602176634e-19
"""Energy of one electronvolt (J), exact in the SI."""

SOURCE_DISTANCE = 10.0
"""Distance of generated source points from the sample (m). Only their direction matters."""

WATER_STRUCTURE_FACTOR = 2.57
"""Forward scattering amplitude of one water molecule in liquid water (electrons)."""

WATER_MOLAR_MASS = 18.0
"""Molar mass of water (g/mol)."""

WATER_DENSITY = 1e6
"""Density of water (g/m^3)."""

PROTEIN_CRYSTAL_DENSITY = 1.2e6
"""Density of a protein crystal (g/m^3), from which the report estimates the molecular weight."""

SMALLEST_NORMAL = 2.2250738585072014e-308
"""The C macro DBL_MIN, the smallest normal double. It replaces zeros in denominators."""

RTOL = 1e-6
"""Largest relative difference from nanoBragg of pixels and traced values that counts as equal:
cupysim's promise for double precision."""

PER_CUBIC_METRE = 1e6
"""Grams per cubic metre in a gram per cubic centimetre."""
