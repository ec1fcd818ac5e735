"""The options of noisify: one table for parsing, help and documentation.

noisify tests every argument that starts with a dash against all options. It finds most of them
within longer arguments too. This file imports only the standard library, so that help is fast.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What the value of an option is."""

    FLAG = ""
    NUMBER = "X"
    INTEGER = "N"
    SEED = "SEED"
    FILE = "FILE"
    WORD = "WORD"


@dataclass(frozen=True)
class NoisifyOption:
    """One option of noisify.

    Parameters
    ----------
    names : tuple of str
        Spellings; the first is the one in the help.
    group : str
        Heading in the help.
    help : str
        Help text.
    dest : tuple of str
        Names of the arguments that it sets.
    kind : Kind
        Kind of the value.
    unit : str
        Unit of the value on the command line.
    default : str
        Default in the help; empty if there is none.
    is_exact : bool
        Whether the argument must be the option. Otherwise it may contain the option.
    to_si : callable
        Converts a number in the unit to the one that is kept. The operations are those of noisify.
    metavar : str
        How the value appears in the help, if not by its kind.
    is_new : bool
        Whether noisify lacks the option.
    """

    names: tuple[str, ...]
    group: str
    help: str
    dest: tuple[str, ...]
    kind: Kind = Kind.NUMBER
    unit: str = ""
    default: str = ""
    is_exact: bool = False
    to_si: Callable[[float], float] = float
    metavar: str = ""
    is_new: bool = False

    @property
    def name(self) -> str:
        """The spelling in the help."""
        return self.names[0]

    def matches(self, word: str) -> bool:
        """Whether noisify recognises an argument as this option."""
        if self.is_exact:
            return word in self.names
        return any(name in word for name in self.names)


def from_mm(value: float) -> float:
    """Convert mm to m."""
    return value / 1000.0


def from_micron(value: float) -> float:
    """Convert micrometres to m."""
    return value / 1e6


INPUT, DETECTOR, NOISE, SPREAD, OUTPUT = "Input", "Detector", "Noise", "Point spread", "Output"
COMPUTING = "Computing"
GROUPS = (INPUT, DETECTOR, NOISE, SPREAD, OUTPUT, COMPUTING)

POSITIONAL = "floatimage.bin"
"""An argument that contains this name is the input, wherever it stands."""

