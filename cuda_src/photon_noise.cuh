// Counted photons for expected photons: Poisson deviates that depend only on seed, shot and pixel.
//
// The random numbers are those of `philox.cuh`. Below a mean of 40, the distribution function is inverted. For larger
// means, trials are drawn by PTRS (Hoermann (1993) Insurance Math. Econ. 12, 39). Every operation is rounded once, in
// the order written here, so that counts are equal on all machines. `cupysim/detection/photon_noise.py` has the same
// operations.
#pragma once
#include "portable.cuh"

namespace cupysim {

// Smallest mean for which trials are drawn, and smallest mean whose noise is below the rounding of the mean.
constexpr double TRIALS_FROM = 40.0, LARGEST_MEAN = 4503599627370496.0;
// More counts than a mean below TRIALS_FROM ever has.
constexpr int MOST_COUNTS = 250;
constexpr double HALF_LOG_TWO_PI = 0.9189385332046727;

// exp(-m) for 0 <= m < 64, with a relative error of 1e-15. `exp_minus` is not used, because it fuses operations on
// some machines.
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
    return p * double_of_bits(static_cast<Word>(1023 - static_cast<Int>(static_cast<int>(n))) << 52);
}

// Counts by inversion: the number of k with u > sum of the probabilities of 0 to k.
CUPYSIM_FUNCTION double inverted(double m, double u) {
    double probability = exp_of_mean(m), total = probability;
    int k = 0;
    while (u > total && k < MOST_COUNTS) {
        ++k;
        probability = probability * (m * (1.0 / static_cast<double>(k)));
        total = total + probability;
    }
    return static_cast<double>(k);
}

// ---- inversion in single precision -------------------------------------------
//
// A count is first drawn in single precision, for a deviate that is a little smaller and for one that is a little
// larger. If both give the same count, so does the deviate in double precision. Otherwise the count is drawn again.
// A number is a float or a vector of floats.

// exp(-m) for 0 <= m < 64, over 2^-n, where n is the nearest integer of m / log 2. The relative error is below 2^-22.
template <class Number>
CUPYSIM_FUNCTION Number short_fraction(Number m, Number n) {
    // log 2 in two parts, the first of which makes products without rounding
    const Number r = (n * 0.693359375f - m) + n * -2.12194440e-4f;
    Number p = r * (1.0f / 720.0f) + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    return p * r + 1.0f;
}

// A bound of the errors of sums of probabilities of 0 to k, in single precision, and of a deviate of 23 bits. In
// units of 2^-24: 4 for exp(-m), 3 m for k multiplications and divisions of each term, k + 1 for additions and 1
// for the deviate. The sum never has more terms than 28 + 3.7 m, because it is 1 by then.
template <class Number>
CUPYSIM_FUNCTION Number bound_of_errors(Number m) {
    return m * 4e-7f + 2e-6f;
}

// Counts of one pixel for the first word of its deviate; -1 if single precision does not decide them.
CUPYSIM_FUNCTION int short_inverted(float m, Natural word) {
    const float u = static_cast<float>(word >> 9) * 1.1920928955078125e-7f + 5.9604644775390625e-8f;
    const float guard = bound_of_errors(m), below = u - guard, above = u + guard;
    const float n = nearest_even(m * 1.44269504f);
    float probability = short_fraction(m, n) * float_of_bits((127 - static_cast<int>(n)) << 23), total = probability;
    int k = 0;
    while (below > total && k < MOST_COUNTS) {
        ++k;
        probability = probability * (m * (1.0f / static_cast<float>(k)));
        total = total + probability;
    }
    // a larger deviate may have more counts than this one
    return above > total ? -1 : k;
}

// ---- trials ------------------------------------------------------------------

// 1/3 + z/5 + z^2/7 + ... up to 1/last, a part of the series of atanh.
template <int last>
CUPYSIM_FUNCTION double odd_series(double z) {
    double p = 1.0 / last;
    for (int odd = last - 2; odd > 1; odd -= 2) p = p * z + 1.0 / odd;
    return p;
}

