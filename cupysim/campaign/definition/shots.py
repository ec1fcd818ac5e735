"""Drawing of shots: from the number of a shot to its experiments and drawn values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cupysim.campaign.definition.campaign import CampaignDefinition, Variation
from cupysim.campaign.definition.distributions import uniform_deviates
from cupysim.campaign.definition.names import OF_CRYSTALS, SHARED
from cupysim.errors import ModelError
from cupysim.maths.arrays import unit
from cupysim.maths.rotations import rotate_axis, rotate_xyz, xyz_angles
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import GROUPS, PARAMETERS, changed, current
from cupysim.models.sampling import Sweep
from cupysim.models.structure_factors import StructureFactors
from cupysim.plan.joining import add_crystals
from cupysim.plan.planning import make_plan
from cupysim.plan.render_plan import RenderPlan

NOISE_SEEDS = 2**31 - 2
"""Number of seeds of the C program's generator; seeds are drawn from 1 to this number."""

MOST_CRYSTALS = 1000
"""Largest number of crystals in a shot."""


@dataclass(frozen=True, eq=False)
class Shot:
    """A shot of a campaign.

    Parameters
    ----------
    number : int
        Number of the shot, from 0.
    experiments : tuple of Experiment
        One for each crystal; beam, detector and background are those of the first. Without
        crystals, one experiment without structure factors.
    n_crystals : int
        Number of crystals.
    drawn : dict of str to list of float
        Drawn values by name, in the units of the campaign file: one number, or one for each
        crystal.
    noise_seed : int
        Seed of the counted photons, for the C program's generator.
    """

    number: int
    experiments: tuple[Experiment, ...]
    n_crystals: int
    drawn: dict[str, list[float]]
    noise_seed: int

    @property
    def experiment(self) -> Experiment:
        """Experiment of the first crystal."""
        return self.experiments[0]

    @property
    def a_matrices(self) -> np.ndarray:
        """A matrices: columns a*, b*, c* (1/Angstrom) in the laboratory frame.

        Their shape is (n_crystals, 3, 3).
        """
        matrices = [each.lattice.reciprocal.T for each in self.experiments]
        return np.array(matrices[: self.n_crystals]).reshape(-1, 3, 3)

    def plan(self) -> RenderPlan:
        """Make the plan for a backend; it adds the crystals."""
        return add_crystals([make_plan(each) for each in self.experiments])


def draw_shot(campaign: CampaignDefinition, number: int) -> Shot:
    """Draw all values of a shot, and make its experiments.

    Parameters
    ----------
    campaign : CampaignDefinition
        Campaign that the shot belongs to.
    number : int
        Number of the shot, from 0.

    Returns
    -------
    Shot
        The shot. It depends only on the campaign file and on this number.

    Raises
    ------
    ModelError
        If the drawn values are impossible.
    """
    drawn: dict[str, list[float]] = {}
    experiment = campaign.experiment
    for variation in campaign.variations:
        if variation.name not in OF_CRYSTALS:
            value = _number(campaign, variation, number, 0)
            drawn[variation.name] = [value]
            experiment = varied(experiment, variation, value)
    if campaign.spectra is not None:
        experiment = _with_spectrum(campaign, experiment, number)
    count = _count_crystals(campaign, number)
    crystals = [_crystal(campaign, experiment, number, each, drawn) for each in range(count)]
    if not crystals:
        crystals = [replace(experiment, structure_factors=StructureFactors())]
    if len(crystals) > 1:
        oversample = max(each.oversample for each in crystals)
        crystals = [
            replace(each, rendering=replace(each.rendering, oversample=oversample))
            for each in crystals
        ]
    seed = uniform_deviates(campaign.seed, "noise", number, 0, 1)[0]
    return Shot(number, tuple(crystals), count, drawn, 1 + int(seed * NOISE_SEEDS))


def _number(campaign: CampaignDefinition, variation: Variation, shot: int, crystal: int) -> float:
    deviate = 0.0
    if variation.distribution.is_random:
        deviate = uniform_deviates(campaign.seed, variation.name, shot, crystal, 1)[0]
    return variation.distribution.at(shot, deviate, campaign.table)


def _count_crystals(campaign: CampaignDefinition, shot: int) -> int:
    number = _number(campaign, Variation("crystals", campaign.n_crystals, "set"), shot, 0)
    if not -0.5 <= number < MOST_CRYSTALS + 0.5:
        raise ModelError(f"{number:g} crystals in a shot; from 0 to {MOST_CRYSTALS} are possible")
    return round(number)


def _crystal(
    campaign: CampaignDefinition,
    experiment: Experiment,
    shot: int,
    number: int,
    drawn: dict[str, list[float]],
) -> Experiment:
    """Make the experiment with one of the shot's crystals, and add its drawn values."""
    for variation in campaign.variations:
        if variation.name in OF_CRYSTALS:
            value = _number(campaign, variation, shot, number)
            drawn.setdefault(variation.name, []).append(value)
            experiment = varied(experiment, variation, value)
    angles = _orientation(campaign, experiment, shot, number)
    if angles is not None:
        for name, angle in zip(GROUPS["misset"], angles, strict=True):
            drawn.setdefault(name, []).append(angle / PARAMETERS[name].size)
        experiment = _misset(experiment, angles)
    return experiment


