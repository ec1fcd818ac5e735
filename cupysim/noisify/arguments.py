"""From the words of a command line to the values of noisify's options, in SI units."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cupysim.drop_ins.options import Kind, ProgramOption
from cupysim.drop_ins.quirk_list import Corrections
from cupysim.drop_ins.words import leading_integer, leading_number, read_words, warn
from cupysim.errors import OptionError
from cupysim.maths.point_spread import FIBRE, GAUSSIAN
from cupysim.native.cores import MOST_THREADS
from cupysim.noisify.options import OPTIONS, POSITIONAL, PROGRAM
from cupysim.noisify.quirks import QUIRKS, NoisifyQuirk

NOISE_KINDS = ("stream", "fast")

BITS = (16, 32)


@dataclass(frozen=True)
class Arguments:
    """The values of the options. Names without a unit are in SI units.

    Parameters
    ----------
    input : str, optional
        File with expected photons.
    scale, fluence : float
        Factor to photons; fluence (photons/m^2).
    header_file : str, optional
        SMV file whose header is copied.
    n_fast, n_slow : int
        Numbers of pixels; 0 if not given.
    size_fast, size_slow, pixel_size, distance : float
        Size of the detector, pixel edge and distance (m).
    wavelength_angstrom, phi_degrees, oscillation_degrees : float
        Numbers for the header.
    beam_x, beam_y : float, optional
        Beam centre (m).
    has_no_noise, has_no_pgm : bool
        Whether the image with noise and the picture are left out.
    gain, adc_offset, readout, flicker, calibration : float
        Gain (units per photon); offset and read-out noise (units); relative errors.
    seed, calibration_seed, unused_seed : int, optional
        Seeds.
    psf : str, optional
        Name of the point spread function.
    psf_width, psf_radius : float
        Its full width at half maximum (m), rounded to single precision, and its radius (pixels).
    int_file, noise_file, pgm_file, photon_file : str
        Files to write; `photon_file` may be None.
    bits : int
        Bits of the integers.
    noise_kind : str
        One of `NOISE_KINDS`.
    corrections : frozenset of NoisifyQuirk
        Corrected quirks.
    threads : int, optional
        Number of threads.
    unknown_spreads : tuple of str
        Values of ``-psf`` that name no point spread function.
    given : mapping of str to str
        Names of the values that were given, with the words that gave them.
    """

    input: str | None = None
    scale: float = 1.0
    fluence: float = 125932015286227086360700780544.0
    header_file: str | None = None
    n_fast: int = 0
    n_slow: int = 0
    size_fast: float = 102.4e-3
    size_slow: float = 102.4e-3
    pixel_size: float = 0.1e-3
    distance: float = 100.0e-3
    wavelength_angstrom: float = 1.0
    beam_x: float | None = None
    beam_y: float | None = None
    phi_degrees: float = 0.0
    oscillation_degrees: float = 1.0
    has_no_noise: bool = False
    gain: float = 1.0
    adc_offset: float = 40.0
    readout: float = 0.0
    flicker: float = 0.0
    calibration: float = 0.03
    seed: int | None = None
    calibration_seed: int | None = None
    unused_seed: int | None = None
    psf: str | None = None
    psf_width: float = float(np.float32(46e-6))
    psf_radius: int = 0
    int_file: str = "intimage.img"
    noise_file: str = "noiseimage.img"
    pgm_file: str = "image.pgm"
    has_no_pgm: bool = False
    bits: int = 16
    photon_file: str | None = None
    noise_kind: str = "stream"
    corrections: Corrections = frozenset()
    threads: int | None = None
    unknown_spreads: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_spread(self) -> bool:
        """Whether the image is blurred."""
        return self.psf is not None and self.psf_width > 0.0

    def corrects(self, *quirks: NoisifyQuirk) -> bool:
        """Whether all of these quirks are corrected."""
        return self.corrections.issuperset(quirks)


def parse(words: Sequence[str]) -> Arguments:
    """Read the words of a command line.

    Parameters
    ----------
    words : sequence of str
        The words after "noisify".

    Returns
    -------
    Arguments
        The values.

    Raises
    ------
    OptionError
        If an option or a value is impossible.
    """
    values: dict[str, Any] = {"corrections": QUIRKS.corrected_by(words)}
    given: dict[str, str] = {}
    for match in read_words(PROGRAM, words, is_meant=lambda word: POSITIONAL in word):
        if match.option is None:
            _warn_of_input(match.before, match.word)
            values["input"], given["input"] = match.word, match.word
        elif "corrections" not in match.option.dest:
            _set(values, given, match.option, match.word, match.values)
    if "unused_seed" in given:
        effect = f"{given['unused_seed']} has no effect, as in noisify"
        QUIRKS.warn(NoisifyQuirk.UNUSED_SEEDS, effect)
    arguments = Arguments(**values, given=given)
    _check(arguments)
    return arguments


def _warn_of_input(before: str, word: str) -> None:
    """Warn if the value of another option is the input because of its name."""
    options = [option for option in OPTIONS if before.startswith("-") and option.matches(before)]
    others = [each for each in options if each.kind is not Kind.FLAG and "input" not in each.dest]
    if others:
        QUIRKS.warn(
            NoisifyQuirk.NAME_IS_INPUT,
            f"{word} is the value of {before} and also the input, because its name contains "
            f"{POSITIONAL}",
        )


def _set(
    values: dict[str, Any],
    given: dict[str, str],
    option: ProgramOption,
    word: str,
    following: tuple[str, ...],
) -> None:
    """Set the values of an option. One without its value has no effect, as in noisify."""
    if option.kind is Kind.FLAG:
        value: Any = True
    elif not following:
        if option.name == "-psf" or option.is_new:
            raise OptionError(word, "expected a value after it, found none")
        warn(f"{word} has no value after it, and is ignored")
        return
    else:
        value = _value(option, word, following[0])
    if option.name == "-psf" and value is None:
        values["unknown_spreads"] = (*values.get("unknown_spreads", ()), following[0])
    for name in option.dest:
        values[name], given[name] = value, word


def _value(option: ProgramOption, word: str, text: str) -> Any:
    """Convert the value of an option."""
    if option.kind is Kind.FILE:
        return text
    if option.name == "-psf":
        return _spread(text)
    if option.kind is Kind.WORD:
        if text not in NOISE_KINDS:
            raise OptionError(word, f"expected {' or '.join(NOISE_KINDS)}, got {text!r}")
        return text
    if option.is_new:
        if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MOST_THREADS:
            raise OptionError(word, f"expected a number from 1 to {MOST_THREADS}, got {text!r}")
        return int(text)
    if option.kind in (Kind.INTEGER, Kind.SEED):
        return leading_integer(word, text, PROGRAM.name)
    value = leading_number(word, text, PROGRAM.name)
    if "psf_radius" in option.dest:
        if not abs(value) < 2.0**31:
            raise OptionError(word, f"{text} is too large")
        return int(value)
    if "psf_width" in option.dest:
        with np.errstate(over="ignore"):
            width = float(np.float32(option.unit.to_si(value)))
        if not math.isfinite(width):
            raise OptionError(word, f"{text} is too large")
        return width
    return option.unit.to_si(value)


def _spread(text: str) -> str | None:
    if "fiber" in text:
        return FIBRE
    return GAUSSIAN if "gauss" in text else None


def _check(arguments: Arguments) -> None:
    """Refuse values for which noisify writes useless images."""

    def refuse(name: str, problem: str) -> None:
        raise OptionError(arguments.given.get(name, name), problem)

    if arguments.bits not in BITS:
        refuse("bits", f"expected 16 or 32, got {arguments.bits} (NQ17)")
    if arguments.psf_radius < 0:
        refuse("psf_radius", f"must not be negative, got {arguments.psf_radius} (NQ15)")
    for name in ("n_fast", "n_slow"):
        if getattr(arguments, name) < 0:
            refuse(name, f"must not be negative, got {getattr(arguments, name)}")
