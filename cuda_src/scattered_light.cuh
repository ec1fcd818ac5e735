// Light that pixels scatter to their neighbours, bit for bit as noisify computes it. Only a CPU uses this file.
//
// noisify adds the light of each source, in storage order, to the pixels around it, and rounds each sum to single
// precision. Here, each target collects its light in the same order of sources, so targets are independent. Sources
// with a short reach are collected from a window of neighbours. Those with a long reach are kept in lists, and only
// the lists are searched farther away.
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

    // Those of the sources in a part of a row, and perhaps of some more.
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

    // Sources of a row with a reach above `near` in order of columns. Those with less reach than a distance may lack.
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

// ---- point spread functions -------------------------------------------------

enum Spread : int { GAUSSIAN_SPREAD = 0, FIBRE_SPREAD = 1 };

constexpr double TWO = 2.0, FOUR = 4.0, SIXTEEN = 16.0;

// The fractions of light [dy, dx], with the operations of `cupysim/maths/point_spread.py`. `width` is the full width
// at half maximum of a Gaussian, and the radius g of a fibre (pixels).
CUPYSIM_OUTLINE void gaussian_fractions(double width, std::int64_t radius, double* fractions) {
    const std::int64_t size = 2 * radius + 1;
    const double half = 1.0 / width / 2.0, root_2 = std::sqrt(std::log(TWO)), root_16 = std::sqrt(std::log(SIXTEEN));
    const double ratio = std::sqrt(std::log(SIXTEEN) / std::log(TWO));
    std::vector<double> edges[2][2];  // error functions of x and y at the lower and upper edges
    for (int i = 0; i < 2; ++i) {
        for (std::int64_t j = -radius; j <= radius; ++j) {
            const double at = static_cast<double>(j) / width, edge = i == 0 ? at - half : at + half;
            edges[0][i].push_back(std::erf(2.0 * edge * root_2));
            edges[1][i].push_back(std::erf(edge * root_16));
        }
    }
    for (std::int64_t y = 0; y < size; ++y) {
        for (std::int64_t x = 0; x < size; ++x) {
            const auto primitive = [&](int right, int upper) {
                const double product =
                    edges[0][right][static_cast<std::size_t>(x)] * edges[1][upper][static_cast<std::size_t>(y)];
                return 0.125 * (product * ratio);
            };
            fractions[y * size + x] = primitive(1, 1) - primitive(1, 0) - primitive(0, 1) + primitive(0, 0);
        }
    }
}

CUPYSIM_OUTLINE void fibre_fractions(double g, std::int64_t radius, int threads, double* fractions) {
    const std::int64_t size = 2 * radius + 1, n = radius + 1;
    // at the corners of a quadrant; the primitive is odd in x and in y
    std::vector<double> corners(static_cast<std::size_t>(n * n));
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(dynamic, 16)
        for (std::int64_t i = 0; i < n; ++i) {
            for (std::int64_t j = 0; j < n; ++j) {
                const double y = static_cast<double>(i) + 0.5, x = static_cast<double>(j) + 0.5;
                const double angle = std::atan((x * y) / (g * std::sqrt(g * g + x * x + y * y)));
                corners[static_cast<std::size_t>(i * n + j)] = angle / 2.0 / HALF_TURN;
            }
        }
#pragma omp for schedule(dynamic, 16)
        for (std::int64_t i = 0; i < size; ++i) {
            for (std::int64_t j = 0; j < size; ++j) {
                // the corner with the number k is at k - 0.5
                const auto primitive = [&](std::int64_t y, std::int64_t x) {
                    const std::int64_t row = y > 0 ? y - 1 : -y, column = x > 0 ? x - 1 : -x;
                    const double value = corners[static_cast<std::size_t>(row * n + column)];
                    return (y > 0) == (x > 0) ? value : -value;
                };
                const std::int64_t y = i - radius, x = j - radius;
                fractions[i * size + j] =
                    primitive(y + 1, x + 1) - primitive(y, x + 1) - primitive(y + 1, x) + primitive(y, x);
            }
        }
    }
    (void)threads;
}

