// The photons of a tile of pixels within a tolerance. Orientations are left out where the sum of their upper
// bounds stays below the tolerance in every pixel. The derivation is in `docs/tolerance.md`.
//
// A group of neighbouring orientations is tested for the tile, then for its four quarters, then for the
// quarters of these, each time with the orientations that are left. Tests compute in single precision, with
// margins for rounding. The terms that are left are those of `render_block`.
#pragma once
#include "factor_bounds.cuh"
#include "spot_bounds.cuh"
#include "tiles.cuh"

namespace cupysim {

// Largest number of orientations of a group.
constexpr int MOST_TESTED = 1024;
// Quads of 2 x 2 pixels of a tile. The lanes of a quad follow each other.
constexpr int QUADS = 16;
constexpr int QUAD_LANES = LANES / QUADS;
// Rays that are computed together.
constexpr int WIDTH = 16;
// If more than this share of the orientations of a node is left in its first quarter, the other quarters are
// not tested: a test of a quad takes longer, compared with its terms.
constexpr float LARGE_SHARE = 0.9f, LARGE_SHARE_OF_QUADS = 0.7f;
// Largest number of pairs of source and group with which the brightest tiles are found.
constexpr Int MOST_COMBINATIONS = 4;
// Largest ratio of a bound and the tolerance. If it is larger, or the tolerance is zero, only terms of zero are
// left out.
constexpr double LARGEST_BOUND = 1e30;
// Rounding of Miller indices in single precision, relative to |a| |q|.
constexpr double INDEX_ROUNDING = 6e-7;

// Orientations under test: Miller indices at the centre of a node, bounds of F^2 and of their photons, and
// their numbers in the group.
struct Candidates {
    float h[MOST_TESTED], k[MOST_TESTED], l[MOST_TESTED];
    float factor[MOST_TESTED];
    float bound[MOST_TESTED];
    short number[MOST_TESTED];
    int count;
};

// A node with the orientations that are left: its quads, and the place of its list.
struct Node {
    int first_quad, n_quads, first, count;
};

// The nodes of a group to compute.
struct Survivors {
    Node nodes[QUADS];
    int n_nodes, n_numbers;
    short numbers[QUADS * MOST_TESTED];

    CUPYSIM_FUNCTION void add(int first_quad, int n_quads, const Candidates& left) {
        if (left.count == 0) return;
        nodes[n_nodes++] = {first_quad, n_quads, n_numbers, left.count};
        for (int i = 0; i < left.count; ++i) numbers[n_numbers + i] = left.number[i];
        n_numbers += left.count;
    }
};

// A level t so that the sum of the bounds up to t is at most `budget`. With S the sum and m the number of
// those up to the last level, t = (budget - S)/(n - m): at most n - m bounds are between the levels, and each
// is at most the new one.
CUPYSIM_FUNCTION float water_level(const float* bounds, int n, float budget) {
    float level = 0.0f;
    for (int round = 0; round < 4; ++round) {
        float total = 0.0f;
        int below = 0;
#pragma omp simd reduction(+ : total, below)
        for (int i = 0; i < n; ++i) {
            const bool is_below = bounds[i] <= level;
            total += is_below ? bounds[i] : 0.0f;
            below += is_below ? 1 : 0;
        }
        if (below == n) return level;
        const float next = (budget - total) / static_cast<float>(n - below);
        if (!(next > level)) return level;
        level = next;
    }
    return level;
}

// Keeps the candidates above the water level. Returns the sum of the bounds of the others.
CUPYSIM_OUTLINE float keep_largest(Candidates& all, float budget) {
    const float level = budget > 0.0f ? water_level(all.bound, all.count, budget) : 0.0f;
    float spent = 0.0f;
    int kept = 0;
    for (int i = 0; i < all.count; ++i) {
        const float bound = all.bound[i];
        all.h[kept] = all.h[i];
        all.k[kept] = all.k[i];
        all.l[kept] = all.l[i];
        all.factor[kept] = all.factor[i];
        all.number[kept] = all.number[i];
        // a bound that is not a number is kept
        const bool is_spent = bound <= level;
        spent += is_spent ? bound : 0.0f;
        kept += is_spent ? 0 : 1;
    }
    all.count = kept;
    return spent;
}

// What the orientations of a group have in common in a tile: changes of Miller indices per pixel along both
// axes, and what widens the range of the indices.
struct GroupReach {
    float along_u[3], along_v[3];
    float per_pixel[3];  // of the half extent of a node
    float margin[3];
    float scale;  // of the bounds: photons, relative to the tolerance

