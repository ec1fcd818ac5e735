"""Images that detectors read out, in DIALS: trusted range, pixels, spots and indexing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from with_dials import dials, python_of_dials

from cupysim.cli.main import main as cupysim
from cupysim.formats import nexus

RESPONSES = ("eiger2", "pilatus3", "jungfrau", "rayonix-mx")
"""A response of each class: counters with two types of numbers, charge, light."""

TRUSTED = 1e-6
"""Largest relative difference of the sum of all trusted pixels."""

ROUNDED = 2.0
"""Largest amount by which DIALS' lower limit may be below that of cupysim."""

WITHOUT_BEAM = "-F000 0"
"""Options that replace a beamstop: the tail of a point spread would bring the direct beam's light
to all pixels."""

FAINTEST = {"rayonix-mx": 15}
"""Photons of the faintest pixel of a spot, for responses with read-out noise. DIALS expects the
noise of counts, and would find spots in this noise."""

WEAKEST = 0.95
"""Smallest share of the spots with certain positions that must be near predicted spots. Read-out
noise, and light of a point spread, move some spots."""

CERTAIN = 300
"""Photons of a spot whose position is certain."""

FEWEST_INDEXED = 0.8

NEAR = 0.5
"""Largest distance (pixels) at which a found spot counts as a predicted one."""

READ = """
import json, sys
import dxtbx, numpy
image = dxtbx.load(sys.argv[1])
(panel,) = image.get_detector()
pixels = image.get_raw_data(0)
pixels = pixels[0] if isinstance(pixels, tuple) else pixels
low, high = panel.get_trusted_range()
values = pixels.as_numpy_array().astype(float)
values = values[(values >= low) & (values <= high)]
print(json.dumps([low, high, float(values.sum())]))
"""

SPOTS = """
import json, sys
from dials.array_family import flex
table = flex.reflection_table.from_file(sys.argv[1])
x, y, _ = table["xyzobs.px.value"].parts()
print(json.dumps([list(x), list(y), list(table["intensity.sum.value"])]))
"""


def check_responses(program: str, shot: str) -> bool:
    """Let DIALS read an image of each class of response, find spots and index them.

    Parameters
    ----------
    program : str
        Path of dials.import.
    shot : str
        Options of the image.

    Returns
    -------
    bool
        Whether DIALS agrees.
    """
    folder, fine = Path(program).parent, True
    print("\n| response | trusted range | pixels | near predicted | indexed |")
    print("|---|---|---|---|---|")
    for name in RESPONSES:
        file, expt, table = (f"{name}.{kind}" for kind in ("h5", "expt", "refl"))
        assert (
            cupysim(
                [
                    *shot.split(),
                    *WITHOUT_BEAM.split(),
                    "-noprogress",
                    "-response",
                    name,
                    "-h5file",
                    file,
                ]
            )
            == 0
        )
        content = nexus.read(file)
        assert content.detector is not None
        assert content.counts is not None
        assert content.spots is not None
        found = python_of_dials(program, READ, [file])
        assert isinstance(found, list)
        low, high = content.detector.underload, content.detector.saturation
        # DIALS rounds the limits to whole numbers, and the lower one down by one more
        is_range = -ROUNDED <= found[0] - low <= 0.0 and abs(found[1] - high) <= 1.0
        inside = content.counts[(content.counts >= found[0]) & (content.counts <= found[1])]
        total = float(inside.sum(dtype=np.float64))
        same = abs(found[2] - total) <= TRUSTED * abs(total)
        dials([str(folder / "dials.import"), file, f"output.experiments={expt}"])
        faintest = f"global_threshold={FAINTEST.get(name, 0)}"
        dials([str(folder / "dials.find_spots"), expt, f"output.reflections={table}", faintest])
        x, y, photons = np.array(python_of_dials(program, SPOTS, [table]))
        spots = content.spots
        distance = np.hypot(spots["fast"][:, None] - x, spots["slow"][:, None] - y).min(axis=0)
        certain = photons >= CERTAIN
        near = float(np.mean(distance[certain] < NEAR))
        text = dials(
            [str(folder / "dials.index"), expt, table, "detector.fix=all", "beam.fix=all",
             "stills.indexer=sequences", f"output.experiments={name}_indexed.expt"]
        )  # fmt: skip
        share = float(re.findall(r"\|\s+([\d.]+)%\s+\|", text)[-1]) / 100.0
        print(
            f"| {name} | {found[0]:g} to {found[1]:g} | {'equal' if same else 'DIFFER'} | "
            f"{near:.1%} of {certain.sum()} | {share:.1%} of {len(x)} |"
        )
        fine &= is_range and same and near >= WEAKEST and share >= FEWEST_INDEXED
    return bool(fine)
