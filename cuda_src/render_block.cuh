// The loops over a block of pixels: layers, sub-pixels, sources, orientations.
//
// A launch may cover a part of the steps; what is known of the pixels is then
// kept in the launch's state, and the next launch goes on.
#pragma once
#include "lattice_factor.cuh"
#include "miller_index.cuh"
#include "polarization.cuh"
#include "structure_factor.cuh"

namespace cupysim {

// The steps of a launch fall into rays: layer, slow and fast sub-pixel, source.
struct Ray {
    Int layer, sub_slow, sub_fast, source;
};

CUPYSIM_FUNCTION Ray ray_of(const Launch& launch, Int number) {
    const Int sources = launch.n_sources[0], oversample = launch.oversample[0];
    const Int sub_pixel = number / sources;
    const Int row = sub_pixel / oversample;
    return {row / oversample, row % oversample, sub_pixel % oversample, number % sources};
}

CUPYSIM_FUNCTION void next_ray(const Launch& launch, Ray& ray) {
    if (++ray.source < launch.n_sources[0]) return;
    ray.source = 0;
    if (++ray.sub_fast < launch.oversample[0]) return;
    ray.sub_fast = 0;
    if (++ray.sub_slow < launch.oversample[0]) return;
    ray.sub_slow = 0;
    ++ray.layer;
}

// How many lanes are pixels of the launch.
CUPYSIM_FUNCTION int lanes_in_use(const Launch& launch, Int first) {
    if (LANES == 1) return 1;
    const Int left = launch.n_pixels[0] - first;
    return left < LANES ? static_cast<int>(left) : LANES;
}

// The block's pixels; lanes beyond the launch's last pixel repeat it.
CUPYSIM_FUNCTION void locate(const Launch& launch, Pixels& pixels, Int first) {
    const int n = lanes_in_use(launch, first);
    const Int index = launch.first_pixel[0] + first, n_fast = launch.n_fast[0];
    if (launch.numbers[0] != nullptr) {
        for (int i = 0; i < LANES; ++i) {
            const Int number = launch.numbers[0][index + (i < n ? i : n - 1)];
            pixels.number[i] = number;
            pixels.slow[i] = static_cast<double>(number / n_fast);
            pixels.fast[i] = static_cast<double>(number % n_fast);
        }
        return;
    }
    // divisions of whole numbers are slow: one, then steps
    const Int n_columns = launch.n_columns[0];
    Int row = index / n_columns, column = index % n_columns;
    for (int i = 0; i < LANES; ++i) {
        const Int slow = launch.first_row[0] + row, fast = launch.first_column[0] + column;
        pixels.number[i] = slow * n_fast + fast;
        pixels.slow[i] = static_cast<double>(slow);
        pixels.fast[i] = static_cast<double>(fast);
        if (i + 1 < n && ++column == n_columns) {
            column = 0;
            ++row;
        }
    }
}

CUPYSIM_FUNCTION void begin(const Launch& launch, Pixels& pixels) {
    const double polar = launch.polarized[0] ? 0.0 : 1.0;
    FOR_LANES(i) {
        pixels.omega[i] = 0.0;
        pixels.polar[i] = polar;
        pixels.capture[i] = 1.0;
        pixels.omega_sum[i] = 0.0;
        pixels.sum[i] = launch.background[0];
    }
}

// Copies one of the kept numbers of a block from or to a launch's state.
template <bool save>
CUPYSIM_FUNCTION void keep(const Launch& launch, Int first, int which, double kept[LANES]) {
    double* state = launch.state[0] + which * launch.n_pixels[0] + first;
    const int n = lanes_in_use(launch, first);
    for (int i = 0; i < LANES; ++i) {
        if (i >= n) break;
        if constexpr (save) {
            state[i] = kept[i];
        } else {
            kept[i] = state[i];
        }
    }
}

// Saves or restores what is known of the block's pixels.
template <bool save>
CUPYSIM_FUNCTION void keep_state(const Launch& launch, Pixels& pixels, Int first) {
    keep<save>(launch, first, 0, pixels.omega);
    keep<save>(launch, first, 1, pixels.polar);
    keep<save>(launch, first, 2, pixels.capture);
    keep<save>(launch, first, 3, pixels.omega_sum);
    keep<save>(launch, first, 4, pixels.sum);
}

// The sum over the first n lanes, in pairs, so that it is vectorised.
CUPYSIM_FUNCTION double sum_of_lanes(const double values[LANES], int n) {
    double sums[LANES];
    FOR_LANES(i) sums[i] = i < n ? values[i] : 0.0;
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
    }
    return sums[0];
}

