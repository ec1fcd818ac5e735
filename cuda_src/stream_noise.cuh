// nanoBragg's photon noise, bit for bit. Each count depends on all counts before it.
//
// Only a CPU uses this file. Uniform deviates are drawn ahead in blocks. At the end, the state is that after the
// last deviate that was used. Some functions are computed faster than by the C library. Their results are used only
// if all numbers within the bound of the error lead to the same count, or have the same rounding to single precision.
#pragma once
#include <atomic>
#include <limits>

#include "angles.cuh"
#include "photon_noise.cuh"
#include "stream_random.cuh"

namespace cupysim {

// ---- functions --------------------------------------------------------------

// Bound of the relative errors of the functions below. They are some 1e-15.
constexpr double MAY_ERR = 1e-12;

// Whether all numbers within this bound round to the same one in single precision; not for NaN.
CUPYSIM_FUNCTION bool rounds_surely(double found) {
    return static_cast<float>(found * (1.0 - MAY_ERR)) == static_cast<float>(found * (1.0 + MAY_ERR));
}

// tan x for 0 < x < 3.1415927.
CUPYSIM_FUNCTION double tangent(double x) {
    // pi/2 and pi in two parts
    const bool is_low = x < 0.78539816339744831, is_high = x > 2.3561944901923449;
    const double turned = is_low ? 0.0 : (is_high ? 3.14159265358979312 : 1.57079632679489656);
    const double rest = is_low ? 0.0 : (is_high ? 1.22464679914735321e-16 : 6.12323399573676604e-17);
    const double r = (x - turned) - rest, z = r * r;
    const double sine = short_sine(r, z), cosine = short_cosine(z);
    const bool is_turned = !is_low && !is_high;
    return (is_turned ? -cosine : sine) / (is_turned ? sine : cosine);
}

// pi radians.
constexpr double HALF_TURN = 3.14159265358979323846;

// tan(pi u) in single precision, if its value by `tangent` is known.
CUPYSIM_FUNCTION float short_tangent(double found, float u) {
    return static_cast<float>(rounds_surely(found) ? found : std::tan(HALF_TURN * u));
}

// Lanczos' approximation of log Gamma, Numerical Recipes in C, section 6.1.
constexpr double LANCZOS_FIRST = 1.000000000190015, ROOT_OF_TWO_PI = 2.5066282746310005;
constexpr int LANCZOS_TERMS = 6;
constexpr double LANCZOS[LANCZOS_TERMS] = {76.18009172947146,  -86.50532032941677,    24.01409824083091,
                                           -1.231739572450155, 0.1208650973866179e-2, -0.5395239384953e-5};

// log Gamma as the C program computes it.
inline float log_gamma(double x) {
    double shifted = x + 5.5;
    shifted -= (x + 0.5) * std::log(shifted);
    double series = LANCZOS_FIRST;
    for (int i = 0; i < LANCZOS_TERMS; ++i) series += LANCZOS[i] / (x + (i + 1.0));
    return static_cast<float>(-shifted + std::log(ROOT_OF_TWO_PI * series / x));
}

// The same for x from 1 to 1e7, in vectors: all terms have one denominator.
CUPYSIM_FUNCTION double short_log_gamma(double x) {
    double numerator = 0.0, denominator = 1.0;
    for (int i = 0; i < LANCZOS_TERMS; ++i) {
        const double factor = x + (i + 1.0);
        numerator = numerator * factor + LANCZOS[i] * denominator;
        denominator = denominator * factor;
    }
    const double series = (LANCZOS_FIRST * denominator + numerator) / (denominator * x);
    return (x + 0.5) * log_of(x + 5.5) - (x + 5.5) + log_of(ROOT_OF_TWO_PI * series);
}

// log Gamma of whole numbers, computed at first use. Zero stands for values that are not known. Threads that
// compute the same value store equal numbers.
constexpr int KEPT_VALUES = 1 << 18;
inline std::atomic<float> kept_values[KEPT_VALUES];

// log Gamma(count + 1) for counts from 0.
CUPYSIM_FUNCTION float log_factorial(float count) {
    if (!(count < static_cast<float>(KEPT_VALUES))) return log_gamma(count + 1.0f);
    std::atomic<float>& kept = kept_values[static_cast<int>(count)];
    float value = kept.load(std::memory_order_relaxed);
    if (value == 0.0f) {
        value = log_gamma(count + 1.0f);
        kept.store(value, std::memory_order_relaxed);
    }
    return value;
}

// ---- trials ------------------------------------------------------------------

// Values that depend only on the mean.
struct Rejection {
    float mean = -1.0f;
    float width = 0.0f, log_mean = 0.0f, constant = 0.0f;

