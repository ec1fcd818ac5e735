// Factors of the terms of a pixel's sum: solid angle, absorbed fraction and polarization factor, which the
// launch uses in different ways (`Use`), and weights that each term has. Images and derivatives share these
// formulas.
#pragma once
#include "amorphous.cuh"
#include "exponential.cuh"
#include "geometry.cuh"

namespace cupysim {

// Omega = area/R^2 close/R, or area/R^2 for point pixels.
CUPYSIM_FUNCTION double solid_angle(double area, double airpath, double close_distance, bool point_pixel) {
    const double inverse = reciprocal(airpath);
    const double inclined = point_pixel ? 1.0 : close_distance * inverse;
    return area * inverse * inverse * inclined;
}

// A = exp(-layer step mu/cos) - exp(-(layer+1) step mu/cos)
CUPYSIM_FUNCTION double capture_fraction(double layer, double layer_step, double attenuation, double parallax) {
    return exp(-layer * layer_step * attenuation / parallax) -
           exp(-(layer + 1.0) * layer_step * attenuation / parallax);
}

// K, the polarization factor of Kahn et al. (1982) J. Appl. Cryst. 15, 330:
//     (1 + cos^2 2theta - k cos(2 psi) sin^2 2theta)/2,
// where k is the Kahn factor, and psi is the angle of the scattered ray d about the incident beam i. With E along the
// electric field and B along the magnetic field, cos 2theta = i.d and cos(2 psi) sin^2 2theta = (E.d)^2 - (B.d)^2. The
// factor is a quadratic form in d. Its coefficients of xx, yy, zz, xy, xz, yz are computed once for each source.
CUPYSIM_FUNCTION double polarization_factor(const double* form, double x, double y, double z) {
    return x * (form[0] * x + form[3] * y + form[4] * z) + y * (form[1] * y + form[5] * z) + z * (form[2] * z);
}

// The distance of the plane that a solid angle refers to: the plane of the layer if each term has its own solid
// angle. Otherwise it is the plane of the first layer, as in the C program.
CUPYSIM_FUNCTION double plane_distance(const Launch& launch, Int layer) {
    const bool own = launch.omega_use == EACH && !launch.bend_radial;
    return launch.close_distance + (own ? static_cast<double>(layer) * launch.layer_step : 0.0);
}

// The cosine between d and the panel's normal.
CUPYSIM_FUNCTION double parallax(const Launch& launch, const PixelBlock& pixels, int i) {
    if (launch.bend_radial) return 1.0;
    return pixels.x[i] * launch.normal[0] + pixels.y[i] * launch.normal[1] + pixels.z[i] * launch.normal[2];
}

CUPYSIM_FUNCTION void keep_solid_angle(const Launch& launch, PixelBlock& pixels, Int layer, bool counts) {
    const double area = launch.pixel_area, close = plane_distance(launch, layer);
    const bool point = launch.point_pixel != 0, again = launch.omega_use != ONCE;
    const double counted = counts ? 1.0 : 0.0;
    FOR_LANES(i) {
        const double omega = solid_angle(area, pixels.airpath[i], close, point);
        const double kept = pixels.omega[i];
        const double now = (again || kept == 0.0) ? omega : kept;
        pixels.omega[i] = now;
        pixels.omega_sum[i] += counted * now;
    }
}

CUPYSIM_FUNCTION void keep_capture(const Launch& launch, PixelBlock& pixels, Int layer) {
    const double number = static_cast<double>(layer);
    for (int i = 0; i < LANES; ++i) {
        if (launch.capture_use == ONCE && pixels.capture[i] != 0.0) continue;
        pixels.capture[i] =
            capture_fraction(number, launch.layer_step, launch.attenuation, parallax(launch, pixels, i));
    }
}

// Keeps the factor of rays within the resolution limit if none is kept yet. If each term has its own factor,
// it keeps those of all rays, since a background also scatters beyond the limit.
CUPYSIM_FUNCTION void keep_polarization(const Launch& launch, PixelBlock& pixels, const Source& source,
                                        const double active[LANES]) {
    if (!launch.polarized && launch.polar_use == ONCE) return;
    const double* form = source.polarization;
    const bool again = launch.polar_use != ONCE, all = launch.polar_use == EACH;
    FOR_LANES(i) {
        const double factor = polarization_factor(form, pixels.x[i], pixels.y[i], pixels.z[i]);
        const double kept = pixels.polar[i];
        const double reached = all ? 1.0 : active[i];
        const double wanted = (again || kept == 0.0) ? reached : 0.0;
        pixels.polar[i] = wanted != 0.0 ? factor : kept;
    }
}

// Weights that each term has, with any quirks. A weight that depends on the direction d or the airpath R of
// the ray also needs a part in `weight_derivatives`.
CUPYSIM_FUNCTION double term_weight(const Launch&, const PixelBlock&, const Source& source, int) {
    return source.weight;
}

// An upper bound of `term_weight` for all directions, for images within a tolerance.
CUPYSIM_FUNCTION double largest_term_weight(const Launch&, const Source& source) { return source.weight; }

// The factors of a pixel that are used in the same way.
struct UsedFactors {
    bool capture, polar, omega;
};

CUPYSIM_FUNCTION UsedFactors used_as(const Launch& launch, Use use) {
    return {launch.capture_use == use, launch.polar_use == use, launch.omega_use == use};
}

// `value` times these factors, in the C program's order.
CUPYSIM_FUNCTION double times_factors(UsedFactors used, const PixelBlock& pixels, int i, double value) {
    return value * (used.capture ? pixels.capture[i] : 1.0) * (used.polar ? pixels.polar[i] : 1.0) *
           (used.omega ? pixels.omega[i] : 1.0);
}

// The factor of the terms of a ray: the weights that each term has, times the factors used for each term. It
// also multiplies a background, once for a ray.
CUPYSIM_FUNCTION void ray_weight(const Launch& launch, PixelBlock& pixels, const Source& source,
                                 const Scattering<Double>& q, double scale[LANES]) {
    const UsedFactors each = used_as(launch, EACH);
    const double term_scale = launch.term_scale;
    const double background = launch.first_orientation == 0 ? launch.ray_background : 0.0;
    FOR_LANES(i) {
        const double weight = times_factors(each, pixels, i, term_weight(launch, pixels, source, i));
        scale[i] = weight * term_scale;
        pixels.total[i] += weight * background;
    }
    if (!has_matter(launch) || launch.first_orientation != 0) return;
    for (int i = 0; i < LANES; ++i) {
        const double weight = times_factors(each, pixels, i, term_weight(launch, pixels, source, i));
        pixels.total[i] += weight * amorphous_intensity(launch, length_of(q, i)).value;
    }
}

// Derivatives of a ray's photons with respect to the variables of its weight.
struct WeightDerivatives {
    Triple<double> direction;  // components of d, at the same airpath
    double airpath;  // log R
    double close;  // distance of the panel's plane
    double normal;  // along d: the change of the normal is multiplied by d
};

// Divides photons by a factor; zero if the factor is zero.
CUPYSIM_FUNCTION double divided_out(double total, double factor) {
    const bool none = factor == 0.0;
    return none ? 0.0 : total * reciprocal(none ? 1.0 : factor);
}

// The derivatives of `total` photons of a ray if each term has its own factors:
//     dK/dd = 2 form d;
//     dA/dcos = (t0 exp(-t0) - t1 exp(-t1))/cos,  t0, t1 = layer step mu/cos, (layer+1) step mu/cos;
//     dOmega/dlog R = -3 Omega (-2 for point pixels), dOmega/dclose = Omega/close.
CUPYSIM_FUNCTION WeightDerivatives weight_derivatives(const Launch& launch, const PixelBlock& pixels,
                                                      const Source& source, Int layer, double total, int i) {
    const double x = pixels.x[i], y = pixels.y[i], z = pixels.z[i];
    const double* form = source.polarization;
    const double point = launch.point_pixel ? 1.0 : 0.0;
    WeightDerivatives found;
    found.airpath = (point - 3.0) * total;
    found.close = (1.0 - point) * total / plane_distance(launch, layer);
    found.normal = 0.0;
    if (launch.capture_use == EACH) {
        const double inverse = reciprocal(parallax(launch, pixels, i));
        const double depth = static_cast<double>(layer) * launch.layer_step * launch.attenuation;
        const double first = depth * inverse, last = (depth + launch.layer_step * launch.attenuation) * inverse;
        found.normal =
            divided_out(total, pixels.capture[i]) * inverse * (first * exp_minus(first) - last * exp_minus(last));
    }
    const double per_polar = launch.polar_use == EACH ? divided_out(total, pixels.polar[i]) : 0.0;
    found.direction.h = per_polar * (2.0 * form[0] * x + form[3] * y + form[4] * z) + found.normal * launch.normal[0];
    found.direction.k = per_polar * (2.0 * form[1] * y + form[3] * x + form[5] * z) + found.normal * launch.normal[1];
    found.direction.l = per_polar * (2.0 * form[2] * z + form[4] * x + form[5] * y) + found.normal * launch.normal[2];
    return found;
}

}  // namespace cupysim
