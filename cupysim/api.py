"""The Python way in: describe an experiment, simulate it, save the image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np

from cupysim.backends.derivatives import Gradients
from cupysim.backends.numpy.tap import Tap
from cupysim.backends.rendered import Observer
from cupysim.errors import CupysimError
from cupysim.image import Image
from cupysim.models.experiment import Experiment
from cupysim.refine.fit import refine
from cupysim.refine.outcome import Refined
from cupysim.refine.problem import Observation
from cupysim.refine.settings import EVALUATIONS, Settings
from cupysim.renderer import Renderer


def simulate(
    experiment: Experiment,
    backend: str = "auto",
    observer: Observer | None = None,
    *,
    precision: str = "double",
    threads: int | None = None,
    devices: Sequence[int] | None = None,
    gradients: str | Iterable[str] | None = None,
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
        Hears how far the render is; a `cupysim.backends.numpy.tap.Tap` hears every
        step of the NumPy backend, which is then used.
    precision : str, optional
        "double": within 1e-6 of each pixel. "mixed": within 1e-6 of the image's
        maximum, and faster.
    threads : int, optional
        Threads of the host backend; one on each core without it.
    devices : sequence of int, optional
        GPUs which share the work of the cuda backend; all without it.
    gradients : str or iterable of str, optional
        Parameters with which the image is differentiated, see `render_gradients`; the result
        is the image's ``gradients``. All quirks must be corrected, as they are by default.

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
    if isinstance(observer, Tap) and backend == "auto":
        backend = "numpy"
    with Renderer(backend, precision, threads, devices) as renderer:
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
) -> Gradients:
    """Differentiate an image with parameters of the experiment.

    Parameters
    ----------
    experiment : Experiment
        What is simulated, with all quirks corrected, as they are by default.
    names : str or iterable of str
        Parameters: misset_x, misset_y, misset_z, cell_a, cell_b, cell_c, cell_alpha, cell_beta,
        cell_gamma, n_a, n_b, n_c, mosaic_spread, wavelength, distance, beam_fast, beam_slow,
        rotation_x, rotation_y, rotation_z, twotheta, phi, fluence, scale, structure_factors;
        misset, cell, n_cells, beam_centre and rotation for all of a group. A text has commas
        between them. Units are SI, but Angstrom for cell edges.
    backend : str, optional
        Which backend computes it, as for `simulate`.
    observer : Observer, optional
        Hears how far it is.
    threads, devices : optional
        As for `simulate`.

    Returns
    -------
    Gradients
        The image in double precision, and its derivative with each parameter.

    Raises
    ------
    CupysimError
        If an image of this kind has no derivatives, or not with one of the parameters.

    Examples
    --------
    How the photons change when the crystal turns, and when the detector moves away:

    >>> experiment = from_args("-cell 100 -default_F 100 -N 5 -detpixels 64 -corrected")
    >>> gradients = render_gradients(experiment, "misset, distance")
    >>> gradients.names
    ('misset_x', 'misset_y', 'misset_z', 'distance')
    >>> gradients["misset_z"].shape
    (64, 64)
    """
    with Renderer(backend, threads=threads, devices=devices) as renderer:
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
    tell: Callable[[str], None] | None = None,
) -> Refined:
    """Fit an experiment to an image.

    Parameters
    ----------
    experiment : Experiment
        The start, with all quirks corrected, as they are by default.
    counts : ndarray, shape (n_slow, n_fast)
        Photons counted, without offset.
    names : str or sequence of str, optional
        Free parameters, as for `render_gradients`.
    used : ndarray of bool, shape (n_slow, n_fast), optional
        Pixels which take part; those next to the beam never do.
    target : str, optional
        "poisson", the likelihood of counts; or "squares", differences weighted by them.
    within : mapping, optional
        How far parameters may go from their start, in the units of `Refined`.
    search : float, optional
        How far (degrees) the orientation is scanned first; 0 for not at all.
    evaluations : int, optional
        Images of the last fit, at most.
    largest_misfit : float, optional
        Chi-squared, over that of noise, up to which a fit is taken for a solution; without it,
        as far as noise alone may take it.
    backend, threads, devices : optional
        As for `simulate`.
    tell : callable, optional
        Is told in lines what is done.

    Returns
    -------
    Refined
        Parameters with uncertainties, the refined experiment, and whether it is a solution.

    Raises
    ------
    CupysimError
        If the image has another size than the detector, or nothing can be refined.
    """
    if not isinstance(experiment, Experiment):
        raise CupysimError(f"fit: expected an Experiment, got a {type(experiment).__name__}")
    size = (experiment.detector.n_slow, experiment.detector.n_fast)
    try:
        measured = np.ma.filled(np.ma.asarray(counts, dtype=np.float64), np.nan)
    except (TypeError, ValueError) as error:
        raise CupysimError(f"fit: counts are not numbers: {error}") from error
    if measured.shape != size or (used is not None and np.shape(used) != size):
        raise CupysimError(f"fit: the image and its mask must have the shape {size}")
    taken = (
        np.isfinite(measured) if used is None else (np.asarray(used) != 0) & np.isfinite(measured)
    )
    observation = Observation(np.where(taken, np.maximum(measured, 0.0), 0.0), taken)
    settings = Settings(target, within, search, evaluations, largest_misfit)
    with Renderer(backend, threads=threads, devices=devices) as renderer:
        return refine(
            experiment, observation, names,
            partial(renderer.differentiate, device_arrays=renderer.has_one_device), settings,
            tell or (lambda _: None),
        )  # fmt: skip


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

    from cupysim.nanobragg.build import build

    return build(shlex.split(words) if isinstance(words, str) else words).experiment
