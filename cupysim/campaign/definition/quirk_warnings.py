"""Which quirks of the C program act in a campaign."""

from __future__ import annotations

from cupysim.advice.quirk_effects import quirk_effects, warn_of_effects
from cupysim.campaign.definition.campaign import CampaignDefinition
from cupysim.campaign.definition.shots import draw_shot
from cupysim.errors import ModelError
from cupysim.plan.planning import make_plan
from cupysim.quirks import warn_quirk

SHOTS_LOOKED_AT = 10
"""Enough to see what variations bring about."""


def warn_of_quirks(campaign: CampaignDefinition) -> None:
    """Warn of quirks that act, each once: in the base, or in the first shots, which vary it.

    Parameters
    ----------
    campaign : CampaignDefinition
        Before its shots are rendered.
    """
    base = campaign.experiment
    plan = make_plan(base)
    warn_of_effects(base, plan)
    told = set(quirk_effects(base, plan))
    for number in range(min(campaign.n_shots, SHOTS_LOOKED_AT)):
        try:
            experiment = draw_shot(campaign, number).experiment
            effects = quirk_effects(experiment, make_plan(experiment))
        except (ModelError, ArithmeticError, ValueError):
            # the campaign tells of impossible shots when it comes to them
            continue
        for quirk in set(effects) - told:
            warn_quirk(quirk, f"shot {number}: {effects[quirk]}")
            told.add(quirk)
