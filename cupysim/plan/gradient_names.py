"""Names of the parameters of derivatives."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from cupysim.errors import ModelError
from cupysim.models.crystal_names import numbered, with_number
from cupysim.models.panel_motion import expanded
from cupysim.models.parameter_families import has_own_numbers
from cupysim.models.parameters import GROUPS, PARAMETERS, parameter

FACTORS = "structure_factors"
"""Name of the parameter that has one value for each reflection."""

UNITS = {name: each.unit for name, each in PARAMETERS.items()} | {FACTORS: "electrons"}
"""Unit of each parameter."""


def expand(names: str | Iterable[str]) -> tuple[str, ...]:
    """Replace names of groups by the names of their parameters.

    Parameters
    ----------
    names : str or iterable of str
        Names of parameters and of `GROUPS`. A string has commas between the names. The number of a
        further crystal may follow a name (``misset:2``).

    Returns
    -------
    tuple of str
        Names of single parameters in the given order, each once.

    Raises
    ------
    ModelError
        If a parameter does not exist, or there is no name.

    Examples
    --------
    >>> expand("n_cells, scale")
    ('n_a', 'n_b', 'n_c', 'scale')
    """
    words = names.split(",") if isinstance(names, str) else list(names)
    found: list[str] = []
    for word in (str(word).strip() for word in words):
        motions = expanded(word)
        base, number = numbered(word)
        if not motions and base not in UNITS and base not in GROUPS:
            known = [*GROUPS, *UNITS]
            close = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise ModelError(f"gradients: there is no parameter {word!r}; {hint}")
        members = motions or GROUPS.get(base, (base,))
        of_crystal = base != FACTORS and parameter(members[0]).of_crystal
        if number > 1 and not of_crystal and not has_own_numbers(base):
            raise ModelError(f"gradients: {base} is no parameter of a single crystal; got {word!r}")
        found += [with_number(member, number) for member in members]
    if not found:
        raise ModelError("gradients: no parameter is named; give at least one name")
    return tuple(dict.fromkeys(found))