    void prepare(float wanted) {
        if (wanted == mean) return;
        mean = wanted;
        width = static_cast<float>(std::sqrt(2.0 * mean));
        log_mean = static_cast<float>(std::log(static_cast<double>(mean)));
        constant = mean * log_mean - log_gamma(mean + 1.0f);
    }
};

// Whether a trial count is accepted. `peak` is 0.9 (1 + y^2), the inverse of the Lorentzian at the trial; u is a
// uniform deviate.
CUPYSIM_FUNCTION bool is_accepted(const Rejection& trial, float count, double peak, float u) {
    float exponent = count * trial.log_mean;
    exponent = exponent - log_factorial(count);
    exponent = exponent - trial.constant;
    const double bounded = exponent < 700.0f ? exponent : 700.0;
    return !(u > static_cast<float>(peak * std::exp(bounded)));
}

// ---- normal deviates ---------------------------------------------------------

// A normal deviate by the polar method, section 7.2. Every second deviate is kept for the next call. `next` gives
// uniform deviates.
template <class Next>
CUPYSIM_FUNCTION float gaussian(std::int64_t& has_spare, double& spare, Next next) {
    if (has_spare) {
        has_spare = 0;
        return static_cast<float>(spare);
    }
    float first, second, radius;
    do {
        first = static_cast<float>(2.0 * next() - 1.0);
        second = static_cast<float>(2.0 * next() - 1.0);
        radius = first * first + second * second;
    } while (!(radius > 0.0f && radius < 1.0f));
    const double length = radius;
    const float factor = static_cast<float>(std::sqrt(-2.0 * std::log(length) / length));
    spare = first * factor;
    has_spare = 1;
    return second * factor;
}

// Means below SMALL mostly have counts below FEW_RISING. If all means are the same one below TINY, multiplying one
// after the other is faster, because most products have one factor.
constexpr float SMALL = 1.5f, TINY = 0.1f;

// ---- deviates in blocks -----------------------------------------------------

// Deviates of a state, drawn ahead.
class Deviates {
  public:
    // Draws about as many at a time as n pixels need.
    Deviates(NoiseState& state, std::int64_t n)
        : state(state), block_size(n < BLOCK / 16 ? 16 * static_cast<int>(n) + STEPS : BLOCK) {}

    CUPYSIM_FUNCTION float next() {
        if (at == end) refill();
        return block->deviate(at++);
    }

    // Steps of the next block.
    CUPYSIM_FUNCTION void advance(int n_steps) {
        if (is_ahead) ahead.advance(n_steps);
    }

    // Multiplies deviates until the product is not above exp(-mean). Returns their number minus 1. The sums of their
    // logarithms decide, unless rounding could change the number.
    CUPYSIM_FUNCTION int multiply(float mean) {
        // for small means, multiplying is as fast, because exp(-mean) is known
        if (mean < FEW && mean == limited_mean) return multiply_exactly(mean);
        std::int32_t rise = static_cast<std::int32_t>(larger(mean, -1.0f) * LOG_UNITS);
        int count = 0;
        while (at + count + RISING <= end) {
            // bit i: the product with deviate i is surely (first mask) or possibly (second mask) above the limit
            std::uint32_t above, near_or_above;
            const std::uint32_t* const sums = block->sums + at + count;
            compare_rising(sums, rise, GUARD, above, near_or_above);
            if (above != near_or_above) break;
            const int least = __builtin_ctz(~above);
            if (least < RISING) {
                at += count + least + 1;
                return count + least;
            }
            rise -= static_cast<std::int32_t>(sums[RISING] - sums[0]);
            count += RISING;
        }
        return multiply_exactly(mean);
    }

