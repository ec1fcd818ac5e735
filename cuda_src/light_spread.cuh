// Point spread functions, and how far pixels scatter their light, bit for bit as in noisify. Only a CPU uses this file.
#pragma once
#include <vector>

#include "stream_noise.cuh"

namespace cupysim {

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