    CUPYSIM_FUNCTION void half_widths(float half, float widths[3]) const {
        for (int axis = 0; axis < 3; ++axis) widths[axis] = (half * per_pixel[axis] + margin[axis]) * 1.000001f;
    }
};

// The distance of an index from the nearest integer, at least 0, for any index within `width`.
CUPYSIM_FUNCTION float least_offset(float index, float width) {
    const float offset = index - nearest_even(index);
    return larger((offset < 0.0f ? -offset : offset) - width, 0.0f);
}

template <Shape shape>
CUPYSIM_OUTLINE void set_bounds(Candidates& all, const SpotSize& size, const float widths[3], float scale) {
    const float wh = widths[0], wk = widths[1], wl = widths[2];
    const SpotSize local = size;
    FOR_SOME_LANES(i, all.count) {
        const float relative = SpotBound<shape>::relative(local, least_offset(all.h[i], wh), least_offset(all.k[i], wk),
                                                          least_offset(all.l[i], wl));
        // in this order, because the product of the first two may be too small for a float
        all.bound[i] = relative * (all.factor[i] * scale);
    }
}

// The rays of a tile for one layer, source and range of sub-pixels. The lanes of a quad of pixels follow each
// other: all pixels of its first sub-pixel, of the next one, and so on. Several sub-pixels are filled up to a
// multiple of WIDTH lanes in a quad, with rays that add nothing.
template <class Policy>
struct TileRays {
    RayConstants<Policy> blocks[MOST_SUB_PIXELS];
    int n_sub_pixels;

    CUPYSIM_FUNCTION void set_count(int count) {
        constexpr int EACH_TIME = WIDTH / QUAD_LANES;
        n_sub_pixels = count == 1 ? 1 : (count + EACH_TIME - 1) / EACH_TIME * EACH_TIME;
    }

    CUPYSIM_FUNCTION int place(int lane, int sub_pixel) const {
        return (lane / QUAD_LANES * n_sub_pixels + sub_pixel) * QUAD_LANES + lane % QUAD_LANES;
    }
    CUPYSIM_FUNCTION int lane(int place) const {
        return place / (QUAD_LANES * n_sub_pixels) * QUAD_LANES + place % QUAD_LANES;
    }
};

template <class Policy>
CUPYSIM_FUNCTION void copy_lane(Scattering<Policy>& to, int i, const Scattering<Policy>& from, int j) {
    to.x[i] = from.x[j];
    to.y[i] = from.y[j];
    to.z[i] = from.z[j];
}

CUPYSIM_FUNCTION void copy_lane(Scattering<Pairs>& to, int i, const Scattering<Pairs>& from, int j) {
    to.x[i] = from.x[j];
    to.y[i] = from.y[j];
    to.z[i] = from.z[j];
    to.x_low[i] = from.x_low[j];
    to.y_low[i] = from.y_low[j];
    to.z_low[i] = from.z_low[j];
}

// The orientations of a node, by their numbers in the group.
template <class Policy>
struct Listed {
    const typename Policy::Element* matrices;
    const short* numbers;

    CUPYSIM_FUNCTION const typename Policy::Element* operator[](Int j) const {
        return matrices + static_cast<Int>(numbers[j]) * Policy::MATRIX_SIZE;
    }
};

// Renders one tile.
template <class Policy, Shape shape, Factors factors>
class TileRenderer {
  public:
    CUPYSIM_FUNCTION TileRenderer(const Launch& launch, Int place)
        : launch(launch), place(place), pixels(launch, tile_of(launch, launch.first_pixel / LANES + place)) {
        n_sub_pixels = launch.oversample * launch.oversample;
        prepared_source = -1;
        computed = 0;
    }

    CUPYSIM_FUNCTION void render() {
        if (launch.has_background || pixels.needs_all_rays()) pixels.begin();
        n_left = 0;
        for (Int group = 0; group < launch.n_orientation_groups; ++group)
            n_left += launch.orientation_groups[group].count;
        n_left *= launch.n_layers * launch.n_sources;
        budget_left = 1.0;
        const double half = half_extent(launch, TILE_EDGE);
        double omega_sum = 0.0, first_shortest = 0.0;
        for (Int layer = 0; layer < launch.n_layers; ++layer) {
            const Cross cross = pixels.cross(half, layer);
            const TileDirections directions = directions_of(launch, cross, half);
            if (layer == 0) first_shortest = directions.shortest;
            if (launch.omega_use == EACH) {
                const double n = static_cast<double>(TILE_EDGE * launch.oversample);
                omega_sum += solid_angle_of_tile(launch, cross, half, n, layer);
            }
            const double factor = largest_factors(directions, first_shortest, half, layer);
            for (Int source = 0; source < launch.n_sources; ++source) {
                for (Int group = 0; group < launch.n_orientation_groups; ++group) {
                    render_group(directions, factor, layer, source, launch.orientation_groups[group]);
                }
            }
        }
        launch.omega_sums[place] = pixels.store(omega_sum);
        launch.computed_terms[place] = computed;
    }

