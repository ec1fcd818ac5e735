"""Draw the gallery of the documentation: ``python scripts/make_gallery.py``.

The script makes ``docs/images/gallery/*.png``, a row of images for each parameter and one of what
detectors make of photons, and ``docs/gallery.md``, which shows them. It also makes ``first.png``,
``command_line.png`` and ``conventions.png`` in ``docs/images``. It simulates the images, which
takes some minutes. It needs ``pip install ".[files]"``.
"""

from __future__ import annotations

import io
import re
import tempfile
import textwrap
import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import gallery_anomalous
import gallery_detectors
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from cupysim import CupysimWarning, from_args, simulate
from cupysim.cli.main import main as main_command

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
PAGE = ROOT / "docs" / "gallery.md"

BASE = (
    "-cell 25 30 35 -default_F 100 -N 12 -lambda 1 -distance 100 -detpixels 180 -pixel 0.5 "
    "-misset 12 25 8 -oversample 3 -mosaic 0.5 -mosaic_dom 60 -fluence 1e25 -corrected"
)
"""Options that all images share. Options of a row follow them and overrule them."""


COMMAND_LINE = (
    f"-pdb {ROOT}/examples/1orc/1orc.pdb -misset 10 20 30 -lambda 1 -distance 100 -detpixels 512 "
    "-pixel 0.2 -N 20 -mosaic 0.3 -mosaic_dom 20 -fluence 1e27 -F000 0 -corrected -nodump"
)
"""Options of the image of docs/start/command_line.md."""

INTRODUCTION = (
    "Each row of images changes one parameter and keeps the others. The images show expected "
    "photons on a square-root scale; darker pixels have more photons. Unless a row says otherwise, "
    "each image has its own grey scale. For each image, `python scripts/make_gallery.py` gives "
    "cupysim the following options, followed by those of the row and those of the image. The "
    "options of the images are below each picture, from left to right. The titles in the pictures "
    "omit numbers of steps, but the options need them: `-osc 30` alone, for example, is sampled at "
    "2 angles only."
)
"""First paragraph of the page."""

WIDTH = 120
"""Longest line of text on the page."""

BLACKEST = 99.0
"""Percentile of the pixels that are black."""


@dataclass(frozen=True)
class Row:
    """A parameter of the gallery.

    Parameters
    ----------
    name : str
        File name of the picture, without its suffix.
    title : str
        Title of the section.
    text : str
        Description of the images.
    options : tuple of str
        Options of each image, in addition to `BASE` and `common`.
    python : str
        Expression that sets the parameter in Python.
    common : str
        Options of all images of the row, in addition to `BASE`.
    seed : int, optional
        Show counted photons, drawn with this seed.
    one_scale : bool
        Show all images on the scale of the first one.
    """

    name: str
    title: str
    text: str
    options: tuple[str, ...]
    python: str
    common: str = ""
    seed: int | None = None
    one_scale: bool = False


