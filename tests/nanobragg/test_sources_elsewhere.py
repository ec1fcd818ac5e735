"""Warnings of sources that are far from the beam, such as those of another convention."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Run

CRYSTAL = "-cell 25 -default_F 1 -N 3 -detpixels 8 -nodump -nonoise -nopgm"


@pytest.mark.parametrize(
    ("position", "options", "degrees"),
    [
        # a source is opposite to the direction in which its light flies
        ("-10 0 0", "", None),
        ("-10 0.5 -0.5", "", None),
        ("0 0 -10", "-xds", None),
        ("0 0 -10", "", 90),
        ("10 0 0", "", 180),
        ("-10 0 0", "-xds", 90),
        ("-10 -10 0", "-corrected", 45),
    ],
)
def test_directions(
    position: str, options: str, degrees: int | None, tmp_path: Path, run: Run
) -> None:
    file = tmp_path / "sources.txt"
    file.write_text(f"{position} 1 1e-10\n")
    outcome = run(f"{CRYSTAL} -lambda 1 {options} -sourcefile {file}")
    assert outcome.status == 0, outcome.err
    told = [line for line in outcome.err.splitlines() if "away from the beam" in line]
    assert len(told) == (0 if degrees is None else 1)
    assert degrees is None or f"a source is {degrees} degrees away" in told[0]
