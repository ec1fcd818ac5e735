// Photons of a tile of pixels and their derivatives within a tolerance, on a CPU. Orientations are left out as for
// images (`culled_block.cuh`), with bounds that are also those of derivatives, for the whole tile at once.
#pragma once
#include "candidates.cuh"
#include "tile_columns.cuh"

namespace cupysim {

// Keeps the orientations of a group that must be computed in the whole tile. Returns the sum of the bounds of the
// others.
template <Shape shape, Factors factors>
CUPYSIM_OUTLINE float keep_slopes(const Launch& launch, const TileBounds<Double, shape, factors>& bounds,
                                  const GroupTest& test, const Source& source, float limit, Candidates& all) {
    const double half = half_extent(launch, TILE_EDGE);
    float widths[3];
    test.reach.half_widths(half, half, widths);
    set_bounds<SlopeBound<shape, factors>>(all, test.size, widths, test.reach.scale);
    const float spent = keep_largest(all, limit);
    if constexpr (factors == CONSTANT) {
        return spent;
    } else {
        // those that are left have a bound of F each
        const FactorTable<Double> table = bounds.table_of(source);
        for (int i = 0; i < all.count; ++i) {
            const float centre[3] = {all.h[i], all.k[i], all.l[i]};
            all.factor[i] = largest_factor_squared<factors>(launch, table, source.channel, centre, widths);
        }
        set_bounds<SlopeBound<shape, factors>>(all, test.size, widths, test.reach.scale);
        return spent + keep_largest(all, limit - spent);
    }
}

template <Shape shape, Factors factors>
CUPYSIM_FUNCTION void differentiate_tile(const Launch& launch, Int first) {
    const Int place = first / LANES;
    const Tile tile = tile_of(launch, place);
    const TileBounds<Double, shape, factors> bounds(launch);
    const double half = half_extent(launch, TILE_EDGE);
    TileColumns<shape, factors> columns(launch, tile, 0);
    Budget budget(launch);
    Candidates candidates;
    Int computed = 0;
    double first_shortest = 0.0;
    for (Int layer = 0; layer < launch.n_layers; ++layer) {
        const TileDirections directions = directions_of(launch, cross_of(launch, tile, half, layer), half);
        if (layer == 0) first_shortest = directions.shortest;
        const double weights = bounds.largest_factors(directions, first_shortest, layer);
        for (Int number = 0; number < launch.n_sources; ++number) {
            const Source& source = launch.sources[number];
            for (Int i = 0; i < launch.n_orientation_groups; ++i) {
                const OrientationGroup& group = launch.orientation_groups[i];
                const GroupTest test = bounds.test_of(directions, weights, source, group);
                const float share = budget.next(group.count), limit = test.is_relative ? share : 0.0f;
                find_indices(launch, group, test, candidates);
                budget.spend(keep_slopes(launch, bounds, test, source, limit, candidates));
                if (candidates.count == 0) continue;
                columns.add(layer, number, group, candidates.number, candidates.count);
                computed += candidates.count;
            }
        }
    }
    columns.store();
    launch.computed_terms[place] = computed * launch.oversample * launch.oversample * TILE_LANES;
}

}  // namespace cupysim
