"""Detectors of panels for tests, and their images computed by hand, without code of cupysim."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from cupysim import (
    Beam,
    Crystal,
    Experiment,
    Panel,
    PanelDetector,
    PanelGroup,
    Rendering,
    Sensor,
    StructureFactors,
    Sweep,
)

R_E_SQUARED = 7.94079248018965e-30
"""Squared classical electron radius (m^2)."""

DIRECT = np.array([[5.1e-9, 0.2e-9, -0.3e-9], [0.1e-9, 4.7e-9, 0.9e-9], [-0.4e-9, 0.3e-9, 6.2e-9]])
"""Rows a, b, c (m)."""

INDICES = np.stack(np.meshgrid(*[np.arange(-40, 41)] * 3, indexing="ij"), -1).reshape(-1, 3)


def amplitudes(hkl: np.ndarray) -> np.ndarray:
    return np.where((hkl == 0).all(axis=-1), 0.0, 100.0 + 50.0 * np.cos(hkl @ [1.1, 2.3, 0.7]))


@dataclass(frozen=True)
class PanelByHand:
    """A panel: plain numbers (m), which both computations use."""

    name: str
    origin: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    edges: tuple[float, float]
    size: tuple[int, int]
    thickness: float = 0.0
    attenuation: float = -1.0
    n_layers: int = 1

    def model(self, **options: Any) -> Panel:
        sensor = Sensor()
        if self.thickness:
            layers = Sweep(self.thickness, self.thickness / self.n_layers, self.n_layers)
            sensor = Sensor(layers, self.attenuation)
        return Panel(
            self.name, *self.size, self.origin, self.fast, self.slow, self.edges, sensor, **options
        )


def turned(vector: tuple[float, float, float]) -> np.ndarray:
    return Rotation.from_rotvec(vector).as_matrix()


def random_panels(
    rng: np.random.Generator, count: int = 3, *, thick: bool = False, alike: bool = False
) -> list[PanelByHand]:
    """Panels around a beam along +z: turned, tilted, oblique, of either hand and any edges."""
    panels = []
    for number in range(count):
        turn = Rotation.from_euler("z", rng.uniform(0, 360), degrees=True)
        tilt = Rotation.from_rotvec(rng.normal(size=3) * 0.15)
        matrix = (tilt * turn).as_matrix()
        fast, slow = matrix[:, 0], matrix[:, 1] * rng.choice([-1.0, 1.0])
        size, edges = (9, 7), (2.1e-3, 2.1e-3)
        if not alike:
            slow = slow + 0.2 * rng.uniform(-1, 1) * fast
            size = int(rng.integers(5, 12)), int(rng.integers(5, 12))
            edges = tuple(rng.uniform(1.5e-3, 3e-3, 2))
        slow = slow / np.linalg.norm(slow)
        centre = np.array([*rng.uniform(-0.03, 0.03, 2), rng.uniform(0.06, 0.09)])
        origin = centre - 0.5 * edges[0] * size[0] * fast - 0.5 * edges[1] * size[1] * slow
        panels.append(
            PanelByHand(
                f"p{number}", origin, fast, slow, edges, size,
                rng.uniform(2e-4, 9e-4) if thick else 0.0, rng.uniform(1e3, 4e3), 3 if thick else 1,
            )
        )  # fmt: skip
    return panels


def grouped(panels: list[PanelByHand], **options: Any) -> PanelDetector:
    """The panels in two nested groups with frames of their own, which change nothing."""
    outer, inner = turned((0.3, -0.2, 0.5)), turned((-0.1, 0.7, 0.2))
    at, inner_at = np.array([0.01, -0.02, 0.05]), np.array([-0.004, 0.006, 0.03])

    def within(panel: PanelByHand, axes: np.ndarray, shift: np.ndarray) -> Panel:
        back = axes.T
        placed = panel.model(**options)
        return Panel(
            placed.name, placed.n_fast, placed.n_slow, back @ (panel.origin - shift),
            back @ panel.fast, back @ panel.slow, panel.edges, placed.sensor,
        )  # fmt: skip

    first, *others = panels
    deep = PanelGroup(
        "deep", [within(first, outer @ inner, outer @ inner_at + at)], inner_at, inner[:, 0],
        inner[:, 1],
    )  # fmt: skip
    members = [deep, *(within(panel, outer, at) for panel in others[:-1])]
    quadrant = PanelGroup("quadrant", members, at, outer[:, 0], outer[:, 1])
    return PanelDetector([quadrant, others[-1].model(**options)], beam=(0, 0, 1), spindle=(1, 0, 0))


@dataclass(frozen=True)
class Shot:
    """A still of a square crystal with several sources, computed by hand."""

    panels: list[PanelByHand]
    n_cells: tuple[int, int, int] = (5, 6, 4)
    oversample: int = 2
    wavelengths: tuple[float, ...] = (1.0e-10, 1.03e-10)
    weights: tuple[float, ...] = (0.4, 1.6)
    kahn: float = 0.8
    fluence: float = 1e24
    amplitude: float | None = None
    electric: np.ndarray = field(default_factory=lambda: np.array([1.0, 0.0, 0.0]))

    def experiment(self, detector: PanelDetector | None = None, **rendering: Any) -> Experiment:
        if detector is None:
            members = [panel.model() for panel in self.panels]
            detector = PanelDetector(members, beam=(0, 0, 1), spindle=(1, 0, 0))
        rows = [
            (0.0, 0.0, -10.0, weight, wavelength)
            for weight, wavelength in zip(self.weights, self.wavelengths, strict=True)
        ]
        return Experiment(
            Beam(1e-10, self.fluence, self.kahn, source_table=np.array(rows)),
            Crystal(reciprocal=np.linalg.inv(DIRECT * 1e10).T, n_cells=self.n_cells),
            detector,
            self.structure_factors(),
            rendering=Rendering(oversample=self.oversample, interpolate=False, **rendering),
        )

    def structure_factors(self) -> StructureFactors:
        if self.amplitude is not None:
            return StructureFactors(default=self.amplitude)
        return StructureFactors.from_list(INDICES, amplitudes(INDICES))

    def image(self, panel: PanelByHand) -> np.ndarray:
        """Photons of a panel, shape (n_slow, n_fast), in float64."""
        n_fast, n_slow = panel.size
        normal = np.cross(panel.fast, panel.slow)
        area = panel.edges[0] * panel.edges[1] * np.linalg.norm(normal)
        normal = normal / np.linalg.norm(normal)
        normal = normal * np.sign(panel.origin @ normal)
        total = np.zeros((n_slow, n_fast))
        m, step = self.oversample, panel.thickness / panel.n_layers
        for layer in range(panel.n_layers):
            for i, j in np.ndindex(m, m):
                f = (np.arange(n_fast) + (i + 0.5) / m) * panel.edges[0]
                s = (np.arange(n_slow) + (j + 0.5) / m) * panel.edges[1]
                place = (
                    panel.origin + f[None, :, None] * panel.fast + s[:, None, None] * panel.slow
                    + layer * step * normal
                )  # fmt: skip
                reach = np.linalg.norm(place, axis=-1)
                d = place / reach[..., None]
                omega = area * (panel.origin @ normal + layer * step) / reach**3
                capture = np.ones_like(reach)
                if panel.thickness:
                    path = step * panel.attenuation / (d @ normal)
                    capture = np.exp(-layer * path) - np.exp(-(layer + 1) * path)
                for weight, wavelength in zip(self.weights, self.wavelengths, strict=True):
                    total += (
                        weight
                        * omega
                        * capture
                        * self._polarized(d)
                        * self._squared((d - [0.0, 0.0, 1.0]) / wavelength)
                    )
        steps = m * m * len(self.weights) * np.mean(self.weights)
        return R_E_SQUARED * self.fluence * total / steps

    def _polarized(self, d: np.ndarray) -> np.ndarray:
        """Kahn's factor: 1 - sin^2 with weights of both directions of the electric field."""
        magnetic = np.cross([0.0, 0.0, 1.0], self.electric)
        along, across = (d @ self.electric) ** 2, (d @ magnetic) ** 2
        return 0.5 * (1.0 + self.kahn) * (1.0 - along) + 0.5 * (1.0 - self.kahn) * (1.0 - across)

    def _squared(self, q: np.ndarray) -> np.ndarray:
        hkl = q @ DIRECT.T
        nearest = np.rint(hkl)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.sin(np.pi * hkl * self.n_cells) / np.sin(np.pi * hkl)
        ratio = np.where(np.isnan(ratio), self.n_cells, ratio)
        amplitude = amplitudes(nearest) if self.amplitude is None else self.amplitude
        return (amplitude * ratio.prod(axis=-1)) ** 2
