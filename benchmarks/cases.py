"""The timed cases, as options of nanoBragg and cupysim."""

from __future__ import annotations

from benchmarks.machine import ROOT

EXAMPLE = ROOT / "examples" / "1orc"
INPUTS = ("P1.hkl", "A_1.0.mat")

TRICLINIC = "-cell 70 80 90 75 85 95 -default_F 100 -lambda 1.0 -N 20 -distance 100"
PROTEIN = "-hkl P1.hkl -mat A_1.0.mat -lambda 1 -N 12 -distance 90 -oversample 1"

CASES = {
    "mosaic": f"{TRICLINIC} -detpixels 512 -mosaic 0.5 -mosaic_dom 50",
    "protein": f"{PROTEIN} -detpixels 512 -pixel 0.2 -mosaic 0.5 -mosaic_dom 20 -phi 5 -osc 1 "
    "-phisteps 5",
    "sources": f"{PROTEIN} -detpixels 512 -pixel 0.2 -divergence 2 -divsteps 6 -dispersion 1 "
    "-dispsteps 4",
    "round": f"{PROTEIN} -detpixels 512 -pixel 0.2 -mosaic 0.5 -mosaic_dom 50 -round_xtal",
    "gauss": f"{PROTEIN} -detpixels 512 -pixel 0.2 -mosaic 0.5 -mosaic_dom 50 -gauss_xtal",
    "tricubic": f"{PROTEIN} -detpixels 256 -pixel 0.1 -mosaic 0.5 -mosaic_dom 20 -interpolate",
    "large": f"{TRICLINIC} -detpixels 1024 -oversample 2 -mosaic 0.5 -mosaic_dom 100 "
    "-dispersion 1 -dispsteps 10",
    "still_1024": "-cell 100 100 100 90 90 90 -default_F 100 -lambda 1 -N 5 -distance 100 "
    "-detpixels 1024 -pixel 0.1 -oversample 1",
    "still_4096": "-cell 100 100 100 90 90 90 -default_F 100 -lambda 0.5 -N 5 -distance 500 "
    "-detpixels 4096 -pixel 0.05",
}
"""Images. The first one has 36 sub-pixels per pixel, chosen by the program."""

COMMANDS = {
    name: f"{CASES[name]} -nonoise -nopgm"
    for name in ("mosaic", "protein", "sources", "round", "still_4096")
} | {"noise": f"{PROTEIN} -detpixels 1024 -pixel 0.1 -fluence 1e27 -water 1.8 -seed 1 -nopgm"}
"""Whole commands, including their files."""