    // Estimates the photons of the brightest pixel, up to a factor that all tiles have in common, from some
    // sources and groups, evenly spread. Zero near the direct beam.
    CUPYSIM_FUNCTION void estimate() {
        const double half = half_extent(launch, TILE_EDGE);
        const TileDirections directions = directions_of(launch, pixels.cross(half, 0), half);
        const double factor = largest_factors(directions, directions.shortest, half, 0);
        const Int total = launch.n_sources * launch.n_orientation_groups;
        const Int count = total < MOST_COMBINATIONS ? total : MOST_COMBINATIONS;
        double sum = 0.0;
        for (Int i = 0; i < count; ++i) {
            const Int number = (i * total + total / 2) / count;
            const Source& source = launch.sources[number / launch.n_orientation_groups];
            const OrientationGroup& group = launch.orientation_groups[number % launch.n_orientation_groups];
            sum += largest_term_weight(launch, source) * factor * estimate_group(directions, source, group, half);
        }
        const bool is_usable = sum < LARGEST_BOUND && !is_near_direct_beam(directions, half);
        launch.omega_sums[place] = is_usable ? sum : 0.0;
    }

  private:
    const Launch& launch;
    const Int place;
    TilePixels pixels;
    Int n_sub_pixels;
    Int prepared_layer, prepared_source, prepared_first;
    TileRays<Policy> rays;
    Candidates whole, quarter, quad;
    Survivors survivors;
    Int n_left;  // orientations of all layers and sources that are not tested yet
    double budget_left;  // share of the tolerance
    Int computed;  // terms

    // The largest product of solid angle, polarization factor and absorbed fraction in the tile.
    CUPYSIM_OUTLINE double largest_factors(const TileDirections& directions, double first_shortest, double half,
                                           Int layer) const {
        const bool each = launch.omega_use == EACH;
        const double shortest = each ? directions.shortest : first_shortest;
        const double close = plane_distance(launch, each ? layer : 0);
        if (!(shortest > 0.0)) return LARGEST_BOUND;
        const double omega =
            solid_angle(launch.pixel_area, shortest, close < 0.0 ? -close : close, launch.point_pixel != 0);
        const double kahn = launch.kahn < 0.0 ? -launch.kahn : launch.kahn;
        return omega * larger(1.0, 0.5 * (1.0 + kahn)) * largest_capture(directions, half, layer);
    }

    // exp(-n t) - exp(-(n+1) t) is at most t, and at most its maximum over t, n^n/(n+1)^(n+1).
    CUPYSIM_FUNCTION double largest_capture(const TileDirections& directions, double half, Int layer) const {
        if (launch.absorbs_all) return 1.0;
        const double* d = directions.centre;
        const double* normal = launch.normal;
        const double change = half * (directions.size_u + directions.size_v) + directions.error;
        const double cosine =
            launch.bend_radial ? 1.0 : d[0] * normal[0] + d[1] * normal[1] + d[2] * normal[2] - change;
        if (!(cosine > 0.0)) return LARGEST_BOUND;
        const double n = static_cast<double>(launch.capture_use == EACH ? layer : launch.n_layers - 1);
        const double thickness = launch.layer_step * launch.attenuation / cosine;
        const double most = n > 0.0 ? pow(n / (n + 1.0), n) / (n + 1.0) : 1.0;
        return smaller(thickness, most);
    }

