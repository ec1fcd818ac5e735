"""The dose that a sample absorbs from the beam."""

from __future__ import annotations

import math

from cupysim.constants import ANGSTROM, ELECTRONVOLT_ANGSTROM
from cupysim.errors import ModelError
from cupysim.models.checks import finite
from cupysim.models.experiment import Experiment
from cupysim.optional_libraries import require

JOULE_PER_ELECTRONVOLT = 1.602176634e-19
"""Energy of one electronvolt (J), exact in the SI."""

SQUARE_METRES_PER_KILOGRAM = 0.1
"""One cm^2/g in m^2/kg."""


def absorbed_dose(experiment: Experiment, material: str) -> float:
    """Dose of a thin sample during one image.

    Parameters
    ----------
    experiment : Experiment
        The beam, with its fluence and wavelengths.
    material : str
        Chemical formula of the sample, or a name that xraydb knows, such as "water".

    Returns
    -------
    float
        Dose (Gy): fluence times photon energy times photoelectric mass coefficient, averaged over
        the wavelengths of the beam.

    Raises
    ------
    CupysimError
        If xraydb is not installed.
    ModelError
        If xraydb does not know the material, or has no coefficient at a wavelength.

    Notes
    -----
    The energy of an absorbed photon stays where it is absorbed: photoelectrons and fluorescence do
    not leave the sample, and scattered photons leave no energy. The coefficients are those of Elam,
    Ravel & Sieber (2002) Radiat. Phys. Chem. 63, 121.

    Examples
    --------
    >>> from cupysim import absorbed_dose, from_args
    >>> shot = from_args("-cell 70 80 90 -default_F 1 -N 5 -fluence 1e20 -lambda 1 -corrected")
    >>> print(f"{1e-6 * absorbed_dose(shot, 'water'):.3f} MGy")
    0.050 MGy
    """
    xraydb = require("xraydb", "the dose of a sample")
    known = xraydb.find_material(material)
    formula = material if known is None else known.formula
    sources = experiment.sources
    dose = 0.0
    for wavelength, share in zip(
        sources.wavelengths, sources.brightness / sources.brightness.sum(), strict=True
    ):
        energy = ELECTRONVOLT_ANGSTROM / (float(wavelength) / ANGSTROM)
        try:
            # of unit density, the coefficient is the one of a mass
            coefficient = float(xraydb.material_mu(formula, energy, density=1.0, kind="photo"))
        except (ValueError, TypeError, KeyError):
            coefficient = math.nan
        if not 0.0 < coefficient < math.inf:
            raise ModelError(
                f"dose: xraydb has no coefficient of {material!r} at {energy:g} eV; give a formula "
                "or a name that it knows"
            )
        mass = SQUARE_METRES_PER_KILOGRAM * coefficient
        dose += float(share) * mass * energy * JOULE_PER_ELECTRONVOLT
    return finite(experiment.beam.fluence * dose, "dose")
