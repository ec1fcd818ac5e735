// Normal deviates, with the same operations on all machines.
#pragma once
#include "angles.cuh"
#include "photon_noise.cuh"

namespace cupysim {

// Two independent normal deviates from two uniform ones (Box and Muller (1958) Ann. Math. Stat. 29, 610).
CUPYSIM_FUNCTION void normal_pair(double u, double v, double& first, double& second) {
    const double length = square_root(-2.0 * log_of(u));
    // the angle 2 pi v: a number of quarter turns, and a rest of at most an eighth of a turn
    const double quarters = 4.0 * v, turns = nearest_even(quarters);
    const double r = (quarters - turns) * 1.5707963267948966, z = r * r;
    const double sine = short_sine(r, z), cosine = short_cosine(z);
    // turns are 0 to 4
    const bool is_odd = turns == 1.0 || turns == 3.0;
    const double across = is_odd ? sine : cosine, up = is_odd ? cosine : sine;
    const double across_sign = turns == 1.0 || turns == 2.0 ? -1.0 : 1.0;
    const double up_sign = turns == 2.0 || turns == 3.0 ? -1.0 : 1.0;
    first = length * (across_sign * across);
    second = length * (up_sign * up);
}

}  // namespace cupysim
