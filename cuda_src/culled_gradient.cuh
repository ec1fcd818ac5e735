// Photons of a tile of pixels and their derivatives within a tolerance, on a CPU. Orientations are left out as for
// images (`culled_block.cuh`), with bounds that are also those of derivatives. They are tested for the tile, and, if
// pixels have sub-pixels, for its four quarters.
#pragma once
#include "candidates.cuh"
#include "tile_columns.cuh"

namespace cupysim {

constexpr int QUARTERS = 4;

// Makes a ray add nothing.
CUPYSIM_FUNCTION void leave_out(RayConstants<Double>& ray) {
    FOR_LANES(i) {
        set_scattering(ray.q, i, 0.0, 0.0, 0.0);
        ray.active[i] = ray.scale[i] = 0.0;
    }
}

CUPYSIM_FUNCTION void copy_ray(const RayConstants<Double>& from, int i, RayConstants<Double>& to, int j) {
    to.q.x[j] = from.q.x[i];
    to.q.y[j] = from.q.y[i];
    to.q.z[j] = from.q.z[i];
    to.active[j] = from.active[i];
    to.scale[j] = from.scale[i];
}

// Columns of a tile, which may have another list of orientations in each quarter.
template <Shape shape, Factors factors>
class QuarterColumns : public TileColumns<shape, factors> {
  public:
    using Base = TileColumns<shape, factors>;
    using Base::add;
    using Base::Base;

    // Adds a list for each quarter of the tile.
    CUPYSIM_OUTLINE void add_quarters(Int layer, Int source, const OrientationGroup& group,
                                      const Candidates lists[QUARTERS]) {
        bool is_empty = true;
        for (int part = 0; part < QUARTERS; ++part) is_empty = is_empty && lists[part].count == 0;
        if (is_empty) return;
        for (Int first = 0; first < n_sub_pixels; first += AT_ONCE) {
            const int n = static_cast<int>(n_sub_pixels - first < AT_ONCE ? n_sub_pixels - first : AT_ONCE);
            for (int s = 0; s < AT_ONCE; ++s) {
                clear(sums[s]);
                const bool is_reached = s < n && aim(ray_to(layer, first + s, source), rays[s]);
                if (!is_reached) leave_out(rays[s]);
                blocks[s] = aimed;
            }
            for (int part = 0; part < QUARTERS; ++part) {
                if (lists[part].count > 0) add_quarter(source, group, lists[part], part);
            }
            double nothing[LANES];
            FOR_LANES(i) nothing[i] = 0.0;
            for (int s = 0; s < n; ++s) {
                add_ray(launch, blocks[s], ray_to(layer, first + s, source), nothing, sums[s], columns);
            }
        }
    }

  private:
    // Sub-pixels that are computed together: their pixels of a quarter fill the lanes of a block.
    static constexpr int EACH = TILE_LANES / QUARTERS, AT_ONCE = LANES / EACH;

    PixelBlock blocks[AT_ONCE];
    RayConstants<Double> rays[AT_ONCE];
    RaySums sums[AT_ONCE];

    using Base::add_list;
    using Base::aim;
    using Base::aimed;
    using Base::columns;
    using Base::launch;
    using Base::n_sub_pixels;
    using Base::ray_to;

    // Adds the list of one quarter for the sub-pixels that were prepared.
    CUPYSIM_FUNCTION void add_quarter(Int source, const OrientationGroup& group, const Candidates& list, int part) {
        RayConstants<Double> packed;
        packed.table = factor_table<Double>(launch, launch.sources[source]);
        packed.constant_factor = launch.constant_factor;
        packed.grid = launch.grid;
        for (int s = 0; s < AT_ONCE; ++s) {
            for (int i = 0; i < EACH; ++i) copy_ray(rays[s], part * EACH + i, packed, s * EACH + i);
        }
        RaySums of_list;
        Columns some;
        clear(of_list);
        clear(some);
        add_list(packed, group, list.number, list.count, of_list, some);
        for (int s = 0; s < AT_ONCE; ++s) {
            const int from = s * EACH, to = part * EACH;
            FOR_SOME_LANES(i, EACH) {
                sums[s].terms[to + i] += of_list.terms[from + i];
                for (int axis = 0; axis < 3; ++axis) {
                    sums[s].scattering[axis][to + i] += of_list.scattering[axis][from + i];
                }
            }
            for (int column = 0; column < FORMS; ++column) {
                FOR_SOME_LANES(i, EACH) columns.of[column][to + i] += some.of[column][from + i];
            }
        }
    }
};

// Differentiates one tile.
template <Shape shape, Factors factors>
class TileDifferentiator {
  public:
    CUPYSIM_FUNCTION TileDifferentiator(const Launch& launch, Int place)
        : launch(launch), tile(tile_of(launch, place)), bounds(launch), columns(launch, tile, 0), budget(launch) {}

