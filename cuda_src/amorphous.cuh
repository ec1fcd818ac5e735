// Scattering of amorphous matter: for each material
//     molecules sign(F) F^2(|q|)
// adds to the terms of a ray. F is a cubic polynomial between two points of the material's table. The NumPy backend
// has the same functions in `plan/amorphous.py`.
#pragma once
#include "geometry.cuh"

namespace cupysim {

// Whether this program has amorphous matter. On a GPU, it is an option of the compiler, because it needs registers.
#if defined(__CUDACC__) && !defined(CUPYSIM_AMORPHOUS)
constexpr bool HAS_MATTER = false;
#else
constexpr bool HAS_MATTER = true;
#endif

CUPYSIM_FUNCTION bool has_matter(const Launch& launch) { return HAS_MATTER && launch.n_materials > 0; }

// A number of squared electrons, and its derivative with respect to |q|.
struct AmorphousIntensity {
    double value, derivative;
};

// The interval that contains |q|. The first one also holds for all smaller |q|.
CUPYSIM_FUNCTION const FactorInterval& interval_at(const Launch& launch, const Material& material, double q) {
    const FactorInterval* intervals = launch.factor_intervals + material.first_interval;
    Int low = 0, high = material.n_intervals;
    while (high - low > 1) {
        const Int middle = (low + high) / 2;
        if (q < intervals[middle].begin) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return intervals[low];
}

CUPYSIM_FUNCTION AmorphousIntensity amorphous_intensity(const Launch& launch, double q) {
    AmorphousIntensity sum = {0.0, 0.0};
    for (Int number = 0; number < launch.n_materials; ++number) {
        const Material& material = launch.materials[number];
        const FactorInterval& interval = interval_at(launch, material, q);
        const double* c = interval.coefficients;
        const double t = q - interval.begin;
        const double factor = ((c[3] * t + c[2]) * t + c[1]) * t + c[0];
        const double slope = (3.0 * c[3] * t + 2.0 * c[2]) * t + c[1];
        const double size = fabs(factor);
        sum.value += material.molecules * factor * size;
        sum.derivative += material.molecules * 2.0 * size * slope;
    }
    return sum;
}

CUPYSIM_FUNCTION double length_of(const Scattering<Double>& q, int i) {
    return square_root(q.x[i] * q.x[i] + q.y[i] * q.y[i] + q.z[i] * q.z[i]);
}

// Whether each ray adds a background.
CUPYSIM_FUNCTION bool has_ray_background(const Launch& launch) {
    return launch.ray_background != 0.0 || has_matter(launch);
}

}  // namespace cupysim
