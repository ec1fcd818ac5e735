"""What weakens scattered photons, and the dose of the sample, from the values of options."""

from __future__ import annotations

from cupysim.errors import ModelError, OptionError
from cupysim.models.attenuation import Attenuator, Beamstop, FlightPath, Slab, Sphere
from cupysim.models.dose import absorbed_dose
from cupysim.models.experiment import Experiment
from cupysim.models.sensor import attenuation
from cupysim.nanobragg.arguments import Arguments

MILLIMETRE = 1e-3

SAMPLES: dict[str, type[Slab] | type[Sphere]] = {"slab": Slab, "sphere": Sphere}
"""Shapes of samples by name."""


def attenuators(args: Arguments, wavelength: float) -> tuple[Attenuator, ...]:
    """Make the attenuators of a command line.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    wavelength : float
        Wavelength (m) at which materials absorb.

    Raises
    ------
    CupysimError
        If a value is not understood, xraydb does not know a material, or is not installed.
    """
    found: list[Attenuator] = []
    if args.absorption is not None:
        kind, material, size = _sample(args.absorption)
        found.append(kind(_attenuation("-absorption", material, wavelength), size))
    if args.flight_path is not None:
        found.append(FlightPath(_attenuation("-flight_path", args.flight_path, wavelength)))
    if args.beamstop is not None:
        try:
            found.append(Beamstop(*args.beamstop))
        except ModelError as error:
            raise OptionError("-beamstop", str(error).removeprefix("beamstop: ")) from error
    return tuple(found)


def dose_line(material: str, experiment: Experiment) -> str:
    """A line about the dose of a sample, for -dose.

    Raises
    ------
    CupysimError
        If xraydb does not know the material, or is not installed.
    """
    try:
        megagray = 1e-6 * absorbed_dose(experiment, material)
    except ModelError as error:
        raise OptionError("-dose", str(error).removeprefix("dose: ")) from error
    return f"dose: {megagray:.4g} MGy in {material}, from {experiment.beam.fluence:.4g} photons/m^2"


def _sample(value: str) -> tuple[type[Slab] | type[Sphere], str, float]:
    """Shape, material and size (m) of a value of -absorption."""
    kind, _, rest = value.partition(",")
    material, _, size = rest.rpartition(",")
    try:
        millimetres = float(size)
    except ValueError:
        millimetres = -1.0
    if kind not in SAMPLES or not material or not 0.0 <= millimetres < 1e6:
        raise OptionError(
            "-absorption", f"expected slab,MATERIAL,MM or sphere,MATERIAL,MM, got {value[:60]!r}"
        )
    return SAMPLES[kind], material, MILLIMETRE * millimetres


def _attenuation(option: str, material: str, wavelength: float) -> float:
    try:
        return attenuation(material, wavelength)
    except ModelError as error:
        raise OptionError(option, str(error)) from error
