"""Images and lines of noisify against stored ones of the C program, byte for byte."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.noisify.support import GOLDEN, plain_python

CASES: dict[str, dict[str, Any]] = json.loads((GOLDEN / "cases.json").read_text())

CLOCK = re.compile("^  seed: .*$", re.MULTILINE)


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "python"])
@pytest.mark.parametrize("name", CASES)
def test_case(name: str, compiled: bool, run: Run, tmp_path: Path) -> None:
    case = CASES[name]
    for file in case["inputs"]:
        shutil.copyfile(GOLDEN / "inputs" / file, tmp_path / file)
    words = ["noisify", *case["args"]]
    if compiled:
        outcome = run(words)
    else:
        with plain_python():
            outcome = run(words)
    assert outcome.status == 0, outcome.err
    found = {name: hashlib.sha256(data).hexdigest() for name, data in outcome.files.items()}
    assert found == case["sha256"]
    said, expected = re.sub("0x[0-9a-f]+", "<address>", outcome.out), case["stdout"]
    if "-seed" not in case["args"]:
        said, expected = (CLOCK.sub("", text) for text in (said, expected))
    assert said == expected