ROWS = (
    Row(
        "cells", "Number of unit cells", "With more cells, spots become narrower and brighter. "
        "Between the spots are fringes (subsidiary maxima). A spot's width is the distance between "
        "spots divided by the number of cells. Here it is about 2 pixels with 3 cells, and less "
        "than a pixel with 8 or more.",
        ("-N 3", "-N 5", "-N 8", "-N 12"), "Crystal(n_cells=)",
    ),
    Row(
        "shape", "Spot shape", "A square crystal has fringes along the axes of its cell. A "
        "round one has weaker fringes. Gaussian and top-hat spots have none.",
        ("-square_xtal", "-round_xtal", "-gauss_xtal", "-tophat_spots"),
        'Crystal(shape="square")`, `"round"`, `"gauss"`, `"tophat"', "-N 5 -mosaic 0 -mosaic_dom 1",
    ),
    Row(
        "shape_more", "Spot shapes of other programs", "The crystal has few cells along a, so "
        "Gaussian spots are long in this direction, and many reflections reach the Ewald sphere. "
        "With the same numbers of cells, `gauss_star` spots are spheres in reciprocal space, and "
        "fewer of them reach it. CrystFEL's spots (`no_fringes`, `flat`) end at the first minimum "
        "of a parallelepiped's lattice factor; `flat` spots are constant up to there.",
        ("-spot_shape gauss", "-spot_shape gauss_star", "-spot_shape no_fringes",
         "-spot_shape flat"), 'Crystal(shape="gauss_star")',
        "-Na 3 -Nb 6 -Nc 9 -mosaic 0 -mosaic_dom 1",
    ),
    Row(
        "spreads", "Mosaicity about one axis", "The spread is 0.2 degrees about all axes of the "
        "crystal, or 3 degrees about one of them: x along a, y in the plane of a and b, z along "
        "c*. The larger spread smears reflections around this axis.",
        tuple(f"-spread_abc {spreads}" for spreads in ("0.2 0.2 0.2", "3 0.2 0.2", "0.2 3 0.2",
                                                       "0.2 0.2 3")),
        'Mosaicity.of(MosaicModel("normal", (0.05, 0.003, 0.003), 300))',
        "-mosaic 0 -domain_model normal -mosaic_dom 300 -gauss_xtal",
    ),
    Row(
        "diffuse", "Diffuse scattering", "Displacements of 1 Angstrom give each reflection a halo. "
        "The halo is narrower if the displacements are correlated over a longer distance. The "
        "first image has Bragg reflections and halos, the others only halos.",
        ("-diffuse_gamma 20 20 20", "-diffuse_only -diffuse_gamma 5 5 5",
         "-diffuse_only -diffuse_gamma 20 20 20", "-diffuse_only -diffuse_gamma 80 80 80"),
        "Crystal(diffuse=Diffuse((2e-9,) * 3, (1e-10,) * 3))",
        "-diffuse_sigma 1 1 1 -N 3 -gauss_xtal -mosaic 0 -mosaic_dom 1 -nointerpolate",
    ),
    Row(
        "background", "Background", "Water has a ring at 3 Angstrom, air scatters at small angles, "
        "and grains of ice give rings. Their thickness along the beam is 1 mm of water, 300 mm of "
        "air, and 0.2 mm of ice with grains of 5 nm or 100 nm. The crystal of 12 cells is too "
        "small to be seen beside them.",
        ("-background water,1", "-background air,300", "-background nano-ice,0.2",
         "-background water,1 -background ice,0.2"),
        'Experiment(backgrounds=(material("water", 1e-3),))',
    ),
    Row(
        "mosaic", "Mosaicity", "With a larger mosaic spread, spots become arcs around the beam "
        "centre, and more reflections touch the Ewald sphere.",
        ("-mosaic 0 -mosaic_dom 1", "-mosaic 1 -mosaic_dom 200", "-mosaic 4 -mosaic_dom 1000",
         "-mosaic 16 -mosaic_dom 4000"), "Crystal(mosaicity=Mosaicity.from_degrees(1, 200))",
    ),
    Row(
        "misset", "Orientation", "The crystal turns about the laboratory's z axis, the last of the "
        "three missetting angles. Other reflections meet the Ewald sphere, and the lunes "
        "(crescents of spots) move.",
        tuple(f"-misset 12 25 {angle}" for angle in (8, 10, 12, 14)), "Crystal.with_misset",
    ),
    Row(
        "wavelength", "Wavelength", "A shorter wavelength moves spots towards the beam and reaches "
        "a higher resolution.",
        ("-lambda 2", "-lambda 1.5", "-lambda 1", "-lambda 0.7"), "Beam(wavelength=)",
    ),
    Row(
        "dispersion", "Bandwidth", "With a larger bandwidth, spots become streaks along the "
        "radius, and more reflections appear in one image.",
        ("", "-dispersion 3 -dispsteps 20", "-dispersion 8 -dispsteps 40",
         "-dispersion 20 -dispsteps 80"),
        "Beam(dispersion=Sweep.across(0.08, 40))",
    ),
    Row(
        "divergence", "Divergence", "With a larger divergence, spots become as wide as the range "
        "of directions of the beam.",
        ("", *(f"-divergence {mrad} -divsteps {steps}"
               for mrad, steps in ((5, 5), (10, 9), (20, 15)))),
        "Beam(horizontal=Sweep.across(0.02, 15), vertical=Sweep.across(0.02, 15))",
    ),
    Row(
        "oscillation", "Rotation", "The crystal turns about the spindle (z) during the exposure, "
        "and more reflections pass through the Ewald sphere.",
        ("", "-osc 2 -phisteps 20", "-osc 8 -phisteps 60", "-osc 30 -phisteps 200"),
        "Scan.from_degrees",
    ),
    Row(
        "distance", "Distance", "At a larger distance, spots are farther apart, and the detector "
        "covers only low resolution.",
        ("-distance 50", "-distance 100", "-distance 200", "-distance 400"), "Detector(distance=)",
    ),
    Row(
        "tilt", "Tilt of the detector", "The detector turns about the laboratory's z axis. On the "
        "side that is farther away, spots are farther apart.",
        tuple(f"-detector_rotz {angle}" for angle in (0, 15, 30, 45)),
        "DetectorAngles.from_degrees",
    ),
    Row(
        "polarization", "Polarization", "The Kahn factors are -1, 0 and 1, and the domains "
        "have all orientations. In the direction of the electric field, scattering is multiplied "
        "by cos² 2θ, about 0.3 at the edges. With a Kahn factor of 1, the field is along z, which "
        "is horizontal here.",
        tuple(f"-polar {factor}" for factor in (-1, 0, 1)), "Beam(polarization=)",
        "-mosaic 180 -mosaic_dom 2000 -distance 30 -N 2",
    ),
    Row(
        "water", "Water", "The images have the background of cubes of water with edges of 0 to "
        "0.06 µm. All of them have the grey scale of the first.",
        tuple(f"-water {size}" for size in (0, 0.02, 0.04, 0.06)),
        "Experiment(water=Water(0.02e-6))", "-nopolar", one_scale=True,
    ),
    Row(
        "noise", "Fluence and noise", "The images show counted photons. At the lowest fluence, "
        "most pixels count no photon.",
        tuple(f"-fluence {fluence}" for fluence in ("1e25", "1e26", "1e27", "1e28")),
        "image.counts", seed=1,
    ),
)  # fmt: skip