CUPYSIM_OUTLINE void point_spread(Spread spread, double width, std::int64_t radius, int threads, double* fractions) {
    if (spread == GAUSSIAN_SPREAD) {
        gaussian_fractions(width, radius, fractions);
    } else {
        fibre_fractions(width, radius, threads, fractions);
    }
    double* fraction = fractions;
    for (std::int64_t y = -radius; y <= radius; ++y) {
        for (std::int64_t x = -radius; x <= radius; ++x, ++fraction) {
            if (x * x + y * y > radius * radius) *fraction = 0.0;
        }
    }
}

// ---- collection -------------------------------------------------------------

// Fractions of light [dy, dx], with room for vectors on both sides.
class LightKernel {
  public:
    LightKernel(Spread spread, double width, std::int64_t radius, int threads) : radius(radius), size(2 * radius + 1) {
        padded.resize(static_cast<std::size_t>(size * size + 2 * ROOM));
        point_spread(spread, width, radius, threads, padded.data() + ROOM);
    }

    // The fraction at an offset.
    CUPYSIM_FUNCTION const double* at(std::int64_t dy, std::int64_t dx) const {
        return padded.data() + ROOM + (dy + radius) * size + dx + radius;
    }

  private:
    static constexpr std::int64_t ROOM = 2 * LIGHT_LANES;
    std::int64_t radius, size;
    std::vector<double> padded;
};

// Collects the light of rows of targets. A thread has its own.
class LightCollector {
  public:
    // Rows of targets that use a row of the kernel one after the other, while it is in the cache.
    static constexpr std::int64_t ROWS = 8;

    LightCollector(const LightSources& sources, const LightKernel& kernel)
        : sources(sources),
          kernel(kernel),
          stride(sources.n_fast + 2 * TARGETS),
          sums(static_cast<std::size_t>(ROWS * stride)) {}

    // Collects the light of the rows from y on, and adds the same light to each target. With `wraps`, light that goes
    // one column beyond the right edge comes to the first target of the next row. Returns whether there is such light.
    CUPYSIM_OUTLINE bool collect(std::int64_t y, double everywhere, bool wraps, float* result) {
        const std::int64_t n_rows = smaller(ROWS, sources.n_slow - y), n_fast = sources.n_fast;
        std::fill(sums.begin(), sums.end(), 0.0);
        for (std::int64_t dy = sources.radius; dy >= -sources.radius; --dy) {
            const std::int64_t first = larger<std::int64_t>(0, dy - y);
            const std::int64_t last = smaller(n_rows, sources.n_slow + dy - y);
            for (std::int64_t row = first; row < last; ++row) add_row(sums.data() + row * stride, y + row - dy, dy);
        }
        bool has_wrapped = false;
        for (std::int64_t row = 0; row < n_rows; ++row, result += n_fast) {
            const double* const collected = sums.data() + row * stride;
            FOR_SOME_LANES(x, n_fast) result[x] = static_cast<float>(collected[x] + everywhere);
            float with_wrapped;
            if (!wraps || !collect_first(y + row, &with_wrapped)) continue;
            result[0] = static_cast<float>(with_wrapped + everywhere);
            has_wrapped = true;
        }
        return has_wrapped;
    }

  private:
    const LightSources& sources;
    const LightKernel& kernel;
    const std::int64_t stride;
    std::vector<double> sums;

    // Adds the light of a row of sources to a row of targets: that of listed sources to the left of the window, that
    // of the window, and that of listed sources to its right.
    CUPYSIM_FUNCTION void add_row(double* targets, std::int64_t y0, std::int64_t dy) {
        const std::int64_t window = half_width(sources.near, dy), n_fast = sources.n_fast;
        const auto listed = sources.listed(y0, std::abs(dy));
        for (const ListedSource& source : listed) {
            const std::int64_t half = half_width(source.reach, dy);
            const std::int64_t first = source.column + (window < 0 ? -half : window + 1);
            add_light(targets, source, dy, larger<std::int64_t>(first, 0), smaller(source.column + half, n_fast - 1));
        }
        if (window < 0) return;
        for (std::int64_t x = 0; x < n_fast; x += TARGETS) {
            const auto reaches = sources.reaches(y0, x - window, x + TARGETS - 1 + window);
            const std::int64_t width = half_width(smaller(reaches.most, sources.near), dy);
            if (reaches.most > 0 && width >= 0) add_window(targets + x, y0, x, dy, width, reaches.least);
        }
        for (const ListedSource& source : listed) {
            const std::int64_t half = half_width(source.reach, dy);
            add_light(targets, source, dy, larger<std::int64_t>(source.column - half, 0), source.column - window - 1);
        }
    }

