"""Images, tables and lines of nonBragg against stored ones of the C program."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from cupysim.nonbragg import scattering
from tests.conftest import Run
from tests.noisify.support import plain_python
from tests.nonbragg.support import GOLDEN

CASES: dict[str, dict[str, Any]] = json.loads((GOLDEN / "cases.json").read_text())


def check(case: dict[str, Any], run: Run, folder: Path) -> None:
    for file in case["inputs"]:
        shutil.copyfile(GOLDEN / "inputs" / file, folder / file)
    outcome = run(["nonbragg", *case["args"]])
    assert outcome.status == 0, outcome.err
    files = dict(outcome.files)
    for name, table in case.get("table", {}).items():
        assert files.pop(name).decode() == table
    assert {name: hashlib.sha256(data).hexdigest() for name, data in files.items()} == case[
        "sha256"
    ]
    said = re.sub("^[0-9]+% done\n", "", outcome.out, flags=re.MULTILINE)
    assert re.sub("0x[0-9a-f]+", "<address>", said) == case["stdout"]


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "python"])
@pytest.mark.parametrize("name", CASES)
def test_case(name: str, compiled: bool, run: Run, tmp_path: Path) -> None:
    if compiled:
        check(CASES[name], run, tmp_path)
    else:
        with plain_python():
            check(CASES[name], run, tmp_path)


@pytest.mark.parametrize("pixels", [1, 100, 2**22])
@pytest.mark.parametrize("name", ["unsorted_table", "roi_oversample", "img_ignore"])
def test_blocks_do_not_matter(
    name: str, pixels: int, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scattering, "PIXELS_AT_ONCE", pixels)
    check(CASES[name], run, tmp_path)
