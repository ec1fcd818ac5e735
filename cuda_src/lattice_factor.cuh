// Fourier transforms of finite crystals: the square of the lattice factor
// F_latt, from the offsets h - h0, k - k0, l - l0 to the nearest reflection.
#pragma once
#include "exponential.cuh"
#include "launch.cuh"
#include "policies.cuh"
#include "scaled.cuh"
#include "sine.cuh"

namespace cupysim {

enum Shape { SQUARE, ROUND, GAUSS, TOPHAT };

// Amplitude of a round crystal relative to the square one it is cut from.
constexpr double SPHERE_IN_CUBE = 0.723601254558268;
// 2^-26.5: below, sin x/x and cos x are both rounded to 1.
constexpr double CANCELLATION = 1.0536712127723509e-08;
// Edge of flat spots in units in which Gaussian ones fall off as exp(-y).
constexpr double TOPHAT_EDGE = 0.63;

// What the transforms need to know of a crystal.
template <class Policy>
struct CrystalConstants {
    Triple<typename Policy::Number> n_cells;
    typename Policy::Real volume;  // Na Nb Nc
    typename Policy::Offset fudge;  // scale of the squared spot radius
    Triple<Triple<typename Policy::Offset>> spot;  // x, y, z of a*, b*, c* times Na Nb Nc/sqrt(0.63) (quirk Q6)
};

template <class Policy>
CUPYSIM_FUNCTION CrystalConstants<Policy> crystal_constants(const Launch& launch, Int crystal) {
    using Number = typename Policy::Number;
    using Wide = Widen<typename Policy::Offset>;
    const double* record = launch.crystals[0] + crystal * CRYSTAL_SIZE;
    const double* star = record + 3;
    CrystalConstants<Policy> constants;
    constants.n_cells = {static_cast<Number>(record[0]), static_cast<Number>(record[1]),
                         static_cast<Number>(record[2])};
    constants.volume = static_cast<typename Policy::Real>(record[0] * record[1] * record[2]);
    constants.fudge = Wide::of(launch.fudge[0]);
    constants.spot = {{Wide::of(star[0]), Wide::of(star[3]), Wide::of(star[6])},
                      {Wide::of(star[1]), Wide::of(star[4]), Wide::of(star[7])},
                      {Wide::of(star[2]), Wide::of(star[5]), Wide::of(star[8])}};
    return constants;
}

// Added to offsets, so that sin(pi N x)/sin(pi x) of zero becomes N without a
// question being asked. The product of three must not underflow.
CUPYSIM_FUNCTION double nudge(double x, double) { return x + 1e-30; }
CUPYSIM_FUNCTION double nudge(double x, float) { return x + 1e-12; }
CUPYSIM_FUNCTION Pair nudge(Pair x, float) { return exact_sum(x.hi, sum(x.lo, 1e-12f)); }

CUPYSIM_FUNCTION double times_whole(double x, double n) { return x * n; }
CUPYSIM_FUNCTION Pair times_whole(Pair x, float n) {
    const float p = product(x.hi, n);
    return {p, fused(x.lo, n, fused(x.hi, n, -p))};
}

// sin(pi N x) up to its sign, and sin(pi x). The argument of the first is
// reduced to N x - nearest(N x).
template <class Real>
struct Sines {
    Real above, below;
};

CUPYSIM_FUNCTION double reduced_multiple(double x, double n) {
    // the product is formed twice, but rounded once
#ifdef __CUDACC__
    return fma(x, n, -__dadd_rn(fma(x, n, WHOLE), -WHOLE));
#else
    return multiply_add(x, n, -nearest_even(x * n));
#endif
}
CUPYSIM_FUNCTION float reduced_multiple(Pair x, float n) { return fraction(times_whole(x, n)); }

template <class Real, class Offset, class Number>
CUPYSIM_FUNCTION Sines<Real> grating(Offset offset, Number n) {
    const Offset x = nudge(offset, Real(0));
    return {sine_of_pi(static_cast<Real>(reduced_multiple(x, n))), sine_of_pi(Narrow<Real>::of(x))};
}

#ifdef __CUDACC__
// Where float64 costs twice as much as float32, and conversions more: what is
// left of N x beyond the nearest whole number is read off the low word of a sum
// with 1.5 2^20, in units of 2^-32, but for the innermost lobe, where its ratio
// to x counts.
template <>
CUPYSIM_FUNCTION Sines<float> grating<float, double, double>(double offset, double n) {
    const float x = sum(to_float(offset), 1e-12f);
    const int bits = __double2loint(fma(offset, n, 1572864.0));
    const float wrapped = static_cast<float>(bits) * 2.3283064365386963e-10f;
    const float direct = x * static_cast<float>(n);
    return {sine_of_pi(fabsf(direct) < 0.5f ? direct : wrapped), sine_of_pi(x)};
}
#endif

// Parallelepiped: the product of sin(pi N x)/sin(pi x) over the axes.
template <class Policy>
CUPYSIM_FUNCTION typename Policy::Real square_lattice(const CrystalConstants<Policy>& crystal,
                                                      Triple<typename Policy::Offset> offsets) {
    using Real = typename Policy::Real;
    const auto h = grating<Real>(offsets.h, crystal.n_cells.h);
    const auto k = grating<Real>(offsets.k, crystal.n_cells.k);
    const auto l = grating<Real>(offsets.l, crystal.n_cells.l);
    return h.above * k.above * l.above * reciprocal(h.below * k.below * l.below);
}

// Ellipsoid: Na Nb Nc 0.7236 S(x), S = 3 (sin x/x - cos x)/x^2, x = pi sqrt(fudge r^2),
// r^2 the sum of (N offset)^2.
template <class Policy>
CUPYSIM_FUNCTION typename Policy::Real round_lattice(const CrystalConstants<Policy>& crystal,
                                                     Triple<typename Policy::Offset> offsets) {
    using Real = typename Policy::Real;
    using Offset = typename Policy::Offset;
    const Offset h = times_whole(offsets.h, crystal.n_cells.h);
    const Offset k = times_whole(offsets.k, crystal.n_cells.k);
    const Offset l = times_whole(offsets.l, crystal.n_cells.l);
    const Offset r2 = add(add(multiply(h, h), multiply(k, k)), multiply(l, l));
    const Offset rho = square_root(multiply(r2, crystal.fudge));
    const Real x = Real(3.14159265358979323846) * Narrow<Real>::of(rho);
    const Real z = x * x;
    // the difference cancels near zero: sum of 6 (k+1) (-z)^k/(2k+3)!
    Real near = Real(-1.34949948208585e-13);
    near = multiply_add(near, z, Real(3.2118087673643227e-11));
    near = multiply_add(near, z, Real(-5.7812557812557815e-09));
    near = multiply_add(near, z, Real(7.515632515632515e-07));
    near = multiply_add(near, z, Real(-6.613756613756614e-05));
    near = multiply_add(near, z, Real(1.0 / 280.0));
    near = multiply_add(near, z, Real(-0.1));
    near = multiply_add(near, z, Real(1));
    // sine and cosine of the reduced argument have a sign in common, lost in the square
    const Real u = static_cast<Real>(fraction(rho));
    const Real inverse = reciprocal(larger(x, Real(1)));
    const Real far = Real(3) * (sine_of_pi(u) * inverse - cosine_of_pi(u)) * inverse * inverse;
    // the C program's difference is zero so close to a reflection, but not on it
    const Real innermost = x < Real(CANCELLATION) && !is_zero(rho) ? Real(0) : near;
    const Real transform = z < Real(1.44) ? innermost : far;
    return crystal.volume * Real(SPHERE_IN_CUBE) * transform;
}

template <class Offset>
CUPYSIM_FUNCTION Offset dot(Triple<Offset> u, Triple<Offset> v) {
    return add(add(multiply(u.h, v.h), multiply(u.k, v.k)), multiply(u.l, v.l));
}

// Squared distance y from the reflection: Gaussian spots are exp(-y), flat ones
// end at y = 0.63.
template <class Policy>
CUPYSIM_FUNCTION typename Policy::Offset spot_distance(const CrystalConstants<Policy>& crystal,
                                                       Triple<typename Policy::Offset> offsets) {
    using Offset = typename Policy::Offset;
    const Offset x = dot(offsets, crystal.spot.h), y = dot(offsets, crystal.spot.k), z = dot(offsets, crystal.spot.l);
    return multiply(add(add(multiply(x, x), multiply(y, y)), multiply(z, z)), crystal.fudge);
}

// Whether F_latt is zero, so that the C program leaves the step out. Square and
// round crystals' never is: its sines of unreduced arguments miss zero.
template <class Policy, Shape shape>
CUPYSIM_FUNCTION bool lattice_vanishes(const CrystalConstants<Policy>& crystal,
                                       Triple<typename Policy::Offset> offsets) {
    if constexpr (shape == GAUSS) return !below(spot_distance(crystal, offsets), EXP_UNDERFLOW);
    if constexpr (shape == TOPHAT) return !below(spot_distance(crystal, offsets), TOPHAT_EDGE);
    return false;
}

// F_latt squared, in the type in which terms are added up.
template <class Policy, Shape shape>
CUPYSIM_FUNCTION typename TermOf<Policy, shape == GAUSS>::Type lattice_squared(
    const CrystalConstants<Policy>& crystal, Triple<typename Policy::Offset> offsets) {
    using Real = typename Policy::Real;
    if constexpr (shape == SQUARE) {
        const Real amplitude = square_lattice(crystal, offsets);
        return amplitude * amplitude;
    } else if constexpr (shape == ROUND) {
        const Real amplitude = round_lattice(crystal, offsets);
        return amplitude * amplitude;
    } else if constexpr (shape == GAUSS) {
        const auto y = spot_distance(crystal, offsets);
        return exp_minus_twice(y, crystal.volume * crystal.volume);
    } else {
        static_assert(shape == TOPHAT, "a lattice factor for each shape");
        const bool inside = below(spot_distance(crystal, offsets), TOPHAT_EDGE);
        return inside ? crystal.volume * crystal.volume : Real(0);
    }
}

}  // namespace cupysim
