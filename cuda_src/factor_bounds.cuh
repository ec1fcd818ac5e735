// The largest F^2 that Miller indices within bounds can reach.
#pragma once
#include "structure_factor.cuh"

namespace cupysim {

// Edge of the blocks of table entries, of which `Launch::block_maxima` has the largest |F|.
constexpr int BLOCK_EDGE = 4;
// Largest number of entries or blocks that are compared for one bound.
constexpr int MOST_COMPARED = 216;
// Largest sum of |weights| of the cubic interpolation along an axis, at x = 1/2.
constexpr float CUBIC_WEIGHTS = 1.25f;

// A range of places along the three axes of the table, both ends included.
struct PlaceRange {
    int first[3], last[3];

    CUPYSIM_FUNCTION Int size() const {
        Int n = 1;
        for (int axis = 0; axis < 3; ++axis) n *= last[axis] - first[axis] + 1;
        return n;
    }
    CUPYSIM_FUNCTION PlaceRange in_blocks() const {
        PlaceRange blocks;
        for (int axis = 0; axis < 3; ++axis) {
            blocks.first[axis] = first[axis] / BLOCK_EDGE;
            blocks.last[axis] = last[axis] / BLOCK_EDGE;
        }
        return blocks;
    }
};

// The table entries, with the border, that `factors` reads at indices from `low` to `high` along an axis.
template <Factors factors>
CUPYSIM_FUNCTION void reach_along(const Launch& launch, int axis, float low, float high, PlaceRange& range) {
    const float before = static_cast<float>(launch.first_index[axis] - 1);
    const float end = static_cast<float>(launch.table_shape[axis] - 1);
    float first = floorf(low + 0.5f) - before, last = floorf(high + 0.5f) - before;
    if constexpr (factors == TRICUBIC) {
        first = floorf(low) - 1.0f - before;
        last = floorf(high) + 2.0f - before;
    }
    range.first[axis] = static_cast<int>(smaller(larger(first, 0.0f), end));
    range.last[axis] = static_cast<int>(smaller(larger(last, 0.0f), end));
}

// The largest |value| of a range of a table with rows of n_k x n_l entries.
template <class Real>
CUPYSIM_FUNCTION float largest_of(const Real* values, const PlaceRange& range, int n_k, int n_l) {
    float largest = 0.0f;
    for (int h = range.first[0]; h <= range.last[0]; ++h) {
        for (int k = range.first[1]; k <= range.last[1]; ++k) {
            const Real* row = values + (h * n_k + k) * n_l;
            for (int l = range.first[2]; l <= range.last[2]; ++l) {
                largest = larger(fabsf(static_cast<float>(row[l])), largest);
            }
        }
    }
    return largest;
}

// The bound of F^2, relative to the largest F^2 of the table, for indices within `half` of the centre.
template <Factors factors, class Policy>
CUPYSIM_FUNCTION float largest_factor_squared(const Launch& launch, const FactorTable<Policy>& table, Int channel,
                                              const float centre[3], const float half[3]) {
    if constexpr (factors == CONSTANT) {
        return 1.0f;
    } else {
        PlaceRange range;
        for (int axis = 0; axis < 3; ++axis) {
            reach_along<factors>(launch, axis, centre[axis] - half[axis], centre[axis] + half[axis], range);
        }
        float largest = 1.0f;
        if (range.size() <= MOST_COMPARED) {
            largest = largest_of(table.values, range, table.n_k, table.n_l);
        } else {
            const PlaceRange blocks = range.in_blocks();
            const int n_k = (table.n_k - 1) / BLOCK_EDGE + 1, n_l = (table.n_l - 1) / BLOCK_EDGE + 1;
            if (blocks.size() <= MOST_COMPARED) {
                largest = largest_of(launch.block_maxima + channel * launch.blocks_of_channel, blocks, n_k, n_l);
            }
        }
        const float weights = factors == TRICUBIC ? CUBIC_WEIGHTS * CUBIC_WEIGHTS * CUBIC_WEIGHTS : 1.0f;
        // a float next to the largest one may be rounded down
        return largest * largest * weights * weights * 1.000001f;
    }
}

}  // namespace cupysim
