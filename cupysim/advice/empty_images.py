"""Images without a photon, and the likeliest reason."""

from __future__ import annotations

import warnings

import numpy as np

from cupysim.backends.rendered import Rendered
from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimWarning
from cupysim.maths.arrays import norm
from cupysim.maths.resolution import resolution_at
from cupysim.models.experiment import Experiment

USUAL_WAVELENGTHS = (0.05, 20.0)
"""Wavelengths (Angstrom) outside of which the unit may be another."""

LOOKED_AT = 65
"""Points along each edge of a panel at which its resolution is calculated."""

COARSEST = 1e5
"""Resolution (Angstrom) beyond which a place is that of the direct beam."""

MOST_REFLECTIONS = 1_000_000
"""Reflections whose resolution is calculated; more are thinned out."""


def warn_of_empty_image(experiment: Experiment, rendered: Rendered) -> None:
    """Warn if no pixel has a photon, and say why that may be.

    Parameters
    ----------
    experiment : Experiment
        What was simulated.
    rendered : Rendered
        What a backend gave back.
    """
    # most images show in their middle that they are not empty
    rows = rendered.image.reshape(-1, rendered.image.shape[-1])
    if rows[len(rows) // 2].any() or any(row.any() for row in rows):
        return
    warnings.warn(
        CupysimWarning(f"the image is zero everywhere: {likeliest_reason(experiment)}"),
        stacklevel=3,
    )


def likeliest_reason(experiment: Experiment) -> str:
    """Why an image may have no photon.

    Parameters
    ----------
    experiment : Experiment
        What was simulated.
    """
    factors, beam = experiment.structure_factors, experiment.beam
    sensor = experiment.detector.sensor
    if beam.fluence == 0.0:
        return "the fluence is zero"
    if not experiment.rendered_pixels.any():
        return "mask and region of interest leave no pixel"
    if sensor.layers.range > 0.0 and sensor.attenuation == 0.0:
        return "the sensor absorbs nothing"
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
    return (
        "no reflection is near the Ewald sphere where the detector sees it; check the crystal's "
        "orientation, the beam centre and the units of wavelength and cell"
    )


def _seen(experiment: Experiment) -> tuple[float, float]:
    """The finest and the coarsest resolution (Angstrom) which the detector sees.

    The direct beam, whose resolution has no end, is left out.
    """
    detector = experiment.detector
    geometry, sources = experiment.geometry, experiment.sources
    panel = np.stack([geometry.origin, geometry.fast, geometry.slow])
    fast, slow = np.meshgrid(
        *(np.linspace(0.0, n * detector.pixel_size, LOOKED_AT)
          for n in (detector.n_fast, detector.n_slow))
    )  # fmt: skip
    found = [
        resolution_at(fast, slow, panel, incident, wavelength)
        for incident, wavelength in zip(
            sources.incident[:: max(len(sources.wavelengths) // 16, 1)],
            sources.wavelengths[:: max(len(sources.wavelengths) // 16, 1)],
            strict=True,
        )
    ]
    seen = np.concatenate([each.ravel() for each in found]) / ANGSTROM
    seen = seen[seen < COARSEST]
    if len(seen) == 0:
        return COARSEST, COARSEST
    return float(seen.min()), float(seen.max())


def _tabulated(experiment: Experiment) -> tuple[float, float]:
    """The finest and the coarsest resolution (Angstrom) of reflections with an amplitude."""
    factors = experiment.structure_factors
    assert factors.table is not None
    hkl = np.argwhere(factors.table) + np.array(factors.first)
    hkl = hkl[hkl.any(axis=1)]
    if len(hkl) == 0:
        return np.inf, np.inf
    hkl = hkl[:: len(hkl) // MOST_REFLECTIONS + 1]
    lengths = norm(hkl @ experiment.lattice.reciprocal)
    return float(1.0 / lengths.max()), float(1.0 / lengths.min())
