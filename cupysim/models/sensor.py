"""The sensor of a detector: thickness and absorption."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cupysim.errors import ModelError
from cupysim.models.checks import assign, number
from cupysim.models.sampling import Sweep


@dataclass(frozen=True)
class Sensor:
    """The sensor of a detector, which absorbs the photons.

    The default sensor has no thickness and absorbs every photon.

    Parameters
    ----------
    layers : Sweep
        Sensor layers: total thickness (m), distance between the layers (m) and their number. A
        single layer without a distance is as thick as the sensor.
    attenuation : float
        Attenuation coefficient mu (1/m). A sensor without thickness does not use it; the default
        is negative.

    Raises
    ------
    ModelError
        If the thickness is negative. Also if a sensor with a thickness has no distance between
        its layers, or no attenuation coefficient.
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
                    f"coefficient that is not negative (1/m), got {attenuation:g}"
                )
            if layers.count == 1 and layers.step == 0.0:
                layers = replace(layers, step=layers.range)
            if not layers.step > 0.0:
                raise ModelError(
                    f"sensor: {layers.count} layers at a distance of {1e6 * layers.step:g} um, in "
                    f"a sensor of {1e6 * layers.range:g} um; the distance must be positive"
                )
        assign(self, layers=layers, attenuation=attenuation)
