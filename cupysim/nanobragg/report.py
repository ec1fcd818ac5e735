"""The report on standard output: the C program's lines, for scripts that read them."""

from __future__ import annotations

from collections.abc import Iterator

from cupysim.backends.rendered import Culled, InterpolationStop
from cupysim.constants import AVOGADRO, DEGREES_PER_RADIAN, PROTEIN_CRYSTAL_DENSITY
from cupysim.drop_ins.report_lines import (
    clipping_lines,
    detector_line,
    divergence_lines,
    maximum_line,
    mean_line,
    polarization_line,
    source_lines,
    triple,
    wave_line,
)
from cupysim.formats.smv import dials_origin
from cupysim.image_statistics import Statistics
from cupysim.maths.arrays import cross, dot
from cupysim.maths.interpolation import nearest_index
from cupysim.maths.nr_random import wrap_int32
from cupysim.models.conventions import Pivot
from cupysim.models.crystal import DEFAULT_MOSAIC_DOMAINS
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.panel_detector import PanelDetector
from cupysim.nanobragg.arguments import RANDOM, Arguments
from cupysim.nanobragg.build import detector_size
from cupysim.nanobragg.job import Job
from cupysim.nanobragg.model_texts import (
    background_text,
    cell_spread_text,
    kinds_text,
    mosaic_text,
    sample_texts,
)
from cupysim.nanobragg.panel_report import panel_lines

BANNER = "nanoBragg nanocrystal diffraction simulator - James Holton and Ken Frankel 5-17-17"

ODDBALL_VALUE = 1.0000001
"""Sine or cosine beyond which a value cannot come from rounding errors."""

SHAPE_NAMES = {
    "round": "ellipsoidal",
    "square": "parallelpiped",
    "gauss": "gaussian",
    "tophat": "tophat-spot",
    "gauss_star": "gaussian-star",
    "no_fringes": "parallelpiped without fringes",
    "flat": "flat-spot",
}


def setup_lines(job: Job, dump_problem: bool) -> Iterator[str]:
    """Lines of the report before rendering.

    Parameters
    ----------
    job : Job
        What the command line asks for.
    dump_problem : bool
        Whether the dump file cannot be written.

    Yields
    ------
    str
        Lines without line ends.
    """
    args, experiment = job.arguments, job.experiment
    yield from _reading_lines(args, experiment)
    yield BANNER
    yield from _sampling_warnings(args, experiment)
    if isinstance(experiment.detector, PanelDetector):
        yield from panel_lines(experiment.detector, args)
    else:
        yield from _geometry_lines(experiment)
    if args.interpolate is None:
        kind = "tricubic interpolation of structure factors"
        yield f"auto-selected {kind if experiment.interpolation_wanted else 'no interpolation'}"
    yield from _cell_lines(args, experiment)
    yield from _size_lines(experiment)
    yield from _structure_factor_lines(args, dump_problem)
    yield from job.notes
    yield from _sweep_lines(experiment)
    yield from _summary_lines(job)


def interpolation_warning(stop: InterpolationStop) -> str:
    """The C program's warning when interpolation stops; it has no line end."""
    whole = (int(nearest_index(index)) for index in stop.indices)
    h, k, l = stop.indices
    return (
        "WARNING: out of range for three point interpolation: h,k,l,h0,k0,l0: "
        f"{h:g},{k:g},{l:g},{','.join(map(str, whole))} \n"
        "WARNING: further warnings will not be printed! "
    )


def tolerance_line(culled: Culled) -> str:
    """The line about the tolerance of an image, after rendering."""
    (photons,) = culled.tolerances
    of_peak = ""
    if culled.peaks is not None:
        (peak,) = culled.peaks
        of_peak = f" (brightest Bragg pixel: {peak:g} photons)"
    return (
        f"tolerance: each pixel lacks at most {photons:g} photons{of_peak}; "
        f"{100 * culled.share:.3g}% of the terms were computed"
    )


def statistics_lines(statistics: Statistics, panels: PanelDetector | None = None) -> list[str]:
    """The lines about maximum and mean, after the float image is written."""
    where = "" if panels is None else f" in panel {panels[statistics.maximum_panel].name}"
    return [
        maximum_line(statistics.maximum, statistics.maximum_at) + where,
        mean_line(statistics.mean, statistics.rms, statistics.rmsd),
    ]


