// The photons of a tile of pixels within a tolerance, on a GPU; `culled_block.cuh` has the same for a CPU.
//
// A warp renders half a tile, 8 x 4 pixels, one in each thread. It first tests a group of orientations, one in
// each thread. All threads then compute the orientations that are left together, so that none waits for
// others. A block of threads is one warp: the device starts the next one where one has ended, however long it took.
#pragma once
#include "tile_bounds.cuh"
#include "warp.cuh"

namespace cupysim {

constexpr double HALF_TILE = 4.0;  // rows of pixels of a warp

// What the threads of a warp share: the group under test, and its orientations.
struct WarpMemory {
    TileDirections directions;
    double weights;  // `TileBounds::largest_factors`
    GroupTest test;
    float bounds[MOST_TESTED];
    short numbers[MOST_TESTED];  // of those that are left
};

// Tests the orientations of half a tile with the bounds of the type `Bound`.
template <class Policy, Shape shape, Factors factors, class Bound>
class WarpTests {
  public:
    CUPYSIM_FUNCTION WarpTests(const Launch& launch, WarpMemory& memory, Int place)
        : launch(launch),
          memory(memory),
          lane(static_cast<int>(place % TILE_LANES)),
          thread(lane % WARP_SIZE),
          tile(tile_of(launch, place / TILE_LANES)),
          bounds(launch),
          budget(launch) {}

    // Tests all layers, sources and groups. One thread calls `work.begin_layer(cross, layer)` for each layer, and all
    // call `work.compute(layer, source, group, count)` for the orientations that are left, in `WarpMemory::numbers`.
    template <class Work>
    CUPYSIM_FUNCTION void visit(Work& work) {
        const double half = half_extent(launch, TILE_EDGE);
        double first_shortest = 0.0;
        for (Int layer = 0; layer < launch.n_layers; ++layer) {
            if (thread == 0) {
                const Cross cross = cross_of(launch, tile, half, layer);
                memory.directions = directions_of(launch, cross, half);
                if (layer == 0) first_shortest = memory.directions.shortest;
                work.begin_layer(cross, layer);
                memory.weights = bounds.largest_factors(memory.directions, first_shortest, layer);
            }
            for (Int source = 0; source < launch.n_sources; ++source) {
                for (Int group = 0; group < launch.n_orientation_groups; ++group) {
                    test_group(work, layer, source, launch.orientation_groups[group]);
                }
            }
        }
    }

    const Launch& launch;
    WarpMemory& memory;
    const int lane, thread;  // of the tile and of the warp
    const Tile tile;

  private:
    const TileBounds<Policy, shape, factors> bounds;
    Budget budget;

    template <class Work>
    CUPYSIM_FUNCTION void test_group(Work& work, Int layer, Int number, const OrientationGroup& group) {
        const Source& source = launch.sources[number];
        // one thread computes the test; the others read it from shared memory, and need no registers for it
        if (thread == 0) memory.test = bounds.test_of(memory.directions, memory.weights, source, group);
        __syncwarp();
        const GroupTest& test = memory.test;
        const float share = budget.next(group.count), limit = test.is_relative ? share : 0.0f;
        const float half_height = 0.5f * static_cast<float>(HALF_TILE);
        const float shift = lane < WARP_SIZE ? -half_height : half_height;
        float widths[3];
        test.reach.half_widths(half_extent(launch, TILE_EDGE), half_extent(launch, HALF_TILE), widths);
        int count = static_cast<int>(group.count);
        for (int i = thread; i < count; i += WARP_SIZE) set_bound(test, group, i, i, shift, widths, test.factor);
        float spent = keep_largest(count, true, limit);
        if constexpr (factors != CONSTANT) {
            const FactorTable<Policy> table = bounds.table_of(source);
            for (int i = thread; i < count; i += WARP_SIZE) {
                const int orientation = memory.numbers[i];
                float indices[3];
                find_indices(test, group, orientation, shift, indices);
                const float factor = largest_factor_squared<factors>(launch, table, source.channel, indices, widths);
                set_bound(test, group, i, orientation, shift, widths, factor);
            }
            spent += keep_largest(count, false, limit - spent);
        }
        budget.spend(spent);
        if (count > 0) {
            work.compute(layer, number, group, count);
            // the list may be replaced
            __syncwarp();
        }
    }

    // Miller indices of an orientation at the centre of the half tile, `shift` rows from that of the tile.
    CUPYSIM_FUNCTION void find_indices(const GroupTest& test, const OrientationGroup& group, int orientation,
                                       float shift, float indices[3]) const {
        const Int stride = launch.compact_stride;
        const float* m = launch.compact_matrices + group.first + orientation;
        for (int axis = 0; axis < 3; ++axis) {
            const float* row = m + 3 * axis * stride;
            const float centre = row[0] * test.q[0] + row[stride] * test.q[1] + row[2 * stride] * test.q[2];
            indices[axis] = centre + shift * test.reach.along_v[axis];
        }
    }

