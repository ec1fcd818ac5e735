// Counts of a counter with a dead time.
//
// Photons arrive at random times. A non-paralysable counter ignores photons for a time after each count. A paralysable
// counter ignores photons that arrive while the pulse of another photon lasts. A counter with instant retrigger counts
// again, at the end of its dead time, if a pulse lasts then (Loeliger et al. (2012) IEEE NSS Conf. Rec., 610).
//
// `cupysim/detection/dead_time.py` has the same operations, so both draw the same counts.
#pragma once
#include "normal.cuh"
#include "random_words.cuh"

namespace cupysim {

// In pixels with fewer photons than this, overlapping photons are placed in time one by one.
constexpr int FEW_PHOTONS = 64;

// If an overlap is less probable than this, one or two photons follow another photon too early, and their overlaps are
// independent.
constexpr double RARE_OVERLAP = 0.005;

// Smallest mean number of lost counts for which their number is drawn from a normal distribution.
constexpr double NORMAL_LOSS = 10.0;

// Mean and variance of the counts of many photons. x is the mean number of photons during a pulse. The counts of a
// Poisson process are a renewal process (Cox (1962) Renewal Theory, section 4.5). The variance is that for a known
// number of photons.
struct Counts {
    double mean, variance;
};

CUPYSIM_FUNCTION Counts counts_of_many(const Response& response, double n) {
    const double x = n * response.pulse;
    if (response.dead_time == NON_PARALYSABLE) {
        const double d = 1.0 + x, square = d * d;
        return {n / d, n * x / (square * square)};
    }
    const double p = exp_of_mean(x < 63.0 ? x : 63.0);
    if (response.dead_time == PARALYSABLE) return {n * p, n * p * (1.0 - (1.0 + x * x) * p)};
    const double d = n * response.retrigger + p, square = d * d;
    const double slope = p * (1.0 + x) / square;
    return {n / d, n * ((2.0 * p - p * p) / (square * d) - slope * slope)};
}

// Uniform deviates of a pixel that loses counts, after the first one.
class DeadTimeDeviates {
  public:
    CUPYSIM_FUNCTION DeadTimeDeviates(const Response& response, Word pixel)
        : seed(static_cast<Word>(response.seed)), shot(static_cast<Word>(response.shot)), pixel(pixel) {}

    CUPYSIM_FUNCTION double next() {
        if (is_spare) {
            is_spare = false;
            return spare;
        }
        const PixelWords words = words_of(seed, shot, pixel, DEAD_TIMES, ++draw & 0xFFFFu);
        spare = deviate_of_words(words.w2, words.w3);
        is_spare = true;
        return deviate_of_words(words.w0, words.w1);
    }

