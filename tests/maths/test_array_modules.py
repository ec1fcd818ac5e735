"""Shared functions run on arrays which are not NumPy's, as on CuPy's.

The stand-in has CuPy's refusal to become a NumPy array on the sly, so a
function which calls NumPy by name fails here.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cupysim.maths import (
    arrays,
    detector_geometry,
    divergence,
    interpolation,
    lattice_factor,
    mosaic,
    orientations,
    pixel_factors,
    polarization,
    rotations,
    stol_interpolation,
)


def unwrap(value: Any) -> Any:
    if isinstance(value, DeviceArray):
        return value.hidden
    if isinstance(value, list | tuple):
        return type(value)(unwrap(item) for item in value)
    return value


def wrap(value: Any) -> Any:
    return DeviceArray(value) if isinstance(value, np.ndarray | np.generic) else value


class DeviceArray:
    """An array on a pretended device."""

    def __init__(self, hidden: Any) -> None:
        self.hidden = np.asarray(hidden)
        self.shape = self.hidden.shape
        self.dtype = self.hidden.dtype

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError("implicit conversion to a NumPy array is not allowed")

    __array_ufunc__ = None

    def __getitem__(self, key: Any) -> Any:
        return wrap(self.hidden[unwrap(key)])

    def __len__(self) -> int:
        return len(self.hidden)

    def __bool__(self) -> bool:
        return bool(self.hidden)

    def __float__(self) -> float:
        return float(self.hidden)

    def __iter__(self) -> Any:
        return (wrap(row) for row in self.hidden)

    def __getattr__(self, name: str) -> Any:
        if name not in {"all", "any", "astype", "reshape", "T", "max", "min"}:
            raise AttributeError(name)
        value = getattr(self.hidden, name)
        return (lambda *args: wrap(value(*args))) if callable(value) else wrap(value)


def _operator(function: Callable[..., Any], swapped: bool) -> Callable[..., Any]:
    def method(self: DeviceArray, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            raise TypeError("NumPy and device arrays do not mix")
        pair = (unwrap(other), self.hidden) if swapped else (self.hidden, unwrap(other))
        return wrap(function(*pair))

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "and_", "or_", "pow"):
    _plain = _name.rstrip("_")
    setattr(DeviceArray, f"__{_plain}__", _operator(getattr(operator, _name), swapped=False))
    setattr(DeviceArray, f"__r{_plain}__", _operator(getattr(operator, _name), swapped=True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(DeviceArray, f"__{_name}__", _operator(getattr(operator, _name), swapped=False))
for _name in ("neg", "invert"):
    _function = getattr(operator, _name)
    setattr(DeviceArray, f"__{_name}__", lambda self, f=_function: wrap(f(self.hidden)))


class DeviceModule(ModuleType):
    """A module of functions on device arrays, as CuPy is one."""

    ndarray = DeviceArray

    def __getattr__(self, name: str) -> Any:
        value = getattr(np, name)
        if isinstance(value, type):
            return value
        return lambda *args, **kwargs: wrap(
            value(*(unwrap(arg) for arg in args), **{k: unwrap(v) for k, v in kwargs.items()})
        )


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> DeviceModule:
    module = DeviceModule("cupy")
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


rng = np.random.default_rng(5)
VECTORS, AXIS, ANGLES = rng.normal(size=(6, 3)), np.array([0.0, 0.6, 0.8]), rng.normal(size=6)
MATRICES = rng.normal(size=(6, 3, 3))
INDICES = tuple(rng.uniform(-2, 2, size=(3, 6)))
POSITION = list(rng.uniform(0.05, 0.1, size=(3, 6)))
TABLE = rng.normal(size=(11, 11, 11))
X, Y, Z = np.eye(3)

CALLS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "dot": (arrays.dot, (VECTORS, VECTORS)),
    "cross": (arrays.cross, (VECTORS, AXIS)),
    "unit": (arrays.unit, (VECTORS,)),
    "rotate_xyz": (rotations.rotate_xyz, (VECTORS, (0.1, 0.2, 0.3))),
    "rotate_axis": (rotations.rotate_axis, (VECTORS, AXIS, ANGLES)),
    "apply_matrix": (rotations.apply_matrix, (MATRICES, VECTORS)),
    "rotation_matrices": (mosaic.rotation_matrices, (ANGLES / 3, ANGLES / 4, ANGLES)),
    "source_positions": (divergence.source_positions, (VECTORS[:, :2], X, Z, -Y)),
    "pixel_position": (
        detector_geometry.pixel_position, (ANGLES, ANGLES, 0.1, VECTORS[:3], VECTORS[4]),
    ),
    "bend": (detector_geometry.bend, (POSITION, detector_geometry.mirrored_bend(0.1, X, Z, -Y))),
    "solid_angle": (pixel_factors.solid_angle, (1e-8, POSITION[0], 0.1, False)),
    "capture_fraction": (pixel_factors.capture_fraction, (2, 1e-4, 2e3, POSITION[0])),
    "polarization": (polarization.polarization_factor, (0.5, X, POSITION, Z)),
    "square": (lattice_factor.square, (INDICES, (4.0, 1.0, 3.0))),
    "round": (lattice_factor.round_crystal, (INDICES, (4.0, 5.0, 3.0), 0.5)),
    "no_fringes": (lattice_factor.no_fringes, (INDICES, (4.0, 1.0, 3.0))),
    "flat": (lattice_factor.flat, (INDICES, (4.0, 1.0, 3.0))),
    "distance": (
        lattice_factor.reciprocal_distance_squared, (INDICES, MATRICES[0], (4.0, 5.0, 3.0)),
    ),
    "gauss": (lattice_factor.gauss, (ANGLES**2, 60.0, 0.5)),
    "tophat": (lattice_factor.tophat, (ANGLES**2, 60.0, 0.5)),
    "nearest_index": (interpolation.nearest_index, (ANGLES,)),
    "nearest": (interpolation.nearest, (INDICES, TABLE, (-4, -4, -4))),
    "out_of_range": (interpolation.out_of_range, (INDICES, (-4, -4, -4), (9, 9, 9))),
    "stol_interpolation": (
        stol_interpolation.interpolate,
        (np.array([0.0, 0.4, 1.0]), np.array([2.0, 5.0, 3.0]), ANGLES),
    ),
    "tricubic": (interpolation.tricubic, (INDICES, TABLE, (-4, -4, -4))),
}  # fmt: skip


def send(value: Any) -> Any:
    """Arrays to the device; numbers and tuples of numbers stay."""
    if isinstance(value, np.ndarray):
        return DeviceArray(value)
    if isinstance(value, list | tuple):
        return type(value)(send(item) for item in value)
    return value


@pytest.mark.parametrize("name", CALLS)
def test_same_result_on_the_device(name: str) -> None:
    function, arguments = CALLS[name]
    host = function(*arguments)
    result = function(*send(arguments))
    for there, here in zip(
        result if isinstance(result, list) else [result],
        host if isinstance(host, list) else [host],
        strict=True,
    ):
        assert isinstance(there, DeviceArray)
        np.testing.assert_array_equal(there.hidden, here)


def test_orientations_on_the_device() -> None:
    host = list(orientations.orientation_blocks(MATRICES[:4], MATRICES[:3], 5))
    device = list(
        orientations.orientation_blocks(DeviceArray(MATRICES[:4]), DeviceArray(MATRICES[:3]), 5)
    )
    assert [first for first, _ in host] == [first for first, _ in device] == [0, 5, 10]
    for (_, here), (_, there) in zip(host, device, strict=True):
        np.testing.assert_array_equal(there.hidden, here)
    whole = np.concatenate([cells for _, cells in host])
    # spindle angles outside, domains inside
    np.testing.assert_allclose(whole[5, 0], MATRICES[2] @ MATRICES[1][0])
