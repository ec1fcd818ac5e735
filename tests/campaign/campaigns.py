"""Small campaigns."""

from __future__ import annotations

from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  # reads what it compressed
import numpy as np

from cupysim.campaign.definition.campaign import CampaignDefinition
from cupysim.campaign.definition.campaign_file import read_campaign
from cupysim.campaign.execution.folder import Folder, create_folder
from cupysim.campaign.execution.runs import finish, run_here
from cupysim.campaign.execution.shards import Shard

BASE = (
    "-cell 50 60 70 80 90 100 -default_F 100 -lambda 1 -N 5 -mosaic 0.5 -mosaic_dom 3 "
    "-distance 60 -detpixels 24 -pixel 2 -oversample 1 -fluence 1e27 -water 1 -corrected"
)
VARY = """\
orientation = "uniform"
edges = { normal = [1.0, 0.01], mode = "times" }
fluence = { gamma = [1.0, 3], mode = "times" }
"""
DATA = "/entry/data/data"


def text(
    vary: str = VARY, shots: int = 7, base: str = BASE, output: str = "images_per_file = 3",
    more: str = "",
) -> str:  # fmt: skip
    return (
        f"[campaign]\nshots = {shots}\nseed = 5\n[base]\narguments = '{base}'\n"
        f"[vary]\n{vary.strip()}\n"
        f"[output]\n{output}\n{more}\n"
    )


def campaign_of(
    folder: Path, content: str | None = None, name: str = "small.toml"
) -> CampaignDefinition:
    path = folder / name
    path.write_text(text() if content is None else content)
    return read_campaign(path)


def finished(folder: Path, content: str | None = None, out: str = "out") -> Folder:
    """A campaign, run in this process."""
    made = create_folder(str(folder / out), campaign_of(folder, content))
    run_here(made, Shard(), 1)
    assert finish(made)
    return made


def images(folder: Folder) -> np.ndarray:
    with h5py.File(folder.master) as file:
        return file[DATA][()]