  private:
    Word seed, shot, pixel;
    Natural draw = 0;
    bool is_spare = false;
    double spare = 0.0;
};

// Draws the number of lost counts from the binomial distribution of a mean and a variance.
CUPYSIM_FUNCTION double binomial_loss(double mean, double variance, double u) {
    const double q = 1.0 - variance / mean;
    const bool is_poisson = q < 1e-3;
    const double trials = is_poisson ? 0.0 : mean / q;
    const double start = is_poisson ? mean : -trials * log_of(1.0 - q);
    double probability = exp_of_mean(start < 63.0 ? start : 63.0), total = probability;
    double k = 0.0;
    while (u > total && k < 200.0) {
        const double odds = is_poisson ? mean : (trials - k) * q / (1.0 - q);
        if (!(odds > 0.0)) break;
        probability = probability * odds / (k + 1.0);
        total = total + probability;
        k = k + 1.0;
    }
    return k;
}

// Counts of photons at n times in rising order.
CUPYSIM_FUNCTION int count_times(const Response& response, const double* times, int n) {
    if (response.dead_time == PARALYSABLE) {
        int counts = 1;
        for (int i = 1; i < n; ++i) counts += times[i] - times[i - 1] > response.pulse;
        return counts;
    }
    const bool has_retrigger = response.dead_time == RETRIGGER;
    const double busy = has_retrigger ? response.retrigger : response.pulse;
    int counts = 1, at = 0;
    double counted = times[0];
    while (true) {
        const double end = counted + busy;
        double last = -1.0;
        while (at < n && times[at] <= end) last = times[at++];
        if (has_retrigger && last + response.pulse > end && end < 1.0) {
            counted = end;
        } else if (at < n) {
            counted = times[at];
        } else {
            return counts;
        }
        ++counts;
    }
}

// Draws the count of n photons of which some overlap: n is at least 2 and below FEW_PHOTONS.
CUPYSIM_OUTLINE double count_few(const Response& response, Word pixel, int n, double u) {
    DeadTimeDeviates deviates(response, pixel);
    const double busy = response.dead_time == RETRIGGER ? response.retrigger : response.pulse;
    if (1.0 - response.no_overlap[n] < RARE_OVERLAP) {
        const int overlaps = u > response.one_overlap[n] && n > 2 ? 2 : 1;
        if (response.dead_time != RETRIGGER) return n - overlaps;
        // the counter sees a pulse at the end of its dead time if the photon came late enough
        int lost = 0;
        for (int i = 0; i < overlaps; ++i) lost += deviates.next() * busy > response.pulse;
        return n - lost;
    }
    double times[FEW_PHOTONS + 1];
    while (true) {
        double sum = 0.0;
        for (int i = 0; i <= n; ++i) {
            sum = sum - log_of(deviates.next());
            times[i] = sum;
        }
        bool is_overlapping = false;
        for (int i = 0; i < n; ++i) {
            times[i] = times[i] / sum;
            is_overlapping = is_overlapping || (i > 0 && times[i] - times[i - 1] <= busy);
        }
        if (is_overlapping) return count_times(response, times, n);
    }
}

// Draws the count of many photons.
CUPYSIM_OUTLINE double count_many(const Response& response, Word pixel, double n, double u) {
    const Counts counts = counts_of_many(response, n);
    const double loss = n - counts.mean;
    if (!(loss > 0.0)) return n;
    if (loss < NORMAL_LOSS && n * response.pulse < 1.0) {
        return n - binomial_loss(loss, counts.variance, u);
    }
    DeadTimeDeviates deviates(response, pixel);
    const double next = deviates.next();
    double first, second;
    normal_pair(next, deviates.next(), first, second);
    const double drawn = nearest_even(counts.mean + square_root(larger(counts.variance, 0.0)) * first);
    return smaller(larger(drawn, 1.0), n);
}

// Euler's number e. The largest mean count of a paralysable counter is 1/(e pulse).
constexpr double EULER = 2.718281828459045;

// Steps of Newton's method for the rate correction. The last step no longer changes the number.
constexpr int CORRECTION_STEPS = 40;

// Corrected count (photons) if no number of photons has a mean count so large.
constexpr double UNCOUNTABLE = 1e30;

// Rate correction: the number of photons whose mean count is k.
CUPYSIM_OUTLINE double corrected_counts(const Response& response, double k) {
    if (response.dead_time == NON_PARALYSABLE) {
        const double live = 1.0 - k * response.pulse;
        return live > 0.0 ? k / live : UNCOUNTABLE;
    }
    const double fullest = response.dead_time == PARALYSABLE ? k * response.pulse * EULER : k * response.retrigger;
    if (!(fullest < 1.0)) return UNCOUNTABLE;
    double n = k;
    for (int step = 0; step < CORRECTION_STEPS; ++step) {
        const double x = n * response.pulse, p = exp_of_mean(x < 63.0 ? x : 63.0);
        double slope, mean;
        if (response.dead_time == PARALYSABLE) {
            mean = n * p;
            slope = (1.0 - x) * p;
        } else {
            const double d = n * response.retrigger + p;
            mean = n / d;
            slope = p * (1.0 + x) / (d * d);
        }
        // close to the largest count, the curve is flat
        if (!(slope > 1e-9)) return UNCOUNTABLE;
        n = n + (k - mean) / slope;
    }
    return n;
}

// A lower bound of the probability that a pixel loses no counts. Pixels whose deviate is not above it count all their
// photons. Few photons are all counted if none overlap. For many photons, the bound uses twice an upper bound of the
// mean loss, because the distribution of lost counts may differ from Poisson's.
CUPYSIM_FUNCTION double certainty(const Response& response, double n) {
    if (n < static_cast<double>(FEW_PHOTONS)) return response.no_overlap[static_cast<int>(n)];
    const double x = n * response.pulse;
    const double excess = response.dead_time == RETRIGGER ? n * response.retrigger - x + 0.5 * x * x : x;
    return 1.0 - 2.0 * n * excess;
}

// Counts of a pixel with n photons whose deviate u is above `certainty`.
CUPYSIM_FUNCTION double count_pulses(const Response& response, Word pixel, double n, double u) {
    if (!(n < static_cast<double>(FEW_PHOTONS))) return count_many(response, pixel, n, u);
    const int few = static_cast<int>(n);
    return u <= response.no_overlap[few] ? n : count_few(response, pixel, few, u);
}

// The rate correction of counts, from the table or by Newton's method.
CUPYSIM_FUNCTION double rate_corrected(const Response& response, double counts) {
    const Int count = static_cast<Int>(counts);
    return count < response.n_corrected ? response.corrected[count] : corrected_counts(response, counts);
}

}  // namespace cupysim
