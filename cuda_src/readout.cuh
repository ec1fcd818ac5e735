// Read-out of an analogue signal: gains, pedestals, read-out noise and integers.
//
// `cupysim/detection/analogue.py` has the same operations, so both give the same raw numbers.
#pragma once
#include "dead_time.cuh"

namespace cupysim {

// The signal of some photons after conversion to electrons. The number of electrons varies from photon to photon: Fano
// noise of silicon, or light quanta of a phosphor.
CUPYSIM_FUNCTION double converted(const Response& response, double photons, double normal) {
    const double some = larger(photons, 0.0);
    return photons + square_root(response.conversion * some) * normal;
}

// The number of a pixel (ADU), before it is rounded. Each pixel has its own `pedestal_normal` and `gain_normal`.
CUPYSIM_FUNCTION double analogue_value(const Response& response, int number, double signal, double noise_normal,
                                       double pedestal_normal, double gain_normal) {
    const double limited = smaller(signal, response.range_end[response.n_gains - 1]);
    const double read = limited + response.noise[number] * noise_normal;
    const double pedestal = response.pedestal[number] + response.pedestal_spread[number] * pedestal_normal;
    const double gain = response.gain[number] * (1.0 + response.gain_spread[number] * gain_normal);
    return pedestal + gain * read;
}

// Whether the pixels of a gain differ from each other.
CUPYSIM_FUNCTION bool has_spread(const Response& response, int number) {
    return response.pedestal_spread[number] != 0.0 || response.gain_spread[number] != 0.0;
}

// Two normal deviates of a pixel and a stage.
CUPYSIM_FUNCTION void pixel_normals(Word seed, Word shot, Word pixel, int stage, Natural draw, double& first,
                                    double& second) {
    const PixelWords words = words_of(seed, shot, pixel, stage, draw);
    normal_pair(deviate_of_words(words.w0, words.w1), deviate_of_words(words.w2, words.w3), first, second);
}

// Whether a pixel leaves a gain. Its converter sees the signal times the gain factor of the pixel, above its pedestal.
CUPYSIM_FUNCTION bool leaves_gain(const Response& response, int number, double signal, double pedestal_normal,
                                  double gain_normal) {
    const double pedestal = response.pedestal[number] + response.pedestal_spread[number] * pedestal_normal;
    const double seen = signal * (1.0 + response.gain_spread[number] * gain_normal);
    return seen + (pedestal - response.pedestal[number]) / response.gain[number] > response.range_end[number];
}

// The number of the gain that a pixel switches to. The deviates of the pixel are those of the first gain before the
// call, and those of the found gain after it.
CUPYSIM_FUNCTION int gain_of(const Response& response, Word pixel, double signal, double& pedestal_normal,
                             double& gain_normal) {
    int number = 0;
    while (number + 1 < static_cast<int>(response.n_gains) &&
           leaves_gain(response, number, signal, pedestal_normal, gain_normal)) {
        ++number;
        if (has_spread(response, number)) {
            pixel_normals(static_cast<Word>(response.serial), 0, pixel, PIXELS, static_cast<Natural>(number),
                          pedestal_normal, gain_normal);
        }
    }
    return number;
}

// The nearest integer. Numbers are limited to 1e15 first, which is beyond all limits of pixels.
CUPYSIM_FUNCTION double rounded(double value) { return nearest_even(smaller(larger(value, -1e15), 1e15)); }

// A number within the limits of the image's type, and whether it is an overload.
CUPYSIM_FUNCTION double digitised(const Response& response, double value, bool& is_overload) {
    const double whole = response.pixel_type == FLOAT32 ? value : rounded(value);
    is_overload = whole >= response.overload_value;
    return smaller(larger(whole, response.least_value), response.overload_value);
}

// Whether a pixel with this signal and this number (ADU) is an overload.
CUPYSIM_FUNCTION bool is_saturated(const Response& response, int number, double signal, double value) {
    const int last = static_cast<int>(response.n_gains) - 1;
    if (signal > response.range_end[last]) return true;
    if (number < last) return false;
    return response.gain[last] > 0.0 ? rounded(value) >= response.overload_value
                                     : rounded(value) <= response.least_value;
}

// Stores a number in the type of the image.
CUPYSIM_FUNCTION void store_pixel(const Response& response, Int place, double value) {
    switch (response.pixel_type) {
        case FLOAT32: static_cast<float*>(response.image)[place] = to_float(value); break;
        case UINT16: static_cast<unsigned short*>(response.image)[place] = static_cast<unsigned short>(value); break;
        case INT32: static_cast<int*>(response.image)[place] = static_cast<int>(value); break;
        case UINT32: static_cast<unsigned int*>(response.image)[place] = static_cast<unsigned int>(value); break;
    }
}

}  // namespace cupysim