def main() -> None:
    """Make all pictures and the page."""
    (IMAGES / "gallery").mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        for row in ROWS:
            draw_row(row)
        save(gallery_anomalous.draw(), IMAGES / "gallery" / "anomalous.png", 100)
        save(gallery_detectors.draw(), IMAGES / "gallery" / "detectors.png", 100)
        draw_first()
        draw_command_line()
    draw_conventions()
    write_page()


def draw_row(row: Row) -> None:
    """Draw the images of a row side by side."""
    found = []
    for options in row.options:
        image = simulate(from_args(f"{BASE} {row.common} {options}"))
        found.append(image.array if row.seed is None else image.counts(row.seed))
    figure, axes = plt.subplots(
        1, len(found), figsize=(2.5 * len(found), 2.75), layout="constrained"
    )
    for axis, pixels, options in zip(axes, found, row.options, strict=True):
        high = float(np.percentile(found[0] if row.one_scale else pixels, BLACKEST))
        scaled = np.sqrt(np.clip(pixels / max(high, 1e-30), 0.0, 1.0))
        axis.imshow(scaled, cmap="gray_r", interpolation="nearest", vmin=0.0, vmax=1.0)
        axis.set_title(told(options), fontsize=8)
        axis.set(xticks=[], yticks=[])
    save(figure, IMAGES / "gallery" / f"{row.name}.png", 100)


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a picture of few colours, which keep the file small."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi)
    plt.close(figure)
    reduce_picture(stream, path, colours=48)


def reduce_picture(
    source: io.BytesIO | Path, path: Path, size: tuple[int, int] | None = None, colours: int = 128
) -> None:
    """Write a picture with few colours, and smaller if a size is given."""
    picture = Image.open(source).convert("RGB")
    if size is not None:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    picture.quantize(colours).save(path, optimize=True)


def told(options: str) -> str:
    """The title of an image: its options, without numbers of steps."""
    return re.split(r" -(?:mosaic_dom|divsteps|dispsteps|phisteps)", options)[0] or "none"


