// The spot shapes, each with its squared lattice factor. A shape needs a line in the list below and a
// specialisation of `SpotShape`. If one is missing, the code does not compile.
#pragma once
#include "lattice_factor.cuh"

namespace cupysim {

#define CUPYSIM_SHAPES(SHAPE) SHAPE(SQUARE) SHAPE(ROUND) SHAPE(GAUSS) SHAPE(TOPHAT) SHAPE(NO_FRINGES) SHAPE(FLAT)

#define CUPYSIM_DECLARE(name) name,
enum Shape { CUPYSIM_SHAPES(CUPYSIM_DECLARE) };
#undef CUPYSIM_DECLARE

// Members of each shape:
//     HAS_DERIVATIVES  `derivatives` and `size_derivatives` exist
//     ALWAYS_DOUBLE    rarely used shapes are compiled in double precision only
//     IS_WIDE          F_latt^2 falls below the range of floats, and needs another type
//     squared          F_latt^2, in the type of the terms
//     vanishes         F_latt is zero, so that the C program skips the step. This never happens for
//                      square and round crystals: the C program's sines of unreduced arguments miss zero
//     derivatives      F_latt^2, and its derivatives with respect to h, k, l
//     size_derivatives derivatives with respect to the N_SIZES sizes, after `derivatives`. Sizes of square and
//                      round crystals are Na, Nb, Nc. N need not be an integer here: F_latt is a function of
//                      the offset from the nearest reflection. For Gaussian spots, see there
template <Shape shape>
struct SpotShape;

// The type of the terms of a shape.
template <class Policy, Shape shape>
using Term = typename TermOf<Policy, SpotShape<shape>::IS_WIDE>::Type;

// Parallelepiped: F_latt is the product of sin(pi N x)/sin(pi x) over the axes.
template <>
struct SpotShape<SQUARE> {
    static constexpr bool HAS_DERIVATIVES = true, IS_WIDE = false, ALWAYS_DOUBLE = false;
    static constexpr int N_SIZES = 3;

    template <class Policy>
    static CUPYSIM_FUNCTION typename Policy::Real squared(const CrystalConstants<Policy>& crystal,
                                                          Triple<typename Policy::Offset> offsets) {
        using Real = typename Policy::Real;
        const auto h = grating<Real>(offsets.h, crystal.n_cells.h);
        const auto k = grating<Real>(offsets.k, crystal.n_cells.k);
        const auto l = grating<Real>(offsets.l, crystal.n_cells.l);
        const Real amplitude = h.above * k.above * l.above * reciprocal(h.below * k.below * l.below);
        return amplitude * amplitude;
    }

    template <class Policy>
    static CUPYSIM_FUNCTION bool vanishes(const CrystalConstants<Policy>&, Triple<typename Policy::Offset>) {
        return false;
    }

    // d(F^2)/dh = 2 F pi along_h/below_h^2 k l
    static CUPYSIM_FUNCTION void derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                             LatticeDerivatives& lattice) {
        const auto h = grating_derivatives(offsets.h, crystal.n_cells.h);
        const auto k = grating_derivatives(offsets.k, crystal.n_cells.k);
        const auto l = grating_derivatives(offsets.l, crystal.n_cells.l);
        // a single division for all three
        const double hk = h.below * k.below, inverse = reciprocal(hk * l.below);
        const double kl = k.below * l.below, lh = l.below * h.below;
        const double amplitude = h.above * k.above * l.above * inverse;
        const double twice = 2.0 * PI * amplitude * inverse * inverse;
        lattice.square[i] = amplitude * amplitude;
        lattice.along[0][i] = twice * h.along * k.above * l.above * kl;
        lattice.along[1][i] = twice * k.along * l.above * h.above * lh;
        lattice.along[2][i] = twice * l.along * h.above * k.above * hk;
    }

    // d(F^2)/dNa = 2 F pi count_h/below_h k l
    static CUPYSIM_FUNCTION void size_derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets,
                                                  int i, LatticeDerivatives& lattice) {
        const auto h = grating_derivatives(offsets.h, crystal.n_cells.h);
        const auto k = grating_derivatives(offsets.k, crystal.n_cells.k);
        const auto l = grating_derivatives(offsets.l, crystal.n_cells.l);
        const double inverse = reciprocal(h.below * k.below * l.below);
        const double twice = 2.0 * PI * h.above * k.above * l.above * inverse * inverse;
        lattice.sizes[0][i] = twice * h.count * k.above * l.above;
        lattice.sizes[1][i] = twice * k.count * l.above * h.above;
        lattice.sizes[2][i] = twice * l.count * h.above * k.above;
    }
};

