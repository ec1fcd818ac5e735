"""The sub-commands: ``cupysim NAME ...``. Each is a module of this package."""

from __future__ import annotations

COMMANDS = {
    "campaign": "Make data sets of many shots from one file; finished shots are kept.",
    "compare": "Compare two images or two traces, and find where they differ first.",
    "convert": "Write structure factors of any file as h k l F, MTZ or resolution bins.",
    "detectors": "List real detectors, print their figures with sources, and draw their panels.",
    "doctor": "Say what works on this machine, what to install for the rest, and how fast it is.",
    "info": "Describe the contents of image files in a few lines.",
    "noisify": "Add noise to an image of expected photons, as noisify does.",
    "nonbragg": "Render water, air and other amorphous matter from a table, as nonBragg does.",
    "orient": "Make orientation matrices from a cell and angles, or at random, and read them.",
    "photons": "Calibrate a raw image to photons, by pedestals, gains and the rate correction.",
    "parity": "Run argument lists through a reference program and cupysim, and compare images.",
    "refine": "Fit an experiment to an image, and report the uncertainties.",
    "rerun": "Render an earlier run again, and compare the images.",
    "trace": "Print the whole computation of pixels, every number with its unit.",
    "show": "Show images: resolution rings, predicted spots, comparison side by side.",
}
"""Names and descriptions of the sub-commands.

Each is a module of this package with `add_arguments` and `run`. If a module has `TAKES_OPTIONS`,
its other words are options of the drop-in command. A module with `TAKES_WORDS` has `run_words`
instead, which gets all its words.
"""
