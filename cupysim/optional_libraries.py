"""Libraries which only some file formats need."""

from __future__ import annotations

import importlib
from typing import Any

from cupysim.errors import CupysimError

EXTRAS = {
    "gemmi": "structures",
    "fabio": "images",
    "hdf5plugin": "images",
    "nxmx": "images",
    "pycbf": "imgcif",
    "PIL": "pictures",
    "matplotlib": "pictures",
    "pandas": "pandas",
    "torch": "torch",
    "distributed": "dask",
}
"""Which extra of the package brings a library."""


def require(library: str, purpose: str) -> Any:
    """Import an optional library.

    Parameters
    ----------
    library : str
        Its module, perhaps with a submodule.
    purpose : str
        What cannot be done without it, as the beginning of a sentence.

    Returns
    -------
    module
        The module.

    Raises
    ------
    CupysimError
        If it is not installed; the message says how to install it.
    """
    name = library.split(".")[0]
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise CupysimError(
            f"{purpose} needs the library {name}: pip install 'cupysim[{EXTRAS[name]}]' ({error})"
        ) from error
