"""From the words of a command line to the values of nonBragg's options, in SI units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cupysim.drop_ins.options import Kind, ProgramOption
from cupysim.drop_ins.quirk_list import OPTION as CORRECTED
from cupysim.drop_ins.quirk_list import Corrections
from cupysim.drop_ins.words import Match, leading_integer, leading_number, read_words, warn
from cupysim.errors import OptionError
from cupysim.nonbragg.options import NOT_READ, PER_ANGSTROM, PROGRAM
from cupysim.nonbragg.quirks import QUIRKS, NonbraggQuirk

Vector = tuple[float, float, float]

AXIS, TWOTHETA, CURVED, PIVOT = "-twotheta_axis", "-twotheta", "-curved_det", "-pivot"

PIVOTS = ("beam", "sample")
"""What the detector may turn about."""


@dataclass(frozen=True)
class Arguments:
    """The values of the options. Names without a unit are in SI units.

    Parameters
    ----------
    stol_file : str, optional
        Table of structure factors.
    stol_unit : float
        Its unit of sin(theta)/lambda (1/m).
    is_map : bool
        Whether the float image has structure factors.
    sample_x, sample_y, sample_z : float
        Size of the sample (m); x is along the beam.
    density, molar_mass, molecules : float
        Density (g/m^3), molar mass (g/mol), and number of molecules; 0: the density gives it.
    fluence, flux, exposure, beam_size : float
        Fluence (photons/m^2), flux (photons/s), exposure time (s) and size of the beam (m).
    wavelength, kahn : float
        Wavelength (m) and Kahn factor.
    is_polarized : bool
        Whether there is a polarization factor.
    beam_vector, polar_vector, fast_vector, slow_vector, twotheta_axis : tuple of 3 float
        Directions, of any length.
    dispersion : float
        Bandwidth, relative to the wavelength.
    hdiv_range, vdiv_range, hdiv_step, vdiv_step : float, optional
        Ranges and steps of the divergence (rad).
    dispersion_steps, hdiv_steps, vdiv_steps : int, optional
        Numbers of steps.
    round_divergence : bool
        Whether the grid of sources is cut to an ellipse.
    source_file : str, optional
        Table of sources.
    source_distance : float
        Distance of the sources (m), for the report.
    distance, close_distance : float, optional
        Distance along the beam, and distance of the detector's plane (m).
    beam_x, beam_y, close_x, close_y : float, optional
        Direct beam and point of normal incidence (m).
    origin_x, origin_y : float, optional
        Point of normal incidence (pixels).
    pivot : str
        "beam" or "sample".
    twotheta, rotate_x, rotate_y, rotate_z : float
        Rotations of the detector (rad).
    n_fast, n_slow : int
        Numbers of pixels; 0 if not given.
    size_fast, size_slow, pixel_size : float
        Size of the detector and pixel edge (m).
    is_curved, is_point_pixel : bool
        Whether the detector is curved, and whether pixels are points.
    oversample : int
        Sub-pixels along an edge.
    region : tuple of 4 int, optional
        First and last fast pixel, first and last slow pixel.
    seed : int, optional
        Seed of the photon noise.
    phi, oscillation, phi_step : float
        Angles for the header (rad); None if not given.
    phi_steps : int, optional
        Number of steps, for the header.
    image_file : str, optional
        Image that is averaged.
    ignored : tuple of float
        Values of pixels that do not count.
    gain, adc_offset : float
        Units per photon of that image; offset of all images (units).
    average_file, float_file, int_file, pgm_file, noise_file : str
        Files to write.
    has_noise : bool
        Whether there is an image of counted photons.
    int_scale, pgm_scale : float
        Scales (1/photon); 0 for automatic ones.
    has_progress, is_printed : bool
        Whether progress or pixels are printed.
    printed_pixel : tuple of 2 int, optional
        The only pixel that is printed.
    unused : object
        Value of an option without effect.
    corrections : frozenset of NonbraggQuirk
        Corrected quirks.
    given : mapping of str to str
        Names of the values that were given, with the words that gave them.
    """

    stol_file: str | None = None
    stol_unit: float = PER_ANGSTROM
    is_map: bool = False
    sample_x: float = 0.1e-3
    sample_y: float = 0.1e-3
    sample_z: float = 0.1e-3
    density: float = 1e6
    molar_mass: float = 18.0
    molecules: float = 0.0
    fluence: float = 125932015286227086360700780544.0
    flux: float = 0.0
    exposure: float = 1.0
    beam_size: float = 0.1e-3
    wavelength: float = 1e-10
    kahn: float = 0.0
    is_polarized: bool = True
    beam_vector: Vector = (1.0, 0.0, 0.0)
    polar_vector: Vector = (0.0, 0.0, 1.0)
    fast_vector: Vector = (0.0, 0.0, 1.0)
    slow_vector: Vector = (0.0, -1.0, 0.0)
    twotheta_axis: Vector = (0.0, 1.0, 0.0)
    dispersion: float = 0.0
    dispersion_steps: int | None = None
    hdiv_range: float | None = None
    vdiv_range: float | None = None
    hdiv_step: float | None = None
    vdiv_step: float | None = None
    hdiv_steps: int | None = None
    vdiv_steps: int | None = None
    round_divergence: bool = True
    source_file: str | None = None
    source_distance: float = 10.0
    distance: float = 100e-3
    close_distance: float | None = None
    beam_x: float | None = None
    beam_y: float | None = None
    close_x: float | None = None
    close_y: float | None = None
    origin_x: float | None = None
    origin_y: float | None = None
    pivot: str = "beam"
    twotheta: float = 0.0
    rotate_x: float = 0.0
    rotate_y: float = 0.0
    rotate_z: float = 0.0
    n_fast: int = 0
    n_slow: int = 0
    size_fast: float = 102.4e-3
    size_slow: float = 102.4e-3
    pixel_size: float = 0.1e-3
    is_curved: bool = False
    is_point_pixel: bool = False
    oversample: int = 1
    region: tuple[int, int, int, int] | None = None
    seed: int | None = None
    phi: float = 0.0
    oscillation: float | None = None
    phi_step: float | None = None
    phi_steps: int | None = None
    image_file: str | None = None
    ignored: tuple[float, ...] = ()
    gain: float = 1.0
    adc_offset: float = 40.0
    average_file: str = "output.stol"
    float_file: str = "floatimage.bin"
    int_file: str = "intimage.img"
    pgm_file: str = "image.pgm"
    noise_file: str = "noiseimage.img"
    has_noise: bool = True
    int_scale: float = 0.0
    pgm_scale: float = 0.0
    has_progress: bool = True
    is_printed: bool = False
    printed_pixel: tuple[int, int] | None = None
    unused: Any = None
    corrections: Corrections = frozenset()
    given: Mapping[str, str] = field(default_factory=dict)

    def corrects(self, *quirks: NonbraggQuirk) -> bool:
        """Whether all of these quirks are corrected."""
        return self.corrections.issuperset(quirks)


def parse(words: Sequence[str]) -> Arguments:
    """Read the words of a command line.

    Parameters
    ----------
    words : sequence of str
        The words after "nonbragg".

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
    for match in read_words(PROGRAM, words, tell_unknown=_tell_unread):
        _take(values, given, match)
    arguments = Arguments(**values, given=given)
    _check(arguments)
    return arguments