    CUPYSIM_FUNCTION void add_light(double* targets, const ListedSource& source, std::int64_t dy, std::int64_t first,
                                    std::int64_t last) {
        if (first <= last) add_source(targets, kernel.at(dy, -source.column), source.photons, first, last);
    }

    // Adds the light of a window around a block of targets. All sources have at least the given reach.
    CUPYSIM_FUNCTION void add_window(double* block, std::int64_t y0, std::int64_t x, std::int64_t dy,
                                     std::int64_t window, std::int64_t reach) {
        Light targets[TARGET_VECTORS];
        for (int i = 0; i < TARGET_VECTORS; ++i) targets[i] = vector_at<Light>(block + i * LIGHT_LANES);
        const double* const neighbours = sources.at(y0, x);
        for (std::int64_t dx = window; dx >= -window; --dx) {
            const double* const from = neighbours - dx;
            const Light fraction = light_of(*kernel.at(dy, dx));
            const std::int64_t squared = dx * dx + dy * dy;
            if (squared <= reach * reach) {
                for (int i = 0; i < TARGET_VECTORS; ++i) {
                    const Light v = vector_at<Light>(from + i * LIGHT_LANES);
                    targets[i] = rounded_light(targets[i] + v * fraction);
                }
            } else {
                const Light least = light_of(sources.least_light(squared));
                for (int i = 0; i < TARGET_VECTORS; ++i) {
                    const Light v = vector_at<Light>(from + i * LIGHT_LANES), added = v * fraction;
                    targets[i] = rounded_light(targets[i] + (v >= least ? added : Light{}));
                }
            }
        }
        for (int i = 0; i < TARGET_VECTORS; ++i) store(targets[i], block + i * LIGHT_LANES);
    }

    // The light of the first target, with that of the row above which goes one column beyond its right edge. Returns
    // whether there is such light.
    bool collect_first(std::int64_t y, float* result) {
        float sum = 0.0f;
        bool has_wrapped = false;
        const std::int64_t near = sources.near, width = sources.n_fast;
        const auto add = [&](std::int64_t y0, std::int64_t x0, std::int64_t reach, double photons) {
            const std::int64_t dy = y - y0, dx = width - x0;
            if (dy * dy + x0 * x0 <= reach * reach) sum = static_cast<float>(sum + photons * *kernel.at(dy, -x0));
            if (y > 0 && (dy - 1) * (dy - 1) + dx * dx <= reach * reach) {
                sum = static_cast<float>(sum + photons * *kernel.at(dy - 1, dx));
                has_wrapped = true;
            }
        };
        const auto add_any = [&](std::int64_t y0, std::int64_t from, std::int64_t to) {
            for (std::int64_t x0 = from; x0 < to; ++x0) {
                const double photons = *sources.at(y0, x0);
                if (photons > 0.0) add(y0, x0, sources.reach_of(photons), photons);
            }
        };
        const std::int64_t last = smaller(sources.n_slow - 1, y + sources.radius);
        for (std::int64_t y0 = larger<std::int64_t>(0, y - 1 - sources.radius); y0 <= last; ++y0) {
            const std::int64_t distance = smaller(std::abs(y - y0), std::abs(y - 1 - y0));
            // sources in the middle must be listed to reach an edge
            const bool is_near = distance <= near;
            const std::int64_t from = is_near ? smaller(near + 1, width) : 0;
            const std::int64_t to = is_near ? larger(from, width - near) : width;
            add_any(y0, 0, from);
            for (const ListedSource& source : sources.listed(y0, distance)) {
                if (source.column >= from && source.column < to) add(y0, source.column, source.reach, source.photons);
            }
            add_any(y0, to, width);
        }
        *result = sum;
        return has_wrapped;
    }
};