    // The reach of a group for a source, and the indices of its reference at the tile's centre.
    CUPYSIM_OUTLINE GroupReach reach_of(const TileDirections& directions, const Source& source,
                                        const OrientationGroup& group, double scale, float q[3], float centre[3],
                                        float group_widths[3]) const {
        GroupReach reach;
        const double wavenumber = 1.0 / source.wavelength, half = half_extent(launch, TILE_EDGE);
        double exact_q[3];
        for (int axis = 0; axis < 3; ++axis) {
            exact_q[axis] = (directions.centre[axis] - source.incident[axis]) * wavenumber;
            q[axis] = static_cast<float>(exact_q[axis]);
        }
        const double length = square_root(exact_q[0] * exact_q[0] + exact_q[1] * exact_q[1] + exact_q[2] * exact_q[2]);
        const double change = (directions.size_u + directions.size_v) * wavenumber;
        for (int axis = 0; axis < 3; ++axis) {
            const double* row = group.reference + 3 * axis;
            const double size = group.lengths[axis], spread = group.spreads[axis];
            const double u =
                (row[0] * directions.u[0] + row[1] * directions.u[1] + row[2] * directions.u[2]) * wavenumber;
            const double v =
                (row[0] * directions.v[0] + row[1] * directions.v[1] + row[2] * directions.v[2]) * wavenumber;
            reach.along_u[axis] = static_cast<float>(u);
            reach.along_v[axis] = static_cast<float>(v);
            reach.per_pixel[axis] = static_cast<float>((u < 0.0 ? -u : u) + (v < 0.0 ? -v : v));
            reach.margin[axis] = static_cast<float>(spread * change * half + size * directions.error * wavenumber +
                                                    INDEX_ROUNDING * size * (length + change * half));
            centre[axis] = static_cast<float>(row[0] * exact_q[0] + row[1] * exact_q[1] + row[2] * exact_q[2]);
            group_widths[axis] = static_cast<float>(spread * length);
        }
        reach.scale = static_cast<float>(scale);
        float widths[3];
        reach.half_widths(static_cast<float>(half), widths);
        for (int axis = 0; axis < 3; ++axis) group_widths[axis] += widths[axis];
        return reach;
    }

    // F^2 F_latt^2 of the nearest reflection, at the least distance from it in the tile.
    CUPYSIM_OUTLINE double estimate_group(const TileDirections& directions, const Source& source,
                                          const OrientationGroup& group, double half) const {
        float q[3], centre[3], group_widths[3], widths[3];
        const GroupReach reach = reach_of(directions, source, group, 1.0, q, centre, group_widths);
        const FactorTable<Policy> table = factor_table<Policy>(launch, source);
        const float nothing[3] = {0.0f, 0.0f, 0.0f};
        const float squared = largest_factor_squared<factors>(launch, table, source.channel, centre, nothing);
        const Crystal& crystal = launch.crystals[group.crystal];
        reach.half_widths(static_cast<float>(half), widths);
        float offsets[3];
        for (int axis = 0; axis < 3; ++axis) offsets[axis] = least_offset(centre[axis], widths[axis]);
        const float relative =
            SpotBound<shape>::relative(spot_size(launch, crystal), offsets[0], offsets[1], offsets[2]);
        return SpotBound<shape>::height(crystal) * static_cast<double>(squared * relative);
    }

    // Whether 0 0 0 may be the nearest reflection somewhere in the tile, in any orientation.
    CUPYSIM_OUTLINE bool is_near_direct_beam(const TileDirections& directions, double half) const {
        const double size = half * (directions.size_u + directions.size_v) + directions.error;
        for (Int number = 0; number < launch.n_sources; ++number) {
            const Source& source = launch.sources[number];
            double squared = 0.0;
            for (int axis = 0; axis < 3; ++axis) {
                const double change = directions.centre[axis] - source.incident[axis];
                squared += change * change;
            }
            if (square_root(squared) - size <= launch.largest_direct * source.wavelength) return true;
        }
        return false;
    }

