"""Names of the parameters of further crystals: ``misset_x:2`` is misset_x of the second crystal."""

from __future__ import annotations


def numbered(name: str) -> tuple[str, int]:
    """Split the name of a parameter, or of a group, and the number of its crystal.

    Parameters
    ----------
    name : str
        Name such as ``misset_x`` or ``misset_x:2``.

    Returns
    -------
    tuple of (str, int)
        The name without the number, and the number; 1 if there is none. The name as it is, and 1,
        if no number follows the colon.

    Examples
    --------
    >>> numbered("misset_x:2"), numbered("misset_x"), numbered("shift_x:q0")
    (('misset_x', 2), ('misset_x', 1), ('shift_x:q0', 1))
    """
    base, colon, number = name.partition(":")
    if colon and number.isascii() and number.isdigit() and int(number) > 0:
        return base, int(number)
    return name, 1


def with_number(base: str, number: int) -> str:
    """The name of a parameter of a crystal; the first crystal needs no number."""
    return base if number == 1 else f"{base}:{number}"
