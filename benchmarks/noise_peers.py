"""Other programs that make noise of expected photons: NumPy, noisify and simtbx.

NumPy always exists. noisify is left out unless ``CUPYSIM_NOISIFY`` names the C program, and simtbx
unless ``CUPYSIM_SIMTBX_PYTHON`` names a Python that can import it. All of them use one core.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NOISIFY = "CUPYSIM_NOISIFY"
"""Environment variable that names the C program."""

SIMTBX = "CUPYSIM_SIMTBX_PYTHON"
"""Environment variable that names a Python with simtbx."""

SIMTBX_SCRIPT = """
import json, sys, time
import numpy as np
from scitbx.array_family import flex
from simtbx.nanoBragg import nanoBragg, shapetype

file, size, given = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[4])
sim = nanoBragg(detpixels_slowfast=(size, size), pixel_size_mm=float(sys.argv[3]), verbose=0)
photons = flex.double(np.fromfile(file, dtype=np.float32).astype(np.float64))
photons.reshape(flex.grid(size, size))
sim.raw_pixels = photons
sim.seed = 1
sim.flicker_noise_pct = 0
sim.detector_calibration_noise_pct = 100 * given["calibration"]
sim.readout_noise_adu = given["readout"]
sim.quantum_gain = given["gain"]
sim.adc_offset_adu = given["offset"]
sim.detector_psf_fwhm_mm = given["width"]
sim.detector_psf_kernel_radius_pixels = given["radius"]
sim.detector_psf_type = {"": shapetype.Unknown, "gauss": shapetype.Gauss, "fiber": shapetype.Fiber}[
    given["spread"]
]
began = time.perf_counter(), time.process_time()
sim.add_noise()
print(time.perf_counter() - began[0], time.process_time() - began[1])
"""
"""Adds noise to the photons of a file, and prints wall time and processor time (s)."""

Times = tuple[float, float]
"""Wall time and processor time of all threads (s)."""


@dataclass(frozen=True)
class Noise:
    """Noise that noisify and simtbx can make: counting noise, point spread, read-out.

    Parameters
    ----------
    spread : str
        "gauss" or "fiber", or empty for none.
    width : float
        Full width at half maximum (mm).
    radius : int
        Radius of the point spread (pixels).
    gain : float
        ADU per photon.
    readout : float
        Noise of the read-out (ADU).
    offset : float
        Number of a pixel without photons (ADU).
    calibration : float
        Relative standard deviation of the gains of pixels.
    """

    spread: str = ""
    width: float = 0.0
    radius: int = 0
    gain: float = 1.0
    readout: float = 0.0
    offset: float = 0.0
    calibration: float = 0.0

    def words(self) -> list[str]:
        """Options of noisify."""
        words = ["-gain", self.gain, "-readout", self.readout, "-adc", self.offset]
        words += ["-calibration", self.calibration]
        if self.spread:
            words += ["-psf", self.spread, "-psf_fwhm", 1e3 * self.width]
            words += ["-psf_radius", self.radius]
        return [str(word) for word in words]


def missing() -> list[str]:
    """Lines about programs that are left out."""
    return [
        f"{name} is left out: {variable} is not set"
        for name, variable in (("noisify", NOISIFY), ("simtbx", SIMTBX))
        if not os.environ.get(variable)
    ]


def names(noise: Noise | None) -> list[str]:
    """Programs that can make a noise."""
    if noise is None:
        return []
    found = ["numpy"] if noise == Noise() else []
    return found + [
        name
        for name, variable in (("noisify", NOISIFY), ("simtbx", SIMTBX))
        if os.environ.get(variable)
    ]


def timed(work: Callable[[], object]) -> Times:
    """Times of a computation in this process."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def seconds(name: str, noise: Noise, image: np.ndarray, folder: Path, pixel: float) -> Times:
    """Times that a program takes for its noise.

    Parameters
    ----------
    name : str
        "numpy", "noisify" or "simtbx".
    noise : Noise
        The noise.
    image : ndarray of float32, shape (size, size)
        Expected photons.
    folder : Path
        Folder for files. Its file expected.f32 holds the image.
    pixel : float
        Edge of a pixel (mm).

    Returns
    -------
    Times
        For noisify, the times of a run minus the times of a run without noise, so that neither the
        start nor the reading of the image counts. But the second 16-bit image counts, because only
        the run with noise writes it.
    """
    if name == "numpy":
        rng = np.random.default_rng(1)
        return timed(lambda: rng.poisson(image))
    file, size = folder / "expected.f32", len(image)
    if name == "simtbx":
        words = [os.environ[SIMTBX], "-c", SIMTBX_SCRIPT, str(file), str(size), str(pixel)]
        words.append(json.dumps(vars(noise)))
        environment = {key: value for key, value in os.environ.items() if "PYTHON" not in key}
        run = subprocess.run(words, check=True, text=True, env=environment, stdout=subprocess.PIPE)
        wall, processor = map(float, run.stdout.split()[-2:])
        return wall, processor
    command = [os.environ[NOISIFY], "-bin", str(file), "-detpixels", str(size), "-nopgm"]
    command += ["-pixel", str(pixel), "-seed", "1", "-intfile", str(folder / "exact.img")]
    command += ["-noisefile", str(folder / "noise.img")]
    without, whole = (_of_process([*command, *words]) for words in (["-nonoise"], noise.words()))
    return whole[0] - without[0], whole[1] - without[1]


def _of_process(words: list[str]) -> Times:
    before, wall = os.times(), time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - wall, os.times()
    user = after.children_user - before.children_user
    return wall, user + after.children_system - before.children_system
