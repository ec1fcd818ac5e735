// Photons of raw numbers, by the pedestals and gains of the pixels. Only a CPU uses this file.
//
// `cupysim/detection/analogue.py` has the same operations.
#pragma once
#include "detected_rows.cuh"

namespace cupysim {

// The gain number of pixels whose gain bits belong to no gain.
constexpr std::uint8_t NO_GAIN = 255;

// Photons of a row, and the numbers of their gains. `mask` has the bits of the converter.
template <class Raw>
void calibrate_row(const Response& response, const PhiloxKey& key, Word number, const Raw* raw, std::uint32_t mask,
                   float* photons, std::uint8_t* gains) {
    double u[READ_LANES], v[READ_LANES], pedestal[READ_LANES], spread[READ_LANES];
    for (Int at = 0; at < response.n_fast; at += READ_LANES) {
        const int n = static_cast<int>(smaller(response.n_fast - at, static_cast<Int>(READ_LANES)));
        const Word first = number + static_cast<Word>(at);
        if (has_spread(response, 0)) {
            row_deviates(key, first, n, u, v);
            FOR_SOME_LANES(i, n) normal_pair(u[i], v[i], pedestal[i], spread[i]);
        } else {
            FOR_SOME_LANES(i, n) pedestal[i] = spread[i] = 0.0;
        }
        for (int i = 0; i < n; ++i) {
            const std::uint32_t value = static_cast<std::uint32_t>(raw[at + i]);
            const Int bits = static_cast<Int>(value & ~mask);
            int gain = 0;
            while (gain < response.n_gains && response.gain_bits[gain] != bits) ++gain;
            if (gain == response.n_gains) {
                gains[at + i] = NO_GAIN;
                photons[at + i] = std::nanf("");
                continue;
            }
            if (gain > 0 && has_spread(response, gain)) {
                pixel_normals(static_cast<Word>(response.serial), 0, first + static_cast<Word>(i), PIXELS,
                              static_cast<Natural>(gain), pedestal[i], spread[i]);
            }
            const double zero = response.pedestal[gain] + response.pedestal_spread[gain] * pedestal[i];
            const double slope = response.gain[gain] * (1.0 + response.gain_spread[gain] * spread[i]);
            photons[at + i] = static_cast<float>((static_cast<double>(value & mask) - zero) / slope);
            gains[at + i] = static_cast<std::uint8_t>(gain);
        }
    }
}

}  // namespace cupysim
