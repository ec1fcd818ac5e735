"""The main functions for Python users: simulate an experiment, differentiate it, fit it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cupysim.backends.derivatives import Gradients
from cupysim.backends.numpy.tap import Tap
from cupysim.backends.rendered import Observer
from cupysim.errors import CupysimError
from cupysim.image import Image
from cupysim.models.experiment import Experiment
from cupysim.models.tolerance import Tolerance
from cupysim.refine.fit import refine
from cupysim.refine.observation import Observation
from cupysim.refine.outcome import Refined
from cupysim.refine.settings import EVALUATIONS, Settings
from cupysim.renderer import Renderer

if TYPE_CHECKING:
    from cupysim.detection.response import Response


def simulate(
    experiment: Experiment,
    backend: str = "auto",
    observer: Observer | None = None,
    *,
    precision: str = "double",
    threads: int | None = None,
    devices: Sequence[int] | None = None,
    gradients: str | Iterable[str] | None = None,
    tolerance: Tolerance | float | str | None = None,
) -> Image:
    """Simulate the image of an experiment.

    Parameters
    ----------
    experiment : Experiment
        Experiment to simulate.
    backend : str, optional
        Backend that computes the image: "cuda", "host", "numpy", or "auto" for the first of
        these that works.
    observer : Observer, optional
        Object that receives the progress of the render. A
        `cupysim.backends.numpy.tap.Tap` receives every step; it needs the NumPy backend,
        and "auto" then chooses that backend.
    precision : str, optional
        "double": errors below 1e-6 of each pixel plus 1e-9 of the image's maximum. "mixed": errors
        below 1e-6 of the maximum, and faster.
    threads : int, optional
        Number of threads of the host backend. By default one for each core.
    devices : sequence of int, optional
        Numbers of the GPUs that share the work of the cuda backend. By default all GPUs.
    gradients : str or iterable of str, optional
        Parameters with respect to which the image is differentiated, see `render_gradients`.
        The derivatives are in the image's ``gradients``. All quirks must be corrected, as they
        are by default.
    tolerance : float, str or Tolerance, optional
        Photons that each pixel may lack, or a text such as "1e-6peak": a fraction of the brightest
        Bragg pixel. Weak terms whose sum is below it are left out, which is much faster. By
        default, the image is exact.

    Returns
    -------
    Image
        Expected photons, with statistics and methods to save them.

    Raises
    ------
    CupysimError
        If the experiment is impossible, or the backend does not exist or does not work on this
        computer.

    Examples
    --------
    A cubic crystal of 5 x 5 x 5 cells; all structure factors are 100 electrons:

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
    if isinstance(observer, Tap) and backend == "auto":
        backend = "numpy"
    with Renderer(backend, precision, threads, devices, tolerance) as renderer:
        image: Image = renderer(experiment, observer=observer, gradients=gradients)
    return image


def render_gradients(
    experiment: Experiment,
    names: str | Iterable[str],
    backend: str = "auto",
    observer: Observer | None = None,
    *,
    threads: int | None = None,
    devices: Sequence[int] | None = None,
    tolerance: Tolerance | float | str | None = None,
) -> Gradients:
    """Differentiate an image with respect to parameters of the experiment.

    Parameters
    ----------
    experiment : Experiment
        Experiment to simulate. All quirks must be corrected, as they are by default.
    names : str or iterable of str
        Names of parameters: misset_x, misset_y, misset_z, cell_a, cell_b, cell_c, cell_alpha,
        cell_beta, cell_gamma, n_a, n_b, n_c, mosaic_spread, wavelength, distance, beam_fast,
        beam_slow, rotation_x, rotation_y, rotation_z, twotheta, phi, fluence, scale,
        structure_factors, and others (`cupysim.models.parameters.PARAMETERS`). The names misset,
        cell, n_cells, beam_centre and rotation stand for all parameters of their group. A string
        has commas between the names. Units are SI, except for cell edges, which are in Angstrom.
    backend : str, optional
        Backend that computes the derivatives, as for `simulate`.
    observer : Observer, optional
        Object that receives the progress.
    threads, devices : optional
        As for `simulate`.
    tolerance : float, str or Tolerance, optional
        Photons that each pixel may lack, as for `simulate`. `Gradients.limits` has the largest
        errors of the derivatives. By default, derivatives are exact. Derivatives with respect to
        structure factors, and all that are requested together with them, are always exact.

    Returns
    -------
    Gradients
        The image in double precision, and its derivative with respect to each parameter.

    Raises
    ------
    CupysimError
        If an image of this kind has no derivatives, or none with respect to one of the
        parameters.

    Examples
    --------
    Change of the photons when the crystal turns, and when the detector moves away:

    >>> experiment = from_args("-cell 100 -default_F 100 -N 5 -detpixels 64 -corrected")
    >>> gradients = render_gradients(experiment, "misset, distance")
    >>> gradients.names
    ('misset_x', 'misset_y', 'misset_z', 'distance')
    >>> gradients["misset_z"].shape
    (64, 64)
    """
    with Renderer(backend, threads=threads, devices=devices, tolerance=tolerance) as renderer:
        return renderer.gradients(experiment, names, observer)


