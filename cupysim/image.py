"""A simulated image: its statistics, integer images, noise, spots and files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cupysim.backends.rendered import Rendered
from cupysim.detection import digitising
from cupysim.detection.counting import ROWS_AT_ONCE, count_photons, counts_of_numpy
from cupysim.detection.photon_noise import PhotonNoise
from cupysim.errors import CupysimError
from cupysim.formats import float_image, pgm, smv
from cupysim.image_statistics import Statistics, image_statistics
from cupysim.maths.nr_random import RandomStream
from cupysim.models.experiment import Experiment
from cupysim.plan.render_plan import RenderPlan
from cupysim.plotting.style import Style
from cupysim.storage.safe_writing import OutputFiles

if TYPE_CHECKING:
    from cupysim.backends.derivatives import Gradients
    from cupysim.formats import nexus
    from cupysim.prediction.spots import Spots

DEFAULT_OFFSET = 40.0
"""Offset of integer images (counts), as on the command line."""


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """A simulated image of expected photons, as `simulate` returns it.

    Parameters
    ----------
    experiment : Experiment
        Experiment that was simulated.
    plan : RenderPlan
        Plan from which the backend computed the image.
    rendered : Rendered
        Result of the backend.
    gradients : Gradients, optional
        Derivatives of the image, if they were requested.
    """

    experiment: Experiment
    plan: RenderPlan
    rendered: Rendered
    gradients: Gradients | None = None

    def __post_init__(self) -> None:
        self.plan.refuse_panels("an image")

    def __repr__(self) -> str:
        n_slow, n_fast = self.array.shape
        statistics = self.statistics
        return (
            f"<cupysim.Image: {n_fast} x {n_slow} pixels, maximum {statistics.maximum:.6g}, "
            f"mean {statistics.mean:.6g} photons>"
        )

    @property
    def array(self) -> np.ndarray:
        """Expected photons in each pixel: ndarray of float32, shape (n_slow, n_fast)."""
        return self.rendered.image[0, 0]

    @property
    def region(self) -> tuple[slice, slice]:
        """Rows and columns that were computed, as slices of `array`."""
        return self.plan.rows, self.plan.columns

    @cached_property
    def statistics(self) -> Statistics:
        """Maximum, mean and standard deviation of the expected photons."""
        return image_statistics(self.plan, self.rendered, self.experiment.policy)

    def integers(self, scale: float = 0.0, offset: float = DEFAULT_OFFSET) -> np.ndarray:
        """The image without noise, scaled to 16-bit integers.

        Parameters
        ----------
        scale : float, optional
            Counts per photon. Automatic if it is not above zero.
        offset : float, optional
            Counts of a pixel without photons.

        Returns
        -------
        ndarray of uint16, shape (n_slow, n_fast)
            Counts.
        """
        return digitising.scaled(self.array, self.scale(scale), offset, self.region)

    def grey(self, scale: float = 0.0, fallback: float | None = None) -> tuple[np.ndarray, float]:
        """The image as eight-bit grey values.

        Parameters
        ----------
        scale : float, optional
            Grey values per photon. Automatic if it is not above zero.
        fallback : float, optional
            Automatic scale of an image with one value everywhere. By default that of `integers`.

        Returns
        -------
        grey : ndarray of uint8, shape (n_slow, n_fast)
            Grey values.
        scale : float
            Grey values per photon that were used.
        """
        if scale <= 0.0:
            flat = self.scale() if fallback is None else fallback
            scale = digitising.automatic_grey_scale(self.statistics.rmsd, flat)
        return digitising.grey(self.array, scale, self.region), scale

    def scale(self, scale: float = 0.0) -> float:
        """The given scale (counts per photon), or the automatic scale if it is not above zero."""
        return scale if scale > 0.0 else digitising.automatic_scale(self.statistics.maximum)

    @cached_property
    def spots(self) -> Spots:
        """Predicted spots as a structured array, the strongest first.

        The columns are:

        * ``h``, ``k``, ``l``: Miller indices;
        * ``fast``, ``slow``: position (pixels from the outer corner of the first pixel);
        * ``F``: structure factor (electrons); ``excitation``: partiality of a still;
        * ``photons``: expected photons; ``panel``: number of the panel.

        ``spots.to_dataframe()`` returns a pandas table.
        """
        from cupysim.prediction.spots import predict_spots

        return predict_spots(self.plan)

    def counts(self, rng: int | RandomStream | PhotonNoise | np.random.Generator) -> np.ndarray:
        """Counted photons in each pixel: expected photons with Poisson noise.

        Parameters
        ----------
        rng : int, RandomStream, PhotonNoise or numpy.random.Generator
            Seed of the C program's generator, or its state; or a `PhotonNoise`, which is the
            fastest; or a NumPy generator.

        Returns
        -------
        ndarray of int32, shape (n_slow, n_fast)
            Counted photons. Zero in pixels that were not computed.

        Raises
        ------
        CupysimError
            If `rng` has another type.

        Examples
        --------
        >>> from cupysim import from_args, simulate
        >>> image = simulate(from_args("-cell 100 -default_F 1e3 -N 5 -detpixels 64"))
        >>> image.counts(1).dtype
        dtype('int32')
        """
        if isinstance(rng, np.random.Generator):
            return counts_of_numpy(self.array, self.region, rng)
        return self.count_photons(rng)[0]

    def count_photons(self, seed: int | RandomStream | PhotonNoise) -> tuple[np.ndarray, float]:
        """Counted photons in each pixel, and their sum.

        Parameters
        ----------
        seed : int, RandomStream or PhotonNoise
            Seed of the C program's generator, or state of that generator; or other noise.

        Returns
        -------
        counts : ndarray of int32, shape (n_slow, n_fast)
            Counted photons. Zero in pixels that were not computed.
        photons : float
            Sum of all counted photons, including those that do not fit into an int32.

        Raises
        ------
        CupysimError
            If the seed has another type.
        """
        return count_photons(self.array, self.region, seed)

    def show(
        self,
        path: os.PathLike[str] | str | None = None,
        *,
        counts: np.ndarray | None = None,
        scale: str = Style.scale,
        vmin: float | None = None,
        vmax: float | None = None,
        cmap: str = Style.cmap,
        rings: Sequence[float] | None = None,
        spots: bool = False,
        indices: bool = False,
    ) -> None:
        """Show the image in a window or a notebook, or write it as a picture.

        Parameters
        ----------
        path : path_like, optional
            Picture file to write (.png, .pdf, .svg, .jpg). By default a window opens.
        counts : ndarray, shape (n_slow, n_fast), optional
            Counted photons to show, for example from `counts`. By default the expected photons.
        scale : {"log", "sqrt", "linear"}, optional
            Scale between photons and grey values.
        vmin, vmax : float, optional
            Photons shown as white and as black. By default the median and a high percentile.
        cmap : str, optional
            Name of a matplotlib colour map.
        rings : sequence of float, optional
            Resolutions of the rings (Angstrom). By default four; an empty sequence draws none.
        spots, indices : bool, optional
            Mark the strongest predicted spots; write their Miller indices.

        Raises
        ------
        CupysimError
            If there is no display, the file cannot be written, a number is impossible, or
            matplotlib is not installed.
        """
        from cupysim.formats.stored_geometry import geometry_of
        from cupysim.plotting.image_figure import Picture, draw_images
        from cupysim.plotting.windows import show_figure

        pixels = self.array if counts is None else np.asarray(counts)
        if pixels.shape != self.array.shape:
            raise CupysimError(
                f"show: expected counts of the shape {self.array.shape}, got {pixels.shape}"
            )
        style = Style(scale, vmin, vmax, cmap, rings, spots, indices)
        title = "expected photons" if counts is None else "counted photons"
        picture = Picture(
            title,
            pixels,
            ~self.experiment.rendered_pixels,
            geometry_of(self.experiment),
            self.spots if spots or indices else None,
        )
        draw = partial(draw_images, pictures=[picture], style=style)
        show_figure(draw, path, "image.show(path)")

    def _repr_png_(self) -> bytes | None:
        """The image as a PNG picture, which notebooks show."""
        if find_spec("PIL") is None:
            return None
        from cupysim.formats import png

        stream = BytesIO()
        png.write(stream, self.array)
        return stream.getvalue()

    def noisy(
        self, seed: int | RandomStream, offset: float = DEFAULT_OFFSET
    ) -> tuple[np.ndarray, float, int]:
        """The image with photon noise as 16-bit integers.

        Parameters
        ----------
        seed : int or RandomStream
            Seed of the C program's generator, or state of that generator.
        offset : float, optional
            Counts of a pixel without photons.

        Returns
        -------
        image : ndarray of uint16, shape (n_slow, n_fast)
            Counts.
        photons : float
            Sum of all counted photons.
        overloads : int
            Number of pixels clipped at 65535.
        """
        counts, photons = self.count_photons(seed)
        image, overloads = self.digitized(counts, offset)
        return image, photons, overloads

    def digitized(
        self, counts: np.ndarray, offset: float = DEFAULT_OFFSET
    ) -> tuple[np.ndarray, int]:
        """Convert counted photons to the counts of a 16-bit detector with an offset.

        Parameters
        ----------
        counts : ndarray of int32, shape (n_slow, n_fast)
            Counted photons, as from `counts`.
        offset : float, optional
            Counts of a pixel without photons.

        Returns
        -------
        image : ndarray of uint16, shape (n_slow, n_fast)
            Counts.
        overloads : int
            Number of pixels clipped at 65535.
        """
        image = np.zeros(self.array.shape, dtype=np.uint16)
        source, sink, overloads = counts[self.region], image[self.region], 0
        for row in range(0, len(source), ROWS_AT_ONCE):
            rows = slice(row, row + ROWS_AT_ONCE)
            sink[rows], clipped = digitising.counted(source[rows], offset)
            overloads += clipped
        return image, overloads

    def content(
        self,
        counts: np.ndarray | None = None,
        provenance: Mapping[str, str | int | float] | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> nexus.Content:
        """Collect the content of a NeXus/HDF5 file.

        Parameters
        ----------
        counts : ndarray of int32, shape (n_slow, n_fast), optional
            Counted photons.
        provenance : mapping, optional
            Short entries on how the image was made.
        record : mapping, optional
            Full record of how the image was made. By default versions, digests and the backend.

        Returns
        -------
        Content
            Experiment, image, counted photons, predicted spots and record.
        """
        import json

        from cupysim.formats import nexus

        if record is None:
            from cupysim.provenance import image_record

            record = image_record(self.rendered, self.array, counts, self.statistics)
        return nexus.Content(
            self.experiment, self.array, counts, self.spots, provenance or {},
            json.dumps(record, indent=1),
        )  # fmt: skip

    def save(self, path: os.PathLike[str] | str, seed: int | None = None) -> None:
        """Write the image to a file. The suffix of the name chooses the format.

        Parameters
        ----------
        path : path_like
            File to write. ``.bin``: float image; ``.img``: SMV; ``.pgm``: greymap; ``.h5``:
            NeXus/HDF5; ``.png``: picture.
        seed : int, optional
            Seed of the noise. With a seed, an SMV file has counted photons instead of the scaled
            image, and an HDF5 file has counted photons in addition to the expected photons.

        Raises
        ------
        CupysimError
            If the name has another suffix, or the file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in (".bin", ".img", ".pgm", ".h5", ".png"):
            raise CupysimError(
                f"{path}: expected a name that ends in .bin, .img, .pgm, .h5 or .png"
            )

        def write(stream: BinaryIO) -> None:
            if suffix == ".bin":
                float_image.write(stream, self.array)
            elif suffix == ".pgm":
                pgm.write(stream, *self.grey())
            elif suffix == ".png":
                from cupysim.formats import png

                png.write(stream, self.array)
            elif suffix == ".h5":
                from cupysim.formats import nexus

                nexus.write(stream, self.content(None if seed is None else self.counts(seed)))
            else:
                pixels = self.integers() if seed is None else self.noisy(seed)[0]
                smv.write(stream, smv.header(self.experiment), pixels)

        with OutputFiles() as files:
            files.write(path, write)
