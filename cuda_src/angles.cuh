// Series of sine and cosine for angles r of at most an eighth of a turn; z is r^2. Each operation is rounded once.
#pragma once
#include "portable.cuh"

namespace cupysim {

CUPYSIM_FUNCTION double short_sine(double r, double z) {
    double s = -1.0 / 1307674368000.0;
    s = s * z + 1.0 / 6227020800.0;
    s = s * z - 1.0 / 39916800.0;
    s = s * z + 1.0 / 362880.0;
    s = s * z - 1.0 / 5040.0;
    s = s * z + 1.0 / 120.0;
    s = s * z - 1.0 / 6.0;
    return r + r * (z * s);
}

CUPYSIM_FUNCTION double short_cosine(double z) {
    double c = 1.0 / 20922789888000.0;
    c = c * z - 1.0 / 87178291200.0;
    c = c * z + 1.0 / 479001600.0;
    c = c * z - 1.0 / 3628800.0;
    c = c * z + 1.0 / 40320.0;
    c = c * z - 1.0 / 720.0;
    c = c * z + 1.0 / 24.0;
    c = c * z - 0.5;
    return 1.0 + z * c;
}

}  // namespace cupysim
