// Squares of lattice factors with their slopes along h, k, l and with Na, Nb, Nc.
//
// A number of cells which is not whole has a meaning here, that slopes have one: the lattice
// factor is that of the offset from the nearest reflection.
#pragma once
#include "lattice_factor.cuh"

namespace cupysim {

constexpr double PI = 3.14159265358979323846;

// F_latt^2 and its slopes for a block of pixels.
struct LatticeSlopes {
    double square[LANES];
    double along[3][LANES];  // h, k, l
    double counts[3][LANES];  // Na, Nb, Nc
};

// sin(pi N x), sin(pi x), and N cos(pi N x) sin(pi x) - sin(pi N x) cos(pi x): numerators of
// sin(pi N x)/sin(pi x), and of its slope along x over pi.
struct GratingSlopes {
    double above, below, steepness, cosine;
};

CUPYSIM_FUNCTION GratingSlopes grating_slopes(double offset, double n) {
    const double x = nudge(offset, 0.0);
    const double reduced = reduced_multiple(x, n);
    const double above = sine_of_pi(reduced), below = sine_of_pi(x), cosine = cosine_of_pi(reduced);
    const double far = n * cosine * below - above * cosine_of_pi(x);
    // the difference cancels near the reflection: there -(N^3 - N) y^3/3 (1 - (N^2 + 1) y^2/10) with
    // y = pi x, of which the next term is 3e-10
    const double y = PI * x, v = y * y, squared = n * n;
    const double near = n * (squared - 1.0) * (-1.0 / 3.0) * y * v * (1.0 - (squared + 1.0) * 0.1 * v);
    return {above, below, v * squared < 3e-4 ? near : far, cosine};
}

CUPYSIM_FUNCTION void square_slopes(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                    LatticeSlopes& slopes) {
    const GratingSlopes h = grating_slopes(offsets.h, crystal.n_cells.h);
    const GratingSlopes k = grating_slopes(offsets.k, crystal.n_cells.k);
    const GratingSlopes l = grating_slopes(offsets.l, crystal.n_cells.l);
    // one division for all: F_latt is the product of the three ratios
    const double hk = h.below * k.below, inverse = reciprocal(hk * l.below);
    const double kl = k.below * l.below, lh = l.below * h.below;
    const double root = h.above * k.above * l.above * inverse;
    const double twice = 2.0 * PI * root * inverse * inverse;
    slopes.square[i] = root * root;
    slopes.along[0][i] = twice * h.steepness * k.above * l.above * kl;
    slopes.along[1][i] = twice * k.steepness * l.above * h.above * lh;
    slopes.along[2][i] = twice * l.steepness * h.above * k.above * hk;
}

// Slopes with Na, Nb, Nc: of sin(pi N x)/sin(pi x), pi x cos(pi N x)/sin(pi x).
CUPYSIM_FUNCTION void square_count_slopes(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                          LatticeSlopes& slopes) {
    const GratingSlopes h = grating_slopes(offsets.h, crystal.n_cells.h);
    const GratingSlopes k = grating_slopes(offsets.k, crystal.n_cells.k);
    const GratingSlopes l = grating_slopes(offsets.l, crystal.n_cells.l);
    const double inverse = reciprocal(h.below * k.below * l.below);
    const double twice = 2.0 * PI * h.above * k.above * l.above * inverse * inverse;
    slopes.counts[0][i] = twice * nudge(offsets.h, 0.0) * h.cosine * k.above * l.above;
    slopes.counts[1][i] = twice * nudge(offsets.k, 0.0) * k.cosine * l.above * h.above;
    slopes.counts[2][i] = twice * nudge(offsets.l, 0.0) * l.cosine * h.above * k.above;
}

// Of a function of r^2 = sum of (N offset)^2 times (Na Nb Nc)^2: its value and its slope with r^2,
// both with the factor.
CUPYSIM_FUNCTION void radial_slopes(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                    double value, double slope, LatticeSlopes& slopes) {
    const double nh = crystal.n_cells.h, nk = crystal.n_cells.k, nl = crystal.n_cells.l;
    const double twice = 2.0 * slope;
    slopes.square[i] = value;
    slopes.along[0][i] = twice * nh * nh * offsets.h;
    slopes.along[1][i] = twice * nk * nk * offsets.k;
    slopes.along[2][i] = twice * nl * nl * offsets.l;
}

// The slopes of the same with Na, Nb, Nc.
CUPYSIM_FUNCTION void radial_count_slopes(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                          LatticeSlopes& slopes) {
    const double twice = 2.0 * slopes.square[i];
    slopes.counts[0][i] = (twice + slopes.along[0][i] * offsets.h) / crystal.n_cells.h;
    slopes.counts[1][i] = (twice + slopes.along[1][i] * offsets.k) / crystal.n_cells.k;
    slopes.counts[2][i] = (twice + slopes.along[2][i] * offsets.l) / crystal.n_cells.l;
}

CUPYSIM_FUNCTION double radius_squared(const CrystalConstants<Double>& crystal, Triple<double> offsets) {
    const double h = offsets.h * crystal.n_cells.h, k = offsets.k * crystal.n_cells.k,
                 l = offsets.l * crystal.n_cells.l;
    return h * h + k * k + l * l;
}

// S = 3 (sin x/x - cos x)/x^2, of which dS/dx = 3 (sin x/x - S)/x.
CUPYSIM_FUNCTION void round_slopes(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                   LatticeSlopes& slopes) {
    const double rho = square_root(radius_squared(crystal, offsets) * crystal.fudge);
    const double x = PI * rho, z = x * x;
    // sums of 6 (k+1) (-z)^k/(2k+3)!, and its slope with z
    double near = -1.34949948208585e-13;
    near = multiply_add(near, z, 3.2118087673643227e-11);
    near = multiply_add(near, z, -5.7812557812557815e-09);
    near = multiply_add(near, z, 7.515632515632515e-07);
    near = multiply_add(near, z, -6.613756613756614e-05);
    near = multiply_add(near, z, 1.0 / 280.0);
    near = multiply_add(near, z, -0.1);
    near = multiply_add(near, z, 1.0);
    double near_slope = 8.0 * 4.439143033177138e-16;
    near_slope = multiply_add(near_slope, z, 7.0 * -1.34949948208585e-13);
    near_slope = multiply_add(near_slope, z, 6.0 * 3.2118087673643227e-11);
    near_slope = multiply_add(near_slope, z, 5.0 * -5.7812557812557815e-09);
    near_slope = multiply_add(near_slope, z, 4.0 * 7.515632515632515e-07);
    near_slope = multiply_add(near_slope, z, 3.0 * -6.613756613756614e-05);
    near_slope = multiply_add(near_slope, z, 2.0 / 280.0);
    near_slope = multiply_add(near_slope, z, -0.1);
    const double u = fraction(rho), inverse = reciprocal(larger(x, 1.0));
    // sine and cosine of the reduced argument have a sign in common, which their product loses
    const double sine = sine_of_pi(u) * inverse;
    const double far = 3.0 * (sine - cosine_of_pi(u)) * inverse * inverse;
    const double far_slope = 1.5 * (sine - far) * inverse * inverse;
    const bool is_near = z < 1.44;
    const double transform = is_near ? near : far, slope = is_near ? near_slope : far_slope;
    const double height = crystal.volume * SPHERE_IN_CUBE, scale = height * height;
    radial_slopes(crystal, offsets, i, scale * transform * transform,
                  2.0 * scale * transform * slope * PI * PI * crystal.fudge, slopes);
}

// exp(-2 r^2 fudge/0.63)
CUPYSIM_FUNCTION void gauss_slopes(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                   LatticeSlopes& slopes) {
    const double sharpness = 2.0 * crystal.fudge / TOPHAT_EDGE;
    const double value = crystal.volume * crystal.volume * exp_minus(sharpness * radius_squared(crystal, offsets));
    radial_slopes(crystal, offsets, i, value, -sharpness * value, slopes);
}

template <Shape shape>
CUPYSIM_FUNCTION void lattice_slopes(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                     LatticeSlopes& slopes) {
    if constexpr (shape == SQUARE) {
        square_slopes(crystal, offsets, i, slopes);
    } else if constexpr (shape == ROUND) {
        round_slopes(crystal, offsets, i, slopes);
    } else {
        static_assert(shape == GAUSS, "slopes for each shape that has them");
        gauss_slopes(crystal, offsets, i, slopes);
    }
}

// After `lattice_slopes`.
template <Shape shape>
CUPYSIM_FUNCTION void count_slopes(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                   LatticeSlopes& slopes) {
    if constexpr (shape == SQUARE) {
        square_count_slopes(crystal, offsets, i, slopes);
    } else {
        radial_count_slopes(crystal, offsets, i, slopes);
    }
}

}  // namespace cupysim
