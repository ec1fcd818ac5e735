// The terms of a pixel's sum, and their summation in the inner loop.
//
// Floats can hold the terms of most spot shapes. Terms of Gaussian spots fall below the range of floats, and
// an image far from any reflection has no other terms. So these terms are doubles, or floats with a separate
// exponent.
#pragma once
#include "exponential.cuh"
#include "policies.cuh"

namespace cupysim {

// The number mantissa * 2^exponent.
struct Scaled {
    float mantissa;
    int exponent;
};

template <class Policy, bool wide_range>
struct TermOf {
    using Type = typename Policy::Real;
};
template <>
struct TermOf<Mixed, true> {
    using Type = double;
};
template <>
struct TermOf<Pairs, true> {
    using Type = Scaled;
};

template <class Term>
CUPYSIM_FUNCTION Term no_term() {
    return Term(0);
}
template <>
CUPYSIM_FUNCTION Scaled no_term<Scaled>() {
    return {0.0f, -100000};
}

// 2^k for k <= 0; zero below the range of floats.
CUPYSIM_FUNCTION float power_of_two(int k) { return k > -126 ? float_of_bits((k + 127) << 23) : 0.0f; }

template <class Real>
CUPYSIM_FUNCTION Real add_term(Real total, Real term) {
    return total + term;
}
CUPYSIM_FUNCTION Scaled add_term(Scaled total, Scaled term) {
    const int exponent = total.exponent > term.exponent ? total.exponent : term.exponent;
    return {total.mantissa * power_of_two(total.exponent - exponent) +
                term.mantissa * power_of_two(term.exponent - exponent),
            exponent};
}

template <class Real>
CUPYSIM_FUNCTION Real times_factor(Real term, Real factor) {
    return term * factor;
}
CUPYSIM_FUNCTION double times_factor(double term, float factor) { return term * static_cast<double>(factor); }
CUPYSIM_FUNCTION Scaled times_factor(Scaled term, float factor) { return {term.mantissa * factor, term.exponent}; }

CUPYSIM_FUNCTION double in_double(double term) { return term; }
CUPYSIM_FUNCTION double in_double(float term) { return static_cast<double>(term); }
CUPYSIM_FUNCTION double in_double(Scaled term) { return scalbn(static_cast<double>(term.mantissa), term.exponent); }

// factor exp(-2 y)
CUPYSIM_FUNCTION double exp_minus_twice(double y, double factor) { return factor * exp_minus(y + y); }
CUPYSIM_FUNCTION double exp_minus_twice(double y, float factor) {
    return static_cast<double>(factor) * exp_minus(y + y);
}
CUPYSIM_FUNCTION Scaled exp_minus_twice(Pair y, float factor) {
    // 2^(-2 y/ln 2), split into an integer power and 2^-f = exp(-f ln 2) with |f| <= 1/2;
    // 2/ln 2 as a pair
    const Pair t = multiply(y, Pair{2.885390043258667f, 3.8519263e-08f});
    const float bounded = smaller(t.hi, 100000.0f);
    const float n = nearest_even(bounded);
    const float f = t.hi < 100000.0f ? sum(sum(t.hi, -n), t.lo) : 0.0f;
    float p = 1.5252734e-05f;  // Taylor to f^7
    p = multiply_add(p, -f, 1.5403530e-04f);
    p = multiply_add(p, -f, 1.3333558e-03f);
    p = multiply_add(p, -f, 9.6181291e-03f);
    p = multiply_add(p, -f, 5.5504109e-02f);
    p = multiply_add(p, -f, 2.4022651e-01f);
    p = multiply_add(p, -f, 6.9314718e-01f);
    p = multiply_add(p, -f, 1.0f);
    return {p * factor, -static_cast<int>(n)};
}

}  // namespace cupysim
