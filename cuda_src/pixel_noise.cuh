// Noise of a detector's pixels as noisify draws it, bit for bit: flicker, calibration errors, photons, readout.
//
// Two seeds share one shuffle table and one spare normal deviate, so each deviate depends on all deviates before it,
// of both seeds. Streams may also have tables and spares of their own. Only a CPU uses this file.
#pragma once
#include "shared_random.cuh"

namespace cupysim {

// What is drawn for each pixel.
struct PixelErrors {
    // relative standard deviations; none is drawn for zero
    double flicker, calibration;
    // factor of all expected photons
    double factor;
};

template <class Deviates>
class PixelNoise {
  public:
    PixelNoise(SharedNoise& state, bool needs_tangents) : state(state), deviates(state, needs_tangents) {
        if (needs_tangents) add_factorials();
    }

    // Draws counted photons in the order of the pixels. Returns their sum.
    double draw(const float* expected, std::int64_t n, const PixelErrors& errors, bool is_first, float* counts) {
        double total = 0.0;
        for (std::int64_t i = 0; i < n; ++i) {
            double photons = static_cast<double>(expected[i]) * errors.factor;
            if (errors.flicker > 0.0) photons *= 1.0 + errors.flicker * gaussian_of(MAIN, MAIN);
            if (errors.calibration > 0.0) photons *= 1.0 + errors.calibration * gaussian_of(CALIBRATION, CALIBRATION);
            const float mean = static_cast<float>(photons);
            counts[i] = count_of(mean, is_first);
            total += static_cast<double>(counts[i]);
        }
        deviates.finish();
        return total;
    }

    // Draws normal deviates of stream 0.
    void draw_gaussians(std::int64_t n, float* drawn) {
        for (std::int64_t i = 0; i < n; ++i) drawn[i] = gaussian_of(MAIN, MAIN);
        deviates.finish();
    }

  private:
    SharedNoise& state;
    Deviates deviates;
    Rejection trial;

    CUPYSIM_FUNCTION float gaussian_of(int stream, int spare) {
        const std::int64_t place = state.spare_of[spare];
        return gaussian(state.has_spare[place], state.spares[place], [&] { return deviates.next(stream); });
    }

    CUPYSIM_FUNCTION float count_of(float mean, bool& is_first) {
        if (mean > GAUSSIAN_ABOVE) {
            const double width = std::sqrt(static_cast<double>(mean));
            return static_cast<float>(mean + width * gaussian_of(MAIN, PHOTONS));
        }
        if (is_first) {
            // the C program takes a first mean of -1 for a repeated mean, and its kept exponential is still 0
            if (mean == -1.0f) return static_cast<float>(deviates.multiply_from(1.0f, 0, 0.0f));
            is_first = false;
        }
        if (mean < DIRECT_BELOW) return static_cast<float>(deviates.multiply(mean));
        return count_tried(mean);
    }

    // Draws trials from a Lorentzian until one is accepted, as `Deviates::reject`. Logarithms decide, unless the
    // rounding of the C program could change the decision.
    CUPYSIM_FUNCTION float count_tried(float mean) {
        const double m = mean;
        const float width = static_cast<float>(std::sqrt(2.0 * m));
        const double log_mean = short_log(mean), inverse = 1.0 / m;
        // log of m!, less m log m
        const double of_mean = 0.5 * log_mean + (inverse * (1.0 / 12.0) - m) + HALF_LOG_TWO_PI;
        const double error_of_mean = ERROR * m + ERROR_OF_LOGS;
        for (;;) {
            Sideways sideways;
            float count;
            do {
                sideways = deviates.next_tangent();
                count = width * sideways.tangent;
                count = count + mean;
            } while (count < 0.0f);
            count = std::floor(count);
            const Chance chance = deviates.next_chance();
            if (count < static_cast<float>(FACTORIALS)) {
                const double k = count, of_count = log_factorials[static_cast<int>(count)];
                const double error = ERROR * k + error_of_mean;
                const double margin = static_cast<double>(sideways.log_of_peak + chance.minus_log) + of_mean;
                const double excess = k * log_mean - of_count + margin;
                if (excess > error) return count;
                if (excess < -error) continue;
            }
            trial.prepare(mean);
            const float squared = sideways.tangent * sideways.tangent;
            if (is_accepted(trial, count, 0.9 * (1.0 + squared), chance.deviate)) return count;
        }
    }

    // Counts whose factorials are kept. For larger ones, single precision decides little.
    static constexpr int FACTORIALS = 4096;
    double log_factorials[FACTORIALS];
    // Bounds of the errors of logarithms: per photon, since numbers up to k log m are rounded a few times to single
    // precision, and of the logarithms of deviates.
    static constexpr double ERROR = 6e-6, ERROR_OF_LOGS = 2e-5;

    void add_factorials() {
        double sum = 0.0;
        log_factorials[0] = 0.0;
        for (int k = 1; k < FACTORIALS; ++k) {
            sum += std::log(static_cast<double>(k));
            log_factorials[k] = sum;
        }
    }
};

// Whether the seeds of a state can be computed in blocks: no seed, and no output, becomes zero.
inline bool has_plain_seeds(const SharedNoise& state) {
    for (int i = 0; i < 2; ++i) {
        if (state.seeds[i] == MODULUS || state.seeds[i] == -MODULUS) return false;
        if (state.lasts[i] == 0) continue;
        for (const std::int64_t entry : state.tables[i]) {
            if (entry == 0) return false;
        }
    }
    return true;
}

inline double draw_pixels(SharedNoise& state, const float* expected, std::int64_t n, const PixelErrors& errors,
                          bool is_first, float* counts) {
    if (has_plain_seeds(state)) {
        // no deviate is as large as 9
        const double most = std::fabs(errors.factor) * (1.0 + 9.0 * errors.flicker) * (1.0 + 9.0 * errors.calibration);
        bool needs_tangents = false;
        for (std::int64_t i = 0; i < n; ++i) needs_tangents |= !(std::fabs(expected[i]) * most < DIRECT_BELOW);
        return PixelNoise<BlockDeviates>(state, needs_tangents).draw(expected, n, errors, is_first, counts);
    }
    return PixelNoise<PlainDeviates>(state, true).draw(expected, n, errors, is_first, counts);
}

inline void draw_gaussians(SharedNoise& state, std::int64_t n, float* drawn) {
    if (has_plain_seeds(state)) {
        PixelNoise<BlockDeviates>(state, false).draw_gaussians(n, drawn);
    } else {
        PixelNoise<PlainDeviates>(state, false).draw_gaussians(n, drawn);
    }
}

}  // namespace cupysim
