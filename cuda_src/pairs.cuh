// Numbers with about 46 bits, as unevaluated sums of two floats, for GPUs with few float64 units. Error-free
// sums and products follow Dekker (1971) Numer. Math. 18, 224 and Ogita, Rump & Oishi (2005) SIAM J. Sci.
// Comput. 26, 1955.
#pragma once
#include "portable.cuh"

namespace cupysim {

// hi + lo with |lo| at most half a unit in the last place of hi.
struct Pair {
    float hi;
    float lo;
};

// A double to 48 bits.
CUPYSIM_FUNCTION Pair split_double(double x) {
    const float hi = static_cast<float>(x);
    return {hi, static_cast<float>(x - hi)};
}

// a + b without error.
CUPYSIM_FUNCTION Pair exact_sum(float a, float b) {
    const float s = sum(a, b);
    const float t = sum(s, -a);
    return {s, sum(sum(a, -sum(s, -t)), sum(b, -t))};
}

// a + b without error if |a| >= |b|.
CUPYSIM_FUNCTION Pair exact_sum_ordered(float a, float b) {
    const float s = sum(a, b);
    return {s, sum(b, -sum(s, -a))};
}

CUPYSIM_FUNCTION Pair add(Pair a, Pair b) {
    const Pair s = exact_sum(a.hi, b.hi);
    return exact_sum_ordered(s.hi, sum(s.lo, sum(a.lo, b.lo)));
}

CUPYSIM_FUNCTION Pair multiply(Pair a, Pair b) {
    const float p = product(a.hi, b.hi);
    const float e = fused(a.hi, b.hi, -p);
    return exact_sum_ordered(p, fused(a.hi, b.lo, fused(a.lo, b.hi, e)));
}

CUPYSIM_FUNCTION double add(double a, double b) { return a + b; }
CUPYSIM_FUNCTION double multiply(double a, double b) { return a * b; }

// The square root. The root of zero is zero.
CUPYSIM_FUNCTION Pair square_root(Pair a) {
    const float root = square_root(a.hi);
    if (root == 0.0f) return {root, 0.0f};
    // one Newton step, with an error-free residual
    const float residual = sum(fused(-root, root, a.hi), a.lo);
    return exact_sum_ordered(root, residual / sum(root, root));
}

// Converts to the precision of sines and sums.
template <class Real>
struct Narrow {
    static CUPYSIM_FUNCTION Real of(double x) { return static_cast<Real>(x); }
    static CUPYSIM_FUNCTION Real of(Pair x) { return static_cast<Real>(x.hi); }
};

CUPYSIM_FUNCTION bool is_zero(double x) { return x == 0.0; }
CUPYSIM_FUNCTION bool is_zero(Pair x) { return x.hi == 0.0f; }

// Whether x < limit.
CUPYSIM_FUNCTION bool below(double x, double limit) { return x < limit; }
CUPYSIM_FUNCTION bool below(Pair x, double limit) {
    const Pair edge = split_double(limit);
    return sum(sum(x.hi, -edge.hi), sum(x.lo, -edge.lo)) < 0.0f;
}

// The difference of x from the nearest integer, in [-1/2, 1/2].
CUPYSIM_FUNCTION double fraction(double x) { return x - nearest_even(x); }
CUPYSIM_FUNCTION float fraction(Pair x) {
    const float near = nearest_even(x.hi);
    return sum(sum(x.hi, -near), x.lo);
}

// Converts a double to T, as precisely as possible.
template <class T>
struct Widen;
template <>
struct Widen<double> {
    static CUPYSIM_FUNCTION double of(double x) { return x; }
};
template <>
struct Widen<Pair> {
    static CUPYSIM_FUNCTION Pair of(double x) { return split_double(x); }
};

}  // namespace cupysim
