"""Progress reports of a rendering: the C programs' lines, or a bar on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from cupysim.terminal import say

BAR_WIDTH = 40
SECONDS_BETWEEN = 0.1


class ProgressReport:
    """Counts finished pixels and reports the progress of a rendering.

    Parameters
    ----------
    n_pixels : int
        Number of pixels in the region, as the C programs count them.
    write : callable
        Function that writes a line to standard output.
    """

    def __init__(self, n_pixels: int, write: Callable[[str], None]) -> None:
        self.n_pixels = n_pixels
        self.done = 0
        self._write = write
        self._bar = is_terminal(sys.stderr)
        self._lines = not (self._bar and is_terminal(sys.stdout))
        self._shown = 0.0

    def pixels_done(self, count: int) -> None:
        """Count pixels that are newly finished, and report progress."""
        first, self.done = self.done, self.done + count
        if self._lines and self.n_pixels >= 100:
            for pixel in self._reported(first, self.done):
                self._write(f"{pixel * 100 // self.n_pixels}% done")
        if self._bar and time.monotonic() - self._shown > SECONDS_BETWEEN:
            self._shown = time.monotonic()
            share = min(self.done / max(self.n_pixels, 1), 1.0)
            bar = "#" * round(share * BAR_WIDTH)
            say(f"\r[{bar:<{BAR_WIDTH}}] {share:4.0%}")

    def close(self) -> None:
        """Remove the bar from the terminal."""
        if self._bar and self._shown:
            say("\r" + " " * (BAR_WIDTH + 8) + "\r")

    def _reported(self, first: int, last: int) -> list[int]:
        """Pixels of a range at which the C programs print a line, before they compute them."""
        n, coarse, fine = self.n_pixels, self.n_pixels // 20, self.n_pixels // 100

        def multiples(step: int) -> range:
            return range(-(-first // step) * step, last, step)

        ends = (pixel for pixel in multiples(fine) if 10 * pixel < n or 10 * pixel > 9 * n)
        return sorted({*multiples(coarse), *ends})


def is_terminal(stream: object) -> bool:
    """Whether a stream is a terminal; False for a missing stream."""
    return hasattr(stream, "isatty") and bool(stream.isatty())
