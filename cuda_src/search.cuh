// Searches which come before a render: what the C program does at one step of
// its serial loops, and depends on all steps before it.
#pragma once
#include "render_block.cuh"

namespace cupysim {

// The first ray of the pixel within the resolution limit, or -1.
CUPYSIM_FUNCTION void find_first_ray(const Launch& launch, Int first, Int found[LANES]) {
    Pixels pixels;
    locate(launch, pixels, first);
    begin(launch, pixels);
    for (int i = 0; i < LANES; ++i) found[i] = -1;
    Ray ray = ray_of(launch, 0);
    for (Int n = 0; n < launch.n_rays[0]; ++n, next_ray(launch, ray)) {
        approach(launch, pixels, ray, n == 0);
        Scattering<Double> q;
        scatter(pixels, launch.sources[0] + ray.source * SOURCE_SIZE, q);
        double active[LANES];
        find_active(launch, q, active);
        bool all = true;
        for (int i = 0; i < LANES; ++i) {
            if (found[i] < 0 && active[i] != 0.0) found[i] = n;
            all = all && found[i] >= 0;
        }
        if (all) return;
    }
}

// The C program's test for too few neighbours, one wider than four nodes need
// (quirk Q23).
CUPYSIM_FUNCTION bool leaves_table(const Launch& launch, int axis, double index) {
    const double first = static_cast<double>(launch.first_index[axis]);
    const double length = static_cast<double>(launch.lengths[axis] - 2);
    return index - first + 3.0 > length || index - 2.0 < first;
}

// The first step of each pixel at which interpolation ends, as ray times all
// orientations plus orientation, or -1, and its Miller indices.
template <Shape shape>
CUPYSIM_FUNCTION void find_interpolation_stop(const Launch& launch, Int first, Int found[LANES],
                                              double indices[3][LANES]) {
    const Int all_orientations = launch.n_crystals[0] * launch.orientations_each[0];
    Pixels pixels;
    locate(launch, pixels, first);
    begin(launch, pixels);
    for (int i = 0; i < LANES; ++i) found[i] = -1;
    Ray ray = ray_of(launch, launch.first_ray[0]);
    for (Int n = 0; n < launch.n_rays[0]; ++n, next_ray(launch, ray)) {
        approach(launch, pixels, ray, n == 0);
        Scattering<Double> q;
        scatter(pixels, launch.sources[0] + ray.source * SOURCE_SIZE, q);
        double active[LANES];
        if (!find_active(launch, q, active)) continue;
        for (Int j = 0; j < launch.n_orientations[0]; ++j) {
            const Int orientation = launch.first_orientation[0] + j;
            const auto crystal = crystal_constants<Double>(launch, orientation / launch.orientations_each[0]);
            const double* matrix = static_cast<const double*>(launch.matrices[0]) +
                                   (orientation - launch.first_matrix[0]) * Double::MATRIX_SIZE;
            for (int i = 0; i < LANES; ++i) {
                if (found[i] >= 0 || active[i] == 0.0) continue;
                bool leaves = false;
                double at[3];
                for (int axis = 0; axis < 3; ++axis) {
                    const double* row = matrix + 3 * axis;
                    // in the C program's order, that the edge is where it has it
                    at[axis] = sum(sum(product(row[0], q.x[i]), product(row[1], q.y[i])), product(row[2], q.z[i]));
                    leaves = leaves || leaves_table(launch, axis, at[axis]);
                }
                if (!leaves) continue;
                const Triple<double> offsets = {at[0] - nearest_down(at[0]), at[1] - nearest_down(at[1]),
                                                at[2] - nearest_down(at[2])};
                if (!launch.has_background[0] && lattice_vanishes<Double, shape>(crystal, offsets)) continue;
                found[i] = (launch.first_ray[0] + n) * all_orientations + orientation;
                for (int axis = 0; axis < 3; ++axis) indices[axis][i] = at[axis];
            }
        }
    }
}

}  // namespace cupysim