OPTIONS: tuple[NoisifyOption, ...] = (
    NoisifyOption(
        ("-floatfile", "-floatimage", "-bin"), INPUT,
        "Expected photons: raw float32 numbers, or an HDF5, CBF or SMV image.", ("input",),
        Kind.FILE,
    ),
    NoisifyOption(
        ("-scale",), INPUT, "Factor from the numbers of the input to photons.", ("scale",),
        default="1",
    ),
    NoisifyOption(
        ("-fluence",), INPUT,
        "Fluence, if the input is F^2 times the solid angle; the default makes no difference.",
        ("fluence",), unit="photons/m^2", default="1.26e29",
    ),
    NoisifyOption(
        ("-header",), INPUT,
        "SMV file whose header both images get. Sizes, pixel and distance are those in it.",
        ("header_file",), Kind.FILE,
    ),
    NoisifyOption(
        ("-detpixels",), DETECTOR, "Pixels along both axes; by default from the input's size.",
        ("n_fast", "n_slow"), Kind.INTEGER, is_exact=True,
    ),
    NoisifyOption(("-detpixels_x",), DETECTOR, "Pixels along the fast axis.", ("n_fast",),
                  Kind.INTEGER),
    NoisifyOption(("-detpixels_y",), DETECTOR, "Pixels along the slow axis.", ("n_slow",),
                  Kind.INTEGER),
    NoisifyOption(
        ("-detsize",), DETECTOR, "Detector size; nearly without effect (NQ10).",
        ("size_fast", "size_slow"), unit="mm", default="102.4", is_exact=True, to_si=from_mm,
    ),
    NoisifyOption(("-detsize_x",), DETECTOR, "Size along the fast axis (NQ10).", ("size_fast",),
                  unit="mm", default="102.4", to_si=from_mm),
    NoisifyOption(("-detsize_y",), DETECTOR, "Size along the slow axis (NQ10).", ("size_slow",),
                  unit="mm", default="102.4", to_si=from_mm),
    NoisifyOption(("-pixel",), DETECTOR, "Pixel edge, for the header and the point spread.",
                  ("pixel_size",), unit="mm", default="0.1", to_si=from_mm),
    NoisifyOption(("-distance",), DETECTOR, "Distance, for the header.", ("distance",),
                  unit="mm", default="100", to_si=from_mm),
    NoisifyOption(("-lambda",), DETECTOR, "Wavelength, for the header.",
                  ("wavelength_angstrom",), unit="A", default="1"),
    NoisifyOption(("-Xbeam",), DETECTOR, "Beam centre X, for the header; by default the middle.",
                  ("beam_x",), unit="mm", to_si=from_mm),
    NoisifyOption(("-Ybeam",), DETECTOR, "Beam centre Y, for the header; by default the middle.",
                  ("beam_y",), unit="mm", to_si=from_mm),
    NoisifyOption(("-phi",), DETECTOR, "Spindle angle, for the header.", ("phi_degrees",),
                  unit="deg", default="0"),
    NoisifyOption(("-osc",), DETECTOR, "Width of the image, for the header.",
                  ("oscillation_degrees",), unit="deg", default="1"),
    NoisifyOption(("-nonoise",), NOISE, "Make only the image without noise. It is blurred.",
                  ("has_no_noise",), Kind.FLAG),
    NoisifyOption(("-gain",), NOISE, "Units per photon.", ("gain",), unit="ADU/photon",
                  default="1"),
    NoisifyOption(("-adc",), NOISE, "Offset of all pixels.", ("adc_offset",), unit="ADU",
                  default="40"),
    NoisifyOption(("-readout", "-readnoi"), NOISE, "Readout noise, rms.", ("readout",),
                  unit="ADU", default="0"),
    NoisifyOption(
        ("-flicker",), NOISE, "Relative fluctuation of the source, drawn for each pixel (NQ5).",
        ("flicker",), default="0",
    ),
    NoisifyOption(
        ("-calibration",), NOISE, "Relative calibration error of pixels; 0 for none.",
        ("calibration",), default="0.03",
    ),
    NoisifyOption(("-seed",), NOISE, "Seed of flicker, photons and readout; default: the clock.",
                  ("seed",), Kind.SEED),
    NoisifyOption(("-calib_seed",), NOISE, "Seed of the calibration error (NQ7, NQ8).",
                  ("calibration_seed",), Kind.SEED),
    NoisifyOption(("-badpix_seed",), NOISE, "Read but not used.", ("unused_seed",), Kind.SEED),
    NoisifyOption(("-hotpix_seed",), NOISE, "Read but not used.", ("unused_seed",), Kind.SEED),
    NoisifyOption(
        ("-psf",), SPREAD, "Point spread: Gaussian, or that of a fibre-optic taper.", ("psf",),
        Kind.WORD, is_exact=True, metavar="gauss|fiber",
    ),
    NoisifyOption(("-psf_fwhm", "-psf_fw", "-psf_si", "-psf_wi"), SPREAD,
                  "Full width at half maximum.", ("psf_width",), unit="um", default="46",
                  to_si=from_micron),
    NoisifyOption(("-psf_rad",), SPREAD, "Radius; 0: from each pixel's photons.", ("psf_radius",),
                  unit="pixels", default="0"),
    NoisifyOption(("-intfile", "-intimage"), OUTPUT, "SMV image without noise.", ("int_file",),
                  Kind.FILE, default="intimage.img"),
    NoisifyOption(("-noisefile", "-noiseimage"), OUTPUT, "SMV image with noise.",
                  ("noise_file",), Kind.FILE, default="noiseimage.img"),
    NoisifyOption(("-pgmfile", "-pgmimage"), OUTPUT, "Picture of 8 bits.", ("pgm_file",),
                  Kind.FILE, default="image.pgm"),
    NoisifyOption(("-nopgm",), OUTPUT, "No picture.", ("has_no_pgm",), Kind.FLAG),
    NoisifyOption(("-bits",), OUTPUT, "Bits of the integers: 16 or 32.", ("bits",), Kind.INTEGER,
                  default="16"),
    NoisifyOption(
        ("-photonfile",), OUTPUT,
        "Raw float32 image of the expected photons; with -nonoise, blurred.", ("photon_file",),
        Kind.FILE, is_exact=True, is_new=True,
    ),
    NoisifyOption(
        ("-noise",), COMPUTING,
        "stream: noisify's random numbers, bit for bit. fast: numbers by seed and pixel, drawn in "
        "parallel; calibration errors depend on their seed only.", ("noise_kind",), Kind.WORD,
        default="stream", is_exact=True, metavar="stream|fast", is_new=True,
    ),
    NoisifyOption(
        ("-corrected",), COMPUTING,
        "Correct quirks: all, or those named, as in NQ5,NQ7 (docs/noisify.md).", ("corrections",),
        Kind.WORD, is_exact=True, metavar="[all|NQ5,NQ7]", is_new=True,
    ),
    NoisifyOption(
        ("-threads",), COMPUTING, "Threads; default: one on each core.", ("threads",),
        Kind.INTEGER, is_exact=True, is_new=True,
    ),
)  # fmt: skip

DESCRIPTION = (
    "Add noise to an image of expected photons: calibration errors, counted photons, point "
    "spread, gain, offset and readout noise. A drop-in for noisify by James Holton: the same "
    "options, defaults, random numbers and files."
)

EPILOG = (
    "Options are found within longer words. If an option is given twice, the last one counts. An "
    "argument that contains floatimage.bin is the input. Exit status: 0, or 9 after an error."
)

USAGE = "cupysim noisify -floatfile FILE [options]"


def describe(option: NoisifyOption) -> str:
    """Make the help text of an option, with unit and default."""
    notes = [option.unit] if option.unit else []
    notes += [f"default {option.default}"] if option.default else []
    notes += ["not in noisify"] if option.is_new else []
    return option.help + (f" ({'; '.join(notes)})" if notes else "")


def format_help(width: int = 100) -> str:
    """Make the help text: options by group, with units and defaults."""
    lines = [f"usage: {USAGE}", "", *textwrap.wrap(DESCRIPTION, width)]
    for group in GROUPS:
        lines += ["", f"{group}:"]
        for option in (option for option in OPTIONS if option.group == group):
            value = option.metavar or option.kind.value
            head = f"  {', '.join(option.names)} {value}".rstrip()
            text = textwrap.wrap(describe(option), width - 28)
            if len(head) > 26:
                lines.append(head)
                head = ""
            lines += [f"{head:28}{text[0]}", *(" " * 28 + line for line in text[1:])]
    return "\n".join([*lines, "", *textwrap.wrap(EPILOG, width)])
