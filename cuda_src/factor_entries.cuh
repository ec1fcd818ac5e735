// Derivatives of photons with respect to structure factors: for each pixel a short list of places in the
// tables, each with dI/dF there. Tables of channels follow each other. With F_cell = sum of weights times table
// entries,
//     dT/dF = 2 F_cell weight F_latt^2 w.
#pragma once
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

// Collects the entries of a block of pixels, which begins at `first`, over all rays and orientations.
template <Shape shape, Factors factors>
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
        for (Int j = 0; j < launch.n_orientations; ++j) {
            const Int orientation = launch.first_orientation + j;
            const auto crystal = crystal_constants<Double>(launch, orientation / launch.orientations_each);
            const double* matrix = matrix_of<Double>(launch, orientation);
            for (int i = 0; i < n; ++i) {
                if (constants.active[i] == 0.0) continue;
                const auto indices = miller_indices(constants.q, i, matrix, constants.grid);
                const double square = SpotShape<shape>::squared(crystal, offsets_of(indices));
                add_entries<factors>(launch, constants.table, indices, first_place, first + i,
                                     scale * constants.scale[i] * square);
            }
        }
    }
}

}  // namespace cupysim
