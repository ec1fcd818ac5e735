"""Say what works on this machine: backends, libraries, versions and speeds.

For each thing that is missing, the report says what to install. Measuring the speeds
takes some seconds.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import platform
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import cupysim
from cupysim.api import from_args
from cupysim.backends.rendered import Observer
from cupysim.backends.select import BACKENDS, PRECISIONS, available_backends, open_backend, why_not
from cupysim.detection.photon_noise import PhotonNoise
from cupysim.formats.pixels import LARGEST_PIXEL_VALUE
from cupysim.native.cores import usable_cores
from cupysim.native.library import NoLibraryError, cache_folder, level
from cupysim.optional_libraries import EXTRAS
from cupysim.plan.planning import make_plan
from cupysim.provenance import sources_digest
from cupysim.terminal import tell

LIBRARIES = ("numpy", "scipy", "h5py")
"""Libraries that cupysim always needs."""

DISTRIBUTIONS = {"PIL": "pillow", "cupy": "cupy-cuda13x", "extra_geom": "extra-geom"}
"""Names of distributions that differ from those of their modules."""

EXPERIMENT = (
    "-cell 50 60 70 90 95 90 -default_F 100 -N 20 -lambda 1 -distance 100 -pixel 0.2 -oversample 1 "
    "-mosaic_spread 0.5 -corrected"
)
SIZES = {"cuda": (1024, 400), "host": (512, 60), "numpy": (128, 20)}
"""Pixels along an edge and mosaic domains of the timed image of each backend."""

SECONDS = 1.0
"""Time after which a measurement is not repeated (s)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("--no-speeds", action="store_true", help="measure no speeds")


def run(arguments: argparse.Namespace) -> None:
    """Print the report, line by line."""
    for line in (*_versions(), *_backends(), *_libraries()):
        tell(line)
    if not arguments.no_speeds:
        tell("speeds")
        for line in _speeds():
            tell(line)


def _line(name: str, text: str) -> str:
    return f"  {name:<14}{text}"


def _versions() -> Iterator[str]:
    yield f"cupysim {cupysim.__version__} (sources {sources_digest()})"
    yield _line("python", f"{platform.python_version()}, {platform.system()} {platform.machine()}")
    yield _line("cores", str(usable_cores()))
    try:
        yield _line("instructions", level())
        yield _line("cache", f"{cache_folder()} (variable CUPYSIM_CACHE_DIR)")
    except (NoLibraryError, OSError) as error:
        yield _line("cache", str(error))


def _backends() -> Iterator[str]:
    yield "backends"
    for name in BACKENDS:
        reason = why_not(name)
        yield _line(name, "works" if reason is None else f"does not work: {reason}")


def _libraries() -> Iterator[str]:
    yield "libraries"
    for name in LIBRARIES:
        yield _line(name, importlib.metadata.version(name))
    for name, extra in EXTRAS.items():
        if importlib.util.find_spec(name) is None:
            yield _line(name, f"missing: pip install 'cupysim[{extra}]'")
            continue
        try:
            yield _line(name, importlib.metadata.version(DISTRIBUTIONS.get(name, name)))
        except importlib.metadata.PackageNotFoundError:
            yield _line(name, "works")


def _speeds() -> Iterator[str]:
    for name in available_backends():
        size, domains = SIZES[name]
        plan = make_plan(from_args(f"{EXPERIMENT} -detpixels {size} -mosaic_dom {domains}"))
        for precision in PRECISIONS if name != "numpy" else ("double",):
            render = partial(open_backend(name, precision).render, plan, Observer())
            rate = plan.n_region * plan.n_steps / _fastest(render)
            yield _line(f"{name} {precision}", f"{rate / 1e6:.0f} million steps per second")
    means = np.full((1024, 1024), 3.0, dtype=np.float32)
    noise = PhotonNoise(1)
    rate = means.size / _fastest(partial(noise.draw, means, 0, 1024, LARGEST_PIXEL_VALUE))
    yield _line("photon noise", f"{rate / 1e6:.0f} million pixels per second, 3 photons in each")


def _fastest(work: Callable[[], object]) -> float:
    """The shortest time of some repeats (s)."""
    times: list[float] = []
    while len(times) < 2 or sum(times) < SECONDS:
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)
