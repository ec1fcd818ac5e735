"""The lines on standard output. They are those of nonBragg."""

from __future__ import annotations

from collections.abc import Iterator

from cupysim.drop_ins.report_lines import (
    clipping_lines,
    detector_line,
    divergence_lines,
    general,
    polarization_line,
    source_lines,
    triple,
    wave_line,
)
from cupysim.maths.nr_random import wrap_int32
from cupysim.nonbragg.arguments import Arguments
from cupysim.nonbragg.beam import Beam
from cupysim.nonbragg.frame import Frame
from cupysim.nonbragg.quirks import NonbraggQuirk
from cupysim.nonbragg.sample import Sample

BANNER = "nonBragg amorphous material diffraction simulator - James Holton and Ken Frankel 3-19-16"


def first_lines(args: Arguments, frame: Frame, address: int | None) -> Iterator[str]:
    """Lines before the table is read.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    frame : Frame
        Size and place of the detector.
    address : int, optional
        Address in memory of the pixels of an image; None without one.
    """
    if address is not None:
        yield f"reading {args.image_file}"
        yield f"mmap({args.image_file}) = {address:#x}"
    yield BANNER
    is_free = args.corrects(NonbraggQuirk.CLIPPED_SAMPLE) and "beam_size" not in args.given
    yield from clipping_lines(-1.0 if is_free else args.beam_size, args.sample_y, args.sample_z)
    spot = "sample" if frame.pivot == "sample" else "direct beam spot"
    yield f"pivoting detector around {spot}"
    yield f"reading {args.stol_file}"


def setup_lines(
    args: Arguments,
    frame: Frame,
    beam: Beam,
    sample: Sample,
    n_nodes: int,
    region: tuple[int, int, int, int],
    seed: int,
) -> Iterator[str]:
    """Lines about the experiment.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    frame : Frame
        Size and place of the detector.
    beam : Beam
        Sources.
    sample : Sample
        The sample.
    n_nodes : int
        Number of points of the table, with helper points.
    region : tuple of 4 int
        First and last fast pixel, first and last slow pixel, as given.
    seed : int
        Seed of the photon noise.
    """
    yield from source_lines(beam.sources)
    yield f"  {n_nodes} initialized F points (will cubic-spline interpolate between them)"
    yield wave_line(args.wavelength, beam.dispersion)
    yield polarization_line(args.is_polarized, args.kahn)
    if args.is_curved:
        yield "  curved detector: all pixels same distance from origin"
    if args.is_point_pixel:
        yield "  pixel obliquity effect disabled"
    if args.is_map:
        yield "  Fmap mode: plotting structure factor at every pixel"
    yield f"  incident fluence: {general(sample.fluence)} photons/m^2"
    yield (
        f"  sample is {sample.thickness:g} m thick x {sample.height:g} m high x "
        f"{sample.width:g} m wide, {general(sample.density / 1e6)} g/cm^3 and "
        f"{args.molar_mass:g} g/mol ({general(sample.molecules)} molecules)"
    )
    yield from _detector_lines(frame)
    fast_min, fast_max, slow_min, slow_max = region
    yield f"  roi: {fast_min} < x < {fast_max} && {slow_min} < y < {slow_max}"
    yield from divergence_lines(beam.horizontal, beam.vertical, beam.sources)
    yield f"  {args.oversample} pixel oversample steps"
    if args.has_noise:
        yield ""
        yield "  noise image paramters:"
        yield f"  seed: {wrap_int32(-wrap_int32(seed))}"


def _detector_lines(frame: Frame) -> Iterator[str]:
    panel = frame.panel
    size, counts = (frame.size_fast, frame.size_slow), (frame.n_fast, frame.n_slow)
    yield detector_line(panel.distance, size, frame.pixel_size, counts)
    yield f"  Xbeam={general(panel.beam_fast)} Ybeam={general(panel.beam_slow)}"
    for name, vector in (
        ("detector origin:", panel.origin),
        ("DIRECTION_OF_DETECTOR_X-AXIS=", panel.fast),
        ("DIRECTION_OF_DETECTOR_Y-AXIS=", panel.slow),
        ("INCIDENT_BEAM_DIRECTION=", frame.beam),
        ("POLARIZATION_PLANE_NORMAL=", frame.polarization),
    ):
        yield f"  {name} {triple(vector)}"