def _reading_lines(args: Arguments, experiment: Experiment) -> Iterator[str]:
    for name in (args.mask_file, args.image_file):
        if name is not None:
            yield f"reading {name}"
    yield from clipping_lines(args.beamsize, args.sample_y, args.sample_z)
    if experiment.frame.made_normal:
        yield "WARNING: auto-generating odet_vector"


def _sampling_warnings(args: Arguments, experiment: Experiment) -> Iterator[str]:
    sensor = experiment.sensor
    is_default = sensor.layers.range > 0.0 and sensor.attenuation == 1.0 / sensor.layers.range
    if is_default and (args.attenuation is None or args.attenuation < 0.0):
        yield f"WARNING: setting detector attenuation depth to {sensor.attenuation:g} m"
    spread = -1.0 if args.mosaic_spread is None else args.mosaic_spread
    if args.spread_abc is not None:
        spread = experiment.crystal.mosaicity.spread
    if args.mosaic_domains is None or args.mosaic_domains <= 0:
        if spread > 0.0:
            yield (
                "WARNING: finite mosaicity with only one domain! "
                f"upping to {DEFAULT_MOSAIC_DOMAINS} mosaic domains"
            )
    elif spread < 0.0 and experiment.crystal.mosaicity.n_domains == 1:
        yield "WARNING: no mosaic spread specified.  setting mosaic_domains = 1"
    elif spread == 0.0:
        yield "WARNING: zero mosaic spread specified.  setting mosaic_domains = 1"


def _geometry_lines(experiment: Experiment) -> Iterator[str]:
    detector = experiment.one_panel("nanoBragg's report")
    geometry, beam = experiment.geometry, experiment.frame.beam
    yield f"{detector.convention} convention selected."
    if experiment.placed_panel.pivot is Pivot.SAMPLE:
        yield "pivoting detector around sample"
    else:
        yield "pivoting detector around direct beam spot"
    in_frame = [float(dot(beam, v)) for v in (geometry.fast, geometry.slow, geometry.normal)]
    yield f"XDS incident beam: {triple(in_frame)}"


def _cell_lines(args: Arguments, experiment: Experiment) -> Iterator[str]:
    lattice = experiment.lattice
    if args.matrix_file is not None:
        yield f"reading {args.matrix_file}"
    if isinstance(args.misset, str) and args.misset == RANDOM:
        assert experiment.crystal.misset is not None
        angles = " ".join(f"{a * DEGREES_PER_RADIAN:f}" for a in experiment.crystal.misset)
        yield f"random orientation misset angles: {angles} deg"
    yield from _oddball_lines(experiment)
    for title, lengths, angle in (
        ("Unit", lattice.lengths, lattice.angles),
        ("Recp", lattice.reciprocal_lengths, lattice.reciprocal_angles),
    ):
        yield f"{title} Cell: {triple(lengths)} {triple(angle * DEGREES_PER_RADIAN)}"
    yield f"volume = {lattice.volume:g} A^3"
    for title, names, vectors in (
        ("real-space cell vectors (Angstrom):", ("a", "b", "c"), lattice.direct),
        (
            "reciprocal-space cell vectors (Angstrom^-1):",
            ("a_star", "b_star", "c_star"),
            lattice.reciprocal,
        ),
    ):
        yield title
        yield from vector_table(names, vectors)


def _oddball_lines(experiment: Experiment) -> Iterator[str]:
    """Warnings of sines and cosines beyond one: the cell's lengths do not fit the matrix."""
    lattice = experiment.lattice
    for title, pattern, functions in (
        ("oddball cell angles", "{0}_{1}", lattice.angle_functions),
        (
            "oddball reciprocal cell angles",
            "{0}({1}_star)",
            lattice.reciprocal_angle_functions,
        ),
    ):
        if max(abs(value) for pair in functions for value in pair) > ODDBALL_VALUE:
            yield f"WARNING: {title}:"
            for name, pair in zip(("alpha", "beta", "gamma"), functions, strict=True):
                for function, value in zip(("sin", "cos"), pair, strict=True):
                    label = pattern.format(function, name)
                    yield f"{label:{len(pattern.format('sin', 'alpha'))}} = {value:.25g}"


