"""Crystallography written anew from textbooks, with nothing of cupysim, and options made of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.special import spherical_jn

ELECTRON_RADIUS = 2.8179403205e-15
"""Classical electron radius (m), CODATA 2022."""

BEAM = np.array([1.0, 0.0, 0.0])
SPINDLE = np.array([0.0, 0.0, 1.0])
ELECTRIC = np.array([0.0, 0.0, 1.0])
"""Axes of the MOSFLM convention (docs/physics.md)."""

FLUENCE = 1e24
"""Photons/m^2."""

THOMSON = ELECTRON_RADIUS**2 * FLUENCE
"""Photons which one electron scatters into 1 sr, without polarization."""


def reciprocal_of(cell: tuple[float, ...]) -> np.ndarray:
    """Rows a*, b*, c* (1/Angstrom), a* along x, b* in the xy plane.

    From the metric tensors, G* = G^-1 = B B^T (International Tables C, 1.1): the lower triangular
    B of Cholesky has this orientation.
    """
    lengths, angles = np.array(cell[:3]), np.radians(cell[3:])
    cosines = np.eye(3)
    for (i, j), angle in zip([(1, 2), (0, 2), (0, 1)], angles, strict=True):
        cosines[i, j] = cosines[j, i] = np.cos(angle)
    return np.linalg.cholesky(np.linalg.inv(cosines * np.outer(lengths, lengths)))


def dipole(directions: np.ndarray, kahn: float, electric: np.ndarray = ELECTRIC) -> np.ndarray:
    """What polarization lets through, from two incoherent dipoles.

    A dipole along the unit vector e scatters as 1 - (e.d)^2 (Jackson, Classical Electrodynamics,
    14.8). The share (1 + K)/2 of the photons has its field along `electric`, the rest across it.
    """
    across = np.cross(BEAM, electric)
    along_e, along_b = (directions @ axis for axis in (electric, across))
    return (1 + kahn) / 2 * (1 - along_e**2) + (1 - kahn) / 2 * (1 - along_b**2)


@dataclass(frozen=True)
class Panel:
    """A flat detector anywhere, as vectors and the corner of its first pixel (m)."""

    fast: np.ndarray
    slow: np.ndarray
    corner: np.ndarray
    pixel: float
    n_fast: int
    n_slow: int

    @classmethod
    def facing(
        cls,
        direction: np.ndarray,
        distance: float,
        pixel: float,
        size: tuple[int, int],
        tilt: float = 0.0,
    ) -> Panel:
        """With its centre along a direction, and there `tilt` degrees between ray and normal."""
        direction = direction / np.linalg.norm(direction)
        helper = np.eye(3)[np.argmin(np.abs(direction))]
        slow = np.cross(helper, direction)
        slow /= np.linalg.norm(slow)
        turn = Rotation.from_rotvec(math.radians(tilt) * slow)
        fast = turn.apply(np.cross(slow, direction))
        n_fast, n_slow = size
        corner = distance * direction - pixel / 2 * (n_fast * fast + n_slow * slow)
        return cls(fast, slow, corner, pixel, n_fast, n_slow)

    @property
    def normal(self) -> np.ndarray:
        return np.cross(self.fast, self.slow)

    @property
    def words(self) -> str:
        vectors = {"fdet": self.fast, "sdet": self.slow, "odet": self.normal, "pix0": self.corner}
        options = [
            f"-{name}_vector {' '.join(f'{x:.17g}' for x in vector)}"
            for name, vector in vectors.items()
        ]
        pixels = f"-detpixels_f {self.n_fast} -detpixels_s {self.n_slow}"
        return f"{' '.join(options)} {pixels} -pixel {self.pixel * 1e3:.17g} -corrected all"

    @property
    def centres(self) -> np.ndarray:
        """Centres of the pixels (m), shape (n_slow, n_fast, 3)."""
        i, j = np.arange(self.n_fast) + 0.5, np.arange(self.n_slow) + 0.5
        steps = i[None, :, None] * self.fast + j[:, None, None] * self.slow
        return self.corner + self.pixel * steps

    @property
    def directions(self) -> np.ndarray:
        return self.centres / np.linalg.norm(self.centres, axis=2, keepdims=True)

    @property
    def cosines(self) -> np.ndarray:
        """Between rays and normal."""
        return self.directions @ self.normal

    @property
    def solid_angles(self) -> np.ndarray:
        """Of small pixels: area times cosine over the squared distance."""
        return self.pixel**2 * self.cosines / np.sum(self.centres**2, axis=2)


@dataclass(frozen=True)
class Reflection:
    """A reflection of a crystal which turns about the spindle, at one of its Bragg angles."""

    cell: tuple[float, ...]
    hkl: tuple[int, int, int]
    misset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    wavelength: float = 1.0
    amplitude: float = 100.0

    @property
    def axes(self) -> np.ndarray:
        """Rows a*, b*, c* at phi = 0 (1/Angstrom)."""
        turn = Rotation.from_euler("xyz", self.misset, degrees=True)
        return turn.apply(reciprocal_of(self.cell))

    @property
    def volume(self) -> float:
        return 1.0 / float(np.linalg.det(reciprocal_of(self.cell)))

    @property
    def phi(self) -> float:
        """Where i.(R q) = -lambda q^2/2 (rad): the end of i/lambda + R q is on Ewald's sphere."""
        q = np.array(self.hkl) @ self.axes
        along = (SPINDLE @ q) * SPINDLE
        cosine, sine = BEAM @ (q - along), BEAM @ np.cross(SPINDLE, q)
        wanted = -self.wavelength / 2 * (q @ q) - BEAM @ along
        return math.atan2(sine, cosine) + math.acos(wanted / math.hypot(cosine, sine))

    @property
    def vector(self) -> np.ndarray:
        """The scattering vector q where it reflects (1/Angstrom)."""
        return Rotation.from_rotvec(self.phi * SPINDLE).apply(np.array(self.hkl) @ self.axes)

    @property
    def direction(self) -> np.ndarray:
        """Of the reflected photons."""
        return BEAM + self.wavelength * self.vector

    @property
    def theta(self) -> float:
        return math.asin(self.wavelength * float(np.linalg.norm(self.vector)) / 2)

    def mounted(self) -> Reflection:
        """The same crystal mounted so that it reflects at phi = 0."""
        x, y, z = self.misset
        turned = (x, y, z + math.degrees(self.phi))
        return Reflection(self.cell, self.hkl, turned, self.wavelength, self.amplitude)

    def words(self, folder: Path) -> str:
        """Options with this reflection alone; all others have the amplitude 0."""
        path = folder / "one.hkl"
        path.write_text("{} {} {} {}\n".format(*self.hkl, self.amplitude))
        cell, misset = (" ".join(map(repr, map(float, x))) for x in (self.cell, self.misset))
        return (
            f"-cell {cell} -misset {misset} -lambda {self.wavelength} -hkl {path} -nodump "
            f"-default_F 0 -nointerpolate -fluence {FLUENCE}"
        )