    // Tests a group for a source and a layer, and computes the terms that are left.
    CUPYSIM_FUNCTION void render_group(const TileDirections& directions, double factor, Int layer, Int number,
                                       const OrientationGroup& group) {
        const Source& source = launch.sources[number];
        const Crystal& crystal = launch.crystals[group.crystal];
        const double share = budget_left * static_cast<double>(group.count) / static_cast<double>(n_left);
        n_left -= group.count;
        const double photons = launch.photons_per_squared_electron / launch.n_steps * launch.term_scale * factor *
                               largest_term_weight(launch, source) * SpotBound<shape>::height(crystal) *
                               static_cast<double>(n_sub_pixels) * static_cast<double>(BOUND_SLACK);
        const bool is_relative = photons < LARGEST_BOUND * launch.tolerated;
        const double relative = is_relative ? photons / launch.tolerated : LARGEST_BOUND;
        float q[3], centre[3], group_widths[3];
        const GroupReach reach = reach_of(directions, source, group, relative, q, centre, group_widths);
        const FactorTable<Policy> table = factor_table<Policy>(launch, source);
        const float group_factor = largest_factor_squared<factors>(launch, table, source.channel, centre, group_widths);
        const SpotSize size = spot_size(launch, crystal);
        find_indices(group, q, group_factor);
        float widths[3];
        reach.half_widths(static_cast<float>(half_extent(launch, TILE_EDGE)), widths);
        set_bounds<shape>(whole, size, widths, reach.scale);
        const float budget = is_relative ? static_cast<float>(share * (1.0 - 1e-4)) : 0.0f;
        const float spent = keep_largest(whole, budget);
        survivors.n_nodes = survivors.n_numbers = 0;
        float most_spent = spent;
        if (whole.count > 0) {
            most_spent = larger(test_quarters(reach, size, table, source.channel, budget, spent), spent);
        }
        budget_left = larger(budget_left - static_cast<double>(most_spent) * (1.0 + 1e-4), 0.0);
        if (survivors.n_nodes > 0) compute_nodes(layer, number, group);
    }

    // Miller indices of all orientations at the tile's centre.
    CUPYSIM_OUTLINE void find_indices(const OrientationGroup& group, const float q[3], float factor) {
        const Int stride = launch.compact_stride;
        const float* m = launch.compact_matrices + group.first;
        const float x = q[0], y = q[1], z = q[2];
        whole.count = static_cast<int>(group.count);
        FOR_SOME_LANES(i, whole.count) {
            whole.h[i] = m[i] * x + m[i + stride] * y + m[i + 2 * stride] * z;
            whole.k[i] = m[i + 3 * stride] * x + m[i + 4 * stride] * y + m[i + 5 * stride] * z;
            whole.l[i] = m[i + 6 * stride] * x + m[i + 7 * stride] * y + m[i + 8 * stride] * z;
            whole.factor[i] = factor;
            whole.number[i] = static_cast<short>(i);
        }
    }

    // Fills the candidates of a part of a node, at an offset in pixels.
    CUPYSIM_OUTLINE void move_to(const GroupReach& reach, const Candidates& from, float fast, float slow,
                                 Candidates& to) const {
        const float h = fast * reach.along_u[0] + slow * reach.along_v[0];
        const float k = fast * reach.along_u[1] + slow * reach.along_v[1];
        const float l = fast * reach.along_u[2] + slow * reach.along_v[2];
        to.count = from.count;
        FOR_SOME_LANES(i, from.count) {
            to.h[i] = from.h[i] + h;
            to.k[i] = from.k[i] + k;
            to.l[i] = from.l[i] + l;
            to.factor[i] = from.factor[i];
            to.number[i] = from.number[i];
        }
    }

    // Tests the quarters of the tile, and their quads. Returns the largest sum of bounds left out in a node.
    CUPYSIM_FUNCTION float test_quarters(const GroupReach& reach, const SpotSize& size,
                                         const FactorTable<Policy>& table, Int channel, float budget, float spent) {
        float most_spent = spent;
        float widths[3], quad_widths[3];
        reach.half_widths(static_cast<float>(half_extent(launch, 4)), widths);
        reach.half_widths(static_cast<float>(half_extent(launch, 2)), quad_widths);
        for (int part = 0; part < 4; ++part) {
            const float fast = part & 1 ? 2.0f : -2.0f, slow = part & 2 ? 2.0f : -2.0f;
            move_to(reach, whole, fast, slow, quarter);
            if constexpr (factors != CONSTANT) {
                for (int i = 0; i < quarter.count; ++i) {
                    const float centre[3] = {quarter.h[i], quarter.k[i], quarter.l[i]};
                    quarter.factor[i] = largest_factor_squared<factors>(launch, table, channel, centre, widths);
                }
            }
            set_bounds<shape>(quarter, size, widths, reach.scale);
            const float spent_here = spent + keep_largest(quarter, budget - spent);
            const float left = static_cast<float>(quarter.count);
            if (part == 0 && left > LARGE_SHARE * static_cast<float>(whole.count)) {
                survivors.add(0, QUADS, whole);
                return spent;
            }
            most_spent = larger(most_spent, spent_here);
            if (quarter.count == 0) continue;
            for (int piece = 0; piece < 4; ++piece) {
                move_to(reach, quarter, piece & 1 ? 1.0f : -1.0f, piece & 2 ? 1.0f : -1.0f, quad);
                set_bounds<shape>(quad, size, quad_widths, reach.scale);
                const float spent_in_quad = spent_here + keep_largest(quad, budget - spent_here);
                const bool is_useless = piece == 0 && static_cast<float>(quad.count) > LARGE_SHARE_OF_QUADS * left;
                if (n_sub_pixels == 1 || is_useless) {
                    survivors.add(4 * part, 4, quarter);
                    break;
                }
                most_spent = larger(most_spent, spent_in_quad);
                survivors.add(4 * part + piece, 1, quad);
            }
        }
        return most_spent;
    }

