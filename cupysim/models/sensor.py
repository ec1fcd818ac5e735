"""The sensor of a detector: thickness and absorption."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cupysim.errors import ModelError
from cupysim.models.absorption_tables import coefficient, photon_energy
from cupysim.models.checks import assign, finite, number, whole
from cupysim.models.sampling import Sweep

PER_CM = 100.0
"""Units of 1/m in 1/cm."""


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
            raise ModelError(
                f"sensor: the thickness must not be negative, got {1e6 * layers.range:g} um"
            )
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
                    f"sensor: the distance between its {layers.count} layers must be positive, got "
                    f"{1e6 * layers.step:g} um"
                )
        assign(self, layers=layers, attenuation=attenuation)

    @classmethod
    def of_material(
        cls, material: str, thickness: float, wavelength: float, layers: int = 1
    ) -> Sensor:
        """Make a sensor of a material whose attenuation xraydb knows.

        Parameters
        ----------
        material : str
            Chemical formula, or a name that xraydb knows, such as "Si" or "CdTe".
        thickness : float
            Thickness (m).
        wavelength : float
            Wavelength (m).
        layers : int, optional
            Number of layers. One layer gives absorption without parallax.

        Returns
        -------
        Sensor
            Sensor with equal layers.

        Raises
        ------
        CupysimError
            If xraydb is not installed.
        ModelError
            If a number is impossible, or xraydb does not know the material.
        """
        metres, count = finite(thickness, "sensor: thickness"), whole(layers, "sensor: layers")
        if not metres > 0.0:
            raise ModelError(f"sensor: the thickness must be positive, got {metres:g} m")
        if count < 1:
            raise ModelError(f"sensor: layers must be at least 1, got {count}")
        return cls(Sweep(metres, metres / count, count), attenuation(material, wavelength))


def attenuation(material: str, wavelength: float) -> float:
    """Attenuation coefficient of a material, from the tables of Elam et al. in xraydb.

    Parameters
    ----------
    material : str
        Chemical formula, or a name that xraydb knows.
    wavelength : float
        Wavelength (m).

    Returns
    -------
    float
        Attenuation coefficient (1/m).

    Raises
    ------
    CupysimError
        If xraydb is not installed.
    ModelError
        If the wavelength is impossible or xraydb does not know the material's density.
    """
    metres = finite(wavelength, "wavelength")
    if not metres > 0.0:
        raise ModelError(f"wavelength: expected metres above zero, got {metres:g}")
    from cupysim.optional_libraries import require

    xraydb = require("xraydb", "the attenuation of a sensor")
    known = xraydb.find_material(material)
    if known is None:
        raise ModelError(
            f"material: xraydb has no density of {material!r}; give a formula, such as Al, or a "
            "name, such as kapton"
        )
    per_cm = coefficient(xraydb, known.formula, known.density, metres)
    if per_cm is None:
        raise ModelError(
            f"wavelength: xraydb has no attenuation of {material} at {photon_energy(metres):g} eV"
        )
    return PER_CM * per_cm
