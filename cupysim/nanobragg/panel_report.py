"""Lines of the report about a detector of panels; nanoBragg has no such lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from cupysim.models.panel_detector import PanelDetector
from cupysim.nanobragg.arguments import Arguments

MOST_LISTED = 8
"""Largest number of panels that are listed one by one."""


def panel_lines(detector: PanelDetector, args: Arguments) -> Iterator[str]:
    """Lines about the panels, before rendering.

    Parameters
    ----------
    detector : PanelDetector
        The detector.
    args : Arguments
        Values of the command line.

    Yields
    ------
    str
        Lines without line ends.
    """
    name = args.geometry_file or args.experiment_file or args.image_file or args.detector_name
    sizes = Counter((panel.n_fast, panel.n_slow) for panel in detector)
    told = ", ".join(f"{count} of {fast} x {slow} pixels" for (fast, slow), count in sizes.items())
    yield f"detector {name}: {len(detector)} panels ({told})"
    exists = detector.existing
    if exists is not None:
        total = sum(panel.n_fast * panel.n_slow for panel in detector)
        yield f"  {total - int(exists.sum())} of {total} pixels do not exist or are masked"
    for panel in detector.panels[:MOST_LISTED]:
        x, y, z = panel.origin
        yield (
            f"  {panel.name}: origin {1e3 * x:g} {1e3 * y:g} {1e3 * z:g} mm, "
            f"{1e3 * panel.close_distance:g} mm from the sample, "
            f"pixels of {1e6 * panel.edges[0]:g} x {1e6 * panel.edges[1]:g} um"
        )
    if len(detector) > MOST_LISTED:
        yield f"  and {len(detector) - MOST_LISTED} more"
    sensors = Counter(panel.sensor for panel in detector)
    for sensor, count in sensors.items():
        if sensor.layers.range == 0.0:
            continue
        of_panels = f" of {count} of the panels" if len(sensors) > 1 else ""
        yield (
            f"  sensor{of_panels} is {sensor.layers.range:g} m thick in {sensor.layers.count} "
            f"layers with mu= {sensor.attenuation:g}"
        )


def not_written(names: list[str]) -> str:
    """The line about files of nanoBragg that cannot hold several panels.

    Parameters
    ----------
    names : list of str
        Names of the files.
    """
    return f"not written, because they hold one panel: {', '.join(names)}"
