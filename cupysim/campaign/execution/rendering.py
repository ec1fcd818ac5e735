"""From numbers of shots to their images: several small ones at once, and their photons counted."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cupysim.backends.rendered import Observer, RenderFunction
from cupysim.campaign.definition.campaign import CampaignDefinition
from cupysim.campaign.definition.distributions import photon_generator
from cupysim.campaign.definition.shots import Shot, draw_shot
from cupysim.errors import CupysimError, ModelError
from cupysim.formats.pixels import LARGEST_PIXEL_VALUE
from cupysim.image import Image
from cupysim.plan.joining import add_shots, groups_of_alike
from cupysim.plan.render_plan import RenderPlan

MOST = 1e18
"""Photons in a pixel, from which on NumPy draws none."""

BATCH_PIXELS, BATCH_SHOTS = 2**18, 64
"""Small images are rendered together, so many pixels and shots at most."""


@dataclass(frozen=True, eq=False)
class RenderedShot:
    """A shot and its image.

    Parameters
    ----------
    shot : Shot
        The shot.
    image : Image
        Expected photons.
    spots : ndarray, optional
        Predicted spots.
    """

    shot: Shot
    image: Image
    spots: np.ndarray | None = None


def shots_in_chunk(campaign: CampaignDefinition) -> int:
    """How many shots of a campaign are rendered together.

    Parameters
    ----------
    campaign : CampaignDefinition
        The campaign.

    Returns
    -------
    int
        One, if they are large.
    """
    detector = campaign.experiment.detector
    pixels = max(1, detector.n_slow * detector.n_fast)
    return max(1, min(BATCH_SHOTS, BATCH_PIXELS // pixels))


def render_shots(
    campaign: CampaignDefinition, numbers: Sequence[int], render: RenderFunction
) -> list[tuple[RenderedShot | None, str]]:
    """Render several shots together, as far as they are alike.

    Parameters
    ----------
    campaign : CampaignDefinition
        Of which campaign.
    numbers : sequence of int
        Which shots.
    render : RenderFunction
        What computes them.

    Returns
    -------
    list of tuple of RenderedShot or None, and str
        Each shot with its image, or why it has none: what was drawn is impossible.

    Raises
    ------
    CupysimError
        If it is not the shot's fault: a device which does not work must not pass for shots which
        cannot be rendered.
    MemoryError
        If there is too little memory also for half as many at once.
    """
    found: dict[int, tuple[RenderedShot | None, str]] = {}
    planned: list[tuple[Shot, RenderPlan]] = []
    for number in numbers:
        try:
            shot = draw_shot(campaign, number)
            plan = shot.plan()
        except (ModelError, ArithmeticError, ValueError) as error:
            # numbers so large or small that they cannot be computed with
            reason = str(error) if isinstance(error, ModelError) else f"impossible: {error}"
            found[number] = None, reason
            continue
        planned.append((shot, plan))
    for group in groups_of_alike([plan for _, plan in planned]):
        found |= _render_together([planned[place] for place in group], render)
    return [found[number] for number in numbers]


def _render_together(
    group: Sequence[tuple[Shot, RenderPlan]], render: RenderFunction, halve: bool = True
) -> dict[int, tuple[RenderedShot | None, str]]:
    """Render shots which are alike; if memory runs out, one half after the other."""
    try:
        rendered = render(add_shots([plan for _, plan in group]), Observer())
    except MemoryError:
        if not halve or len(group) == 1:
            raise
        gc.collect()
        middle = len(group) // 2
        halves = group[:middle], group[middle:]
        return {k: v for half in halves for k, v in _render_together(half, render, False).items()}
    except ModelError as error:
        if len(group) == 1:
            return {group[0][0].number: (None, str(error))}
        # who is to blame shows one by one
        return {k: v for one in group for k, v in _render_together([one], render).items()}
    return {
        shot.number: (RenderedShot(shot, Image(shot.experiment, plan, rendered.of_shot(place))), "")
        for place, (shot, plan) in enumerate(group)
    }


def render_shot(campaign: CampaignDefinition, number: int, render: RenderFunction) -> RenderedShot:
    """Render a shot.

    Parameters
    ----------
    campaign : CampaignDefinition
        Of which campaign.
    number : int
        Which shot.
    render : RenderFunction
        What computes it.

    Returns
    -------
    RenderedShot
        The shot and its image.

    Raises
    ------
    CupysimError
        If what was drawn is impossible.
    """
    ((rendered, error),) = render_shots(campaign, [number], render)
    if rendered is None:
        raise CupysimError(error)
    return rendered


def count_photons(campaign: CampaignDefinition, shot: Shot, image: Image) -> np.ndarray:
    """Photons counted in a shot.

    Parameters
    ----------
    campaign : CampaignDefinition
        Whose generator.
    shot : Shot
        The shot.
    image : Image
        Expected photons.

    Returns
    -------
    ndarray of int32, shape (n_slow, n_fast)
        Photons.

    Raises
    ------
    ModelError
        If numbers of expected photons are not numbers.
    """
    expected = image.array
    if not np.isfinite(expected).all():
        raise ModelError("the image is not finite")
    if campaign.noise == "nanobragg":
        return image.counts(shot.noise_seed)
    counted = photon_generator(campaign.seed, shot.number).poisson(np.clip(expected, 0.0, MOST))
    return np.minimum(counted, LARGEST_PIXEL_VALUE).astype(np.int32)
