// exp(-y) of many numbers at a time, in double precision.
#pragma once
#include "portable.cuh"

namespace cupysim {

// Smallest y for which exp(-y) is rounded to zero.
constexpr double EXP_UNDERFLOW = 745.1332191019412;

// exp(-y), with a relative error of 1e-15. It is zero if the result is not a normal number, and
// at most exp(708).
CUPYSIM_FUNCTION double exp_minus(double y) {
#if defined(__CUDACC__)
    return exp(-y);
#else
    // exp(-y) = 2^n exp(r) with |r| <= ln(2)/2
    const double bounded = larger(smaller(y, 708.0), -708.0);
    const double shifted = bounded * -1.4426950408889634074 + WHOLE;
    const double n = shifted - WHOLE;
    double r = multiply_add(n, -6.93147180369123816490e-01, -bounded);
    r = multiply_add(n, -1.90821492927058770002e-10, r);
    double p = 1.0 / 6227020800.0;  // Taylor: the next term is 4e-18
    p = multiply_add(p, r, 1.0 / 479001600.0);
    p = multiply_add(p, r, 1.0 / 39916800.0);
    p = multiply_add(p, r, 1.0 / 3628800.0);
    p = multiply_add(p, r, 1.0 / 362880.0);
    p = multiply_add(p, r, 1.0 / 40320.0);
    p = multiply_add(p, r, 1.0 / 5040.0);
    p = multiply_add(p, r, 1.0 / 720.0);
    p = multiply_add(p, r, 1.0 / 120.0);
    p = multiply_add(p, r, 1.0 / 24.0);
    p = multiply_add(p, r, 1.0 / 6.0);
    p = multiply_add(p, r, 0.5);
    p = multiply_add(p, r, 1.0);
    p = multiply_add(p, r, 1.0);
    // n is in the low bits of `shifted`; moved to the exponent it becomes 2^n
    std::int64_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = static_cast<std::int64_t>(static_cast<std::uint64_t>(bits + 1023) << 52);
    double power;
    std::memcpy(&power, &bits, sizeof power);
    return y < 708.0 ? p * power : (y != y ? y : 0.0);
#endif
}

}  // namespace cupysim
