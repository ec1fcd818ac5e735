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

// sin(pi N x)/sin(pi x), and its slopes along x and with N, all up to one sign.
struct GratingSlopes {
    double ratio, along, count;
};

CUPYSIM_FUNCTION GratingSlopes grating_slopes(double offset, double n) {
    const double x = nudge(offset, 0.0);
    const double reduced = reduced_multiple(x, n);
    const double above = sine_of_pi(reduced), cosine_above = cosine_of_pi(reduced);
    const double inverse = reciprocal(sine_of_pi(x)), cosine_below = cosine_of_pi(x);
    const double ratio = above * inverse;
    const double far = PI * (n * cosine_above - ratio * cosine_below) * inverse;
    // the difference cancels near the reflection; the next term is 1e-10 of the sum
    const double y = PI * n * x, v = y * y, rest = reciprocal(n * n);
    double near = (3.0 - rest * (18.0 - 31.0 * rest)) * (-1.0 / 5040.0);
    near = multiply_add(near, v, (3.0 - 7.0 * rest) * (1.0 / 180.0));
    near = multiply_add(near, v, -1.0 / 6.0) * (1.0 - rest);
    near = near * 2.0 * PI * n * n * y;
    return {ratio, v < 0.01 ? near : far, PI * x * cosine_above * inverse};
}

CUPYSIM_FUNCTION void square_slopes(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                    LatticeSlopes& slopes) {
    const GratingSlopes h = grating_slopes(offsets.h, crystal.n_cells.h);
    const GratingSlopes k = grating_slopes(offsets.k, crystal.n_cells.k);
    const GratingSlopes l = grating_slopes(offsets.l, crystal.n_cells.l);
    const double hh = h.ratio * h.ratio, kk = k.ratio * k.ratio, ll = l.ratio * l.ratio;
    const double kl = 2.0 * h.ratio * kk * ll, lh = 2.0 * k.ratio * ll * hh, hk = 2.0 * l.ratio * hh * kk;
    slopes.square[i] = hh * kk * ll;
    slopes.along[0][i] = kl * h.along;
    slopes.along[1][i] = lh * k.along;
    slopes.along[2][i] = hk * l.along;
    slopes.counts[0][i] = kl * h.count;
    slopes.counts[1][i] = lh * k.count;
    slopes.counts[2][i] = hk * l.count;
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
    slopes.counts[0][i] = 2.0 * value / nh + twice * nh * offsets.h * offsets.h;
    slopes.counts[1][i] = 2.0 * value / nk + twice * nk * offsets.k * offsets.k;
    slopes.counts[2][i] = 2.0 * value / nl + twice * nl * offsets.l * offsets.l;
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
    // sums of 6 (k+1) (-z)^k/(2k+3)! and of its slope with z
    const double terms[9] = {1.0, -0.1, 1.0 / 280.0, -6.613756613756614e-05, 7.515632515632515e-07,
                             -5.7812557812557815e-09, 3.2118087673643227e-11, -1.34949948208585e-13,
                             4.439143033177138e-16};
    double near = terms[8], near_slope = 0.0;
    for (int k = 7; k >= 0; --k) {
        near_slope = multiply_add(near_slope, z, near);
        near = multiply_add(near, z, terms[k]);
    }
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
    const double value =
        crystal.volume * crystal.volume * exp_minus(sharpness * radius_squared(crystal, offsets));
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
        gauss_slopes(crystal, offsets, i, slopes);
    }
}

}  // namespace cupysim
