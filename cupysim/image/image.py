"""A simulated image: its statistics, integer images, noise, spots and files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cupysim.detection import digitising
from cupysim.detection.counting import count_photons, counts_of_numpy
from cupysim.detection.photon_noise import PhotonNoise
from cupysim.errors import CupysimError
from cupysim.image.pixels import DEFAULT_OFFSET, ImagePixels
from cupysim.maths.nr_random import RandomStream
from cupysim.plotting.style import Style

if TYPE_CHECKING:
    from cupysim.detection.response import Response
    from cupysim.formats import nexus
    from cupysim.image.detected_image import DetectedImage
    from cupysim.prediction.spots import Spots


@dataclass(frozen=True, eq=False, repr=False)
class Image(ImagePixels):
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

    @cached_property
    def spots(self) -> Spots:
        """Predicted spots as a structured array, the strongest first.

        The columns are:

        * ``h``, ``k``, ``l``: Miller indices;
        * ``fast``, ``slow``: position (pixels from the outer corner of the first pixel);
        * ``F``: structure factor (electrons); ``excitation``: partiality of a still;
        * ``photons``: expected photons; ``panel``: number of the panel, from 0;
        * ``crystal``: number of the crystal, from 1.

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

    def detect(
        self,
        response: Response | os.PathLike[str] | str,
        seed: int = 0,
        shot: int = 0,
        *,
        duration: float = 1.0,
        threads: int | None = None,
    ) -> DetectedImage:
        """Detect the photons of the image, as a real detector does.

        Parameters
        ----------
        response : Response or path_like
            Response of the detector; or its name, such as "jungfrau"; or a file (`read_response`).
        seed : int, optional
            Seed of all random numbers, from 0 to 2^64 - 1.
        shot : int, optional
            Number of the shot. Shots of one seed are independent.
        duration : float, optional
            Exposure time (s), on which rates of photons depend.
        threads : int, optional
            Number of threads; by default one on each core. It does not change the image.

        Returns
        -------
        DetectedImage
            Raw numbers, and photons by the calibration of the detector.

        Raises
        ------
        CupysimError
            If there is no such response, or it does not fit the pixels.

        Examples
        --------
        >>> from cupysim import from_args, simulate
        >>> image = simulate(from_args("-cell 100 -default_F 1e3 -N 5 -detpixels 64"))
        >>> image.detect("jungfrau", seed=1).raw.dtype
        dtype('uint16')
        """
        from cupysim.detection.response import Response
        from cupysim.detection.response_file import read_response
        from cupysim.image.detected_image import detect

        found = response if isinstance(response, Response) else read_response(response)
        return detect(self, found, seed, shot, duration, threads)

    def log_likelihood(
        self,
        raw: np.ndarray,
        response: Response | os.PathLike[str] | str,
        *,
        duration: float = 1.0,
    ) -> float:
        """Log-likelihood of the image, given the numbers that a detector read out.

        Parameters
        ----------
        raw : ndarray of int, shape of `array`
            Raw numbers.
        response : Response or path_like
            Response of the detector, its name, or its file.
        duration : float, optional
            Exposure time (s).

        Returns
        -------
        float
            Log-likelihood; see `cupysim.refine.detector_model.DetectorModel.log_likelihood`.

        Raises
        ------
        CupysimError
            If the numbers do not fit the image.

        Examples
        --------
        >>> from cupysim import from_args, simulate
        >>> image = simulate(from_args("-cell 100 -default_F 1e3 -N 5 -detpixels 64"))
        >>> raw = image.detect("eiger2", seed=1).raw
        >>> image.log_likelihood(raw, "eiger2") < 0
        True
        """
        from cupysim.image.detected_image import detector_model

        if np.shape(raw) != self.array.shape:
            raise CupysimError(
                f"log_likelihood: the raw numbers have the shape {np.shape(raw)}, but the image "
                f"{self.array.shape}"
            )
        model = detector_model(self.experiment, response, duration)
        return model.log_likelihood(np.asarray(raw), self.array)

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
        detected: DetectedImage | None = None,
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
        detected : DetectedImage, optional
            The image as a detector reads it out, instead of counted photons.

        Returns
        -------
        Content
            Experiment, image, counted photons, predicted spots and record.
        """
        import json

        from cupysim.formats import nexus

        if detected is not None:
            counts = detected.measured
        if record is None:
            from cupysim.provenance import image_record

            record = image_record(self.rendered, self.array, counts, self.statistics)
        return nexus.Content(
            self.experiment, self.array, counts, self.spots, provenance or {},
            json.dumps(record, indent=1), **({} if detected is None else detected.content()),
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