// Ellipsoid: F_latt = Na Nb Nc 0.7236 S(x) with S = 3 (sin x/x - cos x)/x^2 and x = pi sqrt(fudge r^2). r^2
// is the sum of (N offset)^2.
template <>
struct SpotShape<ROUND> {
    static constexpr bool HAS_DERIVATIVES = true, IS_WIDE = false, ALWAYS_DOUBLE = false;
    static constexpr int N_SIZES = 3;

    template <class Policy>
    static CUPYSIM_FUNCTION typename Policy::Real squared(const CrystalConstants<Policy>& crystal,
                                                          Triple<typename Policy::Offset> offsets) {
        using Real = typename Policy::Real;
        const auto rho = square_root(multiply(radius_squared(crystal, offsets), crystal.fudge));
        const Real x = Real(PI) * Narrow<Real>::of(rho);
        const bool is_cancelled = x < Real(CANCELLATION) && !is_zero(rho);
        const Real transform = ball_transform<false>(x, static_cast<Real>(fraction(rho)), is_cancelled).value;
        const Real amplitude = crystal.volume * Real(SPHERE_IN_CUBE) * transform;
        return amplitude * amplitude;
    }

    template <class Policy>
    static CUPYSIM_FUNCTION bool vanishes(const CrystalConstants<Policy>&, Triple<typename Policy::Offset>) {
        return false;
    }

    // d(F^2)/d(r^2) = 2 (Na Nb Nc 0.7236)^2 S dS/d(x^2) pi^2 fudge
    static CUPYSIM_FUNCTION void derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                             LatticeDerivatives& lattice) {
        const double rho = square_root(radius_squared(crystal, offsets) * crystal.fudge);
        const auto ball = ball_transform<true>(PI * rho, fraction(rho), false);
        const double height = crystal.volume * SPHERE_IN_CUBE, scale = height * height;
        radial_derivatives(crystal, offsets, i, scale * ball.value * ball.value,
                           2.0 * scale * ball.value * ball.derivative * PI * PI * crystal.fudge, lattice);
    }

    static CUPYSIM_FUNCTION void size_derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets,
                                                  int i, LatticeDerivatives& lattice) {
        radial_size_derivatives(crystal, offsets, i, lattice);
    }
};

// Gaussian spots: F_latt = H exp(-y) with y = fudge |g|^2/0.63. g is the product of the offsets and the spot axes.
// The sizes are the elements 00, 11, 22, 01, 12, 02 of the metric M = G G^T of the spot axes G (before their
// division by sqrt(0.63)), and log H.
template <>
struct SpotShape<GAUSS> {
    static constexpr bool HAS_DERIVATIVES = true, IS_WIDE = true, ALWAYS_DOUBLE = false;
    static constexpr int N_SIZES = 7;

    template <class Policy>
    static CUPYSIM_FUNCTION typename TermOf<Policy, true>::Type squared(const CrystalConstants<Policy>& crystal,
                                                                        Triple<typename Policy::Offset> offsets) {
        return exp_minus_twice(reciprocal_distance_squared(crystal, offsets), crystal.height * crystal.height);
    }

    template <class Policy>
    static CUPYSIM_FUNCTION bool vanishes(const CrystalConstants<Policy>& crystal,
                                          Triple<typename Policy::Offset> offsets) {
        return !below(reciprocal_distance_squared(crystal, offsets), EXP_UNDERFLOW);
    }

    // F^2 = H^2 exp(-2 y), dy/dh = 2 fudge G_h.g/0.63
    static CUPYSIM_FUNCTION void derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                             LatticeDerivatives& lattice) {
        const auto &u = crystal.spot_axes.h, &v = crystal.spot_axes.k, &w = crystal.spot_axes.l;
        const double x = dot(offsets, u), y = dot(offsets, v), z = dot(offsets, w);
        const double value = crystal.height * crystal.height * exp_minus(2.0 * crystal.fudge * (x * x + y * y + z * z));
        const double slope = -4.0 * crystal.fudge * value;
        lattice.square[i] = value;
        lattice.along[0][i] = slope * (x * u.h + y * v.h + z * w.h);
        lattice.along[1][i] = slope * (x * u.k + y * v.k + z * w.k);
        lattice.along[2][i] = slope * (x * u.l + y * v.l + z * w.l);
    }

    // dy/dM_ij = fudge dh_i dh_j/0.63, twice that if i and j differ
    static CUPYSIM_FUNCTION void size_derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets,
                                                  int i, LatticeDerivatives& lattice) {
        const double slope = -2.0 * crystal.fudge / GAUSS_WIDTH * lattice.square[i];
        lattice.sizes[0][i] = slope * offsets.h * offsets.h;
        lattice.sizes[1][i] = slope * offsets.k * offsets.k;
        lattice.sizes[2][i] = slope * offsets.l * offsets.l;
        lattice.sizes[3][i] = 2.0 * slope * offsets.h * offsets.k;
        lattice.sizes[4][i] = 2.0 * slope * offsets.k * offsets.l;
        lattice.sizes[5][i] = 2.0 * slope * offsets.h * offsets.l;
        lattice.sizes[6][i] = 2.0 * lattice.square[i];
    }
};

