"""The options of the drop-in command for beams and crystals as they are. nanoBragg has none."""

from __future__ import annotations

from cupysim.drop_ins.units import ANGSTROM, DEGREE, MEGAGRAY, MM, NONE, PERCENT
from cupysim.nanobragg.option_kinds import (
    BEAM,
    CRYSTAL,
    DETECTOR,
    SAMPLING,
    Kind,
    Match,
    Option,
    choice,
    integer,
    new_flag,
    new_path,
    new_text,
    number,
)

SPOT_SHAPES = (
    "square", "round", "gauss", "tophat", "gauss_star", "gauss_argchk", "no_fringes", "flat",
)  # fmt: skip
"""Values of -spot_shape: those of `cupysim.Shape`, and another name of simtbx."""

MOSAIC_MODELS = ("nanobragg", "simtbx", "diffbragg", "normal", "cap", "fisher")
"""Values of -domain_model."""

LAUE_GROUPS = (
    "-1", "2/m:c", "2/m", "2/m:a", "mmm", "4/m", "4/mmm", "-3", "-3m1", "-31m", "6/m", "6/mmm",
    "m-3", "m-3m",
)  # fmt: skip
"""Values of -diffuse_laue."""

CRYSTAL_OPTIONS: tuple[Option, ...] = (
    choice("-spot_shape", CRYSTAL,
           "Spot shape: one of the four of nanoBragg; gauss_star and gauss_argchk of simtbx; "
           "no_fringes and flat of CrystFEL (docs/crystals.md).",
           "shape", SPOT_SHAPES, ""),
    Option(
        ("-spectrum",), BEAM,
        "Wavelengths of the beam: tophat,WIDTH; gaussian,WIDTH; two-colour,SEPARATION,WIDTH; "
        "sase,WIDTH[,SPIKES[,SEED]], with widths in % of the energy (Gaussian ones at half "
        "maximum); or a file.",
        Kind.TEXT, 1, NONE, ("spectrum",), match=Match.EXACT, metavar="KIND,NUMBERS|FILE",
        is_new=True,
    ),
    integer("-spectrum_samples", BEAM,
            "Number of wavelengths of a spectrum, or auto; 64, or all of a file, if not given.",
            "spectrum_samples",
            match=Match.EXACT, limit="positive", is_new=True),
    Option(
        ("-stokes",), BEAM,
        "Linear polarization of the beam by its Stokes parameters Q/I and U/I, instead of -polar. "
        "Q is positive for a field along -polar_vector, and U for one at 45 degrees to it, "
        "towards the vertical.",
        Kind.FLOAT, 2, NONE, ("stokes",), match=Match.EXACT, metavar="Q U", is_new=True,
    ),
    Option(
        ("-background",), CRYSTAL,
        "Add the scattering of matter: water, air, ice, nano-ice, or a table of sin(theta)/lambda "
        "and F, with its thickness along the beam (mm), density (g/cm^3) and molar mass (g/mol). "
        "@BEGIN is where the matter begins along the beam, relative to the crystal (mm); without "
        "it, all matter is at the crystal. May be given several times.",
        Kind.TEXT, 1, NONE, ("backgrounds",), match=Match.EXACT,
        metavar="NAME,MM[@BEGIN]|FILE,MM,DENSITY,MASS[@BEGIN]", is_new=True, repeats=True,
    ),
    new_flag("-anomalous", "Add f' and f'' of each element of -pdb's model at the wavelengths of "
             "the beam (Cromer and Liberman).", "anomalous"),
    Option(
        ("-edge",), CRYSTAL,
        "With -anomalous: measured f' and f'' of an element, or of selected atoms, from a file. "
        "May be given several times.",
        Kind.TEXT, 1, NONE, ("edges",), match=Match.EXACT, metavar="ELEMENT|SELECTION,FILE",
        is_new=True, repeats=True,
    ),
    new_path("-crystals", CRYSTAL,
             "Several crystals: a file with a line of crystal options for each. Options that "
             "a line lacks are taken from the command line.", "crystals_file"),
    number("-background_scale", CRYSTAL, "Factor of the photons of all backgrounds.",
           dest="background_scale", default="1", match=Match.EXACT, limit="not negative",
           is_new=True),
    number("-crystal_scale", CRYSTAL, "Factor of the photons of the crystal.",
           dest="crystal_scale", default="1", match=Match.EXACT, limit="positive", is_new=True),
    number("-amorphous_thick", CRYSTAL, "Thickness along the beam of the matter of -stol.", MM,
           "stol_thickness", "0.1", match=Match.EXACT, limit="not negative", is_new=True),
    Option(
        ("-absorption",), CRYSTAL,
        "Absorption in the sample: a slab perpendicular to the beam, or a sphere; its thickness or "
        "diameter (mm). MATERIAL is a name or formula that xraydb knows.",
        Kind.TEXT, 1, NONE, ("absorption",), match=Match.EXACT, metavar="slab|sphere,MATERIAL,MM",
        is_new=True,
    ),
    Option(
        ("-body",), CRYSTAL,
        "Form and size of the sample along beam, horizontal and vertical (mm), and its material. "
        "It turns with the spindle, and absorbs on the ways in and out.",
        Kind.TEXT, 1, NONE, ("body",), match=Match.EXACT,
        metavar="box|ellipsoid,X,Y,Z[,MATERIAL]", is_new=True,
    ),
    Option(
        ("-body_position",), CRYSTAL,
        "Place of the centre of -body along beam, horizontal and vertical, at spindle angle zero.",
        Kind.FLOAT, 3, MM, ("body_position",), match=Match.EXACT, metavar="X Y Z", is_new=True,
    ),
    Option(
        ("-around",), CRYSTAL,
        "Matter around -body, such as solvent: form, size, material and place, as for -body and "
        "-body_position. It absorbs, and turns with the spindle. May be given several times, the "
        "innermost first: where bodies overlap, -body counts, otherwise the first -around.",
        Kind.TEXT, 1, NONE, ("around",), match=Match.EXACT,
        metavar="box|ellipsoid,X,Y,Z,MATERIAL[@X,Y,Z]", is_new=True, repeats=True,
    ),
    Option(
        ("-beam_profile",), BEAM,
        "Fluence across the beam, with its horizontal and vertical size (mm): full widths at half "
        "maximum of gaussian, edges of tophat, or edges of a table of numbers in a file.",
        Kind.TEXT, 1, NONE, ("beam_profile",), match=Match.EXACT,
        metavar="gaussian|tophat|FILE,H,V", is_new=True,
    ),
    Option(
        ("-decay",), CRYSTAL,
        "Decay with dose: the dose that halves all intensities (MGy), and the growth of the B "
        "factor (A^2/MGy). The dose of the image is that of -dose, or of -image_dose.",
        Kind.TEXT, 1, NONE, ("decay",), match=Match.EXACT, metavar="HALF_DOSE,B_PER_MGY",
        is_new=True,
    ),
    number("-image_dose", CRYSTAL, "Dose during the image, with -decay.", MEGAGRAY, "image_dose",
           "", match=Match.EXACT, limit="not negative", is_new=True),
    number("-dose_before", CRYSTAL, "Dose before the image, with -decay.", MEGAGRAY, "dose_before",
           "0", match=Match.EXACT, limit="not negative", is_new=True),
    new_text("-dose", CRYSTAL,
             "Print the dose that a thin sample of this material absorbs. MATERIAL as for "
             "-absorption.", "dose", "MATERIAL"),
    Option(
        ("-flight_path",), DETECTOR,
        "Absorption between sample and detector by this material, such as air or helium.",
        Kind.TEXT, 1, NONE, ("flight_path",), match=Match.EXACT, metavar="MATERIAL", is_new=True,
    ),
    Option(
        ("-beamstop",), DETECTOR,
        "Shadow of a round beamstop: its distance from the sample, and its diameter.",
        Kind.FLOAT, 2, MM, ("beamstop",), match=Match.EXACT, metavar="DISTANCE DIAMETER",
        is_new=True,
    ),
    Option(
        ("-beamstop_matter",), DETECTOR,
        "Material and thickness of the beamstop. It then scatters the direct beam. MATERIAL as for "
        "-absorption.",
        Kind.TEXT, 1, NONE, ("beamstop_matter",), match=Match.EXACT, metavar="MATERIAL,MM",
        is_new=True,
    ),
    choice("-domain_model", CRYSTAL,
           "Rotations of mosaic domains: random (nanobragg, simtbx), or a set without random "
           "numbers (diffbragg, normal, cap, fisher; docs/crystals.md).",
           "mosaic_model", MOSAIC_MODELS, "nanobragg"),
    number("-convergence", SAMPLING,
           "With the value auto of -mosaic_dom, -phisteps or -spectrum_samples: largest change of "
           "the spots if the number of steps is doubled.",
           PERCENT, "convergence", "2", match=Match.EXACT, limit="positive", is_new=True),
    Option(
        ("-spread_abc",), CRYSTAL,
        "Three mosaic spreads about the crystal's axes, instead of -mosaic; for the models "
        "diffbragg and normal.",
        Kind.FLOAT, 3, DEGREE, ("spread_abc",), match=Match.EXACT, metavar="A B C", is_new=True,
    ),
    Option(
        ("-spread_off_diagonal",), CRYSTAL,
        "Elements AB, BC, AC of the symmetric matrix whose diagonal is -spread_abc; for the model "
        "normal.",
        Kind.FLOAT, 3, DEGREE, ("spread_off_diagonal",), match=Match.EXACT, metavar="AB BC AC",
        is_new=True,
    ),
    Option(
        ("-spread_edges",), CRYSTAL,
        "Standard deviations of the edges of the cell among the mosaic domains (-mosaic_dom).",
        Kind.FLOAT, 3, PERCENT, ("cell_spreads",), match=Match.EXACT, metavar="A B C", is_new=True,
    ),
    number("-size_spread", CRYSTAL,
           "Standard deviation of the length of mosaic domains, relative to the mean length, which "
           "is that of -N: a log-normal distribution.",
           PERCENT, "size_spread", "0", match=Match.EXACT, limit="not negative", is_new=True),
    integer("-size_steps", CRYSTAL, "Number of sizes with -size_spread.", "size_steps", "8",
            match=Match.EXACT, limit="positive", is_new=True),
    choice("-average_settings", CRYSTAL,
           "Average the spot shape over the settings of the cell that the rotations of this Laue "
           "group give: the spots of equivalent reflections become alike.",
           "settings", LAUE_GROUPS, ""),
    Option(
        ("-diffuse_gamma",), CRYSTAL,
        "Diffuse scattering from liquid-like motions: correlation lengths along x, y and z. x is "
        "along a, z along c*, and y perpendicular to both.",
        Kind.FLOAT, 3, ANGSTROM, ("diffuse_gamma",), match=Match.EXACT, metavar="X Y Z",
        is_new=True,
    ),
    Option(
        ("-diffuse_sigma",), CRYSTAL,
        "Root-mean-square displacements along the same axes.",
        Kind.FLOAT, 3, ANGSTROM, ("diffuse_sigma",), match=Match.EXACT, metavar="X Y Z",
        is_new=True,
    ),
    choice("-diffuse_model", CRYSTAL,
           "Model of diffuse scattering: liquid-like motions with -diffuse_gamma, or cells that "
           "move independently as rigid bodies.",
           "diffuse_model", ("liquid", "rigid"), "liquid"),
    choice("-diffuse_laue", CRYSTAL,
           "Laue group over which diffuse scattering is averaged.",
           "diffuse_laue", LAUE_GROUPS, ""),
    Option(
        ("-diffuse_only",), CRYSTAL, "Render diffuse scattering without Bragg reflections.",
        sets={"diffuse_only": True}, match=Match.EXACT, is_new=True,
    ),
    Option(
        ("-off_diagonal_cells",), CRYSTAL,
        "Elements Nab, Nbc, Nac of the symmetric matrix whose diagonal is Na, Nb, Nc "
        "(Ncells_def of diffBragg), for gauss and tophat shapes; needs -corrected Q6.",
        Kind.FLOAT, 3, NONE, ("off_diagonal_cells",), match=Match.EXACT, metavar="NAB NBC NAC",
        is_new=True,
    ),
)  # fmt: skip
"""Options in the order in which they are tested, after those of the C program."""
