// Functions that the transforms of finite crystals have in common. The lattice factor F_latt is a function of
// the offsets h - h0, k - k0, l - l0 from the nearest reflection. spot_shapes.cuh defines it for each shape.
#pragma once
#include "exponential.cuh"
#include "launch.cuh"
#include "policies.cuh"
#include "scaled.cuh"
#include "sine.cuh"

namespace cupysim {

constexpr double PI = 3.14159265358979323846;
// Amplitude of a round crystal relative to the square one it is cut from.
constexpr double SPHERE_IN_CUBE = 0.723601254558268;
// Width of Gaussian spots. The spot axes of a launch are divided by its square root.
constexpr double GAUSS_WIDTH = 0.63;
// Squared distance at which top-hat spots end.
constexpr double TOPHAT_EDGE = 0.3969;
// 2^-26.5. For smaller x, sin x/x and cos x are both rounded to 1.
constexpr double CANCELLATION = 1.0536712127723509e-08;

// Constants of a crystal for the transforms.
template <class Policy>
struct CrystalConstants {
    Triple<typename Policy::Number> n_cells;
    typename Policy::Real volume;  // Na Nb Nc
    typename Policy::Real height;  // of Gaussian and top-hat spots
    typename Policy::Offset fudge;  // scale of the squared spot radius
    Triple<Triple<typename Policy::Offset>> spot_axes;  // x, y, z of the three rows
};

template <class Policy>
CUPYSIM_FUNCTION CrystalConstants<Policy> crystal_constants(const Launch& launch, Int crystal) {
    using Number = typename Policy::Number;
    using Wide = Widen<typename Policy::Offset>;
    const Crystal& record = launch.crystals[crystal];
    const double* axes = record.spot_axes;
    CrystalConstants<Policy> constants;
    constants.n_cells = {static_cast<Number>(record.n_cells[0]), static_cast<Number>(record.n_cells[1]),
                         static_cast<Number>(record.n_cells[2])};
    constants.volume = static_cast<typename Policy::Real>(record.n_cells[0] * record.n_cells[1] * record.n_cells[2]);
    constants.height = static_cast<typename Policy::Real>(record.height);
    constants.fudge = Wide::of(launch.fudge);
    constants.spot_axes = {{Wide::of(axes[0]), Wide::of(axes[3]), Wide::of(axes[6])},
                           {Wide::of(axes[1]), Wide::of(axes[4]), Wide::of(axes[7])},
                           {Wide::of(axes[2]), Wide::of(axes[5]), Wide::of(axes[8])}};
    return constants;
}

// Address of the rows a, b, c of an orientation. Orientations follow each other in memory.
template <class Policy>
CUPYSIM_FUNCTION const typename Policy::Element* matrix_of(const Launch& launch, Int orientation) {
    return static_cast<const typename Policy::Element*>(launch.matrices) +
           (orientation - launch.first_matrix) * Policy::MATRIX_SIZE;
}

// F_latt^2 of a block of pixels, and its derivatives.
struct LatticeDerivatives {
    double square[LANES];
    double along[3][LANES];  // with respect to h, k, l
    double sizes[7][LANES];  // with respect to the sizes of the shape, see `SpotShape`
};

// ---- sin(pi N x)/sin(pi x) ---------------------------------------------------

// Adds a tiny number to offsets, so that sin(pi N x)/sin(pi x) at zero becomes N without a comparison. The
// product of three such numbers must not underflow.
CUPYSIM_FUNCTION double nudge(double x, double) { return x + 1e-30; }
CUPYSIM_FUNCTION double nudge(double x, float) { return x + 1e-12; }
CUPYSIM_FUNCTION Pair nudge(Pair x, float) { return exact_sum(x.hi, sum(x.lo, 1e-12f)); }

CUPYSIM_FUNCTION double times_integer(double x, double n) { return x * n; }
CUPYSIM_FUNCTION Pair times_integer(Pair x, float n) {
    const float p = product(x.hi, n);
    return {p, fused(x.lo, n, fused(x.hi, n, -p))};
}

// N x - nearest(N x)
CUPYSIM_FUNCTION double reduced_multiple(double x, double n) {
    // N x is computed twice, but the difference is rounded only once
#ifdef __CUDACC__
    return fma(x, n, -__dadd_rn(fma(x, n, WHOLE), -WHOLE));
#else
    return multiply_add(x, n, -nearest_even(x * n));
#endif
}
CUPYSIM_FUNCTION float reduced_multiple(Pair x, float n) { return fraction(times_integer(x, n)); }

// sin(pi N x) up to its sign, and sin(pi x).
template <class Real>
struct Grating {
    Real above, below;
};

template <class Real, class Offset, class Number>
CUPYSIM_FUNCTION Grating<Real> grating(Offset offset, Number n) {
    const Offset x = nudge(offset, Real(0));
    return {sine_of_pi(static_cast<Real>(reduced_multiple(x, n))), sine_of_pi(Narrow<Real>::of(x))};
}

#ifdef __CUDACC__
// For mixed precision, where float64 costs twice as much as float32, and conversions cost more. The rest of
// N x beyond the nearest integer is read from the low word of a sum with 1.5 2^20, in units of 2^-32. The
// innermost lobe is an exception, because there the ratio of the rest to x matters.
template <>
CUPYSIM_FUNCTION Grating<float> grating<float, double, double>(double offset, double n) {
    const float x = sum(to_float(offset), 1e-12f);
    const int bits = __double2loint(fma(offset, n, 1572864.0));
    const float wrapped = static_cast<float>(bits) * 2.3283064365386963e-10f;
    const float direct = x * static_cast<float>(n);
    return {sine_of_pi(fabsf(direct) < 0.5f ? direct : wrapped), sine_of_pi(x)};
}
#endif

// The same functions and two more,
//     along = N cos(pi N x) sin(pi x) - sin(pi N x) cos(pi x),
// so that the derivative of sin(pi N x)/sin(pi x) with respect to x is pi along / below^2, and
//     count = x cos(pi N x),
// so that the one with respect to N is pi count / below.
struct GratingDerivatives {
    double above, below, along, count;
};

CUPYSIM_FUNCTION GratingDerivatives grating_derivatives(double offset, double n) {
    const double x = nudge(offset, 0.0);
    const double reduced = reduced_multiple(x, n);
    const double above = sine_of_pi(reduced), below = sine_of_pi(x), cosine = cosine_of_pi(reduced);
    const double far = n * cosine * below - above * cosine_of_pi(x);
    // near the reflection, the difference cancels; there it is -(N^3 - N) y^3/3 (1 - (N^2 + 1) y^2/10) with
    // y = pi x, and the next term of the series is 3e-10
    const double y = PI * x, v = y * y, squared = n * n;
    const double near = n * (squared - 1.0) * (-1.0 / 3.0) * y * v * (1.0 - (squared + 1.0) * 0.1 * v);
    return {above, below, v * squared < 3e-4 ? near : far, x * cosine};
}

// ---- 3 (sin x/x - cos x)/x^2 -------------------------------------------------

// S(x) with x = pi rho, and dS/d(x^2) if it is needed.
template <class Real>
struct BallTransform {
    Real value, derivative;
};

// Near the reflection, where the difference cancels, S is the sum of 6 (k+1) (-x^2)^k/(2k+3)!. Elsewhere,
// dS/dx = 3 (sin x/x - S)/x. The reduced argument u = rho - nearest(rho) yields sine and cosine except for a
// common sign, which S^2 and S dS/d(x^2) do not contain.
template <bool differentiate, class Real>
CUPYSIM_FUNCTION BallTransform<Real> ball_transform(Real x, Real u, bool is_cancelled) {
    const Real z = x * x;
    Real near = Real(-1.34949948208585e-13);
    near = multiply_add(near, z, Real(3.2118087673643227e-11));
    near = multiply_add(near, z, Real(-5.7812557812557815e-09));
    near = multiply_add(near, z, Real(7.515632515632515e-07));
    near = multiply_add(near, z, Real(-6.613756613756614e-05));
    near = multiply_add(near, z, Real(1.0 / 280.0));
    near = multiply_add(near, z, Real(-0.1));
    near = multiply_add(near, z, Real(1));
    const bool is_near = z < Real(1.44);
    const Real inverse = reciprocal(larger(x, Real(1)));
    const Real sine = sine_of_pi(u) * inverse;
    const Real far = Real(3) * (sine - cosine_of_pi(u)) * inverse * inverse;
    // the difference of the C program is zero so close to a reflection, but not exactly on it
    const Real innermost = is_cancelled ? Real(0) : near;
    BallTransform<Real> transform = {is_near ? innermost : far, Real(0)};
    if constexpr (differentiate) {
        Real steep = Real(8.0 * 4.439143033177138e-16);
        steep = multiply_add(steep, z, Real(7.0 * -1.34949948208585e-13));
        steep = multiply_add(steep, z, Real(6.0 * 3.2118087673643227e-11));
        steep = multiply_add(steep, z, Real(5.0 * -5.7812557812557815e-09));
        steep = multiply_add(steep, z, Real(4.0 * 7.515632515632515e-07));
        steep = multiply_add(steep, z, Real(3.0 * -6.613756613756614e-05));
        steep = multiply_add(steep, z, Real(2.0 / 280.0));
        steep = multiply_add(steep, z, Real(-0.1));
        transform.derivative = is_near ? steep : Real(1.5) * (sine - far) * inverse * inverse;
    }
    return transform;
}

// ---- distances from a reflection ---------------------------------------------

template <class Offset>
CUPYSIM_FUNCTION Offset dot(Triple<Offset> u, Triple<Offset> v) {
    return add(add(multiply(u.h, v.h), multiply(u.k, v.k)), multiply(u.l, v.l));
}

// Squared distance y divided by GAUSS_WIDTH. Gaussian spots are exp(-y).
template <class Policy>
CUPYSIM_FUNCTION typename Policy::Offset reciprocal_distance_squared(const CrystalConstants<Policy>& crystal,
                                                                     Triple<typename Policy::Offset> offsets) {
    using Offset = typename Policy::Offset;
    const Offset x = dot(offsets, crystal.spot_axes.h), y = dot(offsets, crystal.spot_axes.k),
                 z = dot(offsets, crystal.spot_axes.l);
    return multiply(add(add(multiply(x, x), multiply(y, y)), multiply(z, z)), crystal.fudge);
}

// r^2, the sum of (N offset)^2 over the axes.
template <class Policy>
CUPYSIM_FUNCTION typename Policy::Offset radius_squared(const CrystalConstants<Policy>& crystal,
                                                        Triple<typename Policy::Offset> offsets) {
    using Offset = typename Policy::Offset;
    const Offset h = times_integer(offsets.h, crystal.n_cells.h);
    const Offset k = times_integer(offsets.k, crystal.n_cells.k);
    const Offset l = times_integer(offsets.l, crystal.n_cells.l);
    return add(add(multiply(h, h), multiply(k, k)), multiply(l, l));
}

// Derivatives of a function f(r^2) of round crystals, from its value and df/d(r^2): df/dh = 2 Na^2 dh df/d(r^2). The
// function contains the factor (Na Nb Nc)^2.
CUPYSIM_FUNCTION void radial_derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                         double value, double derivative, LatticeDerivatives& lattice) {
    const double nh = crystal.n_cells.h, nk = crystal.n_cells.k, nl = crystal.n_cells.l;
    const double twice = 2.0 * derivative;
    lattice.square[i] = value;
    lattice.along[0][i] = twice * nh * nh * offsets.h;
    lattice.along[1][i] = twice * nk * nk * offsets.k;
    lattice.along[2][i] = twice * nl * nl * offsets.l;
}

// df/dNa = (2 f + dh df/dh)/Na, after `radial_derivatives`.
CUPYSIM_FUNCTION void radial_size_derivatives(const CrystalConstants<Double>& crystal, Triple<double> offsets, int i,
                                              LatticeDerivatives& lattice) {
    const double twice = 2.0 * lattice.square[i];
    lattice.sizes[0][i] = (twice + lattice.along[0][i] * offsets.h) / crystal.n_cells.h;
    lattice.sizes[1][i] = (twice + lattice.along[1][i] * offsets.k) / crystal.n_cells.k;
    lattice.sizes[2][i] = (twice + lattice.along[2][i] * offsets.l) / crystal.n_cells.l;
}

}  // namespace cupysim
