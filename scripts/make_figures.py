"""Draw the pictures of the documentation: ``python scripts/make_figures.py``.

The script makes ``docs/images/quirks/qNN.png``. They show the effect of quirks of the C program on
an image, and the image with ``-corrected``. It simulates small images for them, which takes
seconds. It also makes ``docs/images/1orc.png``, the picture of the README, if the output of
``scripts/demo`` exists. It needs ``pip install matplotlib``.
"""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from cupysim import CupysimWarning, from_args, simulate
from cupysim.formats import float_image, smv

ROOT = Path(__file__).parent.parent
OUTPUT = ROOT / "examples" / "output"
IMAGES = ROOT / "docs" / "images"
OFFSET = 40.0
BRIGHTEST = 100.0

PANEL, GAP, HEAD, DPI = 240, 10, 22, 100
"""Sizes of panels, gaps and titles (pixels), and the resolution (dots per inch)."""

GREYS = plt.get_cmap("gray_r", 40)
SIGNED = plt.get_cmap("RdBu_r", 41)
"""Colour maps with few colours, which keep files small."""

SATURATED = 0.997
"""Part of the pixels that are not black."""

COMMON = "-default_F 100 -lambda 1 -oversample 2"
OPTIONS = {
    3: f"-cell 60 60 60 90 90 90 -N 6 {COMMON} -misset 0 2 2 -detpixels 120 -pixel 0.5 "
    "-distance 200 -osc 4 -phisteps 2",
    5: f"-cell 35 40 45 60 70 110 -Na 1 -Nb 5 -Nc 5 {COMMON} -detpixels 120 -pixel 0.25 "
    "-distance 100",
    6: "-cell 100 100 100 90 90 90 -gauss_xtal -default_F 100 -lambda 1 -oversample 4 "
    "-detpixels 120 -pixel 0.05 -distance 120",
    14: "-cell 60 60 60 90 90 90 -N 6 -default_F 100 -lambda 1 -misset 0 2 2 -detpixels 120 "
    "-pixel 0.4 -distance 150 -oversample 3 -oversample_omega",
    15: "-cell 50 60 70 90 90 90 -default_F 100 -N 1 -detpixels 4 -pixel 0.1 -oversample 1 "
    "-detector_thick 450 -detector_abs 500",
    19: f"-curved_det -cell 20 20 20 90 90 90 -N 5 {COMMON} -misset 0 8 2 -detpixels 80 "
    "-pixel 1.5 -distance 100 -Xbeam 59.25 -Ybeam 59.25",
    21: "-cell 50 60 70 90 90 90 -default_F 100 -N 1 -lambda 1 -detpixels 12 -pixel 10 "
    "-distance 60 -oversample 5",
    23: "-hkl tests/golden/inputs/orc.hkl -nodump -interpolate -cell 60 70 80 90 90 90 -N 1 "
    "-misset 45 0 0 -detpixels 120 -lambda 1 -oversample 1 -pixel 0.15 -distance 100 "
    "-Xbeam 1 -Ybeam 17",
}
"""Options that show a quirk, by its number."""


def main() -> None:
    """Draw all pictures."""
    (IMAGES / "quirks").mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(ROOT), warnings.catch_warnings():
        # the pictures show quirks, so warnings about them are of no use
        warnings.simplefilter("ignore", CupysimWarning)
        draw_difference(3)
        draw_difference(5, root=False)
        draw_difference(23, saturated=0.93)
        draw_widths()
        draw_last_terms()
        draw_layers()
        draw_curved()
        draw_solid_angle()
    if (OUTPUT / "float.bin").exists():
        draw_demo()
    else:
        print("docs/images/1orc.png was not made again: run scripts/demo first")


def draw_demo() -> None:
    """Draw the expected and the counted photons side by side."""
    expected = float_image.read(OUTPUT / "float.bin", 512, 512)
    counted = smv.read(OUTPUT / "noise_001.img").image - OFFSET
    figure, axes = plt.subplots(1, 2, figsize=(10, 5.1), layout="constrained")
    for axis, image, title in zip(
        axes, (expected, counted), ("expected photons", "counted photons"), strict=True
    ):
        axis.imshow(np.log1p(np.clip(image, 0, BRIGHTEST)), cmap="gray_r")
        axis.set_title(title)
        axis.set_axis_off()
    figure.savefig(IMAGES / "1orc.png", dpi=80)


def draw_difference(number: int, root: bool = True, saturated: float = SATURATED) -> None:
    """Draw the default image, the corrected image, and their difference.

    If `root` is true, the images are square roots of the photons.
    """
    default, corrected = images = np.sqrt(pair(number)) if root else pair(number)
    top = brightest(images, saturated)
    figure, axes = panels(3)
    show(axes[0], default, "default", top)
    show(axes[1], corrected, f"-corrected Q{number}", top)
    title = "red: default, blue: corrected"
    show(axes[2], default - corrected, title, top / 2, -top / 2, SIGNED)
    save(figure, number)


