"""Where the panels of a CrystFEL geometry file are in the image files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cupysim.errors import ModelError
from cupysim.models.panel_detector import PanelDetector

DATA = "/data/data"
"""Data set of panels for which a file names none."""

DIMENSIONS = ("ss", "fs")
"""Axes of a data set for which a file names none."""

MASK = "mask"
"""Data set for masks, beside the data, unless a layout names another."""


@dataclass(frozen=True)
class MaskLocation:
    """A mask of a panel, as the file names it.

    Parameters
    ----------
    number : int
        Number N of the key ``maskN_data``, from 0 to 7.
    data : str
        Data set, in the file `file` or in the image file.
    file : str, optional
        File name as written; None for the image file.
    good, bad : int
        Bits. A pixel is bad if not all good bits are set, or if a bad bit is set.
    """

    number: int
    data: str
    file: str | None = None
    good: int = 0
    bad: int = 0


@dataclass(frozen=True)
class PanelLayout:
    """Where the pixels of a panel are in an image file.

    Parameters
    ----------
    corner : tuple of 2 int
        First fast and slow pixel in the array.
    data : str
        Data set. ``%`` stands for a part of the path that differs between shots.
    dims : tuple of str
        Axes of the data set: ``ss``, ``fs``, ``%`` (shots), or a number (index).
    masks : tuple of MaskLocation
        Masks that the file names.
    flags : tuple of (str, float)
        Keys ``flag_lessthan``, ``flag_morethan`` and ``flag_equal`` with their values.
    no_index : bool
        CrystFEL does not use the panel.
    """

    corner: tuple[int, int] = (0, 0)
    data: str = DATA
    dims: tuple[str, ...] = DIMENSIONS
    masks: tuple[MaskLocation, ...] = ()
    flags: tuple[tuple[str, float], ...] = ()
    no_index: bool = False


@dataclass(frozen=True)
class CrystfelLayout:
    """The layout of image files, and what else a geometry file says beside the geometry.

    Parameters
    ----------
    panels : mapping of str to PanelLayout
        Panels by name.
    bandwidth : float, optional
        Relative bandwidth. It is a standard deviation for indexing, and a full width in
        pattern_sim.
    peak_list, peak_list_type : str, optional
        Path of peak lists, and their format ("auto", "cxi" or "list3").
    collections : mapping of str to tuple of str
        Sets of rigid groups (``rigid_group_collection_NAME``) of CrystFEL 0.10.
    """

    panels: Mapping[str, PanelLayout]
    bandwidth: float | None = None
    peak_list: str | None = None
    peak_list_type: str | None = None
    collections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def slab(
        cls,
        detector: PanelDetector,
        data: str = DATA,
        dims: tuple[str, ...] = DIMENSIONS,
        masks: tuple[MaskLocation, ...] = (),
    ) -> CrystfelLayout:
        """All panels below each other in one array.

        Parameters
        ----------
        detector : PanelDetector
            Detector.
        data : str, optional
            Data set.
        dims : tuple of str, optional
            Axes of the data set, such as ``("%", "ss", "fs")`` for a file with many shots.
        masks : tuple of MaskLocation, optional
            Masks of all panels.
        """
        panels = {}
        row = 0
        for panel in detector:
            panels[panel.name] = PanelLayout((0, row), data, dims, masks)
            row += panel.n_slow
        return cls(panels)

    def of(self, name: str) -> PanelLayout:
        """The layout of a panel.

        Parameters
        ----------
        name : str
            Name of the panel.

        Raises
        ------
        ModelError
            If the layout has no such panel.
        """
        if name not in self.panels:
            raise ModelError(f"layout: it has no panel {name!r}")
        return self.panels[name]


def mask_path(place: PanelLayout) -> str:
    """The data set of a panel's mask in an image file.

    Parameters
    ----------
    place : PanelLayout
        Layout of the panel.

    Returns
    -------
    str
        Path of the first mask that the layout has in the image file, otherwise `MASK` beside the
        data.

    Examples
    --------
    >>> mask_path(PanelLayout(data="/entry_1/data_1/data"))
    '/entry_1/data_1/mask'
    """
    named = (mask.data for mask in place.masks if mask.file is None)
    return next(named, f"{place.data.rpartition('/')[0]}/{MASK}")
