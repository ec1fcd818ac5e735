"""Warnings about images without photons, with the most likely reason."""

from __future__ import annotations

import warnings

import numpy as np

from cupysim.backends.rendered import Rendered
from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimWarning
from cupysim.maths.arrays import norm
from cupysim.maths.resolution import resolution_of
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel
from cupysim.plan.attenuation import pixel_fractions
from cupysim.plan.exposure import angle_fractions
from cupysim.quirks import Quirk

USUAL_WAVELENGTHS = (0.05, 20.0)
"""Shortest and longest usual wavelength (Angstrom). Beyond them, the unit may be wrong."""

LOOKED_AT = 65
"""Number of points along each edge of a panel at which resolutions are calculated."""

COARSEST = 1e5
"""Resolution (Angstrom) above which a point counts as the direct beam."""

MOST_REFLECTIONS = 1_000_000
"""Largest number of reflections for which resolutions are calculated. If there are more, only some
are used."""


def warn_of_empty_image(experiment: Experiment, rendered: Rendered) -> None:
    """Warn if no pixel has a photon, with the most likely reason.

    Parameters
    ----------
    experiment : Experiment
        Experiment that was simulated.
    rendered : Rendered
        Result of the backend.
    """
    # most images show in their middle that they are not empty
    rows = rendered.image.reshape(-1, rendered.image.shape[-1])
    if rows[len(rows) // 2].any() or any(row.any() for row in rows):
        return
    tolerance = 0.0 if rendered.culled is None else float(rendered.culled.tolerances.max())
    reason = likeliest_reason(experiment, tolerance)
    warnings.warn(CupysimWarning(f"the image is zero everywhere: {reason}"), stacklevel=3)


def warn_of_empty_counts(expected: np.ndarray) -> None:
    """Warn that noise left no photon of an image that has some.

    Parameters
    ----------
    expected : ndarray
        Expected photons.
    """
    total = float(expected.sum(dtype=np.float64))
    if total > 0.0:
        warnings.warn(
            CupysimWarning(
                f"no photon was counted: {total:.3g} photons are expected in the whole image; "
                "-fluence, -flux or more cells (-N) give more"
            ),
            stacklevel=3,
        )


def likeliest_reason(experiment: Experiment, tolerance: float = 0.0) -> str:
    """Find the most likely reason why an image has no photon.

    Parameters
    ----------
    experiment : Experiment
        Experiment that was simulated.
    tolerance : float, optional
        Photons that a pixel may lack, if the image was rendered within a tolerance.

    Returns
    -------
    str
        Reason, as the end of a message.
    """
    factors, beam = experiment.structure_factors, experiment.beam
    sensor = experiment.sensor
    if beam.fluence == 0.0:
        return "the fluence is zero"
    if not experiment.rendered_pixels.any():
        return "mask and region of interest exclude every pixel"
    if sensor.layers.range > 0.0 and sensor.attenuation == 0.0:
        return "the sensor absorbs nothing"
    is_thin = sensor.layers.range == 0.0 and experiment.rendering.oversample_thick
    if is_thin and not experiment.corrects(Quirk.NO_SENSOR_NO_IMAGE):
        return "a sensor without thickness absorbs nothing (-oversample_thick)"
    fractions = pixel_fractions(experiment)
    if fractions is not None and not fractions.any():
        return "sample, flight path or beamstop absorb all photons"
    if experiment.body is not None and not any(part.any() for part in angle_fractions(experiment)):
        return "the beam misses the body of the sample, or the body absorbs all photons"
    has_default = factors.default != 0.0
    known = factors.table is not None and bool(factors.table.any())
    if not has_default and not known:
        return "all structure factors are zero"
    finest, coarsest = _seen(experiment)
    wavelength = experiment.sources.mean_wavelength / ANGSTROM
    if not USUAL_WAVELENGTHS[0] <= wavelength <= USUAL_WAVELENGTHS[1]:
        return f"a wavelength of {wavelength:g} A; -lambda is in Angstrom, -energy in eV"
    dmin = experiment.rendering.dmin / ANGSTROM
    if dmin > coarsest:
        return (
            f"nothing finer than {dmin:g} A scatters (-dmin), and the detector sees nothing "
            f"coarser than {coarsest:.3g} A"
        )
    if not has_default:
        best, worst = _tabulated(experiment)
        if best > coarsest or worst < finest:
            return (
                f"the structure factors reach from {worst:.3g} to {best:.3g} A, the detector sees "
                f"{coarsest:.3g} to {finest:.3g} A"
            )
    if tolerance > 0.0:
        return (
            f"no pixel has more than {tolerance:g} photons, the tolerance; a smaller -tolerance "
            "shows weaker pixels"
        )
    return (
        "no reflection is near the Ewald sphere where the detector sees it; check the crystal's "
        "orientation, the beam centre and the units of wavelength and cell"
    )


def _seen(experiment: Experiment) -> tuple[float, float]:
    """Finest and coarsest resolution (Angstrom) on the detector.

    The direct beam is left out, because its resolution is infinite.
    """
    sources = experiment.sources
    points = np.concatenate([_points_of(panel) for panel in experiment.flat_panels])
    found = [
        resolution_of(points, incident, wavelength)
        for incident, wavelength in zip(
            sources.incident[:: max(len(sources.wavelengths) // 16, 1)],
            sources.wavelengths[:: max(len(sources.wavelengths) // 16, 1)],
            strict=True,
        )
    ]
    seen = np.concatenate(found) / ANGSTROM
    seen = seen[seen < COARSEST]
    if len(seen) == 0:
        return COARSEST, COARSEST
    return float(seen.min()), float(seen.max())


def _points_of(panel: Panel) -> np.ndarray:
    """Points all over a panel (m), shape (n, 3)."""
    fast, slow = np.meshgrid(
        *(np.linspace(0.0, n, LOOKED_AT) for n in (panel.n_fast, panel.n_slow))
    )
    return panel.position(fast.ravel(), slow.ravel())


def _tabulated(experiment: Experiment) -> tuple[float, float]:
    """Finest and coarsest resolution (Angstrom) of the reflections with an amplitude."""
    factors = experiment.structure_factors
    assert factors.table is not None
    hkl = np.argwhere(factors.table) + np.array(factors.first)
    hkl = hkl[hkl.any(axis=1)]
    if len(hkl) == 0:
        return np.inf, np.inf
    hkl = hkl[:: len(hkl) // MOST_REFLECTIONS + 1]
    lengths = norm(hkl @ experiment.lattice.reciprocal)
    return float(1.0 / lengths.max()), float(1.0 / lengths.min())
