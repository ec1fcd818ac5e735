// Slopes of photons with structure factors: for each pixel a short list of places in the table,
// each with what a change of the factor there adds.
#pragma once
#include "lattice_factor.cuh"
#include "render_block.cuh"

namespace cupysim {

// Adds to the entry of a place. A pixel whose list is full is told in `found`.
CUPYSIM_FUNCTION void add_entry(const Launch& launch, Int pixel, int place, double value) {
    if (value == 0.0) return;
    const Int capacity = launch.capacity[0];
    Int* places = launch.entry_places[0] + pixel * capacity;
    double* values = launch.entry_values[0] + pixel * capacity;
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
    launch.found[0][pixel] = 1;
}

template <Factors factors>
CUPYSIM_FUNCTION void add_entries(const Launch& launch, const FactorTable<Double>& table,
                                  const Triple<Index<Double>>& indices, Int pixel, double slope) {
    if constexpr (factors == TRICUBIC) {
        if (has_all_nodes(table, indices)) {
            double weights[3][4];
            const int corner[3] = {place_nodes(indices.h, table.before.h, table.last.h, weights[0]),
                                   place_nodes(indices.k, table.before.k, table.last.k, weights[1]),
                                   place_nodes(indices.l, table.before.l, table.last.l, weights[2])};
            double factor = 0.0;
            for (int pass = 0; pass < 2; ++pass) {
                for (int node = 0; node < 64; ++node) {
                    const int h = node / 16, k = node / 4 % 4, l = node % 4;
                    const int place = ((corner[0] + h) * table.n_k + corner[1] + k) * table.n_l + corner[2] + l;
                    const double weight = weights[0][h] * weights[1][k] * weights[2][l];
                    if (pass == 0) {
                        factor += weight * table.values[place];
                    } else {
                        add_entry(launch, pixel, place, slope * factor * weight);
                    }
                }
            }
            return;
        }
    }
    const int place = nearest_place(table, wholes_of(indices));
    add_entry(launch, pixel, place, slope * table.values[place]);
}

// All rays and orientations of the launch, for the block of pixels from `first` on.
template <Shape shape, Factors factors>
CUPYSIM_FUNCTION void collect_block(const Launch& launch, Int first) {
    Pixels pixels;
    locate(launch, pixels, first);
    begin(launch, pixels);
    const double scale = 2.0 * launch.photons_per_squared_electron[0] / launch.n_steps[0];
    const int n = lanes_in_use(launch, first);
    Ray ray = ray_of(launch, launch.first_ray[0]);
    for (Int number = 0; number < launch.n_rays[0]; ++number, next_ray(launch, ray)) {
        approach(launch, pixels, ray, number == 0);
        const double* source = launch.sources[0] + ray.source * SOURCE_SIZE;
        Scattering<Double> q;
        double active[LANES], weight[LANES];
        scatter(pixels, source, q);
        const bool reached = find_active(launch, q, active);
        if (launch.polarized[0]) keep_polarization(launch, pixels, source, active);
        weigh(launch, pixels, source[11], weight);
        const auto table = factor_table<Double>(launch, source);
        for (Int j = 0; reached && j < launch.n_orientations[0]; ++j) {
            const Int orientation = launch.first_orientation[0] + j;
            const auto crystal = crystal_constants<Double>(launch, orientation / launch.orientations_each[0]);
            const double* matrix = static_cast<const double*>(launch.matrices[0]) +
                                   (orientation - launch.first_matrix[0]) * Double::MATRIX_SIZE;
            for (int i = 0; i < n; ++i) {
                if (active[i] == 0.0) continue;
                const auto indices = miller_indices(q, i, matrix, launch.grid[0]);
                const double square = lattice_squared<Double, shape>(crystal, offsets_of(indices));
                add_entries<factors>(launch, table, indices, first + i, scale * weight[i] * square);
            }
        }
    }
}

}  // namespace cupysim