    // Computes the rays of a source to the sub-pixels from `first` on.
    CUPYSIM_OUTLINE void prepare(Int layer, Int source, Int first) {
        pixels.aim(layer, first);
        if (prepared_layer == layer && prepared_source == source && prepared_first == first) return;
        prepared_layer = layer;
        prepared_source = source;
        prepared_first = first;
        rays.set_count(pixels.n_aimed);
        RayConstants<Policy> ray;
        for (int sub_pixel = 0; sub_pixel < rays.n_sub_pixels; ++sub_pixel) {
            const bool is_filling = sub_pixel >= pixels.n_aimed;
            const bool is_reached = !is_filling && prepare_source(launch, pixels.aimed[sub_pixel], source, ray);
            if (!is_reached) {
                FOR_LANES(i) {
                    set_scattering(ray.q, i, 0.0, 0.0, 0.0);
                    ray.active[i] = 0.0;
                }
            }
            for (int i = 0; i < LANES; ++i) {
                const int at = rays.place(i, sub_pixel);
                RayConstants<Policy>& block = rays.blocks[at / LANES];
                copy_lane(block.q, at % LANES, ray.q, i);
                block.active[at % LANES] = ray.active[i];
                block.scale[at % LANES] = ray.scale[i];
            }
        }
        for (int block = 0; block < rays.n_sub_pixels; ++block) {
            rays.blocks[block].table = factor_table<Policy>(launch, launch.sources[source]);
            rays.blocks[block].constant_factor = static_cast<typename Policy::Real>(launch.constant_factor);
            rays.blocks[block].grid = static_cast<typename Policy::Real>(launch.grid);
        }
    }

    // Adds the terms of the nodes that are left to their pixels.
    CUPYSIM_FUNCTION void compute_nodes(Int layer, Int source, const OrientationGroup& group) {
        pixels.begin();
        const auto constants = crystal_constants<Policy>(launch, group.crystal);
        const auto* matrices = matrix_of<Policy>(launch, group.first);
        for (Int first = 0; first < n_sub_pixels; first += MOST_SUB_PIXELS) {
            prepare(layer, source, first);
            const int each = QUAD_LANES * rays.n_sub_pixels;
            for (int number = 0; number < survivors.n_nodes; ++number) {
                const Node& node = survivors.nodes[number];
                const Listed<Policy> listed = {matrices, survivors.numbers + node.first};
                int begin = node.first_quad * each;
                const int end = begin + node.n_quads * each;
                const int n_pixels = pixels.count(node.first_quad * QUAD_LANES, node.n_quads * QUAD_LANES);
                computed += static_cast<Int>(n_pixels) * pixels.n_aimed * node.count;
                for (; begin < end; begin += WIDTH) add_lanes(constants, listed, node.count, begin);
            }
        }
    }

    // Adds terms to `WIDTH` lanes.
    CUPYSIM_OUTLINE void add_lanes(const CrystalConstants<Policy>& constants, const Listed<Policy>& listed, int count,
                                   int begin) {
        double sums[WIDTH];
        FOR_SOME_LANES(i, WIDTH) sums[i] = 0.0;
        add_terms<Policy, shape, factors, WIDTH>(rays.blocks[begin / LANES], constants, listed, count, begin % LANES,
                                                 sums);
        for (int i = 0; i < WIDTH; ++i) pixels.pixels.total[rays.lane(begin + i)] += sums[i];
    }
};

template <class Policy, Shape shape, Factors factors>
CUPYSIM_FUNCTION void render_tile(const Launch& launch, Int first) {
    TileRenderer<Policy, shape, factors> renderer(launch, first / LANES);
    renderer.render();
}

template <class Policy, Shape shape, Factors factors>
CUPYSIM_FUNCTION void estimate_tile(const Launch& launch, Int first) {
    TileRenderer<Policy, shape, factors> renderer(launch, first / LANES);
    renderer.estimate();
}

}  // namespace cupysim
