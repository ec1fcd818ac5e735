"""The options of the drop-in command: one table for parsing, help and manual.

Order, spellings and matching are those of the C program. It tests every argument that starts with a
dash against all options. This file imports only the standard library, because the manual page is
made from it before the package is installed.
"""

from __future__ import annotations

import math
from typing import Any

from cupysim.drop_ins.units import (
    ANGSTROM,
    ANGSTROM_CELL,
    ANGSTROM_DMIN,
    B_FACTOR,
    DEGREE,
    DENSITY,
    ELECTRON,
    ELECTRON_DENSITY,
    ELECTRONVOLT,
    METRE,
    MICRON,
    MICRON_WATER,
    MILLIRADIAN,
    MM,
    MOLAR_MASS,
    NONE,
    PER_AREA,
    PER_SECOND,
    PERCENT,
    PIXEL,
    SECOND,
)  # fmt: skip
from cupysim.nanobragg.computing_options import COMPUTING_OPTIONS
from cupysim.nanobragg.crystal_options import CRYSTAL_OPTIONS
from cupysim.nanobragg.option_kinds import (
    BEAM,
    CRYSTAL,
    DETECTOR,
    INPUT,
    OUTPUT,
    SAMPLING,
    Kind,
    Match,
    Option,
    flag,
    integer,
    new_flag,
    new_number,
    new_path,
    new_text,
    number,
    path,
    vector,
)  # fmt: skip
from cupysim.quirks import Quirk

OF_STOL: dict[str, Any] = {"no_effect": True, "used_if_corrected": Quirk.STOL_UNUSED}
"""Further values of options that only the correction of quirk Q53 uses."""

_BEAM_PIVOT, _SAMPLE_PIVOT = {"pivot": "beam"}, {"pivot": "sample"}

