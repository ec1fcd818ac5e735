"""The folder of a campaign: places of its files, and chunks that are done.

A chunk is done when its file exists. The file gets its name by one link, after it is complete. No
other record of finished chunks is needed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

import cupysim
from cupysim.campaign.definition.campaign import CampaignDefinition
from cupysim.campaign.definition.campaign_file import read_campaign, read_outline
from cupysim.detection.response import Response
from cupysim.detection.response_text import response_from_text
from cupysim.errors import CupysimError, CupysimWarning
from cupysim.formats.nexus.reader import hdf5_file
from cupysim.formats.nexus.series import SHOTS
from cupysim.formats.nexus.stored_models import restore
from cupysim.formats.nexus.tree import RESPONSE
from cupysim.models.experiment import Experiment
from cupysim.storage.patient_file import PatientFile
from cupysim.storage.safe_writing import OutputError, OutputFiles

FILE, RECORD = "campaign.toml", "campaign.json"
CHUNKS, CLAIMS, FAILURES = "chunks", "claims", "failures"
PART = ".part"
"""Suffix of files that are not complete yet."""


class Folder:
    """Folder that a campaign is written to.

    Parameters
    ----------
    path : str
        Name of the folder.
    campaign : CampaignDefinition
        Contents of the campaign file.
    identity : str
        Digest of the campaign file and of the input files.
    has_inputs : bool, optional
        Whether the input files are there; shots cannot be rendered without them.
    """

    def __init__(
        self, path: str, campaign: CampaignDefinition, identity: str, has_inputs: bool = True
    ) -> None:
        self.path = os.path.abspath(path)
        self.identity = identity
        self.has_inputs = has_inputs
        self.campaign = campaign
        self._digits = max(5, len(str(campaign.n_chunks - 1)))

    @property
    def master(self) -> str:
        """Name of the file that shows all images."""
        return os.path.join(self.path, f"{self.campaign.name}.h5")

    def chunk(self, number: int) -> str:
        """Name of the file of a chunk."""
        name = f"{self.campaign.name}_{number:0{self._digits}d}.h5"
        return os.path.join(self.path, CHUNKS, name)

    def claim(self, number: int) -> str:
        """Name of the claim on a chunk; the number after the last chunk is for the master file."""
        return os.path.join(self.path, CLAIMS, f"{number:0{self._digits}d}")

    @property
    def takeovers(self) -> str:
        """Name of the file that is locked while a claim is taken over."""
        return os.path.join(self.path, CLAIMS, "takeovers")

    def failure(self, number: int) -> str:
        """Name of the file with the shots of a chunk that could not be rendered."""
        return os.path.join(self.path, FAILURES, f"{number:0{self._digits}d}.json")

    def prepare(self) -> None:
        """Make the folder and its subfolders.

        Raises
        ------
        OutputError
            If a folder cannot be made.
        """
        for name in ("", CHUNKS, CLAIMS):
            path = os.path.join(self.path, name)
            try:
                os.makedirs(path, exist_ok=True)
            except OSError as error:
                raise OutputError(path, error.strerror or str(error)) from error

    def is_done(self, number: int) -> bool:
        """Whether a chunk is complete."""
        return os.path.lexists(self.chunk(number))

    def done(self) -> list[int]:
        """Numbers of the chunks that are complete."""
        found = []
        before, after = f"{self.campaign.name}_", ".h5"
        for name in _listed(os.path.join(self.path, CHUNKS)):
            number = name.removeprefix(before).removesuffix(after)
            if number.isdecimal() and name == f"{before}{int(number):0{self._digits}d}{after}":
                found.append(int(number))
        return sorted(number for number in found if number < self.campaign.n_chunks)

    def claimed(self) -> list[int]:
        """Numbers of the chunks that have a claim, even an abandoned one."""
        found = []
        for name in _listed(os.path.join(self.path, CLAIMS)):
            if name.isdecimal():
                found.append(int(name))
        return sorted(found)

    def failures(self) -> list[dict[str, Any]]:
        """All shots that could not be rendered: their numbers and error messages."""
        found: list[dict[str, Any]] = []
        folder = os.path.join(self.path, FAILURES)
        for name in sorted(_listed(folder)):
            if name.endswith(".json"):
                path = os.path.join(folder, name)
                try:
                    with open(path, encoding="utf-8") as stream:
                        listed = json.load(stream)
                    found += [
                        {"shot": int(each["shot"]), "error": str(each["error"])} for each in listed
                    ]
                except FileNotFoundError:
                    continue
                except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
                    raise CupysimError(f"{path}: damaged: {error}") from error
        return found

    def forget_failures(self, number: int) -> None:
        """Remove the failures of a chunk, before it is rendered again."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.failure(number))

    def remove_parts(self, target: str) -> None:
        """Remove incomplete versions of a file that other processes left."""
        folder, name = os.path.split(target)
        _remove(folder, f".{name}.")

    def remove_all_parts(self) -> None:
        """Remove incomplete versions of all chunks, when all chunks are done."""
        _remove(os.path.join(self.path, CHUNKS), ".")

    @contextlib.contextmanager
    def new_file(self, target: str) -> Iterator[PatientFile]:
        """Open a new file. It gets its name at the end, unless an error occurs or the name exists.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        folder, name = os.path.split(target)
        part = os.path.join(folder, f".{name}.{os.getpid()}.{os.urandom(4).hex()}{PART}")
        try:
            try:
                with PatientFile(part) as file:
                    yield file
                    file.finish()
                _publish(part, target)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(part)
        except OSError as error:
            raise OutputError(target, error.strerror or str(error)) from error

    def write(self, path: str, writer: Callable[[BinaryIO], object]) -> None:
        """Write another file, completely or not at all, and wait until it is on the disk."""
        os.makedirs(os.path.dirname(path), exist_ok=True)

        def write(stream: BinaryIO) -> None:
            writer(stream)
            stream.flush()
            os.fsync(stream.fileno())

        with OutputFiles() as files:
            files.write(path, write)


def _publish(part: str, target: str) -> None:
    """Give a file its name. If another file has the name, it has the same content and stays."""
    try:
        os.link(part, target)
    except FileExistsError:
        return
    except OSError:
        # a file system without links
        if not os.path.lexists(target):
            os.rename(part, target)


def _remove(folder: str, beginning: str) -> None:
    for name in _listed(folder):
        if name.startswith(beginning) and name.endswith(PART):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
            return []
        raise OutputError(folder, error.strerror or str(error)) from error


def create_folder(path: str, campaign: CampaignDefinition) -> Folder:
    """Make the folder of a campaign, or open it if it exists.

    Parameters
    ----------
    path : str
        Name of the folder.
    campaign : CampaignDefinition
        Contents of the campaign file.

    Returns
    -------
    Folder
        Folder with the campaign file and the digests of its inputs.

    Raises
    ------
    CupysimError
        If the folder holds another campaign, or cannot be made.
    """
    path = os.path.abspath(path)
    if os.path.exists(os.path.join(path, RECORD)):
        there = open_folder(path)
        if there.campaign.text != campaign.text:
            raise CupysimError(
                f"{path} holds another campaign than {campaign.path}; choose another folder (-o), "
                f"or continue that campaign: cupysim campaign resume {path}"
            )
        return there
    # another run may make it at the same time
    ours = {FILE, RECORD, CHUNKS, CLAIMS, FAILURES}
    if any(name not in ours and not name.startswith(".") for name in _listed(path)):
        raise CupysimError(f"{path} is not empty and holds no campaign")
    record = {
        "cupysim": cupysim.__version__,
        "numpy": np.__version__,
        "name": campaign.name,
        "inputs_from": os.path.dirname(campaign.path),
        "sha256": campaign.digests,
        "file_sha256": hashlib.sha256(campaign.text.encode()).hexdigest(),
    }
    folder = Folder(path, campaign, _identity(record))
    # a file that cannot be read cannot be written either; the next lines report that
    with contextlib.suppress(OSError), open(os.path.join(path, FILE), "rb") as file:
        if file.read() != campaign.text.encode():
            raise CupysimError(f"{path} holds another {FILE}; choose another folder (-o)")
    folder.prepare()
    folder.write(os.path.join(path, FILE), lambda stream: stream.write(campaign.text.encode()))
    text = json.dumps(record, indent=1) + "\n"
    # the record is the last file: a folder with it is that of a campaign
    folder.write(os.path.join(path, RECORD), lambda stream: stream.write(text.encode()))
    with open(os.path.join(path, FILE), encoding="utf-8") as stream:
        if stream.read() != campaign.text:
            raise CupysimError(f"{path}: another campaign was begun in it at the same time")
    return folder


def open_folder(path: str, inputs: bool = True) -> Folder:
    """Open the folder of a campaign that was begun.

    Parameters
    ----------
    path : str
        Name of the folder.
    inputs : bool, optional
        Whether the input files are needed, to render shots. If not, they may be gone or have
        changed; the experiment of the base is then read from an image.

    Returns
    -------
    Folder
        Folder with its campaign.

    Raises
    ------
    CupysimError
        If the folder holds no campaign, or its input files have changed.
    """
    record, file = os.path.join(path, RECORD), os.path.join(path, FILE)
    try:
        with open(record, encoding="utf-8") as stream:
            known = json.load(stream)
        name, place, digests = known["name"], known["inputs_from"], known["sha256"]
        identity = _identity(known)
        with open(file, "rb") as toml:
            changed = hashlib.sha256(toml.read()).hexdigest() != known["file_sha256"]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CupysimError(f"{path} holds no campaign: there is no {error.filename}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CupysimError(f"{record}: damaged: {error}") from error
    if changed:
        raise CupysimError(f"{file} has changed since the campaign began; put it back")
    try:
        campaign = read_campaign(file, place, name)
        _check_inputs(path, campaign, digests)
    except FileNotFoundError as error:
        raise CupysimError(f"{path} cannot be continued: there is no {error.filename}") from error
    except CupysimError:
        if inputs or (found := _models_of_an_image(path)) is None:
            raise
        return Folder(path, read_outline(file, name, *found), identity, has_inputs=False)
    for package, version in (("cupysim", cupysim.__version__), ("numpy", np.__version__)):
        if known.get(package) != version:
            warnings.warn(
                CupysimWarning(
                    f"{path} was begun with {package} {known.get(package)}; this is {version}, and "
                    "its numbers may differ"
                ),
                stacklevel=2,
            )
    return Folder(path, campaign, identity)


def _identity(record: dict[str, Any]) -> str:
    """Digest of what decides the images: the campaign file and the contents of its input files."""
    parts = [record["file_sha256"], *sorted(record["sha256"].values())]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _check_inputs(path: str, campaign: CampaignDefinition, digests: dict[str, str]) -> None:
    for name, digest in digests.items():
        if campaign.digests.get(name) != digest:
            raise CupysimError(
                f"{name} has changed or is gone since the campaign in {path} began; further images "
                "would not fit those that exist"
            )


def _models_of_an_image(path: str) -> tuple[Experiment, Response | None] | None:
    """Read the experiment of the base and the response from any chunk; None if there is none."""
    folder = os.path.join(path, CHUNKS)
    for name in sorted(_listed(folder)):
        if name.endswith(".h5"):
            with contextlib.suppress(CupysimError), hdf5_file(os.path.join(folder, name)) as file:
                experiment: Experiment = restore(file[f"{SHOTS}/experiment"])
                if RESPONSE not in file:
                    return experiment, None
                text = file[f"{RESPONSE}/parameters"].asstr()[()]
                return experiment, response_from_text(text)
    return None
