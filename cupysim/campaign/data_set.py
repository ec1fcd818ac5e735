"""The class `Campaign`: render, resume and read a data set of many shots from Python."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from cupysim.campaign.definition.campaign import CampaignDefinition
from cupysim.campaign.definition.campaign_file import read_campaign
from cupysim.campaign.definition.quirk_warnings import warn_of_quirks
from cupysim.campaign.definition.shots import draw_shot
from cupysim.campaign.execution.chunks import open_chunk
from cupysim.campaign.execution.export import read_image
from cupysim.campaign.execution.folder import RECORD, Folder, create_folder, open_folder
from cupysim.campaign.execution.runs import finish, progress, run_here, run_processes
from cupysim.campaign.execution.shards import Shard
from cupysim.campaign.execution.truth import joined_truth
from cupysim.errors import CupysimError, CupysimWarning
from cupysim.formats.nexus.series import read_truth, read_units
from cupysim.models.experiment import Experiment
from cupysim.storage.toml_text import toml_text

NAME = "campaign"
"""Name of a campaign that is given as a mapping without a name."""


class Campaign:
    """A data set of many shots.

    The shots are rendered into a folder of HDF5 files, in chunks. Finished files stay if the
    program ends; `run` then continues.

    Parameters
    ----------
    source : path_like or mapping
        Campaign file (TOML), its content as a mapping of tables, or the folder of a campaign that
        was begun.
    folder : path_like, optional
        Folder for the images; if not given, it has the name of the campaign.

    Raises
    ------
    CupysimError
        If the file is wrong, or the folder holds another campaign.

    Examples
    --------
    Twenty stills in random orientations::

        campaign = Campaign(
            {
                "campaign": {"shots": 20, "seed": 1},
                "base": {"arguments": "-cell 70 80 90 -default_F 100 -N 20 -corrected"},
                "vary": {"orientation": "uniform"},
            },
            "stills",
        )
        campaign.run(processes=2)
        campaign.truth["a_matrix"].shape  # (20, 1, 3, 3)
        campaign.image(3)  # counted photons of shot 3
    """

    def __init__(
        self,
        source: os.PathLike[str] | str | Mapping[str, Any],
        folder: os.PathLike[str] | str | None = None,
    ) -> None:
        self._folder: Folder | None = None
        if isinstance(source, Mapping):
            definition = read_campaign(f"{NAME}.toml", text=toml_text(source))
        elif os.path.isdir(source):
            if folder is not None:
                raise CupysimError(
                    "campaign: the source is the folder of a campaign; do not give another folder"
                )
            self._folder = open_folder(os.fspath(source))
            definition = self._folder.campaign
        else:
            definition = read_campaign(source)
        self._definition: CampaignDefinition = definition
        self._path = os.path.abspath(
            self._folder.path if self._folder is not None else folder or definition.name
        )
        if self._folder is None and os.path.exists(os.path.join(self._path, RECORD)):
            self._folder = create_folder(self._path, definition)

    def __repr__(self) -> str:
        return f"<cupysim.Campaign: {self.n_done} of {self.n_shots} shots in {self.path}>"

    @property
    def path(self) -> str:
        """Folder of the images."""
        return self._path

    @property
    def n_shots(self) -> int:
        """Number of shots."""
        return self._definition.n_shots

    @property
    def n_done(self) -> int:
        """Number of shots in finished files."""
        return 0 if self._folder is None else progress(self._folder).done

    @property
    def failures(self) -> dict[int, str]:
        """Numbers of the shots that could not be rendered, and their error messages."""
        if self._folder is None:
            return {}
        return {each["shot"]: each["error"] for each in self._folder.failures()}

    @property
    def master(self) -> str:
        """Name of the HDF5 file (NXmx) that shows all images; it exists when all are done."""
        return self._begun().master

    def run(
        self,
        processes: int = 1,
        threads: int | None = None,
        listener: Callable[[int, int], object] | None = None,
    ) -> Campaign:
        """Render all shots that are missing.

        Parameters
        ----------
        processes : int, optional
            Number of processes that share the work; with 1, this process renders.
        threads : int, optional
            Threads of the host backend in each process; if not given, one for each core.
        listener : callable, optional
            Function that several processes call from time to time, with the numbers of finished
            shots and of all shots.

        Returns
        -------
        Campaign
            This object. If shots could not be rendered, there is a `CupysimWarning`.

        Raises
        ------
        CupysimError
            If something cannot be written, or a process ends with an error.
        """
        if processes < 1:
            raise CupysimError(f"campaign: {processes} processes; expected at least 1")
        if self._folder is None:
            self._folder = create_folder(self._path, self._definition)
        folder, shard = self._folder, Shard()
        left = [number for number in shard.chunks(folder) if not folder.is_done(number)]
        if left:
            warn_of_quirks(self._definition)
        if processes > 1 and len(left) > 1:
            run_processes(
                folder, shard, min(processes, len(left)), threads,
                lambda: listener and listener(self.n_done, self.n_shots),
            )  # fmt: skip
        elif left:
            run_here(folder, shard, threads)
        finish(folder)
        self.__dict__.pop("truth", None)
        if self.failures:
            warnings.warn(
                CupysimWarning(
                    f"{len(self.failures)} of {self.n_shots} shots could not be rendered; "
                    "campaign.failures says why"
                ),
                stacklevel=2,
            )
        return self

    def shot(self, number: int) -> tuple[Experiment, ...]:
        """Draw the experiments of a shot, whether it is rendered or not.

        Parameters
        ----------
        number : int
            Number of the shot, from 0.

        Returns
        -------
        tuple of Experiment
            One for each crystal. A shot without crystals has one experiment, without structure
            factors.

        Raises
        ------
        CupysimError
            If there is no such shot, or the drawn values are impossible.
        """
        if not 0 <= number < self.n_shots:
            raise CupysimError(f"shot {number}: there are {self.n_shots} shots, numbered from 0")
        return draw_shot(self._definition, number).experiments

    def image(self, number: int) -> np.ndarray:
        """Read the image of a shot.

        Parameters
        ----------
        number : int
            Number of the shot, from 0.

        Returns
        -------
        ndarray of int32 or float32, shape (n_slow, n_fast)
            Counted or expected photons, as the campaign writes them.

        Raises
        ------
        CupysimError
            If there is no such shot, or its file is not finished.
        """
        return read_image(self._begun(), number)

    def images(self) -> Iterator[np.ndarray]:
        """Read the images of all shots, one after the other.

        Yields
        ------
        ndarray of int32 or float32, shape (n_slow, n_fast)
            Counted or expected photons, as the campaign writes them.
        """
        for number in range(self.n_shots):
            yield self.image(number)

    @cached_property
    def truth(self) -> dict[str, np.ndarray]:
        """Ground truth of all shots in finished files, along the first axis of each array.

        The units are in `truth_units`, the names in docs/formats.md. If a shot has fewer crystals
        than another, the missing numbers are NaN.
        """
        folder = self._begun()
        parts = []
        for number in folder.done():
            with open_chunk(folder, number) as file:
                parts.append(read_truth(file))
        return joined_truth(parts) if parts else {}

    @property
    def truth_units(self) -> dict[str, str]:
        """Units of the ground truth by name; empty for numbers without a unit."""
        folder = self._begun()
        for number in folder.done():
            with open_chunk(folder, number) as file:
                return read_units(file)
        return {}

    def _begun(self) -> Folder:
        if self._folder is None:
            raise CupysimError("campaign: it has not been started; run() starts it")
        return self._folder
