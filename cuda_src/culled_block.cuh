// The photons of a tile of pixels within a tolerance. Orientations are left out where the sum of their upper
// bounds stays below the tolerance in every pixel. The derivation is in `docs/tolerance.md`.
//
// A group of neighbouring orientations is tested for the tile, then for its four quarters, then for the
// quarters of these, each time with the orientations that are left. Tests compute in single precision, with
// margins for rounding. The terms that are left are those of `render_block`.
#pragma once
#include "candidates.cuh"

namespace cupysim {

// Quads of 2 x 2 pixels of a tile. The lanes of a quad follow each other.
constexpr int QUADS = 16;
constexpr int QUAD_LANES = LANES / QUADS;
// Rays that are computed together.
constexpr int WIDTH = 16;
// Largest number of sub-pixels whose directions are kept at once.
constexpr int MOST_SUB_PIXELS = 16;

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

// The rays of a tile for one layer, source and range of sub-pixels. The lanes of a quad of pixels follow each
// other: all pixels of its first sub-pixel, of the next one, and so on. Several sub-pixels are filled up to a
// multiple of WIDTH lanes in a quad, with rays that add nothing.
template <class Policy>
struct TileRays {
    RayConstants<Policy> blocks[MOST_SUB_PIXELS];
    unsigned char lanes[MOST_SUB_PIXELS * LANES];  // of the tile, by place
    int n_sub_pixels;

    // `is_only` means that a pixel has one sub-pixel only. No node is then a single quad.
    CUPYSIM_FUNCTION void set_count(int count, bool is_only) {
        constexpr int EACH_TIME = WIDTH / QUAD_LANES;
        n_sub_pixels = is_only ? 1 : (count + EACH_TIME - 1) / EACH_TIME * EACH_TIME;
    }

