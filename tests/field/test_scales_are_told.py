"""Scales which a CIF file gives beside its reflections."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from cupysim.errors import FileFormatError
from cupysim.formats.structures import reflections
from tests.field.writers import amplitudes, cif_cell, loop, write_cif

HKL = np.array([[1, 2, 3], [2, 2, 3]])
F_SCALES = ["_reflns_scale_group_code", "_reflns_scale_meas_F"]
I_SCALES = ["_diffrn_scale_group_code", "_diffrn_scale_group_I_net"]
ATTENUATORS = ["_diffrn_attenuator_code", "_diffrn_attenuator_scale"]
DIFFER = "its reflections have different scales, by groups \\(1: 1, 2: {}\\)"
RAW = "diffrn_refln"


@pytest.mark.parametrize(
    ("scales", "category", "item", "column", "codes", "refused", "told"),
    [
        (loop(F_SCALES, [(1, 1.0), (2, 0.5)]), "refln", "scale", "F_meas", "12", DIFFER.format("0.5"), ""),  # noqa: E501
        (loop([F_SCALES[0], "_reflns_scale_meas_F_squared"], [(1, 1.0), (2, 0.5)]), "refln", "scale", "F_squared_meas", "12", DIFFER.format("0.5"), ""),  # noqa: E501
        (loop([F_SCALES[0], "_reflns_scale.meas_intensity"], [(1, 1.0), (2, 0.5)]), "refln", "scale", "intensity_meas", "12", DIFFER.format("0.5"), ""),  # noqa: E501
        (loop(F_SCALES, [(1, 1.0), (2, 0.5)]), "refln", "scale", "F_meas", "11", "", ""),
        (loop(F_SCALES, [(1, 1.0), (2, 0.5)]), "refln", "scale", "F_meas", "22", "", "the scale of its reflections (2: 0.5) is not applied"),  # noqa: E501
        (loop(F_SCALES, [(1, 1.0), (2, 1.0)]), "refln", "scale", "F_meas", "12", "", ""),
        (loop(F_SCALES, [(1, 1.0)]), "refln", "scale", "F_meas", "12", DIFFER.format(r"\?"), ""),
        (loop(F_SCALES, [(1, "?")]), "refln", "scale", "F_meas", "11", "", ""),
        ("", "refln", "scale", "F_meas", "11", "", ""),
        ("", "refln", "scale", "F_meas", "12", "", "scales of its groups of reflections are unknown (1: ?, 2: ?)"),  # noqa: E501
        ("_reflns_scale_meas_F 2.5\n", "refln", "", "F_meas", "11", "", "reflections (1: 2.5) is not applied"),  # noqa: E501
        ("_shelx_F_squared_multiplier 10.0\n", "refln", "", "F_squared_meas", "11", "", "_shelx_f_squared_multiplier 10 is not applied"),  # noqa: E501
        (loop(I_SCALES, [(1, 1.0), (2, 4.0)]), RAW, "scale", "intensity_net", "12", DIFFER.format(4), ""),  # noqa: E501
        (loop(ATTENUATORS, [(1, 1.0), (2, 10.0)]), RAW, "attenuator", "counts_net", "12", r"by attenuators \(1: 1, 2: 10\)", ""),  # noqa: E501
        # by the dictionary they are applied to this item
        (loop(ATTENUATORS, [(1, 1.0), (2, 10.0)]), RAW, "attenuator", "intensity_net", "12", "", ""),  # noqa: E501
    ],
)  # fmt: skip
def test_scales_of_a_cif(
    scales: str,
    category: str,
    item: str,
    column: str,
    codes: str,
    refused: str,
    told: str,
    tmp_path: Path,
) -> None:
    names = [*(f"index_{letter}" for letter in "hkl"), column]
    if item:
        names.append(f"{item}{'_group' * (item == 'scale')}_code")
    is_amplitude = column == "F_meas"
    rows = [
        (*hkl, value if is_amplitude else value**2, *code * bool(item))
        for hkl, value, code in zip(HKL.tolist(), (10.0, 20.0), codes, strict=True)
    ]
    head = cif_cell("_cell_length_") + "_symmetry_space_group_name_H-M 'P 21 21 21'\n" + scales
    data = loop([f"_{category}_{name}" for name in names], rows)
    path = write_cif(tmp_path / "a.cif", {"x": head + data})
    if refused:
        with pytest.raises(FileFormatError, match=refused):
            reflections.read(path)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        structure = reflections.read(path)
    messages = [str(each.message) for each in caught if "square roots" not in str(each.message)]
    assert len(messages) == bool(told), messages
    assert told in "".join(messages)
    np.testing.assert_allclose(amplitudes(structure, HKL), [10.0, 20.0])


def test_scales_of_data_sets_which_are_apart(tmp_path: Path) -> None:
    """Each wavelength has its group, and only one is taken."""
    names = [f"index_{letter}" for letter in "hkl"]
    names += ["F_meas", "wavelength_id", "scale_group_code"]
    rows = [(1, 2, 3, 10.0, 1, 1), (2, 2, 3, 20.0, 1, 1), (1, 2, 3, 70.0, 2, 2)]
    head = cif_cell("_cell_length_") + "_symmetry_space_group_name_H-M 'P 21 21 21'\n"
    text = head + loop(F_SCALES, [(1, 1.0), (2, 7.0)])
    text += loop([f"_refln_{name}" for name in names], rows)
    path = write_cif(tmp_path / "a.cif", {"x": text})
    np.testing.assert_allclose(amplitudes(reflections.read(path), HKL), [10.0, 20.0])
