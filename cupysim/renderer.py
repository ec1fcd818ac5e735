"""The renderer: from experiments to images, with everything kept from call to call."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import numpy as np

from cupysim.advice.empty_images import warn_of_empty_image
from cupysim.advice.quirk_effects import warn_of_effects, warn_of_interpolation_stop
from cupysim.backends.derivatives import Gradients
from cupysim.backends.numpy.tap import Tap
from cupysim.backends.rendered import Observer, Rendered
from cupysim.backends.select import open_backend
from cupysim.errors import CupysimError
from cupysim.image import Image
from cupysim.models.experiment import Experiment
from cupysim.plan.gradient_plan import GradientPlan, plan_gradients
from cupysim.plan.joining import add_shots, groups_of_alike
from cupysim.plan.planning import Planner
from cupysim.plan.render_plan import RenderPlan


class Renderer:
    """Renders experiments, and keeps device, kernels, buffers and tables from call to call.

    Structure factors and orientations stay on the device as long as experiments share them: make
    variations by `dataclasses.replace`, which leaves the other parts as they are. Several threads
    may use a renderer; they take turns.

    Parameters
    ----------
    backend : str, optional
        "cuda", "host", "numpy", or "auto" for the first of these that works.
    precision : str, optional
        "double": within 1e-6 of each pixel. "mixed": within 1e-6 of the image's maximum, and
        faster. Derivatives are computed in double precision.
    threads : int, optional
        Threads of the host backend; one on each core without it.
    devices : sequence of int, optional
        GPUs that share the work of the cuda backend; all without it.

    Raises
    ------
    CupysimError
        If there is no such backend or precision, or it does not work here.

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
    ) -> None:
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
        """Whether one GPU computes everything, so that results on it leave no other one idle."""
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
        """Let device and buffers go. A closed renderer renders nothing more."""
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
        """Render an experiment.

        Parameters
        ----------
        experiment : Experiment
            What to simulate.
        observer : Observer, optional
            Hears how far the render is; a `cupysim.backends.numpy.tap.Tap` hears every step of
            the NumPy backend.
        gradients : str or iterable of str, optional
            Parameters with respect to which the image is differentiated, see `gradients`; the
            result is the image's ``gradients``.
        out : ndarray of float32, shape (n_slow, n_fast), optional
            Where the photons go; it becomes the image's array.
        device_arrays : bool, optional
            Return a CuPy array on the device, and send nothing to the host.

        Returns
        -------
        Image or cupy.ndarray of float32, shape (n_slow, n_fast)
            Expected photons, with statistics and ways to save them; the bare array with
            `device_arrays`, on which ``__dlpack__`` works.

        Raises
        ------
        CupysimError
            If the experiment is impossible, `out` does not fit, or the backend has no device.
        """
        plan = self.plan(experiment)
        # before the image, so that what cannot be differentiated is told at once
        gradient_plan = None if gradients is None else plan_gradients(experiment, plan, gradients)
        if device_arrays:
            if out is not None or gradients is not None:
                raise CupysimError("device_arrays: neither out nor gradients go with it")
            return self._on_device(plan, observer or Observer())[0, 0]
        image = self.image(experiment, plan, observer, out)
        if gradient_plan is None:
            return image
        return Image(experiment, plan, image.rendered, self.differentiate(gradient_plan))

    def plan(self, experiment: Experiment) -> RenderPlan:
        """Plan an experiment, and warn of quirks that change its image.

        Parameters
        ----------
        experiment : Experiment
            What to simulate.

        Returns
        -------
        RenderPlan
            For `image`.
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
        """Render what was planned, and warn of what is odd in the image.

        Parameters
        ----------
        experiment : Experiment
            What to simulate.
        plan : RenderPlan
            From `plan`.
        observer : Observer, optional
            Hears how far the render is.
        out : ndarray of float32, shape (n_slow, n_fast), optional
            Where the photons go.
        """
        if isinstance(observer, Tap) and self.backend != "numpy":
            raise CupysimError(f"backend {self.backend!r}: only numpy can be tapped")
        rendered = self.render_plan(plan, observer or Observer(), _zeroed(out, plan.shape))
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
        """Render several experiments; those that are alike in one launch.

        Experiments are alike if they differ in orientations, cells, wavelengths, fluence and
        distances alone. Quirks that act are told for the first experiment.

        Parameters
        ----------
        experiments : iterable of Experiment
            What to simulate; all detectors have the same number of pixels where `out` or
            `device_arrays` is given.
        out : ndarray of float32, shape (n, n_slow, n_fast), optional
            Where the photons go.
        device_arrays : bool, optional
            Return one CuPy array on the device, and send nothing to the host.

        Returns
        -------
        list of Image, or cupy.ndarray of float32, shape (n, n_slow, n_fast)
            In the order of the experiments.

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
            sizes = {plan.shape[2:] for plan in plans}
            if len(sizes) > 1:
                raise CupysimError("batch: detectors of different sizes do not fit one array")
        whole = None
        if device_arrays:
            if out is not None:
                raise CupysimError("device_arrays: out does not go with it")
            shape = (len(plans), 1, *first.shape[2:])
            whole = self._backend.new_device_array(shape, np.float32)
        elif out is not None:
            whole = _zeroed(out, (len(plans), 1, *first.shape[2:]))
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
            return whole[:, 0]
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
            What is simulated, with all quirks corrected, as they are by default.
        names : str or iterable of str
            Parameters, see `cupysim.render_gradients`.
        observer : Observer, optional
            Hears how far it is.
        device_arrays : bool, optional
            Give CuPy arrays on the device, and send no pixel to the host.

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
        gradient_plan = plan_gradients(experiment, plan, names)
        return self.differentiate(gradient_plan, observer, device_arrays=device_arrays)

    def render_plan(
        self, plan: RenderPlan, observer: Observer | None = None, image: Any = None
    ) -> Rendered:
        """Render a plan, of one shot or several, without warnings.

        Parameters
        ----------
        plan : RenderPlan
            What to render.
        observer : Observer, optional
            Hears how far the render is.
        image : ndarray of float32, shape plan.shape, optional
            Zeros, where the images go.
        """
        with self._alone():
            return self._backend.render(plan, observer or Observer(), image)

    def differentiate(
        self, plan: GradientPlan, observer: Observer | None = None, *, device_arrays: bool = False
    ) -> Gradients:
        """Differentiate what was planned.

        Parameters
        ----------
        plan : GradientPlan
            What to differentiate.
        observer : Observer, optional
            Hears how far it is.
        device_arrays : bool, optional
            Give CuPy arrays on the device.
        """
        with self._alone():
            return self._backend.differentiate(plan, observer or Observer(), device_arrays)

    def _on_device(self, plan: RenderPlan, observer: Observer) -> Any:
        image = self._backend.new_device_array(plan.shape, np.float32)
        self.render_plan(plan, observer, image)
        return image

    @contextmanager
    def _alone(self, closing: bool = False) -> Iterator[None]:
        """One thread at a time; an observer that calls its own renderer is told so."""
        me = threading.get_ident()
        if self._busy == me:
            raise CupysimError("a renderer cannot be called while it renders, by its observer")
        with self._lock:
            if self._is_closed and not closing:
                raise CupysimError("this renderer is closed")
            self._busy = me
            try:
                yield
            finally:
                self._busy = None


def _zeroed(out: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """An array of the user's as the backend takes it, filled with zeros."""
    if out is None:
        return None
    wanted = shape[2:] if shape[0] == 1 and np.ndim(out) == 2 else (shape[0], *shape[2:])
    fits = isinstance(out, np.ndarray) and out.shape == wanted and out.dtype == np.float32
    if not fits or not out.flags.c_contiguous or not out.flags.writeable:
        raise CupysimError(
            f"out: expected a contiguous, writeable float32 array of the shape {wanted}, got "
            f"{getattr(out, 'dtype', type(out).__name__)} of the shape {np.shape(out)}"
        )
    out.fill(0.0)
    return out.reshape(shape)
