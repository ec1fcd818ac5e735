"""What a backend must provide, and the results that it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from cupysim.errors import CupysimError
from cupysim.plan.render_plan import RenderPlan

if TYPE_CHECKING:
    from cupysim.backends.derivatives import Gradients
    from cupysim.plan.gradient_plan import GradientPlan


@dataclass(frozen=True)
class InterpolationStop:
    """The step that switched interpolation of structure factors off (quirk Q23).

    Parameters
    ----------
    panel : int
        Number of the panel.
    pixel : int
        Number of the pixel, slow * n_fast + fast.
    step : int
        Serial number of the step within the pixel.
    indices : tuple of 3 float
        Fractional h, k, l of the step. Their neighbours lie outside the table.
    """

    panel: int
    pixel: int
    step: int
    indices: tuple[float, float, float]


@dataclass(frozen=True)
class MadeBy:
    """The backend, precision and devices that computed an image.

    Parameters
    ----------
    backend : str
        Name of the backend.
    precision : str
        Precision of the numbers: "double", "mixed" or "pairs". On GPUs with few float64 units,
        mixed precision becomes pairs of floats.
    devices : tuple of str
        Instruction set and threads of the processor, or names of the GPUs.
    """

    backend: str
    precision: str
    devices: tuple[str, ...]


BY_NUMPY = MadeBy("numpy", "double", ("1 thread",))
"""Backend, precision and device of the NumPy backend."""


@dataclass(frozen=True)
class Culled:
    """What a render within a tolerance left out.

    Parameters
    ----------
    tolerances : ndarray, shape (n_shots,)
        Photons by which a pixel of each shot may be below the exact image.
    n_computed, n_terms : int
        Numbers of the computed terms, and of all terms of the exact images.
    peaks : ndarray, shape (n_shots,), or None
        Photons of the brightest Bragg pixel of each shot, if the tolerances are relative to it. If
        crystals are rendered one after the other, the largest of theirs.
    """

    tolerances: np.ndarray
    n_computed: int
    n_terms: int
    peaks: np.ndarray | None = None

    @classmethod
    def of(
        cls, limits: Sequence[tuple[float, float | None]], n_computed: int, n_terms: int
    ) -> Culled:
        """Describe a render from the results of `tolerance_in_photons` of its shots."""
        tolerances = np.array([photons for photons, _ in limits])
        peaks = [peak for _, peak in limits if peak is not None]
        return cls(tolerances, n_computed, n_terms, np.array(peaks) if peaks else None)

    def plus(self, other: Culled) -> Culled:
        """What the renders of two parts of the crystals left out together."""
        peaks = self.peaks
        if peaks is not None and other.peaks is not None:
            peaks = np.maximum(peaks, other.peaks)
        return Culled(
            self.tolerances + other.tolerances,
            self.n_computed + other.n_computed,
            self.n_terms + other.n_terms,
            peaks,
        )

    @property
    def share(self) -> float:
        """Share of the terms that were computed."""
        return self.n_computed / max(self.n_terms, 1)


@dataclass(frozen=True)
class Rendered:
    """Rendered images, and what reports need to know of them.

    Parameters
    ----------
    image : ndarray of float32, shape (n_shots, n_panels, n_slow, n_fast)
        Expected photons in each pixel; zero in pixels that were not computed.
    omega_sum : ndarray, shape (n_shots, n_panels)
        Sum of the solid angles of all pixels, layers and sub-pixels (sr).
    n_rendered : ndarray of int, shape (n_shots, n_panels)
        Number of pixels computed.
    interpolation_stops : list of InterpolationStop or None
        For each shot, the step that ended interpolation, or None.
    made_by : MadeBy
        The backend, precision and devices that computed the images.
    culled : Culled or None
        What a render within a tolerance left out; None for exact images.
    """

    image: np.ndarray
    omega_sum: np.ndarray
    n_rendered: np.ndarray
    interpolation_stops: list[InterpolationStop | None]
    made_by: MadeBy
    culled: Culled | None = None

    def add(self, other: Rendered) -> Rendered:
        """Add the photons of further crystals, in place. Counts of terms add up too."""
        self.image[...] += other.image
        stops = [
            mine or theirs
            for mine, theirs in zip(
                self.interpolation_stops, other.interpolation_stops, strict=True
            )
        ]
        culled = self.culled or other.culled
        if self.culled is not None and other.culled is not None:
            culled = self.culled.plus(other.culled)
        return replace(self, interpolation_stops=stops, culled=culled)

    def of_shot(self, shot: int) -> Rendered:
        """The part of the result that belongs to one shot. Counts of terms are those of all."""
        only = slice(shot, shot + 1)
        culled = self.culled
        if culled is not None:
            peaks = None if culled.peaks is None else culled.peaks[only]
            culled = replace(culled, tolerances=culled.tolerances[only], peaks=peaks)
        return Rendered(
            self.image[only], self.omega_sum[only], self.n_rendered[only],
            self.interpolation_stops[only], self.made_by, culled,
        )  # fmt: skip


class Observer:
    """Receives the progress of a render. Methods do nothing unless a subclass overrides them."""

    needs_numpy = False
    """Whether only the NumPy backend can show what the observer asks for."""

    def pixels_done(self, count: int) -> None:
        """Called when `count` more pixels are done."""

    def interpolation_stopped(self, stop: InterpolationStop) -> None:
        """Called when a step ends interpolation (quirk Q23)."""


RenderFunction: TypeAlias = Callable[[RenderPlan, Observer], Rendered]
"""Renders a plan, reports progress to the observer, and returns the images."""


GradientFunction: TypeAlias = "Callable[[GradientPlan, Observer], Gradients]"
"""Differentiates a plan, reports progress to the observer, and returns the derivatives."""


class OpenBackend(Protocol):
    """A backend that keeps its devices, and the arrays on them, from image to image."""

    name: str

    @property
    def n_devices(self) -> int:
        """Number of GPUs that may share an image. Results can stay on the first one."""

    def render(self, plan: RenderPlan, observer: Observer, image: Any = None) -> Rendered:
        """Render a plan.

        Parameters
        ----------
        plan : RenderPlan
            Plan of the images.
        observer : Observer
            Receives the progress.
        image : ndarray of float32, shape plan.shape, optional
            Array of zeros to write the images to. A CuPy array stays on its device.
        """

    def differentiate(
        self, plan: GradientPlan, observer: Observer, device_arrays: bool = False
    ) -> Gradients:
        """Differentiate an image, in double precision.

        Parameters
        ----------
        plan : GradientPlan
            Plan of the image and its derivatives.
        observer : Observer
            Receives the progress.
        device_arrays : bool, optional
            Leave the results on the first device, as CuPy arrays.
        """

    def new_device_array(self, shape: tuple[int, ...], dtype: type, /) -> Any:
        """An array of zeros on the first device."""

    def close(self) -> None:
        """Release the devices and the arrays on them."""


def without_device(name: str) -> CupysimError:
    """Make the error of a backend that has no device.

    Parameters
    ----------
    name : str
        Name of the backend.

    Returns
    -------
    CupysimError
        The error; the caller raises it.
    """
    return CupysimError(f"device_arrays: the {name} backend has no device; use cuda")


def zeroed_output(
    out: np.ndarray | None, shape: tuple[int, ...], has_panels: bool = False
) -> np.ndarray | None:
    """Check an output array, fill it with zeros, and give it the shape that backends use.

    Parameters
    ----------
    out : ndarray of float32 or None
        Array that the user gives; None for none.
    shape : tuple of 4 int
        Shape of the plan.
    has_panels : bool, optional
        Whether images have an axis of panels.

    Returns
    -------
    ndarray or None
        A view of the array.

    Raises
    ------
    CupysimError
        If the array does not fit.
    """
    if out is None:
        return None
    of_image = shape[1:] if has_panels else shape[2:]
    is_one = shape[0] == 1 and np.ndim(out) == len(of_image)
    wanted = of_image if is_one else (shape[0], *of_image)
    fits = isinstance(out, np.ndarray) and out.shape == wanted and out.dtype == np.float32
    if not fits or not out.flags.c_contiguous or not out.flags.writeable:
        raise CupysimError(
            f"out: expected a contiguous, writeable float32 array of the shape {wanted}, got "
            f"{getattr(out, 'dtype', type(out).__name__)} of the shape {np.shape(out)}"
        )
    out.fill(0.0)
    return out.reshape(shape)
