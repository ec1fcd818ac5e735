// Integers of a detector's pixels as noisify makes them. Only a CPU uses this file.
#pragma once
#include "portable.cuh"

namespace cupysim {

struct Digitiser {
    double gain, offset, readout, largest;
    bool is_rounded, is_clipped;
};

// The low bits of the integer before a number; zero if the number does not fit into `Wide`, as on x86 processors.
template <class Wide>
CUPYSIM_FUNCTION Wide truncated(double x) {
    constexpr double LIMIT = sizeof(Wide) == 4 ? 2147483648.0 : 9223372036854775808.0;
    return x > -LIMIT && x < LIMIT ? static_cast<Wide>(x) : 0;
}

template <class Wide, class Integer>
CUPYSIM_FUNCTION void digitise_some(const Digitiser& how, const float* photons, const float* deviates, int n,
                                    Integer* integers, std::int64_t* counts) {
    int n_above = 0, n_below = 0;
    FOR_SOME_LANES(i, n) {
        double value = static_cast<double>(photons[i]) * how.gain + how.offset;
        if (deviates != nullptr) value += how.readout * static_cast<double>(deviates[i]);
        n_above += value > how.largest;
        value = value > how.largest ? how.largest : value;
        if (how.is_rounded) value = std::floor(value + 0.5);
        n_below += value <= -1.0;
        if (how.is_clipped) value = value < 0.0 ? 0.0 : value;
        integers[i] = static_cast<Integer>(truncated<Wide>(value));
    }
    counts[0] += n_above;
    counts[1] += n_below;
}

CUPYSIM_OUTLINE double digitise(const Digitiser& how, const float* photons, const float* deviates, std::int64_t n,
                                int n_bytes, void* integers, std::int64_t* counts) {
    constexpr std::int64_t AT_ONCE = 4096;
    double total = 0.0;
    for (std::int64_t first = 0; first < n; first += AT_ONCE) {
        const int some = static_cast<int>(smaller(n - first, AT_ONCE));
        const float* const drawn = deviates == nullptr ? nullptr : deviates + first;
        if (n_bytes == 2) {
            digitise_some<std::int32_t>(how, photons + first, drawn, some,
                                        static_cast<std::uint16_t*>(integers) + first, counts);
        } else {
            digitise_some<std::int64_t>(how, photons + first, drawn, some,
                                        static_cast<std::uint32_t*>(integers) + first, counts);
        }
        for (int i = 0; i < some; ++i) total += static_cast<double>(photons[first + i]);
    }
    return total;
}

}  // namespace cupysim
