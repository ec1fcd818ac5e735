"""What a command line asks for: its experiment, noise and tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cupysim.detection.photon_noise import PhotonNoise
from cupysim.maths.nr_random import RandomStream
from cupysim.models.experiment import Experiment
from cupysim.models.tolerance import Tolerance
from cupysim.nanobragg.arguments import Arguments

if TYPE_CHECKING:
    from cupysim.detection.response import Response


@dataclass(frozen=True)
class Job:
    """What a command line asks for.

    Parameters
    ----------
    arguments : Arguments
        Values of the command line.
    experiment : Experiment
        Experiment to simulate.
    noise_seed : int
        Seed of the noise.
    noise_stream : RandomStream
        Random numbers of the noise; they continue those of the orientations.
    words : tuple of str
        Words of the command line.
    clock : int
        Time of the clock (s). It is the seed where no seed is given.
    notes : tuple of str
        Lines that say what was read from files.
    tolerance : Tolerance or None
        Photons that each pixel may lack; None for an exact image.
    response : Response or None
        Response of the detector; None for nanoBragg's noise image.
    """

    arguments: Arguments
    experiment: Experiment
    noise_seed: int
    noise_stream: RandomStream
    words: tuple[str, ...]
    clock: int
    notes: tuple[str, ...] = ()
    tolerance: Tolerance | None = None
    response: Response | None = None

    @property
    def noise(self) -> RandomStream | PhotonNoise:
        """Generator of the counted photons."""
        if self.arguments.noise == "fast":
            # seeds of the command line may be negative
            return PhotonNoise(self.noise_seed % 2**64)
        return self.noise_stream

    @property
    def misset_seed(self) -> int:
        """Seed of a random orientation."""
        given = self.arguments.misset_seed
        return self.clock if given is None else int(given)
