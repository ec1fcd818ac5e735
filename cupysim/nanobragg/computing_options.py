"""The options of the drop-in command that decide how images are computed. nanoBragg has none."""

from __future__ import annotations

from cupysim.drop_ins.units import NONE
from cupysim.nanobragg.option_kinds import COMPUTING, Kind, Match, Option, choice, integer

COMPUTING_OPTIONS: tuple[Option, ...] = (
    choice("-backend", COMPUTING,
            "What computes the image: cuda on GPUs, host on the processor's cores, "
            "numpy without compiled code, auto the first of these that works.",
            "backend", ("auto", "cuda", "host", "numpy"), "auto"),
    choice("-precision", COMPUTING,
            "double: each pixel differs from nanoBragg's by at most 1e-6 of "
            "its value plus 1e-9 of the image's maximum; mixed: by at most 1e-6 of the maximum, "
            "and faster.",
            "precision", ("double", "mixed"), "double"),
    Option(
        ("-tolerance",), COMPUTING,
        "Photons that each pixel may lack, such as 0.01, or a fraction of the brightest Bragg "
        "pixel (without background and the reflection 0 0 0), such as 1e-6peak. Weak terms are "
        "left out, which is much faster. Exact if not given.",
        Kind.TEXT, 1, NONE, ("tolerance",), match=Match.EXACT, metavar="PHOTONS|FRACTIONpeak",
        is_new=True,
    ),
    Option(
        ("-corrected",), COMPUTING,
        "Correct the numbered quirks of nanoBragg (docs/quirks.md): all, or the named ones, such "
        "as Q3,Q5. The image is then no longer nanoBragg's.",
        Kind.TEXT, 1, NONE, ("quirks",), match=Match.EXACT, metavar="[all | Q3,Q5,...]",
        is_new=True,
    ),
    integer("-threads", COMPUTING, "Threads of the host backend; by default, one for each core.",
             "threads", match=Match.EXACT, limit="positive", is_new=True),
    Option(
        ("-device",), COMPUTING,
        "GPUs of the cuda backend: numbers with commas between them. They share the image.",
        Kind.DEVICES, 1, NONE, ("devices",), "all", match=Match.EXACT, metavar="N[,N...]|all",
        is_new=True,
    ),
)  # fmt: skip
"""Options in the order in which they are tested, after those of the C program."""
