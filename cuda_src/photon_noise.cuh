// Counted photons for expected photons: Poisson deviates that depend only on seed, shot and pixel.
//
// The random numbers are those of Philox4x32-10 (Salmon et al. (2011) Proc. SC11, 16). Below a mean of 40, the
// distribution function is inverted; from there on, trials are drawn by PTRS (Hoermann (1993) Insurance Math.
// Econ. 12, 39). Every operation is rounded once, in the order written here, so that counts are equal on all
// machines. `cupysim/detection/photon_noise.py` has the same operations.
#pragma once
#include "portable.cuh"

namespace cupysim {

// Means from which on trials are drawn, and from which on noise is smaller than the rounding of the mean.
constexpr double TRIALS_FROM = 40.0, LARGEST_MEAN = 4503599627370496.0;
// More counts than a mean below TRIALS_FROM ever has.
constexpr int MOST_COUNTS = 250;
constexpr double HALF_LOG_TWO_PI = 0.9189385332046727;

constexpr int PHILOX_ROUNDS = 10;
constexpr std::uint64_t PHILOX_EVEN = 0xD2511F53, PHILOX_ODD = 0xCD9E8D57;
constexpr std::uint32_t PHILOX_STEP_0 = 0x9E3779B9, PHILOX_STEP_1 = 0xBB67AE85;

struct NoiseKey {
    std::uint64_t seed, shot;
};

// Four random words of 32 bits for a pixel and a draw.
CUPYSIM_FUNCTION void philox(const NoiseKey& key, std::uint64_t pixel, std::uint32_t draw, std::uint32_t& w0,
                             std::uint32_t& w1, std::uint32_t& w2, std::uint32_t& w3) {
    w0 = static_cast<std::uint32_t>(pixel);
    w1 = static_cast<std::uint32_t>(pixel >> 32) ^ (draw << 8);
    w2 = static_cast<std::uint32_t>(key.shot);
    w3 = static_cast<std::uint32_t>(key.shot >> 32);
    std::uint32_t k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
    for (int round = 0; round < PHILOX_ROUNDS; ++round) {
        const std::uint64_t even = w0 * PHILOX_EVEN, odd = w2 * PHILOX_ODD;
        w0 = static_cast<std::uint32_t>(odd >> 32) ^ w1 ^ k0;
        w2 = static_cast<std::uint32_t>(even >> 32) ^ w3 ^ k1;
        w1 = static_cast<std::uint32_t>(odd);
        w3 = static_cast<std::uint32_t>(even);
        k0 += PHILOX_STEP_0;
        k1 += PHILOX_STEP_1;
    }
}

// A deviate between 0 and 1, from 52 bits of two words.
CUPYSIM_FUNCTION double deviate_of(std::uint32_t high, std::uint32_t low) {
    const double whole = static_cast<double>(static_cast<std::int32_t>(high >> 6)) * 67108864.0 +
                         static_cast<double>(static_cast<std::int32_t>(low >> 6));
    return (whole + 0.5) * 2.220446049250313e-16;
}

// exp(-m) for 0 <= m < 64, with a relative error of 1e-15.
CUPYSIM_FUNCTION double exp_of_mean(double m) {
    const double shifted = m * 1.4426950408889634 + WHOLE;
    const double n = shifted - WHOLE;
    const double r = (n * 6.93147180369123816490e-01 - m) + n * 1.90821492927058770002e-10;
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    const std::int64_t bits = (1023 - static_cast<std::int64_t>(static_cast<std::int32_t>(n))) << 52;
    double power;
    std::memcpy(&power, &bits, sizeof power);
    return p * power;
}

// log x for positive normal x, with an error of 1e-15: x = 2^e (1+f)/(1-f), log = e log 2 + 2 atanh f.
CUPYSIM_FUNCTION double log_of(double x) {
    std::int64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    // the fraction between sqrt(1/2) and sqrt 2
    std::int64_t exponent = (bits - 0x3FE6A09E667F3BCDll) >> 52;
    bits -= exponent << 52;
    double fraction;
    std::memcpy(&fraction, &bits, sizeof fraction);
    const double f = (fraction - 1.0) / (fraction + 1.0), z = f * f;
    double p = 1.0 / 21.0;
    p = p * z + 1.0 / 19.0;
    p = p * z + 1.0 / 17.0;
    p = p * z + 1.0 / 15.0;
    p = p * z + 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;
    p = p * z + 1.0 / 3.0;
    const double tail = f * z * p;
    const double e = static_cast<double>(static_cast<std::int32_t>(exponent));
    return e * 0.69314718055994531 + (2.0 * f + 2.0 * tail);
}

// log k! - (k log k - k + log(2 pi k)/2).
CUPYSIM_FUNCTION double stirling_error(double k) {
    constexpr double SMALL[16] = {
        0.0, 0.08106146679532726, 0.04134069595540929, 0.02767792568499834, 0.02079067210376509,
        0.01664469118982119, 0.01387612882307075, 0.01189670994589177, 0.01041126526197209, 0.009255462182712733,
        0.008330563433362871, 0.007573675487951841, 0.006942840107209530, 0.006408994188004207, 0.005951370112758848,
        0.005554733551962801};
    if (k < 16.0) return SMALL[static_cast<int>(k)];
    const double q = 1.0 / k, z = q * q;
    double p = -1.0 / 1680.0 + z * (1.0 / 1188.0);
    p = 1.0 / 1260.0 + z * p;
    p = -1.0 / 360.0 + z * p;
    p = 1.0 / 12.0 + z * p;
    return p * q;
}

// k log(k/m) + m - k, accurate for k near m.
CUPYSIM_FUNCTION double deviance(double k, double m) {
    const double difference = k - m, ratio = difference / (k + m);
    if (ratio < 0.1 && ratio > -0.1) {
        const double z = ratio * ratio;
        double p = 1.0 / 19.0;
        p = p * z + 1.0 / 17.0;
        p = p * z + 1.0 / 15.0;
        p = p * z + 1.0 / 13.0;
        p = p * z + 1.0 / 11.0;
        p = p * z + 1.0 / 9.0;
        p = p * z + 1.0 / 7.0;
        p = p * z + 1.0 / 5.0;
        p = p * z + 1.0 / 3.0;
        return difference * ratio + 2.0 * k * (ratio * z * p);
    }
    return k * log_of(k / m) + m - k;
}

// log of the probability of k counts (Loader (2000), Fast and accurate computation of binomial probabilities).
CUPYSIM_FUNCTION double log_probability(double k, double m) {
    if (k < 0.5) return -m;
    return -stirling_error(k) - deviance(k, m) - (HALF_LOG_TWO_PI + 0.5 * log_of(k));
}

// The numbers that the trials for a mean share.
struct Trials {
    double a, b, inverse_alpha, accepted;

