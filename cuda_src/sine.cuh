// Sines of multiples of pi. Arguments are reduced before they are multiplied by pi. The reduction is exact, so
// short polynomials are enough.
#pragma once
#include "portable.cuh"

namespace cupysim {

// sin(pi x) for |x| <= 1/2: odd minimax polynomial, relative error 6e-14.
CUPYSIM_FUNCTION double sine_of_pi(double x) {
    const double z = x * x;
    double p = 4.471850435279229402e-4;
    p = multiply_add(p, z, -7.363774324464140645e-3);
    p = multiply_add(p, z, 8.214472931106754651e-2);
    p = multiply_add(p, z, -5.992644253988027534e-1);
    p = multiply_add(p, z, 2.550164035401129688);
    p = multiply_add(p, z, -5.167712779976954663);
    p = multiply_add(p, z, 3.141592653589595949);
    return p * x;
}

// The same in single precision, with a relative error of 5e-9 plus rounding.
CUPYSIM_FUNCTION float sine_of_pi(float x) {
    const float z = x * x;
    float p = 7.755672538797781097e-2f;
    p = multiply_add(p, z, -5.982404727696772381e-1f);
    p = multiply_add(p, z, 2.550069495379037182f);
    p = multiply_add(p, z, -5.167709674600923954f);
    p = multiply_add(p, z, 3.141592636826219053f);
    return p * x;
}

// cos(pi x) for |x| <= 1/2.
template <class Real>
CUPYSIM_FUNCTION Real cosine_of_pi(Real x) {
    return sine_of_pi(Real(0.5) - (x < Real(0) ? -x : x));
}

}  // namespace cupysim
