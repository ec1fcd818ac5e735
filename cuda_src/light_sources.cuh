// Sources of scattered light: their windows and lists. Only a CPU uses this file.
#pragma once
#include <algorithm>
#include <limits>
#include <vector>

#include "stream_noise.cuh"

namespace cupysim {

// ---- vectors of targets -----------------------------------------------------

#if defined(__AVX512F__)
constexpr int LIGHT_LANES = 8;
#else
constexpr int LIGHT_LANES = WORD_LANES;
#endif
typedef double Light __attribute__((vector_size(8 * LIGHT_LANES)));
typedef float ShortLight __attribute__((vector_size(4 * LIGHT_LANES)));
typedef std::int64_t LightMask __attribute__((vector_size(8 * LIGHT_LANES)));

// Targets that collect the light of a window together, and the vectors that they fill.
constexpr int TARGETS = 64, TARGET_VECTORS = TARGETS / LIGHT_LANES;

// The numbers rounded to single precision.
CUPYSIM_FUNCTION Light rounded_light(Light x) {
#if defined(__AVX512F__)
    // compilers make two conversions of the second one
    return reinterpret_cast<Light>(_mm512_cvtps_pd(_mm512_cvtpd_ps(reinterpret_cast<__m512d>(x))));
#else
    return __builtin_convertvector(__builtin_convertvector(x, ShortLight), Light);
#endif
}

CUPYSIM_FUNCTION Light light_of(double x) { return x - Light{}; }

// Adds the light of one source to the targets from `first` to `last` of a row. `fractions` are those of target 0.
CUPYSIM_FUNCTION void add_source(double* sums, const double* fractions, double photons, std::int64_t first,
                                 std::int64_t last) {
    const Light v = light_of(photons);
    LightMask numbers;
    for (int i = 0; i < LIGHT_LANES; ++i) numbers[i] = i;
    const auto add = [&](std::int64_t start, bool is_edge) {
        Light added = v * vector_at<Light>(fractions + start);
        if (is_edge) {
            const LightMask lanes = numbers + start;
            added = (lanes >= first) & (lanes <= last) ? added : Light{};
        }
        store(rounded_light(vector_at<Light>(sums + start) + added), sums + start);
    };
    constexpr std::int64_t WHOLE_VECTOR = ~static_cast<std::int64_t>(LIGHT_LANES - 1);
    std::int64_t start = first & WHOLE_VECTOR;
    const std::int64_t end = last & WHOLE_VECTOR;
    add(start, true);
    if (start == end) return;
    for (start += LIGHT_LANES; start < end; start += LIGHT_LANES) add(start, false);
    add(end, true);
}

// ---- sources ----------------------------------------------------------------

struct ListedSource {
    std::int32_t column, reach;
    double photons;
};

// The largest h with h^2 + dy^2 <= reach^2; negative if there is none.
CUPYSIM_FUNCTION std::int64_t half_width(std::int64_t reach, std::int64_t dy) {
    const std::int64_t left = reach * reach - dy * dy;
    return left < 0 ? -1 : static_cast<std::int64_t>(std::sqrt(static_cast<double>(left)));
}

// What is known of an image before its light is collected. Pixels without light, or with a reach of zero, are no
// sources.
class LightSources {
  public:
    LightSources(const float* light, const std::int32_t* reach, std::int64_t n_slow, std::int64_t n_fast,
                 std::int64_t radius)
        : n_slow(n_slow), n_fast(n_fast), radius(radius) {
        margin = (radius / TARGETS + 2) * TARGETS;
        n_blocks = (n_fast + 2 * margin) / TARGETS + 1;
        of_blocks.resize(static_cast<std::size_t>(n_blocks * n_slow));
        count_reaches(light, reach);
        near = best_window();
        for (std::int64_t squared = 0; squared <= near * near; ++squared) {
            const double distance = std::ceil(std::sqrt(static_cast<double>(squared)));
            least_lights_of_squares.push_back(least_lights[static_cast<std::size_t>(distance)]);
        }
        stride = n_fast + 2 * (near + TARGETS);
        padded.assign(static_cast<std::size_t>(stride * n_slow), 0.0);
        for (std::int64_t limit = near; limit < radius; limit += limit / 2 + 1) list_limits.push_back(limit);
        lists.resize(list_limits.size());
        for (auto& list : lists) list.starts.push_back(0);
        for (std::int64_t y = 0; y < n_slow; ++y) add_row(y, light + y * n_fast, reach + y * n_fast);
    }

    const std::int64_t n_slow, n_fast, radius;
    // Sources with a longer reach than this are in the lists.
    std::int64_t near;

    // The light of the pixels from a place on; zero outside the image, up to TARGETS beyond the window.
    const double* at(std::int64_t y, std::int64_t x) const { return padded.data() + y * stride + near + TARGETS + x; }

    // The least and the largest reach of sources; the largest is zero if there are none.
    struct Reaches {
        std::int64_t least = std::numeric_limits<std::int64_t>::max(), most = 0;

        CUPYSIM_FUNCTION void include(const Reaches& others) {
            least = smaller(others.least, least);
            most = larger(others.most, most);
        }
    };

