// What a detector makes of photons: the numbers of a response for the pixels of one panel.
// `cupysim/backends/compiled/records.py` reads this struct, so each member needs a line of its own.
//
// Signals are in photons. Times are fractions of the exposure.
#pragma once
#include "portable.cuh"

namespace cupysim {

// How pixels are read: counts of photons as they are, a counter with a dead time, or an analogue signal with gains.
enum Readout { PHOTONS, COUNTER, ANALOGUE };

// What a counter does while a pulse lasts.
enum DeadTime { NO_DEAD_TIME, NON_PARALYSABLE, PARALYSABLE, RETRIGGER };

// Where light goes that a point spread takes over the edge of the panel.
enum Border { LOST, MIRRORED, KEPT };

// Types of the numbers of an image.
enum PixelType { FLOAT32, UINT16, INT32, UINT32 };

// Random numbers of a pixel that do not depend on each other. COUNTS is the first of those for the ways in which
// pixels share a photon.
enum Stage { COUNTS = 0, DEAD_TIMES = 64, READINGS = 65, PIXELS = 66 };

constexpr int MOST_GAINS = 4;

struct Response {
    // pixels: rows of `expected` are `stride` apart; the pixel (slow, fast) has the number
    // first_number + slow*row_step + fast
    const float* expected;
    Int stride;
    Int n_slow;
    Int n_fast;
    Int first_number;
    Int row_step;
    Int seed;
    Int shot;
    Int serial;

    // before photons are counted: a factor, and an absorbing layer in front of the sensor. The path through the
    // layer is longer by sqrt(1 + (slope_fast (fast - normal_fast))^2 + (slope_slow (slow - normal_slow))^2).
    double brightness;
    double absorption;
    double normal_fast;
    double normal_slow;
    double slope_fast;
    double slope_slow;

    // point spread along each axis, of 2 radius + 1 pixels; `kept_fast` and `kept_slow` are fractions of the light of a column or a row
    // that stay on the panel
    const float* weights_fast;
    const float* weights_slow;
    Int radius;
    Int border;
    const float* kept_fast;
    const float* kept_slow;
    Int spreads_counts;

    // ways in which pixels share a photon: their probabilities, and the signals of the 3 x 3 pixels around the
    // photon's pixel. Without ways, `expected` has signals and not expected photons.
    const float* probabilities;
    const float* shares;
    Int n_ways;

    Int readout;

    // counters: `pulse` and `retrigger` are times. `no_overlap` and `one_overlap` are the probabilities that, among
    // n photons, no and at most one photon follows another one too early, for n < n_few.
    Int dead_time;
    double pulse;
    double retrigger;
    const double* no_overlap;
    const double* one_overlap;
    Int n_few;
    // corrected counts, for counts below `n_corrected`; 0: counts are not corrected
    const double* corrected;
    Int n_corrected;

    // analogue signals: variance of the conversion for each photon; for each gain, the end of its range (photons),
    // ADU per photon, noise (photons), pedestal (ADU), the spreads of gains and pedestals among pixels, and bits
    // that tell the gain
    double conversion;
    Int n_gains;
    double range_end[4];
    double gain[4];
    double noise[4];
    double pedestal[4];
    double pedestal_spread[4];
    double gain_spread[4];
    Int gain_bits[4];

    // results
    void* image;
    Int image_stride;
    Int pixel_type;
    double least_value;
    // numbers from here on are overloads, and stored as this number
    double overload_value;
    Int* overloads;
};

}  // namespace cupysim
