"""What weakens scattered photons, and the dose of the sample, from the values of options."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from cupysim.drop_ins.units import MM
from cupysim.errors import CupysimWarning, ModelError, OptionError
from cupysim.models.attenuation import Attenuator, Beamstop, FlightPath, Slab, Sphere
from cupysim.models.dose import absorbed_dose
from cupysim.models.experiment import Experiment
from cupysim.models.sensor import attenuation
from cupysim.models.sources import Sources
from cupysim.nanobragg.arguments import Arguments
from cupysim.nanobragg.backgrounds import illuminated_edge
from cupysim.nanobragg.beam import beam_edge

LARGEST_VARIATION = 0.05
"""Largest relative difference of an attenuation coefficient from its mean over the beam that needs
no warning."""

SAMPLES: dict[str, type[Slab] | type[Sphere]] = {"slab": Slab, "sphere": Sphere}
"""Shapes of samples by name."""

LARGEST_MILLIMETRES = 1e6
"""Limit of a size (mm); a larger one is certainly a mistake."""

MODELS = ("beamstop", "dose", *SAMPLES)
"""Beginnings of messages, which the name of an option replaces."""


def with_attenuators(args: Arguments, experiment: Experiment) -> Experiment:
    """Add the attenuators of a command line to an experiment.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    experiment : Experiment
        The experiment without them. Materials absorb at the wavelengths of its beam.

    Raises
    ------
    CupysimError
        If a value is not understood, xraydb does not know a material, or is not installed.
    """
    with warnings.catch_warnings():
        # the experiment with attenuators gives the same warnings of its sources
        warnings.simplefilter("ignore", CupysimWarning)
        sources = experiment.sources
    found: list[Attenuator] = []
    if args.absorption is not None:
        kind, material, size = _sample(args.absorption)
        coefficient = mean_attenuation("-absorption", material, sources)
        with _told_of("-absorption"):
            found.append(kind(coefficient, size))
    if args.flight_path is not None:
        found.append(FlightPath(mean_attenuation("-flight_path", args.flight_path, sources)))
    if args.beamstop is not None:
        with _told_of("-beamstop"):
            stop = Beamstop(*args.beamstop)
        found.append(stop if args.beamstop_matter is None else _with_matter(stop, args, sources))
    elif args.beamstop_matter is not None:
        raise OptionError("-beamstop_matter", "there is no beamstop (option -beamstop)")
    with warnings.catch_warnings():
        # the experiment without attenuators has given the same warnings
        warnings.simplefilter("ignore", CupysimWarning)
        return replace(experiment, attenuators=tuple(found))


def dose_line(material: str, experiment: Experiment) -> str:
    """A line about the dose of a sample, for -dose.

    Raises
    ------
    CupysimError
        If xraydb does not know the material, or is not installed.
    """
    with _told_of("-dose"):
        megagray = 1e-6 * absorbed_dose(experiment, material)
    return f"dose: {megagray:.4g} MGy in {material}, from {experiment.beam.fluence:.4g} photons/m^2"


def _with_matter(stop: Beamstop, args: Arguments, sources: Sources) -> Beamstop:
    """The beamstop with the matter of -beamstop_matter."""
    from cupysim.materials.free_atoms import free_atoms

    option, width = "-beamstop_matter", illuminated_edge(beam_edge(args))
    material, thickness = _material_and_size(option, args.beamstop_matter, "MATERIAL,MM")
    if stop.diameter < width:
        warnings.warn(
            CupysimWarning(
                f"-beamstop: its diameter of {1e3 * stop.diameter:g} mm is less than the size of "
                f"the beam, {1e3 * width:g} mm; the photons beside it count as scattered too"
            ),
            stacklevel=2,
        )
    coefficient = mean_attenuation(option, material, sources)
    with _told_of(option):
        matter = free_atoms(material, thickness, width, width)
        return replace(stop, matter=matter, attenuation=coefficient)


def _material_and_size(option: str, value: str, expected: str) -> tuple[str, float]:
    """Material and size (m) of a value ``MATERIAL,MM``."""
    material, _, size = value.rpartition(",")
    try:
        millimetres = float(size)
    except ValueError:
        millimetres = -1.0
    if not material.strip() or not 0.0 <= millimetres < LARGEST_MILLIMETRES:
        raise OptionError(option, f"expected {expected}, got {value[:60]!r}")
    return material.strip(), MM.to_si(millimetres)


def _sample(value: str) -> tuple[type[Slab] | type[Sphere], str, float]:
    """Shape, material and size (m) of a value of -absorption."""
    kind, _, rest = value.partition(",")
    expected = "slab,MATERIAL,MM or sphere,MATERIAL,MM"
    if kind.strip() not in SAMPLES:
        raise OptionError("-absorption", f"expected {expected}, got {value[:60]!r}")
    return SAMPLES[kind.strip()], *_material_and_size("-absorption", rest, expected)


def mean_attenuation(option: str, material: str, sources: Sources) -> float:
    """Attenuation coefficient of a material: the mean over the photons of the beam.

    Parameters
    ----------
    option : str
        Option that names the material, for messages.
    material : str
        Name or formula that xraydb knows.
    sources : Sources
        Sources of the beam.

    Returns
    -------
    float
        Coefficient (1/m).

    Raises
    ------
    CupysimError
        If xraydb does not know the material, or is not installed.
    """
    wavelengths, place = np.unique(sources.wavelengths, return_inverse=True)
    with _told_of(option):
        each = np.array([attenuation(material, float(wavelength)) for wavelength in wavelengths])
    mean = float(np.average(each[place], weights=sources.brightness))
    varies = float(np.abs(each / mean - 1.0).max())
    if varies > LARGEST_VARIATION:
        warnings.warn(
            CupysimWarning(
                f"{option}: the attenuation coefficient of {material} at the wavelengths of the "
                f"beam differs from its mean by up to {100 * varies:.2g} %; all wavelengths are "
                "weakened by the mean"
            ),
            stacklevel=2,
        )
    return mean


@contextmanager
def _told_of(option: str) -> Iterator[None]:
    """Errors of models as errors of an option."""
    try:
        yield
    except ModelError as error:
        what, _, rest = str(error).partition(": ")
        told = rest if what in MODELS else str(error)
        raise OptionError(option, told) from error
