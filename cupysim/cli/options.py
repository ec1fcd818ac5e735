"""The options of the drop-in command: one table for parsing, help and manual.

Order, spellings and matching are those of the C program, which tests every
argument that starts with a dash against all options. This file uses the
standard library alone, since the manual page is made from it before the
package is installed.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

DEGREES_PER_RADIAN = 180.0 * (1.0 / math.pi)


@dataclass(frozen=True)
class Unit:
    """A unit of the command line and its conversion to SI.

    The conversions are the C program's to the last bit: some multiply, some
    divide. `kin` has the words for units of the same kind, and their sizes.
    """

    name: str
    to_si: Callable[[float], float]
    kin: Mapping[str, float] = field(default_factory=dict)

    def called(self, word: str) -> Unit | None:
        """The unit of the same kind for which a word stands, if there is one."""
        if word not in self.kin:
            return None
        times = self.kin[word] / self.kin[self.name]
        return self if times == 1.0 else Unit(word, lambda value: self.to_si(value * times))


_LENGTHS = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0), "cm": 1e-2, "mm": 1e-3,
    **dict.fromkeys(("um", "\u00b5m", "\u03bcm", "micron", "microns"), 1e-6), "nm": 1e-9,
    **dict.fromkeys(("A", "Ang", "angstrom", "angstroms"), 1e-10), "pm": 1e-12,
}  # fmt: skip
_ANGLES = {
    **dict.fromkeys(("deg", "degree", "degrees"), math.pi / 180.0), "urad": 1e-6, "mrad": 1e-3,
    **dict.fromkeys(("rad", "radian", "radians"), 1.0),
    "arcmin": math.pi / 10800.0, "arcsec": math.pi / 648000.0,
}  # fmt: skip
_TIMES = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}
_ENERGIES = {"eV": 1.0, "keV": 1e3, "MeV": 1e6}
_AREAS = {"photons/m^2": 1.0, "m2": 1.0, "cm2": 1e4, "mm2": 1e6, "um2": 1e12}

NONE = Unit("", lambda value: value)
MM = Unit("mm", lambda value: value / 1000.0, _LENGTHS)
METRE = Unit("m", lambda value: value, _LENGTHS)
MICRON = Unit("um", lambda value: value * 1e-6, _LENGTHS)
MICRON_WATER = Unit("um", lambda value: value / 1e6, _LENGTHS)
DEGREE = Unit("deg", lambda value: value / DEGREES_PER_RADIAN, _ANGLES)
ANGSTROM = Unit("A", lambda value: value / 1e10, _LENGTHS)
ANGSTROM_CELL = Unit("A, deg", lambda value: value, {"A, deg": 1.0, "A": 1.0})
ANGSTROM_DMIN = Unit("A", lambda value: value * 1e-10, _LENGTHS)
ELECTRONVOLT = Unit("eV", lambda value: (12398.42 / value) / 1.0e10, _ENERGIES)
MILLIRADIAN = Unit("mrad", lambda value: value / 1000.0, _ANGLES)
PERCENT = Unit("%", lambda value: value / 100.0, {"%": 1.0, "percent": 1.0})
PIXEL = Unit("pixels", lambda value: value, {"pixels": 1.0, "pixel": 1.0, "px": 1.0})
ELECTRON = Unit("electrons", lambda value: value, {"electrons": 1.0})
ELECTRON_DENSITY = Unit("electrons/A^3", lambda value: value)
B_FACTOR = Unit("A^2", lambda value: value)
DENSITY = Unit("g/cm^3", lambda value: value)
MOLAR_MASS = Unit("g/mol", lambda value: value)
SECOND = Unit("s", lambda value: value, _TIMES)
PER_AREA = Unit("photons/m^2", lambda value: value, _AREAS)
PER_SECOND = Unit("photons/s", lambda value: value, {"photons/s": 1.0, "s": 1.0})


class Match(Enum):
    """How an argument is recognised as an option."""

    SUBSTRING = "the option occurs anywhere in the argument"
    LENGTH = "the same, and the lengths are equal"
    EXACT = "the argument is the option"


class Kind(Enum):
    """What the values of an option are."""

    FLAG = "none"
    FLOAT = "a number"
    INTEGER = "a whole number"
    SEED = "a whole number, of which 32 bits count"
    TEXT = "a text"
    CHOICE = "one of some words"
    DEVICES = "numbers of devices, or all"
    PATH = "a file"


@dataclass(frozen=True)
class Option:
    """One option.

    Parameters
    ----------
    names : tuple of str
        Spellings; the first is the one in the help.
    group : str
        Heading in the help.
    help : str
        One sentence.
    kind : Kind
        What its values are.
    count : int
        How many values it takes.
    unit : Unit
        Unit of the values on the command line.
    dest : tuple of str
        Arguments which it sets; a single value sets all of them.
    default : str
        What the arguments are without it, as on the command line; empty for
        "not given".
    sets : mapping
        Further arguments which it sets, to constants.
    match : Match
        How it is recognised.
    ends_token : bool
        No further option is looked for in the same argument.
    extensions : tuple of str
        Longer spellings in common use, accepted without a warning.
    metavar : str
        How its values appear in the help.
    limit : str
        What a value must be: "positive", "not negative" or "not zero".
    choices : tuple of str
        The words of which its value is one.
    no_effect : bool
        Read but not used, as in the C program.
    free_unit : bool
        The C program drops its numbers, so that any unit in its name may count.
    is_new : bool
        The C program does not have it.
    """

    names: tuple[str, ...]
    group: str
    help: str
    kind: Kind = Kind.FLAG
    count: int = 0
    unit: Unit = NONE
    dest: tuple[str, ...] = ()
    default: str = ""
    sets: Mapping[str, Any] = field(default_factory=dict)
    match: Match = Match.SUBSTRING
    ends_token: bool = False
    extensions: tuple[str, ...] = ()
    metavar: str = ""
    limit: str = ""
    choices: tuple[str, ...] = ()
    no_effect: bool = False
    free_unit: bool = False
    is_new: bool = False

    @property
    def name(self) -> str:
        """The spelling in the help."""
        return self.names[0]

    @property
    def spellings(self) -> tuple[str, ...]:
        """All known spellings."""
        return (*self.names, *self.extensions)

    def matches(self, argument: str) -> bool:
        """Whether the C program takes this argument for this option."""
        if self.match is Match.EXACT:
            return argument in self.names
        if self.match is Match.LENGTH:
            return any(name in argument and len(name) == len(argument) for name in self.names)
        return any(name in argument for name in self.names)


CRYSTAL, BEAM, DETECTOR = "Crystal", "Beam", "Detector"
SAMPLING, OUTPUT, INPUT = "Sampling", "Output", "Input images and tables"
COMPUTING, GENERAL = "Computing", "General"
GROUPS = (CRYSTAL, BEAM, DETECTOR, SAMPLING, OUTPUT, INPUT, COMPUTING, GENERAL)


def _number(
    names: str,
    group: str,
    text: str,
    unit: Unit = NONE,
    dest: str = "",
    default: str = "",
    **more: Any,
) -> Option:
    """An option with one floating-point value."""
    return Option(
        tuple(names.split()), group, text, Kind.FLOAT, 1, unit, tuple(dest.split()), default, **more
    )


def _integer(
    names: str, group: str, text: str, dest: str, default: str = "", **more: Any
) -> Option:
    """An option with one whole number."""
    kind = more.pop("kind", Kind.INTEGER)
    return Option(
        tuple(names.split()), group, text, kind, 1, NONE, tuple(dest.split()), default, **more
    )


def _path(names: str, group: str, text: str, dest: str, default: str = "", **more: Any) -> Option:
    """An option which names a file."""
    return Option(tuple(names.split()), group, text, Kind.PATH, 1, NONE, (dest,), default, **more)


def _new_path(name: str, group: str, text: str, dest: str) -> Option:
    """An option of our own which names a file."""
    return _path(name, group, text, dest, match=Match.EXACT, is_new=True)


def _new_number(name: str, text: str, unit: Unit, dest: str, default: str) -> Option:
    """An option of our own for the crystal, with a number which is not negative."""
    return _number(
        name, CRYSTAL, text, unit, dest, default, match=Match.EXACT, limit="not negative",
        is_new=True,
    )  # fmt: skip


def _flag(names: str, group: str, text: str, sets: Mapping[str, Any], **more: Any) -> Option:
    """An option without a value."""
    return Option(tuple(names.split()), group, text, sets=sets, **more)


def _choice(name: str, text: str, dest: str, choices: tuple[str, ...], default: str) -> Option:
    """An option of our own whose value is one of some words."""
    return Option(
        (name,), COMPUTING, text, Kind.CHOICE, 1, NONE, (dest,), default, match=Match.EXACT,
        metavar="|".join(choices), choices=choices, is_new=True,
    )  # fmt: skip


def _vector(name: str, text: str, dest: str, unit: Unit = NONE, **more: Any) -> Option:
    """A lab vector, which switches to the CUSTOM convention."""
    return Option(
        (name,), DETECTOR, text, Kind.FLOAT, 3, unit, (dest,), "",
        sets={"convention": "custom"}, metavar="X Y Z", **more,
    )  # fmt: skip


_BEAM_PIVOT, _SAMPLE_PIVOT = {"pivot": "beam"}, {"pivot": "sample"}

OPTIONS: tuple[Option, ...] = (
    _integer("-Na", CRYSTAL, "Unit cells along a.", "n_a", "1", ends_token=True),
    _integer("-Nb", CRYSTAL, "Unit cells along b.", "n_b", "1", ends_token=True),
    _integer("-Nc", CRYSTAL, "Unit cells along c.", "n_c", "1", ends_token=True),
    _integer(
        "-N", CRYSTAL, "Unit cells along each axis; sets -Na, -Nb and -Nc.", "n_a n_b n_c", "1",
        match=Match.EXACT, ends_token=True,
    ),
    Option(
        ("-cell",), CRYSTAL,
        "Unit cell. Lengths left out equal a, angles left out are 90. With -mat, the matrix gives "
        "directions and this gives lengths.",
        Kind.FLOAT, 6, ANGSTROM_CELL, ("cell",), metavar="A [B C [AL BE GA]]",
    ),
    Option(
        ("-misset",), CRYSTAL,
        "Rotate the crystal about the lab axes x, y, z; or 'random' for a random orientation.",
        Kind.FLOAT, 3, DEGREE, ("misset",), metavar="X Y Z | random",
    ),
    _number(
        "-samplesize -sample_size -xtalsize -xtal_size", CRYSTAL,
        "Crystal edge; overrules the numbers of cells.", MM, "sample_x sample_y sample_z", "0",
    ),
    _number("-sample_thick -sample_x -xtal_thick -xtal_x", CRYSTAL,
            "Crystal size along a; overrules -Na.", MM, "sample_x", "0"),
    _number("-sample_width -sample_y -xtal_width -xtal_y -width", CRYSTAL,
            "Crystal size along b; overrules -Nb.", MM, "sample_y", "0"),
    _number("-sample_heigh -sample_z -xtal_heigh -xtal_z -heigh", CRYSTAL,
            "Crystal size along c; overrules -Nc.", MM, "sample_z", "0",
            extensions=("-height", "-sample_height", "-xtal_height")),
    _number("-density -sample_den", CRYSTAL, "Read but not used.", DENSITY, "density", "1",
            extensions=("-sample_density",), no_effect=True),
    _number("-MW", CRYSTAL, "Read but not used.", MOLAR_MASS, "molecular_weight", "18",
            match=Match.EXACT, no_effect=True),
    _number("-molec", CRYSTAL, "Read but not used; the same as -MW.", MOLAR_MASS,
            "molecular_weight", "18", extensions=("-molecular_weight",), no_effect=True),
    _number("-Xbeam", DETECTOR, "Beam centre X, as the convention means it.", MM, "beam_x",
            sets=_BEAM_PIVOT),
    _number("-Ybeam", DETECTOR, "Beam centre Y, as the convention means it.", MM, "beam_y",
            sets=_BEAM_PIVOT),
    _number("-Xclose", DETECTOR, "Near point X (CUSTOM convention only).", MM, "close_x",
            sets=_SAMPLE_PIVOT),
    _number("-Yclose", DETECTOR, "Near point Y (CUSTOM convention only).", MM, "close_y",
            sets=_SAMPLE_PIVOT),
    _number("-ORGX", DETECTOR, "XDS beam centre X (XDS, DIALS and CUSTOM conventions).", PIXEL,
            "origin_x", sets=_SAMPLE_PIVOT),
    _number("-ORGY", DETECTOR, "XDS beam centre Y (XDS, DIALS and CUSTOM conventions).", PIXEL,
            "origin_y", sets=_SAMPLE_PIVOT),
    Option(
        ("-pivot",), DETECTOR,
        "What stays in place when the detector turns, 'sample' or 'beam' (CUSTOM convention only).",
        Kind.TEXT, 1, NONE, ("pivot",), "beam", metavar="sample|beam",
    ),
    _flag("-mosflm", DETECTOR, "MOSFLM's beam centre (the default).",
          {"convention": "mosflm", "pivot": "beam"}),
    _flag("-xds", DETECTOR, "XDS' beam centre.", {"convention": "xds", "pivot": "sample"}),
    _flag("-adxv", DETECTOR, "ADXV's beam centre.", {"convention": "adxv", "pivot": "beam"}),
    _flag("-denzo", DETECTOR, "DENZO's beam centre.", {"convention": "denzo", "pivot": "beam"}),
    _flag("-dials", DETECTOR, "DIALS' beam centre.", {"convention": "dials", "pivot": "beam"}),
    _vector("-fdet_vector", "Direction of the fast axis.", "fast_vector"),
    _vector("-sdet_vector", "Direction of the slow axis.", "slow_vector"),
    _vector("-odet_vector", "Direction of the detector normal.", "normal_vector"),
    _vector("-beam_vector", "Direction of the beam.", "beam_vector"),
    _vector("-polar_vector", "Direction of the electric field.", "polar_vector"),
    _vector("-spindle_axis", "Axis of the crystal's rotation.", "spindle_axis"),
    _vector("-twotheta_axis",
            "Axis of the two-theta swing. Also sets -twotheta to its first number.",
            "twotheta_axis"),
    _vector("-pix0_vector", "Only switches to the CUSTOM convention; with -corrected, the first "
            "pixel's outer corner, and no switch.", "pix0_vector", METRE, free_unit=True),
    _number("-distance", DETECTOR, "Distance along the beam.", MM, "distance", "100",
            sets=_BEAM_PIVOT, limit="not zero"),
    _number("-close_distance", DETECTOR, "Distance of the detector plane; overrules -distance.", MM,
            "close_distance", sets=_SAMPLE_PIVOT, limit="not zero"),
    Option(
        ("-detector_abs",), DETECTOR,
        "Attenuation depth of the sensor; 'inf' or 0 for a sensor without thickness.",
        Kind.FLOAT, 1, MICRON, ("attenuation",), extensions=("-detector_absorb",),
        metavar="DEPTH|inf",
    ),
    _number("-detector_thick", DETECTOR, "Sensor thickness.", MICRON, "sensor_thickness", "0",
            match=Match.LENGTH),
    _integer("-detector_thicksteps -thicksteps", DETECTOR, "Layers of the sensor.",
             "sensor_layers"),
    _number("-twotheta", DETECTOR, "Swing the detector about the two-theta axis.", DEGREE,
            "twotheta", "0", sets=_SAMPLE_PIVOT),
    _number("-detector_rotx", DETECTOR, "Turn the detector about the lab's x.", DEGREE,
            "rotate_x", "0"),
    _number("-detector_roty", DETECTOR, "Turn the detector about the lab's y.", DEGREE,
            "rotate_y", "0"),
    _number("-detector_rotz", DETECTOR, "Turn the detector about the lab's z.", DEGREE,
            "rotate_z", "0"),
    _number("-detsize", DETECTOR, "Detector size along both axes.", MM, "size_fast size_slow",
            "102.4", match=Match.LENGTH, limit="positive"),
    _number("-detsize_f", DETECTOR, "Detector size along the fast axis.", MM, "size_fast",
            "102.4", limit="positive"),
    _number("-detsize_s", DETECTOR, "Detector size along the slow axis.", MM, "size_slow",
            "102.4", limit="positive"),
    _integer("-detpixels", DETECTOR, "Pixels along both axes; overrules -detsize.",
             "n_fast n_slow", "0", match=Match.LENGTH, limit="not negative"),
    _integer("-detpixels_f -detpixels_x", DETECTOR, "Pixels along the fast axis.", "n_fast", "0",
             limit="not negative"),
    _integer("-detpixels_s -detpixels_y", DETECTOR, "Pixels along the slow axis.", "n_slow", "0",
             limit="not negative"),
    _flag("-curved_det", DETECTOR, "All pixels at the same distance. Ignored as the last argument.",
          {"curved": True}, extensions=("-curved_detector",)),
    _number("-pixel", DETECTOR, "Pixel size.", MM, "pixel", "0.1", extensions=("-pixel_size",),
            limit="positive"),
    _flag("-point_pixel", DETECTOR, "Inverse-square law in place of the pixel's solid angle.",
          {"point_pixel": True}),
    _number("-polar", BEAM, "Kahn polarization factor, from -1 to 1.", NONE, "polarization", "0",
            sets={"polarized": True}, match=Match.LENGTH),
    _flag("-nopolar", BEAM, "No polarization factor.", {"polarized": False}),
    _flag("-oversample_thick", SAMPLING, "Apply sensor absorption at each sub-pixel.",
          {"oversample_thick": True}, ends_token=True),
    _flag("-oversample_polar", SAMPLING, "Apply polarization at each sub-pixel and source.",
          {"oversample_polar": True}, ends_token=True),
    _flag("-oversample_omega", SAMPLING, "Apply the solid angle at each sub-pixel.",
          {"oversample_omega": True}, ends_token=True),
    _integer("-oversample", SAMPLING,
             "Sub-pixels along a pixel's edge; from the crystal's size if not given or 0.",
             "oversample"),
    Option(
        ("-roi",), SAMPLING,
        "Render only these pixels, both ends included; a negative number means the image's edge.",
        Kind.INTEGER, 4, NONE, ("region",), metavar="XMIN XMAX YMIN YMAX",
    ),
    _number("-lambda -wave", BEAM, "Wavelength.", ANGSTROM, "wavelength", "1",
            extensions=("-wavelength",), limit="positive"),
    _number("-energy", BEAM, "Photon energy, in place of -lambda.", ELECTRONVOLT, "wavelength",
            limit="positive"),
    _number("-fluence", BEAM, "Photons per area; the default cancels r_e^2.", PER_AREA, "fluence",
            "125932015286227086360700780544", limit="not negative"),
    _number("-flux", BEAM, "Photons per second; with -exposure and -beamsize overrules -fluence.",
            PER_SECOND, "flux", "0", limit="not negative"),
    _number("-exposure", BEAM, "Exposure time.", SECOND, "exposure", "1"),
    _number("-beamsize", BEAM, "Beam edge; also clips the crystal's y and z size.", MM, "beamsize",
            "0.1"),
    _number("-mosaic", CRYSTAL, "Mosaic spread: largest misorientation of a domain.", DEGREE,
            "mosaic_spread", match=Match.LENGTH),
    _number("-mosaici -mosaic_spr", CRYSTAL, "The same as -mosaic.", DEGREE, "mosaic_spread",
            extensions=("-mosaicity", "-mosaic_spread")),
    _integer("-mosaic_dom", CRYSTAL, "Number of mosaic domains; 10 if only a spread is given.",
             "mosaic_domains", extensions=("-mosaic_domains",)),
    _number("-dispersion", BEAM, "Bandwidth: full range of wavelengths.", PERCENT, "dispersion",
            "0"),
    _integer("-dispsteps", BEAM, "Number of wavelengths.", "dispersion_steps"),
    _number("-divergence", BEAM, "Full angular range of the sources in both directions.",
            MILLIRADIAN, "hdiv_range vdiv_range"),
    _number("-hdivrange", BEAM, "Horizontal angular range of the sources.", MILLIRADIAN,
            "hdiv_range"),
    _number("-vdivrange", BEAM, "Vertical angular range of the sources.", MILLIRADIAN,
            "vdiv_range"),
    _number("-hdivstep", BEAM, "Horizontal angle between sources.", MILLIRADIAN, "hdiv_step",
            match=Match.LENGTH),
    _integer("-hdivsteps", BEAM, "Number of sources horizontally.", "hdiv_steps"),
    _number("-vdivstep", BEAM, "Vertical angle between sources.", MILLIRADIAN, "vdiv_step",
            match=Match.LENGTH),
    _integer("-vdivsteps", BEAM, "Number of sources vertically.", "vdiv_steps"),
    _integer("-divsteps", BEAM, "Number of sources in each direction.", "hdiv_steps vdiv_steps"),
    _flag("-round_div", BEAM, "Cut the grid of sources to an ellipse (the default).",
          {"round_divergence": True}),
    _flag("-square_div", BEAM, "Keep the corners of the grid of sources.",
          {"round_divergence": False}),
    _number("-adc", OUTPUT, "Offset of the integer and noise images.", NONE, "adc_offset", "40",
            extensions=("-adcoffset", "-adc_offset"), limit="not negative"),
    _number("-phi", SAMPLING, "First spindle angle.", DEGREE, "phi", "0", match=Match.LENGTH),
    _number("-osc", SAMPLING, "Rotation range about the spindle.", DEGREE, "oscillation"),
    _number("-phistep", SAMPLING, "Angle between rotation steps.", DEGREE, "phi_step",
            match=Match.LENGTH),
    _integer("-phisteps", SAMPLING, "Number of rotation steps; alone, they span one degree.",
             "phi_steps"),
    _number("-dmin", SAMPLING, "No scattering beyond this resolution.", ANGSTROM_DMIN, "dmin", "0"),
    _path("-mat", CRYSTAL, "MOSFLM A matrix: nine numbers, columns a*, b*, c* times wavelength.",
          "matrix_file", extensions=("-matrix", "-matfile")),
    _path("-hkl", CRYSTAL, "Structure factors: lines of h k l F in P1 or, with the unit cell, an "
          "MTZ or mmCIF file.", "hkl_file"),
    _new_path("-pdb", CRYSTAL, "Calculate structure factors of this model, a PDB or mmCIF file, "
              "with its unit cell.", "model_file"),
    Option(
        ("-mtzcol",), CRYSTAL,
        "Column of an MTZ or mmCIF file: amplitudes or intensities, of Friedel mates two with a "
        "comma between.",
        Kind.TEXT, 1, NONE, ("columns",), match=Match.EXACT, metavar="F[,SIG]", is_new=True,
    ),
    _new_number("-k_sol", "Electron density of -pdb's bulk solvent; 0 for none.",
                ELECTRON_DENSITY, "k_sol", "0.35"),
    _new_number("-b_sol", "B factor which smooths the bulk solvent.", B_FACTOR, "b_sol", "46"),
    _number("-default_F", CRYSTAL, "Structure factor of reflections which are not in the file.",
            ELECTRON, "default_F", "0"),
    _path("-dump", CRYSTAL, "Binary table of structure factors: written with -hkl, else read.",
          "dump_file", "Fdump.bin", extensions=("-dumpfile",)),
    _path("-img", INPUT, "Take detector, wavelength and rotation from this image: SMV, CBF or "
          "NXmx HDF5.", "image_file", extensions=("-imgfile",)),
    _path("-mask", INPUT, "Render only pixels which are not zero in this image, or not masked in "
          "this HDF5 file; its header counts too.", "mask_file", extensions=("-maskfile",)),
    _new_path("-expt", INPUT, "Take beam, detector, rotation and crystal from this DIALS "
              "experiment list.", "experiment_file"),
    _path("-stolout", INPUT, "Read but not used.", "stol_output", no_effect=True),
    _path("-stol", INPUT, "Amorphous scattering F against sin(theta)/lambda; read but not used.",
          "stol_file", match=Match.LENGTH, no_effect=True),
    _path("-4stol", INPUT, "The same against 4 sin(theta)/lambda; read but not used.", "stol_file",
          match=Match.LENGTH, no_effect=True),
    _path("-Q", INPUT, "The same against Q; read but not used.", "stol_file", match=Match.LENGTH,
          no_effect=True),
    _path("-sourcefile", BEAM,
          "Sources: lines of x y z (m, from the sample), weight, wavelength (m).",
          "source_file"),
    _path("-floatfile -floatimage", OUTPUT, "Float image: expected photons, raw float32.",
          "float_file", "floatimage.bin"),
    _path("-intfile -intimage", OUTPUT, "SMV image without noise.", "int_file", "intimage.img"),
    _path("-pgmfile -pgmimage", OUTPUT, "Greymap; switches it on.", "pgm_file", "image.pgm",
          sets={"write_pgm": True}),
    _path("-noisefile -noiseimage", OUTPUT, "SMV image with photon noise; switches it on.",
          "noise_file", "noiseimage.img", sets={"write_noise": True}),
    Option(
        ("-h5file", "-hdf5file"), OUTPUT,
        "NeXus/HDF5 file (NXmx): expected photons or, unless -nonoise, photons counted; exact "
        "geometry, experiment, predicted spots.",
        Kind.PATH, 1, NONE, ("nexus_file",), match=Match.EXACT, is_new=True,
    ),
    _new_path("-cbffile", OUTPUT, "Mini-CBF file, for detectors normal to the beam: photons "
              "counted or, with -nonoise, expected photons rounded.", "cbf_file"),
    _new_path("-pngfile", OUTPUT, "A quick look: dark spots on white, logarithmic, at most 2048 "
              "pixels wide.", "png_file"),
    _new_path("-provenance", OUTPUT, "JSON file which tells how all was made: arguments as given "
              "and as resolved, seeds, versions, digests of inputs and outputs, times. 'cupysim "
              "rerun' does it again.", "provenance_file"),
    _flag("-nonoise", OUTPUT, "No noise image.", {"write_noise": False}),
    _flag("-nopgm", OUTPUT, "No greymap.", {"write_pgm": False}),
    _number("-scale", OUTPUT, "Scale of the SMV image without noise; automatic if not above 0.",
            NONE, "int_scale", "0"),
    _number("-pgmscale", OUTPUT, "Scale of the greymap; switches it on.", NONE, "pgm_scale", "0",
            sets={"write_pgm": True}),
    _flag("-coherent", BEAM, "Read but not used.", {"coherent": True}, no_effect=True),
    _flag("-printout", OUTPUT, "Print intermediate values of each pixel.", {"printout": True}),
    _flag("-noprogress", OUTPUT, "No progress reports.", {"progress": False}),
    _flag("-progress", OUTPUT, "Progress reports (the default).", {"progress": True}),
    _flag("-interpolate", CRYSTAL,
          "Interpolate structure factors; by default with at most 2 cells along an axis.",
          {"interpolate": True}),
    _flag("-nointerpolate", CRYSTAL, "Take the nearest structure factor.", {"interpolate": False}),
    _flag("-round_xtal", CRYSTAL, "Ellipsoidal crystal.", {"shape": "round"}),
    _flag("-square_xtal", CRYSTAL, "Parallelepiped crystal (the default).", {"shape": "square"}),
    _flag("-gauss_xtal", CRYSTAL, "Gaussian spots.", {"shape": "gauss"}),
    _flag("-binary_spots -tophat_spots", CRYSTAL, "Flat spots.", {"shape": "tophat"}),
    _number("-fudge", CRYSTAL, "Scale of the squared spot radius of round, gauss, tophat shapes.",
            NONE, "fudge", "1"),
    Option(
        ("-printout_pixel",), OUTPUT, "Pixel to which -printout is restricted; switches it on.",
        Kind.INTEGER, 2, NONE, ("printout_pixel",), metavar="FAST SLOW",
    ),
    _integer("-seed", OUTPUT, "Seed of the noise; the clock if not given.", "noise_seed",
             kind=Kind.SEED),
    _integer("-mosaic_seed", CRYSTAL, "Seed of the mosaic domains.", "mosaic_seed", "12345678",
             kind=Kind.SEED),
    _integer("-misset_seed", CRYSTAL,
             "Seed of a random orientation; the clock if not given. Put it before -misset random: "
             "with three more arguments after it, it is also read as -misset.",
             "misset_seed", kind=Kind.SEED),
    _number("-water", CRYSTAL, "Scattering of this much water around the crystal.", MICRON_WATER,
            "water", "0", limit="not negative"),
    _flag("-nodump", CRYSTAL, "Neither write nor read the binary table of structure factors.",
          {"use_dump": False}, match=Match.EXACT, is_new=True),
    _choice("-backend", "What computes the image: cuda on GPUs, host on the processor's cores, "
            "numpy without compiled code; auto for the first of these which works.",
            "backend", ("auto", "cuda", "host", "numpy"), "auto"),
    _choice("-precision", "double: within 1e-6 of each pixel of nanoBragg's image; mixed: within "
            "1e-6 of the image's maximum, and faster.",
            "precision", ("double", "mixed"), "double"),
    Option(
        ("-corrected",), COMPUTING,
        "Correct the numbered quirks of nanoBragg (docs/quirks.md): all of them, or those which "
        "are named, such as Q3,Q5. The image is then no longer nanoBragg's.",
        Kind.TEXT, 1, NONE, ("corrected",), match=Match.EXACT, metavar="[all | Q3,Q5,...]",
        is_new=True,
    ),
    _integer("-threads", COMPUTING, "Threads of the host backend; one on each core if not given.",
             "threads", match=Match.EXACT, limit="positive", is_new=True),
    Option(
        ("-device",), COMPUTING,
        "GPUs of the cuda backend, by number, with commas between several; they share the image.",
        Kind.DEVICES, 1, NONE, ("devices",), "all", match=Match.EXACT, metavar="N[,N...]|all",
        is_new=True,
    ),
)  # fmt: skip
"""All options, in the order in which the C program tests them."""

INITIAL: dict[str, Any] = {
    "convention": "mosflm", "shape": "square",
    "corrected": (), "explicit_pivot": None, "interpolate": None,
    **dict.fromkeys(("coherent", "curved", "point_pixel", "printout"), False),
    **dict.fromkeys(("oversample_omega", "oversample_polar", "oversample_thick"), False),
    **dict.fromkeys(("polarized", "progress", "round_divergence", "use_dump"), True),
    **dict.fromkeys(("write_noise", "write_pgm"), True),
}  # fmt: skip
"""What the options without a value set, before any of them is given."""


def usage() -> str:
    """What is needed at least."""
    return (
        "cupysim (-mat FILE | -cell A [B C [AL BE GA]]) (-hkl FILE | -pdb FILE | -default_F F) "
        "[options]"
    )


DESCRIPTION = (
    "Simulate the X-ray diffraction image of a small crystal on an absolute scale. "
    "A drop-in for nanoBragg by James Holton and Ken Frankel: the same options, defaults and files."
)

EPILOG = (
    "Options may be lengthened (-wavelength), with -corrected by a unit (-distance_m); most may "
    "start with two dashes. Of options given twice the last one counts. Exit status: 0, or 9 after "
    "an error. Other commands, each with --help: 'cupysim show' and 'cupysim info' look at images, "
    "'cupysim trace' at pixels, 'cupysim compare' at two of either; 'cupysim refine' fits an "
    "experiment to an image; 'cupysim campaign' makes data sets of many; 'cupysim parity' compares "
    "with another program, 'cupysim rerun' with an earlier run."
)


def value_names(option: Option) -> str:
    """How the values of an option appear in the help."""
    if option.metavar:
        return option.metavar
    if option.count == 0:
        return ""
    if option.kind is Kind.PATH:
        return "FILE"
    return (option.unit.name or ("N" if option.kind is not Kind.FLOAT else "X")).upper()


def describe(option: Option) -> str:
    """Help text of an option, with unit and default."""
    notes = []
    if option.unit.name:
        notes.append(option.unit.name)
    if option.default and option.count:
        notes.append(f"default {option.default}")
    if option.is_new:
        notes.append("not in nanoBragg")
    return option.help + (f" ({'; '.join(notes)})" if notes else "")


def build_parser() -> argparse.ArgumentParser:
    """The options as an argparse parser, from which the manual page is made."""
    parser = argparse.ArgumentParser(
        prog="cupysim", usage=usage(), description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
        add_help=False,
    )  # fmt: skip
    for group in GROUPS:
        section = parser.add_argument_group(group)
        if group == GENERAL:
            section.add_argument(
                "-h", "-help", "--help", action="store_true", help="Show the help."
            )
            section.add_argument(
                "-version", "--version", action="store_true", help="Show the version."
            )
        for option in (option for option in OPTIONS if option.group == group):
            text = describe(option).replace("%", "%%")
            if option.count == 0:
                section.add_argument(*option.spellings, action="store_true", help=text)
            else:
                section.add_argument(*option.spellings, metavar=value_names(option), help=text)
    return parser
