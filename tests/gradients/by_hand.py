"""Photons of a still of a parallelepiped crystal, written out for complex numbers.

With a parameter p + i h, the imaginary part of the photons is h times their derivative, without any
difference of large numbers (Squire & Trapp (1998) SIAM Rev. 40, 110). Only what is analytic may
be used: no absolute values, no conjugates, no comparisons but on real parts.
"""

from __future__ import annotations

import math

import numpy as np

H = 1e-30

DEFAULTS: dict[str, float] = {
    "misset_x": 0.2, "misset_y": -0.3, "misset_z": 0.5,
    "cell_a": 50.0, "cell_b": 60.0, "cell_c": 70.0,
    "cell_alpha": 1.4, "cell_beta": 1.65, "cell_gamma": 1.75,
    "n_a": 5.0, "n_b": 6.0, "n_c": 4.0,
    "wavelength": 1.3e-10, "distance": 0.11, "beam_fast": 0.013, "beam_slow": 0.0095,
    "rotation_x": 0.03, "rotation_y": -0.05, "rotation_z": 0.07, "twotheta": 0.1, "phi": 0.02,
    "fluence": 1e24, "scale": 1.0,
}  # fmt: skip
"""Parameters of the experiment, in their units."""

PIXEL, N_FAST, N_SLOW, F, KAHN = 2e-3, 12, 10, 10.0, 0.7
R_E_SQUARED = 7.94079248018965e-30


def words() -> str:
    """The same experiment as options, in MOSFLM's convention."""
    p = DEFAULTS
    values: dict[str, list[float]] = {
        "-cell": [
            *(p[f"cell_{name}"] for name in "abc"),
            *(math.degrees(p[f"cell_{name}"]) for name in ("alpha", "beta", "gamma")),
        ],
        "-misset": [math.degrees(p[f"misset_{name}"]) for name in "xyz"],
        "-lambda": [1e10 * p["wavelength"]],
        "-distance": [1e3 * p["distance"]],
        # half a pixel is added to both
        "-Xbeam": [1e3 * (p["beam_slow"] - PIXEL / 2)],
        "-Ybeam": [1e3 * (p["beam_fast"] - PIXEL / 2)],
        **{f"-detector_rot{name}": [math.degrees(p[f"rotation_{name}"])] for name in "xyz"},
        "-twotheta": [math.degrees(p["twotheta"])],
        "-phi": [math.degrees(p["phi"])],
        "-fluence": [p["fluence"]],
        "-polar": [KAHN],
        "-default_F": [F],
        "-pixel": [1e3 * PIXEL],
    }
    options = [" ".join([name, *map(repr, numbers)]) for name, numbers in values.items()]
    counts = " ".join(f"-N{name} {p[f'n_{name}']:.0f}" for name in "abc")
    size = f"-detpixels_f {N_FAST} -detpixels_s {N_SLOW}"
    return " ".join([*options, counts, size, "-oversample 1 -corrected"])


def turned(v: np.ndarray, axis: int, angle: complex) -> np.ndarray:
    """Vectors (..., 3) turned about a lab axis."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    result = v.astype(complex)
    result[..., i] = v[..., i] * np.cos(angle) - v[..., j] * np.sin(angle)
    result[..., j] = v[..., i] * np.sin(angle) + v[..., j] * np.cos(angle)
    return result


def dot(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (u * v).sum(axis=-1)


def photons(p: dict[str, complex]) -> np.ndarray:
    """Photons of each pixel."""
    # the cell: c along z, b in the yz plane (a* along x)
    ca, cb, cg = (np.cos(p[f"cell_{name}"]) for name in ("alpha", "beta", "gamma"))
    sa = np.sin(p["cell_alpha"])
    v = np.sqrt(1 - ca**2 - cb**2 - cg**2 + 2 * ca * cb * cg)
    cell = np.array(
        [
            [p["cell_a"] * v / sa, p["cell_a"] * (cg - ca * cb) / sa, p["cell_a"] * cb],
            [0, p["cell_b"] * sa, p["cell_b"] * ca],
            [0, 0, p["cell_c"]],
        ]
    )
    for axis, name in enumerate("xyz"):
        cell = turned(cell, axis, p[f"misset_{name}"])
    # the spindle is z
    cell = 1e-10 * turned(cell, 2, p["phi"])
    # the panel: fast z, slow -y, normal and beam x; two-theta about -z
    axes = np.array([[0, 0, 1.0], [0, -1.0, 0], [1.0, 0, 0]])
    for axis, name in enumerate("xyz"):
        axes = turned(axes, axis, p[f"rotation_{name}"])
    fast, slow, normal = turned(axes, 2, -p["twotheta"])
    beam = np.array([1.0, 0, 0])
    # the beam's spot stays: MOSFLM's pivot
    origin = -p["beam_fast"] * fast - p["beam_slow"] * slow + p["distance"] * beam
    f = PIXEL * (np.arange(N_FAST) + 0.5)[None, :, None]
    s = PIXEL * (np.arange(N_SLOW) + 0.5)[:, None, None]
    position = origin + f * fast + s * slow
    airpath = np.sqrt(dot(position, position))
    direction = position / airpath[..., None]
    q = (direction - beam) / p["wavelength"]
    amplitude = F
    for vector, name in zip(cell, "abc", strict=True):
        x = dot(q, vector)
        x = x - np.round(x.real)
        amplitude = amplitude * np.sin(np.pi * p[f"n_{name}"] * x) / np.sin(np.pi * x)
    omega = PIXEL**2 * dot(origin, normal) / airpath**3
    # the electric field is along z
    cosine = dot(direction, beam)
    along_e, along_b = direction[..., 2], direction[..., 1]
    polar = 0.5 * (1 + cosine**2 - KAHN * (along_e**2 - along_b**2))
    return p["scale"] * R_E_SQUARED * p["fluence"] * amplitude**2 * omega * polar


def derivative(name: str) -> np.ndarray:
    """With one parameter, by a complex step."""
    step = H * DEFAULTS[name]
    return photons({**DEFAULTS, name: DEFAULTS[name] + 1j * step}).imag / step
