// nanoBragg's photon noise, bit for bit. Each count depends on all counts before it.
//
// Only a CPU uses this file. Uniform deviates are drawn ahead in blocks. At the end, the state is that after the
// last deviate that was used. Some functions are computed faster than by the C library. Their results are used only
// if all numbers within the bound of the error lead to the same count, or have the same rounding to single precision.
#pragma once
#include <atomic>

#include "angles.cuh"
#include "photon_noise.cuh"
#include "stream_random.cuh"

namespace cupysim {

// ---- functions --------------------------------------------------------------

// Whether two numbers round to the same one in single precision; NaN does not.
CUPYSIM_FUNCTION bool round_alike(double a, double b) { return static_cast<float>(a) == static_cast<float>(b); }

// Bound of the relative errors of the functions below. They are some 1e-15.
constexpr double MAY_ERR = 1e-12;

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
    const bool is_sure = round_alike(found * (1.0 - MAY_ERR), found * (1.0 + MAY_ERR));
    return static_cast<float>(is_sure ? found : std::tan(HALF_TURN * u));
}

// Lanczos' approximation of log Gamma, Numerical Recipes in C, section 6.1.
template <class Log>
CUPYSIM_FUNCTION double lanczos(double x, double log_of_shifted, Log log) {
    double shifted = x + 5.5;
    shifted -= (x + 0.5) * log_of_shifted;
    double series = 1.000000000190015;
    series += 76.18009172947146 / (x + 1.0);
    series += -86.50532032941677 / (x + 2.0);
    series += 24.01409824083091 / (x + 3.0);
    series += -1.231739572450155 / (x + 4.0);
    series += 0.1208650973866179e-2 / (x + 5.0);
    series += -0.5395239384953e-5 / (x + 6.0);
    return -shifted + log(2.5066282746310005 * series / x);
}

// log Gamma as the C program computes it.
inline float log_gamma(double x) {
    return static_cast<float>(lanczos(x, std::log(x + 5.5), [](double y) { return std::log(y); }));
}

// log Gamma of whole numbers, computed at first use. Zero stands for values that are not known. Threads that
// compute the same value store equal numbers.
constexpr int KEPT_VALUES = 1 << 18;
inline std::atomic<float> kept_values[KEPT_VALUES];

// log Gamma(count + 1).
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

// ---- deviates in blocks -----------------------------------------------------

// Deviates of a state, drawn ahead.
class Deviates {
  public:
    // Draws about as many at a time as n pixels need.
    Deviates(NoiseState& state, std::int64_t n)
        : state(state), block(n < BLOCK / 16 ? 16 * static_cast<int>(n) + STEPS : BLOCK), before(state) {}

    CUPYSIM_FUNCTION float next() {
        if (at == end) refill();
        return deviates[at++];
    }

    // tan(pi u) of the next deviate, in single precision.
    CUPYSIM_FUNCTION float next_tangent() {
        if (at == end) refill();
        if (at >= n_tangents) add_tangents();
        return tangents[at++];
    }

    // Steps of the next block.
    CUPYSIM_FUNCTION void advance(int n_steps) {
        if (is_ahead) ahead.advance(n_steps);
    }

    // Multiplies deviates until the product is not above exp(-mean). Returns their number minus 1. The sums of their
    // logarithms decide, unless rounding could change the number. Products are as fast if exp(-mean) is known.
    CUPYSIM_FUNCTION int multiply(float mean) {
        const bool is_repeated = mean == mean_before;
        mean_before = mean;
        if (is_repeated) return multiply_exactly(mean);
        if (at + WINDOW > n_sums) add_sums();
        const float some = larger(mean, -1.0f);
        const std::uint32_t limit = sums[at] + static_cast<std::uint32_t>(static_cast<std::int32_t>(some * UNIT));
        int count = 0;
        while (at + count + WINDOW <= end) {
            // deviates after which the product is surely, and perhaps, above the limit: lower and upper 16 bits
            Integers above = {};
            for (int i = 0; i < WINDOW; i += FLOAT_LANES) {
                const Naturals beyond = vector_at<Naturals>(sums + at + count + 1 + i) - limit;
                const Integers excess = reinterpret_cast<Integers>(beyond);
                above -= (excess < -GUARD) + (excess < GUARD) * 65536;
            }
            const Words pairs = reinterpret_cast<Words>(above);
            std::uint64_t pair = pairs[0];
            for (int i = 1; i < WORD_LANES; ++i) pair += pairs[i];
            const std::uint64_t both = (pair & LOW_WORD) + (pair >> 32);
            const int least = static_cast<int>(both & 0xFFFF), most = static_cast<int>(both >> 16);
            if (least != most) break;
            count += least;
            if (least < WINDOW) {
                at += count + 1;
                return count;
            }
            if (at + count + WINDOW > n_sums) add_sums();
        }
        return multiply_exactly(mean);
    }

