"""Files of CrystFEL: geometry files (.geom) and unit-cell files (.cell)."""

from cupysim.formats.crystfel.layout import CrystfelLayout, MaskLocation, PanelLayout
from cupysim.formats.crystfel.reader import read_geometry
from cupysim.formats.crystfel.unit_cell import CrystfelCell, read_cell
from cupysim.formats.crystfel.writer import write_geometry

__all__ = [
    "CrystfelCell",
    "CrystfelLayout",
    "MaskLocation",
    "PanelLayout",
    "read_cell",
    "read_geometry",
    "write_geometry",
]
