"""The options of noisify: one table for parsing, help and documentation."""

from __future__ import annotations

from cupysim.drop_ins.options import Kind, Program, ProgramOption
from cupysim.drop_ins.units import (
    ANGSTROM_AS_GIVEN,
    DEGREE_AS_GIVEN,
    GREY,
    GREY_PER_PHOTON,
    MICRON_WATER,
    MM,
    PER_AREA,
    PIXEL,
)

INPUT, DETECTOR, NOISE, SPREAD, OUTPUT = "Input", "Detector", "Noise", "Point spread", "Output"
COMPUTING = "Computing"

POSITIONAL = "floatimage.bin"
"""An argument that contains this name is the input, wherever it stands."""

OPTIONS: tuple[ProgramOption, ...] = (
    ProgramOption(
        ("-floatfile", "-floatimage", "-bin"), INPUT,
        "Expected photons: raw float32 numbers, or an HDF5, CBF or SMV image.", ("input",),
        Kind.FILE,
    ),
    ProgramOption(
        ("-scale",), INPUT, "Factor from the numbers of the input to photons.", ("scale",),
        default="1",
    ),
    ProgramOption(
        ("-fluence",), INPUT,
        "Fluence. The input is multiplied by r_e^2 fluence, which is 1 by default.",
        ("fluence",), unit=PER_AREA, default="1.26e29",
    ),
    ProgramOption(
        ("-header",), INPUT,
        "SMV file whose header both images get. Sizes, pixel and distance are those in it.",
        ("header_file",), Kind.FILE,
    ),
    ProgramOption(
        ("-detpixels",), DETECTOR, "Pixels along both axes; by default from the input's size.",
        ("n_fast", "n_slow"), Kind.INTEGER, is_exact=True,
    ),
    ProgramOption(("-detpixels_x",), DETECTOR, "Pixels along the fast axis.", ("n_fast",),
                  Kind.INTEGER),
    ProgramOption(("-detpixels_y",), DETECTOR, "Pixels along the slow axis.", ("n_slow",),
                  Kind.INTEGER),
    ProgramOption(
        ("-detsize",), DETECTOR, "Detector size; nearly without effect (NQ10).",
        ("size_fast", "size_slow"), unit=MM, default="102.4", is_exact=True,
    ),
    ProgramOption(("-detsize_x",), DETECTOR, "Size along the fast axis (NQ10).", ("size_fast",),
                  unit=MM, default="102.4"),
    ProgramOption(("-detsize_y",), DETECTOR, "Size along the slow axis (NQ10).", ("size_slow",),
                  unit=MM, default="102.4"),
    ProgramOption(("-pixel",), DETECTOR, "Pixel edge, for the header and the point spread.",
                  ("pixel_size",), unit=MM, default="0.1"),
    ProgramOption(("-distance",), DETECTOR, "Distance, for the header.", ("distance",),
                  unit=MM, default="100"),
    ProgramOption(("-lambda",), DETECTOR, "Wavelength, for the header.",
                  ("wavelength_angstrom",), unit=ANGSTROM_AS_GIVEN, default="1"),
    ProgramOption(("-Xbeam",), DETECTOR, "Beam centre X, for the header; by default the middle.",
                  ("beam_x",), unit=MM),
    ProgramOption(("-Ybeam",), DETECTOR, "Beam centre Y, for the header; by default the middle.",
                  ("beam_y",), unit=MM),
    ProgramOption(("-phi",), DETECTOR, "Spindle angle, for the header.", ("phi_degrees",),
                  unit=DEGREE_AS_GIVEN, default="0"),
    ProgramOption(("-osc",), DETECTOR, "Oscillation range of the image, for the header.",
                  ("oscillation_degrees",), unit=DEGREE_AS_GIVEN, default="1"),
    ProgramOption(("-nonoise",), NOISE, "Make only the image without noise. It is blurred.",
                  ("has_no_noise",), Kind.FLAG),
    ProgramOption(("-gain",), NOISE, "Units per photon.", ("gain",), unit=GREY_PER_PHOTON,
                  default="1"),
    ProgramOption(("-adc",), NOISE, "Offset of all pixels.", ("adc_offset",), unit=GREY,
                  default="40"),
    ProgramOption(("-readout", "-readnoi"), NOISE, "Readout noise, rms.", ("readout",),
                  unit=GREY, default="0"),
    ProgramOption(
        ("-flicker",), NOISE, "Relative fluctuation of the source, drawn for each pixel (NQ5).",
        ("flicker",), default="0",
    ),
    ProgramOption(
        ("-calibration",), NOISE, "Relative calibration error of pixels; 0 for none.",
        ("calibration",), default="0.03",
    ),
    ProgramOption(("-seed",), NOISE, "Seed of flicker, photons and readout; default: the clock.",
                  ("seed",), Kind.SEED),
    ProgramOption(("-calib_seed",), NOISE, "Seed of the calibration error (NQ7, NQ8).",
                  ("calibration_seed",), Kind.SEED),
    ProgramOption(("-badpix_seed",), NOISE, "Read but not used.", ("unused_seed",), Kind.SEED),
    ProgramOption(("-hotpix_seed",), NOISE, "Read but not used.", ("unused_seed",), Kind.SEED),
    ProgramOption(
        ("-psf",), SPREAD, "Point spread: Gaussian, or that of a fibre-optic taper.", ("psf",),
        Kind.WORD, is_exact=True, metavar="gauss|fiber",
    ),
    ProgramOption(("-psf_fwhm", "-psf_fw", "-psf_si", "-psf_wi"), SPREAD,
                  "Full width at half maximum.", ("psf_width",), unit=MICRON_WATER, default="46"),
    ProgramOption(("-psf_rad",), SPREAD,
                  "Radius at which the point spread ends; 0: larger for pixels with more photons.",
                  ("psf_radius",),
                  unit=PIXEL, default="0"),
    ProgramOption(("-intfile", "-intimage"), OUTPUT, "SMV image without noise.", ("int_file",),
                  Kind.FILE, default="intimage.img"),
    ProgramOption(("-noisefile", "-noiseimage"), OUTPUT, "SMV image with noise.",
                  ("noise_file",), Kind.FILE, default="noiseimage.img"),
    ProgramOption(("-pgmfile", "-pgmimage"), OUTPUT, "Picture of 8 bits.", ("pgm_file",),
                  Kind.FILE, default="image.pgm"),
    ProgramOption(("-nopgm",), OUTPUT, "No picture.", ("has_no_pgm",), Kind.FLAG),
    ProgramOption(("-bits",), OUTPUT, "Bits of the integers: 16 or 32.", ("bits",), Kind.INTEGER,
                  default="16"),
    ProgramOption(
        ("-photonfile",), OUTPUT,
        "Raw float32 image of the expected photons; with -nonoise, blurred.", ("photon_file",),
        Kind.FILE, is_exact=True, is_new=True,
    ),
    ProgramOption(
        ("-noise",), COMPUTING,
        "stream: noisify's random numbers, bit for bit. fast: numbers that depend only on seed "
        "and pixel; calibration errors depend on their seed only.", ("noise_kind",), Kind.WORD,
        default="stream", is_exact=True, metavar="stream|fast", is_new=True,
    ),
    ProgramOption(
        ("-corrected",), COMPUTING,
        "Correct quirks: all, or those named, as in NQ5,NQ7 (docs/noisify.md).", ("corrections",),
        Kind.WORD, is_exact=True, metavar="[all|NQ5,NQ7]", is_new=True,
    ),
    ProgramOption(
        ("-threads",), COMPUTING, "Threads; default: one on each core.", ("threads",),
        Kind.INTEGER, is_exact=True, is_new=True,
    ),
)  # fmt: skip

PROGRAM = Program(
    "noisify",
    OPTIONS,
    "cupysim noisify -floatfile FILE [options]",
    "Add noise to an image of expected photons: calibration errors, counted photons, point "
    "spread, gain, offset and readout noise. A drop-in for noisify by James Holton: the same "
    "options, defaults, random numbers and files.",
    "A word that contains the name of an option counts as this option. If an option is "
    "given twice, the last one counts. An argument that contains floatimage.bin is the input. Exit "
    "status: 0, or 9 after an error.",
)
