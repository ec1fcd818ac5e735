// From pixels to directions, solid angles and absorbed fractions. The order of
// operations is the C program's, but where it divides by what many numbers are
// divided by, a reciprocal multiplies: divisions were a third of the time of images
// of one step.
#pragma once
#include "launch.cuh"

namespace cupysim {

// Directions and kept factors of a block of pixels.
struct Pixels {
    Int number[LANES];  // slow*n_fast + fast
    double fast[LANES], slow[LANES];  // pixel coordinates
    double x[LANES], y[LANES], z[LANES];  // unit vector from sample to sub-pixel
    double airpath[LANES];  // its length (m)
    // those of the first sub-pixel and source, of the current layer for
    // `capture`, where they are used once
    double omega[LANES], polar[LANES], capture[LANES];
    double omega_sum[LANES];  // over layers and sub-pixels (sr)
    double sum[LANES];  // of squared amplitudes, the image to be
};

// v turned about the unit vector `axis`: v cos + (axis x v) sin + axis (axis.v)(1 - cos).
CUPYSIM_FUNCTION void turn(double v[3], const double axis[3], double angle) {
    const double c = cos(angle), s = sin(angle);
    const double along = (axis[0] * v[0] + axis[1] * v[1] + axis[2] * v[2]) * (1.0 - c);
    const double x = v[0] * c + (axis[1] * v[2] - axis[2] * v[1]) * s + axis[0] * along;
    const double y = v[1] * c + (axis[2] * v[0] - axis[0] * v[2]) * s + axis[1] * along;
    const double z = v[2] * c + (axis[0] * v[1] - axis[1] * v[0]) * s + axis[2] * along;
    v[0] = x;
    v[1] = y;
    v[2] = z;
}

// The curved detector: a point on the beam turned about two axes, by ways on the flat panel
// divided by the radius.
CUPYSIM_FUNCTION void bend(const Launch& launch, Pixels& pixels) {
    const double radius = launch.bend_radius[0];
    for (int i = 0; i < LANES; ++i) {
        double v[3] = {launch.bend_centre[0], launch.bend_centre[1], launch.bend_centre[2]};
        for (int n = 0; n < 2; ++n) {
            const double* measure = launch.bend_measures + 3 * n;
            const double way = measure[0] * pixels.x[i] + measure[1] * pixels.y[i] + measure[2] * pixels.z[i];
            turn(v, launch.bend_axes + 3 * n, (way - launch.bend_offsets[n]) / radius);
        }
        pixels.x[i] = v[0];
        pixels.y[i] = v[1];
        pixels.z[i] = v[2];
    }
}

// Directions towards sub-pixel (sub_fast, sub_slow) of a layer.
CUPYSIM_FUNCTION void aim(const Launch& launch, Pixels& pixels, Int layer, Int sub_slow, Int sub_fast) {
    const double oversample = static_cast<double>(launch.oversample[0]);
    const double size = launch.pixel_size[0] / oversample;
    const double depth = static_cast<double>(layer) * launch.layer_step[0];
    const double sub_f = static_cast<double>(sub_fast), sub_s = static_cast<double>(sub_slow);
    FOR_LANES(i) {
        const double f = size * (pixels.fast[i] * oversample + sub_f) + size / 2.0;
        const double s = size * (pixels.slow[i] * oversample + sub_s) + size / 2.0;
        pixels.x[i] = f * launch.fast[0] + s * launch.slow[0] + depth * launch.normal[0] + launch.origin[0];
        pixels.y[i] = f * launch.fast[1] + s * launch.slow[1] + depth * launch.normal[1] + launch.origin[1];
        pixels.z[i] = f * launch.fast[2] + s * launch.slow[2] + depth * launch.normal[2] + launch.origin[2];
    }
    if (launch.curved[0]) bend(launch, pixels);
    FOR_LANES(i) {
        const double x = pixels.x[i], y = pixels.y[i], z = pixels.z[i];
        const double length = square_root(x * x + y * y + z * z);
        // to the last bit, so that a pixel on the beam scatters exactly by zero
        const double inverse = reciprocal(length);
        pixels.x[i] = divided(x, length, inverse);
        pixels.y[i] = divided(y, length, inverse);
        pixels.z[i] = divided(z, length, inverse);
        pixels.airpath[i] = length;
    }
}

// Solid angle area/R^2 close/R, or area/R^2 for point pixels. The distance of the layer's own plane
// counts where each term has its own solid angle; the C program takes the first one's for all.
CUPYSIM_FUNCTION void keep_solid_angle(const Launch& launch, Pixels& pixels, Int layer, bool counts) {
    const bool own = launch.omega_use[0] == EACH && !launch.radial[0];
    const double depth = own ? static_cast<double>(layer) * launch.layer_step[0] : 0.0;
    const double area = launch.pixel_area[0], close = launch.close_distance[0] + depth;
    const bool point = launch.point_pixel[0] != 0, again = launch.omega_use[0] != ONCE;
    const double counted = counts ? 1.0 : 0.0;
    FOR_LANES(i) {
        const double r = pixels.airpath[i];
        const double inverse = reciprocal(r);
        const double inclined = point ? 1.0 : close * inverse;
        const double omega = area * inverse * inverse * inclined;
        const double kept = pixels.omega[i];
        const double now = (again || kept == 0.0) ? omega : kept;
        pixels.omega[i] = now;
        pixels.omega_sum[i] += counted * now;
    }
}

// Absorbed fraction exp(-layer step mu/cos) - exp(-(layer+1) step mu/cos).
CUPYSIM_FUNCTION void keep_capture(const Launch& launch, Pixels& pixels, Int layer) {
    const double number = static_cast<double>(layer), step = launch.layer_step[0];
    const double mu = launch.attenuation[0];
    for (int i = 0; i < LANES; ++i) {
        if (launch.capture_use[0] == ONCE && pixels.capture[i] != 0.0) continue;
        const double parallax = launch.radial[0] ? 1.0
                                                 : pixels.x[i] * launch.normal[0] + pixels.y[i] * launch.normal[1] +
                                                       pixels.z[i] * launch.normal[2];
        pixels.capture[i] = exp(-number * step * mu / parallax) - exp(-(number + 1.0) * step * mu / parallax);
    }
}

}  // namespace cupysim
