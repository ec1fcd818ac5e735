"""The NumPy backend as an object. It keeps nothing from image to image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cupysim.backends.derivatives import Gradients
from cupysim.backends.numpy import culled, culled_differentiation, differentiation, oracle
from cupysim.backends.rendered import Observer, Rendered, without_device
from cupysim.plan.gradient_plan import GradientPlan
from cupysim.plan.render_plan import RenderPlan


class NumpyBackend:
    """The NumPy backend: double precision, the reference for the other backends."""

    name = "numpy"
    n_devices = 0

    def render(self, plan: RenderPlan, observer: Observer, image: Any = None) -> Rendered:
        """Compute images; see `cupysim.backends.rendered.OpenBackend`."""
        function = oracle.render if plan.tolerance is None else culled.render
        rendered = function(plan, observer)
        if image is None:
            return rendered
        image[...] = rendered.image
        return replace(rendered, image=image)

    def differentiate(
        self, plan: GradientPlan, observer: Observer, device_arrays: bool = False
    ) -> Gradients:
        """Compute an image's derivatives; see `cupysim.backends.rendered.OpenBackend`."""
        if device_arrays:
            raise without_device(self.name)
        exact = plan.plan.tolerance is None
        module = differentiation if exact else culled_differentiation
        return module.differentiate(plan, observer)

    def new_device_array(self, _shape: tuple[int, ...], _type: type, /) -> Any:
        """Raise an error: the NumPy backend has no device."""
        raise without_device(self.name)

    def close(self) -> None:
        """Do nothing: the NumPy backend keeps nothing."""
