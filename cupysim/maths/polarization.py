"""The polarization factor of Kahn et al. (1982) J. Appl. Cryst. 15, 330."""

from __future__ import annotations

from cupysim.maths.arrays import Array, array_namespace, cross, unit


def polarization_factor(
    kahn: float, incident: Array, diffracted: list[Array], axis: Array
) -> Array:
    """Fraction of the Thomson scattering which polarization lets through.

    Parameters
    ----------
    kahn : float
        Kahn factor: 1 fully polarized along `axis`, 0 not polarized.
    incident : array, shape (3,)
        Direction of the incident photons, unit vector.
    diffracted : list of 3 arrays, shape (n,)
        Directions of the scattered photons, unit vectors.
    axis : array, shape (3,)
        Direction of the electric field, unit vector.

    Returns
    -------
    array, shape (n,)
        (1 + cos^2 2theta - K cos(2 psi) sin^2 2theta)/2, psi the angle of the
        scattered ray about the beam.
    """
    xp = array_namespace(diffracted[0])
    cosine = incident[0] * diffracted[0] + incident[1] * diffracted[1]
    cosine = cosine + incident[2] * diffracted[2]
    cosine_squared = cosine * cosine
    modulation: Array = 1.0
    if kahn != 0.0:
        magnetic = unit(cross(axis, incident))
        electric = unit(cross(incident, magnetic))
        along_e, along_b = (
            diffracted[0] * v[0] + diffracted[1] * v[1] + diffracted[2] * v[2]
            for v in (electric, magnetic)
        )
        modulation = xp.cos(2 * -xp.arctan2(along_b, along_e))
    return 0.5 * (1.0 + cosine_squared - kahn * modulation * (1 - cosine_squared))
