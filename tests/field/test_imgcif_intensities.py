"""Pixels of imgCIF files that are stored with a scale, an offset, as roots, or as logarithms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cupysim.errors import FileFormatError
from cupysim.formats import cbf
from tests.field.cbf_files import full_cbf, imgcif_text, loop, section

PIXELS = np.arange(24, dtype=np.int32).reshape(4, 6) * 10 - 20
"""Stored numbers: -20 and -10 are gaps, then 0, 10, 20, ..."""

ITEMS = "array_id binary_id linearity gain undefined_value scaling offset"


def read(path: Path, row: str) -> tuple[np.ndarray, str]:
    extra = loop("array_intensities", ITEMS, [f"A1 1 {row}"])
    image, geometry = cbf.read(full_cbf(path, imgcif_text((6, 4), extra=extra), section(PIXELS)))
    return image, "\n".join(each for each in geometry.remarks if "intensities" in each)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("offset 2.0 -1 . -7", [np.nan, np.nan, -7, 3, 13, 23]),
        ("scaling 2.0 -1 0.5 .", [np.nan, np.nan, 0, 5, 10, 15]),
        ("scaling_offset 2.0 20 0.5 -20", [np.nan, np.nan, -20, -15, np.nan, -5]),
        ("sqrt_scaled 2.0 -1 20 .", [np.nan, np.nan, 0, 0.25, 1.0, 2.25]),
        ("logarithmic_scaled 2.0 -1 10 .", [np.nan, np.nan, 1, 10, 100, 1000]),
    ],
)
def test_linear_again(row: str, expected: list[float], tmp_path: Path) -> None:
    """The formulas of the imgCIF dictionary, by hand."""
    image, said = read(tmp_path / "a.cbf", row)
    np.testing.assert_allclose(image[0], expected, rtol=1e-12)
    assert f"its pixels are made linear: _array_intensities.linearity is {row.split()[0]}" in said


@pytest.mark.parametrize("kind", ["raw", "linear", "."])
def test_linear_pixels(kind: str, tmp_path: Path) -> None:
    """A gain alone changes nothing; a scale without a linearity is told."""
    image, said = read(tmp_path / "a.cbf", f"{kind} 2.0 0 . .")
    assert image.dtype.kind == "i"
    assert image[0].tolist() == [-20, -10, -1, 10, 20, 30]
    assert said == ""
    image, said = read(tmp_path / "a.cbf", f"{kind} 2.0 0 0.5 -3")
    assert image[0].tolist() == [-20, -10, -1, 10, 20, 30]
    assert ("(offset -3, scaling 0.5) are not applied" in said) is (kind == ".")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("gamma 2.0 0 1 1", "linearity 'gamma' is unknown"),
        ("scaling 2.0 0 . 1", "it gives no scaling"),
        ("scaling_offset 2.0 0 1 .", "it gives no offset"),
        ("sqrt_scaled 2.0 0 0 1", "scaling is 0"),
    ],
)
def test_impossible_scales(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=message):
        read(tmp_path / "a.cbf", row)