    // Brings the state to that after the last deviate that was used.
    void finish() {
        if (!is_ahead) return;
        const std::int64_t has_spare = state.has_spare;
        const double spare = state.spare;
        state = before;
        for (int i = 0; i < at; ++i) next_uniform(state);
        state.has_spare = has_spare;
        state.spare = spare;
    }

  private:
    static constexpr int TANGENTS_AT_ONCE = 16, SUMS_AT_ONCE = 256, WINDOW = 16;
    // Logarithms have the unit 2^-22; differences of sums are right even if sums exceed 32 bits. The error of a
    // difference is below 1.5e-5.
    static constexpr float UNIT = 4194304.0f;
    static constexpr std::int32_t GUARD = 63;

    NoiseState& state;
    int block;
    // the state before the block that is used; `state` is that after it
    NoiseState before;
    Shuffle ahead;
    bool is_ahead = false;
    int at = 0, end = 0, n_tangents = 0, n_sums = 0;
    float mean_before = -2.0f, limited_mean = -2.0f, limit = 2.7182818f;
    float deviates[BLOCK + SUMS_AT_ONCE + WINDOW] = {}, tangents[BLOCK + TANGENTS_AT_ONCE];
    std::uint32_t sums[BLOCK + SUMS_AT_ONCE + WINDOW + 1] = {};

    CUPYSIM_OUTLINE void refill() {
        before = state;
        at = n_tangents = n_sums = 0;
        if (!is_ahead) {
            if (state.seed <= 0 || state.seed >= MODULUS || state.last <= 0) {
                deviates[0] = next_uniform(state);
                end = 1;
                return;
            }
            ahead.begin(state, block);
            is_ahead = true;
        }
        ahead.end(state);
        end = block;
        deviates[end] = 0.0f;
        FOR_SOME_LANES(i, end) deviates[i] = deviate_of(ahead.drawn[i]);
        ahead.begin(state, block);
    }

    CUPYSIM_OUTLINE void add_tangents() {
        double exact[TANGENTS_AT_ONCE];
        FOR_SOME_LANES(i, TANGENTS_AT_ONCE) { exact[i] = tangent(HALF_TURN * static_cast<double>(deviates[at + i])); }
        for (int i = 0; i < TANGENTS_AT_ONCE; ++i) tangents[at + i] = short_tangent(exact[i], deviates[at + i]);
        n_tangents = at + TANGENTS_AT_ONCE;
    }

    CUPYSIM_OUTLINE void add_sums() {
        std::int32_t logs[SUMS_AT_ONCE];
        if (n_sums < at) n_sums = at;
        FOR_SOME_LANES(i, SUMS_AT_ONCE) {
            logs[i] = static_cast<std::int32_t>(short_log(deviates[n_sums + i]) * -UNIT + 0.5f);
        }
        std::uint32_t sum = sums[n_sums];
        for (int i = 0; i < SUMS_AT_ONCE; ++i) {
            sum += static_cast<std::uint32_t>(logs[i]);
            sums[n_sums + i + 1] = sum;
        }
        n_sums += SUMS_AT_ONCE;
    }

