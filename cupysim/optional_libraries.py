"""Optional libraries, which only some functions and file formats need."""

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
    "xraydb": "sensors",
    "pyFAI": "pyfai",
    "extra_geom": "extra-geom",
}
"""Extra of the package that installs each library."""


def require(library: str, purpose: str) -> Any:
    """Import an optional library.

    Parameters
    ----------
    library : str
        Name of the module, with or without a submodule.
    purpose : str
        Function that needs the library, as the beginning of the error message.

    Returns
    -------
    module
        Imported module.

    Raises
    ------
    CupysimError
        If the library is not installed. The message says how to install it.
    """
    name = library.split(".")[0]
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise CupysimError(
            f"{purpose} needs the library {name}: pip install 'cupysim[{EXTRAS[name]}]' ({error})"
        ) from error