    // The same for pairs of pixels with small means, as long as this is surely right. The count of the second pixel is
    // found for each possible count of the first one, which saves waiting. Returns the number of pixels.
    CUPYSIM_OUTLINE int multiply_pairs(const float* means, int n, int n_steps, std::int32_t* counts) {
        int i = 0;
        for (; i + 1 < n; i += 2) {
            const float mean = means[i], next_mean = means[i + 1];
            if (!(mean >= 0.0f && mean < SMALL && next_mean >= 0.0f && next_mean < SMALL)) break;
            advance(2 * n_steps);
            if (at + 2 * FEW_RISING + 2 > end) break;
            const std::uint32_t* const sums = block->sums + at;
            const std::int32_t rise = static_cast<std::int32_t>(mean * LOG_UNITS);
            const std::int32_t next_rise = static_cast<std::int32_t>(next_mean * LOG_UNITS);
            const std::uint32_t below = rising_below(sums, rise - GUARD);
            std::uint32_t next_below = 0;
            for (int k = 0; k < FEW_RISING; ++k) {
                next_below |= rising_below(sums + 1 + k, next_rise - GUARD) << (FEW_RISING * k);
            }
            const int count = __builtin_ctz(~below);
            if (count == FEW_RISING) break;
            const int next_count = __builtin_ctz(~(next_below >> (FEW_RISING * count)) | 1u << FEW_RISING);
            const std::uint32_t* const next_sums = sums + count + 1;
            // products that are not surely above their limits must be surely below them
            const auto excess = static_cast<std::int32_t>(*next_sums - *sums) - rise;
            const auto next_excess = static_cast<std::int32_t>(next_sums[next_count + 1] - *next_sums) - next_rise;
            if (next_count == FEW_RISING || excess < GUARD || next_excess < GUARD) break;
            counts[i] = count;
            counts[i + 1] = next_count;
            at += count + next_count + 2;
        }
        return i;
    }

    // Draws trial counts from a Lorentzian until one is accepted.
    CUPYSIM_FUNCTION float reject(const Rejection& trial) {
        for (;;) {
            advance(2 * TRIALS);
            if (at + 2 * TRIALS > end) return reject_exactly(trial);
            if (at + 2 * TRIALS > n_trials) add_trials();
            // each trial takes two deviates, unless its count is negative
            float counts[TRIALS], excess[TRIALS];
            for (int i = 0; i < TRIALS; ++i) {
                const int here = at + 2 * i;
                float count = trial.width * tangents[here];
                count = count + trial.mean;
                counts[i] = std::floor(count);
                float exponent = counts[i] * trial.log_mean;
                // counts below 2, whose logarithms are zero in the table, are left to `reject_exactly`
                exponent = exponent - log_factorial(larger(counts[i], 2.0f));
                exponent = exponent - trial.constant;
                excess[i] = exponent + peaks[here] + logs[here + 1];
            }
            unsigned rejected = 0;
            for (int i = 0; i < TRIALS; ++i) {
                rejected |= static_cast<unsigned>((counts[i] >= 2.0f) & (excess[i] < -TRIAL_GUARD)) << i;
            }
            const int i = __builtin_ctz(~rejected);
            at += 2 * i;
            if (i == TRIALS) continue;
            if (counts[i] < 0.0f) {
                ++at;
                continue;
            }
            if (!(counts[i] >= 2.0f && excess[i] > TRIAL_GUARD)) return reject_exactly(trial);
            at += 2;
            return counts[i];
        }
    }

    // A normal deviate, as from `gaussian`.
    CUPYSIM_FUNCTION float normal() {
        if (state.has_spare) {
            state.has_spare = 0;
            return static_cast<float>(state.spare);
        }
        for (;;) {
            advance(2);
            if (at + 2 > end) return gaussian(state.has_spare, state.spare, [&] { return next(); });
            if (at < first_pair || at >= end_of_pairs || (at - first_pair) % 2 != 0) add_pairs();
            const int i = (at - first_pair) / 2;
            at += 2;
            if (!(radii[i] > 0.0f && radii[i] < 1.0f)) continue;
            state.spare = firsts[i] * factors[i];
            state.has_spare = 1;
            return seconds[i] * factors[i];
        }
    }

