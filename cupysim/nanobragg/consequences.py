"""Warnings about options that do not do what the user expects, and errors for some of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Set

import numpy as np

from cupysim.errors import CupysimWarning, OptionError
from cupysim.models.conventions import PIVOTS, Convention, UnitFrame
from cupysim.models.experiment import Experiment
from cupysim.models.sampling import Sweep
from cupysim.models.spot_shape import Shape
from cupysim.nanobragg.arguments import Arguments
from cupysim.quirks import Quirk, warn_quirk

ALONG_THE_BEAM = 0.9
"""Smallest cosine of the angle between source and beam without a warning: that of 26 degrees."""

SAME_DIRECTION = 0.99
"""Smallest cosine with which a direction counts as MOSFLM's: it may be off by 8 degrees."""

VECTOR_OPTIONS = (
    "-fdet_vector",
    "-sdet_vector",
    "-odet_vector",
    "-beam_vector",
    "-polar_vector",
    "-spindle_axis",
    "-twotheta_axis",
    "-pix0_vector",
)

CONVENTION_OPTIONS = ("-mosflm", "-xds", "-adxv", "-denzo", "-dials")

INEFFECTIVE_CENTRES: dict[Convention, tuple[tuple[str, ...], str]] = {
    **dict.fromkeys(
        (Convention.MOSFLM, Convention.DENZO, Convention.ADXV),
        (("-ORGX", "-ORGY", "-Xclose", "-Yclose"), "use -Xbeam and -Ybeam"),
    ),
    **dict.fromkeys(
        (Convention.XDS, Convention.DIALS),
        (("-Xbeam", "-Ybeam", "-Xclose", "-Yclose"), "use -ORGX and -ORGY"),
    ),
    Convention.CUSTOM: ((), ""),
}
"""For each convention, options that do not move the beam centre, and those that do."""

SHAPES_WITH_FUDGE = (Shape.ROUND, Shape.GAUSS, Shape.GAUSS_STAR, Shape.TOPHAT)
"""Spot shapes that depend on the squared distance from a reflection."""

MODELS_WITH_SEED = ("nanobragg", "simtbx")
"""Mosaic models with random domains."""


def warn_of_ineffective_options(args: Arguments, header_sets_close_distance: bool) -> None:
    """Warn of options that other options make ineffective.

    Parameters
    ----------
    args : Arguments
        Values of the command line.
    header_sets_close_distance : bool
        Whether an image header has set the close distance.
    """
    convention, quirks = Convention(args.convention), args.quirks
    vectors = [name for name in VECTOR_OPTIONS if name in args.seen]
    conventions = [name for name in CONVENTION_OPTIONS if name in args.seen]
    pivot = PIVOTS.get(convention, args.pivot)
    if quirks.corrects(Quirk.PIVOT_IN_CUSTOM_ONLY):
        pivot = args.explicit_pivot or pivot
    if convention is not Convention.CUSTOM:
        if vectors and not quirks.corrects(Quirk.VECTORS_SWITCH_CONVENTION):
            warn_quirk(
                Quirk.VECTORS_SWITCH_CONVENTION,
                f"{', '.join(vectors)}: ignored because of the later {conventions[-1]}",
            )
        if (
            "-pivot" in args.seen
            and not quirks.corrects(Quirk.PIVOT_IN_CUSTOM_ONLY)
            and args.pivot != pivot
        ):
            warn_quirk(
                Quirk.PIVOT_IN_CUSTOM_ONLY,
                f"-pivot {args.pivot} has no effect: the {convention} convention turns the "
                f"detector about the {PIVOTS[convention]}",
            )
    elif vectors and not quirks.corrects(Quirk.VECTORS_SWITCH_CONVENTION):
        dropped = f" in place of {conventions[-1]}" if conventions else ""
        warn_quirk(
            Quirk.VECTORS_SWITCH_CONVENTION,
            f"{vectors[-1]} switches to the CUSTOM convention{dropped}, with its beam centre, and "
            "with its vectors if no others are given",
        )
    if "-pix0_vector" in args.seen and not quirks.corrects(Quirk.PIX0_VECTOR_UNUSED):
        warn_quirk(Quirk.PIX0_VECTOR_UNUSED, "-pix0_vector only switches to the CUSTOM convention")
    names, remedy = INEFFECTIVE_CENTRES[convention]
    ineffective = [name for name in names if name in args.seen]
    if ineffective and pivot == PIVOTS.get(convention, pivot):
        warn_quirk(
            Quirk.BEAM_CENTRE_WITHOUT_EFFECT,
            f"{', '.join(ineffective)}: no effect on the image in the {convention} convention; "
            f"{remedy}",
            can_be_corrected=False,
        )
    if (
        header_sets_close_distance
        and "-distance" in args.seen
        and not quirks.corrects(Quirk.HEADER_READING)
    ):
        warn_quirk(
            Quirk.HEADER_READING,
            "-distance has no effect: the image header sets CLOSE_DISTANCE; use -close_distance",
        )
    if (
        args.attenuation == 0.0
        and args.sensor_thickness > 0.0
        and not quirks.corrects(Quirk.INFINITE_ABSORPTION)
    ):
        warn_quirk(
            Quirk.INFINITE_ABSORPTION,
            "-detector_abs inf before -detector_thick: the whole image is zero",
        )
    warn_of_ineffective_crystal_options(args)
    if quirks.corrects(Quirk.STOL_UNUSED) and args.stol_file is None:
        for option in ("-density", "-MW", "-molec", "-amorphous_thick"):
            if option in args.seen:
                told = f"{option} has no effect without -stol, -4stol or -Q"
                warnings.warn(CupysimWarning(told), stacklevel=2)