OPTIONS: tuple[Option, ...] = (
    integer("-Na", CRYSTAL, "Unit cells along a.", "n_a", "1", ends_token=True),
    integer("-Nb", CRYSTAL, "Unit cells along b.", "n_b", "1", ends_token=True),
    integer("-Nc", CRYSTAL, "Unit cells along c.", "n_c", "1", ends_token=True),
    integer(
        "-N", CRYSTAL, "Unit cells along each axis; sets -Na, -Nb and -Nc.", "n_a n_b n_c", "1",
        match=Match.EXACT, ends_token=True,
    ),
    Option(
        ("-cell",), CRYSTAL,
        "Unit cell. Edges that are not given equal a; angles that are not given are 90. With -mat, "
        "the matrix gives the directions of the axes, and this option gives their lengths.",
        Kind.FLOAT, 6, ANGSTROM_CELL, ("cell",), metavar="A [B C [AL BE GA]]",
    ),
    Option(
        ("-misset",), CRYSTAL,
        "Rotate the crystal about the lab axes x, y, z; 'random': a random orientation.",
        Kind.FLOAT, 3, DEGREE, ("misset",), metavar="X Y Z | random",
    ),
    number(
        "-samplesize -sample_size -xtalsize -xtal_size", CRYSTAL,
        "Crystal edge; overrules the numbers of cells.", MM, "sample_x sample_y sample_z", "0",
    ),
    number("-sample_thick -sample_x -xtal_thick -xtal_x", CRYSTAL,
            "Crystal size along a; overrules -Na.", MM, "sample_x", "0"),
    number("-sample_width -sample_y -xtal_width -xtal_y -width", CRYSTAL,
            "Crystal size along b; overrules -Nb.", MM, "sample_y", "0"),
    number("-sample_heigh -sample_z -xtal_heigh -xtal_z -heigh", CRYSTAL,
            "Crystal size along c; overrules -Nc.", MM, "sample_z", "0",
            extensions=("-height", "-sample_height", "-xtal_height")),
    number("-density -sample_den", CRYSTAL, "With -corrected: density of the matter of -stol.",
            DENSITY, "density", "1", extensions=("-sample_density",), **OF_STOL),
    number("-MW", CRYSTAL, "With -corrected: molar mass of the matter of -stol.", MOLAR_MASS,
            "molecular_weight", "18", match=Match.EXACT, **OF_STOL),
    number("-molec", CRYSTAL, "The same as -MW.", MOLAR_MASS,
            "molecular_weight", "18", extensions=("-molecular_weight",), **OF_STOL),
    number("-Xbeam", DETECTOR, "Beam centre X, as the convention defines it.", MM, "beam_x",
            sets=_BEAM_PIVOT),
    number("-Ybeam", DETECTOR, "Beam centre Y, as the convention defines it.", MM, "beam_y",
            sets=_BEAM_PIVOT),
    number("-Xclose", DETECTOR, "X of the point of normal incidence (CUSTOM convention only).", MM,
            "close_x", sets=_SAMPLE_PIVOT),
    number("-Yclose", DETECTOR, "Y of the point of normal incidence (CUSTOM convention only).", MM,
            "close_y", sets=_SAMPLE_PIVOT),
    number("-ORGX", DETECTOR, "ORGX of XDS (in the XDS, DIALS and CUSTOM conventions).", PIXEL,
            "origin_x", sets=_SAMPLE_PIVOT),
    number("-ORGY", DETECTOR, "ORGY of XDS (in the XDS, DIALS and CUSTOM conventions).", PIXEL,
            "origin_y", sets=_SAMPLE_PIVOT),
    Option(
        ("-pivot",), DETECTOR,
        "Point about which the detector turns, 'sample' or 'beam'. It acts in the CUSTOM "
        "convention only; with -corrected, in every convention.",
        Kind.TEXT, 1, NONE, ("pivot",), "beam", metavar="sample|beam",
    ),
    flag("-mosflm", DETECTOR, "MOSFLM convention (the default): sets the laboratory frame, the "
          "meaning of the beam centre, and the pivot (beam).",
          {"convention": "mosflm", "pivot": "beam"}),
    flag("-xds", DETECTOR, "XDS convention: sets the laboratory frame, the meaning of the beam "
          "centre, and the pivot (sample).", {"convention": "xds", "pivot": "sample"}),
    flag("-adxv", DETECTOR, "ADXV convention: sets the laboratory frame, the meaning of the beam "
          "centre, and the pivot (beam).", {"convention": "adxv", "pivot": "beam"}),
    flag("-denzo", DETECTOR, "DENZO convention: sets the laboratory frame, the meaning of the beam "
          "centre, and the pivot (beam).", {"convention": "denzo", "pivot": "beam"}),
    flag("-dials", DETECTOR, "DIALS convention: sets the laboratory frame, the meaning of the beam "
          "centre, and the pivot (sample).", {"convention": "dials", "pivot": "beam"}),
    vector("-fdet_vector", "Direction of the fast axis.", "fast_vector"),
    vector("-sdet_vector", "Direction of the slow axis.", "slow_vector"),
    vector("-odet_vector", "Direction of the detector normal.", "normal_vector"),
    vector("-beam_vector", "Direction of the beam.", "beam_vector"),
    vector("-polar_vector", "Direction of the electric field.", "polar_vector"),
    vector("-spindle_axis", "Axis of the crystal's rotation.", "spindle_axis"),
    vector("-twotheta_axis", "Axis of the two-theta swing. Also sets -twotheta to its first "
            "number; with -corrected, it does not.", "twotheta_axis"),
    vector("-pix0_vector", "Only selects the CUSTOM convention. With -corrected, it gives the "
            "outer corner of the first pixel, and the convention stays.", "pix0_vector", METRE,
            free_unit=True),
    number("-distance", DETECTOR, "Distance along the beam.", MM, "distance", "100",
            sets=_BEAM_PIVOT, limit="not zero"),
    number("-close_distance", DETECTOR,
            "Distance to the point of normal incidence; overrules -distance.", MM,
            "close_distance", sets=_SAMPLE_PIVOT, limit="not zero"),
    Option(
        ("-detector_abs",), DETECTOR,
        "Attenuation depth of the sensor; 'inf' or 0 means a sensor without thickness.",
        Kind.FLOAT, 1, MICRON, ("attenuation",), extensions=("-detector_absorb",),
        metavar="DEPTH|inf",
    ),
    number("-detector_thick", DETECTOR, "Sensor thickness.", MICRON, "sensor_thickness", "0",
            match=Match.LENGTH),
    integer("-detector_thicksteps -thicksteps", DETECTOR, "Layers of the sensor.",
             "sensor_layers"),
    number("-twotheta", DETECTOR, "Swing the detector about the two-theta axis.", DEGREE,
            "twotheta", "0", sets=_SAMPLE_PIVOT),
    number("-detector_rotx", DETECTOR, "Turn the detector about the lab's x axis.", DEGREE,
            "rotate_x", "0"),
    number("-detector_roty", DETECTOR, "Turn the detector about the lab's y axis.", DEGREE,
            "rotate_y", "0"),
    number("-detector_rotz", DETECTOR, "Turn the detector about the lab's z axis.", DEGREE,
            "rotate_z", "0"),
    number("-detsize", DETECTOR, "Detector size along both axes.", MM, "size_fast size_slow",
            "102.4", match=Match.LENGTH, limit="positive"),
    number("-detsize_f", DETECTOR, "Detector size along the fast axis.", MM, "size_fast",
            "102.4", limit="positive"),
    number("-detsize_s", DETECTOR, "Detector size along the slow axis.", MM, "size_slow",
            "102.4", limit="positive"),
    integer("-detpixels", DETECTOR, "Pixels along both axes; overrules -detsize.",
             "n_fast n_slow", "0", match=Match.LENGTH, limit="not negative"),
    integer("-detpixels_f -detpixels_x", DETECTOR, "Pixels along the fast axis.", "n_fast", "0",
             limit="not negative"),
    integer("-detpixels_s -detpixels_y", DETECTOR, "Pixels along the slow axis.", "n_slow", "0",
             limit="not negative"),
    flag("-curved_det", DETECTOR,
          "Put all pixels at the same distance. Without -corrected, the image is mirrored (Q19), "
          "and the option has no effect as the last argument (Q12).",
          {"curved": True}, extensions=("-curved_detector",)),
    number("-pixel", DETECTOR, "Pixel size.", MM, "pixel", "0.1", extensions=("-pixel_size",),
            limit="positive"),
    flag("-point_pixel", DETECTOR, "Solid angle by the inverse-square law, without obliquity.",
          {"point_pixel": True}),
    number("-polar", BEAM, "Kahn polarization factor, from -1 to 1.", NONE, "polarization", "0",
            sets={"polarized": True}, match=Match.LENGTH),
    flag("-nopolar", BEAM, "No polarization factor.", {"polarized": False}),
    flag("-oversample_thick", SAMPLING, "Apply sensor absorption at each sub-pixel.",
          {"oversample_thick": True}, ends_token=True),
    flag("-oversample_polar", SAMPLING, "Apply polarization at each sub-pixel and source.",
          {"oversample_polar": True}, ends_token=True),
    flag("-oversample_omega", SAMPLING, "Apply the solid angle at each sub-pixel.",
          {"oversample_omega": True}, ends_token=True),
    integer("-oversample", SAMPLING,
             "Sub-pixels along a pixel's edge. If not given or 0, the crystal's size decides.",
             "oversample"),
    Option(
        ("-roi",), SAMPLING,
        "Render only these pixels, including both ends. A negative number means the image's edge.",
        Kind.INTEGER, 4, NONE, ("region",), metavar="XMIN XMAX YMIN YMAX",
    ),
    number("-lambda -wave", BEAM, "Wavelength.", ANGSTROM, "wavelength", "1",
            extensions=("-wavelength",), limit="positive"),
    number("-energy", BEAM, "Photon energy, in place of -lambda.", ELECTRONVOLT, "wavelength",
            limit="positive"),
    number("-fluence", BEAM, "Photons per area; by default, r_e^2 fluence is 1.", PER_AREA,
            "fluence", "125932015286227086360700780544", limit="not negative"),
    number("-flux", BEAM, "Photons per second. Overrules -fluence: the fluence is "
            "flux x exposure/beamsize^2 (with -beam_profile: at its maximum).",
            PER_SECOND, "flux", "0", limit="not negative"),
    number("-exposure", BEAM, "Exposure time.", SECOND, "exposure", "1"),
    number("-beamsize", BEAM, "Beam edge; also clips the crystal's y and z size.", MM, "beamsize",
            "0.1"),
    number("-mosaic", CRYSTAL, "Mosaic spread: largest misorientation of a domain; alone, 10 "
            "domains.", DEGREE, "mosaic_spread", match=Match.LENGTH),
    number("-mosaici -mosaic_spr", CRYSTAL, "The same as -mosaic.", DEGREE, "mosaic_spread",
            extensions=("-mosaicity", "-mosaic_spread")),
    integer("-mosaic_dom", CRYSTAL, "Number of mosaic domains, or auto. Default: 10 with a spread.",
             "mosaic_domains", extensions=("-mosaic_domains",)),
    number("-dispersion", BEAM, "Bandwidth: full range of wavelengths. Without steps: 2.", PERCENT,
            "dispersion", "0"),
    integer("-dispsteps", BEAM, "Number of wavelengths.", "dispersion_steps"),
    number("-divergence", BEAM, "Full angular range of the sources in both directions. Without "
            "steps: 2 in each.", MILLIRADIAN, "hdiv_range vdiv_range"),
    number("-hdivrange", BEAM, "Horizontal angular range of the sources. Without steps: 2.",
            MILLIRADIAN, "hdiv_range"),
    number("-vdivrange", BEAM, "Vertical angular range of the sources. Without steps: 2.",
            MILLIRADIAN, "vdiv_range"),
    number("-hdivstep", BEAM, "Horizontal angle between sources.", MILLIRADIAN, "hdiv_step",
            match=Match.LENGTH),
    integer("-hdivsteps", BEAM, "Number of sources horizontally.", "hdiv_steps"),
    number("-vdivstep", BEAM, "Vertical angle between sources.", MILLIRADIAN, "vdiv_step",
            match=Match.LENGTH),
    integer("-vdivsteps", BEAM, "Number of sources vertically.", "vdiv_steps"),
    integer("-divsteps", BEAM, "Number of sources in each direction.", "hdiv_steps vdiv_steps"),
    flag("-round_div", BEAM, "Cut the grid of sources to an ellipse (the default).",
          {"round_divergence": True}),
    flag("-square_div", BEAM, "Keep the corners of the grid of sources.",
          {"round_divergence": False}),
    number("-adc", OUTPUT, "Offset of the integer and noise images.", NONE, "adc_offset", "40",
            extensions=("-adcoffset", "-adc_offset"), limit="not negative"),
    number("-phi", SAMPLING, "First spindle angle.", DEGREE, "phi", "0", match=Match.LENGTH),
    number("-osc", SAMPLING, "Rotation range about the spindle. Without steps: 2 angles.", DEGREE,
            "oscillation"),
    number("-phistep", SAMPLING, "Angle between rotation steps.", DEGREE, "phi_step",
            match=Match.LENGTH),
    integer("-phisteps", SAMPLING, "Number of rotation steps, or auto; over 1 degree without -osc.",
             "phi_steps"),
    number("-dmin", SAMPLING, "No scattering beyond this resolution.", ANGSTROM_DMIN, "dmin", "0"),
    path("-mat", CRYSTAL, "MOSFLM A matrix: nine numbers, columns a*, b*, c* times wavelength.",
          "matrix_file", extensions=("-matrix", "-matfile")),
    path("-hkl", CRYSTAL, "Structure factors: lines of h k l F in P1; or an MTZ, CIF, .fcf, "
          "XDS_ASCII, Scalepack or CrystFEL file, which may also give unit cell and wavelength.",
          "hkl_file"),
    new_path("-pdb", CRYSTAL, "Calculate structure factors of this model, a PDB or CIF file, with "
              "its unit cell. With another -cell or -mat, the model stands alone in a P1 box.",
              "model_file"),
    Option(
        ("-mtzcol",), CRYSTAL,
        "Column of a reflection file: amplitudes or intensities. Two columns with a comma are "
        "Friedel mates, or F and D. DATASET/F or BLOCK/F also names the dataset or block. "
        "F1@0.98;F2@0.94 gives columns at several wavelengths (A).",
        Kind.TEXT, 1, NONE, ("columns",), match=Match.EXACT, metavar="F[,SIG]", is_new=True,
    ),
    new_flag("-merge", "Average reflections that occur more than once in -hkl's file.", "merge"),
    new_flag("-hydrogens", "Add hydrogen atoms to -pdb's model where residues have none.",
              "hydrogens"),
    new_text(
        "-F000", CRYSTAL,
        "Structure factor (electrons) of the reflection 0 0 0. 'contrast': the electrons of -pdb's "
        "model minus those of the solvent that it displaces.", "f000", "F|contrast",
    ),
    new_number("-k_sol", "Electron density of -pdb's bulk solvent; 0 means no solvent.",
                ELECTRON_DENSITY, "k_sol", "0.35"),
    new_number("-b_sol", "B factor that smooths the bulk solvent.", B_FACTOR, "b_sol", "46"),
    number("-default_F", CRYSTAL, "Structure factor of all reflections that are not in the table.",
            ELECTRON, "default_F", "0"),
    path("-dump", CRYSTAL, "Binary table of structure factors: written with -hkl, read without "
          "-hkl and -pdb.",
          "dump_file", "Fdump.bin", extensions=("-dumpfile",)),
    path("-img", INPUT, "Read detector, wavelength and rotation from this image: SMV, CBF or "
          "NXmx HDF5.", "image_file", extensions=("-imgfile",)),
    Option(
        ("-image", "--image"), INPUT,
        "Number of the image in the file of -img, -mask or -expt, from 0.",
        Kind.INTEGER, 1, NONE, ("image_number",), "0", match=Match.EXACT, metavar="N",
        limit="not negative", is_new=True,
    ),
    path("-mask", INPUT, "Render only pixels that this file does not exclude. An SMV image "
          "excludes zeros; for CBF and HDF5, see docs/formats.md. The file's header is used too.",
          "mask_file", extensions=("-maskfile",)),
    new_path("-expt", INPUT, "Read beam, detector, rotation and crystal from this DIALS "
              "experiment list.", "experiment_file"),
    new_path("-geom", INPUT, "Read the panels of the detector, and the wavelength, from this "
              "geometry file of CrystFEL (.geom) or pyFAI (.poni).", "geometry_file"),
    new_text(
        "-detector", INPUT,
        "Real detector, such as jungfrau-4m, with its panels, gaps and sensor, at -distance; "
        "'cupysim detectors' lists them. pyfai:NAME is a detector of pyFAI.",
        "detector_name", "NAME",
    ),
    path("-stolout", INPUT, "Read but not used.", "stol_output", no_effect=True),
    path("-stol", INPUT, "With -corrected: amorphous matter, lines of sin(theta)/lambda and F.",
          "stol_file", match=Match.LENGTH, sets={"stol_multiple": 1.0}, **OF_STOL),
    path("-4stol", INPUT, "The same, with 4 sin(theta)/lambda.", "stol_file",
          match=Match.LENGTH, sets={"stol_multiple": 4.0}, **OF_STOL),
    path("-Q", INPUT, "The same, with Q = 4 pi sin(theta)/lambda.", "stol_file",
          match=Match.LENGTH, sets={"stol_multiple": 4.0 * math.pi}, **OF_STOL),
    path("-sourcefile", BEAM,
          "Sources: lines of x y z (m, from the sample), weight, wavelength (m).",
          "source_file"),
    path("-floatfile -floatimage", OUTPUT, "Float image: expected photons, raw float32.",
          "float_file", "floatimage.bin"),
    path("-intfile -intimage", OUTPUT, "SMV image without noise.", "int_file", "intimage.img"),
    path("-pgmfile -pgmimage", OUTPUT, "Greymap; switches it on.", "pgm_file", "image.pgm",
          sets={"write_pgm": True}),
    path("-noisefile -noiseimage", OUTPUT, "SMV image with photon noise; switches it on.",
          "noise_file", "noiseimage.img", sets={"write_noise": True}),
    Option(
        ("-h5file", "-hdf5file"), OUTPUT,
        "NeXus/HDF5 file (NXmx): counted photons or, with -nonoise, expected photons; exact "
        "geometry, experiment, predicted spots.",
        Kind.PATH, 1, NONE, ("nexus_file",), match=Match.EXACT, is_new=True,
    ),
    new_path("-cbffile", OUTPUT, "Mini-CBF file, for detectors normal to the beam: counted photons "
              "or, with -nonoise, rounded expected photons.", "cbf_file"),
    new_path("-cxifile", OUTPUT, "CXI file for CrystFEL, and its geometry file beside it (.geom): "
              "counted photons or, with -nonoise, expected photons.", "cxi_file"),
    new_path("-geomfile", OUTPUT, "CrystFEL geometry file of the detector. It describes the HDF5 "
              "file, if one is written.", "geometry_output"),
    new_path("-exptfile", OUTPUT, "DIALS experiment list: beam, detector, rotation and crystal. It "
              "refers to the HDF5 or CBF file, if one is written.", "experiment_output"),
    new_path("-pngfile", OUTPUT, "PNG picture: dark spots on white, logarithmic, at most 2048 "
              "pixels wide.", "png_file"),
    new_path("-provenance", OUTPUT, "JSON file that records how the files were made: arguments as "
              "given and as resolved, seeds, versions, digests of inputs and outputs, times. "
              "'cupysim rerun' repeats the run.", "provenance_file"),
    Option(
        ("-noise",), OUTPUT, "Random numbers of the photon noise: those of nanobragg, or fast "
        "ones, which are drawn in parallel.", Kind.CHOICE, 1, NONE, ("noise",), "nanobragg",
        match=Match.EXACT, metavar="nanobragg|fast", choices=("nanobragg", "fast"), is_new=True,
    ),
    new_text("-response", OUTPUT, "Detector that reads the photons: a name, or a TOML file; "
              "'cupysim detectors --responses' lists the names.", "response", "NAME|FILE"),
    flag("-nonoise", OUTPUT, "No noise image.", {"write_noise": False}),
    flag("-nopgm", OUTPUT, "No greymap.", {"write_pgm": False}),
    number("-scale", OUTPUT, "Scale of the SMV image without noise; 0 or less: automatic.", NONE,
            "int_scale", "0"),
    number("-pgmscale", OUTPUT, "Scale of the greymap; switches it on.", NONE, "pgm_scale", "0",
            sets={"write_pgm": True}),
    flag("-coherent", BEAM, "Read but not used.", {"coherent": True}, no_effect=True),
    flag("-printout", OUTPUT, "Print intermediate values of each pixel.", {"printout": True}),
    flag("-noprogress", OUTPUT, "No progress reports.", {"progress": False}),
    flag("-progress", OUTPUT, "Progress reports (the default).", {"progress": True}),
    flag("-interpolate", CRYSTAL, "Interpolate structure factors: the default if there is a table "
          "and the crystal has 1 or 2 cells along any axis.", {"interpolate": True}),
    flag("-nointerpolate", CRYSTAL, "Use the nearest structure factor.", {"interpolate": False}),
    flag("-round_xtal", CRYSTAL, "Ellipsoidal crystal.", {"shape": "round"}),
    flag("-square_xtal", CRYSTAL, "Parallelepiped crystal (the default).", {"shape": "square"}),
    flag("-gauss_xtal", CRYSTAL, "Gaussian spots.", {"shape": "gauss"}),
    flag("-binary_spots -tophat_spots", CRYSTAL, "Top-hat spots.", {"shape": "tophat"}),
    number("-fudge", CRYSTAL, "Factor of the squared distance from a reflection (round, gauss, "
            "gauss_star and tophat shapes). A larger factor makes smaller spots.",
            NONE, "fudge", "1"),
    Option(
        ("-printout_pixel",), OUTPUT, "Print only this pixel; switches -printout on.",
        Kind.INTEGER, 2, NONE, ("printout_pixel",), metavar="FAST SLOW",
    ),
    integer("-seed", OUTPUT, "Seed of the noise; the clock if not given.", "noise_seed",
             kind=Kind.SEED),
    integer("-mosaic_seed", CRYSTAL, "Seed of the mosaic domains.", "mosaic_seed", "12345678",
             kind=Kind.SEED),
    integer("-misset_seed", CRYSTAL,
             "Seed of a random orientation; the clock if not given. Put it before -misset random. "
             "Without -corrected, it is also read as -misset if three more arguments follow it.",
             "misset_seed", kind=Kind.SEED),
    number("-water", CRYSTAL, "Add the scattering of a cube of water with this edge.",
            MICRON_WATER, "water", "0", limit="not negative"),
    flag("-nodump", CRYSTAL, "Neither write nor read the binary table of structure factors.",
          {"use_dump": False}, match=Match.EXACT, is_new=True),
    *CRYSTAL_OPTIONS,
    *COMPUTING_OPTIONS,
)  # fmt: skip
"""All options, in the order in which the C program tests them."""