    CUPYSIM_FUNCTION int multiply_exactly(float mean) {
        if (mean != limited_mean) {
            limited_mean = mean;
            limit = static_cast<float>(std::exp(-static_cast<double>(larger(mean, -1.0f))));
        }
        const float *place = deviates + at, *const first = place;
        float product = at < end ? *place++ : 0.0f, above = 1.0f;
        while (product > limit) {
            above = product;
            product *= *place++;
        }
        const int n = static_cast<int>(place - first);
        if (n > 0 && at + n <= end) {
            at += n;
            return n - 1;
        }
        // the product with the zero after the last deviate does not count
        int count = end - at;
        at = end;
        for (product = above * next(); product > limit; product *= next()) ++count;
        return count;
    }
};

// ---- photon noise -----------------------------------------------------------

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
            gammas[i] = lanczos(x, log_of(x + 5.5), [](double y) { return log_of(y); });
        }
        for (int i = 0; i < n; ++i) {
            const bool is_sure = round_alike(logs[i] * (1.0 - MAY_ERR), logs[i] * (1.0 + MAY_ERR)) &&
                                 round_alike(gammas[i] * (1.0 - MAY_ERR), gammas[i] * (1.0 + MAY_ERR));
            if (is_sure || !is_rejected(means[i])) {
                log_mean[i] = static_cast<float>(logs[i]);
                constant[i] = means[i] * log_mean[i] - static_cast<float>(gammas[i]);
            } else {
                Rejection exact;
                exact.prepare(means[i]);
                log_mean[i] = exact.log_mean;
                constant[i] = exact.constant;
            }
        }
    }
};

// Whether a trial count is accepted; `peak` is that of the Lorentzian, and u a deviate.
CUPYSIM_FUNCTION bool is_accepted(const Rejection& trial, float count, double peak, float u) {
    float exponent = count * trial.log_mean;
    exponent = exponent - log_factorial(count);
    exponent = exponent - trial.constant;
    const double bounded = exponent < 700.0f ? exponent : 700.0;
    return !(u > static_cast<float>(peak * std::exp(bounded)));
}

// Draws trials from a Lorentzian until one is accepted.
inline double draw_rejected(Deviates& deviates, const Rejection& trial) {
    for (;;) {
        deviates.advance(2);
        float y, count;
        do {
            y = deviates.next_tangent();
            count = trial.width * y;
            count = count + trial.mean;
        } while (count < 0.0f);
        count = std::floor(count);
        const float squared = y * y;
        if (is_accepted(trial, count, 0.9 * (1.0 + squared), deviates.next())) return count;
    }
}

// Draws counted photons for expected photons, in the order of the pixels.
CUPYSIM_OUTLINE void draw_stream(NoiseState& state, const float* expected, std::int64_t n, double* counts) {
    Deviates deviates(state, n);
    Rejection trial;
    Prepared prepared;
    for (std::int64_t start = 0; start < n; start += Prepared::PIXELS) {
        const float* const means = expected + start;
        const int some = static_cast<int>(smaller(n - start, static_cast<std::int64_t>(Prepared::PIXELS)));
        int n_trials = 0;
        float sum = 0.0f;
        for (int i = 0; i < some; ++i) {
            n_trials += is_rejected(means[i]) && means[i] != trial.mean;
            sum += means[i] > 0.0f && means[i] < DIRECT_BELOW ? means[i] : 0.0f;
        }
        // for few pixels, the functions of the C library are fast enough
        const bool has_trials = n_trials > 3 * some / 4;
        if (has_trials) prepared.find_trials(means, some);
        // about as many as a pixel uses
        const int n_steps = 1 + static_cast<int>(sum / static_cast<float>(some) + 0.5f);
        for (int i = 0; i < some; ++i) {
            const float mean = means[i];
            double& count = counts[start + i];
            if (mean < DIRECT_BELOW) {
                deviates.advance(n_steps);
                count = deviates.multiply(mean);
            } else if (mean > GAUSSIAN_ABOVE) {
                const double width = std::sqrt(static_cast<double>(mean));
                const float deviate = gaussian(state.has_spare, state.spare, [&] { return deviates.next(); });
                count = static_cast<float>(mean + width * deviate);
            } else {
                if (has_trials) {
                    trial = {mean, prepared.width[i], prepared.log_mean[i], prepared.constant[i]};
                } else {
                    trial.prepare(mean);
                }
                count = draw_rejected(deviates, trial);
            }
        }
    }
    deviates.finish();
}

}  // namespace cupysim
