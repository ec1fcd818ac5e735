// Derivatives of photons with respect to structure factors: for each pixel a short list of places in the
// tables, each with dI/dF there. Tables of channels follow each other. With F_cell = sum of weights times table
// entries,
//     dT/dF = 2 F_cell weight F_latt^2 w.
// A term of diffuse scattering is a sum over reflections of F^2 times a weight.
#pragma once
#include "diffuse.cuh"
#include "render_block.cuh"

namespace cupysim {

// Adds to the entry of a place in the table. `found` marks a pixel with a full list.
CUPYSIM_FUNCTION void add_entry(const Launch& launch, Int pixel, Int place, double value) {
    if (value == 0.0) return;
    const Int capacity = launch.capacity;
    Int* places = launch.entry_places + pixel * capacity;
    double* values = launch.entry_values + pixel * capacity;
    for (Int slot = 0; slot < capacity; ++slot) {
        if (places[slot] < 0) {
            places[slot] = place;
            values[slot] = value;
            return;
        }
        if (places[slot] == place) {
            values[slot] += value;
            return;
        }
    }
    launch.found[pixel] = 1;
}

template <Factors factors>
CUPYSIM_FUNCTION void add_entries(const Launch& launch, const FactorTable<Double>& table,
                                  const Triple<Index<Double>>& indices, Int first_place, Int pixel, double scale) {
    if constexpr (factors == TRICUBIC) {
        if (has_neighbours(table, indices)) {
            const auto nodes = nodes_of<false>(table, indices);
            const double factor = tricubic<false>(table, indices).value;
            for (int node = 0; node < 64; ++node) {
                const int h = node / 16, k = node / 4 % 4, l = node % 4;
                const int place = table.place(nodes.first[0] + h, nodes.first[1] + k, nodes.first[2] + l);
                const double weight = nodes.weights[0][h] * nodes.weights[1][k] * nodes.weights[2][l];
                add_entry(launch, pixel, first_place + place, scale * factor * weight);
            }
            return;
        }
    }
    const int place = nearest_place(table, nearest_of(indices));
    add_entry(launch, pixel, first_place + place, scale * table.values[place]);
}

// A block of pixels whose entries are collected, for one ray.
struct EntryBlock {
    const RayConstants<Double>& ray;
    Int first_place;  // of the table of the ray's channel
    Int first_pixel;
    int n_pixels;
    double scale;
};

// Adds `weight` times the derivative of F^2 to the entries of a reflection for each pixel.
CUPYSIM_FUNCTION void add_square_entries(const Launch& launch, const EntryBlock& block,
                                         const double (*reflection)[LANES], const double factor[LANES],
                                         const double weight[LANES]) {
    for (int i = 0; i < block.n_pixels; ++i) {
        if (block.ray.active[i] == 0.0) continue;
        const Triple<double> hkl{reflection[0][i], reflection[1][i], reflection[2][i]};
        const double scale = block.scale * launch.diffuse_scale * block.ray.scale[i];
        add_entry(launch, block.first_pixel + i, block.first_place + nearest_place(block.ray.table, hkl),
                  scale * factor[i] * weight[i]);
    }
}

// Adds the entries of the reflections of one orientation.
template <Shape shape, Factors factors>
CUPYSIM_FUNCTION void add_spot_entries(const Launch& launch, const EntryBlock& block, Int orientation,
                                       const double* matrix) {
    const RayConstants<Double>& ray = block.ray;
    const auto crystal = crystal_constants<Double>(launch, orientation / launch.orientations_each);
    for (int i = 0; i < block.n_pixels; ++i) {
        if (ray.active[i] == 0.0) continue;
        const auto indices = miller_indices(ray.q, i, matrix, ray.grid);
        const double square = SpotShape<shape>::squared(crystal, offsets_of(indices));
        add_entries<factors>(launch, ray.table, indices, block.first_place, block.first_pixel + i,
                             block.scale * ray.scale[i] * square);
    }
}

// Adds the entries of the diffuse scattering of one orientation.
template <Factors factors>
CUPYSIM_FUNCTION void add_diffuse_entries(const Launch& launch, const EntryBlock& block, const double* matrix) {
    BlockIndices at;
    double weight[LANES];
    block_indices(block.ray.q, matrix, block.ray.grid, at);
    if (launch.of_rigid_cells) {
        double moving[LANES];
        displaced_sum(launch, at, moving);
        for_corners<factors>(block.ray.table, at, [&](const Corner& corner) {
            FOR_LANES(i) weight[i] = corner.weight[0][i] * corner.weight[1][i] * corner.weight[2][i] * moving[i];
            add_square_entries(launch, block, corner.reflection, corner.factor, weight);
        });
        return;
    }
    double ones[LANES];
    FOR_LANES(i) ones[i] = 1.0;
    for_halos<factors>(launch, block.ray.table, at, [&](const Halo& halo) {
        FOR_LANES(i) weight[i] = 0.0;
        add_halo(launch, ones, halo, weight);
        add_square_entries(launch, block, halo.reflection, halo.factor, weight);
    });
}

// Collects the entries of a block of pixels, which begins at `first`, over all rays and orientations. With `diffuse`,
// the terms are those of diffuse scattering; the spot shape is then not used.
template <Shape shape, Factors factors, bool diffuse = false>
CUPYSIM_FUNCTION void collect_block(const Launch& launch, Int first) {
    static_assert(SpotShape<shape>::HAS_DERIVATIVES, "this shape has no derivatives");
    PixelBlock pixels;
    number_pixels(launch, pixels, first);
    reset(launch, pixels);
    const double scale = 2.0 * launch.photons_per_squared_electron / launch.n_steps;
    const int n = lanes_in_use(launch, first);
    Ray ray = ray_of(launch, launch.first_ray);
    for (Int number = 0; number < launch.n_rays; ++number, next_ray(launch, ray)) {
        RayConstants<Double> constants;
        if (!prepare_ray(launch, pixels, ray, number == 0, constants)) continue;
        const Int first_place = launch.sources[ray.source].channel * launch.channel_size;
        const EntryBlock block{constants, first_place, first, n, scale};
        for (Int j = 0; j < launch.n_orientations; ++j) {
            const Int orientation = launch.first_orientation + j;
            const double* matrix = matrix_of<Double>(launch, orientation);
            if constexpr (diffuse) {
                add_diffuse_entries<factors>(launch, block, matrix);
            } else {
                add_spot_entries<shape, factors>(launch, block, orientation, matrix);
            }
        }
    }
}

}  // namespace cupysim
