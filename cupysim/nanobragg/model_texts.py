"""Short texts about models, for the report and for `cupysim info`."""

from __future__ import annotations

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.models.attenuation import Beamstop
from cupysim.models.background import Amorphous
from cupysim.models.crystal import Crystal
from cupysim.models.experiment import Experiment
from cupysim.models.mosaicity import Mosaicity


def background_text(matter: Amorphous) -> str:
    """Thickness, density and molar mass of matter."""
    where = (
        "" if matter.begin is None else f", beginning at {1e3 * matter.begin:g} mm along the beam"
    )
    return (
        f"{1e3 * matter.thickness:g} mm of {1e-6 * matter.density:g} g/cm^3 and "
        f"{matter.molar_mass:g} g/mol{where}"
    )


def sample_texts(experiment: Experiment) -> list[str]:
    """Body, profile of the beam, decay, matter of beamstops, and the factor of the background."""
    profile, decay = experiment.beam.profile, experiment.decay
    found = []
    for number, body in enumerate(experiment.bodies):
        size, place = (
            " x ".join(f"{1e3 * x:g}" for x in each) for each in (body.size, body.position)
        )
        which = "matter around the body" if number else "body"
        found.append(
            f"{which}: {body.form} of {size} mm at {place.replace(' x ', ' ')} mm, attenuation "
            f"{body.attenuation:g}/m"
        )
    if profile is not None:
        found.append(
            f"beam profile: {profile.kind} of {1e3 * profile.horizontal:g} x "
            f"{1e3 * profile.vertical:g} mm"
        )
    if decay is not None:
        found.append(
            f"decay: {1e-6 * decay.dose:g} MGy after {1e-6 * decay.dose_before:g} MGy, half dose "
            f"{1e-6 * decay.half_dose:g} MGy, B grows by {1e26 * decay.b_per_gray:g} A^2/MGy"
        )
    found += [
        f"beamstop at {1e3 * each.distance:g} mm: {background_text(each.matter)}, transmission "
        f"{each.passed:g}"
        for each in experiment.attenuators
        if isinstance(each, Beamstop) and each.matter is not None
    ]
    if experiment.background_scale != 1.0:
        found.append(f"factor of the background: {experiment.background_scale:g}")
    return found


def mosaic_text(mosaicity: Mosaicity) -> str:
    """Mosaic spreads in degrees."""
    spreads = " ".join(f"{spread * DEGREES_PER_RADIAN:g}" for spread in mosaicity.spreads)
    return f"{spreads} degrees"


def kinds_text(crystal: Crystal) -> str:
    """Sizes and settings of the domains; empty if they are all alike."""
    told = []
    if crystal.sizes is not None:
        told.append(f"{crystal.sizes.count} sizes that vary by {100.0 * crystal.sizes.spread:g} %")
    if crystal.settings:
        told.append(f"settings of Laue group {crystal.settings}")
    return "domains of " + " and ".join(told) if told else ""


def cell_spread_text(crystal: Crystal) -> str:
    """How the edges of the cell vary; empty if they do not."""
    if not any(crystal.cell_spreads):
        return ""
    spreads = " ".join(f"{100.0 * spread:g}" for spread in crystal.cell_spreads)
    return f"edges of the cell vary by {spreads} %"