def listed(options: tuple[str, ...]) -> list[str]:
    """Lines with the options of the images of a row; no line ends within the options of one."""
    kept = "\0"
    told = [f"`{each}`".replace(" ", kept) if each else "no further option" for each in options]
    lines = textwrap.wrap(f"Images: {'; '.join(told)}.", WIDTH, break_on_hyphens=False)
    return [line.replace(kept, " ") for line in lines]


def draw_command_line() -> None:
    """Draw the image of docs/start/command_line.md, with its options."""
    with tempfile.TemporaryDirectory() as folder:
        file, picture = Path(folder) / "shot.h5", IMAGES / "command_line.png"
        simulate(from_args(COMMAND_LINE)).save(file, seed=1)
        main_command(["show", str(file), "--spots", "--save", str(picture)])
    reduce_picture(picture, picture, (740, 640))


def draw_first() -> None:
    """Draw the image of docs/start/python.md."""
    words = "-cell 70 80 90 -default_F 100 -N 20 -lambda 1 -distance 100 -detpixels 512 -pixel 0.2"
    image = simulate(from_args(f"{words} -misset 10 20 30 -fluence 1e25 -corrected"))
    image.show(IMAGES / "first.png", spots=True)
    reduce_picture(IMAGES / "first.png", IMAGES / "first.png", (740, 640))


def draw_conventions() -> None:
    """Draw the laboratory frame of MOSFLM's convention, and the coordinates of pixels."""
    figure = plt.figure(figsize=(11, 5), layout="constrained")
    laboratory, grid = figure.subplots(1, 2, width_ratios=(1.6, 1.0))
    draw_laboratory(laboratory)
    draw_pixels(grid)
    save(figure, IMAGES / "conventions.png", 110)


def seen(point: tuple[float, float, float]) -> np.ndarray:
    """The position in the drawing of a laboratory point (x along the beam, y, z).

    x points to the right, y upwards, and z towards the reader to the lower left.
    """
    x, y, z = point
    return np.array([x - 0.45 * z, y - 0.38 * z])


def arrow(
    axis: Axes, start: tuple[float, float, float], end: tuple[float, float, float], colour: str,
    text: str = "", shift: tuple[float, float] = (0.1, 0.1),
) -> None:  # fmt: skip
    """Draw an arrow of the laboratory with a name at its end."""
    begin, tip = tuple(seen(start)), tuple(seen(end))
    axis.annotate(
        "", tip, begin, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.8, "shrinkA": 0}
    )
    axis.text(tip[0] + shift[0], tip[1] + shift[1], text, color=colour, fontsize=10)


