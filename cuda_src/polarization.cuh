// The polarization factor of Kahn et al. (1982) J. Appl. Cryst. 15, 330:
//     (1 + cos^2 2theta - K cos(2 psi) sin^2 2theta)/2,
// psi the angle of the scattered ray d about the incident beam i. With E along
// the electric and B along the magnetic field, cos 2theta = i.d and
// cos(2 psi) sin^2 2theta = (E.d)^2 - (B.d)^2: a quadratic form in d, whose six
// numbers are made once for each source.
#pragma once
#include "geometry.cuh"

namespace cupysim {

// Keeps the factor of rays within the resolution limit, where none is kept yet; that of all rays
// where each is used, since a background scatters beyond the limit too.
CUPYSIM_FUNCTION void keep_polarization(const Launch& launch, Pixels& pixels, const double* source,
                                        const double active[LANES]) {
    const double* form = source + 4;
    const bool again = launch.polar_use[0] != ONCE, all = launch.polar_use[0] == EACH;
    FOR_LANES(i) {
        const double x = pixels.x[i], y = pixels.y[i], z = pixels.z[i];
        const double factor =
            x * (form[0] * x + form[3] * y + form[4] * z) + y * (form[1] * y + form[5] * z) + z * (form[2] * z);
        const double kept = pixels.polar[i];
        const double reached = all ? 1.0 : active[i];
        const double wanted = (again || kept == 0.0) ? reached : 0.0;
        pixels.polar[i] = wanted != 0.0 ? factor : kept;
    }
}

}  // namespace cupysim
