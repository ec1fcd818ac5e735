"""Scales that a CIF file gives in addition to its reflections."""

from __future__ import annotations

import numpy as np

from cupysim.formats.structures.cif_blocks import CifBlock
from cupysim.formats.structures.table import listed

CORRECTED_ITEMS = ("_diffrn_refln_intensity_net", "_refln_f_squared_meas", "_refln_f_meas",
                   "_refln_intensity_meas")  # fmt: skip
"""Items that are used in place of raw counts."""

RAW_COUNTS, WITH_ATTENUATORS = "_diffrn_refln_counts_net", "_diffrn_refln_intensity_net"
"""Items without and with the scales of attenuators, as the core dictionary defines them."""

SCALES = {
    "_refln_scale_group_code": (
        "_reflns_scale_group_code",
        ("_reflns_scale_meas_f", "_reflns_scale_meas_f_squared", "_reflns_scale_meas_intensity"),
    ),
    "_diffrn_refln_scale_group_code": (
        "_diffrn_scale_group_code",
        ("_diffrn_scale_group_i_net",),
    ),
    "_diffrn_refln_attenuator_code": (
        "_diffrn_attenuator_code",
        ("_diffrn_attenuator_scale",),
    ),
}
"""Three items: codes of the reflections, codes in the list of scales, and the scales."""

MULTIPLIER = "_shelx_f_squared_multiplier"


def of_reflections(
    block: CifBlock, path: object, category: str, rows: np.ndarray
) -> tuple[str, tuple[str, ...]]:
    """Check the scales of reflections.

    The dictionaries do not say whether scales are already applied, so cupysim does not apply them.

    Parameters
    ----------
    block : CifBlock
        Block with the reflections.
    path : path_like
        File name, for messages.
    category : str
        Prefix of the items of the reflections.
    rows : ndarray of bool, shape (n,)
        Which of the reflections are used.

    Returns
    -------
    refused : str
        Why the reflections cannot be used: their scales differ. Empty if they can be used.
    warnings : tuple of str
        Scales that are not applied.

    Raises
    ------
    FileFormatError
        If a scale is not a number.
    """
    alarms = []
    if RAW_COUNTS.startswith(category) and {RAW_COUNTS, *CORRECTED_ITEMS} & set(block.columns) == {
        RAW_COUNTS
    }:
        alarms.append("its intensities are raw counts, without Lorentz and polarization factors")
    for codes_of_rows, (codes_of_list, names) in SCALES.items():
        is_attenuator = codes_of_rows.endswith("attenuator_code")
        if not codes_of_rows.startswith(category) or (
            is_attenuator and RAW_COUNTS not in block.columns
        ):
            continue
        scales = _scales(block, path, codes_of_list, names)
        texts = block.texts(codes_of_rows)
        if len(texts) != len(rows):
            used = list(scales)
        else:
            used = list(dict.fromkeys(np.array(texts)[rows].tolist()))
        if not used:
            continue
        shown = listed([f"{code}: {scales.get(code, '?')}" for code in used], 4)
        values = {scales.get(code, "?") for code in used}
        if len(values) > 1 and is_attenuator and WITH_ATTENUATORS in block.columns:
            alarms.append(f"scales of attenuators ({shown}) are not applied to counts_net")
        elif len(values) > 1:
            what = "attenuators" if is_attenuator else "groups"
            return (
                f"its reflections have different scales, by {what} ({shown}), and it does not say "
                "whether they are applied; give them on one scale",
                (),
            )
        elif values == {"?"} and len(used) > 1:
            alarms.append(f"scales of its groups of reflections are unknown ({shown})")
        elif values not in ({"?"}, {"1"}):
            alarms.append(f"the scale of its reflections ({shown}) is not applied")
    multiplier = block.numbers(path, MULTIPLIER)[0] if block.text(MULTIPLIER) else 1.0
    if multiplier != 1.0:
        alarms.append(f"{MULTIPLIER} {multiplier:g} is not applied")
    return "", tuple(alarms)


def _scales(
    block: CifBlock, path: object, codes_of_list: str, names: tuple[str, ...]
) -> dict[str, str]:
    """The scales of each code as text, without codes that have no scale."""
    found: dict[str, list[str]] = {}
    for name in names:
        if not block.text(name):
            continue
        numbers = block.numbers(path, name)
        codes = block.texts(codes_of_list)
        if len(codes) != len(numbers):
            codes = [str(number + 1) for number in range(len(numbers))]
        for code, number in zip(codes, numbers.tolist(), strict=True):
            if np.isfinite(number):
                found.setdefault(code, []).append(f"{number:g}")
    return {code: "/".join(dict.fromkeys(texts)) for code, texts in found.items()}
