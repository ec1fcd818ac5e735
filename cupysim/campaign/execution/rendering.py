"""Rendering of shots, several small ones at once, and counting of their photons."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cupysim.backends.rendered import Observer, RenderFunction
from cupysim.campaign.definition.campaign import CampaignDefinition
from cupysim.campaign.definition.distributions import photon_generator
from cupysim.campaign.definition.shots import Shot, draw_shot
from cupysim.detection.photon_noise import PhotonNoise
from cupysim.detection.pixel_grid import Exposure
from cupysim.errors import CupysimError, ModelError
from cupysim.formats.nexus.content import DetectorRecord
from cupysim.formats.pixels import GAP, LARGEST_PIXEL_VALUE
from cupysim.image import Image
from cupysim.image.detected_image import as_pixels, detector_record, photon_energy
from cupysim.plan.joining import add_shots, groups_of_alike
from cupysim.plan.render_plan import RenderPlan
from cupysim.renderer import Renderer

MOST = 1e18
"""Largest number of expected photons in a pixel that is drawn; NumPy rejects much larger ones."""

BATCH_PIXELS, BATCH_SHOTS = 2**18, 64
"""Largest numbers of pixels and of shots in a batch of images that are rendered together."""


@dataclass(frozen=True, eq=False)
class RenderedShot:
    """A shot and its image.

    Parameters
    ----------
    shot : Shot
        Number and experiments of the shot.
    image : Image
        Its expected photons.
    spots : structured ndarray, shape (n_spots,), optional
        Predicted spots.
    """

    shot: Shot
    image: Image
    spots: np.ndarray | None = None


def shots_in_chunk(campaign: CampaignDefinition) -> int:
    """Number of shots of a campaign that are rendered together.

    Parameters
    ----------
    campaign : CampaignDefinition
        Campaign, for the size of its images.

    Returns
    -------
    int
        Number of shots; 1 for large images.
    """
    pixels = int(np.prod(campaign.experiment.image_shape))
    return max(1, min(BATCH_SHOTS, BATCH_PIXELS // pixels))


def open_renderer(campaign: CampaignDefinition, threads: int | None) -> RenderFunction:
    """The function that renders a campaign's plans, with its backend, precision and tolerance.

    Parameters
    ----------
    campaign : CampaignDefinition
        The campaign.
    threads : int or None
        Number of threads of the host backend.
    """
    options = campaign.backend, campaign.precision, threads, None, campaign.tolerance
    return Renderer(*options).render_plan


def render_shots(
    campaign: CampaignDefinition, numbers: Sequence[int], render: RenderFunction
) -> list[tuple[RenderedShot | None, str]]:
    """Render several shots, those with similar plans together.

    Parameters
    ----------
    campaign : CampaignDefinition
        Campaign that the shots belong to.
    numbers : sequence of int
        Numbers of the shots.
    render : RenderFunction
        Function that renders a plan.

    Returns
    -------
    list of tuple of RenderedShot or None, and str
        Each shot with its image and an empty text; or None and the reason, if the drawn values are
        impossible.

    Raises
    ------
    CupysimError
        If rendering fails for a reason outside the shot, such as a device that does not work. The
        shot does not then count as one that cannot be rendered.
    MemoryError
        If the memory is too small even for half as many shots at once.
    """
    found: dict[int, tuple[RenderedShot | None, str]] = {}
    planned: list[tuple[Shot, RenderPlan]] = []
    for number in numbers:
        try:
            shot = draw_shot(campaign, number)
            plan = shot.plan()
        except (ModelError, ArithmeticError, ValueError) as error:
            # numbers too large or too small to compute with
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
    """Render shots with similar plans; if memory runs out, one half after the other."""
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
        # one by one, to find the shot that has the error
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
        Campaign that the shot belongs to.
    number : int
        Number of the shot, from 0.
    render : RenderFunction
        Function that renders a plan.

    Returns
    -------
    RenderedShot
        The shot and its image.

    Raises
    ------
    CupysimError
        If the drawn values are impossible.
    """
    ((rendered, error),) = render_shots(campaign, [number], render)
    if rendered is None:
        raise CupysimError(error)
    return rendered


def pixels_of(
    campaign: CampaignDefinition, shot: Shot, image: Image, threads: int | None
) -> np.ndarray:
    """The pixels that a campaign writes for a shot.

    Parameters
    ----------
    campaign : CampaignDefinition
        Campaign, for its response or its generator of noise, and its seed.
    shot : Shot
        Shot, for its number and its seed.
    image : Image
        Expected photons.
    threads : int or None
        Number of threads; None for one on each core.

    Returns
    -------
    ndarray of int32 or float32, shape of the image
        Numbers that the detector reads out; photons of analogue signals; counted photons of
        campaigns without a response; or expected photons.

    Raises
    ------
    ModelError
        If numbers of expected photons are not finite.
    """
    if not campaign.counts:
        return image.array
    if not np.isfinite(image.array).all():
        raise ModelError("some expected photons are not finite numbers")
    if campaign.detection is None:
        return _count_photons(campaign, shot, image, threads)
    detection = campaign.detection
    detected = image.detect(
        detection.response, campaign.seed, shot.number, duration=detection.duration,
        threads=threads,
    )  # fmt: skip
    if not detection.is_raw:
        return detected.measured
    return np.where(detected.has_value, as_pixels(detected.raw), GAP).astype(np.int32)


def detector_of(campaign: CampaignDefinition) -> DetectorRecord | None:
    """What a campaign's files say about the response of the detector; None without a response."""
    if campaign.detection is None or not campaign.counts:
        return None
    detection, wavelength = campaign.detection, campaign.experiment.sources.mean_wavelength
    exposure = Exposure(photon_energy(wavelength), detection.duration, campaign.seed)
    record = detector_record(detection.response, exposure)
    if not detection.is_raw:
        return record
    most = np.iinfo(detection.response.dtype).max
    if not detection.has_gain_bits:
        most = min(detection.response.overload_value(exposure), LARGEST_PIXEL_VALUE) - 1
    return replace(record, saturation=float(most), underload=0.0)


def _count_photons(
    campaign: CampaignDefinition, shot: Shot, image: Image, threads: int | None
) -> np.ndarray:
    """Counted photons of a shot, with one of the generators of noise."""
    expected = image.array
    if campaign.noise == "nanobragg":
        return image.counts(shot.noise_seed)
    if campaign.noise == "fast":
        return image.counts(PhotonNoise(campaign.seed, shot.number, threads))
    counted = photon_generator(campaign.seed, shot.number).poisson(np.clip(expected, 0.0, MOST))
    return np.minimum(counted, LARGEST_PIXEL_VALUE).astype(np.int32)
