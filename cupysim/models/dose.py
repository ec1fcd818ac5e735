"""The dose that a sample absorbs from the beam."""

from __future__ import annotations

from cupysim.constants import JOULE_PER_ELECTRONVOLT
from cupysim.errors import ModelError
from cupysim.models.absorption_tables import coefficient, photon_energy
from cupysim.models.checks import finite
from cupysim.models.experiment import Experiment
from cupysim.optional_libraries import require

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
        energy = photon_energy(float(wavelength))
        # at unit density, this is the mass coefficient
        per_gram = coefficient(xraydb, formula, 1.0, float(wavelength), "photo")
        if per_gram is None:
            raise ModelError(
                f"dose: xraydb has no coefficient of {material!r} at {energy:g} eV; give a formula "
                "or a name that it knows"
            )
        mass = SQUARE_METRES_PER_KILOGRAM * per_gram
        dose += float(share) * mass * energy * JOULE_PER_ELECTRONVOLT
    return finite(experiment.beam.fluence * dose, "dose")
