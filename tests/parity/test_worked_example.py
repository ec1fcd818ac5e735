"""The example of docs/parity.md: its commands find the planted bugs as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"


def test_planted_bugs_of_the_page(tmp_path: Path) -> None:
    section = PAGE.read_text().split("## A planted bug")[1].split("\n## ")[0]
    commands = "".join(re.findall(r"```sh\n(.*?)```", section, re.S))
    promised = "".join(re.findall(r"```text\n(.*?)```", section, re.S)).splitlines()
    assert len(promised) == 5
    folder = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", commands], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    for line in promised:
        assert line in done.stdout.splitlines(), f"{line}\n{done.stdout}\n{done.stderr}"
    # the pixel which the page looks into is the one which the table names
    assert "--pixel 33 32" in commands
    assert re.search(r"look there: cupysim trace .* --pixel 33 32$", done.stdout, re.M), done.stdout
