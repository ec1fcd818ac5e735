"""The Python way in: describe an experiment, simulate it, save the image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cupysim.errors import CupysimError
from cupysim.formats import fdump, hkl_text, mosflm_matrix, reflections
from cupysim.image import Image
from cupysim.models.experiment import Experiment
from cupysim.models.structure_factors import StructureFactors
from cupysim.render.effects import warn_of_effects
from cupysim.render.planning import make_plan
from cupysim.render.result import Observer
from cupysim.render.select import select_backend
from cupysim.render.tap import Tap


def simulate(
    experiment: Experiment,
    backend: str = "auto",
    observer: Observer | None = None,
    *,
    precision: str = "double",
    threads: int | None = None,
    devices: Sequence[int] | None = None,
) -> Image:
    """Simulate an experiment.

    Parameters
    ----------
    experiment : Experiment
        What to simulate.
    backend : str, optional
        Which backend computes it: "cuda", "host", "numpy", or "auto" for the first of
        these which works.
    observer : Observer, optional
        Hears how far the render is; a `cupysim.render.tap.Tap` hears every
        step of the NumPy backend, which is then used.
    precision : str, optional
        "double": within 1e-6 of each pixel. "mixed": within 1e-6 of the image's
        maximum, and faster.
    threads : int, optional
        Threads of the host backend; one on each core without it.
    devices : sequence of int, optional
        GPUs which share the work of the cuda backend; all without it.

    Returns
    -------
    Image
        Expected photons, with statistics and ways to save it.

    Raises
    ------
    CupysimError
        If the experiment is impossible, or there is no such backend here.

    Examples
    --------
    A cubic crystal of 5 x 5 x 5 cells, all structure factors 100 electrons:

    >>> from cupysim import Beam, Crystal, Detector, Experiment, StructureFactors, UnitCell
    >>> experiment = Experiment(
    ...     beam=Beam(wavelength=1e-10, fluence=1e24),
    ...     crystal=Crystal(UnitCell.from_degrees(100, 100, 100, 90, 90, 90), n_cells=(5, 5, 5)),
    ...     detector=Detector(n_fast=64, n_slow=64, pixel_size=1e-4, distance=0.1),
    ...     structure_factors=StructureFactors(default=100.0),
    ... )
    >>> image = simulate(experiment)
    >>> image.array.shape
    (64, 64)
    >>> print(f"{image.statistics.maximum:.4g} photons at most")
    0.0007725 photons at most
    """
    if not isinstance(experiment, Experiment):
        raise CupysimError(f"simulate: expected an Experiment, got a {type(experiment).__name__}")
    plan = make_plan(experiment)
    warn_of_effects(experiment, plan)
    if isinstance(observer, Tap):
        if backend not in ("auto", "numpy"):
            raise CupysimError(f"backend {backend!r}: only numpy can be tapped")
        backend = "numpy"
    render = select_backend(backend, precision, threads, devices)
    return Image(experiment, plan, render(plan, observer or Observer()))


def read_structure_factors(path: os.PathLike[str] | str, default: float = 0.0) -> StructureFactors:
    """Read structure factors which nanoBragg reads.

    Parameters
    ----------
    path : path_like
        Text with lines of ``h k l F``, a dump file if the name ends in ``.bin``, MTZ or mmCIF.
    default : float, optional
        Amplitude of reflections which are not in the file (electrons).

    Returns
    -------
    StructureFactors
        The table.

    Raises
    ------
    CupysimError
        If the file cannot be read as such.
    """
    if Path(path).suffix.lower() == ".bin":
        return fdump.read(path, default)
    if reflections.kind_of(path) is not None:
        return reflections.read(path, (), default).factors
    return StructureFactors.from_list(*hkl_text.read(path), default)


def read_orientation(path: os.PathLike[str] | str, wavelength: float) -> np.ndarray:
    """Read a MOSFLM orientation matrix.

    Parameters
    ----------
    path : path_like
        The file: nine numbers, rows x, y, z, columns a*, b*, c* times the
        wavelength.
    wavelength : float
        The wavelength (m).

    Returns
    -------
    ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom), for `Crystal`'s ``reciprocal``.

    Raises
    ------
    CupysimError
        If the file is no matrix.
    """
    return mosflm_matrix.reciprocal_vectors(mosflm_matrix.read(path), wavelength)


def from_args(words: str | Sequence[str]) -> Experiment:
    """An experiment from command-line options.

    Parameters
    ----------
    words : str or sequence of str
        Options as for the command; a text is split like a shell does it.

    Returns
    -------
    Experiment
        What the command would simulate.

    Raises
    ------
    CupysimError
        If an option or a file is wrong.

    Examples
    --------
    >>> experiment = from_args("-cell 100 -default_F 100 -N 5 -detpixels 64 -lambda 1.5")
    >>> experiment.crystal.n_cells
    (5, 5, 5)
    """
    import shlex

    from cupysim.cli.build import build

    return build(shlex.split(words) if isinstance(words, str) else words).experiment