def draw_widths() -> None:
    """Draw Gaussian spots of a small and a large crystal, each image with its own grey scale."""
    figure, axes = panels(4)
    for n_cells, two in ((6, axes[:2]), (16, axes[2:])):
        for axis, image, name in zip(
            two, pair(6, f"-N {n_cells}"), ("default", "-corrected Q6"), strict=True
        ):
            show(axis, np.sqrt(image), f"-N {n_cells}, {name}", np.sqrt(image.max()))
    save(figure, 6)


def draw_last_terms() -> None:
    """Draw an image with only the last of nine sub-pixels, and the corrected image (Q14)."""
    default, corrected = roots = np.sqrt(pair(14))
    share = (default**2).sum() / (corrected**2).sum()
    figure, axes = panels(2)
    show(axes[0], default, f"default: {100 * share:.0f} % of the photons", brightest(roots))
    show(axes[1], corrected, "-corrected Q14", brightest(roots))
    save(figure, 14)


def draw_layers() -> None:
    """Plot the fraction of counted photons as a function of the number of sensor layers (Q15)."""
    whole = photons(f"{OPTIONS[15]} -detector_thick 0").sum()
    counts = [2, 3, 4, 5, 7, 10, 14, 20, 30, 50]
    figure, axis = plt.subplots(figsize=(5.4, 3.2), dpi=DPI, layout="constrained")
    axis.axhline(-np.expm1(-450 / 500), color="gray", label="exact: 1 - exp(-450/500)")
    for corrections, style in (
        ("-corrected Q15,Q26", "bo"),
        ("-corrected Q15", "c^:"),
        ("", "rs-"),
    ):
        fractions = [
            photons(f"{OPTIONS[15]} -thicksteps {count} {corrections}").sum() / whole
            for count in counts
        ]
        axis.plot(counts, fractions, style, label=corrections or "default", markersize=5)
    axis.set(xscale="log", xlabel="layers (-thicksteps)", ylabel="fraction counted", ylim=(0.3, 1))
    axis.set_xticks(counts, counts, minor=False)
    axis.minorticks_off()
    axis.legend()
    save(figure, 15)


def draw_curved() -> None:
    """Draw images of a curved and a flat detector, which should be similar near the beam (Q19)."""
    flat = photons(OPTIONS[19].replace("-curved_det ", ""))
    roots = np.sqrt([*pair(19), flat])
    figure, axes = panels(3)
    for axis, image, title in zip(
        axes, roots, ("default", "-corrected Q19", "flat, without -curved_det"), strict=True
    ):
        show(axis, image, title, brightest(roots))
    axes[0].plot((0, 1), (0, 1), color="tab:orange", linestyle="--", transform=axes[0].transAxes)
    save(figure, 19)


def draw_solid_angle() -> None:
    """Draw large pixels with the solid angle of a corner or of all sub-pixels, and their ratio."""
    default, corrected = images = pair(21)
    figure, axes = panels(3, right=70)
    show(axes[0], default, "default", images.max())
    show(axes[1], corrected, "-corrected Q21", images.max())
    title = "ratio: corrected to default"
    ratio = show(axes[2], corrected / default, title, 1.3, 0.7, SIGNED.reversed())
    edge = axes[2].get_position()
    width = figure.get_figwidth() * DPI
    bar = figure.add_axes((edge.x1 + GAP / width, edge.y0, 15 / width, edge.height))
    figure.colorbar(ratio, cax=bar)
    save(figure, 21)


def photons(words: str) -> np.ndarray:
    """Simulate the expected photons, shape (n_slow, n_fast)."""
    return simulate(from_args(words)).array.astype(np.float64)


def pair(number: int, more: str = "") -> np.ndarray:
    """Simulate without and with the correction, shape (2, n_slow, n_fast)."""
    words = f"{OPTIONS[number]} {more}"
    return np.array([photons(words), photons(f"{words} -corrected Q{number}")])


def brightest(images: np.ndarray, saturated: float = SATURATED) -> float:
    """Value above that pixels are black."""
    return float(np.quantile(images, saturated))


def panels(count: int, right: int = 0) -> tuple[Figure, list[Axes]]:
    """Make square axes side by side, aligned with pixels, with free space on the right (pixels)."""
    width, height = count * (PANEL + GAP) + GAP + right, PANEL + HEAD + GAP
    figure = plt.figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    axes = []
    for i in range(count):
        left = GAP + i * (PANEL + GAP)
        place = (left / width, GAP / height, PANEL / width, PANEL / height)
        axes.append(figure.add_axes(place, xticks=[], yticks=[]))
    return figure, axes


def show(
    axis: Axes,
    image: np.ndarray,
    title: str,
    top: float,
    bottom: float = 0.0,
    colours: Colormap = GREYS,
) -> AxesImage:
    """Draw an image. By default, `bottom` is white and `top` is black."""
    axis.set_title(title, fontsize=9)
    return axis.imshow(image, cmap=colours, vmin=bottom, vmax=top)


def save(figure: Figure, number: int) -> None:
    """Write a picture with a palette."""
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    picture.quantize(256).save(IMAGES / "quirks" / f"q{number:02}.png", optimize=True)
    plt.close(figure)


if __name__ == "__main__":
    main()
