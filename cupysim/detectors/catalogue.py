"""The figures of real detectors, each with its source, from the file detectors.toml."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from cupysim.errors import CupysimError

FILE = "detectors.toml"

KINDS = ("counting", "integrating", "ccd")
"""How a detector responds: it counts photons, integrates charge, or images a phosphor."""

FIGURES = (
    "kind", "pixels", "pixel", "modules", "module_pixels", "gap", "chip_pixels", "chip_gap",
    "diameter", "sensor", "thickness", "saturation", "gain", "frame_rate", "layout",
)  # fmt: skip
"""Names of all figures that a detector may have, in the order in which they are printed."""


@dataclass(frozen=True)
class Entry:
    """A detector of the file.

    Parameters
    ----------
    name : str
        Name of the detector, for `named_detector`.
    title : str
        Name as its maker writes it.
    figures : mapping of str
        Figures by their names (`FIGURES`), in SI units.
    sources : mapping of str
        Source of each figure.
    note : str
        Treatment of properties that panels cannot describe.
    layout : mapping of str, optional
        Places of the modules of a detector with several panels, as the file has them.
    """

    name: str
    title: str
    figures: Mapping[str, Any]
    sources: Mapping[str, str]
    note: str
    layout: Mapping[str, Any] | None = None

    @property
    def pixels(self) -> tuple[int, int]:
        """Fast and slow pixels of a panel."""
        fast, slow = self.figures["pixels"]
        return int(fast), int(slow)

    @property
    def pixel(self) -> float:
        """Edge of a pixel (m)."""
        return float(self.figures["pixel"])

    @property
    def sensor(self) -> str | None:
        """Chemical formula of the sensor; None if the file does not name it."""
        return self.figures.get("sensor")

    @property
    def thickness(self) -> float | None:
        """Thickness of the sensor (m); None if the file does not give it."""
        return self.figures.get("thickness")

    @property
    def saturation(self) -> float:
        """Largest number of a pixel; infinite if the file does not give it."""
        return float(self.figures.get("saturation", float("inf")))

    @property
    def gain(self) -> float:
        """Counts per photon; 1 if the file does not give it."""
        return float(self.figures.get("gain", 1.0))


def detector_names() -> tuple[str, ...]:
    """Names of all detectors, in the order of the file.

    Returns
    -------
    tuple of str
        Names that `named_detector` accepts.
    """
    return tuple(_entries())


def find_entry(name: str) -> Entry:
    """The detector of a name.

    Parameters
    ----------
    name : str
        Name of a detector. Capital letters, blanks and underscores are accepted.

    Returns
    -------
    Entry
        Its figures.

    Raises
    ------
    CupysimError
        If there is no such detector. The message lists similar names.
    """
    entries = _entries()
    plain = "-".join(str(name).lower().replace("_", " ").replace("-", " ").split())
    if plain in entries:
        return entries[plain]
    near = difflib.get_close_matches(plain, entries, n=4, cutoff=0.5)
    hint = f"similar names: {', '.join(near)}" if near else f"there are {', '.join(entries)}"
    raise CupysimError(f"there is no detector {name!r}; {hint}")


@cache
def _entries() -> Mapping[str, Entry]:
    text = resources.files("cupysim.detectors").joinpath(FILE).read_text(encoding="utf-8")
    file = tomllib.loads(text)
    found = {name: _entry(name, table, file) for name, table in file["detectors"].items()}
    return MappingProxyType(found)


def _entry(name: str, table: Mapping[str, Any], file: Mapping[str, Any]) -> Entry:
    """Make an entry. Figures and sources that it lacks are those of its family."""
    family = file["families"].get(table.get("family"), {})
    all_figures = {**family, **table}
    keys = {**family.get("source", {}), **table.get("source", {})}
    figures = {figure: all_figures[figure] for figure in FIGURES if figure in all_figures}
    return Entry(
        name=name,
        title=table["title"],
        figures=MappingProxyType(figures),
        sources=MappingProxyType({figure: file["sources"][keys[figure]] for figure in figures}),
        note=all_figures.get("note", ""),
        layout=file["layouts"][figures["layout"]] if "layout" in figures else None,
    )
