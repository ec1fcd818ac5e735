// The photons of a block of pixels:
//
//     I = r_e^2 Phi/n  W1 ( B + sum over layers, sub-pixels, sources of
//                               w ( b + sum over crystals, spindle angles, domains of F_cell^2 F_latt^2 ) )
//
// with F_cell and F_latt at h = a.q, k = b.q, l = c.q, q = (d - i)/lambda. B and b are backgrounds. W1 is the
// product of those factors that are used once, among solid angle, absorbed fraction and polarization factor.
// w is the source weight times the factors that each term has. A factor may also multiply the running sum at
// each step (quirk Q14).
//
// A launch may compute a part of the steps. The launch's state then keeps the state of the pixels, and the
// next launch continues. The NumPy backend has the same functions in `backends/numpy/rays.py` and
// `backends/numpy/oracle.py`.
#pragma once
#include "diffuse.cuh"
#include "geometry.cuh"
#include "spot_shapes.cuh"
#include "structure_factor.cuh"
#include "weights.cuh"

namespace cupysim {

CUPYSIM_FUNCTION void reset(const Launch& launch, PixelBlock& pixels) {
    const double polar = launch.polarized ? 0.0 : 1.0;
    FOR_LANES(i) {
        pixels.omega[i] = 0.0;
        pixels.polar[i] = polar;
        pixels.capture[i] = 1.0;
        pixels.omega_sum[i] = 0.0;
        pixels.total[i] = launch.background;
    }
}

// Copies one of the kept numbers of a block to or from the launch's state.
template <bool save>
CUPYSIM_FUNCTION void copy_state(const Launch& launch, Int first, int which, double kept[LANES]) {
    double* state = launch.state + which * launch.n_pixels + first;
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

// State of the pixels between launches that share their steps.
constexpr int STATE_SIZE = 5;

template <bool save>
CUPYSIM_FUNCTION void copy_state(const Launch& launch, PixelBlock& pixels, Int first) {
    copy_state<save>(launch, first, 0, pixels.omega);
    copy_state<save>(launch, first, 1, pixels.polar);
    copy_state<save>(launch, first, 2, pixels.capture);
    copy_state<save>(launch, first, 3, pixels.omega_sum);
    copy_state<save>(launch, first, 4, pixels.total);
}

// The sum over the first n lanes, computed in pairs so that compilers vectorise it.
CUPYSIM_FUNCTION double sum_of_lanes(const double values[LANES], int n) {
    double sums[LANES];
    FOR_LANES(i) sums[i] = i < n ? values[i] : 0.0;
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
    }
    return sums[0];
}

// The photons of a block, from its sums.
CUPYSIM_FUNCTION void photons_of(const Launch& launch, const PixelBlock& pixels, float photons[LANES]) {
    const double scale = launch.photons_per_squared_electron, n_steps = launch.n_steps;
    const UsedFactors once = used_as(launch, ONCE);
    FOR_LANES(i) {
        const double value = times_factors(once, pixels, i, scale * pixels.total[i] / n_steps);
        // added to the empty image, so that -0 becomes 0
        photons[i] = static_cast<float>(0.0 + value);
    }
}

// Writes the photons, and the sum of the solid angles.
CUPYSIM_FUNCTION void store_photons(const Launch& launch, const PixelBlock& pixels, Int first) {
    float photons[LANES];
    photons_of(launch, pixels, photons);
    const int n = lanes_in_use(launch, first);
    float* image = launch.image - launch.image_first;
    for (int i = 0; i < LANES; ++i) {
        if (i >= n) break;
        image[pixels.numbers[i]] = photons[i];
    }
    launch.omega_sums[first / LANES] = sum_of_lanes(pixels.omega_sum, n);
}

// Values that the orientations of a ray have in common.
template <class Policy>
struct RayConstants {
    Scattering<Policy> q;
    FactorTable<Policy> table;
    double active[LANES];  // 1 within the resolution limit, otherwise 0
    double scale[LANES];  // of the terms, which are sums of squares of table entries
    typename Policy::Real constant_factor;
    typename Policy::Real grid;
};

template <class Policy>
CUPYSIM_FUNCTION void to_policy(const Scattering<Double>& wide, Scattering<Policy>& q) {
    FOR_LANES(i) set_scattering(q, i, wide.x[i], wide.y[i], wide.z[i]);
}

// Computes directions and kept factors for a ray. Rays of one sub-pixel share them. `is_first` is true for
// the first ray of the launch.
CUPYSIM_FUNCTION void aim_at(const Launch& launch, PixelBlock& pixels, const Ray& ray, bool is_first) {
    if (ray.source != 0 && !is_first) return;
    if (ray.sub_slow == 0 && ray.sub_fast == 0) {
        const double capture = launch.absorbs_all ? 1.0 : 0.0;
        FOR_LANES(i) pixels.capture[i] = capture;
    }
    pixel_position(launch, pixels, ray);
    keep_solid_angle(launch, pixels, ray.layer, ray.source == 0 && launch.first_orientation == 0);
    if (!launch.absorbs_all || launch.capture_use != ONCE) keep_capture(launch, pixels, ray.layer);
}

// Computes the values of a ray that its orientations have in common, after `aim_at`. Returns whether any pixel
// is within the resolution limit.
template <class Policy>
CUPYSIM_FUNCTION bool prepare_source(const Launch& launch, PixelBlock& pixels, Int number,
                                     RayConstants<Policy>& constants) {
    const Source& source = launch.sources[number];
    Scattering<Double> q;
    scattering_vector(pixels, source, q);
    const bool is_reached = within_resolution(launch, q, constants.active);
    keep_polarization(launch, pixels, source, constants.active);
    ray_weight(launch, pixels, source, q, constants.scale);
    if (!is_reached) return false;
    to_policy(q, constants.q);
    constants.table = factor_table<Policy>(launch, source);
    constants.constant_factor = static_cast<typename Policy::Real>(launch.constant_factor);
    constants.grid = static_cast<typename Policy::Real>(launch.grid);
    return true;
}

// Aims at a ray and prepares its source.
template <class Policy>
CUPYSIM_FUNCTION bool prepare_ray(const Launch& launch, PixelBlock& pixels, const Ray& ray, bool is_first,
                                  RayConstants<Policy>& constants) {
    aim_at(launch, pixels, ray, is_first);
    return prepare_source(launch, pixels, ray.source, constants);
}

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

// Bodies of the loops over lanes are functions of their own: compilers do not vectorise loops with
// temporary structs. The lanes are those of a ray from `begin` on.

// Offsets and F of a lane.
template <class Policy, Factors factors>
CUPYSIM_FUNCTION void factor_of_lane(const RayConstants<Policy>& ray, const typename Policy::Element* matrix, int begin,
                                     int i, Offsets<Policy>& offsets, typename Policy::Real cell[LANES]) {
    const auto indices = miller_indices(ray.q, begin + i, matrix, ray.grid);
    offsets.set(i, offsets_of(indices));
    cell[i] = structure_factor<factors, false>(ray.table, ray.constant_factor, indices).value;
}

// F_latt^2 of a lane where F is constant.
template <class Policy, Shape shape>
CUPYSIM_FUNCTION Term<Policy, shape> constant_term(const RayConstants<Policy>& ray,
                                                   const CrystalConstants<Policy>& crystal,
                                                   const typename Policy::Element* matrix, int lane) {
    return SpotShape<shape>::squared(crystal, offsets_of(miller_indices(ray.q, lane, matrix, ray.grid)));
}

// F_cell^2 F_latt^2 of a lane.
template <class Policy, Shape shape>
CUPYSIM_FUNCTION Term<Policy, shape> table_term(const CrystalConstants<Policy>& crystal, const Offsets<Policy>& offsets,
                                                const typename Policy::Real cell[LANES], int i) {
    return times_factor(SpotShape<shape>::squared(crystal, offsets.at(i)), cell[i] * cell[i]);
}

// Computes offsets and F of `width` lanes. Returns whether any F is not zero.
template <class Policy, Factors factors, int width>
CUPYSIM_FUNCTION bool structure_factors(const RayConstants<Policy>& ray, const typename Policy::Element* matrix,
                                        int begin, Offsets<Policy>& offsets, typename Policy::Real cell[LANES]) {
    if constexpr (factors == TRICUBIC) {
        // with 64 table entries for each lane, vectorising gains little
        for (int i = 0; i < width; ++i) factor_of_lane<Policy, factors>(ray, matrix, begin, i, offsets, cell);
    } else {
        FOR_SOME_LANES(i, width) factor_of_lane<Policy, factors>(ray, matrix, begin, i, offsets, cell);
    }
    typename Policy::Real largest = typename Policy::Real(0);
    for (int i = 0; i < width; ++i) largest = larger(cell[i] * cell[i], largest);
    return largest > typename Policy::Real(0);
}

// Orientations that follow each other.
template <class Policy>
struct Consecutive {
    const typename Policy::Element* matrices;

