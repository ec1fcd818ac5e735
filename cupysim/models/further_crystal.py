"""Further crystals in the beam, beside the crystal of an experiment."""

from __future__ import annotations

from dataclasses import dataclass

from cupysim.errors import ModelError
from cupysim.models.crystal import Crystal
from cupysim.models.structure_factors import StructureFactors


@dataclass(frozen=True, eq=False)
class FurtherCrystal:
    """A further crystal in the beam. The photons of all crystals of an experiment add up.

    Crystals do not shadow each other, and their waves do not interfere.

    Parameters
    ----------
    crystal : Crystal
        The crystal, with its own cell, orientation, size, shape and mosaicity.
    structure_factors : StructureFactors, optional
        Its structure factors. By default those of the experiment.

    Raises
    ------
    ModelError
        If one of the parts has another type.

    Examples
    --------
    Two lattices of the same protein, the second with a third of the photons:

    >>> from dataclasses import replace
    >>> from cupysim import FurtherCrystal, from_args, simulate
    >>> one = from_args("-cell 70 80 90 -default_F 100 -N 5 -detpixels 64 -corrected")
    >>> second = FurtherCrystal(replace(one.crystal.with_misset(10, 20, 30), scale=1 / 3))
    >>> image = simulate(replace(one, further_crystals=(second,)))
    >>> sorted(set(image.spots["crystal"].tolist()))
    [1, 2]
    """

    crystal: Crystal
    structure_factors: StructureFactors | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.crystal, Crystal):
            raise ModelError(f"further crystal: expected a Crystal, got {self.crystal!r}")
        if not isinstance(self.structure_factors, StructureFactors | None):
            raise ModelError(
                "further crystal: structure_factors must be StructureFactors, got "
                f"{self.structure_factors!r}"
            )
