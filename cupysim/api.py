"""The Python way in: describe an experiment, simulate it, save the image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cupysim.errors import CupysimError
from cupysim.formats import (
    fdump,
    float_image,
    hkl_text,
    integer_images,
    mosflm_matrix,
    pgm,
    smv,
)
from cupysim.formats.safe_writing import OutputFiles
from cupysim.maths.nr_random import RandomStream
from cupysim.models.experiment import Experiment
from cupysim.models.structure_factors import StructureFactors
from cupysim.noise.poisson import PoissonNoise
from cupysim.render.plan import RenderPlan, make_plan
from cupysim.render.reference import Tap
from cupysim.render.result import Observer, Rendered
from cupysim.render.select import select_backend
from cupysim.render.statistics import Statistics, image_statistics, serial_sum

ROWS_AT_ONCE = 64
"""Rows to which noise is applied together, to spare memory."""

LARGEST_COUNT = 2**31 - 1
"""Photons which a pixel of 32 bits can count."""

DEFAULT_OFFSET = 40.0
"""Offset of integer images, as of the command line."""


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """A simulated image.

    Parameters
    ----------
    experiment : Experiment
        What was simulated.
    plan : RenderPlan
        How it was computed.
    rendered : Rendered
        What the backend gave back.
    """

    experiment: Experiment
    plan: RenderPlan
    rendered: Rendered

    def __repr__(self) -> str:
        n_slow, n_fast = self.array.shape
        statistics = self.statistics
        return (
            f"<cupysim.Image: {n_fast} x {n_slow} pixels, maximum {statistics.maximum:.6g}, "
            f"mean {statistics.mean:.6g} photons>"
        )

    @property
    def array(self) -> np.ndarray:
        """Expected photons in each pixel, float32, shape (n_slow, n_fast)."""
        return self.rendered.image[0, 0]

    @property
    def region(self) -> tuple[slice, slice]:
        """Rows and columns which were computed."""
        return self.plan.rows, self.plan.columns

    @cached_property
    def statistics(self) -> Statistics:
        """Maximum, mean and spread."""
        return image_statistics(self.plan, self.rendered)

    def integers(self, scale: float = 0.0, offset: float = DEFAULT_OFFSET) -> np.ndarray:
        """The image without noise, scaled to 16 bits.

        Parameters
        ----------
        scale : float, optional
            Counts per photon; automatic if not above zero.
        offset : float, optional
            Counts of a pixel without photons.

        Returns
        -------
        ndarray of uint16, shape (n_slow, n_fast)
            Counts.
        """
        return integer_images.scaled(self.array, self.scale(scale), offset, self.region)

    def grey(self, scale: float = 0.0, fallback: float | None = None) -> tuple[np.ndarray, float]:
        """The image as eight-bit grey values.

        Parameters
        ----------
        scale : float, optional
            Grey values per photon; automatic if not above zero.
        fallback : float, optional
            Automatic scale of an image which is the same everywhere; that of
            the scaled integers without it.

        Returns
        -------
        grey : ndarray of uint8, shape (n_slow, n_fast)
            Grey values.
        scale : float
            The scale which was used.
        """
        if scale <= 0.0:
            flat = self.scale() if fallback is None else fallback
            scale = integer_images.automatic_grey_scale(self.statistics.rmsd, flat)
        return integer_images.grey(self.array, scale, self.region), scale

    def scale(self, scale: float = 0.0) -> float:
        """The given scale, or the automatic one if it is not above zero."""
        return scale if scale > 0.0 else integer_images.automatic_scale(self.statistics.maximum)

    def counts(self, seed: int | RandomStream) -> tuple[np.ndarray, float]:
        """Photons counted in each pixel, with noise.

        Parameters
        ----------
        seed : int or RandomStream
            Seed of the C program's generator, or its state.

        Returns
        -------
        counts : ndarray of int32, shape (n_slow, n_fast)
            Photons; zero where nothing was computed.
        photons : float
            Photons counted altogether.
        """
        stream = seed if isinstance(seed, RandomStream) else RandomStream(seed)
        noise, expected = PoissonNoise(stream), self.array[self.region]
        image = np.zeros(self.array.shape, dtype=np.int32)
        counted, photons = image[self.region], 0.0
        for row in range(0, len(expected), ROWS_AT_ONCE):
            rows = slice(row, row + ROWS_AT_ONCE)
            drawn = noise.draw(expected[rows])
            photons = serial_sum(photons, drawn.reshape(-1))
            counted[rows] = np.clip(drawn, 0.0, LARGEST_COUNT)
        return image, photons

    def noisy(
        self, seed: int | RandomStream, offset: float = DEFAULT_OFFSET
    ) -> tuple[np.ndarray, float, int]:
        """The image with photon noise.

        Parameters
        ----------
        seed : int or RandomStream
            Seed of the C program's generator, or its state.
        offset : float, optional
            Counts of a pixel without photons.

        Returns
        -------
        image : ndarray of uint16, shape (n_slow, n_fast)
            Counts.
        photons : float
            Photons counted altogether.
        overloads : int
            Pixels clipped at 65535.
        """
        counts, photons = self.counts(seed)
        image, overloads = self.digitized(counts, offset)
        return image, photons, overloads

    def digitized(
        self, counts: np.ndarray, offset: float = DEFAULT_OFFSET
    ) -> tuple[np.ndarray, int]:
        """Photon counts as a detector with an offset and 16 bits gives them.

        Parameters
        ----------
        counts : ndarray of int32, shape (n_slow, n_fast)
            What `counts` gave.
        offset : float, optional
            Counts of a pixel without photons.

        Returns
        -------
        image : ndarray of uint16, shape (n_slow, n_fast)
            Counts.
        overloads : int
            Pixels clipped at 65535.
        """
        image = np.zeros(self.array.shape, dtype=np.uint16)
        source, sink, overloads = counts[self.region], image[self.region], 0
        for row in range(0, len(source), ROWS_AT_ONCE):
            rows = slice(row, row + ROWS_AT_ONCE)
            sink[rows], clipped = integer_images.counted(source[rows], offset)
            overloads += clipped
        return image, overloads

    def save(self, path: os.PathLike[str] | str, seed: int | None = None) -> None:
        """Write the image; the name's suffix tells the format.

        Parameters
        ----------
        path : path_like
            ``.bin``: float image; ``.img``: SMV; ``.pgm``: greymap.
        seed : int, optional
            Write an SMV image with photon noise of this seed, not a scaled one.

        Raises
        ------
        CupysimError
            If the suffix is another, or the file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in (".bin", ".img", ".pgm"):
            raise CupysimError(f"{path}: expected a name which ends in .bin, .img or .pgm")

        def write(stream: BinaryIO) -> None:
            if suffix == ".bin":
                float_image.write(stream, self.array)
            elif suffix == ".pgm":
                pgm.write(stream, *self.grey())
            else:
                pixels = self.integers() if seed is None else self.noisy(seed)[0]
                smv.write(stream, smv.header(self.experiment), pixels)

        with OutputFiles() as files:
            files.write(path, write)


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
        Hears how far the render is; a `cupysim.render.reference.Tap` hears every
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
        Text with lines of ``h k l F``, or a dump file if the name ends in ``.bin``.
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