    // Normal deviates of n pixels, as from `gaussian`. Whether a pair is used decides no branch, because a fifth of them
    // is not.
    CUPYSIM_OUTLINE void normals(int n, float* drawn) {
        int k = 0;
        if (n > 0 && state.has_spare) drawn[k++] = normal();
        while (k + 1 < n) {
            advance(2);
            if (at + 2 > end || at < first_pair || at >= end_of_pairs || (at - first_pair) % 2 != 0) {
                drawn[k++] = normal();
                drawn[k++] = normal();
                continue;
            }
            const int i = (at - first_pair) / 2;
            at += 2;
            drawn[k] = seconds[i] * factors[i];
            drawn[k + 1] = firsts[i] * factors[i];
            k += radii[i] > 0.0f && radii[i] < 1.0f ? 2 : 0;
        }
        if (k < n) drawn[k] = normal();
    }

    // Brings the state to that after the last deviate that was used.
    void finish() {
        if (!is_ahead) return;
        state.seed = block->seed;
        state.last = block->last;
        for (int i = 0; i < TABLE_SIZE; ++i) state.table[i] = value_of(block->table[i]);
        for (int i = 0; i < at; ++i) next_uniform(state);
    }

  private:
    static constexpr int TRIALS_AT_ONCE = 64, PAIRS_AT_ONCE = 32;
    // Trials that are computed together, before it is known which one is accepted.
    static constexpr int TRIALS = 2;
    // Errors of logarithms of deviates and of their limits are together below 1e-5.
    static constexpr float TRIAL_GUARD = 3e-5f;
    // Errors of differences of sums are below this number of units: an error of a term is at most max(1, -log u) + 1,
    // and a sum practically never has more than 64 terms.
    static constexpr std::int32_t GUARD = 256;
    static constexpr float FEW = 0.5f;

    NoiseState& state;
    const int block_size;
    Shuffle ahead;
    bool is_ahead = false;
    int at = 0, end = 0, n_trials = 0;
    float limited_mean = -2.0f, limit = 2.7182818f;
    DeviateBlock blocks[2];
    DeviateBlock *block = blocks, *next_block = blocks + 1;
    // of each deviate of the block: y = tan(pi u), log(0.9 (1 + y^2)), and -log u
    float tangents[BLOCK + TRIALS_AT_ONCE], peaks[BLOCK + TRIALS_AT_ONCE], logs[BLOCK + TRIALS_AT_ONCE];

    // pairs of deviates between two places: 2 u - 1 of both, the sum of their squares, the factor of normal deviates
    int first_pair = 0, end_of_pairs = 0;
    float firsts[PAIRS_AT_ONCE], seconds[PAIRS_AT_ONCE], radii[PAIRS_AT_ONCE], factors[PAIRS_AT_ONCE];

    // Computes pairs from the present place on, also beyond the end of the block.
    static_assert(2 * PAIRS_AT_ONCE <= DeviateBlock::PADDING, "the block has places for all pairs");
    CUPYSIM_OUTLINE void add_pairs() {
        const std::uint64_t* const entries = block->entries + at;
        double exact[PAIRS_AT_ONCE];
        FOR_SOME_LANES(i, PAIRS_AT_ONCE) {
            const double one = deviate_of(value_of(entries[2 * i])), other = deviate_of(value_of(entries[2 * i + 1]));
            firsts[i] = static_cast<float>(2.0 * one - 1.0);
            seconds[i] = static_cast<float>(2.0 * other - 1.0);
            radii[i] = firsts[i] * firsts[i] + seconds[i] * seconds[i];
        }
        int n_unsure = 0;
#pragma omp simd reduction(+ : n_unsure)
        for (int i = 0; i < PAIRS_AT_ONCE; ++i) {
            const bool is_inside = radii[i] > 0.0f && radii[i] < 1.0f;
            const double length = is_inside ? static_cast<double>(radii[i]) : 0.5;
            exact[i] = square_root(-2.0 * log_of(length) / length);
            factors[i] = static_cast<float>(exact[i]);
            n_unsure += rounds_surely(exact[i]) ? 0 : 1;
        }
        for (int i = 0; n_unsure > 0 && i < PAIRS_AT_ONCE; ++i) {
            const double length = radii[i];
            if (!rounds_surely(exact[i])) factors[i] = static_cast<float>(std::sqrt(-2.0 * std::log(length) / length));
        }
        first_pair = at;
        end_of_pairs = at + 2 * PAIRS_AT_ONCE;
    }

