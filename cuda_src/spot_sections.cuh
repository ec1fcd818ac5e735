// Integrals of F_latt^2 over the Ewald sphere near reflections. `cupysim/maths/spot_profiles.py` and `first_peaks.py`
// derive them. Only a CPU uses this file.
#pragma once
#include "spot_shapes.cuh"

namespace cupysim {

// Half waves over the whole range from which the closed form of the cosine transform loses no digits.
constexpr double SHORT_WAVE = 1.25;

// Number of terms of the series for longer waves. The next term is below 1e-16.
constexpr int SERIES_TERMS = 16;

// Narrowest side of a box relative to the widest.
constexpr double SMALLEST_WIDTH = 1e-3;

// The sine and the cosine of pi x.
struct SineCosine {
    double sine, cosine;
};

CUPYSIM_FUNCTION SineCosine sine_cosine_of_pi(double x) {
    const double turned = x - 2.0 * std::floor(0.5 * x + 0.5), size = std::fabs(turned);
    const double sine = sine_of_pi(smaller(size, 1.0 - size));
    return {turned < 0.0 ? -sine : sine, sine_of_pi(0.5 - size)};
}

// Integral of (1 - e1 t + e2 t^2 - e3 t^3) cos(pi waves t) dt from 0 to 1, for a polynomial that is zero at t = 1. Both
// formulas are computed, so that the compiler can vectorise loops.
CUPYSIM_FUNCTION double cosine_transform(double e1, double e2, double e3, double waves) {
    // long waves: the powers of the cosine's series, integrated with the polynomial
    const bool is_short = std::fabs(waves) >= SHORT_WAVE;
    const double phase = PI * waves, square = is_short ? 0.0 : phase * phase;
    double series = 0.0, power = 1.0;
#pragma GCC unroll 16
    for (int term = 0; term < SERIES_TERMS; ++term) {
        const double n = 2.0 * term;
        series += power * (1.0 / (n + 1.0) - e1 * (1.0 / (n + 2.0)) + e2 * (1.0 / (n + 3.0)) - e3 * (1.0 / (n + 4.0)));
        power *= square * (-1.0 / ((n + 1.0) * (n + 2.0)));
    }
    // short waves: repeated partial integration
    const double slope_0 = -e1, slope_1 = -e1 + 2.0 * e2 - 3.0 * e3;
    const double curvature_1 = 2.0 * e2 - 6.0 * e3, third = -6.0 * e3;
    const SineCosine of = sine_cosine_of_pi(waves);
    const double inverse = 1.0 / (is_short ? phase : 1.0);
    const double bends = curvature_1 * of.sine + third * (of.cosine - 1.0) * inverse;
    const double closed = (slope_1 * of.cosine - slope_0 - bends * inverse) * inverse * inverse;
    return is_short ? closed : series;
}

// The spots of a crystal. `n_cells` is 1 along each axis if the shape measures distances.
struct SpotForm {
    Triple<double> n_cells;
    double height;  // F_latt of a reflection
    double fudge;  // factor of squared distances
};

// Parallelepiped: 2 Na Nb Nc/V int_0^T prod (1 - |p_i| t/N_i) cos(2 pi zeta t) dt
CUPYSIM_FUNCTION double square_section(const SpotForm& form, const Triple<double>& p, double zeta) {
    double a = std::fabs(p.h) / form.n_cells.h, b = std::fabs(p.k) / form.n_cells.k,
           c = std::fabs(p.l) / form.n_cells.l;
    const double end = 1.0 / larger(larger(a, b), c);
    a *= end, b *= end, c *= end;
    const double transform = cosine_transform(a + b + c, a * b + b * c + c * a, a * b * c, 2.0 * zeta * end);
    return form.n_cells.h * form.n_cells.k * form.n_cells.l * 2.0 * end * larger(transform, 0.0);
}

// Ellipsoid: the overlap of two balls is 1 - 3t/2 + t^3/2.
CUPYSIM_FUNCTION double round_section(const SpotForm& form, const Triple<double>& p, double zeta) {
    const double width = std::sqrt(form.fudge), count = form.n_cells.h * form.n_cells.k * form.n_cells.l;
    const double a = p.h / (form.n_cells.h * width), b = p.k / (form.n_cells.k * width),
                 c = p.l / (form.n_cells.l * width);
    const double length = std::sqrt(a * a + b * b + c * c);
    const double transform = cosine_transform(1.5, 0.0, -0.5, 2.0 * zeta / length);
    const double height = count * SPHERE_IN_CUBE;
    return height * height * 12.0 / PI * larger(transform, 0.0) / (length * count * width * width * width);
}

// Flat spots: the density of the sum of three uniform variables.
CUPYSIM_FUNCTION double flat_section(const SpotForm& form, const Triple<double>& p, double zeta) {
    const double n[3] = {form.n_cells.h, form.n_cells.k, form.n_cells.l};
    double sides[3] = {std::fabs(p.h), std::fabs(p.k), std::fabs(p.l)};
    double volume = 1.0, widest = 0.0, density = 0.0;
    for (int i = 0; i < 3; ++i) {
        const double half = smaller(1.0 / n[i], 0.5);
        volume *= n[i] * n[i] * 2.0 * half;
        sides[i] *= half;
        widest = larger(sides[i], widest);
    }
    for (double& side : sides) side = larger(side, SMALLEST_WIDTH * widest);
    for (int corner = 0; corner < 8; ++corner) {
        double place = zeta, sign = 1.0;
        for (int i = 0; i < 3; ++i) {
            const double way = (corner >> i) & 1 ? -1.0 : 1.0;
            place += way * sides[i];
            sign *= way;
        }
        const double beyond = larger(place, 0.0);
        density += sign * beyond * beyond;
    }
    return volume * larger(density / (16.0 * sides[0] * sides[1] * sides[2]), 0.0);
}

// Shapes that measure distances: the integral over a plane at this squared distance from the reflection.
template <Shape shape>
CUPYSIM_FUNCTION double distance_section(const SpotForm& form, double square) {
    const double height = form.height * form.height;
    if (shape == TOPHAT) return height * PI * larger(TOPHAT_EDGE / form.fudge - square, 0.0);
    const double kappa = form.fudge / GAUSS_WIDTH;
    return height * PI / (2.0 * kappa) * exp_minus(2.0 * kappa * square);
}

// Whether a shape's spots are measured by distances, not by h, k, l.
constexpr bool measures_distance(Shape shape) { return shape == GAUSS || shape == TOPHAT; }

// The integral over the plane at the distance zeta from a reflection. `p` is the product of the plane's normal and the
// matrix from the variables of the shape to scattering vectors. The inverse of that matrix has the determinant
// `volume`: that of the unit cell, if the variables are h, k, l.
template <Shape shape>
CUPYSIM_FUNCTION double section(const SpotForm& form, const Triple<double>& p, double zeta, double volume) {
    static_assert(shape != NO_FRINGES, "this shape has no formula here");
    if (shape == SQUARE) return square_section(form, p, zeta) / volume;
    if (shape == ROUND) return round_section(form, p, zeta) / volume;
    if (shape == FLAT) return flat_section(form, p, zeta) / volume;
    const double square = p.h * p.h + p.k * p.k + p.l * p.l;
    return distance_section<shape>(form, zeta * zeta / square) / (std::sqrt(square) * volume);
}

}  // namespace cupysim
