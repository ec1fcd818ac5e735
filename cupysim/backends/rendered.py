"""What a backend gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from cupysim.backends.derivatives import Gradients
from cupysim.errors import CupysimError
from cupysim.plan.gradient_plan import GradientPlan
from cupysim.plan.render_plan import RenderPlan


@dataclass(frozen=True)
class InterpolationStop:
    """The step which switched interpolation off (quirk Q23).

    Parameters
    ----------
    panel : int
        Its panel.
    pixel : int
        Its pixel, slow * n_fast + fast.
    step : int
        Serial number of the step within the pixel.
    indices : tuple of 3 float
        Fractional h, k, l which lie outside the table.
    """

    panel: int
    pixel: int
    step: int
    indices: tuple[float, float, float]


@dataclass(frozen=True)
class MadeBy:
    """What computed an image.

    Parameters
    ----------
    backend : str
        Its name.
    precision : str
        In which numbers: double, mixed, or what mixed became on the device.
    devices : tuple of str
        The processor's instructions and threads, or the GPUs.
    """

    backend: str
    precision: str
    devices: tuple[str, ...]


BY_NUMPY = MadeBy("numpy", "double", ("1 thread",))
"""What computes the images of the readable backend."""


@dataclass(frozen=True)
class Rendered:
    """Images and what is reported of them.

    Parameters
    ----------
    image : ndarray of float32, shape (n_shots, n_panels, n_slow, n_fast)
        Expected photons in each pixel; zero where nothing was computed.
    omega_sum : ndarray, shape (n_shots, n_panels)
        Sum of solid angles over pixels, layers and sub-pixels (sr).
    n_rendered : ndarray of int, shape (n_shots, n_panels)
        Number of pixels computed.
    interpolation_stops : list of InterpolationStop or None
        For each shot, where interpolation ended, if it did.
    made_by : MadeBy
        What computed them.
    """

    image: np.ndarray
    omega_sum: np.ndarray
    n_rendered: np.ndarray
    interpolation_stops: list[InterpolationStop | None]
    made_by: MadeBy

    def of_shot(self, shot: int) -> Rendered:
        """What belongs to one of several shots."""
        only = slice(shot, shot + 1)
        return Rendered(
            self.image[only], self.omega_sum[only], self.n_rendered[only],
            self.interpolation_stops[only], self.made_by,
        )  # fmt: skip


class Observer:
    """Hears how far a render is; the methods do nothing unless overridden."""

    def pixels_done(self, count: int) -> None:
        """So many pixels more are done."""

    def interpolation_stopped(self, stop: InterpolationStop) -> None:
        """Interpolation ends for all later steps (quirk Q23)."""


RenderFunction: TypeAlias = Callable[[RenderPlan, Observer], Rendered]
"""Renders a plan, reports progress to the observer, and returns the images."""


GradientFunction: TypeAlias = Callable[[GradientPlan, Observer], Gradients]
"""Differentiates a plan, reports progress to the observer, and returns the derivatives."""


class OpenBackend(Protocol):
    """A backend that keeps its devices, and what lies on them, from image to image."""

    name: str

    @property
    def n_devices(self) -> int:
        """GPUs that may share an image; results can stay on the first one, if there is one."""

    def render(self, plan: RenderPlan, observer: Observer, image: Any = None) -> Rendered:
        """Render a plan.

        Parameters
        ----------
        plan : RenderPlan
            What to render.
        observer : Observer
            Hears how far the render is.
        image : ndarray of float32, shape plan.shape, optional
            Zeros, where the images go; a CuPy array stays on its device.
        """

    def differentiate(
        self, plan: GradientPlan, observer: Observer, device_arrays: bool = False
    ) -> Gradients:
        """Differentiate an image, in double precision.

        Parameters
        ----------
        plan : GradientPlan
            What to differentiate.
        observer : Observer
            Hears how far it is.
        device_arrays : bool, optional
            Leave the results on the first device.
        """

    def new_device_array(self, shape: tuple[int, ...], dtype: type, /) -> Any:
        """Zeros on the first device."""

    def close(self) -> None:
        """Let all of it go."""


def without_device(name: str) -> CupysimError:
    """The error of a backend which has no device.

    Parameters
    ----------
    name : str
        The backend.

    Returns
    -------
    CupysimError
        To be raised.
    """
    return CupysimError(f"device_arrays: the {name} backend has no device; use cuda")
