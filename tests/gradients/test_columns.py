"""The kernel's columns are those of the package."""

from __future__ import annotations

import re

from cupysim.backends.compiled import differentiation as compiled
from cupysim.native import sources
from cupysim.plan import gradient_columns as parameters


def enumerators(name: str) -> dict[str, int]:
    folder = sources.folder()
    text = "".join(folder.joinpath(f"{each}.cuh").read_text() for each in ("launch", "gradient"))
    body = re.search(rf"enum {name} {{(.*?)}}", text, re.S)
    assert body is not None
    return {key: int(value) for key, value in re.findall(r"(\w+) = (\d+)", body[1])}


def test_columns() -> None:
    found = enumerators("Column")
    for name in (
        "INDICES", "ORIGIN", "WAVELENGTH", "BANDWIDTH", "HORIZONTAL", "VERTICAL", "SIZES",
        "SPREAD", "PHOTONS", "FORMS", "LOG_SCALE", "COLUMNS",
    ):  # fmt: skip
        assert getattr(parameters, name) == found[name], name
    assert found["FAST"] == parameters.AXES


def test_groups() -> None:
    found = enumerators("Group")
    starts = {
        "OF_INDICES": "INDICES",
        "OF_PANEL": "ORIGIN",
        "OF_AXES": "AXES",
        "OF_SOURCES": "WAVELENGTH",
        "OF_SIZES": "SIZES",
        "OF_SPREAD": "SPREAD",
        "OF_FORMS": "FORMS",
    }
    bits = {low: bit for bit, low, _ in compiled.GROUP_BITS}
    assert bits == {getattr(parameters, starts[name]): bit for name, bit in found.items()}
