"""Progress reports of a rendering: the C program's lines, or a bar on a terminal."""

from __future__ import annotations

from collections.abc import Callable

from cupysim.backends.rendered import InterpolationStop, Observer
from cupysim.drop_ins.progress import ProgressReport
from cupysim.nanobragg.report import interpolation_warning


class Listener(Observer):
    """Keeps the warning that interpolation stopped.

    The C program prints it without a line end. The next line therefore begins with
    `unfinished_line`.
    """

    def __init__(self) -> None:
        self.unfinished_line = ""

    def interpolation_stopped(self, stop: InterpolationStop) -> None:
        """Keep the warning that interpolation stopped."""
        self.unfinished_line = interpolation_warning(stop)


class Progress(Listener):
    """Counts finished pixels and reports the progress of the rendering.

    Parameters
    ----------
    n_pixels : int
        Number of pixels in the region, as the C program counts them.
    write : callable
        Function that writes a line to standard output.
    """

    def __init__(self, n_pixels: int, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write
        self._progress = ProgressReport(n_pixels, self._continue)

    def pixels_done(self, count: int) -> None:
        """Count pixels that are newly finished, and report progress."""
        self._progress.pixels_done(count)

    def close(self) -> None:
        """Remove the bar from the terminal."""
        self._progress.close()

    def _continue(self, line: str) -> None:
        begun, self.unfinished_line = self.unfinished_line, ""
        self._write(f"{begun}{line}")
