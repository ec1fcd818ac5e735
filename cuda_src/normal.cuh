// Normal deviates, with the same operations on all machines.
#pragma once
#include "photon_noise.cuh"

namespace cupysim {

// Two independent normal deviates from two uniform ones (Box and Muller (1958) Ann. Math. Stat. 29, 610).
CUPYSIM_FUNCTION void normal_pair(double u, double v, double& first, double& second) {
    const double length = square_root(-2.0 * log_of(u));
    // the angle 2 pi v: a number of quarter turns, and a rest of at most an eighth of a turn
    const double quarters = 4.0 * v, turns = nearest_even(quarters);
    const double r = (quarters - turns) * 1.5707963267948966, z = r * r;
    double s = -1.0 / 1307674368000.0;
    s = s * z + 1.0 / 6227020800.0;
    s = s * z - 1.0 / 39916800.0;
    s = s * z + 1.0 / 362880.0;
    s = s * z - 1.0 / 5040.0;
    s = s * z + 1.0 / 120.0;
    s = s * z - 1.0 / 6.0;
    const double sine = r + r * (z * s);
    double c = 1.0 / 20922789888000.0;
    c = c * z - 1.0 / 87178291200.0;
    c = c * z + 1.0 / 479001600.0;
    c = c * z - 1.0 / 3628800.0;
    c = c * z + 1.0 / 40320.0;
    c = c * z - 1.0 / 720.0;
    c = c * z + 1.0 / 24.0;
    c = c * z - 0.5;
    const double cosine = 1.0 + z * c;
    // turns are 0 to 4
    const bool is_odd = turns == 1.0 || turns == 3.0;
    const double across = is_odd ? sine : cosine, up = is_odd ? cosine : sine;
    const double across_sign = turns == 1.0 || turns == 2.0 ? -1.0 : 1.0;
    const double up_sign = turns == 2.0 || turns == 3.0 ? -1.0 : 1.0;
    first = length * (across_sign * across);
    second = length * (up_sign * up);
}

}  // namespace cupysim
