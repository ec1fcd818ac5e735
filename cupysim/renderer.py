"""The renderer: computes images of experiments, and keeps what further calls can use again."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cupysim.advice.empty_images import warn_of_empty_image
from cupysim.advice.exact_images import warn_of_exact_image
from cupysim.advice.quirk_effects import warn_of_effects, warn_of_interpolation_stop
from cupysim.backends.parts import differentiate_parts, render_parts
from cupysim.backends.rendered import Observer, Rendered, zeroed_output
from cupysim.backends.select import open_backend
from cupysim.errors import CupysimError
from cupysim.image import Image
from cupysim.models.experiment import Experiment
from cupysim.models.tolerance import Tolerance
from cupysim.plan.joining import add_shots, groups_of_alike
from cupysim.plan.planning import Planner
from cupysim.plan.render_plan import RenderPlan

if TYPE_CHECKING:
    from cupysim.backends.derivatives import Gradients
    from cupysim.plan.gradient_plan import GradientPlan


class Renderer:
    """Renders experiments, and keeps device, kernels, buffers and tables between calls.

    Structure factors and orientations stay on the device as long as the experiments share them.
    Make variations of an experiment with `dataclasses.replace`, which keeps the other parts.
    Several threads may use one renderer; it serves them one after the other.

    Parameters
    ----------
    backend : str, optional
        Backend that computes the images: "cuda", "host", "numpy", or "auto" for the first of
        these that works.
    precision : str, optional
        "double": errors below 1e-6 of each pixel plus 1e-9 of the image's maximum. "mixed": errors
        below 1e-6 of the maximum, and faster. Derivatives are always computed in double precision.
    threads : int, optional
        Number of threads of the host backend. By default one for each core.
    devices : sequence of int, optional
        Numbers of the GPUs that share the work of the cuda backend. By default all GPUs.
    tolerance : float, str or Tolerance, optional
        Photons that each pixel may lack, or a text such as "1e-6peak": a fraction of the brightest
        Bragg pixel. Weak terms whose sum is below it are left out, which is much faster. By
        default, images are exact. Derivatives are within `Gradients.limits`.

    Raises
    ------
    CupysimError
        If the backend or the precision does not exist, the tolerance is not possible, or the
        backend does not work on this computer.

    Examples
    --------
    >>> from cupysim import from_args
    >>> experiment = from_args("-cell 100 -default_F 100 -N 5 -detpixels 64")
    >>> with Renderer() as renderer:
    ...     image = renderer(experiment)
    >>> image.array.shape
    (64, 64)
    """

    def __init__(
        self,
        backend: str = "auto",
        precision: str = "double",
        threads: int | None = None,
        devices: Sequence[int] | None = None,
        tolerance: Tolerance | float | str | None = None,
    ) -> None:
        self.tolerance = Tolerance.read(tolerance)
        self._backend = open_backend(backend, precision, threads, devices)
        self._planner = Planner()
        self._lock = threading.Lock()
        self._busy: int | None = None
        self._is_closed = False

    @property
    def backend(self) -> str:
        """Name of the backend that computes the images."""
        return self._backend.name

    @property
    def has_one_device(self) -> bool:
        """Whether one GPU computes everything; results on it then leave no other GPU idle."""
        return self._backend.n_devices == 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the device and the buffers. A closed renderer raises an error when it is used."""
        with self._alone(closing=True):
            self._is_closed = True
            self._backend.close()
            self._planner = Planner()

    def __call__(
        self,
        experiment: Experiment,
        *,
        observer: Observer | None = None,
        gradients: str | Iterable[str] | None = None,
        out: np.ndarray | None = None,
        device_arrays: bool = False,
    ) -> Any:
        """Render the image of an experiment.

        Parameters
        ----------
        experiment : Experiment
            Experiment to simulate.
        observer : Observer, optional
            Object that receives the progress of the render. A `cupysim.backends.numpy.tap.Tap`
            receives every step; it needs the NumPy backend.
        gradients : str or iterable of str, optional
            Parameters with respect to which the image is differentiated, see
            `cupysim.render_gradients`. The derivatives are in the image's ``gradients``.
        out : ndarray of float32, shape (n_slow, n_fast), optional
            Array for the photons, which the image keeps. With panels: (n_panels, n_slow, n_fast).
        device_arrays : bool, optional
            Return a CuPy array on the device, and copy nothing to the host.

        Returns
        -------
        Image or cupy.ndarray of float32, shape (n_slow, n_fast)
            Expected photons, with statistics and methods to save them. With `device_arrays`, the
            array alone; it supports ``__dlpack__``.

        Raises
        ------
        CupysimError
            If the experiment is impossible, `out` does not fit, or the backend has no device.
        """
        plan = self.plan(experiment)
        gradient_plan = None  # made before the image: its errors should not wait for the render
        if gradients is not None:
            gradient_plan = self._planner.gradients(experiment, plan, gradients)
        if device_arrays:
            if out is not None or gradients is not None:
                raise CupysimError("device_arrays: not possible together with out or gradients")
            image = self._on_device(plan, observer or Observer())[0]
            return image if plan.has_panels else image[0]
        image = self.image(experiment, plan, observer, out)
        if gradient_plan is None:
            return image
        return Image(experiment, plan, image.rendered, self.differentiate(gradient_plan))

    def plan(self, experiment: Experiment) -> RenderPlan:
        """Make the render plan of an experiment, and warn of quirks that change its image.

        Parameters
        ----------
        experiment : Experiment
            Experiment to simulate.

        Returns
        -------
        RenderPlan
            Plan for `image`. An impossible experiment raises a `CupysimError`.
        """
        if not isinstance(experiment, Experiment):
            raise CupysimError(f"expected an Experiment, got a {type(experiment).__name__}")
        with self._alone():
            plan = self._planner(experiment)
        warn_of_effects(experiment, plan)
        return plan

    def image(
        self,
        experiment: Experiment,
        plan: RenderPlan,
        observer: Observer | None = None,
        out: np.ndarray | None = None,
    ) -> Image:
        """Render a plan, and warn of an empty image or an end of interpolation (quirk Q23).

        Parameters
        ----------
        experiment : Experiment
            Experiment to simulate.
        plan : RenderPlan
            Plan of this experiment, from `plan`.
        observer : Observer, optional
            Object that receives the progress of the render.
        out : ndarray of float32, shape (n_slow, n_fast), optional
            Array for the expected photons.

        Returns
        -------
        Image
            Expected photons, with statistics and methods to save them.
        """
        if observer is not None and observer.needs_numpy and self.backend != "numpy":
            raise CupysimError(f"backend {self.backend!r}: a Tap needs the backend 'numpy'")
        rendered = self.render_plan(
            plan, observer or Observer(), zeroed_output(out, plan.shape, plan.has_panels)
        )
        warn_of_interpolation_stop(rendered)
        warn_of_empty_image(experiment, rendered)
        return Image(experiment, plan, rendered)

    def batch(
        self,
        experiments: Iterable[Experiment],
        *,
        out: np.ndarray | None = None,
        device_arrays: bool = False,
    ) -> Any:
        """Render several experiments. Similar experiments share one launch.

        They are similar if they differ only in orientations, cells, wavelengths, fluence and
        places of panels. Warnings of quirks are given only for the first experiment.

        Parameters
        ----------
        experiments : iterable of Experiment
            Experiments to simulate. With `out` or `device_arrays`, all detectors must have the
            same number of pixels.
        out : ndarray of float32, shape (n, n_slow, n_fast), optional
            Array for the expected photons.
        device_arrays : bool, optional
            Return one CuPy array on the device, and copy nothing to the host.

        Returns
        -------
        list of Image, or cupy.ndarray of float32, shape (n, n_slow, n_fast)
            Images in the order of the experiments.

        Raises
        ------
        CupysimError
            If an experiment is impossible, `out` does not fit, or the backend has no device.
        """
        wanted = list(experiments)
        if not wanted:
            return []
        first = self.plan(wanted[0])
        with self._alone():
            plans = [first, *self._planner.several(wanted[1:])]
        groups = groups_of_alike(plans)
        if device_arrays or out is not None:
            sizes = {(plan.shape[1:], plan.has_panels) for plan in plans}
            if len(sizes) > 1:
                raise CupysimError("batch: detectors of different sizes do not fit one array")
        whole, shape = None, (len(plans), *first.shape[1:])
        if device_arrays:
            if out is not None:
                raise CupysimError("device_arrays: not possible together with out")
            whole = self._backend.new_device_array(shape, np.float32)
        elif out is not None:
            whole = zeroed_output(out, shape, first.has_panels)
        images: list[Image | None] = [None] * len(plans)
        for places in groups:
            joined = add_shots([plans[place] for place in places])
            one_run = places == list(range(places[0], places[-1] + 1))
            target = None
            if whole is not None and one_run:
                target = whole[places[0] : places[-1] + 1]
            rendered = self.render_plan(joined, Observer(), target)
            if whole is not None and not one_run:
                whole[places] = rendered.image
            for number, place in enumerate(places):
                images[place] = Image(wanted[place], plans[place], rendered.of_shot(number))
        if device_arrays:
            assert whole is not None
            return whole if first.has_panels else whole[:, 0]
        for experiment, image in zip(wanted, images, strict=True):
            assert image is not None
            warn_of_interpolation_stop(image.rendered)
            warn_of_empty_image(experiment, image.rendered)
        return images

    def gradients(
        self,
        experiment: Experiment,
        names: str | Iterable[str],
        observer: Observer | None = None,
        *,
        device_arrays: bool = False,
    ) -> Gradients:
        """Differentiate an image with respect to parameters of the experiment.

        Parameters
        ----------
        experiment : Experiment
            Experiment to simulate. All quirks must be corrected, as they are by default.
        names : str or iterable of str
            Names of parameters, see `cupysim.render_gradients`.
        observer : Observer, optional
            Object that receives the progress.
        device_arrays : bool, optional
            Return CuPy arrays on the device, and copy no pixel to the host.

        Returns
        -------
        Gradients
            The image in double precision, and its derivatives.

        Raises
        ------
        CupysimError
            If an image of this kind has no derivatives, or none with respect to one of the
            parameters; with `device_arrays`, if the backend has no device.
        """
        if not isinstance(experiment, Experiment):
            raise CupysimError(f"expected an Experiment, got a {type(experiment).__name__}")
        with self._alone():
            plan = self._planner(experiment)
        found = self._planner.gradients(experiment, plan, names)
        return self.differentiate(found, observer, device_arrays=device_arrays)

    def render_plan(
        self, plan: RenderPlan, observer: Observer | None = None, image: Any = None
    ) -> Rendered:
        """Render a plan, of one shot or several, without warnings.

        Parameters
        ----------
        plan : RenderPlan
            Plan to render.
        observer : Observer, optional
            Object that receives the progress of the render.
        image : ndarray of float32, shape plan.shape, optional
            Array of zeros for the images.

        Returns
        -------
        Rendered
            Result of the backend.
        """
        observer = observer or Observer()
        is_exact = partial(warn_of_exact_image, is_traced=observer.needs_numpy)

        with self._alone():
            return render_parts(self._backend, plan, observer, image, self.tolerance, is_exact)

    def differentiate(
        self, plan: GradientPlan, observer: Observer | None = None, *, device_arrays: bool = False
    ) -> Gradients:
        """Compute the derivatives of a gradient plan.

        Parameters
        ----------
        plan : GradientPlan
            Plan of the derivatives.
        observer : Observer, optional
            Object that receives the progress.
        device_arrays : bool, optional
            Return CuPy arrays on the device.

        Returns
        -------
        Gradients
            The image in double precision, and its derivatives.
        """
        if self.tolerance is not None:
            plan = plan.within(self.tolerance)
        with self._alone():
            return differentiate_parts(self._backend, plan, observer or Observer(), device_arrays)

    def _on_device(self, plan: RenderPlan, observer: Observer) -> Any:
        image = self._backend.new_device_array(plan.shape, np.float32)
        self.render_plan(plan, observer, image)
        return image

    @contextmanager
    def _alone(self, closing: bool = False) -> Iterator[None]:
        """Let one thread work at a time; raise an error if an observer calls its own renderer."""
        me = threading.get_ident()
        if self._busy == me:
            raise CupysimError(
                "a renderer cannot be called while it renders; its observer called it"
            )
        with self._lock:
            if self._is_closed and not closing:
                raise CupysimError("this renderer is closed")
            self._busy = me
            try:
                yield
            finally:
                self._busy = None
