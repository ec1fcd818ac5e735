"""Checks of output files before the work."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable

from cupysim.errors import CupysimError, CupysimWarning
from cupysim.storage.safe_writing import check_writable, is_special


def check_outputs(names: Iterable[str], inputs: Iterable[str | None]) -> None:
    """Refuse files that cannot be written, and warn of inputs that are replaced.

    Parameters
    ----------
    names : iterable of str
        Files to write.
    inputs : iterable of str or None
        Files that were read.

    Raises
    ------
    CupysimError
        If a file cannot be written, or is named twice.
    """
    real = {os.path.realpath(name) for name in inputs if name is not None}
    seen: set[str] = set()
    for name in names:
        target = check_writable(name)
        if is_special(target):
            continue
        if str(target) in seen:
            raise CupysimError(f"two images have the same name, {name}")
        seen.add(str(target))
        if str(target) in real:
            warnings.warn(CupysimWarning(f"the input {name} is replaced"), stacklevel=3)
