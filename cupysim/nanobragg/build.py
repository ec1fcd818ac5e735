"""Make an experiment from the arguments of a command line."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.drop_ins.sweeps import (
    complete_oscillation,
    complete_sensor,
    turns_back,
)
from cupysim.errors import CupysimWarning, FileFormatError, ModelError, OptionError
from cupysim.maths.detector_geometry import DetectorAngles
from cupysim.maths.nr_random import RandomStream, ShuffleTable
from cupysim.models.background import Amorphous, Water
from cupysim.models.background_parameters import BACKGROUND_SCALE, reason_for_no_background
from cupysim.models.beam import Beam
from cupysim.models.conventions import FRAMES, PIVOTS, Convention, Pivot
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.further_crystal import FurtherCrystal
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.rendering import Region, Rendering
from cupysim.models.scan import Scan
from cupysim.models.tolerance import Tolerance
from cupysim.nanobragg.arguments import Arguments, default_values, scan
from cupysim.nanobragg.beam import beam_edge, make_beam
from cupysim.nanobragg.consequences import (
    first_placing,
    refuse_placing,
    warn_of_few_steps,
    warn_of_ineffective_options,
    warn_of_late_size,
    warn_of_matrix_frame,
    warn_of_sources_elsewhere,
)
from cupysim.nanobragg.crystals import build_crystals
from cupysim.nanobragg.detection import chosen_response
from cupysim.nanobragg.inherited import INHERITABLE, NOTHING
from cupysim.nanobragg.job import Job
from cupysim.nanobragg.structure_files import (
    BEYOND_THE_CORNERS,
    measured_structure,
    reads_dump,
    resolution_limit,
    take_wavelength,
)
from cupysim.quirks import NANOBRAGG, Quirk, warn_quirk


def build(words: Sequence[str], clock: int | None = None) -> Job:
    """Make an experiment from the words of a command line.

    Parameters
    ----------
    words : sequence of str
        The words after the program's name.
    clock : int, optional
        Time of the clock (s), to repeat an earlier run; the present time if not given.

    Returns
    -------
    Job
        The experiment and what to do with it.

    Raises
    ------
    CupysimError
        If an option or a file is wrong, or the experiment is impossible.
    """
    given, seen = scan(words)
    values = default_values()
    quirks = given.get("quirks", NANOBRAGG)
    placed = first_placing(seen) is not None
    inherited = NOTHING
    if not INHERITABLE.isdisjoint(given):
        from cupysim.nanobragg.headers import inherit

        inherited = inherit(values, given, placed, quirks)
    mask = inherited.mask
    refuse_placing(seen, inherited.exact, given, inherited.panels is None)
    if inherited.panels is not None:
        from cupysim.nanobragg.panel_files import check_options

        check_options(str(inherited.exact), inherited.panels, given, seen)
    from_header = values["close_distance"] is not None
    values.update(given)
    args = Arguments(values, seen)
    args.values["dump_was_read"] = reads_dump(args)
    is_smv = from_header and inherited.exact is None
    if is_smv and quirks.corrects(Quirk.HEADER_READING) and "close_distance" not in given:
        _settle_distance(args)
    warn_of_ineffective_options(args, is_smv and "close_distance" not in given)
    table, clock = ShuffleTable(), int(time.time()) if clock is None else clock
    measured = measured_structure(args)
    wavelength_note = take_wavelength(args, measured, inherited)
    beam = make_beam(args, inherited)
    one_panel = _detector(args)
    detector: Detector | PanelDetector = one_panel
    if inherited.panels is not None:
        from cupysim.nanobragg.panel_files import with_options

        detector = with_options(inherited.panels, given, args)
    elif inherited.sensor is not None:
        from cupysim.nanobragg.panel_files import changed_sensor

        sensor = changed_sensor(inherited.sensor, given, quirks)
        detector = replace(one_panel, sensor=sensor)
    first, *others = build_crystals(args, beam, detector, measured, table, clock)
    if mask is not None and mask.shape != (detector.n_slow, detector.n_fast):
        raise FileFormatError(
            args.mask_file,
            f"the mask has {mask.shape[1]} x {mask.shape[0]} pixels, "
            f"but the detector has {detector.n_fast} x {detector.n_slow}",
        )
    if mask is not None and mask.all():
        remark = f"{args.mask_file}: the mask excludes no pixel"
        warnings.warn(CupysimWarning(remark), stacklevel=2)
    experiment = Experiment(
        beam=beam,
        crystal=first.crystal,
        detector=detector,
        structure_factors=first.structure.factors,
        scan=_scan(args),
        water=Water(args.water),
        backgrounds=_backgrounds(args, beam, detector),
        background_scale=args.background_scale,
        further_crystals=tuple(
            FurtherCrystal(
                each.crystal,
                None if each.structure is first.structure else each.structure.factors,
            )
            for each in others
        ),
        rendering=_rendering(args, mask),
        quirks=quirks,
    )
    if not {"-absorption", "-flight_path", "-beamstop", "-beamstop_matter"}.isdisjoint(seen):
        from cupysim.nanobragg.attenuators import with_attenuators

        experiment = with_attenuators(args, experiment)
    reason = reason_for_no_background(experiment, BACKGROUND_SCALE)
    if "-background_scale" in seen and reason:
        raise OptionError("-background_scale", reason)
    if not {"-body", "-body_position", "-around", "-beam_profile", "-decay", "-image_dose",
            "-dose_before"}.isdisjoint(seen):  # fmt: skip
        from cupysim.nanobragg.sample_body import with_body

        experiment = with_body(args, experiment)
    warn_of_late_size(args, experiment)
    warn_of_few_steps(args, experiment)
    warn_of_sources_elsewhere(args, experiment)
    warn_of_matrix_frame(args, experiment.frame, inherited.exact)
    dose_notes = []
    if args.dose is not None:
        from cupysim.nanobragg.attenuators import dose_line

        dose_notes = [dose_line(args.dose, experiment)]
    noise_seed = clock if args.noise_seed is None else args.noise_seed
    if first.has_own_structure:
        # a dump file would hold the structure factors of this crystal in place of those of -hkl
        args.values["use_dump"] = False
    structures = dict.fromkeys(each.structure for each in (first, *others))
    notes = [note for structure in structures for note in structure.notes]
    notes += [*([wavelength_note] if wavelength_note else []), *dose_notes]
    if others or args.crystals_file is not None:
        file = args.crystals_file or args.experiment_file
        notes.append(f"{len(others) + 1} crystals, from {file}")
    stream = RandomStream(noise_seed, table)
    tolerance = read_tolerance(args.tolerance)
    response = chosen_response(args)
    return Job(
        args, experiment, noise_seed, stream, tuple(words), clock, tuple(notes), tolerance, response
    )


def read_tolerance(given: str | None) -> Tolerance | None:
    """Read the value of -tolerance.

    Raises
    ------
    OptionError
        If it is no tolerance.
    """
    try:
        return Tolerance.read(given)
    except ModelError as error:
        raise OptionError("-tolerance", str(error).removeprefix("tolerance: ")) from error


def detector_size(args: Arguments) -> tuple[float, float]:
    """Size of the detector along fast and slow (m); numbers of pixels overrule lengths."""
    fast = args.pixel * args.n_fast if args.n_fast else args.size_fast
    slow = args.pixel * args.n_slow if args.n_slow else args.size_slow
    return fast, slow


def _backgrounds(
    args: Arguments, beam: Beam, detector: Detector | PanelDetector
) -> tuple[Amorphous, ...]:
    if not args.backgrounds and args.stol_file is None:
        return ()
    from cupysim.nanobragg.backgrounds import backgrounds, matter_of_stol, warn_of_table_ends

    matter = (*backgrounds(args.backgrounds or (), beam_edge(args)), *matter_of_stol(args))
    with warnings.catch_warnings():
        # the experiment warns of the same quirks
        warnings.simplefilter("ignore")
        finest = resolution_limit(beam, detector, args.quirks) / BEYOND_THE_CORNERS
    warn_of_table_ends(matter, finest)
    return matter


def _detector(args: Arguments) -> Detector:
    convention = Convention(args.convention)
    vectors = {
        name: tuple(args.values[value])
        for name, value in (
            ("beam", "beam_vector"),
            ("fast", "fast_vector"),
            ("slow", "slow_vector"),
            ("normal", "normal_vector"),
            ("twotheta_axis", "twotheta_axis"),
            ("polarization", "polar_vector"),
            ("spindle", "spindle_axis"),
        )
        if args.values[value] is not None
    }
    if turns_back(args.oscillation, args.quirks):
        frame = FRAMES[
            convention
            if args.quirks.corrects(Quirk.VECTORS_SWITCH_CONVENTION)
            else Convention.CUSTOM
        ]
        vectors["spindle"] = tuple(-x for x in vectors.get("spindle", frame.spindle))
    size, quirks = detector_size(args), args.quirks
    n_fast, n_slow = (math.ceil(length / args.pixel - 0.5) for length in size)
    return Detector(
        n_fast=n_fast,
        n_slow=n_slow,
        pixel_size=args.pixel,
        distance=args.distance,
        close_distance=args.close_distance,
        convention=convention,
        # other conventions use these only with corrected quirks
        frame=None
        if convention is not Convention.CUSTOM
        and not quirks.corrects(Quirk.VECTORS_SWITCH_CONVENTION)
        else FRAMES[
            convention if quirks.corrects(Quirk.VECTORS_SWITCH_CONVENTION) else Convention.CUSTOM
        ].with_vectors(**vectors),
        pivot=None
        if convention is not Convention.CUSTOM and not quirks.corrects(Quirk.PIVOT_IN_CUSTOM_ONLY)
        else _pivot(args, convention),
        beam_centre=(args.beam_x, args.beam_y),
        close_point=(args.close_x, args.close_y),
        origin_pixels=(args.origin_x, args.origin_y),
        angles=DetectorAngles((args.rotate_x, args.rotate_y, args.rotate_z), args.twotheta),
        sensor=complete_sensor(args.sensor_thickness, args.sensor_layers, args.attenuation, quirks),
        curved=args.curved,
        point_pixel=args.point_pixel,
        size=size,
        origin=args.pix0_vector if quirks.corrects(Quirk.PIX0_VECTOR_UNUSED) else None,
    )


def _pivot(args: Arguments, convention: Convention) -> Pivot | None:
    """The given pivot; with Q8 corrected, only -pivot gives it outside the CUSTOM convention."""
    if not args.quirks.corrects(Quirk.PIVOT_IN_CUSTOM_ONLY):
        return Pivot(args.pivot)
    if args.explicit_pivot is not None:
        return Pivot(args.explicit_pivot)
    return Pivot(args.pivot) if convention is Convention.CUSTOM else None


def _settle_distance(args: Arguments) -> None:
    """Choose between the distances of a header and of the command line (quirk Q29).

    A header's close distance is that of the turned panel. It does not place a panel that turns
    about the direct beam.
    """
    convention = Convention(args.convention)
    pivot = _pivot(args, convention) or PIVOTS[convention]
    if "-distance" in args.seen or pivot is Pivot.BEAM:
        args.values["close_distance"] = None


def _scan(args: Arguments) -> Scan:
    start, width = args.phi, args.oscillation
    if turns_back(args.oscillation, args.quirks):
        start, width = -start, -width
    elif width is not None and width < 0.0:
        warn_quirk(
            Quirk.SWEEP_COMPLETION,
            f"-osc {width * DEGREES_PER_RADIAN:g} is negative and is ignored",
        )
    sweep, lost = complete_oscillation(width, args.phi_step, args.phi_steps, args.quirks)
    if lost:
        warn_quirk(
            Quirk.SWEEP_COMPLETION,
            f"-phistep without -osc renders {sweep.count} steps, not {args.phi_steps}",
        )
    return Scan(start, sweep)


def _rendering(args: Arguments, mask: np.ndarray | None) -> Rendering:
    region = None
    if args.region is not None:
        fast, slow = (math.ceil(length / args.pixel - 0.5) for length in detector_size(args))
        limits = zip(args.region, (0, fast, 0, slow), strict=True)
        region = Region(*(edge if given < 0 else given for given, edge in limits))
    return Rendering(
        oversample=args.oversample if args.oversample and args.oversample > 0 else None,
        oversample_thick=args.oversample_thick,
        oversample_polar=args.oversample_polar,
        oversample_omega=args.oversample_omega,
        region=region,
        mask=mask,
        dmin=args.dmin,
        interpolate=args.interpolate,
    )
