// Upper bounds of what groups of orientations add to the pixels of a tile, relative to the tolerance. The
// derivation is in `docs/tolerance.md`.
#pragma once
#include "factor_bounds.cuh"
#include "spot_bounds.cuh"
#include "tiles.cuh"

namespace cupysim {

// Largest number of orientations of a group.
constexpr int MOST_TESTED = 1024;
// Largest number of pairs of source and group with which the brightest tiles are found.
constexpr Int MOST_COMBINATIONS = 4;
// Largest ratio of a bound and the tolerance. If it is larger, or the tolerance is zero, only terms of zero are
// left out.
constexpr double LARGEST_BOUND = 1e30;
// Rounding of Miller indices in single precision, relative to |a| |q|.
constexpr double INDEX_ROUNDING = 6e-7;
// Rounding of sums of bounds in single precision.
constexpr double SUM_ROUNDING = 1e-4;

// A level t so that the sum of the bounds up to t is at most `budget`. S is the sum and m the number of the bounds
// up to the last level. The new level is t = (budget - S)/(n - m): at most n - m bounds are between the two levels,
// and each of them is at most t. `sum_below(level, total, below)` finds S and m among n bounds.
template <class SumBelow>
CUPYSIM_FUNCTION float water_level(const SumBelow& sum_below, int n, float budget) {
    float level = 0.0f;
    if (!(budget > 0.0f)) return level;
    for (int round = 0; round < 4; ++round) {
        float total = 0.0f;
        int below = 0;
        sum_below(level, total, below);
        if (below == n) return level;
        const float next = (budget - total) / static_cast<float>(n - below);
        if (!(next > level)) return level;
        level = next;
    }
    return level;
}

// The share of the tolerance that is left for the orientations that are not tested yet.
class Budget {
  public:
    CUPYSIM_FUNCTION explicit Budget(const Launch& launch) : n_left(0), left(1.0) {
        for (Int group = 0; group < launch.n_orientation_groups; ++group)
            n_left += launch.orientation_groups[group].count;
        n_left *= launch.n_layers * launch.n_sources;
    }

    // The share of the next `count` orientations.
    CUPYSIM_FUNCTION float next(Int count) {
        const double share = left * static_cast<double>(count) / static_cast<double>(n_left);
        n_left -= count;
        return static_cast<float>(share * (1.0 - SUM_ROUNDING));
    }

    CUPYSIM_FUNCTION void spend(float sum) {
        left = larger(left - static_cast<double>(sum) * (1.0 + SUM_ROUNDING), 0.0);
    }

  private:
    Int n_left;  // orientations of all layers and sources that are not tested yet
    double left;
};

// What the orientations of a group have in common in a tile: changes of Miller indices per pixel along both
// axes, and what widens the range of the indices.
struct GroupReach {
    float along_u[3], along_v[3];
    float margin[3];
    float scale;  // of the bounds: photons, relative to the tolerance

    // Half widths of the range in a node, from its half extents along both axes (pixels).
    CUPYSIM_FUNCTION void half_widths(double fast, double slow, float widths[3]) const {
        const float along_fast = static_cast<float>(fast), along_slow = static_cast<float>(slow);
        for (int axis = 0; axis < 3; ++axis) {
            const float linear = fabsf(along_u[axis]) * along_fast + fabsf(along_v[axis]) * along_slow;
            widths[axis] = (linear + margin[axis]) * 1.000001f;
        }
    }
};

// The distance of an index from the nearest integer, at least 0, for any index within `width`.
CUPYSIM_FUNCTION float least_offset(float index, float width) {
    const float offset = index - nearest_even(index);
    return larger((offset < 0.0f ? -offset : offset) - width, 0.0f);
}

// The bound of an orientation's terms, or of their derivatives, from its indices at the centre of a node.
template <class Bound>
CUPYSIM_FUNCTION float bound_of(const SpotSize& size, float h, float k, float l, float wh, float wk, float wl,
                                float factor, float scale) {
    const float relative = Bound::relative(size, least_offset(h, wh), least_offset(k, wk), least_offset(l, wl));
    // in this order, because the product of the first two may be too small for a float
    return relative * (factor * scale);
}

// A group of orientations, a source and a tile.
struct GroupTest {
    GroupReach reach;
    float q[3];  // scattering vector at the tile's centre (1/m)
    float factor;  // bound of F^2, relative to the largest one of the table
    SpotSize size;
    bool is_relative;  // whether a budget can be spent; if not, only terms of zero are left out
};

// The orientations of a list, by their numbers in the group.
template <class Policy>
struct Listed {
    const typename Policy::Element* matrices;
    const short* numbers;

    CUPYSIM_FUNCTION const typename Policy::Element* operator[](Int j) const {
        return matrices + static_cast<Int>(numbers[j]) * Policy::MATRIX_SIZE;
    }
};

// Bounds of the orientations of a launch.
template <class Policy, Shape shape, Factors factors>
class TileBounds {
  public:
    CUPYSIM_FUNCTION explicit TileBounds(const Launch& launch)
        : launch(launch), half(half_extent(launch, TILE_EDGE)), n_sub_pixels(launch.oversample * launch.oversample) {}

    CUPYSIM_FUNCTION FactorTable<Policy> table_of(const Source& source) const {
        return factor_table<Policy>(launch, source);
    }

