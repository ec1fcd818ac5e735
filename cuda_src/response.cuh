// The response of a detector: its parameters, and the pixels of one panel.
// `cupysim/backends/compiled/records.py` reads this struct, so each member needs a line of its own.
//
// Signals are in photons. Times are fractions of the exposure.
#pragma once
#include "portable.cuh"

namespace cupysim {

// The read-out of pixels: none (photons), a counter, which may have a dead time, or an analogue signal with gains.
enum Readout { PHOTONS, COUNTER, ANALOGUE };

// The dead time of a counter.
enum DeadTime { NO_DEAD_TIME, NON_PARALYSABLE, PARALYSABLE, RETRIGGER };

// What happens to light that leaves the panel.
enum Border { LOST, MIRRORED, KEPT };

// Types of the numbers of an image.
enum PixelType { FLOAT32, UINT16, INT32, UINT32 };

// Stages with independent random numbers. COUNTS is the first of 64 stages, one for each way in which pixels share a
// photon.
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

    // before photons are counted: a factor of the fluence, and the thickness of the dead layer divided by its
    // attenuation length. The path through the layer is longer by a factor of
    // sqrt(1 + (slope_fast (fast - normal_fast))^2 + (slope_slow (slow - normal_slow))^2).
    double brightness;
    double absorption;
    double normal_fast;
    double normal_slow;
    double slope_fast;
    double slope_slow;

    // point spread function along each axis, of 2 radius + 1 pixels; `kept_fast` and `kept_slow` are the fractions of
    // the light of each column and row that stay on the panel
    const float* weights_fast;
    const float* weights_slow;
    Int radius;
    Int border;
    const float* kept_fast;
    const float* kept_slow;
    Int spreads_counts;

    // ways in which pixels share a photon: their probabilities, and the signals of the 3 x 3 pixels around that where
    // the photon arrives. Without ways, `expected` has signals, which are not counted.
    const float* probabilities;
    const float* shares;
    Int n_ways;

    Int readout;

    // counters: `pulse` and `retrigger` are times. `no_overlap` and `one_overlap` are the probabilities of no overlap
    // and of at most one overlap among n photons, for n < n_few. An overlap is a photon that follows another photon
    // within the dead time.
    Int dead_time;
    double pulse;
    double retrigger;
    const double* no_overlap;
    const double* one_overlap;
    Int n_few;
    // rate corrections of the counts below `n_corrected`; 0: no rate correction
    const double* corrected;
    Int n_corrected;

    // analogue signals: variance of the conversion for each photon. For each gain: the end of its range (photons),
    // ADU per photon, read-out noise (photons), pedestal (ADU), the spreads of pedestals and gains among pixels, and
    // the bits that tell the gain.
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
    // numbers from this one on are overloads; they are stored as this number
    double overload_value;
    Int* overloads;
};

}  // namespace cupysim