def _tell_unread(word: str) -> bool:
    """Warn of words in nonBragg's examples that it does not read (NBQ2)."""
    if word in NOT_READ:
        QUIRKS.warn(NonbraggQuirk.WORDS_NOT_READ, f"{word} is not read, and has no effect")
    return word in NOT_READ


def _take(values: dict[str, Any], given: dict[str, str], match: Match) -> None:
    """Set the values of an option. One without its values has no effect, as in nonBragg."""
    option, word = match.option, match.word
    assert option is not None, "no word has a meaning of its own"
    if option.name == CORRECTED:
        return
    within_axis = option.name == TWOTHETA and AXIS in word
    if within_axis and NonbraggQuirk.TWOTHETA_AXIS_SETS_TWOTHETA in values["corrections"]:
        return
    if option.name == CURVED and match.is_last:
        warn(f"{word} is the last argument, and is ignored, as in nonBragg")
        return
    if len(match.values) < option.count:
        if not within_axis:
            wanted = "no value" if option.count == 1 else f"fewer than {option.count} values"
            warn(f"{word} has {wanted} after it, and is ignored")
        return
    value = _value(option, word, match.values)
    if option.name == PIVOT and value is None:
        warn(f"{word} {match.values[0]!r} names neither sample nor beam, and is ignored")
        return
    if "unused" in option.dest:
        QUIRKS.warn(NonbraggQuirk.WITHOUT_EFFECT, f"{word} has no effect, as in nonBragg")
    for name in option.dest:
        values[name] = (*values.get(name, ()), value) if name == "ignored" else value
        given[name] = word
    values.update(option.sets)


def _value(option: ProgramOption, word: str, texts: Sequence[str]) -> Any:
    """Convert the values of an option."""
    if option.kind is Kind.FLAG:
        return True
    if option.name == PIVOT:
        # the beam wins if a word names both
        return next((pivot for pivot in PIVOTS if pivot in texts[0]), None)
    if option.kind is Kind.FILE:
        return texts[0]
    if option.kind in (Kind.INTEGER, Kind.SEED, Kind.REGION, Kind.PAIR):
        integers = tuple(leading_integer(word, text, PROGRAM.name) for text in texts)
        return integers if option.count > 1 else integers[0]
    numbers = [leading_number(word, text, PROGRAM.name) for text in texts]
    try:
        kept = tuple(option.unit.to_si(number) for number in numbers)
    except ZeroDivisionError:
        raise OptionError(word, "must not be 0") from None
    return kept if option.count > 1 else kept[0]


def _check(arguments: Arguments) -> None:
    """Refuse impossible values, and warn of options without effect."""

    def refuse(name: str, problem: str) -> None:
        raise OptionError(arguments.given.get(name, name), problem)

    if arguments.stol_file is None:
        refuse("-stol", "expected a file with structure factors; cupysim nonbragg -h lists options")
    if arguments.oversample < 1:
        refuse("oversample", f"must be at least 1, got {arguments.oversample}")
    if arguments.wavelength == 0.0:
        refuse("wavelength", "must not be 0")
    if not arguments.pixel_size > 0.0:
        refuse("pixel_size", f"must be positive, got {1e3 * arguments.pixel_size:g} mm")
    for name in ("n_fast", "n_slow"):
        if getattr(arguments, name) < 0:
            refuse(name, f"must not be negative, got {getattr(arguments, name)}")
    if AXIS in arguments.given.get("twotheta", ""):
        QUIRKS.warn(
            NonbraggQuirk.TWOTHETA_AXIS_SETS_TWOTHETA,
            f"{AXIS} also sets {TWOTHETA} to its first number; give {TWOTHETA} after it",
        )
    if "gain" in arguments.given and arguments.image_file is None:
        QUIRKS.warn(
            NonbraggQuirk.GAIN_WITHOUT_EFFECT,
            f"{arguments.given['gain']} does not act on the images that are written",
        )