    CUPYSIM_FUNCTION void set_bound(const GroupTest& test, const OrientationGroup& group, int place, int orientation,
                                    float shift, const float widths[3], float factor) {
        float indices[3];
        find_indices(test, group, orientation, shift, indices);
        memory.bounds[place] = bound_of<Bound>(test.size, indices[0], indices[1], indices[2], widths[0], widths[1],
                                               widths[2], factor, test.reach.scale);
    }

    // Keeps the orientations with bounds above `water_level` in the list of numbers. Returns the sum of the bounds of
    // the others. The first list has all orientations.
    CUPYSIM_FUNCTION float keep_largest(int& count, bool is_first, float limit) {
        const int n = count;
        __syncwarp();
        const float* of_warp = memory.bounds;
        const int thread = this->thread;
        const auto sum_below = [of_warp, n, thread](float level, float& total, int& below) {
            float sum = 0.0f;
            int number = 0;
            for (int i = thread; i < n; i += WARP_SIZE) {
                const bool is_below = of_warp[i] <= level;
                sum += is_below ? of_warp[i] : 0.0f;
                number += is_below ? 1 : 0;
            }
            total = sum_of_warp(sum);
            below = sum_of_warp(number);
        };
        const float level = water_level(sum_below, n, limit);
        float spent = 0.0f;
        int kept = 0;
        for (int first = 0; first < n; first += WARP_SIZE) {
            const int i = first + thread;
            const bool is_listed = i < n;
            const float bound = is_listed ? memory.bounds[i] : 0.0f;
            const short number = is_first ? static_cast<short>(i) : memory.numbers[is_listed ? i : 0];
            // a bound that is not a number is kept
            const bool is_kept = is_listed && !(bound <= level);
            spent += is_kept ? 0.0f : bound;
            const unsigned int all = __ballot_sync(WHOLE_WARP, is_kept);
            // all threads have read before one writes
            __syncwarp();
            if (is_kept) memory.numbers[kept + __popc(all & ((1u << thread) - 1u))] = number;
            kept += __popc(all);
            __syncwarp();
        }
        count = kept;
        return sum_of_warp(spent);
    }
};

template <class Policy, Shape shape, Factors factors>
class WarpRenderer {
  public:
    CUPYSIM_FUNCTION WarpRenderer(const Launch& launch, WarpMemory& memory, Int place)
        : launch(launch),
          place(place),
          tests(launch, memory, place),
          pixels(launch, tests.tile, tests.lane),
          n_sub_pixels(launch.oversample * launch.oversample),
          omega_sum(0.0),
          computed(0) {}

    CUPYSIM_FUNCTION void render() {
        if (launch.has_background || pixels.needs_all_rays()) pixels.begin();
        tests.visit(*this);
        launch.omega_sums[place] = pixels.store(omega_sum);
        launch.computed_terms[place] = tests.tile.has(tests.lane) ? computed : 0;
    }

    CUPYSIM_FUNCTION void begin_layer(const Cross& cross, Int layer) {
        if (launch.omega_use != EACH || tests.lane != 0) return;
        const double n = static_cast<double>(TILE_EDGE * launch.oversample);
        omega_sum += solid_angle_of_tile(launch, cross, half_extent(launch, TILE_EDGE), n, layer);
    }

    // Adds the terms that are left to the pixel of this thread.
    CUPYSIM_FUNCTION void compute(Int layer, Int source, const OrientationGroup& group, int count) {
        pixels.begin();
        const auto constants = crystal_constants<Policy>(launch, group.crystal);
        const Listed<Policy> listed = {matrix_of<Policy>(launch, group.first), tests.memory.numbers};
        for (Int sub_pixel = 0; sub_pixel < n_sub_pixels; ++sub_pixel) {
            PixelBlock aimed = pixels.pixels;
            aim_at(launch, aimed, {layer, sub_pixel / launch.oversample, sub_pixel % launch.oversample, 0}, true);
            RayConstants<Policy> ray;
            if (!prepare_source(launch, aimed, source, ray)) continue;
            add_terms<Policy, shape, factors, LANES>(ray, constants, listed, count, 0, pixels.pixels.total);
        }
        computed += n_sub_pixels * count;
    }

  private:
    const Launch& launch;
    const Int place;
    WarpTests<Policy, shape, factors, SpotBound<shape>> tests;
    TilePixels pixels;
    const Int n_sub_pixels;
    double omega_sum;  // of the whole tile, in the thread of its first lane
    Int computed;  // terms of this thread
};

// Renders the pixel with number `place` of the launch, together with the others of its half tile.
template <class Policy, Shape shape, Factors factors>
CUPYSIM_FUNCTION void render_tile(const Launch& launch, Int place) {
    __shared__ WarpMemory memory;
    WarpRenderer<Policy, shape, factors>(launch, memory, place).render();
}

}  // namespace cupysim