// Scatters the light of an image, and adds the same light to each pixel. Returns whether light came to the first
// column from the right edge, which it does only with `wraps`.
CUPYSIM_OUTLINE bool scatter_light(const float* light, const std::int32_t* reach, std::int64_t n_slow,
                                   std::int64_t n_fast, Spread spread, double width, std::int64_t radius,
                                   double everywhere, bool wraps, int threads, float* result) {
    const LightSources sources(light, reach, n_slow, n_fast, radius);
    const LightKernel kernel(spread, width, radius, threads);
    int n_wrapped = 0;
#pragma omp parallel num_threads(threads) reduction(+ : n_wrapped)
    {
        LightCollector collector(sources, kernel);
#pragma omp for schedule(dynamic, 1)
        for (std::int64_t y = 0; y < n_slow; y += LightCollector::ROWS) {
            n_wrapped += collector.collect(y, everywhere, wraps, result + y * n_fast);
        }
    }
    (void)threads;
    return n_wrapped > 0;
}

// ---- reach ------------------------------------------------------------------

// How far a source scatters its light, and how much light goes farther.
struct Reach {
    Spread spread;
    double width;
    // the radius of all sources; 0 if each has its own
    std::int64_t given;
    // the largest radius
    std::int64_t largest;
    // whether weak sources, whose own radius is not a number, have a radius of 1; otherwise they vanish
    bool has_weak;

    std::int64_t of(float photons) const {
        const double v = photons;
        if (!(photons > 0.0f)) return 0;
        std::int64_t radius = given;
        if (radius == 0) {
            const double lost = std::sqrt(v) / 10.0;
            const double far = spread == GAUSSIAN_SPREAD ? std::sqrt(-std::log(lost / v) / std::log(SIXTEEN)) * width
                                                         : width * (v / lost);
            if (!(far >= 0.0)) return has_weak ? 1 : 0;
            if (far >= static_cast<double>(largest)) return largest;
            radius = 1 + static_cast<std::int64_t>(std::ceil(far));
        }
        return smaller(radius, largest);
    }
};

// Finds the radius of each pixel; zero if it scatters nothing. Returns the light beyond these radii.
CUPYSIM_OUTLINE double find_reach(const Reach& reach, const float* light, std::int64_t n, std::int32_t* found) {
    constexpr int WHOLE_COUNTS = 4096;
    std::vector<std::int32_t> of_counts(WHOLE_COUNTS);
    for (int i = 0; i < WHOLE_COUNTS; ++i) {
        of_counts[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(reach.of(static_cast<float>(i)));
    }
    const double g = reach.width;
    std::vector<double> outside;
    for (std::int64_t r = 0; r <= reach.largest; ++r) {
        const double radius = static_cast<double>(r), ratio = radius / reach.width;
        outside.push_back(reach.spread == GAUSSIAN_SPREAD ? std::exp(-std::log(SIXTEEN) * (ratio * ratio))
                                                          : std::sqrt(g * g + radius * radius));
    }
    double total = 0.0;
    for (std::int64_t i = 0; i < n; ++i) {
        const float v = light[i];
        if (!(v > 0.0f)) {
            found[i] = 0;
            continue;
        }
        const int whole = v < static_cast<float>(WHOLE_COUNTS) ? static_cast<int>(v) : 0;
        const bool is_whole = static_cast<float>(whole) == v;
        found[i] = is_whole ? of_counts[static_cast<std::size_t>(whole)] : static_cast<std::int32_t>(reach.of(v));
        if (found[i] == 0) continue;
        const double beyond = outside[static_cast<std::size_t>(found[i])];
        total += reach.spread == GAUSSIAN_SPREAD ? v * beyond : v * g / beyond;
    }
    return total;
}

}  // namespace cupysim
