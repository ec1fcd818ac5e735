"""Output of figures: a file, a notebook, or a window."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cupysim.errors import CupysimError
from cupysim.optional_libraries import require
from cupysim.storage.safe_writing import OutputFiles, check_writable

PICTURES = (".png", ".pdf", ".svg", ".jpg")
"""Suffixes of the files that figures can be written to."""

USUAL_DPI = 150
"""Default resolution of a picture (dots per inch)."""

NOTEBOOKS = ("inline", "ipympl", "nbagg", "widget")
"""Parts of the names of matplotlib's backends that need no display."""

Draw = Callable[[Any], None]
"""A function that draws into an empty figure of matplotlib."""


def check_picture(path: os.PathLike[str] | str, option: str) -> None:
    """Reject a file that no figure can be written to.

    Parameters
    ----------
    path : path_like
        File to write.
    option : str
        The option or argument that names the file, for messages.

    Raises
    ------
    CupysimError
        If the suffix is none of `PICTURES`, the file cannot be written, or matplotlib is not
        installed.
    """
    if Path(path).suffix.lower() not in PICTURES:
        raise CupysimError(f"{option}: expected a name that ends in {', '.join(PICTURES)}")
    check_writable(path)
    require("matplotlib", "a picture")


def save_figure(draw: Draw, path: os.PathLike[str] | str, dpi: int = USUAL_DPI) -> None:
    """Draw a figure into a file. The suffix decides the format.

    Parameters
    ----------
    draw : callable
        Function that draws into an empty figure.
    path : path_like
        File to write; see `check_picture`.
    dpi : int, optional
        Resolution (dots per inch).
    """
    # without pyplot, which would need a display or change the notebook's settings
    figure = require("matplotlib.figure", "a picture").Figure(layout="constrained")
    draw(figure)
    kind = Path(path).suffix[1:].lower()
    with OutputFiles() as files:
        files.write(path, lambda stream: figure.savefig(stream, format=kind, dpi=dpi))


def check_display(instead: str) -> None:
    """Raise an error if there is no display for a window.

    Parameters
    ----------
    instead : str
        Command that writes a picture instead, for the message.

    Raises
    ------
    CupysimError
        If there is neither a display nor a notebook, or matplotlib is not installed.
    """
    backend = str(require("matplotlib", "a picture").get_backend()).lower()
    has_display = (
        sys.platform in ("darwin", "win32")
        or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        or any(name in backend for name in NOTEBOOKS)
    )
    if not has_display:
        raise CupysimError(f"there is no display for a window; {instead} writes a picture")


def open_window(draw: Draw) -> None:
    """Draw a figure in a window, or in the notebook.

    Parameters
    ----------
    draw : callable
        Function that draws into an empty figure.
    """
    pyplot = require("matplotlib.pyplot", "a window")
    draw(pyplot.figure(layout="constrained"))
    pyplot.show()


def show_figure(draw: Draw, path: os.PathLike[str] | str | None, instead: str) -> None:
    """Draw a figure into a file, or show it in a window or a notebook.

    Parameters
    ----------
    draw : callable
        Function that draws into an empty figure.
    path : path_like, optional
        File to write. By default, a window opens.
    instead : str
        Command that writes a picture, for the message if there is no display.

    Raises
    ------
    CupysimError
        If there is no display, the file cannot be written, or matplotlib is not installed.
    """
    if path is None:
        check_display(instead)
        open_window(draw)
    else:
        check_picture(path, "path")
        save_figure(draw, path)
