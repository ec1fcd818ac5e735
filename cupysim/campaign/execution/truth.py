"""Ground truth of the shots of a chunk, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cupysim.campaign.definition.campaign import CampaignDefinition
from cupysim.campaign.definition.names import SHARED
from cupysim.campaign.execution.written import Written
from cupysim.constants import ANGSTROM
from cupysim.formats.nexus.tree import Frames
from cupysim.models.experiment import Experiment
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.parameters import GROUPS, OF_ONE_PANEL, PARAMETERS, current

TruthColumn = tuple[np.ndarray, str]
"""Array of numbers, and their unit."""

OF_SHOTS, OF_CRYSTALS = (
    tuple(name for name, each in PARAMETERS.items() if each.told and each.of_crystal is of_crystal)
    for of_crystal in (False, True)
)
"""Names of the parameters that are stored for each shot, and for each crystal of a shot."""

SPOTS_BEGIN = "spots_begin"
"""Name of the column with the place where the spots of each shot begin among those of a chunk."""

DRAWN = "drawn_"
"""Prefix of the names of columns with drawn values."""


class Truth:
    """Collects the ground truth of the shots of a chunk.

    Parameters
    ----------
    campaign : CampaignDefinition
        Campaign that the shots belong to.
    count : int
        Number of shots.
    """

    def __init__(self, campaign: CampaignDefinition, count: int) -> None:
        self.campaign = campaign
        self._shots = np.zeros(count, dtype=np.int64)
        self._known: list[Written | None] = [None] * count

    def put(self, place: int, number: int, written: Written | None) -> None:
        """Add a shot at a place in the chunk; `written` is None if it could not be rendered."""
        self._shots[place], self._known[place] = number, written

    def frames(self) -> Frames:
        """Spindle angles and wavelengths of the images, for programs that read them."""
        base = self.campaign.experiment
        starts, wavelengths = [], []
        for written in self._known:
            experiment = base if written is None else written.shot.experiment
            starts.append(experiment.scan.start)
            wavelengths.append(experiment.sources.mean_wavelength)
        return Frames(len(starts), starts, np.array(wavelengths))

    def arrays(self) -> dict[str, TruthColumn]:
        """Make all columns. Numbers of crystals are along the second axis; missing ones are NaN."""
        known, count = self._known, len(self._known)
        shots = [written and written.shot for written in known]
        crystals = [shot.n_crystals if shot else 0 for shot in shots]
        most = max(1, *crystals)
        frames = self.frames()
        assert frames.starts is not None
        assert frames.wavelengths is not None
        matrices = np.full((count, most, 3, 3), np.nan)
        for place, shot in enumerate(shots):
            if shot:
                matrices[place, : crystals[place]] = shot.a_matrices
        found: dict[str, TruthColumn] = {
            "shot": (self._shots, ""),
            "failed": (np.array([written is None for written in known], dtype=np.uint8), ""),
            "noise_seed": (np.array([shot.noise_seed if shot else 0 for shot in shots]), ""),
            "crystals": (np.array(crystals, dtype=np.int32), ""),
            "photons": (np.array([each.photons if each else np.nan for each in known]), ""),
            "brightest": (np.array([each.brightest if each else np.nan for each in known]), ""),
            "a_matrix": (matrices, "1/angstrom"),
            "wavelength": (frames.wavelengths / ANGSTROM, "angstrom"),
            "phi": (np.degrees(frames.starts), "deg"),
        }
        for name in OF_SHOTS:
            values = [[_value(shot.experiment, name)] if shot else [] for shot in shots]
            found[name] = (_column(values), _unit(name))
        for name in OF_CRYSTALS:
            values = [
                [_value(each, name) for each in shot.experiments[: shot.n_crystals]] if shot else []
                for shot in shots
            ]
            found[name] = (_column(values), _unit(name))
        factors = {each.name for each in self.campaign.variations if each.mode == "times"}
        for name in sorted({name for shot in shots if shot for name in shot.drawn}):
            values = [shot.drawn.get(name, []) if shot else [] for shot in shots]
            found[DRAWN + name] = (_column(values), "" if name in factors else _unit(name))
        found |= self._spectra() | self._spots()
        return found

    def _spectra(self) -> dict[str, TruthColumn]:
        if self.campaign.spectra is None:
            return {}
        found = [
            None if each is None else each.shot.experiment.beam.spectrum for each in self._known
        ]
        # the same in all shards, even if a shot has fewer
        length = self.campaign.spectra.most_wavelengths
        wavelengths, weights = np.full((2, len(found), length), np.nan)
        for place, each in enumerate(found):
            if each is not None:
                weights[place, : len(each.weights)] = each.weights
                wavelengths[place, : len(each.weights)] = each.wavelengths / ANGSTROM
        return {"spectrum": (weights, ""), "spectrum_wavelength": (wavelengths, "angstrom")}

    def _spots(self) -> dict[str, TruthColumn]:
        if self.campaign.spots is None:
            return {}
        tables = [each.spots if each and each.spots is not None else None for each in self._known]
        lengths = [0 if table is None else len(table) for table in tables]
        there = [table for table in tables if table is not None]
        if not there:
            return {}
        return {
            "spots": (np.concatenate(there), ""),
            SPOTS_BEGIN: (np.concatenate([[0], np.cumsum(lengths)]), ""),
        }


def joined_truth(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Join the ground truth of several chunks.

    Parameters
    ----------
    parts : sequence of mapping
        Ground truth of each chunk, from `cupysim.formats.nexus.series.read_truth`.

    Returns
    -------
    dict of str to ndarray
        Arrays by name, with all shots along the first axis. If a shot has fewer crystals than
        another, the missing numbers are NaN.
    """
    names = dict.fromkeys(name for part in parts for name in part)
    found = {}
    for name in names:
        arrays = [part[name] for part in parts if name in part]
        if name == SPOTS_BEGIN:
            # each array begins with zero and ends with the number of spots
            ends = np.cumsum([0, *(int(array[-1]) for array in arrays)])
            begins = [array[:-1] + end for array, end in zip(arrays, ends, strict=False)]
            found[name] = np.concatenate([*begins, ends[-1:]])
        else:
            found[name] = _joined(arrays)
    return found


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Concatenate arrays; shorter ones are filled up with NaN along the other axes."""
    n_axes = max(array.ndim for array in arrays)
    arrays = [array[:, None] if array.ndim < n_axes else array for array in arrays]
    lengths = np.max([array.shape[1:] for array in arrays], axis=0, initial=0)
    filled = []
    for array in arrays:
        more = [(0, 0), *((0, int(n) - m) for n, m in zip(lengths, array.shape[1:], strict=True))]
        needs_more = any(after for _, after in more)
        filled.append(np.pad(array, more, constant_values=np.nan) if needs_more else array)
    return np.concatenate(filled)


def _value(experiment: Experiment, name: str) -> float:
    if name in OF_ONE_PANEL and isinstance(experiment.detector, PanelDetector):
        # the file with the geometry places the panels
        return float("nan")
    return current(experiment, name) / PARAMETERS[name].size


def _column(values: Sequence[Sequence[float]]) -> np.ndarray:
    """Make a column with a number of each shot or of each crystal; missing ones are NaN."""
    column = np.full((len(values), max(1, *map(len, values))), np.nan)
    for place, numbers in enumerate(values):
        column[place, : len(numbers)] = numbers
    return column if column.shape[1] > 1 else column[:, 0]


def _unit(name: str) -> str:
    """Unit of a parameter as NeXus writes it, where A is the ampere."""
    name = SHARED.get(name, (name,))[0]
    shown = PARAMETERS[name if name in PARAMETERS else GROUPS["misset"][0]].shown_unit
    return "angstrom" if shown == "A" else shown
