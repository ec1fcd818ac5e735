"""Bad pixels in CrystFEL geometry files: regions, edges, and masks in HDF5 files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.crystfel.layout import MaskLocation
from cupysim.formats.crystfel.panels import RawPanel
from cupysim.formats.crystfel.syntax import Owner
from cupysim.formats.crystfel.values import Values


@dataclass(frozen=True)
class Region:
    """A rectangle of bad pixels.

    Parameters
    ----------
    name : str
        Name of the region.
    panel : str, optional
        Panel; None for all panels.
    in_data : bool
        Limits are pixel numbers in the array of the file, inclusive. Otherwise they are x and y
        in the laboratory (pixels), exclusive.
    low, high : tuple of 2 float
        Limits: fast and slow, or x and y.
    """

    name: str
    panel: str | None
    in_data: bool
    low: tuple[float, float]
    high: tuple[float, float]


def read_regions(
    path: object, owners: Mapping[str, Owner], panels: Mapping[str, RawPanel]
) -> list[Region]:
    """Interpret the bad regions of a file.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    owners : mapping of str to Owner
        Regions by name.
    panels : mapping of str to RawPanel
        Panels by name.

    Raises
    ------
    FileFormatError
        If a region has no limits, or is not within its panel.
    """
    return [_region(path, name, owner, panels) for name, owner in owners.items()]


def _region(path: object, name: str, owner: Owner, panels: Mapping[str, RawPanel]) -> Region:
    values = Values(path, name, owner.line, owner.settings)
    limits = set(owner.settings) - {"panel"}
    in_data, in_space = (
        {f"{end}_{axis}" for end in ("min", "max") for axis in axes}
        for axes in (("fs", "ss"), ("x", "y"))
    )
    if limits & in_data and limits & in_space:
        raise values.error(f"{name}: limits in fs and ss together with limits in x and y")
    wanted = in_data if limits & in_data else in_space
    if limits != wanted:
        missing = ", ".join(sorted(wanted - limits)) if limits else "min_fs, max_fs, ..."
        raise values.error(f"{name}: the bad region has no {missing}")
    panel = None
    if "panel" in owner.settings:
        panel = owner.settings["panel"].text
        if panel not in panels:
            raise values.error(f"{values.name('panel')}: there is no panel {panel!r}", "panel")
    axes = ("fs", "ss") if wanted is in_data else ("x", "y")
    read = values.whole if wanted is in_data else values.number
    low, high = (tuple(float(read(f"{end}_{axis}")) for axis in axes) for end in ("min", "max"))
    for axis, smallest, largest in zip(axes, low, high, strict=True):
        if largest < smallest:
            told = f"{name}: max_{axis} is {largest:g}, below min_{axis}, which is {smallest:g}"
            raise values.error(told, f"max_{axis}")
    if wanted is in_data:
        if panel is None and len(panels) > 1:
            told = f"{values.name('panel')} is missing; there are {len(panels)} panels"
            raise values.error(told)
        panel = panel or next(iter(panels))
        _check_within(values, panels[panel], low, high)
    return Region(name, panel, wanted is in_data, (low[0], low[1]), (high[0], high[1]))


def _check_within(
    values: Values, panel: RawPanel, low: Sequence[float], high: Sequence[float]
) -> None:
    sizes = (panel.n_fast, panel.n_slow)
    for axis, start, size, smallest, largest in zip(
        ("fs", "ss"), panel.layout.corner, sizes, low, high, strict=True
    ):
        if smallest < start or largest > start + size - 1:
            told = (
                f"{values.owner}: {smallest:g} to {largest:g} along {axis} is not within panel "
                f"{panel.name}, which has {start} to {start + size - 1}"
            )
            raise values.error(told, f"max_{axis}")


class MaskReader:
    """Makes the mask of each panel, and reads each mask array once.

    Parameters
    ----------
    path : path_like
        Geometry file. Names of mask files are relative to its folder, or to the current one.
    regions : sequence of Region
        Bad regions.
    shift : tuple of 2 float
        Shift of all panels along x and y (m).
    """

    def __init__(
        self,
        path: os.PathLike[str] | str,
        regions: Sequence[Region],
        shift: tuple[float, float],
    ) -> None:
        self.path = path
        self.regions = regions
        self.shift = shift
        self.remarks: dict[str, None] = {}
        self._arrays: dict[tuple[str, str], np.ndarray] = {}

    def of(self, panel: RawPanel) -> np.ndarray | None:
        """The mask of a panel.

        Parameters
        ----------
        panel : RawPanel
            The panel.

        Returns
        -------
        ndarray of bool, shape (n_slow, n_fast), or None
            True for good pixels; None if all are good.

        Raises
        ------
        FileFormatError
            If a mask file is missing, or the mask does not have the panel's pixels.
        """
        bad = np.zeros((panel.n_slow, panel.n_fast), dtype=bool)
        edge = panel.edge
        if edge:
            bad[:edge], bad[:, :edge] = True, True
            bad[-edge:], bad[:, -edge:] = True, True
        for location in panel.layout.masks:
            self._add_mask(bad, panel, location)
        for region in self.regions:
            if region.panel in (None, panel.name):
                _add_region(bad, panel, region, self.shift)
        return ~bad if bad.any() else None

    def _add_mask(self, bad: np.ndarray, panel: RawPanel, location: MaskLocation) -> None:
        key = f"mask{location.number}_data"
        if location.file is None:
            self.remarks[f"{key}: {location.data} is in the image files, and is not used"] = None
            return
        if "%" in location.data:
            told = f"{key}: {location.data} differs between shots, and is not used"
            self.remarks[told] = None
            return
        values = self._part(panel, location)
        good_bits, bad_bits = (
            np.array(bits, dtype=np.uint64) for bits in (location.good, location.bad)
        )
        bad |= ((values & good_bits) != good_bits) | ((values & bad_bits) != 0)

    def _part(self, panel: RawPanel, location: MaskLocation) -> np.ndarray:
        """The values of the mask of a panel, shape (n_slow, n_fast)."""
        assert location.file is not None
        array = self._array(location.file, location.data, panel.line)
        dims = panel.layout.dims
        if array.ndim == len(dims) - 1 and "%" in dims:
            dims = tuple(word for word in dims if word != "%")
        what = f"panel {panel.name}: its mask {location.data} in {location.file}"
        if array.ndim != len(dims):
            problem = f"{what} has {array.ndim} dimensions; {len(dims)} are expected"
            raise FileFormatError(self.path, problem, panel.line)
        place: list[int | slice] = []
        for word, size in zip(dims, array.shape, strict=True):
            if word in ("fs", "ss"):
                start = panel.layout.corner[word == "ss"]
                count = panel.n_slow if word == "ss" else panel.n_fast
                place.append(slice(start, start + count))
                last = start + count
            elif word == "%":
                if size != 1:
                    problem = f"{what} has {size} shots; one mask for all shots is expected"
                    raise FileFormatError(self.path, problem, panel.line)
                place.append(0)
                last = 1
            else:
                place.append(int(word))
                last = int(word) + 1
            if last > size:
                problem = f"{what} has the shape {array.shape}, too small for the panel"
                raise FileFormatError(self.path, problem, panel.line)
        return array[tuple(place)]

    def _array(self, name: str, data: str, line: int) -> np.ndarray:
        """An array of a mask file, as unsigned integers."""
        if (name, data) in self._arrays:
            return self._arrays[name, data]
        import h5py

        beside = Path(os.fspath(self.path)).parent / name
        file = beside if beside.is_file() else Path(name)
        if not file.is_file():
            raise FileFormatError(self.path, f"the mask file {name} does not exist", line)
        try:
            with h5py.File(file, "r") as opened:
                array = np.asarray(opened[data][()])
        except (OSError, KeyError, TypeError, AttributeError) as error:
            problem = f"the mask {data} of {name} cannot be read ({error})"
            raise FileFormatError(self.path, problem, line) from error
        if array.dtype.kind not in "iub":
            problem = f"the mask {data} of {name} holds no integers"
            raise FileFormatError(self.path, problem, line)
        # negative numbers keep their bits
        array = array.astype(np.int64).view(np.uint64) if array.dtype.kind == "i" else array
        self._arrays[name, data] = array.astype(np.uint64)
        return self._arrays[name, data]


def _add_region(
    bad: np.ndarray, panel: RawPanel, region: Region, shift: tuple[float, float]
) -> None:
    if region.in_data:
        start_fast, start_slow = panel.layout.corner
        rows = slice(int(region.low[1]) - start_slow, int(region.high[1]) - start_slow + 1)
        columns = slice(int(region.low[0]) - start_fast, int(region.high[0]) - start_fast + 1)
        bad[rows, columns] = True
        return
    slow, fast = np.ogrid[: panel.n_slow, : panel.n_fast]
    within = np.ones_like(bad)
    for axis in (0, 1):
        corner = panel.corner[axis] + shift[axis] / panel.pitch
        place = corner + fast * panel.fast[axis] + slow * panel.slow[axis]
        within = within & (place > region.low[axis]) & (place < region.high[axis])
    bad |= within