// log x for positive normal x, with an error of 1e-15: x = 2^e (1+f)/(1-f), log = e log 2 + 2 atanh f. All
// operations exist for vectors of 64-bit integers on every processor.
CUPYSIM_FUNCTION double log_of(double x) {
    const Word bits = bits_of(x);
    // the exponent in the low bits of 2^52, and a fraction from 1 to 2
    const double exponent = double_of_bits((bits >> 52) | 0x4330000000000000ull);
    double fraction = double_of_bits((bits & 0x000FFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
    // between sqrt(1/2) and sqrt 2
    const bool is_large = fraction >= 1.4142135623730951;
    fraction = is_large ? fraction * 0.5 : fraction;
    const double e = (exponent - 4503599627370496.0) - (is_large ? 1022.0 : 1023.0);
    const double f = (fraction - 1.0) / (fraction + 1.0), z = f * f;
    const double p = odd_series<21>(z);
    const double tail = f * z * p;
    return e * 0.69314718055994531 + (2.0 * f + 2.0 * tail);
}

// log x for positive normal x, with an error of 2^-22 max(1, |log x|).
CUPYSIM_FUNCTION float short_log(float x) {
    // the exponent of x times sqrt 2, and a fraction from sqrt(1/2) to sqrt 2
    const int bits = bits_of(x), exponent = (bits - 0x3F3504F3) >> 23;
    const float fraction = float_of_bits(bits - exponent * (1 << 23));
    const float f = (fraction - 1.0f) / (fraction + 1.0f), z = f * f;
    const float p = ((1.0f / 9.0f * z + 1.0f / 7.0f) * z + 1.0f / 5.0f) * z + 1.0f / 3.0f;
    return static_cast<float>(exponent) * 0.69314718f + (2.0f * f + 2.0f * (f * z * p));
}

// Smallest number of counts for which the series is accurate.
constexpr double SERIES_FROM = 16.0;

// log k! - (k log k - k + log(2 pi k)/2), from a series for k >= SERIES_FROM.
CUPYSIM_FUNCTION double stirling_error(double k) {
    const double q = 1.0 / k, z = q * q;
    double p = -1.0 / 1680.0 + z * (1.0 / 1188.0);
    p = 1.0 / 1260.0 + z * p;
    p = -1.0 / 360.0 + z * p;
    p = 1.0 / 12.0 + z * p;
    return p * q;
}

// The same for fewer counts, from a table.
CUPYSIM_FUNCTION double stirling_error_of_few(double k) {
    constexpr double ERRORS[16] = {0.0,
                                   0.08106146679532726,
                                   0.04134069595540929,
                                   0.02767792568499834,
                                   0.02079067210376509,
                                   0.01664469118982119,
                                   0.01387612882307075,
                                   0.01189670994589177,
                                   0.01041126526197209,
                                   0.009255462182712733,
                                   0.008330563433362871,
                                   0.007573675487951841,
                                   0.006942840107209530,
                                   0.006408994188004207,
                                   0.005951370112758848,
                                   0.005554733551962801};
    return ERRORS[static_cast<int>(k)];
}

// k log(k/m) + m - k, accurate for k near m.
CUPYSIM_FUNCTION double deviance(double k, double m) {
    const double difference = k - m, ratio = difference / (k + m);
    const double z = ratio * ratio;
    const double p = odd_series<19>(z);
    const double near = difference * ratio + 2.0 * k * (ratio * z * p);
    const double far = k * log_of(k / m) + m - k;
    return ratio < 0.1 && ratio > -0.1 ? near : far;
}

// log of the probability of k > 0 counts (Loader (2000), Fast and accurate computation of binomial probabilities).
CUPYSIM_FUNCTION double log_probability(double k, double m, double error) {
    return -error - deviance(k, m) - (HALF_LOG_TWO_PI + 0.5 * log_of(k));
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

// The logarithm that must not be above that of the probability.
CUPYSIM_FUNCTION double limit_of(const Trials& trials, double edge, double v) {
    return log_of(v * trials.inverse_alpha / (trials.a / (edge * edge) + trials.b));
}

// Whether another trial, of at least SERIES_FROM counts, is accepted.
CUPYSIM_FUNCTION bool is_accepted(const Trials& trials, double m, double k, double edge, double v) {
    const bool is_possible = k >= SERIES_FROM && !(edge < 0.013 && v > edge);
    const double some = larger(k, SERIES_FROM);
    return is_possible && limit_of(trials, edge, v) <= log_probability(some, m, stirling_error(some));
}

// The same for fewer counts. Means for which trials are drawn hardly ever have them.
CUPYSIM_FUNCTION bool are_few_accepted(const Trials& trials, double m, double k, double edge, double v) {
    if (k < 0.0 || (edge < 0.013 && v > edge)) return false;
    const double probability = k < 0.5 ? -m : log_probability(k, m, stirling_error_of_few(k));
    return limit_of(trials, edge, v) <= probability;
}

// Whether a trial that is not accepted at once is accepted.
CUPYSIM_FUNCTION bool is_accepted_exactly(double m, double k, double edge, double v) {
    return k < SERIES_FROM ? are_few_accepted(Trials::of(m), m, k, edge, v) : is_accepted(Trials::of(m), m, k, edge, v);
}

}  // namespace cupysim