    CUPYSIM_OUTLINE void refill() {
        at = n_trials = first_pair = end_of_pairs = 0;
        if (!is_ahead) {
            if (state.seed <= 0 || state.seed >= MODULUS || state.last <= 0) {
                const auto value = next_value(state.seed, state.last, state.table);
                block->entries[0] = entry_of(static_cast<std::uint64_t>(value), 0);
                end = 1;
                return;
            }
            ahead.start(state, block_size);
            ahead.begin(*next_block);
            is_ahead = true;
        }
        ahead.end();
        DeviateBlock* const used = block;
        block = next_block;
        next_block = used;
        end = block->size;
        ahead.begin(*next_block);
    }

    CUPYSIM_OUTLINE void add_trials() {
        float deviates[TRIALS_AT_ONCE];
        double exact[TRIALS_AT_ONCE];
        const int first = n_trials < at ? at : n_trials;
        const std::uint64_t* const entries = block->entries + first;
        const std::uint32_t* const sums = block->sums + first;
        FOR_SOME_LANES(i, TRIALS_AT_ONCE) deviates[i] = deviate_of(value_of(entries[i]));
        FOR_SOME_LANES(i, TRIALS_AT_ONCE) exact[i] = tangent(HALF_TURN * static_cast<double>(deviates[i]));
        int n_unsure = 0;
#pragma omp simd reduction(+ : n_unsure)
        for (int i = 0; i < TRIALS_AT_ONCE; ++i) {
            tangents[first + i] = static_cast<float>(exact[i]);
            n_unsure += rounds_surely(exact[i]) ? 0 : 1;
        }
        for (int i = 0; n_unsure > 0 && i < TRIALS_AT_ONCE; ++i) {
            tangents[first + i] = short_tangent(exact[i], deviates[i]);
        }
        FOR_SOME_LANES(i, TRIALS_AT_ONCE) {
            const float y = tangents[first + i];
            peaks[first + i] = short_log(0.9f * (1.0f + y * y));
            logs[first + i] = static_cast<float>(static_cast<std::int32_t>(sums[i + 1] - sums[i])) * (1.0f / LOG_UNITS);
        }
        n_trials = first + TRIALS_AT_ONCE;
    }

    // The trials one after the other, with the functions of the C library. Returns the first one that is accepted.
    CUPYSIM_OUTLINE float reject_exactly(const Rejection& trial) {
        for (;;) {
            float y, count;
            do {
                const float u = next();
                y = short_tangent(tangent(HALF_TURN * static_cast<double>(u)), u);
                count = trial.width * y;
                count = count + trial.mean;
            } while (count < 0.0f);
            count = std::floor(count);
            const float squared = y * y;
            if (is_accepted(trial, count, 0.9 * (1.0 + squared), next())) return count;
        }
    }

    CUPYSIM_FUNCTION int multiply_exactly(float mean) {
        if (mean != limited_mean) {
            limited_mean = mean;
            limit = static_cast<float>(std::exp(-static_cast<double>(larger(mean, -1.0f))));
        }
        int count = -1;
        float product = 1.0f;
        do {
            product *= next();
            ++count;
        } while (product > limit);
        return count;
    }
};

// ---- photon noise -----------------------------------------------------------

// For means below DIRECT_BELOW, deviates are multiplied. For means above GAUSSIAN_ABOVE, normal deviates are drawn.
constexpr float DIRECT_BELOW = 12.0f, GAUSSIAN_ABOVE = 1.0e6f;

CUPYSIM_FUNCTION bool is_rejected(float mean) { return mean >= DIRECT_BELOW && mean <= GAUSSIAN_ABOVE; }

// Values of pixels that depend only on their means, and not on the order of the pixels.
struct Prepared {
    static constexpr int PIXELS = 64;

    float width[PIXELS], log_mean[PIXELS], constant[PIXELS];

