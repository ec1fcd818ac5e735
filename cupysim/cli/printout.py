"""What -printout prints: values of the last step of each pixel."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from cupysim.cli.report import interpolation_warning, vector_table
from cupysim.constants import ANGSTROM
from cupysim.maths.interpolation import nearest_index
from cupysim.render.plan import RenderPlan
from cupysim.render.rays import PixelBlock, Ray
from cupysim.render.reference import Indices, InterpolationStop


class Printout:
    """Listens to a render and prints pixels in the C program's layout.

    Parameters
    ----------
    plan : RenderPlan
        What is rendered.
    wavelength : float
        Central wavelength (m).
    pixel : tuple of 2 int, optional
        Fast and slow number of the only pixel to print; negative for all.
    write : callable
        Takes a line.
    """

    def __init__(
        self,
        plan: RenderPlan,
        wavelength: float,
        pixel: tuple[int, int] | None,
        write: Callable[[str], None],
    ) -> None:
        self.plan = plan
        self.wavelength = wavelength
        self.pixel = None if pixel is None or pixel[0] < 0 else pixel
        self.write = write
        self._last: dict[str, np.ndarray] = {}
        self._block: PixelBlock | None = None
        self._stop: InterpolationStop | None = None
        self.unfinished_line = ""

    def step(
        self,
        block: PixelBlock,
        ray: Ray,
        indices: Indices,
        amplitudes: tuple[np.ndarray, np.ndarray],
        cells: np.ndarray,
    ) -> None:
        """Keep the last orientation's values of each pixel."""
        if not self._wanted(block).any():
            return
        if block is not self._block:
            n = len(block.numbers)
            self._block = block
            self._last = {
                "indices": np.zeros((3, n)),
                "F_cell": np.zeros(n),
                "F_latt": np.zeros(n),
                "cells": np.broadcast_to(cells[-1], (n, 3, 3)).copy(),
            }
        active = np.arange(len(block.numbers)) if ray.active is None else ray.active
        cell_factor, lattice = amplitudes
        self._last["indices"][:, active] = [index[-1] for index in indices]
        self._last["F_latt"][active] = lattice[-1]
        self._last["cells"][active] = cells[-1]
        # a lattice factor of zero ends a step before its structure factor is looked up
        for factor, amplitude in zip(cell_factor, lattice, strict=True):
            reached = (amplitude != 0.0) | self.plan.has_background
            self._last["F_cell"][active[reached]] = factor[reached]
        self._last["scattering"] = np.array(ray.scattering)
        self._last["position"] = np.array(ray.position)

    def interpolation_stopped(self, stop: InterpolationStop) -> None:
        """Keep the C program's warning until its pixel comes."""
        self._stop = stop

    def finished(self, block: PixelBlock, total: np.ndarray, photons: np.ndarray) -> None:
        """Print the pixels of a block."""
        for index in np.flatnonzero(self._wanted(block)):
            if self._stop is not None and block.numbers[index] >= self._stop.pixel:
                self._warn()
            if block is self._block:
                self._print(block, int(index), float(total[index]), float(photons[index]))

        if self._stop is not None:
            self._warn()

    def _warn(self) -> None:
        """The warning has no line end, so that the next line is glued to it."""
        assert self._stop is not None
        self.unfinished_line, self._stop = interpolation_warning(self._stop), None

    def _wanted(self, block: PixelBlock) -> np.ndarray:
        if self.pixel is None:
            return np.full(len(block.numbers), True)
        fast, slow = self.pixel
        return (block.fast == fast) & (block.slow == slow)

    def _print(self, block: PixelBlock, index: int, total: float, photons: float) -> None:
        last, write = self._last, self.write
        x, y, z = last["position"][:, index]
        q = last["scattering"][:, min(index, last["scattering"].shape[1] - 1)]
        stol = 0.5 * math.sqrt(float(q @ q))
        twotheta = math.atan2(math.sqrt(y * y + z * z), x)
        from_position = math.sin(twotheta / 2.0) / (self.wavelength * 1e10)
        h, k, l = last["indices"][:, index]
        whole = [int(nearest_index(value)) for value in (h, k, l)]
        begun, self.unfinished_line = self.unfinished_line, ""
        write(
            f"{begun}{int(block.fast[index]):4d} {int(block.slow[index]):4d} : "
            f"stol = {stol:g} or {from_position:g}"
        )
        write(f"at {x:g} {y:g} {z:g}")
        write(f"hkl= {h:f} {k:f} {l:f}  hkl0= {whole[0]} {whole[1]} {whole[2]}")
        write(
            f" F_cell={last['F_cell'][index]:g}  F_latt={last['F_latt'][index]:g}   I = {total:g}"
        )
        for name, value in (
            ("I/steps", total / self.plan.n_steps),
            ("polar  ", float(block.polar[index])),
            ("omega  ", float(block.omega[index])),
            ("capfrac", float(block.capture[index])),
            ("pixel  ", photons),
        ):
            write(f"{name} {value:15.10g}")
        write("real-space cell vectors (Angstrom):")
        for line in vector_table(("a", "b", "c"), last["cells"][index] / ANGSTROM):
            write(line)