def vector_table(names: tuple[str, str, str], vectors: object) -> Iterator[str]:
    """Lines with three vectors as columns, in the C program's layout."""
    yield "     " + "  ".join(f"{name:<10}" for name in names)
    for axis, row in zip("XYZ", vectors.T, strict=True):  # type: ignore[attr-defined]
        yield f"{axis}: " + " ".join(f"{value:11.8f}" for value in row)


def _size_lines(experiment: Experiment) -> Iterator[str]:
    sizes = experiment.crystal_size
    yield f"crystal is {' x '.join(f'{1e6 * size:g}' for size in sizes)} microns"
    oversample, recommended = experiment.oversample, experiment.recommended_oversample
    if experiment.rendering.oversample is None:
        yield f"auto-selected {oversample}-fold oversampling"
    elif oversample < recommended:
        yield f"WARNING: maximum dimension of sample is {max(sizes) * 1e10:g} A"
        if isinstance(experiment.detector, Detector):
            reach = experiment.geometry.distance / experiment.detector.pixel_size
            pixel = experiment.beam.wavelength * reach
            yield f"         but reciprocal pixel size is {pixel * 1e10:g} A"
        yield "         intensity may vary significantly across a pixel!"
        yield f"         recommend -oversample {recommended} to work around this"
    volume, counts = sizes[0] * sizes[1] * sizes[2], experiment.cell_counts
    molecules = counts[0] * counts[1] * counts[2]
    yield f"approximate MW = {volume * PROTEIN_CRYSTAL_DENSITY * AVOGADRO / molecules:g}"


def _structure_factor_lines(args: Arguments, dump_problem: bool) -> Iterator[str]:
    if args.hkl_file is not None:
        yield f"counting entries in {args.hkl_file}"
        if args.default_F != 0.0:
            yield f"initializing to default_F = {args.default_F:g}:"
            yield "done initializing:"
        yield f"re-reading {args.hkl_file}"
        if args.use_dump and dump_problem:
            yield f"WARNING: unable to open dump file: {args.dump_file}"
        elif args.use_dump:
            yield f"writing dump file for next time: {args.dump_file}"
    elif args.values.get("dump_was_read"):
        yield f"reading Fs from {args.dump_file}"
    if args.stol_file is not None:
        yield f"reading {args.stol_file}"


def _sweep_lines(experiment: Experiment) -> Iterator[str]:
    layers, sources = experiment.sensor.layers, experiment.sources
    for layer in range(layers.count):
        yield f"thick{layer} = {layers.step * layer * 1e6:g} um"
    for number, angle in enumerate(experiment.spindle_angles.tolist()):
        yield f"phi{number} = {angle * DEGREES_PER_RADIAN:g}"
    yield from source_lines(sources)
    yield f"  created a total of {experiment.crystal.mosaicity.n_domains} mosaic domains"


def _summary_lines(job: Job) -> Iterator[str]:
    args, experiment = job.arguments, job.experiment
    beam, crystal, factors = experiment.beam, experiment.crystal, experiment.structure_factors
    yield f"  {factors.n_given} initialized hkls (all others ={factors.default:g})"
    counts = "x".join(f"{count:.0f}" for count in experiment.cell_counts)
    yield f"  {SHAPE_NAMES[crystal.shape]} xtal: {counts} cells"
    yield wave_line(beam.wavelength, beam.dispersion)
    mean = experiment.sources.mean_stokes
    if mean is None:
        yield polarization_line(beam.polarized, beam.polarization)
    else:
        yield f"  Stokes parameters of linear polarization, Q/I and U/I: {mean[0]:g} {mean[1]:g}"
    if isinstance(experiment.detector, Detector):
        yield from _detector_summary(args, experiment)
    yield from _sampling_summary(experiment)
    yield from _new_models(experiment)
    if args.mask_file is not None:
        yield f"  skipping zero-flagged pixels in {args.mask_file}"
    if args.write_noise:
        yield ""
        yield "  noise image paramters:"
        yield f"  seed: {wrap_int32(-job.noise_seed)}"
        yield f"  water droplet size: {experiment.water.size:g} m"


