// Orientations that are tested for a tile within a tolerance, on a CPU.
#pragma once
#include "tile_bounds.cuh"

namespace cupysim {

// If more than this share of the orientations of a node is left in its first quarter, the other quarters are
// not tested: a test of a quad takes longer, compared with its terms.
constexpr float LARGE_SHARE = 0.9f, LARGE_SHARE_OF_QUADS = 0.7f;
// Number of orientations that show whether a node has such a share. If many orientations of a tile are left,
// most of its nodes have such a share.
constexpr int SAMPLE = 16;

// Orientations under test: Miller indices at the centre of a node, bounds of F^2 and of their photons, and
// their numbers in the group.
struct Candidates {
    float h[MOST_TESTED], k[MOST_TESTED], l[MOST_TESTED];
    float factor[MOST_TESTED];
    float bound[MOST_TESTED];
    short number[MOST_TESTED];
    int count;
};

// Keeps the candidates with bounds above `water_level`. Returns the sum of the bounds of the others.
CUPYSIM_OUTLINE float keep_largest(Candidates& all, float budget) {
    const float* bounds = all.bound;
    const int n = all.count;
    const auto sum_below = [bounds, n](float level, float& sum, int& number) {
        float total = 0.0f;
        int below = 0;
#pragma omp simd reduction(+ : total, below)
        for (int i = 0; i < n; ++i) {
            const bool is_below = bounds[i] <= level;
            total += is_below ? bounds[i] : 0.0f;
            below += is_below ? 1 : 0;
        }
        sum = total;
        number = below;
    };
    const float level = water_level(sum_below, n, budget);
    float spent = 0.0f;
    int kept = 0;
    for (int i = 0; i < n; ++i) {
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

// Fills the candidates of a part of a node, at an offset in pixels, from the first `count` of the node.
CUPYSIM_OUTLINE void move_to(const GroupReach& reach, const Candidates& from, int count, float fast, float slow,
                             Candidates& to) {
    const float h = fast * reach.along_u[0] + slow * reach.along_v[0];
    const float k = fast * reach.along_u[1] + slow * reach.along_v[1];
    const float l = fast * reach.along_u[2] + slow * reach.along_v[2];
    to.count = count;
    FOR_SOME_LANES(i, count) {
        to.h[i] = from.h[i] + h;
        to.k[i] = from.k[i] + k;
        to.l[i] = from.l[i] + l;
        to.factor[i] = from.factor[i];
        to.number[i] = from.number[i];
    }
}

// Gives each candidate the bound of its own F^2.
template <Factors factors, class Policy>
CUPYSIM_OUTLINE void set_factors(Candidates& all, const Launch& launch, const FactorTable<Policy>& table, Int channel,
                                 const float widths[3]) {
    if constexpr (factors == CONSTANT) return;
    for (int i = 0; i < all.count; ++i) {
        const float centre[3] = {all.h[i], all.k[i], all.l[i]};
        all.factor[i] = largest_factor_squared<factors>(launch, table, channel, centre, widths);
    }
}

template <class Bound>
CUPYSIM_OUTLINE void set_bounds(Candidates& all, const SpotSize& size, const float widths[3], float scale) {
    const float wh = widths[0], wk = widths[1], wl = widths[2];
    const SpotSize local = size;
    FOR_SOME_LANES(i, all.count) {
        all.bound[i] = bound_of<Bound>(local, all.h[i], all.k[i], all.l[i], wh, wk, wl, all.factor[i], scale);
    }
}

// Whether a large share of the first orientations of a tile is left in its first quarter, whose half widths are
// `widths`. Its other quarters then need no tests.
template <class Bound, Factors factors, class Policy>
CUPYSIM_OUTLINE bool is_sample_left(const Launch& launch, const FactorTable<Policy>& table, Int channel,
                                    const GroupTest& test, const float widths[3], float limit, const Candidates& whole,
                                    Candidates& sample) {
    if (whole.count <= 2 * SAMPLE) return false;
    move_to(test.reach, whole, SAMPLE, -2.0f, -2.0f, sample);
    set_factors<factors>(sample, launch, table, channel, widths);
    set_bounds<Bound>(sample, test.size, widths, test.reach.scale);
    keep_largest(sample, limit * static_cast<float>(SAMPLE) / static_cast<float>(whole.count));
    return static_cast<float>(sample.count) > LARGE_SHARE * static_cast<float>(SAMPLE);
}

// Miller indices of all orientations at the tile's centre.
CUPYSIM_OUTLINE void find_indices(const Launch& launch, const OrientationGroup& group, const GroupTest& test,
                                  Candidates& all) {
    const Int stride = launch.compact_stride;
    const float* m = launch.compact_matrices + group.first;
    const float x = test.q[0], y = test.q[1], z = test.q[2], factor = test.factor;
    all.count = static_cast<int>(group.count);
    FOR_SOME_LANES(i, all.count) {
        all.h[i] = m[i] * x + m[i + stride] * y + m[i + 2 * stride] * z;
        all.k[i] = m[i + 3 * stride] * x + m[i + 4 * stride] * y + m[i + 5 * stride] * z;
        all.l[i] = m[i + 6 * stride] * x + m[i + 7 * stride] * y + m[i + 8 * stride] * z;
        all.factor[i] = factor;
        all.number[i] = static_cast<short>(i);
    }
}

}  // namespace cupysim
