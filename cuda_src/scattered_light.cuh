// Light that pixels scatter to their neighbours, bit for bit as noisify computes it. Only a CPU uses this file.
//
// noisify adds the light of each source, in storage order, to the pixels around it, and rounds each sum to single
// precision. Here, each target collects its light in the same order of sources, so targets are independent. Sources
// with a short reach are collected from a window of neighbours. Those with a long reach are kept in lists, and only
// the lists are searched farther away.
#pragma once
#include "light_sources.cuh"
#include "light_spread.cuh"

namespace cupysim {

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

}  // namespace cupysim