def draw_laboratory(axis: Axes) -> None:
    """Draw beam, crystal, spindle and a tilted panel."""
    tilt = np.radians(18.0)
    spot = np.array([6.0, 0.0, 0.0])
    fast = np.array([0.0, 0.0, 1.0])
    slow = np.array([np.sin(tilt), -np.cos(tilt), 0.0])
    normal = np.cross(fast, slow)
    corner = spot - 1.8 * fast - 2.4 * slow
    panel = [corner, corner + 3.6 * fast, corner + 3.6 * fast + 4.6 * slow, corner + 4.6 * slow]
    axis.fill(*np.array([seen(tuple(each)) for each in panel]).T, color="tab:blue", alpha=0.15)
    axis.plot(*np.array([seen(tuple(each)) for each in [*panel, panel[0]]]).T, color="tab:blue")
    arrow(axis, (-3.0, 0, 0), (8.0, 0, 0), "tab:red", "beam (x)", (-0.2, 0.25))
    arrow(axis, (0, 0, -2.2), (0, 0, 2.4), "tab:green", "spindle (z)", (-0.9, -0.45))
    arrow(axis, (0, 0, 0), (0, 2.4, 0), "0.4", "y", (0.1, 0.0))
    arrow(axis, tuple(corner), tuple(corner + 1.5 * fast), "tab:blue", "fast", (-0.3, 0.25))
    arrow(axis, tuple(corner), tuple(corner + 1.5 * slow), "tab:blue", "slow", (0.15, 0.0))
    distance = float(spot @ normal)
    near = distance * normal
    axis.plot(*np.array([seen((0, 0, 0)), seen(tuple(near))]).T, color="tab:purple", ls="--")
    axis.plot(*seen(tuple(near)), "o", color="tab:purple")
    axis.plot(*seen(tuple(spot)), "o", color="tab:red")
    axis.plot(*seen(tuple(corner)), "s", color="tab:blue")
    axis.plot(*seen((0, 0, 0)), "D", color="black", ms=8)
    for text, place, colour in (
        ("crystal", (0.1, -0.5), "black"),
        ("direct beam", seen(tuple(spot)) - [0.68, 0.55], "tab:red"),
        ("point of normal\nincidence", (2.5, 2.6), "tab:purple"),
        ("close distance", (1.4, 1.15), "tab:purple"),
        ("distance", (2.6, -0.45), "tab:red"),
        ("origin: outer corner\nof the first pixel", (7.0, 2.9), "tab:blue"),
    ):  # fmt: skip
        axis.text(place[0], place[1], text, color=colour, fontsize=9)
    axis.plot(*np.array([seen(tuple(near)), (4.0, 2.5)]).T, color="tab:purple", lw=0.8, ls=":")
    axis.set(xlim=(-3.6, 9.6), ylim=(-3.4, 3.6), aspect="equal", xticks=[], yticks=[])
    axis.set_title("MOSFLM's laboratory frame; a panel tilted about z", fontsize=10)
    for side in axis.spines.values():
        side.set_visible(False)


def draw_pixels(axis: Axes) -> None:
    """Draw the first pixels of an image with their coordinates."""
    for number in range(5):
        axis.plot([0, 4], [number, number], color="0.6", lw=0.8)
        axis.plot([number, number], [0, 4], color="0.6", lw=0.8)
    axis.fill([0, 1, 1, 0], [0, 0, 1, 1], color="tab:blue", alpha=0.2)
    axis.fill([2, 3, 3, 2], [1, 1, 2, 2], color="tab:orange", alpha=0.3)
    axis.plot(0, 0, "s", color="tab:blue")
    axis.plot(0.5, 0.5, ".", color="black")
    axis.plot(2.5, 1.5, ".", color="black")
    axis.text(0.08, 0.95, "centre\n(0.5, 0.5)", fontsize=8, va="bottom")
    axis.text(2.05, 2.5, "array[1, 2]\ncentre (2.5, 1.5)", fontsize=8)
    axis.annotate("", (4.5, 0), (0, 0), arrowprops={"arrowstyle": "-|>", "color": "tab:blue"})
    axis.annotate("", (0, 4.5), (0, 0), arrowprops={"arrowstyle": "-|>", "color": "tab:blue"})
    axis.text(3.7, -0.2, "fast", color="tab:blue", fontsize=10)
    axis.text(-0.5, 4.4, "slow", color="tab:blue", fontsize=10)
    axis.set(xlim=(-0.7, 4.8), ylim=(4.8, -0.6), aspect="equal", xticks=[], yticks=[])
    axis.set_title("pixels: (fast, slow) from the outer corner;\narray[slow, fast]", fontsize=10)
    for side in axis.spines.values():
        side.set_visible(False)


def write_page() -> None:
    """Write the page that shows all rows."""
    lines = [
        "# Gallery",
        "",
        "<!-- made by scripts/make_gallery.py -->",
        "",
        *textwrap.wrap(INTRODUCTION, WIDTH),
        "",
        "```sh",
        f"cupysim {BASE}",
        "```",
        "",
    ]
    for row in ROWS:
        lines += [
            f"## {row.title}",
            "",
            *textwrap.wrap(f"{row.text} In Python: `{row.python}`.", WIDTH, break_on_hyphens=False),
            "",
            *((f"Options of the row: `{row.common}`.", "") if row.common else ()),
            f"![{row.title}: {row.text}](images/gallery/{row.name}.png)",
            "",
            *listed(row.options),
            "",
        ]
    lines += gallery_anomalous.lines(WIDTH)
    lines += gallery_detectors.lines(WIDTH)
    PAGE.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