    CUPYSIM_OUTLINE void find_trials(const float* means, int n) {
        double logs[PIXELS], gammas[PIXELS];
        FOR_SOME_LANES(i, n) {
            const float mean = is_rejected(means[i]) ? means[i] : DIRECT_BELOW;
            const double m = static_cast<double>(mean), x = static_cast<double>(mean + 1.0f);
            width[i] = static_cast<float>(square_root(2.0 * m));
            logs[i] = log_of(m);
            gammas[i] = short_log_gamma(x);
            log_mean[i] = static_cast<float>(logs[i]);
            constant[i] = mean * log_mean[i] - static_cast<float>(gammas[i]);
        }
        for (int i = 0; i < n; ++i) {
            if ((rounds_surely(logs[i]) && rounds_surely(gammas[i])) || !is_rejected(means[i])) continue;
            Rejection exact;
            exact.prepare(means[i]);
            log_mean[i] = exact.log_mean;
            constant[i] = exact.constant;
        }
    }
};

// A count as an integer from 0 to `largest`. NaN becomes the smallest integer.
CUPYSIM_FUNCTION std::int32_t clipped_count(double count, double largest) {
    const double bounded = smaller(larger(count, 0.0), largest);
    return count == count ? static_cast<std::int32_t>(bounded) : std::numeric_limits<std::int32_t>::min();
}

// The same for a count that is an integer.
CUPYSIM_FUNCTION std::int32_t clipped_count(std::int32_t count, double largest) {
    return static_cast<double>(count) < largest ? count : static_cast<std::int32_t>(largest);
}

// Draws counted photons for expected photons, in the order of the pixels, and gives them to `put`, as double or as
// integers.
template <class Put>
CUPYSIM_FUNCTION void draw_stream(NoiseState& state, const float* expected, std::int64_t n, const Put& put) {
    Deviates deviates(state, n);
    Rejection trial;
    Prepared prepared;
    for (std::int64_t start = 0; start < n; start += Prepared::PIXELS) {
        const float* const means = expected + start;
        const int some = static_cast<int>(smaller(n - start, static_cast<std::int64_t>(Prepared::PIXELS)));
        int n_trials = 0, n_small = 0, n_tiny = 0;
        float sum = 0.0f;
#pragma omp simd reduction(+ : n_trials, n_small, n_tiny, sum)
        for (int i = 0; i < some; ++i) {
            n_small += means[i] < SMALL;
            n_tiny += static_cast<int>(means[i] < TINY) & static_cast<int>(means[i] == means[0]);
            n_trials += static_cast<int>(is_rejected(means[i])) & static_cast<int>(means[i] != trial.mean);
            sum += means[i] > 0.0f && means[i] < DIRECT_BELOW ? means[i] : 0.0f;
        }
        // for few pixels, the functions of the C library are fast enough
        const bool has_trials = n_trials > 3 * some / 4;
        if (has_trials) prepared.find_trials(means, some);
        const bool in_pairs = n_small > 3 * some / 4 && n_tiny < some;
        // about as many as a pixel uses
        const int n_steps = 1 + static_cast<int>(sum / static_cast<float>(some) + 0.5f);
        for (int i = 0; i < some; ++i) {
            float mean = means[i];
            double count;
            if (in_pairs) {
                std::int32_t counts[Prepared::PIXELS];
                const int n_drawn = deviates.multiply_pairs(means + i, some - i, n_steps, counts);
                for (int k = 0; k < n_drawn; ++k) put(start + i + k, counts[k]);
                i += n_drawn;
                if (i == some) break;
                mean = means[i];
            }
            if (mean < DIRECT_BELOW) {
                deviates.advance(n_steps);
                count = deviates.multiply(mean);
            } else if (mean > GAUSSIAN_ABOVE) {
                int n_drawn = 1;
                while (i + n_drawn < some && means[i + n_drawn] > GAUSSIAN_ABOVE) ++n_drawn;
                float drawn[Prepared::PIXELS];
                deviates.normals(n_drawn, drawn);
                FOR_SOME_LANES(k, n_drawn) {
                    const double here = static_cast<double>(means[i + k]);
                    drawn[k] = static_cast<float>(here + square_root(here) * drawn[k]);
                }
                for (int k = 0; k < n_drawn; ++k) put(start + i + k, drawn[k]);
                i += n_drawn - 1;
                continue;
            } else {
                if (has_trials) {
                    trial = {mean, prepared.width[i], prepared.log_mean[i], prepared.constant[i]};
                } else {
                    trial.prepare(mean);
                }
                count = deviates.reject(trial);
            }
            put(start + i, count);
        }
    }
    deviates.finish();
}

}  // namespace cupysim
