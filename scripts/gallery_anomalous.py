"""The section of the gallery about anomalous differences, with the code of its how-to page."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import tempfile
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "howto" / "anomalous.md"

TITLE = "Anomalous differences"

TEXT = (
    "A protein with one selenium atom for 71 residues, at three wavelengths. Each point is a pair "
    "of Friedel mates: one was integrated in the first image, and the other in the second, which "
    "starts 180° later. The relative differences "
    "of their intensities are those of the structure factors, and largest at the peak. At the "
    "inflection, f'' is small. The page [Anomalous differences](howto/anomalous.md) has the "
    "program and its options."
)

COLOURS = {"peak": "tab:red", "inflection": "black", "remote": "tab:blue"}


def run_page() -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], str]:
    """Run the Python of the page. Returns its differences by wavelength, and what it prints."""
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S))
    names: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    printed, before = io.StringIO(), Path.cwd()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(printed):
        shutil.copytree(ROOT / "examples" / "1orc", Path(folder) / "examples" / "1orc")
        os.chdir(folder)
        try:
            exec(code, names)
        finally:
            os.chdir(before)
    return names["found"], printed.getvalue()


def draw() -> Figure:
    """Draw the measured differences against the calculated ones."""
    found, _ = run_page()
    figure, axis = plt.subplots(figsize=(6.0, 5.0), layout="constrained")
    for name, (measured, calculated) in found.items():
        axis.plot(
            100 * calculated, 100 * measured, ".", color=COLOURS[name], alpha=0.6,
            label=f"{name}, correlation {np.corrcoef(measured, calculated)[0, 1]:.3f}",
        )  # fmt: skip
    axis.axline((0, 0), slope=1, color="grey", linewidth=0.8)
    axis.set_xlabel("difference of the structure factors' squares (%)")
    axis.set_ylabel("difference of the counted photons (%)")
    axis.legend(loc="upper left")
    return figure


def lines(width: int) -> list[str]:
    """Lines of the section.

    Parameters
    ----------
    width : int
        Longest line.
    """
    return [
        f"## {TITLE}",
        "",
        *textwrap.wrap(TEXT, width, break_on_hyphens=False),
        "",
        f"![{TITLE}: points along the diagonal; those of the inflection are near its middle]"
        "(images/gallery/anomalous.png)",
        "",
    ]