def _misset(experiment: Experiment, angles: Sequence[float]) -> Experiment:
    """Return the experiment with other missetting angles (rad).

    Axes of mosaic spreads turn with the crystal.
    """
    before = experiment.crystal
    after, mosaicity = replace(before, misset=angles), before.mosaicity
    if mosaicity.has_axes:
        one, other = (each.oriented(experiment.policy).direct for each in (before, after))
        after = replace(after, mosaicity=mosaicity.turned(np.linalg.solve(one, other)))
    return replace(experiment, crystal=after)


def varied(experiment: Experiment, variation: Variation, value: float) -> Experiment:
    """Return the experiment with a number of a variation.

    Parameters
    ----------
    experiment : Experiment
        Experiment of the base, or of a shot.
    variation : Variation
        What the number changes, and how.
    value : float
        The number, in the unit of the campaign file.

    Raises
    ------
    ModelError
        If the number is impossible.
    """
    for name in SHARED.get(variation.name, (variation.name,)):
        size, before = PARAMETERS[name].size, current(experiment, name)
        after = {
            "set": value * size,
            "plus": before + value * size,
            "times": before * value,
        }[variation.mode]
        if name == "mosaic_spread" and after < 0.0:
            raise ModelError(
                f"the mosaic spread would be {after / size:g} degrees; it must not be negative"
            )
        if name in GROUPS["n_cells"]:
            counts = list(experiment.cell_counts)
            counts[GROUPS["n_cells"].index(name)] = after
            experiment = replace(experiment, crystal=experiment.crystal.with_cells(counts))
        elif after != before:
            experiment = changed(experiment, name, after - before)
    return experiment


def _with_spectrum(campaign: CampaignDefinition, experiment: Experiment, shot: int) -> Experiment:
    assert campaign.spectra is not None
    beam = experiment.beam
    spectrum = campaign.spectra.of(campaign.seed, shot, beam.wavelength)
    return replace(experiment, beam=replace(beam, spectrum=spectrum, dispersion=Sweep()))


def _orientation(
    campaign: CampaignDefinition, experiment: Experiment, shot: int, crystal: int
) -> Sequence[float] | None:
    """Draw the missetting angles (rad) of a crystal; None for those of the base."""
    given = campaign.orientations
    if given.kind == "list":
        return given.angles[shot % len(given.angles)]
    if given.kind == "columns":
        return [float(np.radians(campaign.table[name][shot])) for name in given.columns]
    if given.kind == "base":
        return None
    deviates = uniform_deviates(campaign.seed, "orientation", shot, crystal, 3)
    if given.kind == "uniform":
        return list(map(float, xyz_angles(any_rotation(deviates))))
    before = rotate_xyz(np.eye(3), experiment.crystal.misset or (0.0, 0.0, 0.0))
    return list(map(float, xyz_angles(turned(before, given.spread, deviates).T)))


def any_rotation(deviates: np.ndarray) -> np.ndarray:
    """Draw a rotation; all rotations are equally likely.

    Parameters
    ----------
    deviates : ndarray, shape (3,)
        Uniform deviates between 0 and 1.

    Returns
    -------
    ndarray, shape (3, 3)
        Rotation matrix, from the quaternion of Shoemake (1992) Graphics Gems III, 124.
    """
    from scipy.spatial.transform import Rotation

    u, first, second = deviates[0], *(2.0 * np.pi * deviates[1:])
    small, large = np.sqrt(1.0 - u), np.sqrt(u)
    quaternion = [
        small * np.sin(first), small * np.cos(first), large * np.sin(second),
        large * np.cos(second),
    ]  # fmt: skip
    return Rotation.from_quat(quaternion).as_matrix()


def turned(rows: np.ndarray, spread: float, deviates: np.ndarray) -> np.ndarray:
    """Turn vectors about a random axis, by an angle up to the spread, as mosaic domains are turned.

    Parameters
    ----------
    rows : ndarray, shape (3, 3)
        Vectors, one in each row.
    spread : float
        Largest angle (rad). The cube of the angle is evenly distributed.
    deviates : ndarray, shape (3,)
        Uniform deviates between 0 and 1.

    Returns
    -------
    ndarray, shape (3, 3)
        The vectors, all turned by the same rotation.
    """
    height, azimuth = 2.0 * deviates[0] - 1.0, 2.0 * np.pi * deviates[1]
    in_plane = np.sqrt(1.0 - height * height)
    axis = unit(np.array([in_plane * np.cos(azimuth), in_plane * np.sin(azimuth), height]))
    return rotate_axis(rows, axis, np.full(3, spread * np.cbrt(deviates[2])))