    CUPYSIM_FUNCTION const typename Policy::Element* operator[](Int j) const {
        return matrices + j * Policy::MATRIX_SIZE;
    }
};

// Adds the terms of some orientations of one crystal to `sums`, the sums of `width` lanes.
template <class Policy, Shape shape, Factors factors, int width, class Matrices>
CUPYSIM_FUNCTION void add_terms(const RayConstants<Policy>& ray, const CrystalConstants<Policy>& crystal,
                                const Matrices& matrices, Int count, int begin, double sums[]) {
    for (Int first = 0; first < count; first += Policy::TILE) {
        const Int last = count - first < Policy::TILE ? count : first + Policy::TILE;
        Term<Policy, shape> partial[width];
        FOR_SOME_LANES(i, width) partial[i] = no_term<Term<Policy, shape>>();
        for (Int j = first; j < last; ++j) {
            const typename Policy::Element* matrix = matrices[j];
            if constexpr (factors == CONSTANT) {
                FOR_SOME_LANES(i, width) {
                    partial[i] = add_term(partial[i], constant_term<Policy, shape>(ray, crystal, matrix, begin + i));
                }
            } else {
                Offsets<Policy> offsets;
                typename Policy::Real cell[LANES];
                if (!structure_factors<Policy, factors, width>(ray, matrix, begin, offsets, cell)) continue;
                FOR_SOME_LANES(i, width) {
                    partial[i] = add_term(partial[i], table_term<Policy, shape>(crystal, offsets, cell, i));
                }
            }
        }
        FOR_SOME_LANES(i, width) {
            // rays beyond the resolution limit must not add 0 times infinity
            const double term = in_double(partial[i]) * ray.scale[begin + i];
            sums[i] += ray.active[begin + i] != 0.0 ? term : 0.0;
        }
    }
}

// Adds the terms of some orientations of one crystal to the pixels' sums.
template <class Policy, Shape shape, Factors factors>
CUPYSIM_FUNCTION void accumulate(const Launch&, PixelBlock& pixels, const RayConstants<Policy>& ray,
                                 const CrystalConstants<Policy>& crystal, const typename Policy::Element* matrices,
                                 Int count) {
    add_terms<Policy, shape, factors, LANES>(ray, crystal, Consecutive<Policy>{matrices}, count, 0, pixels.total);
}

// The same, but factors multiply the running sum at each step (quirk Q14).
template <class Policy, Shape shape, Factors factors>
CUPYSIM_FUNCTION void accumulate_running(const Launch& launch, PixelBlock& pixels, const RayConstants<Policy>& ray,
                                         const CrystalConstants<Policy>& crystal,
                                         const typename Policy::Element* matrices, Int count) {
    const bool always = launch.has_background != 0;
    const UsedFactors repeated = used_as(launch, RUNNING);
    for (Int j = 0; j < count; ++j) {
        Offsets<Policy> offsets;
        typename Policy::Real cell[LANES];
        structure_factors<Policy, factors, LANES>(ray, matrices + j * Policy::MATRIX_SIZE, 0, offsets, cell);
        FOR_LANES(i) {
            const double term = in_double(table_term<Policy, shape>(crystal, offsets, cell, i)) * ray.scale[i];
            const double before = pixels.total[i];
            const double product = times_factors(repeated, pixels, i, before + term);
            const bool executed = always || !SpotShape<shape>::vanishes(crystal, offsets.at(i));
            pixels.total[i] = executed && ray.active[i] != 0.0 ? product : before;
        }
    }
}

// Adds all orientations of the launch for one ray, crystal by crystal.
template <class Policy, Shape shape, Factors factors, bool running>
CUPYSIM_FUNCTION void sum_orientations(const Launch& launch, PixelBlock& pixels, const RayConstants<Policy>& ray) {
    // structure factors of zero add nothing
    if (!running && launch.term_scale == 0.0) return;
    const Int each = launch.orientations_each;
    const Int end = launch.first_orientation + launch.n_orientations;
    for (Int first = launch.first_orientation; first < end;) {
        const Int number = first / each;
        const Int left = (number + 1) * each - first;
        const Int count = left < end - first ? left : end - first;
        const auto crystal = crystal_constants<Policy>(launch, number);
        const auto* matrices = matrix_of<Policy>(launch, first);
        if constexpr (running) {
            accumulate_running<Policy, shape, factors>(launch, pixels, ray, crystal, matrices, count);
        } else {
            accumulate<Policy, shape, factors>(launch, pixels, ray, crystal, matrices, count);
        }
        first += count;
    }
}

// Adds the diffuse scattering of all orientations of the launch for one ray, in double precision.
template <Factors factors>
CUPYSIM_FUNCTION void sum_diffuse(const Launch& launch, PixelBlock& pixels, const RayConstants<Double>& ray) {
    const double scale = launch.diffuse_scale;
    for (Int j = 0; j < launch.n_orientations; ++j) {
        const double* matrix = matrix_of<Double>(launch, launch.first_orientation + j);
        BlockIndices at;
        double terms[LANES];
        block_indices(ray.q, matrix, ray.grid, at);
        diffuse_terms<factors>(launch, ray.table, at, terms);
        FOR_LANES(i) pixels.total[i] += ray.active[i] != 0.0 ? scale * ray.scale[i] * terms[i] : 0.0;
    }
}

// Renders a block of pixels, which begins at `first`, over all rays and orientations of the launch.
// With `diffuse`, it adds diffuse scattering; this is a variant of its own because it needs many registers.
template <class Policy, Shape shape, Factors factors, bool running, bool diffuse = false>
CUPYSIM_FUNCTION void render_block(const Launch& launch, Int first) {
    PixelBlock pixels;
    number_pixels(launch, pixels, first);
    reset(launch, pixels);
    if (!launch.is_first_part) copy_state<false>(launch, pixels, first);
    Ray ray = ray_of(launch, launch.first_ray);
    for (Int n = 0; n < launch.n_rays; ++n, next_ray(launch, ray)) {
        RayConstants<Policy> constants;
        if (!prepare_ray(launch, pixels, ray, n == 0, constants)) continue;
        if constexpr (diffuse) {
            sum_diffuse<factors>(launch, pixels, constants);
            if (launch.diffuse_only) continue;
        }
        sum_orientations<Policy, shape, factors, running>(launch, pixels, constants);
    }
    if (launch.is_last_part) {
        store_photons(launch, pixels, first);
    } else {
        copy_state<true>(launch, pixels, first);
    }
}

}  // namespace cupysim
