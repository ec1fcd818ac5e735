"""Which backend computes an image."""

from __future__ import annotations

from cupysim.errors import CupysimError
from cupysim.render import reference
from cupysim.render.result import Backend

BACKENDS: dict[str, Backend] = {"numpy": reference.render}
"""The backends by name."""


def available_backends() -> list[str]:
    """Names of the backends which work on this machine."""
    return list(BACKENDS)


def select_backend(name: str) -> Backend:
    """A backend by its name.

    Parameters
    ----------
    name : str
        One of `available_backends`, or "auto" for the fastest of them.

    Returns
    -------
    callable
        The backend.

    Raises
    ------
    CupysimError
        If there is no such backend.
    """
    if name == "auto":
        return BACKENDS["numpy"]
    if name not in BACKENDS:
        raise CupysimError(
            f"backend {name!r}: expected auto or one of {', '.join(available_backends())}"
        )
    return BACKENDS[name]
