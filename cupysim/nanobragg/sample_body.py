"""The body of the sample, the profile of the beam, and decay, from the values of options."""

from __future__ import annotations

import math
import os
import warnings
from dataclasses import replace

import numpy as np

from cupysim.drop_ins.units import B_PER_MEGAGRAY, MEGAGRAY, MM
from cupysim.errors import CupysimError, CupysimWarning, FileFormatError, ModelError, OptionError
from cupysim.models.beam_profile import BeamProfile, ProfileKind
from cupysim.models.body import Body, BodyForm
from cupysim.models.decay import Decay
from cupysim.models.dose import absorbed_dose
from cupysim.models.experiment import Experiment
from cupysim.nanobragg.arguments import Arguments
from cupysim.nanobragg.attenuators import mean_attenuation

BODY, AROUND, PROFILE, DECAY = "-body", "-around", "-beam_profile", "-decay"

WORDS_OF_BODY = 4
"""Number of words of a body without a material."""


def beam_profile(value: str) -> BeamProfile:
    """Read the value of -beam_profile.

    Raises
    ------
    CupysimError
        If it is not understood, or its file cannot be read.
    """
    name, *sizes = value.rsplit(",", 2)
    try:
        horizontal, vertical = (MM.to_si(float(size)) for size in sizes)
    except ValueError:
        raise OptionError(
            PROFILE, f"expected gaussian,H,V or tophat,H,V or FILE,H,V, got {value[:60]!r}"
        ) from None
    kinds = {ProfileKind.GAUSSIAN: None, ProfileKind.TOPHAT: None}
    kind, table = (ProfileKind(name), None) if name in kinds else (ProfileKind.TABLE, _table(name))
    try:
        return BeamProfile(kind, horizontal, vertical, table)
    except ModelError as error:
        raise OptionError(PROFILE, str(error).removeprefix("beam profile: ")) from error


def profile_files(value: str) -> tuple[str, ...]:
    """The file that a value of -beam_profile names, if it names one."""
    name = value.rsplit(",", 2)[0]
    return () if name in {ProfileKind.GAUSSIAN, ProfileKind.TOPHAT} else (name,)


def _table(path: str) -> np.ndarray:
    if not os.path.exists(path):
        raise OptionError(PROFILE, f"there is no file {path!r}; kinds are gaussian and tophat")
    try:
        return np.loadtxt(path, ndmin=2)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise FileFormatError(path, f"not a table of numbers: {error}") from error


def with_body(args: Arguments, experiment: Experiment) -> Experiment:
    """Add the body of the sample, the profile of the beam, and decay to an experiment.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    experiment : Experiment
        The experiment without them.

    Raises
    ------
    CupysimError
        If a value is not understood, or options do not fit each other.
    """
    body, around = None, tuple[Body, ...]()
    if args.body is not None:
        body = _body(BODY, args.body, args.body_position or (0.0, 0.0, 0.0), experiment)
        around = tuple(_matter_around(value, experiment) for value in args.around or ())
        is_absorbing = any(each.attenuation > 0.0 for each in (body, *around))
        if is_absorbing and args.absorption is not None:
            told = f"{BODY} and -absorption both absorb, as if there were two samples"
            warnings.warn(CupysimWarning(told), stacklevel=2)
    elif args.body_position is not None:
        raise CupysimError(f"-body_position needs {BODY}")
    elif args.around:
        raise CupysimError(f"{AROUND} needs {BODY}, the sample that it surrounds")
    elif args.beam_profile is not None:
        raise CupysimError(f"{PROFILE} needs {BODY}, whose place in the beam counts")
    beam = experiment.beam
    if args.beam_profile is not None:
        if "-beamsize" in args.seen and args.flux != 0.0:
            told = f"-beamsize has no effect on the fluence: {PROFILE} gives the size of the beam"
            warnings.warn(CupysimWarning(told), stacklevel=2)
        beam = replace(beam, profile=beam_profile(args.beam_profile))
    decay = None
    if args.decay is not None:
        decay = _decay(args, replace(experiment, beam=replace(beam, profile=None)))
    else:
        for name in ("-image_dose", "-dose_before"):
            if name in args.seen:
                raise CupysimError(f"{name} needs {DECAY}")
    return replace(experiment, beam=beam, body=body, around=around, decay=decay)


def _matter_around(value: str, experiment: Experiment) -> Body:
    """Read a value of -around."""
    what, separator, where = value.partition("@")
    position = (0.0, 0.0, 0.0)
    if separator:
        try:
            x, y, z = (MM.to_si(float(word)) for word in where.split(","))
        except ValueError:
            raise OptionError(
                AROUND, f"expected @X,Y,Z in mm at the end, got {value[:60]!r}"
            ) from None
        position = x, y, z
    if what.count(",") < WORDS_OF_BODY:
        raise OptionError(
            AROUND,
            f"expected box|ellipsoid,X,Y,Z,MATERIAL, and possibly @X,Y,Z, got {value[:60]!r}",
        )
    return _body(AROUND, what, position, experiment)


def _body(
    option: str, value: str, position: tuple[float, float, float], experiment: Experiment
) -> Body:
    name, *words = value.split(",", WORDS_OF_BODY)
    try:
        size = tuple(MM.to_si(float(word)) for word in words[:3])
        form = BodyForm(name)
    except ValueError:
        size, form = (), BodyForm.BOX
    if len(size) != WORDS_OF_BODY - 1:
        raise OptionError(
            option,
            "expected box,X,Y,Z or ellipsoid,X,Y,Z, and possibly ,MATERIAL after it, got "
            f"{value[:60]!r}",
        )
    coefficient = 0.0
    if len(words) == WORDS_OF_BODY:
        coefficient = mean_attenuation(option, words[-1], experiment.sources)
    try:
        return Body(form, (size[0], size[1], size[2]), position, coefficient)
    except ModelError as error:
        raise OptionError(option, str(error).removeprefix("body: ")) from error


def _decay(args: Arguments, experiment: Experiment) -> Decay:
    words = args.decay.split(",")
    try:
        half, growth = (float(word) for word in words)
    except ValueError:
        raise OptionError(
            DECAY, f"expected HALF_DOSE,B_PER_MGY such as 20,1 or inf,1; got {args.decay[:60]!r}"
        ) from None
    dose = args.image_dose
    if dose is not None and args.dose is not None:
        raise CupysimError(f"{DECAY}: -dose and -image_dose both give a dose; give one of them")
    if dose is None:
        if args.dose is None:
            raise CupysimError(
                f"{DECAY} needs the dose of the image: -dose MATERIAL or -image_dose"
            )
        dose = absorbed_dose(experiment, args.dose)
    half_dose = math.inf if math.isinf(half) and half > 0.0 else MEGAGRAY.to_si(half)
    try:
        return Decay(dose, half_dose, B_PER_MEGAGRAY.to_si(growth), args.dose_before)
    except ModelError as error:
        raise OptionError(DECAY, str(error).removeprefix("decay: ")) from error