// Top-hat spots: F_latt = H if the squared distance is below 0.3969, otherwise zero.
template <>
struct SpotShape<TOPHAT> {
    static constexpr bool HAS_DERIVATIVES = false, IS_WIDE = false, ALWAYS_DOUBLE = false;

    template <class Policy>
    static CUPYSIM_FUNCTION typename Policy::Real squared(const CrystalConstants<Policy>& crystal,
                                                          Triple<typename Policy::Offset> offsets) {
        return vanishes(crystal, offsets) ? typename Policy::Real(0) : crystal.height * crystal.height;
    }

    template <class Policy>
    static CUPYSIM_FUNCTION bool vanishes(const CrystalConstants<Policy>& crystal,
                                          Triple<typename Policy::Offset> offsets) {
        return !below(reciprocal_distance_squared(crystal, offsets), TOPHAT_EDGE / GAUSS_WIDTH);
    }
};

// Whether all offsets are within the first minimum of a parallelepiped's transform, |N x| <= 1.
template <class Policy>
CUPYSIM_FUNCTION bool is_in_first_peak(const CrystalConstants<Policy>& crystal,
                                       Triple<typename Policy::Offset> offsets) {
    using Real = typename Policy::Real;
    const Real h = Narrow<Real>::of(times_integer(offsets.h, crystal.n_cells.h));
    const Real k = Narrow<Real>::of(times_integer(offsets.k, crystal.n_cells.k));
    const Real l = Narrow<Real>::of(times_integer(offsets.l, crystal.n_cells.l));
    return h * h <= Real(1) && k * k <= Real(1) && l * l <= Real(1);
}

// Parallelepiped without fringes: zero beyond the first minimum of any axis. Derivatives are continuous there.
template <>
struct SpotShape<NO_FRINGES> {
    static constexpr bool HAS_DERIVATIVES = true, IS_WIDE = false, ALWAYS_DOUBLE = true;
    static constexpr int N_SIZES = 3;

    template <class Policy>
    static CUPYSIM_FUNCTION typename Policy::Real squared(const CrystalConstants<Policy>& crystal,
                                                          Triple<typename Policy::Offset> offsets) {
        const auto square = SpotShape<SQUARE>::squared(crystal, offsets);
        return is_in_first_peak(crystal, offsets) ? square : typename Policy::Real(0);
    }

    template <class Policy>
    static CUPYSIM_FUNCTION bool vanishes(const CrystalConstants<Policy>& crystal,
                                          Triple<typename Policy::Offset> offsets) {
        return !is_in_first_peak(crystal, offsets);
    }

    static CUPYSIM_FUNCTION void derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                             LatticeDerivatives& lattice) {
        SpotShape<SQUARE>::derivatives(crystal, offsets, i, lattice);
        const bool is_inside = is_in_first_peak(crystal, offsets);
        lattice.square[i] = is_inside ? lattice.square[i] : 0.0;
        for (int axis = 0; axis < 3; ++axis) lattice.along[axis][i] = is_inside ? lattice.along[axis][i] : 0.0;
    }

    static CUPYSIM_FUNCTION void size_derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets,
                                                  int i, LatticeDerivatives& lattice) {
        SpotShape<SQUARE>::size_derivatives(crystal, offsets, i, lattice);
        const bool is_inside = is_in_first_peak(crystal, offsets);
        for (int axis = 0; axis < 3; ++axis) lattice.sizes[axis][i] = is_inside ? lattice.sizes[axis][i] : 0.0;
    }
};

// Flat spots: F_latt = Na Nb Nc up to the first minimum of a parallelepiped's transform, otherwise zero.
template <>
struct SpotShape<FLAT> {
    static constexpr bool HAS_DERIVATIVES = false, IS_WIDE = false, ALWAYS_DOUBLE = true;

    template <class Policy>
    static CUPYSIM_FUNCTION typename Policy::Real squared(const CrystalConstants<Policy>& crystal,
                                                          Triple<typename Policy::Offset> offsets) {
        return vanishes(crystal, offsets) ? typename Policy::Real(0) : crystal.volume * crystal.volume;
    }

    template <class Policy>
    static CUPYSIM_FUNCTION bool vanishes(const CrystalConstants<Policy>& crystal,
                                          Triple<typename Policy::Offset> offsets) {
        return !is_in_first_peak(crystal, offsets);
    }
};

}  // namespace cupysim
