"""How the sources of a beam change with its wavelength, bandwidth and divergence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.maths.divergence import source_position_slopes
from cupysim.maths.polarization import polarization_form_slopes
from cupysim.models.experiment import Experiment
from cupysim.models.source_parameters import DIVERGENCE, WIDTHS, current_of_sources, without_sources
from cupysim.plan.gradient_columns import BANDWIDTH, HORIZONTAL, VERTICAL, WAVELENGTH
from cupysim.plan.render_plan import SourceTable

SOURCE_COLUMNS = {
    "wavelength": WAVELENGTH,
    **dict.fromkeys(WIDTHS, BANDWIDTH),
    **dict(zip(DIVERGENCE, (HORIZONTAL, VERTICAL), strict=True)),
}
"""Column of the kernel for each parameter of the sources. Dispersion and width of a spectrum share
one, because a beam has only one of them."""

N_CHANGES = VERTICAL + 1 - WAVELENGTH
"""Number of these columns."""


@dataclass(frozen=True)
class SourceSlopes:
    """Derivatives of the sources with respect to the parameters of the columns from WAVELENGTH on.

    Parameters
    ----------
    wavelengths : ndarray, shape (n_changes, n_sources)
        Derivatives of the logarithm of the wavelength.
    incident : ndarray, shape (n_changes, n_sources, 3)
        Derivatives of the direction of the photons.
    polarization : ndarray, shape (n_changes, n_sources, 6)
        Derivatives of the coefficients of the polarization factor (`polarization_form`).
    """

    wavelengths: np.ndarray
    incident: np.ndarray
    polarization: np.ndarray

    @classmethod
    def of(cls, experiment: Experiment, table: SourceTable) -> SourceSlopes:
        """Differentiate the sources of an experiment.

        Parameters
        ----------
        experiment : Experiment
            The experiment.
        table : SourceTable
            Its sources in a plan of one shot.
        """
        n = len(table.channel)
        wavelengths, incident = np.zeros((N_CHANGES, n)), np.zeros((N_CHANGES, n, 3))
        wavelengths[0] = _of_wavelength(experiment)
        for name, column in SOURCE_COLUMNS.items():
            if name in WIDTHS and not without_sources(experiment, name):
                wavelengths[column - WAVELENGTH] = _of_width(experiment, name)
            if name in DIVERGENCE and not without_sources(experiment, name):
                incident[column - WAVELENGTH] = _of_divergence(experiment, name)
        forms = np.zeros((N_CHANGES, n, 6))
        for change, form in zip(incident, forms, strict=True):
            if change.any():
                form[:] = polarization_form_slopes(
                    table.kahn[0], table.incident[0], table.polarization_axis[0], change
                )
        return cls(wavelengths, incident, forms)


def _of_wavelength(experiment: Experiment) -> np.ndarray:
    """Derivatives with respect to the beam's wavelength (1/m)."""
    beam = experiment.beam
    slopes = np.full(len(experiment.sources.wavelengths), 1.0 / beam.central_wavelength)
    if beam.source_table is not None:
        slopes[~np.isnan(beam.source_table[:, 4])] = 0.0
    return slopes


def _of_width(experiment: Experiment, name: str) -> np.ndarray:
    """Derivatives with respect to a bandwidth. Each wavelength keeps its relative place."""
    beam, width = experiment.beam, current_of_sources(experiment, name)
    wavelengths = experiment.sources.wavelengths
    if beam.spectrum is not None:
        # d log E = -d log lambda
        offsets = beam.spectrum.energy_offsets
        return np.resize(-offsets / (1.0 + offsets), len(wavelengths)) / width
    return (wavelengths - beam.wavelength) / wavelengths / width


def _of_divergence(experiment: Experiment, name: str) -> np.ndarray:
    """Derivatives with respect to a range of the divergence (1/rad), shape (n_sources, 3)."""
    sources, frame = experiment.sources, experiment.frame
    assert sources.deviations is not None
    axis, width = tuple(DIVERGENCE).index(name), current_of_sources(experiment, name)
    slopes = source_position_slopes(
        sources.deviations, frame.beam, frame.polarization, frame.vertical, axis
    )
    slopes *= (sources.deviations[:, axis] / width)[:, None]
    return -np.repeat(slopes, len(sources.wavelengths) // len(slopes), axis=0)
