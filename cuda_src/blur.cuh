// Separable point spread, for some rows of pixels at a time. Only a CPU uses this file.
//
// Sums have the order of the offsets, so that the result equals that of `cupysim/detection/point_spread.py`.
#pragma once
#include <vector>

#include "detected_pixels.cuh"

namespace cupysim {

// Pixels that are summed together.
constexpr int BLURRED_LANES = 64;

// Weighted sums of n pixels. The addends of a sum are `step` apart.
CUPYSIM_FUNCTION void weighted_sums(const float* source, Int step, const float* weights, Int n_weights, Int n,
                                    float* sums) {
    Int at = 0;
    for (; at + BLURRED_LANES <= n; at += BLURRED_LANES) {
        float some[BLURRED_LANES] = {};
        for (Int k = 0; k < n_weights; ++k) {
            const float weight = weights[k];
            const float* from = source + k * step + at;
            FOR_SOME_LANES(i, BLURRED_LANES) some[i] = some[i] + weight * from[i];
        }
        std::memcpy(sums + at, some, sizeof some);
    }
    for (; at < n; ++at) {
        float sum = 0.0f;
        for (Int k = 0; k < n_weights; ++k) sum = sum + weights[k] * source[k * step + at];
        sums[at] = sum;
    }
}

// Rows from `first` to before `end`.
struct Rows {
    Int first, end;
};

class Blur {
  public:
    explicit Blur(const Response& response)
        : response(response), n_weights(2 * response.radius + 1), padded(response.n_fast + 2 * response.radius) {}

    // Rows on the panel from which light reaches the rows from `first` to `end`.
    Rows needed(Int first, Int end) const {
        Int low = first - response.radius, high = end + response.radius;
        if (response.border == MIRRORED) {
            // mirror images of rows beyond the edge are within the radius, unless the panel has few rows
            if (response.radius >= response.n_slow) return {0, response.n_slow};
            if (low < 0) high = larger(high, -low);
            if (high > response.n_slow) low = smaller(low, 2 * response.n_slow - high);
        }
        return {larger(low, Int{0}), smaller(high, response.n_slow)};
    }

    // Blurs the rows from `first` to `end`. `source` has the rows of `needed`.
    void apply(const float* source, Rows given, Int first, Int end, float* result) {
        const Int n_fast = response.n_fast, radius = response.radius, rows = end - first + 2 * radius;
        across.resize(static_cast<std::size_t>(rows * n_fast));
        padded_row.resize(static_cast<std::size_t>(padded));
        for (Int i = 0; i < rows; ++i) {
            float* blurred = across.data() + i * n_fast;
            Int row = first - radius + i;
            if (row < 0 || row >= response.n_slow) {
                if (response.border != MIRRORED) {
                    std::memset(blurred, 0, sizeof(float) * static_cast<std::size_t>(n_fast));
                    continue;
                }
                row = mirrored(row, response.n_slow);
            }
            pad(source + (row - given.first) * n_fast);
            weighted_sums(padded_row.data(), 1, response.weights_fast, n_weights, n_fast, blurred);
        }
        for (Int row = first; row < end; ++row) {
            weighted_sums(across.data() + (row - first) * n_fast, n_fast, response.weights_slow, n_weights, n_fast,
                          result + (row - first) * n_fast);
        }
    }

  private:
    void pad(const float* row) {
        const Int n_fast = response.n_fast, radius = response.radius;
        std::memcpy(padded_row.data() + radius, row, sizeof(float) * static_cast<std::size_t>(n_fast));
        for (Int i = 0; i < radius; ++i) {
            const bool is_mirrored = response.border == MIRRORED;
            padded_row[static_cast<std::size_t>(radius - 1 - i)] = is_mirrored ? row[mirrored(-1 - i, n_fast)] : 0.0f;
            padded_row[static_cast<std::size_t>(radius + n_fast + i)] =
                is_mirrored ? row[mirrored(n_fast + i, n_fast)] : 0.0f;
        }
    }

    const Response& response;
    Int n_weights, padded;
    std::vector<float> across, padded_row;
};

}  // namespace cupysim