    CUPYSIM_FUNCTION int place(int lane, int sub_pixel) const {
        return (lane / QUAD_LANES * n_sub_pixels + sub_pixel) * QUAD_LANES + lane % QUAD_LANES;
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

// Renders one tile.
template <class Policy, Shape shape, Factors factors>
class TileRenderer {
  public:
    CUPYSIM_FUNCTION TileRenderer(const Launch& launch, Int place)
        : launch(launch),
          place(place),
          tile(tile_of(launch, place)),
          bounds(launch),
          pixels(launch, tile, 0),
          n_sub_pixels(launch.oversample * launch.oversample),
          aimed_layer(-1),
          prepared_source(-1),
          computed(0),
          budget(launch) {}

    CUPYSIM_FUNCTION void render() {
        // all rays are needed, and can be kept: none is computed twice
        const bool is_dense = pixels.needs_all_rays() && launch.n_sources == 1 && n_sub_pixels <= MOST_SUB_PIXELS;
        if (is_dense) {
            pixels.begin_without_rays();
        } else if (launch.has_background || pixels.needs_all_rays()) {
            pixels.begin();
        }
        const double half = half_extent(launch, TILE_EDGE);
        double omega_sum = 0.0, first_shortest = 0.0;
        for (Int layer = 0; layer < launch.n_layers; ++layer) {
            const Cross cross = cross_of(launch, tile, half, layer);
            const TileDirections directions = directions_of(launch, cross, half);
            if (layer == 0) first_shortest = directions.shortest;
            if (launch.omega_use == EACH) {
                const double n = static_cast<double>(TILE_EDGE * launch.oversample);
                omega_sum += solid_angle_of_tile(launch, cross, half, n, layer);
            }
            const double weights = bounds.largest_factors(directions, first_shortest, layer);
            if (is_dense) prepare_all(layer);
            for (Int source = 0; source < launch.n_sources; ++source) {
                for (Int group = 0; group < launch.n_orientation_groups; ++group) {
                    render_group(directions, weights, layer, source, launch.orientation_groups[group]);
                }
            }
        }
        launch.omega_sums[place] = pixels.store(omega_sum);
        launch.computed_terms[place] = computed;
    }

  private:
    const Launch& launch;
    const Int place;
    const Tile tile;
    const TileBounds<Policy, shape, factors> bounds;
    TilePixels pixels;
    const Int n_sub_pixels;
    PixelBlock aimed[MOST_SUB_PIXELS];  // at the sub-pixels of the last `aim`
    int n_aimed;
    Int aimed_layer, aimed_first;
    Int prepared_layer, prepared_source, prepared_first;
    TileRays<Policy> rays;
    Candidates whole, quarter, quad;
    Survivors survivors;
    Int computed;  // terms
    Budget budget;

    // Tests a group for a source and a layer, and computes the terms that are left.
    CUPYSIM_FUNCTION void render_group(const TileDirections& directions, double weights, Int layer, Int number,
                                       const OrientationGroup& group) {
        const Source& source = launch.sources[number];
        const GroupTest test = bounds.test_of(directions, weights, source, group);
        const float share = budget.next(group.count), limit = test.is_relative ? share : 0.0f;
        find_indices(launch, group, test, whole);
        survivors.n_nodes = survivors.n_numbers = 0;
        if (is_hopeless(test, limit)) {
            survivors.add(0, QUADS, whole);
            compute_nodes(layer, number, group);
            return;
        }
        float widths[3];
        const double half = half_extent(launch, TILE_EDGE);
        test.reach.half_widths(half, half, widths);
        set_bounds<SpotBound<shape>>(whole, test.size, widths, test.reach.scale);
        const float spent = keep_largest(whole, limit);
        float most_spent = spent;
        if (whole.count > 0) most_spent = larger(test_quarters(test, source, limit, spent), spent);
        budget.spend(most_spent);
        if (survivors.n_nodes > 0) compute_nodes(layer, number, group);
    }

    // Whether the smallest nodes are so large that even indices as far from reflections as possible have bounds
    // above the limit. Tests would then only find small structure factors.
    CUPYSIM_FUNCTION bool is_hopeless(const GroupTest& test, float limit) const {
        const double half = half_extent(launch, n_sub_pixels == 1 ? 4 : 2);
        float widths[3];
        test.reach.half_widths(half, half, widths);
        const float middle = 0.5f;
        return bound_of<SpotBound<shape>>(test.size, middle, middle, middle, widths[0], widths[1], widths[2],
                                          test.factor, test.reach.scale) > limit;
    }

    // Tests the quarters of the tile, and their quads. Returns the largest sum of bounds left out in a node.
    CUPYSIM_FUNCTION float test_quarters(const GroupTest& test, const Source& source, float limit, float spent) {
        const GroupReach& reach = test.reach;
        const SpotSize& size = test.size;
        const FactorTable<Policy> table = bounds.table_of(source);
        const double half = half_extent(launch, 4), quad_half = half_extent(launch, 2);
        float most_spent = spent;
        float widths[3], quad_widths[3];
        reach.half_widths(half, half, widths);
        reach.half_widths(quad_half, quad_half, quad_widths);
        if (is_sample_left<SpotBound<shape>, factors>(launch, table, source.channel, test, widths, limit - spent, whole,
                                                      quarter)) {
            survivors.add(0, QUADS, whole);
            return spent;
        }
        for (int part = 0; part < 4; ++part) {
            const float fast = part & 1 ? 2.0f : -2.0f, slow = part & 2 ? 2.0f : -2.0f;
            move_to(reach, whole, whole.count, fast, slow, quarter);
            set_factors<factors>(quarter, launch, table, source.channel, widths);
            set_bounds<SpotBound<shape>>(quarter, size, widths, reach.scale);
            const float spent_here = spent + keep_largest(quarter, limit - spent);
            const float left = static_cast<float>(quarter.count);
            if (part == 0 && left > LARGE_SHARE * static_cast<float>(whole.count)) {
                survivors.add(0, QUADS, whole);
                return spent;
            }
            most_spent = larger(most_spent, spent_here);
            if (quarter.count == 0) continue;
            for (int piece = 0; piece < 4; ++piece) {
                move_to(reach, quarter, quarter.count, piece & 1 ? 1.0f : -1.0f, piece & 2 ? 1.0f : -1.0f, quad);
                set_bounds<SpotBound<shape>>(quad, size, quad_widths, reach.scale);
                const float spent_in_quad = spent_here + keep_largest(quad, limit - spent_here);
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

    // Aims at the sub-pixels of a layer from number `first` on, after `pixels.begin`.
    CUPYSIM_OUTLINE void aim(Int layer, Int first) {
        if (aimed_layer == layer && aimed_first == first) return;
        const Int oversample = launch.oversample, left = n_sub_pixels - first;
        n_aimed = static_cast<int>(left < MOST_SUB_PIXELS ? left : MOST_SUB_PIXELS);
        for (int i = 0; i < n_aimed; ++i) {
            const Int sub_pixel = first + i;
            aimed[i] = pixels.pixels;
            aim_at(launch, aimed[i], {layer, sub_pixel / oversample, sub_pixel % oversample, 0}, true);
        }
        aimed_layer = layer;
        aimed_first = first;
    }

    // Puts a ray in its place. A ray that reaches no pixel adds nothing.
    CUPYSIM_FUNCTION void put_ray(RayConstants<Policy>& ray, int sub_pixel, bool is_reached) {
        if (!is_reached) {
            FOR_LANES(i) {
                set_scattering(ray.q, i, 0.0, 0.0, 0.0);
                ray.active[i] = 0.0;
            }
        }
        for (int i = 0; i < LANES; ++i) {
            const int at = rays.place(i, sub_pixel);
            rays.lanes[at] = static_cast<unsigned char>(i);
            RayConstants<Policy>& block = rays.blocks[at / LANES];
            copy_lane(block.q, at % LANES, ray.q, i);
            block.active[at % LANES] = ray.active[i];
            block.scale[at % LANES] = ray.scale[i];
        }
    }

    // Fills the rays that are missing up to the number of rays, and what all rays have in common.
    CUPYSIM_FUNCTION void complete_rays(RayConstants<Policy>& ray, Int source) {
        for (int sub_pixel = n_aimed; sub_pixel < rays.n_sub_pixels; ++sub_pixel) put_ray(ray, sub_pixel, false);
        for (int block = 0; block < rays.n_sub_pixels; ++block) {
            rays.blocks[block].table = bounds.table_of(launch.sources[source]);
            rays.blocks[block].constant_factor = static_cast<typename Policy::Real>(launch.constant_factor);
            rays.blocks[block].grid = static_cast<typename Policy::Real>(launch.grid);
        }
    }

    // Computes the rays of a source to the sub-pixels from `first` on.
    CUPYSIM_OUTLINE void prepare(Int layer, Int source, Int first) {
        if (prepared_layer == layer && prepared_source == source && prepared_first == first) return;
        prepared_layer = layer;
        prepared_source = source;
        prepared_first = first;
        aim(layer, first);
        rays.set_count(n_aimed, n_sub_pixels == 1);
        RayConstants<Policy> ray;
        for (int sub_pixel = 0; sub_pixel < n_aimed; ++sub_pixel) {
            put_ray(ray, sub_pixel, prepare_source(launch, aimed[sub_pixel], source, ray));
        }
        complete_rays(ray, source);
    }

    // Computes all rays of a layer in the order of `render_block`, with the background and the factors that are
    // used once. There must be only one source.
    CUPYSIM_OUTLINE void prepare_all(Int layer) {
        prepared_layer = layer;
        prepared_source = 0;
        prepared_first = 0;
        n_aimed = static_cast<int>(n_sub_pixels);
        rays.set_count(n_aimed, n_sub_pixels == 1);
        RayConstants<Policy> ray;
        Ray number = ray_of(launch, layer * n_sub_pixels);
        for (int sub_pixel = 0; sub_pixel < n_aimed; ++sub_pixel, next_ray(launch, number)) {
            const bool is_first = layer == 0 && sub_pixel == 0;
            put_ray(ray, sub_pixel, prepare_ray(launch, pixels.pixels, number, is_first, ray));
        }
        complete_rays(ray, 0);
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
                const int n_pixels = tile.count(node.first_quad * QUAD_LANES, node.n_quads * QUAD_LANES);
                computed += static_cast<Int>(n_pixels) * n_aimed * node.count;
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
        for (int i = 0; i < WIDTH; ++i) pixels.pixels.total[rays.lanes[begin + i]] += sums[i];
    }
};

template <class Policy, Shape shape, Factors factors>
CUPYSIM_FUNCTION void render_tile(const Launch& launch, Int first) {
    TileRenderer<Policy, shape, factors> renderer(launch, first / LANES);
    renderer.render();
}

}  // namespace cupysim
