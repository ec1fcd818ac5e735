// Counted photons of many pixels at a time, on a CPU. `photon_noise.cuh` has the formulas.
#pragma once
#include "philox.cuh"
#include "photon_noise.cuh"

namespace cupysim {

// Pixels that are computed together.
constexpr int NOISE_LANES = 512;

// ---- inversion ---------------------------------------------------------------

// Whether a lane of a comparison's result is true.
CUPYSIM_FUNCTION bool is_any(Integers lanes) {
#if defined(__AVX2__)
    return _mm256_movemask_epi8(reinterpret_cast<__m256i>(lanes)) != 0;
#elif defined(__SSE2__)
    return _mm_movemask_epi8(reinterpret_cast<__m128i>(lanes)) != 0;
#else
    const Words parts = reinterpret_cast<Words>(lanes);
    return (parts[0] | parts[1]) != 0;
#endif
}

// exp(-m) for 0 <= m < 64, with a relative error below 2^-22.
CUPYSIM_FUNCTION Floats exp_of_means(Floats m) {
    const Floats shifted = m * 1.44269504f + WHOLE_FLOAT;
    // the integer is in the low bits of `shifted`
    const Integers power = (127 << 23) - (reinterpret_cast<Integers>(shifted) << 23);
    return short_fraction(m, shifted - WHOLE_FLOAT) * reinterpret_cast<Floats>(power);
}

// Deviates of 23 bits of the first words of the pixels `first`, `first` + 1, ...
CUPYSIM_FUNCTION Floats short_deviates(const PhiloxKey& key, std::uint64_t first, Words w1) {
    constexpr std::uint64_t EVEN[4] = {0, 2, 4, 6}, ODD[4] = {1, 3, 5, 7};
    const Words even = vector_at<Words>(EVEN) + first, odd = vector_at<Words>(ODD) + first;
    const Words words = (philox(key, even, w1).w0 & LOW_WORD) | (philox(key, odd, w1).w0 << 32);
    const Words bits = ((words >> 9) & 0x007FFFFF007FFFFFull) | 0x3F8000003F800000ull;
    return (reinterpret_cast<Floats>(bits) - 1.0f) + 5.9604644775390625e-8f;
}

struct Reciprocals {
    float of[MOST_COUNTS + 2];
    Reciprocals() {
        for (int k = 1; k < MOST_COUNTS + 2; ++k) of[k] = 1.0f / static_cast<float>(k);
    }
};

// Pixels whose distribution functions are inverted together.
constexpr int INVERTED_LANES = 2 * FLOAT_LANES;

// Counts of INVERTED_LANES pixels with means below TRIALS_FROM.
CUPYSIM_FUNCTION void invert(const PhiloxKey& key, std::uint64_t first, const Floats* means, Integers* counts) {
    static const Reciprocals reciprocals;
    const Words w1 = word_1(key, first, 0);
    const Floats m0 = means[0], m1 = means[1];
    const Floats u0 = short_deviates(key, first, w1), u1 = short_deviates(key, first + FLOAT_LANES, w1);
    const Floats guard0 = bound_of_errors(m0), guard1 = bound_of_errors(m1);
    const Floats below0 = u0 - guard0, below1 = u1 - guard1, above0 = u0 + guard0, above1 = u1 + guard1;
    Floats probability0 = exp_of_means(m0), probability1 = exp_of_means(m1);
    Floats total0 = probability0, total1 = probability1;
    Integers least0 = below0 > total0, least1 = below1 > total1, most0 = above0 > total0, most1 = above1 > total1;
    Integers more = least0 | least1;
    for (int k = 1; k <= MOST_COUNTS && is_any(more); ++k) {
        const float inverse = reciprocals.of[k];
        probability0 = probability0 * (m0 * inverse);
        probability1 = probability1 * (m1 * inverse);
        total0 = total0 + probability0;
        total1 = total1 + probability1;
        const Integers more0 = below0 > total0, more1 = below1 > total1;
        least0 += more0;
        least1 += more1;
        most0 += above0 > total0;
        most1 += above1 > total1;
        more = more0 | more1;
    }
    // a true lane is -1
    counts[0] = -least0;
    counts[1] = -least1;
    const Integers in_doubt[2] = {least0 != most0, least1 != most1};
    if (!is_any(in_doubt[0] | in_doubt[1])) return;
    for (int i = 0; i < INVERTED_LANES; ++i) {
        const int part = i / FLOAT_LANES, lane = i % FLOAT_LANES;
        if (!in_doubt[part][lane]) continue;
        const PhiloxWords words = philox(key, Words{} + (first + static_cast<std::uint64_t>(i)), w1);
        const double u = deviates_of(words.w0, words.w1)[0];
        counts[part][lane] = static_cast<std::int32_t>(inverted(means[part][lane], u));
    }
}

// ---- trials ------------------------------------------------------------------

// Pixels that wait for an accepted trial, and the slots of their counts. The arrays have room for whole vectors.
struct Waiting {
    int n;
    int slot[NOISE_LANES];
    std::uint64_t pixel[NOISE_LANES];
    double mean[NOISE_LANES];
};

// Trials, and whether they are rejected, or not accepted at once.
struct Drawn {
    double u[NOISE_LANES], v[NOISE_LANES], k[NOISE_LANES], edge[NOISE_LANES];
    std::int64_t is_rejected[NOISE_LANES];
};

// Trials that are not accepted at once, and their places in `Waiting` and `Drawn`.
struct Doubtful {
    int n;
    int place[NOISE_LANES];
    double mean[NOISE_LANES], k[NOISE_LANES], edge[NOISE_LANES], v[NOISE_LANES];
    float decided[NOISE_LANES];
};

// n, rounded up to whole vectors of any kind.
CUPYSIM_FUNCTION int whole_vectors(int n) { return (n + 7) / 8 * 8; }

CUPYSIM_FUNCTION void draw_deviates(const PhiloxKey& key, const Waiting& waiting, int n, Words w1, Drawn& drawn) {
    for (int i = 0; i < n; i += WORD_LANES) {
        const PhiloxWords words = philox(key, vector_at<Words>(waiting.pixel + i), w1);
        store(deviates_of(words.w0, words.w1), drawn.u + i);
        store(deviates_of(words.w2, words.w3), drawn.v + i);
    }
}

// How far the limit of a trial is above the logarithm of its probability, in single precision: accepted trials
// have negative numbers. The result is zero if its error may exceed it, or if `is_accepted` has another rule.
CUPYSIM_FUNCTION float estimated_excess(double mean, double count, double trial_edge, double trial_v) {
    const float m = static_cast<float>(mean), k = static_cast<float>(count);
    const float difference = static_cast<float>(count - mean), edge = static_cast<float>(trial_edge);
    const float b = 0.931f + 2.53f * square_root(m), a = 0.02483f * b - 0.059f;
    const float inverse_alpha = 1.1239f + 1.1328f / (b - 3.4f);
    const float limit = static_cast<float>(trial_v) * inverse_alpha * (edge * edge) / (a + b * (edge * edge));
    const float ratio = difference / (k + m), z = ratio * ratio;
    const float p =
        (((((1.0f / 15.0f * z + 1.0f / 13.0f) * z + 1.0f / 11.0f) * z + 1.0f / 9.0f) * z + 1.0f / 7.0f) * z +
         1.0f / 5.0f) *
            z +
        1.0f / 3.0f;
    const float deviance = difference * ratio + 2.0f * k * (ratio * z * p);
    const float error = 1.0f / (12.0f * k + 0.4f / k);
    const float excess = short_log(limit * square_root(k)) + (error + deviance + static_cast<float>(HALF_LOG_TWO_PI));
    const float size = excess < 0.0f ? -excess : excess;
    const bool is_sure = size > 1e-4f + 1e-5f * deviance && z < 0.12f;
    const bool is_usual = count >= SERIES_FROM && trial_edge >= 0.013;
    return is_sure && is_usual ? excess : 0.0f;
}

// Accepts (-1) or rejects (1) trials by the probabilities of their counts.
CUPYSIM_OUTLINE void decide(Doubtful& trials) {
    const int n = whole_vectors(trials.n);
    for (int i = trials.n; i < n; ++i) {
        trials.mean[i] = trials.k[i] = TRIALS_FROM;
        trials.edge[i] = trials.v[i] = 0.25;
    }
    FOR_SOME_LANES(i, n) {
        trials.decided[i] = estimated_excess(trials.mean[i], trials.k[i], trials.edge[i], trials.v[i]);
    }
    for (int i = 0; i < trials.n; ++i) {
        if (trials.decided[i] != 0.0f) continue;
        const bool is_good = is_accepted_exactly(trials.mean[i], trials.k[i], trials.edge[i], trials.v[i]);
        trials.decided[i] = is_good ? -1.0f : 1.0f;
    }
}

// Counts by trials, which are drawn together for all pixels that wait. Their words 0 are in `waiting.pixel`.
// At first, slots are the numbers from 0 on.
CUPYSIM_OUTLINE void draw_trials(const PhiloxKey& key, std::uint64_t first, Waiting& waiting, double* counts) {
    Drawn drawn;
    Doubtful doubtful;
    for (std::uint32_t draw = 0; waiting.n > 0; ++draw) {
        const int n = whole_vectors(waiting.n);
        for (int i = waiting.n; i < n; ++i) {
            waiting.pixel[i] = 0;
            waiting.mean[i] = TRIALS_FROM;
        }
        draw_deviates(key, waiting, n, word_1(key, first, draw), drawn);
        FOR_SOME_LANES(i, n) {
            const Trials trials = Trials::of(waiting.mean[i]);
            draw_trial(trials, waiting.mean[i], drawn.u[i], drawn.k[i], drawn.edge[i]);
            drawn.is_rejected[i] = !is_accepted_at_once(trials, drawn.edge[i], drawn.v[i]);
        }
        // counts that are not accepted yet are replaced later
        if (draw == 0) {
            std::memcpy(counts, drawn.k, sizeof(double) * waiting.n);
        } else {
            for (int i = 0; i < waiting.n; ++i) counts[waiting.slot[i]] = drawn.k[i];
        }
        int n_doubtful = 0;
        for (int i = 0; i < waiting.n; ++i) {
            doubtful.place[n_doubtful] = i;
            n_doubtful += static_cast<int>(drawn.is_rejected[i]);
        }
        for (int i = 0; i < n_doubtful; ++i) {
            const int place = doubtful.place[i];
            doubtful.mean[i] = waiting.mean[place];
            doubtful.k[i] = drawn.k[place];
            doubtful.edge[i] = drawn.edge[place];
            doubtful.v[i] = drawn.v[place];
        }
        doubtful.n = n_doubtful;
        decide(doubtful);
        int n_waiting = 0;
        for (int i = 0; i < n_doubtful; ++i) {
            const int place = doubtful.place[i];
            waiting.slot[n_waiting] = waiting.slot[place];
            waiting.pixel[n_waiting] = waiting.pixel[place];
            waiting.mean[n_waiting] = waiting.mean[place];
            n_waiting += doubtful.decided[i] > 0.0f;
        }
        waiting.n = n_waiting;
    }
}

// ---- pixels ------------------------------------------------------------------

// Counts of pixels by trials, and their sum. `places` are the places of the pixels, in rising order.
CUPYSIM_OUTLINE double count_bright(const PhiloxKey& key, std::uint64_t first, const float* means, const int* places,
                                    int n, double largest, std::int32_t* counts) {
    Waiting waiting;
    double mean[NOISE_LANES], drawn[NOISE_LANES];
    std::int32_t limited[NOISE_LANES];
    const int begin = places[0];
    const bool is_run = places[n - 1] - begin == n - 1;
    if (is_run) {
        FOR_SOME_LANES(i, n) mean[i] = static_cast<double>(means[begin + i]);
    } else {
        for (int i = 0; i < n; ++i) mean[i] = static_cast<double>(means[places[i]]);
    }
    FOR_SOME_LANES(i, n) {
        waiting.mean[i] = mean[i] < LARGEST_MEAN ? mean[i] : TRIALS_FROM;
        waiting.slot[i] = i;
        waiting.pixel[i] = first + static_cast<std::uint64_t>(places[i]);
    }
    waiting.n = n;
    draw_trials(key, first, waiting, drawn);
    FOR_SOME_LANES(i, n) {
        // otherwise noise is smaller than the rounding of the mean, or the mean is infinite
        drawn[i] = mean[i] < LARGEST_MEAN ? drawn[i] : mean[i];
        limited[i] = static_cast<std::int32_t>(smaller(drawn[i], largest));
    }
    if (is_run) {
        std::memcpy(counts + begin, limited, sizeof(std::int32_t) * n);
    } else {
        for (int i = 0; i < n; ++i) counts[places[i]] = limited[i];
    }
    for (int i = n; i < whole_vectors(n); ++i) drawn[i] = 0.0;
    // the order of the sum is the same on all machines
    double sums[4] = {};
    for (int i = 0; i < n; i += 4) {
        for (int j = 0; j < 4; ++j) sums[j] += drawn[i + j];
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// How many pixels wait for trials.
enum class Bright { none, some, all };

// Counts of INVERTED_LANES pixels, if their means are below TRIALS_FROM. Their sums are added to `sums`. Returns
// whether there are others.
CUPYSIM_FUNCTION Bright count_faint(const PhiloxKey& key, std::uint64_t first, const float* means, std::int32_t most,
                                    Integers& sums, std::int32_t* counts) {
    Floats given[2];
    Integers found[2] = {}, is_bright[2], is_faint[2];
    std::memcpy(given, means, sizeof given);
    for (int part = 0; part < 2; ++part) {
        is_bright[part] = given[part] >= static_cast<float>(TRIALS_FROM);
        is_faint[part] = (given[part] > 0.0f) & ~is_bright[part];
    }
    if (!is_any(~(is_bright[0] & is_bright[1]))) return Bright::all;
    if (is_any(is_faint[0] | is_faint[1])) {
        Floats faint[2];
        for (int part = 0; part < 2; ++part) {
            faint[part] = reinterpret_cast<Floats>(is_faint[part] & reinterpret_cast<Integers>(given[part]));
        }
        invert(key, first, faint, found);
        for (int part = 0; part < 2; ++part) {
            sums += found[part];
            found[part] = found[part] < most ? found[part] : Integers{} + most;
        }
    }
    std::memcpy(counts, found, sizeof found);
    return is_any(is_bright[0] | is_bright[1]) ? Bright::some : Bright::none;
}

// Counts of up to NOISE_LANES pixels, whose consecutive numbers have the same upper half. Means that are not positive
// give a count of zero. Returns the sum of the counts.
CUPYSIM_OUTLINE double count_lanes(const PhiloxKey& key, std::uint64_t first, const float* means, int n, double largest,
                                   std::int32_t* counts) {
    const std::int32_t most = static_cast<std::int32_t>(smaller(largest, static_cast<double>(MOST_COUNTS)));
    int bright[NOISE_LANES], n_bright = 0;
    double sum = 0.0;
    Integers sums = {};
    for (int start = 0; start < n; start += INVERTED_LANES) {
        const std::uint64_t number = first + static_cast<std::uint64_t>(start);
        const int stop = smaller(start + INVERTED_LANES, n);
        Bright rest;
        if (stop - start == INVERTED_LANES) {
            rest = count_faint(key, number, means + start, most, sums, counts + start);
        } else {
            float some[INVERTED_LANES] = {};
            std::int32_t found[INVERTED_LANES];
            for (int i = start; i < stop; ++i) some[i - start] = means[i];
            rest = count_faint(key, number, some, most, sums, found);
            for (int i = start; i < stop; ++i) counts[i] = found[i - start];
        }
        if (rest == Bright::none) continue;
        if (rest == Bright::all) {
            for (int i = 0; i < INVERTED_LANES; ++i) bright[n_bright + i] = start + i;
            n_bright += INVERTED_LANES;
        } else {
            for (int i = start; i < stop; ++i) {
                bright[n_bright] = i;
                n_bright += means[i] >= static_cast<float>(TRIALS_FROM);
            }
        }
    }
    for (int i = 0; i < FLOAT_LANES; ++i) sum += static_cast<double>(sums[i]);
    return n_bright == 0 ? sum : sum + count_bright(key, first, means, bright, n_bright, largest, counts);
}

// Counts of a row of pixels with consecutive numbers, and their sum.
CUPYSIM_OUTLINE double count_row(const PhiloxKey& key, std::uint64_t first, const float* means, std::int64_t n,
                                 double largest, std::int32_t* counts) {
    double sum = 0.0;
    for (std::int64_t at = 0; at < n;) {
        const std::uint64_t number = first + static_cast<std::uint64_t>(at);
        const std::uint64_t with_same_half = LOW_WORD + 1 - (number & LOW_WORD);
        std::int64_t some = smaller(n - at, static_cast<std::int64_t>(NOISE_LANES));
        if (with_same_half < static_cast<std::uint64_t>(some)) some = static_cast<std::int64_t>(with_same_half);
        sum += count_lanes(key, number, means + at, static_cast<int>(some), largest, counts + at);
        at += some;
    }
    return sum;
}

}  // namespace cupysim
