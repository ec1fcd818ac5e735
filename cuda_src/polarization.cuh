// The polarization factor of Kahn et al. (1982) J. Appl. Cryst. 15, 330:
//     (1 + cos^2 2theta - K cos(2 psi) sin^2 2theta)/2,
// psi the angle of the scattered ray d about the incident beam i. With E along
// the electric and B along the magnetic field, cos 2theta = i.d and
// cos(2 psi) sin^2 2theta = (E.d)^2 - (B.d)^2: a quadratic form in d, whose six
// numbers are made once for each source.
#pragma once
#include "geometry.cuh"

namespace cupysim {

// Keeps the factor of rays within the resolution limit, where none is kept yet.
CUPYSIM_FUNCTION void keep_polarization(const Launch& launch, Pixels& pixels, const double* source,
                                        const double active[LANES]) {
    const double* form = source + 4;
    const bool oversampled = launch.oversample_polar[0] != 0;
    FOR_LANES(i) {
        const double x = pixels.x[i], y = pixels.y[i], z = pixels.z[i];
        const double factor = x * (form[0] * x + form[3] * y + form[4] * z) +
                              y * (form[1] * y + form[5] * z) + z * (form[2] * z);
        const double kept = pixels.polar[i];
        const double wanted = (oversampled || kept == 0.0) ? active[i] : 0.0;
        pixels.polar[i] = wanted != 0.0 ? factor : kept;
    }
}

}  // namespace cupysim
