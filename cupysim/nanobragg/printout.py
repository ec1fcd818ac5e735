"""Lines of -printout: values of the last step of each pixel."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from cupysim.backends.numpy.rays import PixelBlock
from cupysim.backends.numpy.tap import Step, Tap
from cupysim.backends.rendered import InterpolationStop
from cupysim.drop_ins.report_lines import pixel_lines, value_lines
from cupysim.maths.interpolation import nearest_index
from cupysim.nanobragg.report import interpolation_warning, vector_table
from cupysim.plan.render_plan import RenderPlan


class Printout(Tap):
    """Observer of a rendering that prints pixels in the C program's layout.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the rendering, for the number of steps and the background.
    wavelength : float
        Central wavelength (m).
    pixel : tuple of 2 int, optional
        Fast and slow number of the only pixel to print; None or a negative number for all pixels.
    write : callable
        Function that prints a line.
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
        self._values: dict[str, np.ndarray] = {}
        self._carried = {"step": np.zeros(4), "F_cell": np.zeros(1), "cells": np.zeros((3, 3))}
        self._block: PixelBlock | None = None
        self._stop: InterpolationStop | None = None
        self.unfinished_line = ""

    def step(self, step: Step) -> None:
        """Keep the values of the last orientation, for each pixel."""
        block, ray, n = step.block, step.ray, len(step.block.numbers)
        if block is not self._block:
            self._block = block
            self._values = {
                "step": np.full((n, 4), np.nan),
                "F_cell": np.full((n, 1), np.nan),
                "cells": np.full((n, 3, 3), np.nan),
            }
        values = self._values
        active = np.arange(n) if ray.active is None else ray.active
        last = [*(index[-1] for index in step.indices), step.lattice_factor[-1]]
        values["step"][active] = np.stack(last, axis=-1)
        values["cells"][active] = step.cells[-1]
        if step.exception is not None and len(step.exception[1]) == len(step.cells):
            values["cells"][active[step.exception[0]]] = step.exception[1][-1]
        # with a lattice factor of zero, a step ends before the look-up of its structure factor
        for factor, amplitude in zip(step.cell_factor, step.lattice_factor, strict=True):
            reached = (amplitude != 0.0) | self.plan.has_background
            values["F_cell"][active[reached], 0] = factor[reached]
        values["scattering"] = np.stack(ray.scattering_of_all, axis=-1)
        values["position"] = np.stack(ray.position, axis=-1)

    def interpolation_stopped(self, stop: InterpolationStop) -> None:
        """Keep the C program's warning until its pixel is printed."""
        self._stop = stop

    def finished(self, block: PixelBlock, total: np.ndarray, photons: np.ndarray) -> None:
        """Print the pixels of a block."""
        # if a pixel does not compute a value, the C program still has that of the pixel before
        for name, carried in self._carried.items():
            self._values[name] = _carry(self._values[name], carried)
            self._carried[name] = self._values[name][-1]
        for index in np.flatnonzero(self._wanted(block)):
            if self._stop is not None and block.numbers[index] >= self._stop.pixel:
                self._warn()
            self._print(block, int(index), float(total[index]), float(photons[index]))

        if self._stop is not None:
            self._warn()

    def _warn(self) -> None:
        """Put the warning before the next line, because it has no line end."""
        assert self._stop is not None
        self.unfinished_line, self._stop = interpolation_warning(self._stop), None

    def _wanted(self, block: PixelBlock) -> np.ndarray:
        if self.pixel is None:
            return np.full(len(block.numbers), True)
        fast, slow = self.pixel
        return (block.fast == fast) & (block.slow == slow)

    def _print(self, block: PixelBlock, index: int, total: float, photons: float) -> None:
        values, write = self._values, self.write
        qx, qy, qz = values["scattering"][index]
        stol = 0.5 * math.sqrt(qx * qx + qy * qy + qz * qz)
        h, k, l, lattice = values["step"][index]
        whole = [int(nearest_index(value)) for value in (h, k, l)]
        begun, self.unfinished_line = self.unfinished_line, ""
        pixel = int(block.fast[index]), int(block.slow[index])
        for line in pixel_lines(pixel, stol, values["position"][index], self.wavelength):
            write(f"{begun}{line}")
            begun = ""
        write(f"hkl= {h:f} {k:f} {l:f}  hkl0= {whole[0]} {whole[1]} {whole[2]}")
        write(f" F_cell={values['F_cell'][index, 0]:g}  F_latt={lattice:g}   I = {total:g}")
        for line in value_lines(
            {
                "I/steps": total / self.plan.n_steps,
                "polar": float(block.polar[index]),
                "omega": float(block.omega[index]),
                "capfrac": float(block.capture[index]),
                "pixel": photons,
            }
        ):
            write(line)
        write("real-space cell vectors (Angstrom):")
        for line in vector_table(("a", "b", "c"), values["cells"][index] * 1e10):
            write(line)


def _carry(values: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Fill rows of NaN from the row above, and the first ones from `before`."""
    rows = np.concatenate([before[None], values])
    known = ~np.isnan(rows.reshape(len(rows), -1)[:, 0])
    source = np.maximum.accumulate(np.where(known, np.arange(len(rows)), 0))
    return rows[source][1:]