    // The largest product of solid angle, polarization factor and absorbed fraction in the tile.
    CUPYSIM_OUTLINE double largest_factors(const TileDirections& directions, double first_shortest, Int layer) const {
        const bool each = launch.omega_use == EACH;
        const double shortest = each ? directions.shortest : first_shortest;
        const double close = plane_distance(launch, each ? layer : 0);
        if (!(shortest > 0.0)) return LARGEST_BOUND;
        const double omega =
            solid_angle(launch.pixel_area, shortest, close < 0.0 ? -close : close, launch.point_pixel != 0);
        return omega * larger(1.0, 0.5 * (1.0 + launch.largest_kahn)) * largest_capture(directions, layer);
    }

    // Prepares the test of a group. `weights` are the `largest_factors`.
    CUPYSIM_FUNCTION GroupTest test_of(const TileDirections& directions, double weights, const Source& source,
                                       const OrientationGroup& group) const {
        const Crystal& crystal = launch.crystals[group.crystal];
        const double photons = launch.photons_per_squared_electron / launch.n_steps * launch.term_scale * weights *
                               largest_term_weight(launch, source) * SpotBound<shape>::height(crystal) *
                               static_cast<double>(n_sub_pixels) * static_cast<double>(BOUND_SLACK);
        GroupTest test;
        test.is_relative = photons < LARGEST_BOUND * launch.tolerated;
        float centre[3], group_widths[3];
        test.reach = reach_of(directions, source, group, test.is_relative ? photons / launch.tolerated : LARGEST_BOUND,
                              test.q, centre, group_widths);
        test.factor = largest_factor_squared<factors>(launch, table_of(source), source.channel, centre, group_widths);
        test.size = spot_size(launch, crystal);
        return test;
    }

    // Estimates the photons of the brightest pixel, up to a factor that all tiles have in common, from some
    // sources and groups, evenly spread. Zero near the direct beam.
    CUPYSIM_FUNCTION double estimate(const TileDirections& directions) const {
        const double weights = largest_factors(directions, directions.shortest, 0);
        const Int total = launch.n_sources * launch.n_orientation_groups;
        const Int count = total < MOST_COMBINATIONS ? total : MOST_COMBINATIONS;
        double sum = 0.0;
        for (Int i = 0; i < count; ++i) {
            const Int number = (i * total + total / 2) / count;
            const Source& source = launch.sources[number / launch.n_orientation_groups];
            const OrientationGroup& group = launch.orientation_groups[number % launch.n_orientation_groups];
            sum += largest_term_weight(launch, source) * weights * estimate_group(directions, source, group);
        }
        return sum < LARGEST_BOUND && !is_near_direct_beam(directions) ? sum : 0.0;
    }

  private:
    const Launch& launch;
    const double half;  // extent of a tile
    const Int n_sub_pixels;

    // exp(-n t) - exp(-(n+1) t) is at most t, and at most its maximum over t, n^n/(n+1)^(n+1).
    CUPYSIM_FUNCTION double largest_capture(const TileDirections& directions, Int layer) const {
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
        const double wavenumber = 1.0 / source.wavelength;
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
            reach.margin[axis] = static_cast<float>(spread * change * half + size * directions.error * wavenumber +
                                                    INDEX_ROUNDING * size * (length + change * half));
            centre[axis] = static_cast<float>(row[0] * exact_q[0] + row[1] * exact_q[1] + row[2] * exact_q[2]);
            group_widths[axis] = static_cast<float>(spread * length);
        }
        reach.scale = static_cast<float>(scale);
        float widths[3];
        reach.half_widths(half, half, widths);
        for (int axis = 0; axis < 3; ++axis) group_widths[axis] += widths[axis];
        return reach;
    }

    // F^2 F_latt^2 of the nearest reflection, at the least distance from it in the tile.
    CUPYSIM_OUTLINE double estimate_group(const TileDirections& directions, const Source& source,
                                          const OrientationGroup& group) const {
        float q[3], centre[3], group_widths[3], widths[3];
        const GroupReach reach = reach_of(directions, source, group, 1.0, q, centre, group_widths);
        const float nothing[3] = {0.0f, 0.0f, 0.0f};
        const float squared =
            largest_factor_squared<factors>(launch, table_of(source), source.channel, centre, nothing);
        const Crystal& crystal = launch.crystals[group.crystal];
        reach.half_widths(half, half, widths);
        float offsets[3];
        for (int axis = 0; axis < 3; ++axis) offsets[axis] = least_offset(centre[axis], widths[axis]);
        const float relative =
            SpotBound<shape>::relative(spot_size(launch, crystal), offsets[0], offsets[1], offsets[2]);
        return SpotBound<shape>::height(crystal) * static_cast<double>(squared * relative);
    }

    // Whether 0 0 0 may be the nearest reflection somewhere in the tile, in any orientation.
    CUPYSIM_OUTLINE bool is_near_direct_beam(const TileDirections& directions) const {
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
};

// Estimates the brightest pixel of the tile with number first / LANES of the launch.
template <class Policy, Shape shape, Factors factors>
CUPYSIM_FUNCTION void estimate_tile(const Launch& launch, Int first) {
    const Int place = first / LANES;
    const double half = half_extent(launch, TILE_EDGE);
    const TileDirections directions = directions_of(launch, cross_of(launch, tile_of(launch, place), half, 0), half);
    launch.omega_sums[place] = TileBounds<Policy, shape, factors>(launch).estimate(directions);
}

}  // namespace cupysim
