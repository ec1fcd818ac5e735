"""Checks of a campaign file for values that are impossible or implausible."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cupysim.campaign.definition.campaign import CampaignDefinition, Variation
from cupysim.campaign.definition.names import SHARED
from cupysim.campaign.definition.shots import varied
from cupysim.errors import CupysimWarning, ModelError
from cupysim.models.attenuation import Beamstop, FlightPath
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import GROUPS, PARAMETERS, current, without_effect
from cupysim.models.sampling import Sweep
from cupysim.models.source_parameters import WIDTHS
from cupysim.storage.toml_document import Section

FAR = 10.0
"""Largest factor between a typical length and that of the base; beyond it, the unit is wrong."""


MOST_TRIED = 1000
"""Largest number of values of a list that are tried."""


def check_campaign(campaign: CampaignDefinition, vary: Section) -> None:
    """Reject values that are impossible in all shots or implausible, and warn of odd rotations.

    Parameters
    ----------
    campaign : CampaignDefinition
        Contents of the campaign file.
    vary : Section
        Its table [vary], for error messages with the line.

    Raises
    ------
    FileFormatError
        If a value is impossible or implausible; the message names the line.
    """
    base = campaign.experiment
    names = {variation.name: variation for variation in campaign.variations}
    for shared, parts in SHARED.items():
        if shared in names and set(parts) & set(names):
            twice = " and ".join(sorted(set(parts) & set(names)))
            vary.fail(shared, f"changes {twice} too, and [vary] names {twice}; vary one of them")
    if "mosaic_spread" in names and base.crystal.mosaicity.spread == 0.0:
        vary.fail("mosaic_spread", "the base needs mosaic domains: -mosaic and -mosaic_dom")
    for name, variation in names.items():
        for part in SHARED.get(name, (name,)):
            reason = without_effect(base, part)
            if reason:
                vary.fail(name, f"has no effect: {reason}")
        _check_size(base, variation, campaign.table, vary.subsection(name))
        _check_numbers(base, variation, vary.subsection(name))
    spectra, channels = campaign.spectra, base.structure_factors.wavelengths
    if channels is not None and len(channels) == 1:
        for name in ("wavelength", "spectrum"):
            if name in names or (name == "spectrum" and spectra is not None):
                vary.fail(
                    name, "-anomalous gives structure factors at the base's wavelength alone; a "
                    "-spectrum in the base gives them over its whole range"
                )  # fmt: skip
    if spectra is not None and spectra.of_file:
        ratios = np.concatenate([each.wavelengths for each in spectra.of_file])
        ratios = ratios / base.beam.wavelength
        if not ((ratios > 1.0 / FAR) & (ratios < FAR)).all():
            vary.fail(
                "spectrum", "its wavelengths are far from the base's; they must be in Angstrom"
            )
        if "wavelength" in names:
            vary.fail("wavelength", "has no effect: the file of spectra gives all wavelengths")
    for name in WIDTHS:
        if spectra is not None and name in names:
            vary.fail(name, "has no effect: [vary] spectrum gives the wavelengths of each shot")
    if spectra is not None and base.beam.source_table is not None:
        vary.fail("spectrum", "the base has a table of sources, which gives all wavelengths")
    if spectra is not None:
        of_base = base.beam.spectrum
        if of_base is not None and of_base.stokes is not None and spectra.kind:
            vary.fail(
                "spectrum",
                "the base's spectrum has Stokes parameters, which spectra of a kind do not have",
            )
        try:
            of_shot = spectra.of(campaign.seed, 0, base.beam.wavelength)
            replace(base.beam, spectrum=of_shot, dispersion=Sweep())
        except ModelError as error:
            vary.fail("spectrum", str(error))
    absorbing = _absorbing(base)
    if absorbing and (spectra is not None or {"wavelength", "spectrum"} & names.keys()):
        warnings.warn(
            CupysimWarning(
                f"{campaign.path}: the wavelength varies, but the attenuation coefficients of "
                f"{' and '.join(absorbing)} stay those at the base's wavelengths"
            ),
            stacklevel=3,
        )
    changing = {"fluence": "image_dose", "phi": "dose_before"}
    fixed = [name for name, dose in changing.items() if name in names and dose not in names]
    if base.decay is not None and fixed:
        warnings.warn(
            CupysimWarning(
                f"{campaign.path}: the shots differ in {' and '.join(fixed)}, but all have the "
                f"{' and '.join(changing[name] for name in fixed)} of the base"
            ),
            stacklevel=3,
        )
    if "phi" in names and not _is_sweep(names["phi"], base):
        warnings.warn(
            CupysimWarning(
                f"{campaign.path}: phi varies, but not as a range with the step of -osc; DIALS "
                "reads the images as a sweep that continues from the first image's phi"
            ),
            stacklevel=3,
        )


def _check_size(
    base: Experiment, variation: Variation, table: Mapping[str, np.ndarray], section: Section
) -> None:
    """Reject a typical number that seems to be in another unit or to lack its mode."""
    name = SHARED.get(variation.name, (variation.name,))[0]
    if name not in (*GROUPS["cell"], *GROUPS["n_cells"], "mosaic_spread", "wavelength", "fluence"):
        return
    before, kind = current(base, name) / PARAMETERS[name].size, PARAMETERS[name]
    typical = variation.distribution.at(0, 0.5, table)
    after = {"set": typical, "plus": before + typical, "times": before * typical}[variation.mode]
    if after <= 0.0:
        section.fail("", f"a typical {variation.name} would be {after:g} {kind.shown_unit}")
    is_length = name in GROUPS["cell"][:3] or name == "wavelength"
    if is_length and not 1.0 / FAR < after / before < FAR:
        section.fail(
            "",
            f"a typical {variation.name} would be {after:g} {kind.shown_unit}, but the base's is "
            f'{before:g}; mode = "times" multiplies',
        )


def _check_numbers(base: Experiment, variation: Variation, section: Section) -> None:
    """Reject numbers of the file itself that are impossible in all shots."""
    if variation.distribution.kind not in ("constant", "list", "choice"):
        return
    reason = ""
    for value in list(dict.fromkeys(variation.distribution.values))[:MOST_TRIED]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CupysimWarning)
            try:
                varied(base, variation, value)
            except ModelError as error:
                reason = reason or f"{value:g} is impossible: {error}"
            else:
                return
    section.fail("", reason)


def _absorbing(base: Experiment) -> list[str]:
    """What has an attenuation coefficient, which in reality depends on the wavelength."""
    found = []
    for each in base.attenuators:
        if isinstance(each, Beamstop):
            found += ["the beamstop"] if each.matter is not None else []
        else:
            found.append("the flight path" if isinstance(each, FlightPath) else "the sample")
    if any(body.attenuation > 0.0 for body in base.bodies):
        found.append("the body and the matter around it" if base.around else "the body")
    if base.sensor.layers.range > 0.0 and base.sensor.attenuation > 0.0:
        found.append("the sensor")
    return found


def _is_sweep(phi: Variation, base: Experiment) -> bool:
    """Whether the rotation ranges of successive images adjoin each other."""
    distribution, oscillation = phi.distribution, np.degrees(base.scan.sweep.range)
    if distribution.kind == "constant" or len(distribution.values) != 2:
        return distribution.kind == "constant"
    is_range = distribution.kind == "range" and phi.mode != "times"
    return is_range and bool(np.isclose(distribution.values[1], oscillation, rtol=1e-9))
