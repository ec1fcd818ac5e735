// The spot shapes, each with its squared lattice factor. A shape needs a line in the list below and a
// specialisation of `SpotShape`. If one is missing, the code does not compile.
#pragma once
#include "lattice_factor.cuh"

namespace cupysim {

#define CUPYSIM_SHAPES(SHAPE) SHAPE(SQUARE) SHAPE(ROUND) SHAPE(GAUSS) SHAPE(TOPHAT)

#define CUPYSIM_DECLARE(name) name,
enum Shape { CUPYSIM_SHAPES(CUPYSIM_DECLARE) };
#undef CUPYSIM_DECLARE

// Members of each shape:
//     HAS_DERIVATIVES  `derivatives` and `count_derivatives` exist
//     IS_WIDE          F_latt^2 falls below the range of floats, and needs another type
//     squared          F_latt^2, in the type of the terms
//     vanishes         F_latt is zero, so that the C program skips the step. This never happens for
//                      square and round crystals: the C program's sines of unreduced arguments miss zero
//     derivatives      F_latt^2, and its derivatives with respect to h, k, l
//     count_derivatives  derivatives with respect to Na, Nb, Nc, after `derivatives`. N need not be an
//                      integer here: F_latt is a function of the offset from the nearest reflection
template <Shape shape>
struct SpotShape;

// The type of the terms of a shape.
template <class Policy, Shape shape>
using Term = typename TermOf<Policy, SpotShape<shape>::IS_WIDE>::Type;

// Parallelepiped: F_latt is the product of sin(pi N x)/sin(pi x) over the axes.
template <>
struct SpotShape<SQUARE> {
    static constexpr bool HAS_DERIVATIVES = true, IS_WIDE = false;

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
    static CUPYSIM_FUNCTION void count_derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets,
                                                   int i, LatticeDerivatives& lattice) {
        const auto h = grating_derivatives(offsets.h, crystal.n_cells.h);
        const auto k = grating_derivatives(offsets.k, crystal.n_cells.k);
        const auto l = grating_derivatives(offsets.l, crystal.n_cells.l);
        const double inverse = reciprocal(h.below * k.below * l.below);
        const double twice = 2.0 * PI * h.above * k.above * l.above * inverse * inverse;
        lattice.counts[0][i] = twice * h.count * k.above * l.above;
        lattice.counts[1][i] = twice * k.count * l.above * h.above;
        lattice.counts[2][i] = twice * l.count * h.above * k.above;
    }
};

// Ellipsoid: F_latt = Na Nb Nc 0.7236 S(x) with S = 3 (sin x/x - cos x)/x^2 and x = pi sqrt(fudge r^2). r^2
// is the sum of (N offset)^2.
template <>
struct SpotShape<ROUND> {
    static constexpr bool HAS_DERIVATIVES = true, IS_WIDE = false;

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

    static CUPYSIM_FUNCTION void count_derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets,
                                                   int i, LatticeDerivatives& lattice) {
        radial_count_derivatives(crystal, offsets, i, lattice);
    }
};

// Gaussian spots: F_latt = Na Nb Nc exp(-y).
template <>
struct SpotShape<GAUSS> {
    static constexpr bool HAS_DERIVATIVES = true, IS_WIDE = true;

    template <class Policy>
    static CUPYSIM_FUNCTION typename TermOf<Policy, true>::Type squared(const CrystalConstants<Policy>& crystal,
                                                                        Triple<typename Policy::Offset> offsets) {
        return exp_minus_twice(reciprocal_distance_squared(crystal, offsets), crystal.volume * crystal.volume);
    }

    template <class Policy>
    static CUPYSIM_FUNCTION bool vanishes(const CrystalConstants<Policy>& crystal,
                                          Triple<typename Policy::Offset> offsets) {
        return !below(reciprocal_distance_squared(crystal, offsets), EXP_UNDERFLOW);
    }

    // F^2 = (Na Nb Nc)^2 exp(-2 fudge r^2/0.63), with quirk Q6 corrected
    static CUPYSIM_FUNCTION void derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                             LatticeDerivatives& lattice) {
        const double sharpness = 2.0 * crystal.fudge / GAUSS_WIDTH;
        const double value = crystal.volume * crystal.volume * exp_minus(sharpness * radius_squared(crystal, offsets));
        radial_derivatives(crystal, offsets, i, value, -sharpness * value, lattice);
    }

    static CUPYSIM_FUNCTION void count_derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets,
                                                   int i, LatticeDerivatives& lattice) {
        radial_count_derivatives(crystal, offsets, i, lattice);
    }
};

// Top-hat spots: F_latt = Na Nb Nc if the squared distance is below 0.3969, otherwise zero.
template <>
struct SpotShape<TOPHAT> {
    static constexpr bool HAS_DERIVATIVES = false, IS_WIDE = false;

    template <class Policy>
    static CUPYSIM_FUNCTION typename Policy::Real squared(const CrystalConstants<Policy>& crystal,
                                                          Triple<typename Policy::Offset> offsets) {
        return vanishes(crystal, offsets) ? typename Policy::Real(0) : crystal.volume * crystal.volume;
    }

    template <class Policy>
    static CUPYSIM_FUNCTION bool vanishes(const CrystalConstants<Policy>& crystal,
                                          Triple<typename Policy::Offset> offsets) {
        return !below(reciprocal_distance_squared(crystal, offsets), TOPHAT_EDGE / GAUSS_WIDTH);
    }
};

}  // namespace cupysim
