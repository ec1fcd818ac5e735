"""Tutorials are run as a reader runs them: commands in one shell, Python in one session."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
RUN = [
    *TUTORIALS, DOCS / "start" / "python.md", DOCS / "start" / "command_line.md",
    *sorted((DOCS / "howto").glob("*.md")), DOCS / "panels.md",
]  # fmt: skip
OF_USERS = ("data_master.h5", "refined.expt")
"""Files of readers, with which commands cannot be run here."""


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_tutorial(page: Path, tmp_path: Path) -> None:
    if page.stem == "pytorch":
        pytest.importorskip("torch")
    shutil.copytree(
        ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("output")
    )
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```", page.read_text(), re.M | re.S)
    assert blocks
    if page in TUTORIALS:
        assert {kind for kind, _ in blocks} == {"sh", "python"}
    commands = "\n".join(
        text for kind, text in blocks if kind == "sh" and not any(name in text for name in OF_USERS)
    )
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    # as a script, so that variables live on; a command which is not there is the module
    shell = 'command -v cupysim > /dev/null || cupysim() { "$PYTHON" -m cupysim "$@"; }\n'
    for words in (
        ["bash", "-euc", shell + commands],
        [sys.executable, "-c", "\n".join(text for kind, text in blocks if kind == "python")],
    ):
        done = subprocess.run(
            words, cwd=tmp_path, env={**environment, "PYTHON": sys.executable},
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
