// Integrals of F_latt^2 over the Ewald sphere near reflections. `cupysim/maths/spot_profiles.py` and `first_peaks.py`
// derive them. Only a CPU uses this file.
#pragma once
#include "spot_shapes.cuh"

namespace cupysim {

// From this number of half waves on, the closed form of the cosine transform loses no digits. NumPy uses a quadrature
// for longer waves; a series can be vectorised.
constexpr double SHORT_WAVE = 1.25;

// Number of terms of this series. The next term is below 1e-16.
constexpr int SERIES_TERMS = 16;

// Narrowest side of a flat spot relative to the widest. Much narrower sides would lose digits.
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

// Sections of each shape:
//     EXISTS             there is a formula here; otherwise NumPy computes sections
//     MEASURES_DISTANCE  spots are measured by distances, as in `Measure.DISTANCE` of `cupysim/plan/spot_shapes.py`
//     at                 the section at the distance zeta, times the volume V of the unit cell
//     of_distance        if MEASURES_DISTANCE, the integral over a plane at this squared distance, in spot widths
template <Shape shape>
struct SpotSection {
    static constexpr bool EXISTS = false, MEASURES_DISTANCE = false;
};

// Parallelepiped: 2 Na Nb Nc int_0^T prod (1 - |p_i| t/N_i) cos(2 pi zeta t) dt
template <>
struct SpotSection<SQUARE> {
    static constexpr bool EXISTS = true, MEASURES_DISTANCE = false;

    static CUPYSIM_FUNCTION double at(const SpotForm& form, const Triple<double>& p, double zeta) {
        double a = std::fabs(p.h) / form.n_cells.h, b = std::fabs(p.k) / form.n_cells.k,
               c = std::fabs(p.l) / form.n_cells.l;
        const double end = 1.0 / larger(larger(a, b), c);
        a *= end, b *= end, c *= end;
        const double transform = cosine_transform(a + b + c, a * b + b * c + c * a, a * b * c, 2.0 * zeta * end);
        return form.n_cells.h * form.n_cells.k * form.n_cells.l * 2.0 * end * larger(transform, 0.0);
    }
};

// Ellipsoid with w_i = N_i sqrt(fudge): 12 (0.7236 Na Nb Nc)^2/(pi L w_a w_b w_c) times the cosine transform of the
// overlap of two balls, 1 - 3t/2 + t^3/2, over the range 1/L with L^2 = sum (p_i/w_i)^2.
template <>
struct SpotSection<ROUND> {
    static constexpr bool EXISTS = true, MEASURES_DISTANCE = false;

    static CUPYSIM_FUNCTION double at(const SpotForm& form, const Triple<double>& p, double zeta) {
        const double width = std::sqrt(form.fudge), count = form.n_cells.h * form.n_cells.k * form.n_cells.l;
        const double a = p.h / (form.n_cells.h * width), b = p.k / (form.n_cells.k * width),
                     c = p.l / (form.n_cells.l * width);
        const double length = std::sqrt(a * a + b * b + c * c);
        const double transform = cosine_transform(1.5, 0.0, -0.5, 2.0 * zeta / length);
        const double height = count * SPHERE_IN_CUBE;
        return height * height * 12.0 / PI * larger(transform, 0.0) / (length * count * width * width * width);
    }
};

// Flat spots: the density of the sum of three uniform variables.
template <>
struct SpotSection<FLAT> {
    static constexpr bool EXISTS = true, MEASURES_DISTANCE = false;

    static CUPYSIM_FUNCTION double at(const SpotForm& form, const Triple<double>& p, double zeta) {
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
        // beyond its end, the sum has rounding errors
        if (std::fabs(zeta) >= sides[0] + sides[1] + sides[2]) density = 0.0;
        return volume * larger(density / (16.0 * sides[0] * sides[1] * sides[2]), 0.0);
    }
};

template <>
struct SpotSection<GAUSS> {
    static constexpr bool EXISTS = true, MEASURES_DISTANCE = true;

    static CUPYSIM_FUNCTION double of_distance(const SpotForm& form, double square) {
        const double kappa = form.fudge / GAUSS_WIDTH;
        return form.height * form.height * PI / (2.0 * kappa) * exp_minus(2.0 * kappa * square);
    }
};

template <>
struct SpotSection<TOPHAT> {
    static constexpr bool EXISTS = true, MEASURES_DISTANCE = true;

    static CUPYSIM_FUNCTION double of_distance(const SpotForm& form, double square) {
        return form.height * form.height * PI * larger(TOPHAT_EDGE / form.fudge - square, 0.0);
    }
};

// The integral over the plane at the distance zeta from a reflection. `p` is the product of the plane's normal and the
// matrix from the variables of the shape to scattering vectors. The inverse of that matrix has the determinant
// `volume`: that of the unit cell, if the variables are h, k, l.
template <Shape shape>
CUPYSIM_FUNCTION double section(const SpotForm& form, const Triple<double>& p, double zeta, double volume) {
    if constexpr (SpotSection<shape>::MEASURES_DISTANCE) {
        const double square = p.h * p.h + p.k * p.k + p.l * p.l;
        return SpotSection<shape>::of_distance(form, zeta * zeta / square) / (std::sqrt(square) * volume);
    } else {
        return SpotSection<shape>::at(form, p, zeta) / volume;
    }
}

}  // namespace cupysim