    // Returns the number of terms.
    CUPYSIM_FUNCTION Int differentiate() {
        const double half = half_extent(launch, TILE_EDGE);
        double first_shortest = 0.0;
        for (Int layer = 0; layer < launch.n_layers; ++layer) {
            const TileDirections directions = directions_of(launch, cross_of(launch, tile, half, layer), half);
            if (layer == 0) first_shortest = directions.shortest;
            const double weights = bounds.largest_factors(directions, first_shortest, layer);
            for (Int source = 0; source < launch.n_sources; ++source) {
                for (Int i = 0; i < launch.n_orientation_groups; ++i) {
                    differentiate_group(directions, weights, layer, source, launch.orientation_groups[i]);
                }
            }
        }
        columns.store();
        return computed * launch.oversample * launch.oversample;
    }

  private:
    using Bound = SlopeBound<shape, factors>;

    const Launch& launch;
    const Tile tile;
    const TileBounds<Double, shape, factors> bounds;
    QuarterColumns<shape, factors> columns;
    Budget budget;
    Candidates whole, quarters[QUARTERS];
    Int computed = 0;  // orientations times pixels

    CUPYSIM_FUNCTION void differentiate_group(const TileDirections& directions, double weights, Int layer, Int number,
                                              const OrientationGroup& group) {
        const Source& source = launch.sources[number];
        const GroupTest test = bounds.test_of(directions, weights, source, group);
        const float share = budget.next(group.count), limit = test.is_relative ? share : 0.0f;
        find_indices(launch, group, test, whole);
        float widths[3];
        const double half = half_extent(launch, TILE_EDGE);
        test.reach.half_widths(half, half, widths);
        set_bounds<Bound>(whole, test.size, widths, test.reach.scale);
        float spent = keep_largest(whole, limit);
        const bool in_quarters = launch.oversample > 1 && whole.count > 0;
        if (in_quarters && test_quarters(test, source, limit, spent)) {
            columns.add_quarters(layer, number, group, quarters);
            constexpr int EACH = TILE_LANES / QUARTERS;
            for (int part = 0; part < QUARTERS; ++part) {
                computed += quarters[part].count * tile.count(part * EACH, EACH);
            }
        } else {
            // with one sub-pixel, a quarter fills too few lanes: the tile is tested again, each orientation with its F
            if (!in_quarters) {
                set_factors<factors>(whole, launch, bounds.table_of(source), source.channel, widths);
                set_bounds<Bound>(whole, test.size, widths, test.reach.scale);
                spent += keep_largest(whole, limit - spent);
            }
            if (whole.count > 0) columns.add(layer, number, group, whole.number, whole.count);
            computed += whole.count * tile.count(0, TILE_LANES);
        }
        budget.spend(spent);
    }

    // Tests the quarters of the tile. Returns false if nearly all orientations are left; otherwise, `spent` becomes the
    // largest sum of bounds left out in a quarter.
    CUPYSIM_FUNCTION bool test_quarters(const GroupTest& test, const Source& source, float limit, float& spent) {
        const FactorTable<Double> table = bounds.table_of(source);
        const double half = half_extent(launch, TILE_EDGE / 2);
        const float left = limit - spent, most = LARGE_SHARE * static_cast<float>(whole.count);
        float widths[3], most_spent = 0.0f;
        test.reach.half_widths(half, half, widths);
        if (is_sample_left<Bound, factors>(launch, table, source.channel, test, widths, left, whole, quarters[0])) {
            return false;
        }
        for (int part = 0; part < QUARTERS; ++part) {
            Candidates& quarter = quarters[part];
            move_to(test.reach, whole, whole.count, part & 1 ? 2.0f : -2.0f, part & 2 ? 2.0f : -2.0f, quarter);
            set_factors<factors>(quarter, launch, table, source.channel, widths);
            set_bounds<Bound>(quarter, test.size, widths, test.reach.scale);
            const float spent_here = keep_largest(quarter, left);
            if (part == 0 && static_cast<float>(quarter.count) > most) return false;
            most_spent = larger(most_spent, spent_here);
        }
        spent += most_spent;
        return true;
    }
};

template <Shape shape, Factors factors>
CUPYSIM_FUNCTION void differentiate_tile(const Launch& launch, Int first) {
    const Int place = first / LANES;
    launch.computed_terms[place] = TileDifferentiator<shape, factors>(launch, place).differentiate();
}

}  // namespace cupysim