def interference_integral(shape: str, n: int) -> float:
    """The integral of F_latt^2/N^3 over dh, dk, dl within half an index of the reflection.

    Square: |sum over n of exp(2 pi i n h)|^2 has the mean N over a period, so 1 (James 1962,
    chapter I; no tail is lost, for those beyond half an index are the next reflection's).
    Gauss: exp(-2 (N h)^2/0.63) gives (0.63 pi/2)^(3/2) = 0.984. Flat: a sphere of radius 0.63,
    4 pi/3 0.63^3 = 1.047. Round: pi/6 |3 j1(x)/x|^2, x = pi N |h|, is the transform of a ball of
    diameter N cells divided by the square root of its volume, so 1 over all space by Parseval's
    theorem; here by quadrature over the cube, beyond which a few per cent of it lie. Gauss_star:
    exp(-3.8 |q|^2 (N^3 V)^(2/3)) over d3q V. Spots of CrystFEL end at N |h| = 1: flat ones have 2
    for each axis, those without fringes a sum here.
    """
    if shape == "gauss":
        return (0.63 * math.pi / 2) ** 1.5
    if shape == "tophat":
        return 4 * math.pi / 3 * 0.63**3
    if shape == "square":
        return 1.0
    if shape == "gauss_star":
        return (math.pi / 3.8) ** 1.5
    if shape == "flat":
        return 8.0
    if shape == "no_fringes":
        h = np.linspace(0.0, 1.0 / n, 20001)[1:] - 0.5 / n / 20000
        return float(2.0 * np.mean((np.sin(n * np.pi * h) / np.sin(np.pi * h)) ** 2) / n / n) ** 3
    nodes, weights = np.polynomial.legendre.leggauss(8 * n)
    half = n / 4
    squares, weights = (half * (nodes + 1)) ** 2, half * weights
    radius = np.sqrt(squares[:, None, None] + squares[:, None] + squares)
    ball = math.pi / 6 * (3 * spherical_jn(1, math.pi * radius) / (math.pi * radius)) ** 2
    return float(8 * np.einsum("i,j,k,ijk", weights, weights, weights, ball))
