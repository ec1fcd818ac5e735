// Searches before a render. They find steps of the C program's serial loops that depend on all steps before
// them.
#pragma once
#include "render_block.cuh"

namespace cupysim {

// The first ray of each pixel within the resolution limit, or -1.
CUPYSIM_FUNCTION void find_first_ray(const Launch& launch, Int first) {
    PixelBlock pixels;
    number_pixels(launch, pixels, first);
    reset(launch, pixels);
    Int found[LANES];
    for (int i = 0; i < LANES; ++i) found[i] = -1;
    Ray ray = ray_of(launch, 0);
    bool all = false;
    for (Int n = 0; !all && n < launch.n_rays; ++n, next_ray(launch, ray)) {
        aim_at(launch, pixels, ray, n == 0);
        Scattering<Double> q;
        scattering_vector(pixels, launch.sources[ray.source], q);
        double active[LANES];
        within_resolution(launch, q, active);
        all = true;
        for (int i = 0; i < LANES; ++i) {
            if (found[i] < 0 && active[i] != 0.0) found[i] = n;
            all = all && found[i] >= 0;
        }
    }
    for (int i = 0; i < lanes_in_use(launch, first); ++i) launch.found[first + i] = found[i];
}

// The C program's test for missing neighbours. It is wider by one than four nodes need (quirk Q23).
CUPYSIM_FUNCTION bool out_of_range(const Launch& launch, int axis, double index) {
    const double first = static_cast<double>(launch.first_index[axis]);
    const double length = static_cast<double>(launch.table_shape[axis] - 2);
    return index - first + 3.0 > length || index - 2.0 < first;
}

// The first step of each pixel at which interpolation ends, as ray times all orientations plus
// orientation, or -1, and its Miller indices.
template <Shape shape>
CUPYSIM_FUNCTION void find_interpolation_stop(const Launch& launch, Int first) {
    const Int all_orientations = launch.n_crystals * launch.orientations_each;
    const int n_lanes = lanes_in_use(launch, first);
    PixelBlock pixels;
    number_pixels(launch, pixels, first);
    reset(launch, pixels);
    for (int i = 0; i < n_lanes; ++i) launch.found[first + i] = -1;
    Ray ray = ray_of(launch, launch.first_ray);
    for (Int n = 0; n < launch.n_rays; ++n, next_ray(launch, ray)) {
        aim_at(launch, pixels, ray, n == 0);
        Scattering<Double> q;
        scattering_vector(pixels, launch.sources[ray.source], q);
        double active[LANES];
        if (!within_resolution(launch, q, active)) continue;
        for (Int j = 0; j < launch.n_orientations; ++j) {
            const Int orientation = launch.first_orientation + j;
            const auto crystal = crystal_constants<Double>(launch, orientation / launch.orientations_each);
            const double* matrix = matrix_of<Double>(launch, orientation);
            for (int i = 0; i < n_lanes; ++i) {
                if (launch.found[first + i] >= 0 || active[i] == 0.0) continue;
                bool leaves = false;
                double at[3];
                for (int axis = 0; axis < 3; ++axis) {
                    const double* row = matrix + 3 * axis;
                    // in the order of the C program, so that the limit is at the same place
                    at[axis] = sum(sum(product(row[0], q.x[i]), product(row[1], q.y[i])), product(row[2], q.z[i]));
                    leaves = leaves || out_of_range(launch, axis, at[axis]);
                }
                if (!leaves) continue;
                const Triple<double> offsets = {at[0] - nearest_index(at[0]), at[1] - nearest_index(at[1]),
                                                at[2] - nearest_index(at[2])};
                if (!launch.has_background && SpotShape<shape>::vanishes(crystal, offsets)) continue;
                launch.found[first + i] = (launch.first_ray + n) * all_orientations + orientation;
                for (int axis = 0; axis < 3; ++axis) launch.found_indices[3 * (first + i) + axis] = at[axis];
            }
        }
    }
}

}  // namespace cupysim
