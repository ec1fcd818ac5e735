"""A simulated image: its statistics, integer images, noise, spots and files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cupysim.backends.rendered import Rendered
from cupysim.detection import digitising
from cupysim.detection.counting import count_photons, counts_of_numpy
from cupysim.detection.photon_noise import PhotonNoise
from cupysim.image_statistics import Statistics, image_statistics
from cupysim.maths.nr_random import RandomStream
from cupysim.models.experiment import Experiment
from cupysim.plan.render_plan import RenderPlan
from cupysim.plotting.style import Style

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
        self.plan.refuse_shots("an image")

    def __repr__(self) -> str:
        size, statistics = " x ".join(map(str, self.array.shape[::-1])), self.statistics
        return (
            f"<cupysim.Image: {size} pixels, maximum {statistics.maximum:.6g}, "
            f"mean {statistics.mean:.6g} photons>"
        )

    @property
    def array(self) -> np.ndarray:
        """Expected photons in each pixel: ndarray of float32, shape ([n_panels,] n_slow, n_fast).

        Detectors of panels have an axis of panels. Pixels of the array beyond a small panel are
        zero; `panel` leaves them out.
        """
        return self.rendered.image[0] if self.plan.has_panels else self.rendered.image[0, 0]

    def panel(self, which: int | str, pixels: np.ndarray | None = None) -> np.ndarray:
        """Pixels of one panel.

        Parameters
        ----------
        which : int or str
            Name of the panel, or its number.
        pixels : ndarray, shape (n_panels, n_slow, n_fast), optional
            Array to take them from, for example counted photons. By default the expected photons.

        Returns
        -------
        ndarray, shape (n_slow of the panel, n_fast of the panel)
            View of the pixels.

        Raises
        ------
        ModelError
            If the detector has no panels, or no such panel.
        """
        detector = self.experiment.panel_detector("image.panel")
        number = detector.number_of(which)
        panel, array = detector.panels[number], self.array if pixels is None else pixels
        return array[number, : panel.n_slow, : panel.n_fast]

    @property
    def region(self) -> tuple[slice, slice]:
        """Rows and columns that were computed, as slices of the last axes of `array`."""
        return self.plan.rows, self.plan.columns

    @property
    def _table(self) -> tuple[np.ndarray, tuple[slice, slice]]:
        """The array with two axes, panels below each other, and its region."""
        if not self.plan.has_panels:
            return self.array, self.region
        table = self.rendered.image[0].reshape(-1, self.plan.shape[3])
        return table, (slice(0, table.shape[0]), slice(0, table.shape[1]))

    def _of_panels(self, table: np.ndarray) -> np.ndarray:
        """Values made from `_table`, in the image's shape; zero in pixels that do not exist."""
        values = table.reshape(self.array.shape)
        if self.plan.has_panels:
            values[~self.experiment.rendered_pixels] = 0
        return values

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
        ndarray of uint16, shape of `array`
            Counts.
        """
        table, region = self._table
        return self._of_panels(digitising.scaled(table, self.scale(scale), offset, region))

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
            Grey values. Panels are below each other.
        scale : float
            Grey values per photon that were used.
        """
        if scale <= 0.0:
            flat = self.scale() if fallback is None else fallback
            scale = digitising.automatic_grey_scale(self.statistics.rmsd, flat)
        return digitising.grey(self._table[0], scale, self._table[1]), scale

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
        ndarray of int32, shape of `array`
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
            return self._of_panels(counts_of_numpy(*self._table, rng))
        return self.count_photons(rng)[0]

    def count_photons(self, seed: int | RandomStream | PhotonNoise) -> tuple[np.ndarray, float]:
        """Counted photons in each pixel, and their sum.

        Parameters
        ----------
        seed : int, RandomStream or PhotonNoise
            Seed of the C program's generator, or state of that generator; or other noise.

        Returns
        -------
        counts : ndarray of int32, shape of `array`
            Counted photons. Zero in pixels that were not computed.
        photons : float
            Sum of all counted photons, including those that do not fit into an int32.

        Raises
        ------
        CupysimError
            If the seed has another type.
        """
        counts, photons = count_photons(*self._table, seed)
        return self._of_panels(counts), photons

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
        stacked: bool = False,
        names: bool = False,
        up: Sequence[float] | None = None,
    ) -> None:
        """Show the image in a window or a notebook, or write it as a picture.

        A detector of panels is drawn as seen along the beam from the source. Each panel is drawn
        where it is, and the spindle points to the right.

        Parameters
        ----------
        path : path_like, optional
            Picture file to write (.png, .pdf, .svg, .jpg). By default a window opens.
        counts : ndarray, shape of `array`, optional
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
        stacked, names : bool, optional
            Draw panels below each other, as in the array; write their names.
        up : sequence of 3 float, optional
            Laboratory direction that points up in the view of panels.

        Raises
        ------
        CupysimError
            If there is no display, the file cannot be written, a number is impossible, an option
            needs panels, or matplotlib is not installed.
        """
        from cupysim.image.picture import show

        style = Style(scale, vmin, vmax, cmap, rings, spots, indices, False, stacked, names)
        show(self, path, counts, style, up)

    def _repr_png_(self) -> bytes | None:
        """The image as a PNG picture, which notebooks show; None if Pillow is not installed."""
        from cupysim.image.picture import png_bytes

        return png_bytes(self)

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
        image : ndarray of uint16, shape of `array`
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
        counts : ndarray of int32, shape of `array`
            Counted photons, as from `counts`.
        offset : float, optional
            Counts of a pixel without photons.

        Returns
        -------
        image : ndarray of uint16, shape of `array`
            Counts.
        overloads : int
            Number of pixels clipped at 65535.
        """
        table, region = self._table
        whole, overloads = digitising.counted_region(counts.reshape(table.shape), offset, region)
        return self._of_panels(whole), overloads

    def content(
        self,
        counts: np.ndarray | None = None,
        provenance: Mapping[str, str | int | float] | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> nexus.Content:
        """Collect the content of a NeXus/HDF5 file.

        Parameters
        ----------
        counts : ndarray of int32, shape of `array`, optional
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
            NeXus/HDF5; ``.cxi``: CXI for CrystFEL, with its geometry file ``.geom`` beside it;
            ``.png``: picture.
        seed : int, optional
            Seed of the noise. With a seed, an SMV file has counted photons instead of the scaled
            image, a CXI file instead of the expected photons, and an HDF5 file in addition to them.

        Raises
        ------
        CupysimError
            If the name has another suffix, the file cannot be written, an SMV file or greymap is to
            hold several panels that are not on one grid of pixels, or the geometry file beside a
            CXI file would replace one of another origin.
        """
        from cupysim.image.files import save

        save(self, path, seed)
