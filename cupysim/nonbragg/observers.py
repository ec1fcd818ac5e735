"""Observers of a rendering: progress, and the values of pixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cupysim.drop_ins.progress import ProgressReport
from cupysim.drop_ins.report_lines import pixel_lines, value_lines
from cupysim.nonbragg.scattering import Block


class Observer:
    """Sees each block of pixels after it is rendered. This class does nothing with it."""

    def add(self, block: Block) -> None:
        """See a block."""

    def close(self) -> None:
        """End the observation."""


class Progress(Observer):
    """Reports progress.

    Parameters
    ----------
    report : ProgressReport
        Report.
    """

    def __init__(self, report: ProgressReport) -> None:
        self._report = report

    def add(self, block: Block) -> None:
        """Count the pixels of a block."""
        self._report.pixels_done(block.photons.size)

    def close(self) -> None:
        """Remove the bar from the terminal."""
        self._report.close()


class Printout(Observer):
    """Prints the values of pixels. Values that differ between rays are those of the last ray.

    Parameters
    ----------
    wavelength : float
        Wavelength (m).
    pixel : tuple of 2 int, optional
        Fast and slow number of the only pixel to print; None or a negative number for all pixels.
    n_steps : int
        Number of sub-pixels and sources.
    write : callable
        Writes a line.
    """

    def __init__(
        self,
        wavelength: float,
        pixel: tuple[int, int] | None,
        n_steps: int,
        write: Callable[[str], None],
    ) -> None:
        self._wavelength, self._n_steps, self._write = wavelength, n_steps, write
        self._pixel = None if pixel is None or pixel[0] < 0 else pixel

    def add(self, block: Block) -> None:
        """Print the pixels of a block."""
        slow, fast = np.mgrid[block.rows, block.columns]
        numbers = zip(fast.reshape(-1).tolist(), slow.reshape(-1).tolist(), strict=True)
        for index, pixel in enumerate(numbers):
            if self._pixel in (None, pixel):
                self._print(block, index, pixel)

    def _print(self, block: Block, index: int, pixel: tuple[int, int]) -> None:
        ray, total = block.last, float(block.total[index])
        position = [float(component[index]) for component in ray.position]
        for line in pixel_lines(pixel, float(ray.s[index]), position, self._wavelength):
            self._write(line)
        self._write(f" F={float(block.factors[index]):g}   I = {total:g}")
        for line in value_lines(
            {
                "I/steps": total / self._n_steps,
                "polar": float(ray.polar[index]),
                "omega": float(ray.omega[index]),
                "pixel": float(block.photons.reshape(-1)[index]),
            }
        ):
            self._write(line)
