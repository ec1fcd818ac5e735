"""Structure files which tests make, and what they must give."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "examples" / "1orc" / "1orc.pdb"
CELL = (30.0, 40.0, 50.0, 90.0, 100.0, 90.0)
GROUP = "C 1 2 1"
"""A centred monoclinic group: hkl and h -k l are equivalent, hkl and -h k -l Friedel mates."""


def unique_reflections(dmin: float = 4.0) -> np.ndarray:
    """Miller indices of the asymmetric unit, shape (n, 3)."""
    return np.asarray(gemmi.make_miller_array(gemmi.UnitCell(*CELL), gemmi.SpaceGroup(GROUP), dmin))


def amplitudes_of(hkl: np.ndarray) -> np.ndarray:
    """Numbers which tell reflections apart, whole numbers in float32."""
    h, k, l = np.abs(np.asarray(hkl)).T
    return 100.0 + 37.0 * h + 11.0 * k + 3.0 * l


def write_mtz(path: Path, columns: dict[str, tuple[str, np.ndarray]], hkl: np.ndarray) -> Path:
    """An MTZ file with columns of given types."""
    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup = gemmi.SpaceGroup(GROUP)
    mtz.set_cell_for_all(gemmi.UnitCell(*CELL))
    mtz.add_dataset("data")
    for label, (kind, _) in columns.items():
        mtz.add_column(label, kind)
    values = [np.asarray(values, dtype=np.float32) for _, values in columns.values()]
    mtz.set_data(np.column_stack([np.asarray(hkl, dtype=np.float32), *values]))
    mtz.write_to_file(str(path))
    return path


def usual_mtz(path: Path) -> Path:
    """F and its standard deviation."""
    hkl = unique_reflections()
    f = amplitudes_of(hkl)
    return write_mtz(path, {"FP": ("F", f), "SIGFP": ("Q", 0.1 * f)}, hkl)


def equivalents(hkl: np.ndarray) -> list[np.ndarray]:
    """Indices with the same amplitude in `GROUP`, those of Friedel mates in the second half."""
    h, k, l = np.asarray(hkl).T
    same = [np.stack([h, k, l], axis=1), np.stack([-h, k, -l], axis=1)]
    return [*same, *(-each for each in same)]