    CUPYSIM_FUNCTION static Trials of(double m) {
        Trials trials;
        const double root = square_root(m);
        trials.b = 0.931 + 2.53 * root;
        trials.a = 0.02483 * trials.b - 0.059;
        trials.inverse_alpha = 1.1239 + 1.1328 / (trials.b - 3.4);
        trials.accepted = 0.9277 - 3.6224 / (trials.b - 2.0);
        return trials;
    }
};

// A trial with the deviates u and v: its counts, and the distance of u from the nearer end.
CUPYSIM_FUNCTION void draw_trial(const Trials& trials, double m, double u, double& k, double& edge) {
    const double centred = u - 0.5;
    edge = 0.5 - (centred < 0.0 ? -centred : centred);
    k = floor((2.0 * trials.a / edge + trials.b) * centred + m + 0.43);
}

// Whether a trial is accepted without the probability of its counts.
CUPYSIM_FUNCTION bool is_accepted_at_once(const Trials& trials, double edge, double v) {
    return edge >= 0.07 && v <= trials.accepted;
}

// Whether another trial is accepted.
CUPYSIM_FUNCTION bool is_accepted(const Trials& trials, double m, double k, double edge, double v) {
    if (k < 0.0 || (edge < 0.013 && v > edge)) return false;
    const double height = v * trials.inverse_alpha / (trials.a / (edge * edge) + trials.b);
    return log_of(height) <= log_probability(k, m);
}

// The count of a pixel whose mean is at least TRIALS_FROM, from draw number `draw` on.
CUPYSIM_FUNCTION double count_by_trials(const NoiseKey& key, std::uint64_t pixel, double m, std::uint32_t draw) {
    // smaller noise than the rounding of the mean, and infinity
    if (!(m < LARGEST_MEAN)) return m;
    const Trials trials = Trials::of(m);
    for (;; ++draw) {
        std::uint32_t w0, w1, w2, w3;
        philox(key, pixel, draw, w0, w1, w2, w3);
        const double v = deviate_of(w2, w3);
        double k, edge;
        draw_trial(trials, m, deviate_of(w0, w1), k, edge);
        if (is_accepted_at_once(trials, edge, v) || is_accepted(trials, m, k, edge, v)) return k;
    }
}

// The number of counts k with u > sum of the probabilities of 0 to k.
CUPYSIM_FUNCTION double count_by_inversion(double m, double u) {
    double probability = exp_of_mean(m), sum_so_far = probability;
    int k = 0;
    while (u > sum_so_far && k < MOST_COUNTS) {
        ++k;
        probability = probability * (m * (1.0 / static_cast<double>(k)));
        sum_so_far = sum_so_far + probability;
    }
    return static_cast<double>(k);
}

#ifndef __CUDACC__

// Pixels that are computed together.
constexpr int NOISE_LANES = 64;

// Pixels with consecutive numbers, and their first deviates.
struct NoiseBlock {
    double mean[NOISE_LANES], u[NOISE_LANES], v[NOISE_LANES], drawn[NOISE_LANES];
};

// The deviates of draw 0. The words are in 64-bit lanes, for which processors have the multiplication.
CUPYSIM_OUTLINE void draw_deviates(const NoiseKey& key, std::uint64_t first, NoiseBlock& block) {
    std::uint64_t w0[NOISE_LANES], w1[NOISE_LANES], w2[NOISE_LANES], w3[NOISE_LANES];
    constexpr std::uint64_t LOW = 0xFFFFFFFFull;
    FOR_SOME_LANES(i, NOISE_LANES) {
        const std::uint64_t pixel = first + static_cast<std::uint64_t>(i);
        w0[i] = pixel & LOW;
        w1[i] = pixel >> 32;
        w2[i] = key.shot & LOW;
        w3[i] = key.shot >> 32;
    }
    std::uint64_t k0 = key.seed & LOW, k1 = key.seed >> 32;
    for (int round = 0; round < PHILOX_ROUNDS; ++round) {
        FOR_SOME_LANES(i, NOISE_LANES) {
            const std::uint64_t even = w0[i] * PHILOX_EVEN, odd = w2[i] * PHILOX_ODD;
            w0[i] = (odd >> 32) ^ w1[i] ^ k0;
            w2[i] = (even >> 32) ^ w3[i] ^ k1;
            w1[i] = odd & LOW;
            w3[i] = even & LOW;
        }
        k0 = (k0 + PHILOX_STEP_0) & LOW;
        k1 = (k1 + PHILOX_STEP_1) & LOW;
    }
    FOR_SOME_LANES(i, NOISE_LANES) {
        block.u[i] = deviate_of(static_cast<std::uint32_t>(w0[i]), static_cast<std::uint32_t>(w1[i]));
        block.v[i] = deviate_of(static_cast<std::uint32_t>(w2[i]), static_cast<std::uint32_t>(w3[i]));
    }
}

// Counts by inversion for the means below TRIALS_FROM; 0 for the others.
CUPYSIM_OUTLINE void invert(NoiseBlock& block) {
    double probability[NOISE_LANES], total[NOISE_LANES], mean[NOISE_LANES];
    FOR_SOME_LANES(i, NOISE_LANES) {
        mean[i] = block.mean[i] < TRIALS_FROM ? block.mean[i] : 0.0;
        probability[i] = exp_of_mean(mean[i]);
        total[i] = probability[i];
        block.drawn[i] = 0.0;
    }
    for (int k = 1; k <= MOST_COUNTS; ++k) {
        const double inverse = 1.0 / static_cast<double>(k);
        double more = 0.0;
#pragma omp simd reduction(+ : more)
        for (int i = 0; i < NOISE_LANES; ++i) {
            const double step = block.u[i] > total[i] ? 1.0 : 0.0;
            more += step;
            block.drawn[i] += step;
            probability[i] = probability[i] * (mean[i] * inverse);
            total[i] = total[i] + probability[i];
        }
        if (more == 0.0) break;
    }
}

// Counts by trials for the means from TRIALS_FROM on. The first trial of all pixels is drawn together.
CUPYSIM_OUTLINE void draw_trials(const NoiseKey& key, std::uint64_t first, NoiseBlock& block) {
    double k[NOISE_LANES], edge[NOISE_LANES], accepted[NOISE_LANES];
    FOR_SOME_LANES(i, NOISE_LANES) {
        const double m = larger(smaller(block.mean[i], LARGEST_MEAN), TRIALS_FROM);
        const Trials trials = Trials::of(m);
        draw_trial(trials, m, block.u[i], k[i], edge[i]);
        accepted[i] = is_accepted_at_once(trials, edge[i], block.v[i]) ? 1.0 : 0.0;
    }
    for (int i = 0; i < NOISE_LANES; ++i) {
        const double m = block.mean[i];
        if (!(m >= TRIALS_FROM)) continue;
        if (!(m < LARGEST_MEAN)) {
            block.drawn[i] = m;
        } else if (accepted[i] != 0.0 || is_accepted(Trials::of(m), m, k[i], edge[i], block.v[i])) {
            block.drawn[i] = k[i];
        } else {
            block.drawn[i] = count_by_trials(key, first + static_cast<std::uint64_t>(i), m, 1);
        }
    }
}

// Counts of up to NOISE_LANES pixels with consecutive numbers. Means that are not positive count nothing.
// Returns the sum of the counts.
CUPYSIM_OUTLINE double count_lanes(const NoiseKey& key, std::uint64_t first, const float* means, int n,
                                   double largest, std::int32_t* counts) {
    NoiseBlock block;
    float brightest = 0.0f;
    for (int i = 0; i < NOISE_LANES; ++i) {
        const float given = i < n ? means[i] : 0.0f, mean = given > 0.0f ? given : 0.0f;
        brightest = larger(brightest, mean);
        block.mean[i] = static_cast<double>(mean);
    }
    const bool has_trials = brightest >= static_cast<float>(TRIALS_FROM);
    draw_deviates(key, first, block);
    invert(block);
    if (has_trials) draw_trials(key, first, block);
    double sum_of_counts = 0.0;
    for (int i = 0; i < n; ++i) {
        sum_of_counts += block.drawn[i];
        counts[i] = static_cast<std::int32_t>(smaller(block.drawn[i], largest));
    }
    return sum_of_counts;
}

#endif

}  // namespace cupysim
