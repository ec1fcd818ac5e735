"""The polarization factor of Kahn et al. (1982) J. Appl. Cryst. 15, 330."""

from __future__ import annotations

import numpy as np

from cupysim.maths.arrays import Array, Components, array_namespace, cross, dot, unit


def linear_polarization(
    stokes: np.ndarray, electric: np.ndarray, vertical: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Degree and direction of linear polarization from relative Stokes parameters.

    Parameters
    ----------
    stokes : ndarray, shape (n, 2)
        Q/I and U/I. Q is positive for a field along `electric`, and U for one along the sum of
        `electric` and `vertical`. V, circular polarization, does not change scattered intensities.
    electric, vertical : ndarray, shape (3,)
        Unit vectors.

    Returns
    -------
    kahn : ndarray, shape (n,)
        Kahn factors, from 0 to 1.
    axes : ndarray, shape (n, 3)
        Directions of the electric field, unit vectors if `electric` and `vertical` are
        perpendicular.
    """
    q, u = stokes.T
    angle = 0.5 * np.arctan2(u, q)[:, None]
    return np.hypot(q, u), np.cos(angle) * electric + np.sin(angle) * vertical


def polarization_factor(
    kahn: float, incident: Array, diffracted: list[Array], axis: Array
) -> Array:
    """Polarization factor: the factor of r_e^2 in the scattering of an electron.

    Parameters
    ----------
    kahn : float
        Kahn factor: 1 for a beam polarized along `axis`, 0 for an unpolarized beam.
    incident : array, shape (3,)
        Direction of the incident photons, unit vector.
    diffracted : list of 3 arrays, shape (n,)
        Directions of the scattered photons, unit vectors.
    axis : array, shape (3,)
        Direction of the electric field, unit vector.

    Returns
    -------
    array, shape (n,)
        Factor (1 + cos^2 2theta - k cos(2 psi) sin^2 2theta)/2, where k is the Kahn factor and psi
        the angle of the scattered ray about the beam.
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


def polarization_form(kahn: float | Array, incident: Array, axis: Array) -> Array:
    """The polarization factor as a quadratic form in the direction of the scattered photons.

    Parameters
    ----------
    kahn : float or array, shape (n,)
        Kahn factors.
    incident : array, shape (n, 3)
        Directions of the incident photons, unit vectors.
    axis : array, shape (3,) or (n, 3)
        Directions of the electric field, unit vectors.

    Returns
    -------
    array, shape (n, 6)
        Coefficients of xx, yy, zz, xy, xz, yz of a unit vector (x, y, z).

    Notes
    -----
    cos(2 psi) sin^2 2theta is (E.d)^2 - (B.d)^2. Here d is the direction of the scattered photons,
    and E and B are unit vectors along the electric and the magnetic field. If the beam is along the
    axis, E and B do not exist, and psi is zero.
    """
    xp = array_namespace(incident)
    magnetic = unit(cross(xp.broadcast_to(axis, incident.shape), incident))
    electric = unit(cross(incident, magnetic))

    def square(v: Array) -> Array:
        return v[:, :, None] * v[:, None, :]

    whole = xp.broadcast_to(xp.eye(3), (len(incident), 3, 3))
    along = (magnetic == 0.0).all(axis=1)[:, None, None]
    modulation = xp.where(along, whole - square(incident), square(electric) - square(magnetic))
    factor = xp.broadcast_to(xp.asarray(kahn), incident.shape[:1])[:, None, None]
    form = 0.5 * (whole + square(incident) - factor * modulation)
    return _coefficients(form)


def _coefficients(form: Array) -> Array:
    """Coefficients of xx, yy, zz, xy, xz, yz of quadratic forms."""
    diagonal = [form[:, i, i] for i in range(3)]
    mixed = [2.0 * form[:, i, j] for i, j in ((0, 1), (0, 2), (1, 2))]
    return array_namespace(form).stack([*diagonal, *mixed], axis=1)


def polarization_form_slopes(
    kahn: np.ndarray, incident: np.ndarray, axis: np.ndarray, change: np.ndarray
) -> np.ndarray:
    """Derivatives of the form of the polarization factor if the incident directions change.

    Parameters
    ----------
    kahn, incident, axis
        As for `polarization_form`, for each source.
    change : ndarray, shape (n, 3)
        Derivatives of the incident directions, perpendicular to them.

    Returns
    -------
    ndarray, shape (n, 6)
        Derivatives of the coefficients.
    """
    across = cross(axis, incident)
    length = np.linalg.norm(across, axis=1, keepdims=True)
    along = length == 0.0
    magnetic = across / np.where(along, 1.0, length)
    electric = cross(incident, magnetic)
    turned = cross(axis, change) / np.where(along, 1.0, length)
    of_magnetic = turned - magnetic * dot(turned, magnetic)[:, None]
    of_electric = cross(change, magnetic) + cross(incident, of_magnetic)

    def square(v: np.ndarray, dv: np.ndarray) -> np.ndarray:
        half = v[:, :, None] * dv[:, None, :]
        return half + half.swapaxes(1, 2)

    of_incident = square(incident, change)
    modulation = square(electric, of_electric) - square(magnetic, of_magnetic)
    modulation = np.where(along[..., None], -of_incident, modulation)
    return _coefficients(0.5 * (of_incident - kahn[:, None, None] * modulation))


def polarization_of_form(form: Array, direction: Components) -> Array:
    """The polarization factor from its quadratic form.

    Parameters
    ----------
    form : array, shape (6,), (6, 1) or (6, n)
        Coefficients, a row of what `polarization_form` returns; or a column for each direction.
    direction : tuple of 3 arrays, shape (n,)
        Direction of the scattered photons, unit vectors.

    Returns
    -------
    array, shape (n,)
        The factor.
    """
    x, y, z = direction
    factor = x * (form[0] * x + form[3] * y + form[4] * z)
    return factor + y * (form[1] * y + form[5] * z) + z * (form[2] * z)


def polarization_slopes(form: Array, direction: Components) -> list[Array]:
    """Derivatives of the polarization factor with respect to the direction's components.

    Parameters
    ----------
    form : array, shape (6,), (6, 1) or (6, n)
        Coefficients of one source, or of the source of each direction, from `polarization_form`.
    direction : tuple of 3 arrays, shape (n,)
        Direction of the scattered photons, unit vectors.

    Returns
    -------
    list of 3 arrays, shape (n,)
        Derivatives of the quadratic form with respect to x, y, z, also for vectors of other
        lengths than one.
    """
    x, y, z = direction
    return [
        2.0 * form[0] * x + form[3] * y + form[4] * z,
        2.0 * form[1] * y + form[3] * x + form[5] * z,
        2.0 * form[2] * z + form[4] * x + form[5] * y,
    ]
