"""Describe the contents of image files in a few lines: SMV, CBF, NeXus/HDF5 or raw float32."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from cupysim.cli.panel_lines import describe_panels, describe_values
from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.formats import smv
from cupysim.formats.any_image import ImageFile, open_image
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.nexus import Content
from cupysim.models.crystal import Crystal
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.panel_detector import PanelDetector
from cupysim.nanobragg.header_remarks import header_remarks
from cupysim.nanobragg.model_texts import (
    background_text,
    cell_spread_text,
    kinds_text,
    mosaic_text,
    sample_texts,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument(
        "--shape", nargs=2, type=int, metavar=("FAST", "SLOW"),
        help="size of raw float32 images in pixels; default: a square",
    )  # fmt: skip
    parser.add_argument(
        "--image", type=int, default=0, metavar="N", help="image number in HDF5 files, from 0"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print a few lines for each file."""
    for number, path in enumerate(arguments.files):
        image = open_image(path, arguments.shape, arguments.image)
        if number:
            print()
        for name, text in describe(image):
            print(f"{name:13} {text}")
        if image.kind == "SMV":
            for remark in header_remarks(smv.read(path)):
                print(f"{'note':13} for -img, {remark}")


def describe(image: ImageFile) -> Iterator[tuple[str, str]]:
    """Names and values that describe an image.

    Parameters
    ----------
    image : ImageFile
        Image to describe.

    Yields
    ------
    tuple of 2 str
        Name and value.
    """
    *n_panels, n_slow, n_fast = image.pixels.shape
    size = f"{n_fast} x {n_slow} pixels (fast x slow)"
    if n_panels:
        size = f"{n_panels[0]} panels of up to {size}"
    yield "file", image.path
    yield "kind", f"{image.kind}, {image.pixels.dtype}, {size}"
    if image.panels is None:
        yield from _values(image)
    else:
        detector = image.panels.detector
        yield from describe_values(detector.panels, image.pixels, image.masked)
    yield from image.facts.items()
    if image.panels is not None:
        detector = image.panels.detector
        beam, wavelength = np.array(detector.beam), image.panels.wavelength
        yield from describe_panels(detector.panels, beam, wavelength)
    elif image.geometry is not None:
        # SMV headers give no directions
        yield from _geometry(image.geometry, image.kind != "SMV")
    if image.contradiction:
        yield "note", image.contradiction
    if image.content is not None:
        yield from _content(image.content)


def _values(image: ImageFile) -> Iterator[tuple[str, str]]:
    """The pixels that are masked, and the values of the others."""
    masked = int(np.count_nonzero(image.masked))
    if masked:
        yield "masked", f"{masked} pixels"
    values = image.pixels[~image.masked]
    if values.size:
        slow, fast = np.unravel_index(
            np.argmax(np.where(image.masked, -np.inf, image.pixels)), image.pixels.shape
        )
        yield (
            "values",
            (
                f"from {values.min():g} to {values.max():g} (at {fast} {slow}), "
                f"mean {values.mean(dtype=np.float64):g}"
            ),
        )


def _geometry(geometry: ImageGeometry, has_directions: bool) -> Iterator[tuple[str, str]]:
    yield "pixel", f"{1e3 * geometry.pixel_size:g} mm"
    centre = geometry.beam_centre
    if centre is not None:
        along, near = (f"{1e3 * metres:.6g} mm" for metres in (centre[2], geometry.near_distance))
        tilted = "" if near == along else f", {near} to the point of normal incidence"
        yield "distance", f"{along} along the beam{tilted}"
        yield "beam centre", f"{centre[0]:.3f} {centre[1]:.3f} pixels (fast slow)"
    if geometry.wavelength is not None:
        yield "wavelength", f"{geometry.wavelength / ANGSTROM:.6g} A"
        fast = np.array([0, 1, 0, 1]) * float(geometry.n_fast)
        slow = np.array([0, 0, 1, 1]) * float(geometry.n_slow)
        finest = geometry.resolution(fast, slow).min()
        yield "resolution", f"{finest / ANGSTROM:.2f} A in the farthest corner"
    if geometry.spectrum is not None:
        waves = geometry.spectrum.wavelengths / ANGSTROM
        yield "spectrum", f"{len(waves)} wavelengths from {waves.min():g} to {waves.max():g} A"
    if geometry.wavelength is None:
        yield "wavelength", geometry.no_wavelength or "the file has none"
    for remark in geometry.remarks:
        yield "note", remark
    yield from _rotation(geometry)
    if has_directions:
        yield from _directions(geometry)


