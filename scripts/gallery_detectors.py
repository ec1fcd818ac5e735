"""The section of the gallery about what detectors make of photons."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from cupysim import from_args, simulate

ROOT = Path(__file__).parent.parent

TITLE = "What a detector makes of photons"

STILL = (
    "-misset 10 20 30 -lambda 1 -distance 80 -F000 0 -N 20 -gauss_xtal -mosaic 0.4 -mosaic_dom 200 "
    "-fluence 3e26 -water 0.2 -Xbeam 19.2 -Ybeam 19.2 -corrected -nodump"
)
"""Options of the still, without coordinates and pixels."""

EDGE = 38.4
"""Edge of the image (mm)."""

ENLARGED = ((25.0, 31.2), (17.2, 23.4))
"""Part of the image that is enlarged: from and to along fast and slow (mm)."""

SEED = 1

WIDE, FINE, COARSE = 0.075, 0.1026, 0.15
"""Edges of pixels (mm): Eiger2 and Jungfrau; Q315 binned 2 x 2; mar345."""

BRIGHT = 24.0
"""Photons in a pixel of 0.075 mm that are black, unless numbers are ADU."""


@dataclass(frozen=True)
class View:
    """One image of the section.

    Parameters
    ----------
    title : str
        Title above the image.
    caption : str
        What it shows.
    pixel : float
        Edge of a pixel (mm).
    response : str
        Name of the response; empty for expected photons.
    shown : str
        "photons" or "raw".
    limits : tuple of 2 float
        Numbers that are white and black.
    root : bool
        Whether the grey scale is that of the square root.
    """

    title: str
    caption: str
    pixel: float
    response: str
    shown: str
    limits: tuple[float, float]
    root: bool = False


VIEWS = (
    View(
        "expected photons",
        "**Expected photons**, which cupysim computes. The background is smooth, between 3 and 4 "
        "photons in a pixel.",
        WIDE, "", "photons", (0.0, BRIGHT), True,
    ),
    View(
        "eiger2: counts",
        "**Counts of an Eiger2**: whole photons, with counting noise. Spots are as sharp as the "
        "expected ones.",
        WIDE, "eiger2", "raw", (0.0, BRIGHT), True,
    ),
    View(
        "jungfrau: raw numbers",
        "**Raw numbers of a Jungfrau**. Pixels with more than 24 photons switch to the medium gain "
        "(grey), and those with more than about 800 to the low gain (black). Their gain bits put "
        "them far above the background. In a switched pixel, the digital number in the lower bits "
        "becomes smaller as the signal becomes larger.",
        WIDE, "jungfrau", "raw", (0.0, 65535.0),
    ),
    View(
        "jungfrau: photons",
        "**The same Jungfrau image, calibrated**: photons again. The noise of the read-out is too "
        "small to be seen: 0.015 photons in the high gain. The photons of the background are those "
        "of the Eiger2, because the seed is the same.",
        WIDE, "jungfrau", "photons", (0.0, BRIGHT), True,
    ),
    View(
        "adsc-q315: ADU",
        "**ADU of a CCD** (ADSC Q315). Fibre-optic tapers put halos around bright spots, and the "
        "weak spot in the middle of the enlarged part is fainter than in the Eiger2 image. A pixel "
        "without photons has about 40 ADU.",
        FINE, "adsc-q315", "raw", (20.0, 120.0),
    ),
    View(
        "mar345: numbers",
        "**Numbers of an image plate** (mar345). Pixels are large and spots are wide. Neighbouring "
        "pixels share their noise, so the background has blotches.",
        COARSE, "mar345", "raw", (0.0, 100.0),
    ),
)  # fmt: skip
"""Images in the order in which they are read."""

ACROSS = 2
"""Images side by side, each with its enlarged part to the right."""


def draw() -> Figure:
    """Draw all images and their enlarged parts."""
    stills: dict[float, Any] = {}
    down = len(VIEWS) // ACROSS
    figure, axes = plt.subplots(
        down, 2 * ACROSS, figsize=(5.0 * ACROSS, 2.75 * down), layout="constrained"
    )
    pairs = axes.reshape(-1, 2)
    for view, (whole, part) in zip(VIEWS, pairs, strict=True):
        if view.pixel not in stills:
            size = round(EDGE / view.pixel)
            model = f"-pdb {ROOT}/examples/1orc/1orc.pdb -pixel {view.pixel} -detpixels {size}"
            stills[view.pixel] = simulate(from_args(f"{model} {STILL}"))
        pixels = pixels_of(stills[view.pixel], view)
        low, high = view.limits
        scaled = np.clip((pixels - low) / (high - low), 0.0, 1.0)
        for axis in (whole, part):
            axis.imshow(
                np.sqrt(scaled) if view.root else scaled, cmap="gray_r", vmin=0.0, vmax=1.0,
                interpolation="nearest", extent=(0.0, EDGE, EDGE, 0.0),
            )  # fmt: skip
            axis.set(xticks=[], yticks=[])
        (left, right), (top, bottom) = ENLARGED
        part.set(xlim=(left, right), ylim=(bottom, top))
        frame = plt.Rectangle((left, top), right - left, bottom - top, fill=False, lw=1.5)
        whole.add_patch(frame)
        whole.set_title(view.title, fontsize=8)
    return figure


def pixels_of(still: Any, view: View) -> np.ndarray:
    """The numbers that an image shows."""
    if not view.response:
        return np.asarray(still.array)
    found = still.detect(view.response, seed=SEED)
    return np.asarray(found.raw if view.shown == "raw" else found.photons, dtype=np.float64)


def lines(width: int) -> list[str]:
    """The section as Markdown."""
    size = round(EDGE / WIDE)
    text = (
        "A still of a small protein (1ORC) with a background of water, as detectors read it out. "
        "To the right of each image is the part in the frame, enlarged. Photons and counts have a "
        f"square-root scale from 0 to {BRIGHT:g}, all other numbers a linear scale."
    )
    python = 'In Python: `image.detect("jungfrau", seed=1)`.'
    found = [f"## {TITLE}", "", *textwrap.wrap(f"{text} {python}", width, break_on_hyphens=False)]
    found += ["", f"![{TITLE}: {text}](images/gallery/detectors.png)", ""]
    for view in VIEWS:
        found += textwrap.wrap(
            f"* {view.caption}", width, subsequent_indent="  ", break_on_hyphens=False
        )
    found += [
        "",
        "These options replace those at the top of the page; they are for the images with pixels "
        "of 0.075 mm:",
        "",
        "```sh",
    ]
    found += [
        f"cupysim -pdb examples/1orc/1orc.pdb -pixel {WIDE} -detpixels {size} {STILL}",
        "```",
        "",
    ]
    return found