def fit(
    experiment: Experiment,
    counts: np.ndarray,
    names: str | Sequence[str] = "misset, cell, scale",
    used: np.ndarray | None = None,
    *,
    target: str = "poisson",
    within: Mapping[str, float] | None = None,
    search: float = 1.0,
    evaluations: int = EVALUATIONS,
    largest_misfit: float | None = None,
    backend: str = "auto",
    threads: int | None = None,
    devices: Sequence[int] | None = None,
    tolerance: Tolerance | float | str | None = None,
    tell: Callable[[str], None] | None = None,
    response: Response | os.PathLike[str] | str | None = None,
    duration: float = 1.0,
) -> Refined:
    """Fit parameters of an experiment to an image.

    Parameters
    ----------
    experiment : Experiment
        Start of the fit. All quirks must be corrected, as they are by default.
    counts : ndarray, shape (n_slow, n_fast)
        Counted photons, without offset; or raw numbers, if the response of the detector is given.
    names : str or sequence of str, optional
        Free parameters, as for `render_gradients`.
    used : ndarray of bool, shape (n_slow, n_fast), optional
        Pixels to fit. Pixels next to the direct beam are never used. By default all pixels with
        finite counts.
    target : str, optional
        "poisson": likelihood of the counts. "squares": squared differences, divided by their
        variances.
    within : mapping of str to float, optional
        Largest change of each parameter from its start, in the units of `Refined`.
    search : float, optional
        Largest misorientation that is scanned before the fit (degrees). 0 for no scan.
    evaluations : int, optional
        Largest number of images of the last fit.
    largest_misfit : float, optional
        Largest reduced chi-squared with which the fit may count as a solution. By default the
        largest value that noise alone may give: 5 standard deviations above 1.
    backend, threads, devices : optional
        As for `simulate`.
    tolerance : float, str or Tolerance, optional
        Tolerance of the images of all fits but the last, as for `simulate`; photons such as 0.001
        make a fit faster if spots are small. By default, all images are exact.
    tell : callable, optional
        Function that receives lines of text about the progress.
    response : Response or path_like, optional
        Response of the detector that read the raw numbers out: the response itself, its name, or
        its file. For saturated pixels, only the lower limit of the photons is used. The target
        follows from the noise.
    duration : float, optional
        Exposure time (s), for a response.

    Returns
    -------
    Refined
        Parameters with uncertainties, the refined experiment, and whether the fit is a solution.

    Raises
    ------
    CupysimError
        If the image and the detector differ in size, or nothing can be refined.
    """
    if not isinstance(experiment, Experiment):
        raise CupysimError(f"fit: expected an Experiment, got a {type(experiment).__name__}")
    size = experiment.image_shape
    if response is not None:
        from cupysim.image.detected_image import detector_model

        detector = detector_model(experiment, response, duration)
        raw = np.asarray(counts)
        if raw.shape != size or raw.dtype.kind not in "iu":
            raise CupysimError(
                f"fit: with a response, counts must be raw numbers: integers of the shape {size}"
            )
        if used is not None and np.shape(used) != size:
            raise CupysimError(f"fit: the image and its mask must have the shape {size}")
        observation = detector.observed(raw, None if used is None else np.asarray(used) != 0)
    else:
        observation = _observed(counts, used, size)
    settings = Settings(target, within, search, evaluations, largest_misfit, tolerance)
    with Renderer(backend, threads=threads, devices=devices) as renderer:
        return refine(
            experiment, observation, names,
            partial(renderer.differentiate, device_arrays=renderer.has_one_device), settings,
            tell or (lambda _: None),
        )  # fmt: skip


def _observed(counts: np.ndarray, used: np.ndarray | None, size: tuple[int, ...]) -> Observation:
    """The observation of counted photons."""
    try:
        measured = np.ma.filled(np.ma.asarray(counts, dtype=np.float64), np.nan)
    except (TypeError, ValueError) as error:
        raise CupysimError(f"fit: counts are not numbers: {error}") from error
    if measured.shape != size or (used is not None and np.shape(used) != size):
        raise CupysimError(f"fit: the image and its mask must have the shape {size}")
    taken = (
        np.isfinite(measured) if used is None else (np.asarray(used) != 0) & np.isfinite(measured)
    )
    return Observation(np.where(taken, np.maximum(measured, 0.0), 0.0), taken)


def from_args(words: str | Sequence[str]) -> Experiment:
    """Make an experiment from command-line options.

    Parameters
    ----------
    words : str or sequence of str
        Options of the drop-in command. A string is split as a shell splits it.

    Returns
    -------
    Experiment
        The experiment that the command would simulate.

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

    from cupysim.nanobragg.build import build

    return build(shlex.split(words) if isinstance(words, str) else words).experiment
