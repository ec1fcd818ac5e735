"""The sensor of a detector: thickness and absorption."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cupysim.errors import ModelError
from cupysim.models.checks import assign, number
from cupysim.models.sampling import Sweep


@dataclass(frozen=True)
class Sensor:
    """The layer in which the photons are absorbed.

    Parameters
    ----------
    layers : Sweep
        Thickness (m), distance of the layers (m) and their number; the default
        is a sensor of no thickness which absorbs everything. A single layer without a distance
        is the whole sensor.
    attenuation : float
        Attenuation coefficient mu (1/m); negative where it does not matter, since there is no
        thickness.

    Raises
    ------
    ModelError
        If the thickness is negative, or a sensor of some thickness has layers in one place or no
        attenuation coefficient.
    """

    layers: Sweep = field(default_factory=Sweep)
    attenuation: float = -1.0

    def __post_init__(self) -> None:
        layers, attenuation = self.layers, number(self.attenuation, "sensor: attenuation")
        if layers.range < 0.0:
            raise ModelError(f"sensor: a thickness of {1e6 * layers.range:g} um is impossible")
        if layers.range > 0.0:
            if not attenuation >= 0.0:
                raise ModelError(
                    f"sensor: a thickness of {1e6 * layers.range:g} um needs an attenuation "
                    f"coefficient which is not negative (1/m), got {attenuation:g}"
                )
            if layers.count == 1 and layers.step == 0.0:
                layers = replace(layers, step=layers.range)
            if not layers.step > 0.0:
                raise ModelError(
                    f"sensor: {layers.count} layers which are {1e6 * layers.step:g} um apart, in a "
                    f"sensor of {1e6 * layers.range:g} um"
                )
        assign(self, layers=layers, attenuation=attenuation)
