"""Factors of a pixel: its solid angle, and the absorption in its sensor."""

from __future__ import annotations

from cupysim.maths.arrays import Array, array_namespace


def solid_angle(area: float, airpath: Array, close_distance: float, point_pixel: bool) -> Array:
    """Solid angle of a pixel.

    Parameters
    ----------
    area : float
        Area of a pixel (m^2). 1 for point pixels, unless quirk Q20 is corrected.
    airpath : array
        Distance of the pixel from the sample (m).
    close_distance : float
        Distance of the panel's plane from the sample (m).
    point_pixel : bool
        Use only the inverse-square law, without the obliquity of the pixel.

    Returns
    -------
    array
        Solid angle (sr): area/R^2 close/R, or area/R^2.
    """
    if point_pixel:
        return area / airpath / airpath
    return area / airpath / airpath * close_distance / airpath


def solid_angle_slopes(close_distance: float, point_pixel: bool) -> tuple[float, float]:
    """Derivatives of the logarithm of `solid_angle`.

    Parameters
    ----------
    close_distance : float
        Distance of the panel's plane from the sample (m).
    point_pixel : bool
        Use only the inverse-square law, without the obliquity of the pixel.

    Returns
    -------
    airpath : float
        Derivative with respect to the logarithm of the pixel's distance.
    close : float
        Derivative with respect to the distance of the plane (1/m).
    """
    return (-2.0, 0.0) if point_pixel else (-3.0, 1.0 / close_distance)


def capture_fraction(layer: int, layer_step: float, attenuation: float, parallax: Array) -> Array:
    """Fraction of the photons that a layer of the sensor absorbs.

    Parameters
    ----------
    layer : int
        Number of the layer, from 0 at the front.
    layer_step : float
        Distance between layers (m).
    attenuation : float
        Attenuation coefficient mu (1/m).
    parallax : array
        Cosine of the angle between the photon's path and the detector normal.

    Returns
    -------
    array
        exp(-layer step mu/cos) - exp(-(layer+1) step mu/cos).
    """
    xp = array_namespace(parallax)
    return xp.exp(-layer * layer_step * attenuation / parallax) - xp.exp(
        -(layer + 1) * layer_step * attenuation / parallax
    )


def capture_slope(layer: int, layer_step: float, attenuation: float, parallax: Array) -> Array:
    """Derivative of `capture_fraction` with respect to the cosine.

    Parameters
    ----------
    layer, layer_step, attenuation, parallax
        As for `capture_fraction`.

    Returns
    -------
    array
        (t0 exp(-t0) - t1 exp(-t1))/cos, with t0 = layer step mu/cos and t1 = (layer+1) step mu/cos.
    """
    xp = array_namespace(parallax)
    first, last = (number * layer_step * attenuation / parallax for number in (layer, layer + 1))
    return (first * xp.exp(-first) - last * xp.exp(-last)) / parallax