def warn_of_ineffective_crystal_options(args: Arguments) -> None:
    """Warn of options of a crystal that its other options make ineffective.

    Parameters
    ----------
    args : Arguments
        Values of the command line, with those of a line of -crystals.
    """
    if "-fudge" in args.seen and Shape(args.shape) not in SHAPES_WITH_FUDGE:
        warnings.warn(
            CupysimWarning(f"-fudge has no effect on the spot shape {args.shape}"), stacklevel=2
        )
    if "-size_steps" in args.seen and args.size_spread == 0.0:
        warnings.warn(
            CupysimWarning("-size_steps has no effect without -size_spread"), stacklevel=2
        )
    if "-mosaic_seed" in args.seen and args.mosaic_model not in MODELS_WITH_SEED:
        warnings.warn(
            CupysimWarning(
                f"-mosaic_seed has no effect with -domain_model {args.mosaic_model}, "
                "whose domains are not random"
            ),
            stacklevel=2,
        )


def warn_of_few_steps(args: Arguments, experiment: Experiment) -> None:
    """Warn of ranges that are sampled at two points only, because no number of steps is given.

    Parameters
    ----------
    args : Arguments
        Values of the command line.
    experiment : Experiment
        Experiment of the command line.
    """
    beam = experiment.beam
    ranges: list[tuple[Sweep, str, str, tuple[str, ...]]] = [
        (experiment.scan.sweep, "rotation", "angles", ("-phisteps", "-phistep"))
    ]
    if beam.source_table is None:
        ranges += [
            (beam.dispersion, "bandwidth", "wavelengths", ("-dispsteps",)),
            (beam.horizontal, "horizontal divergence", "angles",
             ("-hdivsteps", "-hdivstep", "-divsteps")),
            (beam.vertical, "vertical divergence", "angles",
             ("-vdivsteps", "-vdivstep", "-divsteps")),
        ]  # fmt: skip
    for sweep, name, points, options in ranges:
        if sweep.range != 0.0 and sweep.count == 2 and args.seen.isdisjoint(options):
            warnings.warn(
                CupysimWarning(f"the {name} is sampled at 2 {points} only; give {options[0]}"),
                stacklevel=2,
            )


def warn_of_sources_elsewhere(args: Arguments, experiment: Experiment) -> None:
    """Warn of sources that are far from the direction of the beam.

    Parameters
    ----------
    args : Arguments
        Values of the command line.
    experiment : Experiment
        Experiment that was made from them.
    """
    if experiment.beam.source_table is None:
        return
    beam = experiment.frame.beam
    cosine = float(np.clip((experiment.sources.incident @ beam).min(), -1.0, 1.0))
    if cosine < ALONG_THE_BEAM:
        warnings.warn(
            CupysimWarning(
                f"{args.source_file}: a source is {np.degrees(np.arccos(cosine)):.0f} degrees away "
                f"from the beam, which points along {_told(beam)}; positions of sources must be in "
                "the same laboratory frame"
            ),
            stacklevel=3,
        )