    // The reaches of the sources in a part of a row, and perhaps of some more sources.
    CUPYSIM_FUNCTION Reaches reaches(std::int64_t y, std::int64_t first, std::int64_t last) const {
        Reaches all;
        for (std::int64_t i = (first + margin) / TARGETS; i <= (last + margin) / TARGETS; ++i) {
            all.include(of_blocks[static_cast<std::size_t>(y * n_blocks + i)]);
        }
        return all;
    }

    // The least light of sources that reach a distance within the window, as its square.
    CUPYSIM_FUNCTION double least_light(std::int64_t squared) const {
        return least_lights_of_squares[static_cast<std::size_t>(squared)];
    }

    // The reach of a source.
    std::int64_t reach_of(double photons) const {
        const auto above = std::upper_bound(least_lights.begin(), least_lights.end(), photons);
        return static_cast<std::int64_t>(above - least_lights.begin()) - 1;
    }

    struct Row {
        const ListedSource *first, *last;
        const ListedSource* begin() const { return first; }
        const ListedSource* end() const { return last; }
    };

    // Sources of a row with a reach above `near`, in order of columns. Sources with a reach below `distance` may be
    // missing.
    Row listed(std::int64_t y, std::int64_t distance) const {
        if (lists.empty()) return {nullptr, nullptr};
        std::size_t j = 0;
        while (j + 1 < lists.size() && list_limits[j + 1] < distance) ++j;
        const auto& list = lists[j];
        const auto row = static_cast<std::size_t>(y);
        return {list.sources.data() + list.starts[row], list.sources.data() + list.starts[row + 1]};
    }

  private:
    struct List {
        std::vector<ListedSource> sources;
        std::vector<std::size_t> starts;
    };

    std::int64_t margin, stride, n_blocks;
    std::vector<double> padded;
    std::vector<Reaches> of_blocks;
    std::vector<std::int64_t> list_limits;
    std::vector<List> lists;
    std::vector<std::int64_t> counts;
    std::vector<double> least_lights, least_lights_of_squares;

    CUPYSIM_FUNCTION static bool is_source(float light, std::int32_t reach) { return light > 0.0f && reach > 0; }

    void count_reaches(const float* light, const std::int32_t* reach) {
        const auto size = static_cast<std::size_t>(radius) + 2;
        counts.assign(size, 0);
        least_lights.assign(size, std::numeric_limits<double>::infinity());
        for (std::int64_t i = 0; i < n_slow * n_fast; ++i) {
            if (!is_source(light[i], reach[i])) continue;
            const auto r = static_cast<std::size_t>(reach[i]);
            ++counts[r];
            least_lights[r] = smaller(static_cast<double>(light[i]), least_lights[r]);
            of_blocks[static_cast<std::size_t>(i / n_fast * n_blocks + (i % n_fast + margin) / TARGETS)].include(
                {reach[i], reach[i]});
        }
        for (std::size_t r = size - 1; r-- > 0;) least_lights[r] = smaller(least_lights[r], least_lights[r + 1]);
    }

    // The window with which the collection takes the least time. Times are those of a vector of targets and of a row
    // of targets (ns), measured.
    std::int64_t best_window() const {
        constexpr double OF_OFFSET = 0.65, OF_LISTED = 1.0, OF_LISTED_ROW = 10.0;

        const std::size_t size = counts.size();
        std::vector<double> listed(size + 1, 0.0), blocks(size, 0.0);
        for (const Reaches& reaches : of_blocks) blocks[static_cast<std::size_t>(reaches.most)] += 1.0;
        for (std::size_t r = size - 1; r > 0; --r) {
            const double rows = 2.0 * static_cast<double>(r) + 1.0;
            const double each = rows * ((0.25 * HALF_TURN * rows / LIGHT_LANES + 1.0) * OF_LISTED + OF_LISTED_ROW);
            listed[r] = listed[r + 1] + static_cast<double>(counts[r]) * each;
        }
        // blocks whose largest reach is smaller than the window have smaller windows
        double n_larger = 0.0, of_smaller = 0.0, least = std::numeric_limits<double>::infinity();
        for (const double n : blocks) n_larger += n;
        n_larger -= blocks[0];
        std::int64_t best = 0;
        for (std::size_t r = 0; r < size; ++r) {
            const double radius = static_cast<double>(r);
            const double area = (HALF_TURN * radius * radius + 2.0 * radius) * TARGET_VECTORS * OF_OFFSET;
            const double cost = of_smaller + n_larger * area + listed[r + 1];
            if (cost < least) {
                least = cost;
                best = static_cast<std::int64_t>(r);
            }
            if (r > 0) {
                n_larger -= blocks[r];
                of_smaller += blocks[r] * area;
            }
        }
        return best;
    }

    void add_row(std::int64_t y, const float* light, const std::int32_t* reach) {
        double* const row = padded.data() + y * stride + near + TARGETS;
        for (std::int64_t x = 0; x < n_fast; ++x) {
            if (!is_source(light[x], reach[x])) continue;
            row[x] = light[x];
            for (std::size_t j = 0; j < lists.size() && reach[x] > list_limits[j]; ++j) {
                lists[j].sources.push_back({static_cast<std::int32_t>(x), reach[x], light[x]});
            }
        }
        for (auto& list : lists) list.starts.push_back(list.sources.size());
    }
};

}  // namespace cupysim
