"""Export of a campaign: its ground truth as a table, and its shots as single files."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from cupysim.campaign.definition.shots import draw_shot
from cupysim.campaign.execution.chunks import open_chunk
from cupysim.campaign.execution.folder import Folder
from cupysim.campaign.execution.rendering import detector_of
from cupysim.constants import ANGSTROM
from cupysim.detection import digitising
from cupysim.errors import CupysimError
from cupysim.formats import cbf, smv
from cupysim.formats.mosaic import mosaic_of
from cupysim.formats.nexus.series import SHOTS, read_truth
from cupysim.formats.nexus.tree import DATA
from cupysim.formats.pixels import with_gaps
from cupysim.image import DEFAULT_OFFSET
from cupysim.models.experiment import Experiment
from cupysim.models.panel_detector import PanelDetector
from cupysim.storage.safe_writing import OutputFiles

LEFT_OUT = ("spots", "spots_begin", "spectrum", "spectrum_wavelength")
"""Names of the ground truth that are not numbers of a shot or a crystal."""


def truth_rows(folder: Folder) -> Iterator[dict[str, Any]]:
    """Rows of the ground truth of all finished chunks.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.

    Yields
    ------
    dict
        Row for one crystal of one shot: numbers by name, the file, and the image in it.
    """
    for number in folder.done():
        with open_chunk(folder, number) as file:
            truth = read_truth(file)
        name = os.path.relpath(folder.chunk(number), folder.path)
        for place in range(len(truth["shot"])):
            for crystal in range(max(1, int(truth["crystals"][place]))):
                row: dict[str, Any] = {
                    "shot": int(truth["shot"][place]), "crystal": crystal, "file": name,
                    "image": place,
                }  # fmt: skip
                for column, values in truth.items():
                    if column not in (*LEFT_OUT, "shot"):
                        row |= _cells(column, np.atleast_1d(values[place]), crystal)
                yield row


def _cells(name: str, value: np.ndarray, crystal: int) -> dict[str, Any]:
    """Cells of a row: the number of the shot or of the crystal, or nine numbers of a matrix."""
    if value.ndim == 3:
        matrix = value[crystal]
        return {f"{name}_{i + 1}{j + 1}": float(matrix[i, j]) for i in range(3) for j in range(3)}
    return {name: value[crystal if len(value) > 1 else 0].item()}


def truth_table(folder: Folder) -> bytes:
    """Make the table of the ground truth as CSV.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.

    Returns
    -------
    bytes
        Content of the CSV file.

    Raises
    ------
    CupysimError
        If no chunk is finished.
    """
    rows = list(truth_rows(folder))
    if not rows:
        raise CupysimError(f"{folder.path}: no chunk is finished")
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read_image(folder: Folder, shot: int) -> np.ndarray:
    """Read the image of a shot.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.
    shot : int
        Number of the shot, from 0.

    Returns
    -------
    ndarray of int32 or float32, shape ([n_panels,] n_slow, n_fast)
        Counted or expected photons, as the campaign writes them.

    Raises
    ------
    CupysimError
        If there is no such shot, or its chunk is not finished.
    """
    campaign = folder.campaign
    if not 0 <= shot < campaign.n_shots:
        raise CupysimError(f"shot {shot}: there are {campaign.n_shots} shots, numbered from 0")
    number = shot // campaign.chunk
    if not folder.is_done(number):
        raise CupysimError(f"shot {shot}: chunk {number} is not finished")
    with open_chunk(folder, number) as file:
        pixels = file[DATA][shot - campaign.shots_of(number)[0]]
    return pixels.reshape(campaign.experiment.image_shape)


def export_images(folder: Folder, shots: Sequence[int], pattern: str) -> list[str]:
    """Write shots as single files.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.
    shots : sequence of int
        Numbers of the shots, from 0.
    pattern : str
        Pattern of the file names: # stand for the digits of the number, and the ending .img or
        .cbf is the format.

    Returns
    -------
    list of str
        Names of the files.

    Raises
    ------
    CupysimError
        If the pattern has no # or another ending, or if a file cannot be written.
    """
    kind, width = os.path.splitext(pattern)[1].lower(), pattern.count("#")
    if kind not in (".img", ".cbf"):
        raise CupysimError(f"--images {pattern}: expected a name that ends in .img or .cbf")
    if not width or "#" * width not in pattern:
        raise CupysimError(f"--images {pattern}: expected one row of # for the shot's number")
    if not folder.campaign.has_integers:
        raise CupysimError(
            "--images: SMV and CBF files hold integers, but these images hold photons as decimal "
            "numbers"
        )
    detector, mosaic = folder.campaign.experiment.detector, None
    if isinstance(detector, PanelDetector):
        mosaic = mosaic_of(detector)
        if mosaic is None:
            raise CupysimError(
                "--images: SMV and CBF files hold one panel, and the panels are not on one grid of "
                "pixels; --cxi holds them"
            )
    known = detector_of(folder.campaign)
    names = [pattern.replace("#" * width, f"{number:0{width}d}") for number in shots]
    for name in names:
        refuse_own_files(folder, name)
    for number, name in zip(shots, names, strict=True):
        pixels = read_image(folder, number)
        experiment = _as_known(folder, number)
        if mosaic is not None:
            experiment = mosaic.experiment(experiment)
            pixels = with_gaps(mosaic.assembled(pixels), experiment.rendered_pixels)
        if kind == ".img":
            # a detector has its own offset
            detection = folder.campaign.detection
            offset = DEFAULT_OFFSET if detection is None else 0.0
            pedestal = None if detection is None else detection.response.pedestal
            counts, _ = digitising.counted(np.maximum(pixels, 0), offset)
            header = smv.header(experiment, pedestal)
            folder.write(
                os.path.abspath(name),
                lambda stream, h=header, c=counts: smv.write(stream, h, c),  # type: ignore[misc]
            )
        else:
            folder.write(
                os.path.abspath(name),
                lambda stream, e=experiment, p=pixels: cbf.write(stream, e, p, known),  # type: ignore[misc]
            )
    return names


def export_cxi(folder: Folder, shots: Sequence[int], path: str) -> str:
    """Write shots to one CXI file for CrystFEL, and its geometry file beside it.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.
    shots : sequence of int
        Numbers of the shots, from 0. All their chunks must be finished.
    path : str
        CXI file to write.

    Returns
    -------
    str
        Name of the geometry file.

    Raises
    ------
    CupysimError
        If a chunk is not finished, a file cannot be written, or the geometry file would replace one
        of another origin.
    """
    from cupysim.formats.crystfel import cxi

    geometry = cxi.geometry_beside(path)
    for name in (path, geometry):
        refuse_own_files(folder, name)
    cxi.refuse_foreign_geometry(path)
    base, kind = (
        folder.campaign.experiment,
        np.int32 if folder.campaign.has_integers else np.float32,
    )

    def write(stream: BinaryIO) -> None:
        with cxi.CxiFile(stream, base, len(shots), kind) as file:
            for place, number in enumerate(shots):
                pixels = read_image(folder, number)
                file.put(place, draw_shot(folder.campaign, number).experiment, pixels)

    with OutputFiles() as files:
        files.write(path, write)
        files.write(geometry, lambda stream: cxi.write_geometry_beside(stream, base))
    return geometry


def refuse_own_files(folder: Folder, path: str) -> None:
    """Reject an output file that is among a campaign's own files.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.
    path : str
        File to be written.

    Raises
    ------
    CupysimError
        If the file is in the folder, under any name, or is an input file.
    """
    target, home = os.path.realpath(path), os.path.realpath(folder.path)
    inputs = {os.path.realpath(each) for each in folder.campaign.files}
    if target == home or target.startswith(home + os.sep) or target in inputs:
        raise CupysimError(f"{path} is among the campaign's own files; choose another place")


def _as_known(folder: Folder, shot: int) -> Experiment:
    """Experiment as in a header and in the master file: without variations of the detector."""
    campaign, base = folder.campaign, folder.campaign.experiment
    number = shot // campaign.chunk
    place = shot - campaign.shots_of(number)[0]
    with open_chunk(folder, number) as file:
        wavelength = ANGSTROM * float(file[f"{SHOTS}/wavelength"][place])
        phi = float(np.radians(file[f"{SHOTS}/phi"][place]))
    return replace(
        base,
        beam=replace(base.beam, wavelength=wavelength, source_table=None),
        scan=replace(base.scan, start=phi),
    )
