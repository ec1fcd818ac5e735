// The response of a detector for one pixel. A GPU has a thread for each pixel (`detector.cu`). A CPU works on rows of
// pixels (`detected_rows.cuh`). It uses the formulas here that have no form for many pixels at a time.
//
// Floats are rounded once in each operation, in the same order as on a CPU, so that images are equal.
#pragma once
#include "readout.cuh"

namespace cupysim {

// Largest number of counted photons in a pixel, before the read-out.
constexpr double LARGEST_COUNT = 2147483647.0;

// The number of a pixel, which chooses its random numbers.
CUPYSIM_FUNCTION Word number_of(const Response& response, Int row, Int column) {
    return static_cast<Word>(response.first_number + row * response.row_step + column);
}

// ---- before photons are counted ----------------------------------------------

// The part of the squared path through the dead layer that all pixels of a row have in common.
CUPYSIM_FUNCTION double path_of_row(const Response& response, Int row) {
    const double y = response.slope_slow * (static_cast<double>(row) - response.normal_slow);
    return 1.0 + y * y;
}

// Expected photons that pass the dead layer.
CUPYSIM_FUNCTION float passing_photons(const Response& response, double row_path, Int column, float photons) {
    const double x = response.slope_fast * (static_cast<double>(column) - response.normal_fast);
    const double path = response.absorption * square_root(row_path + x * x);
    const double passing = exp_of_mean(smaller(path, 63.0));
    return to_float(to_double(photons) * (response.brightness * passing));
}

// Expected photons that reach the sensor.
CUPYSIM_FUNCTION float arriving_photons(const Response& response, Int row, Int column) {
    const float photons = response.expected[row * response.stride + column];
    if (response.absorption != 0.0) {
        return passing_photons(response, path_of_row(response, row), column, photons);
    }
    return response.brightness == 1.0 ? photons : to_float(to_double(photons) * response.brightness);
}

// ---- point spread ------------------------------------------------------------

// The row or column whose mirror image is the row or column `at`, which may be beyond the edge.
CUPYSIM_FUNCTION Int mirrored(Int at, Int size) {
    while (at < 0 || at >= size) at = at < 0 ? -1 - at : 2 * size - 1 - at;
    return at;
}

// Light of a pixel, divided by the fraction that stays on the panel, so that no light is lost.
CUPYSIM_FUNCTION float kept_light(const Response& response, Int row, Int column, float light) {
    return rounded_quotient(light, rounded_product(response.kept_fast[column], response.kept_slow[row]));
}

// The light that reaches the place `at` of a line of n pixels, which are `step` apart.
CUPYSIM_FUNCTION float light_along(const Response& response, const float* line, Int step, Int n, Int at,
                                   const float* weights) {
    const Int radius = response.radius;
    float sum = 0.0f;
    for (Int k = 0; k <= 2 * radius; ++k) {
        Int from = at + k - radius;
        if (from < 0 || from >= n) {
            if (response.border != MIRRORED) continue;
            from = mirrored(from, n);
        }
        sum = rounded_sum(sum, rounded_product(weights[k], line[from * step]));
    }
    return sum;
}

// ---- counted photons ---------------------------------------------------------

// Counted photons of a pixel, as `photon_lanes.cuh` draws them.
CUPYSIM_FUNCTION double counted_photons(const Response& response, Word pixel, int stage, float given) {
    if (!(given > 0.0f)) return 0.0;
    const double mean = to_double(given);
    // noise is smaller than the rounding of the mean, or the mean is infinite
    if (mean >= LARGEST_MEAN) return LARGEST_COUNT;
    const Word seed = static_cast<Word>(response.seed), shot = static_cast<Word>(response.shot);
    PixelWords words = words_of(seed, shot, pixel, stage, 0);
    if (mean < TRIALS_FROM) {
        const int counts = short_inverted(given, words.w0);
        return counts >= 0 ? static_cast<double>(counts) : inverted(mean, deviate_of_words(words.w0, words.w1));
    }
    const Trials trials = Trials::of(mean);
    for (Natural draw = 1;; ++draw) {
        const double u = deviate_of_words(words.w0, words.w1), v = deviate_of_words(words.w2, words.w3);
        double k, edge;
        draw_trial(trials, mean, u, k, edge);
        if (is_accepted_at_once(trials, edge, v) || is_accepted_exactly(mean, k, edge, v)) {
            return smaller(k, LARGEST_COUNT);
        }
        words = words_of(seed, shot, pixel, stage, draw & 0xFFFFu);
    }
}

// The counts of a pixel for one of the ways in which pixels share a photon.
CUPYSIM_FUNCTION float counts_of_way(const Response& response, Int way, Int row, Int column, float mean) {
    const float some = rounded_product(mean, response.probabilities[way]);
    const Word number = number_of(response, row, column);
    return to_float(counted_photons(response, number, COUNTS + static_cast<int>(way), some));
}

// A signal plus the shares of the counts around a pixel. `corner` is the first of 3 x 3 counts, whose rows are `step`
// apart. Shares are added in the order of the photons' rows and columns.
CUPYSIM_FUNCTION float with_shares(const Response& response, Int way, const float* corner, int step, float signal) {
    for (int dy = -1; dy <= 1; ++dy) {
        for (int dx = -1; dx <= 1; ++dx) {
            // a photon from the row above gives this pixel the share of the pixel below it
            const float share = response.shares[(way * 3 + 1 - dy) * 3 + 1 + dx];
            signal = rounded_sum(signal, rounded_product(share, corner[(dy + 1) * step + 1 - dx]));
        }
    }
    return signal;
}

// ---- read-out ----------------------------------------------------------------

// Rounds, limits and stores a number, with the bits that tell the gain.
CUPYSIM_FUNCTION void store_value(const Response& response, Int place, double value, Int bits) {
    bool is_overload;
    store_pixel(response, place, digitised(response, value, is_overload));
    if (response.pixel_type == UINT16) {
        unsigned short& stored = static_cast<unsigned short*>(response.image)[place];
        stored = static_cast<unsigned short>(stored | bits);
    }
}

// Counts of a counter, with its dead time and its rate correction.
CUPYSIM_FUNCTION double counter_value(const Response& response, Word pixel, double photons) {
    double counts = photons;
    if (response.dead_time != NO_DEAD_TIME) {
        const PixelWords words =
            words_of(static_cast<Word>(response.seed), static_cast<Word>(response.shot), pixel, DEAD_TIMES, 0);
        const double u = deviate_of_words(words.w0, words.w1);
        if (u > certainty(response, photons)) counts = count_pulses(response, pixel, photons, u);
    }
    return response.n_corrected > 0 ? rate_corrected(response, counts) : counts;
}

// Reads an analogue signal and stores it. Returns whether it is an overload.
CUPYSIM_FUNCTION bool read_analogue(const Response& response, Word pixel, Int place, double photons) {
    double conversion, noise, pedestal = 0.0, spread = 0.0;
    pixel_normals(static_cast<Word>(response.seed), static_cast<Word>(response.shot), pixel, READINGS, 0, conversion,
                  noise);
    const double signal = converted(response, photons, conversion);
    if (has_spread(response, 0)) {
        pixel_normals(static_cast<Word>(response.serial), 0, pixel, PIXELS, 0, pedestal, spread);
    }
    const int gain = gain_of(response, pixel, signal, pedestal, spread);
    const double value = analogue_value(response, gain, signal, noise, pedestal, spread);
    store_value(response, place, value, response.gain_bits[gain]);
    return is_saturated(response, gain, signal, value);
}

// Reads a counter or an analogue signal and stores it. Returns whether it is an overload.
CUPYSIM_FUNCTION bool read_pixel(const Response& response, Int row, Int column, float given) {
    const Word pixel = number_of(response, row, column);
    const Int place = row * response.image_stride + column;
    const double photons = to_double(given);
    if (response.readout == ANALOGUE) return read_analogue(response, pixel, place, photons);
    const double value = response.readout == COUNTER ? counter_value(response, pixel, photons) : photons;
    bool is_overload;
    store_pixel(response, place, digitised(response, value, is_overload));
    return is_overload;
}

}  // namespace cupysim
