"""Warnings of quirks of the C program that have an effect in a campaign."""

from __future__ import annotations

from cupysim.advice.quirk_effects import quirk_effects, warn_of_effects
from cupysim.campaign.definition.campaign import CampaignDefinition
from cupysim.campaign.definition.shots import draw_shot
from cupysim.errors import ModelError
from cupysim.plan.planning import make_plan
from cupysim.quirks import warn_quirk

SHOTS_LOOKED_AT = 10
"""Number of shots that are examined; they show the effects of the variations."""


def warn_of_quirks(campaign: CampaignDefinition) -> None:
    """Warn once of each quirk that has an effect in the base or in one of the first shots.

    Parameters
    ----------
    campaign : CampaignDefinition
        Campaign to be rendered.
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
            # the campaign reports impossible shots when it renders them
            continue
        for quirk in set(effects) - told:
            warn_quirk(quirk, f"shot {number}: {effects[quirk]}")
            told.add(quirk)
