// Directions and scattering vectors of the pixels of a block. The order of operations is that of the C
// program. But if many numbers have the same divisor, they are multiplied by its reciprocal, because
// divisions took a third of the time of images with one step per pixel.
#pragma once
#include "launch.cuh"
#include "miller_index.cuh"

namespace cupysim {

// Pixels that are computed together, and their state.
struct PixelBlock {
    Int numbers[LANES];  // slow*n_fast + fast
    double fast[LANES], slow[LANES];  // pixel coordinates
    double x[LANES], y[LANES], z[LANES];  // unit vector from sample to sub-pixel
    double airpath[LANES];  // its length (m)
    // solid angle, polarization factor and absorbed fraction; if a factor is used once, it is that of the
    // first sub-pixel and source (for `capture`, of the current layer)
    double omega[LANES], polar[LANES], capture[LANES];
    double omega_sum[LANES];  // over layers and sub-pixels (sr)
    double total[LANES];  // the sum of squared amplitudes (electron^2)
};

// A ray: numbers of its layer, slow and fast sub-pixel, and source.
struct Ray {
    Int layer, sub_slow, sub_fast, source;
};

CUPYSIM_FUNCTION Ray ray_of(const Launch& launch, Int number) {
    const Int oversample = launch.oversample;
    const Int sub_pixel = number / launch.n_sources;
    const Int row = sub_pixel / oversample;
    return {row / oversample, row % oversample, sub_pixel % oversample, number % launch.n_sources};
}

CUPYSIM_FUNCTION void next_ray(const Launch& launch, Ray& ray) {
    if (++ray.source < launch.n_sources) return;
    ray.source = 0;
    if (++ray.sub_fast < launch.oversample) return;
    ray.sub_fast = 0;
    if (++ray.sub_slow < launch.oversample) return;
    ray.sub_slow = 0;
    ++ray.layer;
}

// Number of lanes that are pixels of the launch.
CUPYSIM_FUNCTION int lanes_in_use(const Launch& launch, Int first) {
    if (LANES == 1) return 1;
    const Int left = launch.n_pixels - first;
    return left < LANES ? static_cast<int>(left) : LANES;
}

// Numbers the pixels of the block that begins at `first`. Lanes after the last pixel repeat it.
CUPYSIM_FUNCTION void number_pixels(const Launch& launch, PixelBlock& pixels, Int first) {
    const int n = lanes_in_use(launch, first);
    const Int index = launch.first_pixel + first, n_fast = launch.n_fast;
    if (launch.numbers != nullptr) {
        for (int i = 0; i < LANES; ++i) {
            const Int number = launch.numbers[index + (i < n ? i : n - 1)];
            pixels.numbers[i] = number;
            pixels.slow[i] = static_cast<double>(number / n_fast);
            pixels.fast[i] = static_cast<double>(number % n_fast);
        }
        return;
    }
    // divisions of integers are slow, so only the first pixel needs one
    const Int n_columns = launch.n_columns;
    Int row = index / n_columns, column = index % n_columns;
    for (int i = 0; i < LANES; ++i) {
        const Int slow = launch.first_row + row, fast = launch.first_column + column;
        pixels.numbers[i] = slow * n_fast + fast;
        pixels.slow[i] = static_cast<double>(slow);
        pixels.fast[i] = static_cast<double>(fast);
        if (i + 1 < n && ++column == n_columns) {
            column = 0;
            ++row;
        }
    }
}

// The centre of a sub-pixel along one axis of the panel (m).
CUPYSIM_FUNCTION double sub_pixel_position(double pixel, double oversample, double sub_pixel, double sub_size) {
    return sub_size * (pixel * oversample + sub_pixel) + sub_size / 2.0;
}

// v turned about the unit vector `axis`: v cos + (axis x v) sin + axis (axis.v)(1 - cos).
CUPYSIM_FUNCTION void rotate_axis(double v[3], const double axis[3], double angle) {
    const double c = cos(angle), s = sin(angle);
    const double along = (axis[0] * v[0] + axis[1] * v[1] + axis[2] * v[2]) * (1.0 - c);
    const double x = v[0] * c + (axis[1] * v[2] - axis[2] * v[1]) * s + axis[0] * along;
    const double y = v[1] * c + (axis[2] * v[0] - axis[0] * v[2]) * s + axis[1] * along;
    const double z = v[2] * c + (axis[0] * v[1] - axis[1] * v[0]) * s + axis[2] * along;
    v[0] = x;
    v[1] = y;
    v[2] = z;
}

// A point of the flat panel (m), f fast + s slow + depth normal + origin.
CUPYSIM_FUNCTION void panel_point(const Launch& launch, double f, double s, double depth, double& x, double& y,
                                  double& z) {
    x = f * launch.fast[0] + s * launch.slow[0] + depth * launch.normal[0] + launch.origin[0];
    y = f * launch.fast[1] + s * launch.slow[1] + depth * launch.normal[1] + launch.origin[1];
    z = f * launch.fast[2] + s * launch.slow[2] + depth * launch.normal[2] + launch.origin[2];
}

// The curved detector: a point on the beam is rotated about two axes. The angles are coordinates on the
// flat panel divided by the radius.
CUPYSIM_FUNCTION void bend(const Launch& launch, double& x, double& y, double& z) {
    const double radius = launch.bend_radius;
    double v[3] = {launch.bend_centre[0], launch.bend_centre[1], launch.bend_centre[2]};
    for (int n = 0; n < 2; ++n) {
        const double* measure = launch.bend_measures + 3 * n;
        const double way = measure[0] * x + measure[1] * y + measure[2] * z;
        rotate_axis(v, launch.bend_axes + 3 * n, (way - launch.bend_offsets[n]) / radius);
    }
    x = v[0];
    y = v[1];
    z = v[2];
}

// Positions of the ray's sub-pixels, as unit vectors and lengths.
CUPYSIM_FUNCTION void pixel_position(const Launch& launch, PixelBlock& pixels, const Ray& ray) {
    const double oversample = static_cast<double>(launch.oversample);
    const double fast_size = launch.pixel_fast / oversample, slow_size = launch.pixel_slow / oversample;
    const double depth = static_cast<double>(ray.layer) * launch.layer_step;
    const double sub_fast = static_cast<double>(ray.sub_fast), sub_slow = static_cast<double>(ray.sub_slow);
    FOR_LANES(i) {
        const double f = sub_pixel_position(pixels.fast[i], oversample, sub_fast, fast_size);
        const double s = sub_pixel_position(pixels.slow[i], oversample, sub_slow, slow_size);
        panel_point(launch, f, s, depth, pixels.x[i], pixels.y[i], pixels.z[i]);
    }
    if (launch.is_curved) {
        for (int i = 0; i < LANES; ++i) bend(launch, pixels.x[i], pixels.y[i], pixels.z[i]);
    }
    FOR_LANES(i) {
        const double x = pixels.x[i], y = pixels.y[i], z = pixels.z[i];
        const double length = square_root(x * x + y * y + z * z);
        // exact to the last bit, so that a pixel on the beam has a scattering vector of exactly zero
        const double inverse = reciprocal(length);
        pixels.x[i] = divided(x, length, inverse);
        pixels.y[i] = divided(y, length, inverse);
        pixels.z[i] = divided(z, length, inverse);
        pixels.airpath[i] = length;
    }
}

// q = (d - i)/lambda
CUPYSIM_FUNCTION void scattering_vector(const PixelBlock& pixels, const Source& source, Scattering<Double>& q) {
    const double x = source.incident[0], y = source.incident[1], z = source.incident[2];
    const double wavenumber = 1.0 / source.wavelength;
    FOR_LANES(i) {
        q.x[i] = (pixels.x[i] - x) * wavenumber;
        q.y[i] = (pixels.y[i] - y) * wavenumber;
        q.z[i] = (pixels.z[i] - z) * wavenumber;
    }
}

// Sets each lane to 1 if its ray is within the resolution limit, otherwise 0. Returns whether any is.
CUPYSIM_FUNCTION bool within_resolution(const Launch& launch, const Scattering<Double>& q, double active[LANES]) {
    const double dmin = launch.dmin;
    FOR_LANES(i) active[i] = 1.0;
    if (!(dmin > 0.0)) return true;
    bool any = false;
    for (int i = 0; i < LANES; ++i) {
        const double stol =
            0.5 * square_root(sum(sum(product(q.x[i], q.x[i]), product(q.y[i], q.y[i])), product(q.z[i], q.z[i])));
        if (stol > 0.0 && dmin > 0.5 / stol) {
            active[i] = 0.0;
        } else {
            any = true;
        }
    }
    return any;
}

}  // namespace cupysim