// Photons from sums: the factors which are used once come in here.
CUPYSIM_FUNCTION void finish(const Launch& launch, const Pixels& pixels, Int first) {
    const double scale = launch.photons_per_squared_electron[0], n_steps = launch.n_steps[0];
    const bool thick = launch.capture_use[0] == ONCE, polar = launch.polar_use[0] == ONCE,
               omega = launch.omega_use[0] == ONCE;
    float photons[LANES];
    FOR_LANES(i) {
        const double value = scale * pixels.sum[i] / n_steps * (thick ? pixels.capture[i] : 1.0) *
                             (polar ? pixels.polar[i] : 1.0) * (omega ? pixels.omega[i] : 1.0);
        // added to the empty image, so that -0 becomes 0
        photons[i] = static_cast<float>(0.0 + value);
    }
    const int n = lanes_in_use(launch, first);
    float* image = launch.image[0] - launch.image_first[0];
    for (int i = 0; i < LANES; ++i) {
        if (i >= n) break;
        image[pixels.number[i]] = photons[i];
    }
    launch.omega_sums[0][first / LANES] = sum_of_lanes(pixels.omega_sum, n);
}

// Whether a ray is within the resolution limit: 1 or 0 for each lane.
CUPYSIM_FUNCTION bool find_active(const Launch& launch, const Scattering<Double>& q, double active[LANES]) {
    const double dmin = launch.dmin[0];
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

// q = (d - i)/lambda
CUPYSIM_FUNCTION void scatter(const Pixels& pixels, const double* source, Scattering<Double>& q) {
    const double x = source[0], y = source[1], z = source[2], wavenumber = 1.0 / source[3];
    FOR_LANES(i) {
        q.x[i] = (pixels.x[i] - x) * wavenumber;
        q.y[i] = (pixels.y[i] - y) * wavenumber;
        q.z[i] = (pixels.z[i] - z) * wavenumber;
    }
}

// What the orientations of a ray have in common.
template <class Policy>
struct RayConstants {
    Scattering<Policy> q;
    FactorTable<Policy> table;
    double active[LANES];
    double scale[LANES];  // of the terms, which are sums of squares of table entries
    typename Policy::Real constant_factor;
    typename Policy::Real grid;
};

// Offsets of a block of pixels from their nearest reflections.
template <class Policy>
struct Offsets {
    typename Policy::Offset h[LANES], k[LANES], l[LANES];

    CUPYSIM_FUNCTION void set(int i, const Triple<typename Policy::Offset>& offsets) {
        h[i] = offsets.h;
        k[i] = offsets.k;
        l[i] = offsets.l;
    }
    CUPYSIM_FUNCTION Triple<typename Policy::Offset> at(int i) const { return {h[i], k[i], l[i]}; }
};

// Bodies of the loops over lanes are functions of their own: compilers do not
// vectorise loops with temporary structs.

// Offset of a lane from its nearest reflection.
template <class Policy>
CUPYSIM_FUNCTION void find_offsets(const RayConstants<Policy>& ray, const typename Policy::Element* matrix, int i,
                                   Offsets<Policy>& offsets) {
    offsets.set(i, offsets_of(miller_indices(ray.q, i, matrix, ray.grid)));
}

// The same, and F.
template <class Policy, Factors factors>
CUPYSIM_FUNCTION void look_up_lane(const RayConstants<Policy>& ray, const typename Policy::Element* matrix, int i,
                                   Offsets<Policy>& offsets, typename Policy::Real cell[LANES]) {
    const auto indices = miller_indices(ray.q, i, matrix, ray.grid);
    offsets.set(i, offsets_of(indices));
    if constexpr (factors == TRICUBIC) {
        cell[i] = tricubic_factor(ray.table, indices);
    } else {
        cell[i] = nearest_factor(ray.table, wholes_of(indices));
    }
}

// F_latt squared of a lane where F is constant.
template <class Policy, Shape shape>
CUPYSIM_FUNCTION typename TermOf<Policy, shape == GAUSS>::Type constant_term(const RayConstants<Policy>& ray,
                                                                             const CrystalConstants<Policy>& crystal,
                                                                             const typename Policy::Element* matrix,
                                                                             int i) {
    return lattice_squared<Policy, shape>(crystal, offsets_of(miller_indices(ray.q, i, matrix, ray.grid)));
}

// F_cell^2 F_latt^2 of a lane.
template <class Policy, Shape shape>
CUPYSIM_FUNCTION typename TermOf<Policy, shape == GAUSS>::Type table_term(const CrystalConstants<Policy>& crystal,
                                                                          const Offsets<Policy>& offsets,
                                                                          const typename Policy::Real cell[LANES],
                                                                          int i) {
    return times_factor(lattice_squared<Policy, shape>(crystal, offsets.at(i)), cell[i] * cell[i]);
}

// Offsets and F of all lanes; false if F is zero in all.
template <class Policy, Factors factors>
CUPYSIM_FUNCTION bool look_up(const RayConstants<Policy>& ray, const typename Policy::Element* matrix,
                              Offsets<Policy>& offsets, typename Policy::Real cell[LANES]) {
    if constexpr (factors == TRICUBIC) {
        // 64 entries of the table for each lane leave little to vectorise
        for (int i = 0; i < LANES; ++i) look_up_lane<Policy, factors>(ray, matrix, i, offsets, cell);
    } else {
        FOR_LANES(i) look_up_lane<Policy, factors>(ray, matrix, i, offsets, cell);
    }
    typename Policy::Real largest = typename Policy::Real(0);
    for (int i = 0; i < LANES; ++i) largest = larger(cell[i] * cell[i], largest);
    return largest > typename Policy::Real(0);
}

// Adds the terms F_cell^2 F_latt^2 of some orientations of one crystal to the
// pixels' sums.
template <class Policy, Shape shape, Factors factors>
CUPYSIM_FUNCTION void add_orientations(const Launch& launch, Pixels& pixels, const RayConstants<Policy>& ray,
                                       const CrystalConstants<Policy>& crystal,
                                       const typename Policy::Element* matrices, Int count) {
    using Real = typename Policy::Real;
    using Term = typename TermOf<Policy, shape == GAUSS>::Type;
    for (Int first = 0; first < count; first += Policy::TILE) {
        const Int last = count - first < Policy::TILE ? count : first + Policy::TILE;
        Term partial[LANES];
        FOR_LANES(i) partial[i] = no_term<Term>();
        for (Int j = first; j < last; ++j) {
            const typename Policy::Element* matrix = matrices + j * Policy::MATRIX_SIZE;
            if constexpr (factors == CONSTANT) {
                FOR_LANES(i) {
                    partial[i] = add_term(partial[i], constant_term<Policy, shape>(ray, crystal, matrix, i));
                }
            } else {
                Offsets<Policy> offsets;
                Real cell[LANES];
                if (!look_up<Policy, factors>(ray, matrix, offsets, cell)) continue;
                FOR_LANES(i) {
                    partial[i] = add_term(partial[i], table_term<Policy, shape>(crystal, offsets, cell, i));
                }
            }
        }
        FOR_LANES(i) {
            // rays beyond the resolution limit must not add 0 times infinity
            const double term = in_double(partial[i]) * ray.scale[i];
            pixels.sum[i] += ray.active[i] != 0.0 ? term : 0.0;
        }
    }
}

// The same where factors multiply the running sum at each step (quirk Q14).
template <class Policy, Shape shape, Factors factors>
CUPYSIM_FUNCTION void run_orientations(const Launch& launch, Pixels& pixels, const RayConstants<Policy>& ray,
                                       const CrystalConstants<Policy>& crystal,
                                       const typename Policy::Element* matrices, Int count) {
    const bool always = launch.has_background[0] != 0;
    const bool thick = launch.capture_use[0] == RUNNING, polar = launch.polar_use[0] == RUNNING,
               omega = launch.omega_use[0] == RUNNING;
    for (Int j = 0; j < count; ++j) {
        const typename Policy::Element* matrix = matrices + j * Policy::MATRIX_SIZE;
        Offsets<Policy> kept;
        typename Policy::Real cell[LANES];
        if constexpr (factors == CONSTANT) {
            FOR_LANES(i) {
                find_offsets(ray, matrix, i, kept);
                cell[i] = ray.constant_factor;
            }
        } else {
            look_up<Policy, factors>(ray, matrix, kept, cell);
        }
        FOR_LANES(i) {
            const double term = in_double(table_term<Policy, shape>(crystal, kept, cell, i)) * ray.scale[i];
            const double before = pixels.sum[i];
            const double product = (before + term) * (thick ? pixels.capture[i] : 1.0) *
                                   (polar ? pixels.polar[i] : 1.0) * (omega ? pixels.omega[i] : 1.0);
            const bool executed = always || !lattice_vanishes<Policy, shape>(crystal, kept.at(i));
            pixels.sum[i] = executed && ray.active[i] != 0.0 ? product : before;
        }
    }
}

// All orientations of the launch for one ray.
template <class Policy, Shape shape, Factors factors, bool running>
CUPYSIM_FUNCTION void sum_orientations(const Launch& launch, Pixels& pixels, const RayConstants<Policy>& ray) {
    const Int each = launch.orientations_each[0];
    const Int end = launch.first_orientation[0] + launch.n_orientations[0];
    for (Int first = launch.first_orientation[0]; first < end;) {
        const Int number = first / each;
        const Int left = (number + 1) * each - first;
        const Int count = left < end - first ? left : end - first;
        const auto crystal = crystal_constants<Policy>(launch, number);
        const auto* matrices = static_cast<const typename Policy::Element*>(launch.matrices[0]) +
                               (first - launch.first_matrix[0]) * Policy::MATRIX_SIZE;
        if constexpr (running) {
            run_orientations<Policy, shape, factors>(launch, pixels, ray, crystal, matrices, count);
        } else {
            add_orientations<Policy, shape, factors>(launch, pixels, ray, crystal, matrices, count);
        }
        first += count;
    }
}

template <class Policy>
CUPYSIM_FUNCTION void narrow(const Scattering<Double>& wide, Scattering<Policy>& q) {
    FOR_LANES(i) set_scattering(q, i, wide.x[i], wide.y[i], wide.z[i]);
}

// Directions and kept factors for a ray; `fresh` if the launch begins with it.
CUPYSIM_FUNCTION void approach(const Launch& launch, Pixels& pixels, const Ray& ray, bool fresh) {
    if (ray.source != 0 && !fresh) return;
    if (ray.sub_slow == 0 && ray.sub_fast == 0) {
        const double capture = launch.absorbs_all[0] ? 1.0 : 0.0;
        FOR_LANES(i) pixels.capture[i] = capture;
    }
    aim(launch, pixels, ray.layer, ray.sub_slow, ray.sub_fast);
    keep_solid_angle(launch, pixels, ray.layer, ray.source == 0 && launch.first_orientation[0] == 0);
    if (!launch.absorbs_all[0] || launch.capture_use[0] != ONCE) keep_capture(launch, pixels, ray.layer);
}

// What multiplies the terms of a ray: its source's brightness, and the factors of which each term
// has its own. Those multiply a background too, once for a ray.
CUPYSIM_FUNCTION void weigh(const Launch& launch, Pixels& pixels, double brightness, double scale[LANES]) {
    const bool thick = launch.capture_use[0] == EACH, polar = launch.polar_use[0] == EACH,
               omega = launch.omega_use[0] == EACH;
    const double term_scale = launch.term_scale[0];
    const double background = launch.first_orientation[0] == 0 ? launch.ray_background[0] : 0.0;
    FOR_LANES(i) {
        const double weight = brightness * (thick ? pixels.capture[i] : 1.0) * (polar ? pixels.polar[i] : 1.0) *
                              (omega ? pixels.omega[i] : 1.0);
        scale[i] = weight * term_scale;
        pixels.sum[i] += weight * background;
    }
}

// The block of pixels from `first` on: all rays and orientations of the launch.
template <class Policy, Shape shape, Factors factors, bool running>
CUPYSIM_FUNCTION void render_block(const Launch& launch, Int first) {
    Pixels pixels;
    locate(launch, pixels, first);
    begin(launch, pixels);
    if (!launch.begins[0]) keep_state<false>(launch, pixels, first);
    Ray ray = ray_of(launch, launch.first_ray[0]);
    for (Int n = 0; n < launch.n_rays[0]; ++n, next_ray(launch, ray)) {
        approach(launch, pixels, ray, n == 0);
        const double* source = launch.sources[0] + ray.source * SOURCE_SIZE;
        Scattering<Double> q;
        scatter(pixels, source, q);
        RayConstants<Policy> constants;
        const bool reached = find_active(launch, q, constants.active);
        if (launch.polarized[0] || launch.polar_use[0] != ONCE) {
            keep_polarization(launch, pixels, source, constants.active);
        }
        weigh(launch, pixels, source[11], constants.scale);
        if (!reached) continue;
        narrow(q, constants.q);
        constants.table = factor_table<Policy>(launch, source);
        constants.constant_factor = static_cast<typename Policy::Real>(launch.constant_factor[0]);
        constants.grid = static_cast<typename Policy::Real>(launch.grid[0]);
        sum_orientations<Policy, shape, factors, running>(launch, pixels, constants);
    }
    if (launch.ends[0]) {
        finish(launch, pixels, first);
    } else {
        keep_state<true>(launch, pixels, first);
    }
}

}  // namespace cupysim