def warn_of_late_size(args: Arguments, experiment: Experiment) -> None:
    """Warn of interpolation that a crystal's size should prevent (quirk Q25).

    Parameters
    ----------
    args : Arguments
        Values of the command line.
    experiment : Experiment
        Experiment of the command line.
    """
    crystal = experiment.crystal
    if (
        args.interpolate is None
        and not experiment.corrects(Quirk.INTERPOLATION_BY_N)
        and experiment.interpolate
        and max(crystal.size) > 0.0
        and min(experiment.cell_counts) > 2
    ):
        warn_quirk(
            Quirk.INTERPOLATION_BY_N,
            "structure factors are interpolated because the crystal's size is not yet known when "
            "this is decided; -nointerpolate prevents it",
        )


def other_frame(frame: UnitFrame) -> str:
    """Directions of beam and spindle; empty if they are those of MOSFLM's laboratory frame.

    Parameters
    ----------
    frame : UnitFrame
        Laboratory frame.
    """
    along = abs(float(frame.beam[0])), abs(float(frame.spindle[2]))
    if frame.beam[0] > 0.0 and min(along) > SAME_DIRECTION:
        return ""
    return f"with the beam along {_told(frame.beam)} and the spindle along {_told(frame.spindle)}"


def warn_of_matrix_frame(args: Arguments, frame: UnitFrame, placed_by: str | None) -> None:
    """Warn of an orientation in a laboratory frame other than MOSFLM's.

    Parameters
    ----------
    args : Arguments
        Values of the command line.
    frame : UnitFrame
        Laboratory frame in use: directions of beam and spindle.
    placed_by : str or None
        File that places the detector by axes.
    """
    is_matrix = args.matrix_file is not None
    # the missetting angles of a convention are about its own axes, as in nanoBragg
    if not is_matrix and (placed_by is None or "-misset" not in args.seen):
        return
    axes = other_frame(frame)
    if not axes:
        return
    if placed_by is not None:
        what = "-mat: the matrix is" if is_matrix else "-misset: the angles are"
        told = f"{what} used in the laboratory frame of {placed_by}, {axes}"
    else:
        told = (
            "-mat: as in nanoBragg, the matrix is used in the laboratory frame of the "
            f"{Convention(args.convention)} convention, {axes}"
        )
    rule = "MOSFLM's matrices are" if is_matrix else "MOSFLM's frame is"
    warnings.warn(
        CupysimWarning(f"{told}; {rule} for the beam along 1 0 0 and the spindle along 0 0 1"),
        stacklevel=2,
    )


def _told(vector: np.ndarray) -> str:
    return " ".join(f"{float(value) + 0.0:.3g}" for value in vector)


PLACING_OPTIONS = (
    *CONVENTION_OPTIONS, *VECTOR_OPTIONS, "-Xbeam", "-Ybeam", "-Xclose", "-Yclose", "-ORGX",
    "-ORGY", "-pivot", "-distance",
)  # fmt: skip
"""Options that place a detector by the rules of a convention."""


def first_placing(seen: Set[str]) -> str | None:
    """Return the first of `PLACING_OPTIONS` that is given; None if none is."""
    return next((name for name in PLACING_OPTIONS if name in seen), None)


def refuse_placing(
    seen: Set[str], path: str | None, given: Mapping[str, object], is_one_panel: bool
) -> None:
    """Reject options that cannot be combined with a detector that a file places exactly.

    Parameters
    ----------
    seen : set of str
        Names of the options on the command line.
    path : str or None
        File that places the detector exactly, if there is one.
    given : mapping
        Values that the command line gives. Named detectors, and geometry files whose distance
        is in another file, need -distance.
    is_one_panel : bool
        Whether the detector is one panel, which options can move.

    Raises
    ------
    OptionError
        If one of `PLACING_OPTIONS` is given and there is such a file.
    """
    needs_distance = not {"geometry_file", "detector_name"}.isdisjoint(given)
    name = first_placing(seen - {"-distance"} if needs_distance else seen)
    if path is not None and name is not None:
        raise OptionError(
            name,
            f"cannot be combined with {path}, which places the detector exactly"
            + ("; -close_distance, -detector_rotx and the like move it" if is_one_panel else ""),
        )