def _directions(geometry: ImageGeometry) -> Iterator[tuple[str, str]]:
    """Directions of the detector and of a spindle that turns, in the frame of imgCIF."""
    fast, slow, beam = map(_vector, (geometry.fast, geometry.slow, geometry.beam))
    yield "directions", f"fast {fast}, slow {slow}, beam {beam} (imgCIF: z to the source)"
    if geometry.oscillation:
        back = " (the opposite axis: angles in the file decrease)" if geometry.is_reversed else ""
        yield "spindle", f"{_vector(geometry.spindle)}{back}"


def _rotation(geometry: ImageGeometry) -> Iterator[tuple[str, str]]:
    """The rotation of the crystal, or the angle at which it stands."""
    start = (geometry.phi or 0.0) * DEGREES_PER_RADIAN
    if not geometry.oscillation:
        if geometry.phi is None:
            yield "rotation", "the file has none"
        else:
            yield "rotation", f"none: a still at {start:g} degrees"
        return
    width = geometry.oscillation * DEGREES_PER_RADIAN
    yield "rotation", f"from {start:g} by {width:g} degrees"


def _vector(vector: np.ndarray) -> str:
    """A unit vector; adding zero makes a negative zero positive."""
    return " ".join(f"{component:.6g}" for component in np.round(vector, 6) + 0.0)


def _content(content: Content) -> Iterator[tuple[str, str]]:
    experiment = content.experiment
    for number, each in enumerate(experiment.each_crystal, 1):
        suffix = f" {number}" if experiment.further_crystals else ""
        yield f"cell{suffix}", _cell(each)
        yield f"crystal{suffix}", _crystal(each.crystal, each.cell_counts)
    for matter in experiment.backgrounds:
        yield "background", background_text(matter)
    for text in sample_texts(experiment):
        name, _, value = text.partition(": ")
        yield name, value
    if content.spots is not None:
        yield (
            "spots",
            f"{len(content.spots)} predicted{_strongest(content.spots, experiment.detector)}",
        )
    yield "contents", "photon counts" if content.counts is not None else "expected photons"
    for name in ("arguments", "backend", "precision", "tolerance", "noise_seed"):
        if name in content.provenance:
            yield name.replace("_", " "), str(content.provenance[name])


def _cell(experiment: Experiment) -> str:
    lattice = experiment.lattice
    edges = " ".join(f"{length:.3f}" for length in lattice.lengths)
    angles = " ".join(f"{angle * DEGREES_PER_RADIAN:.2f}" for angle in lattice.angles)
    return f"{edges} A, {angles} degrees"


def _crystal(crystal: Crystal, cell_counts: tuple[float, float, float]) -> str:
    """Size, shape, and what makes the crystal imperfect."""
    counts = " x ".join(f"{count:g}" for count in cell_counts)
    mosaicity = crystal.mosaicity
    parts = [
        f"{counts} cells, {crystal.shape}, mosaic {mosaic_text(mosaicity)} "
        f"({mosaicity.n_domains} domains)"
    ]
    parts += [text for text in (cell_spread_text(crystal), kinds_text(crystal)) if text]
    if crystal.diffuse is not None:
        parts.append("with diffuse scattering")
    if crystal.scale != 1.0:
        parts.append(f"photons times {crystal.scale:g}")
    return ", ".join(parts)


def _strongest(spots: np.ndarray, detector: PanelDetector | Detector) -> str:
    """The strongest spot, as the end of a text; empty if there are no spots."""
    if len(spots) == 0:
        return ""
    spot = spots[np.argmax(spots["photons"])]
    panel = ""
    if isinstance(detector, PanelDetector):
        panel = f" of panel {detector.panels[spot['panel']].name}"
    return (
        f"; the strongest, {spot['h']} {spot['k']} {spot['l']} at {spot['fast']:.1f} "
        f"{spot['slow']:.1f}{panel}, has {spot['photons']:.3g} expected photons"
    )
