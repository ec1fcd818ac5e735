"""Warnings of options of the crystal that do not act with the chosen shape or mosaic model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Run

CRYSTAL = "-cell 25 -default_F 1 -N 3 -detpixels 8 -pixel 9 -nodump -nonoise -nopgm"


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ("-fudge 2", "-fudge"),
        ("-fudge 2 -spot_shape no_fringes", "-fudge"),
        ("-fudge 2 -spot_shape flat", "-fudge"),
        ("-fudge 2 -round_xtal", ""),
        ("-fudge 2 -spot_shape gauss_argchk", ""),
        ("-fudge 2 -spot_shape gauss_star", ""),
        ("-tophat_spots -fudge 2", ""),
        ("-mosaic_seed 3 -mosaic 1 -mosaic_dom 4 -domain_model diffbragg", "-mosaic_seed"),
        ("-mosaic_seed 3 -mosaic 1 -mosaic_dom 4 -domain_model normal", "-mosaic_seed"),
        ("-mosaic_seed 3 -mosaic 1 -mosaic_dom 4 -domain_model simtbx", ""),
        ("-mosaic_seed 3 -mosaic 1 -mosaic_dom 4", ""),
    ],
)
def test_options_without_effect_are_told(
    options: str, option: str, run: Run, tmp_path: Path
) -> None:
    """And only those: the image with another value is the same then, and differs otherwise."""
    images = []
    for given in (options, options.replace("-fudge 2", "").replace("-mosaic_seed 3", "")):
        outcome = run(f"{CRYSTAL} {given}")
        assert outcome.status == 0, outcome.err
        images.append((tmp_path / "floatimage.bin").read_bytes())
        told = [line for line in outcome.err.splitlines() if " has no effect " in line]
        if given == options:
            assert [line.split()[2] for line in told] == ([option] if option else [])
    assert (images[0] == images[1]) == bool(option)