def _new_models(experiment: Experiment) -> Iterator[str]:
    """Lines about models that nanoBragg lacks."""
    spectrum, mosaicity = experiment.beam.spectrum, experiment.crystal.mosaicity
    if spectrum is not None:
        edges = spectrum.wavelengths.min(), spectrum.wavelengths.max()
        first, last = (1e10 * edge for edge in edges)
        yield f"  spectrum of {len(spectrum.wavelengths)} wavelengths from {first:g} to {last:g} A"
    if mosaicity.has_axes:
        yield f"  mosaic spreads about axes of the crystal: {mosaic_text(mosaicity)}"
    for text in (cell_spread_text(experiment.crystal), kinds_text(experiment.crystal)):
        if text:
            yield f"  {text}"
    for matter in experiment.backgrounds:
        yield f"  background: {background_text(matter)}"
    for text in sample_texts(experiment):
        yield f"  {text}"


def _detector_summary(args: Arguments, experiment: Experiment) -> Iterator[str]:
    detector = experiment.one_panel("nanoBragg's report")
    frame, geometry, centre = experiment.frame, experiment.geometry, experiment.placed_panel.centre
    if detector.curved:
        yield "  curved detector: all pixels same distance from origin"
    if detector.point_pixel:
        yield "  pixel obliquity effect disabled"
    yield f"  incident fluence: {experiment.beam.fluence:g} photons/m^2"
    counts = detector.n_fast, detector.n_slow
    yield detector_line(geometry.distance, detector_size(args), detector.pixel_size, counts)
    sensor = detector.sensor
    yield (
        f"  sensor is {sensor.layers.range:g} m thick in {sensor.layers.count} layers "
        f"with mu= {sensor.attenuation:g}"
    )
    for x_name, x, y_name, y in (
        ("Xbeam", centre.x, "Ybeam", centre.y),
        ("Fbeam", geometry.beam_fast, "Sbeam", geometry.beam_slow),
        ("Xclose", centre.close_x, "Yclose", centre.close_y),
        ("Fclose", geometry.close_fast, "Sclose", geometry.close_slow),
    ):
        yield f"  {x_name}={x:g} {y_name}={y:g}"
    for name, vector in (
        ("DIRECTION_OF_DETECTOR_X-AXIS", geometry.fast),
        ("DIRECTION_OF_DETECTOR_Y-AXIS", geometry.slow),
        ("DIRECTION_OF_DETECTOR_Z-AXIS", geometry.normal),
        ("INCIDENT_BEAM_DIRECTION", frame.beam),
        ("spindle ROTATION_AXIS", frame.spindle),
        ("POLARIZATION_PLANE_NORMAL", cross(frame.beam, frame.polarization)),
        ("dials origin", dials_origin(experiment)),
    ):
        yield f"  {name}= {triple(vector)}"


def _sampling_summary(experiment: Experiment) -> Iterator[str]:
    region, beam, scan = experiment.region, experiment.beam, experiment.scan
    yield (
        f"  roi: {region.fast_min} < x < {region.fast_max} && "
        f"{region.slow_min} < y < {region.slow_max}"
    )
    sources, mosaicity = experiment.sources, experiment.crystal.mosaicity
    yield from divergence_lines(beam.horizontal, beam.vertical, sources)
    yield (
        f"  {mosaicity.n_domains} mosaic domains over mosaic spread of "
        f"{mosaicity.spread * DEGREES_PER_RADIAN:g} degrees"
    )
    yield (
        f"  {scan.sweep.count} phi steps from {scan.start * DEGREES_PER_RADIAN:g} "
        f"to {(scan.start + scan.sweep.range) * DEGREES_PER_RADIAN:g} degrees"
    )
    rendering = experiment.rendering
    flags = "".join(
        f" +{name}"
        for name, wanted in (
            ("thick", rendering.oversample_thick),
            ("polar", rendering.oversample_polar),
            ("omega", rendering.oversample_omega),
        )
        if wanted
    )
    yield f"  {experiment.oversample}x{experiment.oversample} pixel oversample steps{flags}"
